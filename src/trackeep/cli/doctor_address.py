"""What `trackeep doctor` says of the way from browsers to the instance: address, proxy, cookies."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from trackeep.model import Finding

if TYPE_CHECKING:
    import aiohttp

    from trackeep.environment import InstanceSettings

EVERYWHERE = ("0.0.0.0", "::")


async def way_here(http: aiohttp.ClientSession, settings: InstanceSettings) -> list[Finding]:
    """Whether the public address leads to the server that runs here, and what browsers are given."""
    return [*await _public_address(http, settings), *_proxy(settings), _cookies(settings)]


async def _public_address(http: aiohttp.ClientSession, settings: InstanceSettings) -> list[Finding]:
    host = "127.0.0.1" if settings.host in EVERYWHERE else settings.host
    here = f"http://{host}:{settings.port}{settings.base_path}/healthz"
    if not await _answers(http, here):
        # Nothing runs yet: there is nothing to lead to.
        return []
    if await _answers(http, f"{settings.base_url}/healthz"):
        return [Finding("base URL", "ok", f"{settings.base_url} leads to the server that runs here.")]
    sentence = f"the server runs, but {settings.base_url} does not lead to it from here."
    return [Finding("base URL", "warning", sentence, "Check TRACKEEP_BASE_URL, the proxy and its path.")]


def _proxy(settings: InstanceSettings) -> list[Finding]:
    from ipaddress import ip_network

    from trackeep.environment import LOOPBACK, is_loopback_host

    if urlsplit(settings.base_url).scheme != "https":
        return []
    usual = tuple(ip_network(each) for each in LOOPBACK)
    if is_loopback_host(settings.host) or settings.trusted_proxies != usual:
        trusted = ", ".join(str(each) for each in settings.trusted_proxies) or "nobody"
        return [Finding("proxy headers", "ok", f"X-Forwarded-For counts from {trusted}.")]
    sentence = "the proxy is on another computer or in a container, and is not trusted."
    hint = "Set TRACKEEP_TRUSTED_PROXIES to its network, or all visitors count as one."
    return [Finding("proxy headers", "warning", sentence, hint)]


def _cookies(settings: InstanceSettings) -> Finding:
    from trackeep.environment import cookie_name, is_loopback_host

    parts = urlsplit(settings.base_url)
    name = cookie_name(settings.base_url, "session")
    if parts.scheme == "https":
        return Finding("cookies", "ok", f"{name}, sent over https alone.")
    if is_loopback_host(parts.hostname or ""):
        return Finding("cookies", "ok", f"{name}, on this computer alone.")
    return Finding("cookies", "warning", f"{name} is sent unencrypted.", "Use https before others sign in.")


async def _answers(http: aiohttp.ClientSession, address: str) -> bool:
    import aiohttp

    try:
        async with http.get(address, timeout=aiohttp.ClientTimeout(total=5)) as answer:
            return answer.status == 200
    except (aiohttp.ClientError, TimeoutError, OSError):
        return False
