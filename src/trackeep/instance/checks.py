"""What can be found wrong with an instance without asking anybody: for `trackeep doctor` and for its page."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from urllib.parse import urlsplit

from trackeep.environment import InstanceSettings, is_loopback_host
from trackeep.instance.entry.client_document import is_public_host
from trackeep.instance.webhooks import PATH
from trackeep.model import Finding
from trackeep.store.instance_figures import Worker
from trackeep.store.leases import SILENT_AFTER_S
from trackeep.vault import Vault

SPARE_BYTES = 200 * 1024 * 1024


def of_settings(settings: InstanceSettings) -> list[Finding]:
    """The public address, unknown names, clear text over a network, and whether webhooks can arrive."""
    findings = [Finding("settings", "ok", f"public address {settings.base_url}, no mistakes.")]
    findings += [Finding("settings", "warning", warning) for warning in settings.warnings]
    return findings + _cleartext(settings) + _webhook(settings)


def _cleartext(settings: InstanceSettings) -> list[Finding]:
    parts = urlsplit(settings.base_url)
    if parts.scheme == "https" or is_loopback_host(parts.hostname or ""):
        return []
    hint = "Put a proxy with https before it; a public address cannot sign in without."
    return [Finding("settings", "warning", "The public address is not encrypted.", hint)]


def _webhook(settings: InstanceSettings) -> list[Finding]:
    if not settings.webhook_secret:
        return []
    if not is_public_host(urlsplit(settings.base_url).hostname or ""):
        sentence = f"GitHub cannot deliver to {settings.base_url}{PATH}."
        return [Finding("webhook", "warning", sentence, "It needs an address that the internet reaches.")]
    return [Finding("webhook", "ok", f"GitHub may deliver to {settings.base_url}{PATH}.")]


def of_key(settings: InstanceSettings, vault: Vault) -> Finding:
    """Whether the key at hand opens what it seals."""
    where = "TRACKEEP_SECRET_KEY" if settings.secret_key else str(settings.data_dir / "secret.key")
    assert vault.open(vault.seal("probe", "doctor"), "doctor") == "probe"
    return Finding("key", "ok", f"tokens are encrypted with the key of {where}.")


def of_disk(settings: InstanceSettings) -> Finding:
    """Whether there is room where the database and its copies are."""
    free = shutil.disk_usage(settings.data_dir if settings.data_dir.exists() else ".").free
    sentence = f"{free // 1024**2:,} MB free."
    if free < SPARE_BYTES:
        return Finding("disk", "error", sentence, "Make room, or writing will stop.")
    return Finding("disk", "ok", sentence)


def of_database(kind: str, version: str, *, is_current: bool) -> Finding:
    """Whether the tables, of this `version`, are those that this program works with."""
    if is_current:
        return Finding("database", "ok", f"{kind}, tables up to date.")
    sentence = f"{kind}, tables of version {version}, which this program does not work with."
    return Finding("database", "error", sentence, "Start one and the same version everywhere.")


def of_workers(workers: Sequence[Worker], now: int, *, is_needed: bool) -> Finding:
    """Whether somebody syncs; `workers` with the last heard of first."""
    alive = [one for one in workers if one.seen_at > now - SILENT_AFTER_S]
    if alive:
        many = "one worker lives" if len(alive) == 1 else f"{len(alive)} workers live"
        return Finding("worker", "ok", f"{many}, heard of {max(0, now - alive[0].seen_at)} s ago.")
    if not is_needed:
        return Finding("worker", "ok", "none lives, and nobody is connected to GitHub yet.")
    hint = "Run trackeep serve without --no-worker, or trackeep worker beside it."
    return Finding("worker", "error", "none lives, so nothing new is read.", hint)


def of_address(settings: InstanceSettings, host: str) -> Finding:
    """Whether a visitor came by the public address; `host` as their browser, or a proxy, sent it."""
    if host.lower() == urlsplit(settings.base_url).netloc.lower():
        return Finding("address", "ok", "you came by the public address.")
    sentence = f"you came by {host[:100]}, which is not the public address."
    return Finding(
        "address", "warning", sentence, "A proxy must pass the Host header on, or set TRACKEEP_BASE_URL."
    )
