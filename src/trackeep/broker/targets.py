"""Which address may receive a login: a strict parser and one table of rules, both pure."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from enum import Enum
from urllib.parse import unquote_plus

import idna

from trackeep.errors import UsageError
from trackeep.handshake.messages import CALLBACK_PATH, LONGEST_BASE_URL

LOCAL_SUFFIXES = (".local", ".lan", ".home.arpa", ".internal")
DEFAULT_PORTS = {"http": 80, "https": 443}
# RFC 1918, unique local addresses and shared address space (RFC 6598): reachable from one network only.
LOCAL_NETWORKS = tuple(
    ipaddress.ip_network(text)
    for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
)
_AUTHORITY = re.compile(r"(\[[0-9a-f:.]*\]|[a-z0-9._-]+)(?::([1-9][0-9]{0,4}))?")
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?")
_PATH = re.compile(r"(?:/[A-Za-z0-9_~@+-][A-Za-z0-9._~@+-]*)*")
# A registered address may have what RFC 3986 allows in a path and a query, less what browsers rewrite.
_EXACT_PATH = re.compile(r"(?:/(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})*)?")
_EXACT_QUERY = re.compile(r"(?:[A-Za-z0-9._~!$&()*+,;=:@/?\[\]-]|%[0-9A-Fa-f]{2})*")
_DOTS = re.compile(r"/\.\.?(?:;[^/]*)?(?=/|$)")
_ENCODED_CONTROL = re.compile(r"%(?:[01][0-9A-Fa-f]|7[Ff])")
# Browsers take %2e for a dot; servers behind proxies often take %2f and %5c for a slash.
_ENCODED_SLASH = re.compile(r"%(?:2[EeFf]|5[Cc])")
# Teredo (RFC 4380) carries an IPv4 address; site-local addresses were given up (RFC 3879).
_STRANGE_NETWORKS = tuple(ipaddress.ip_network(text) for text in ("2001::/32", "fec0::/10"))
# What an answer is made of: an address that brings one along would answer twice, in two voices.
_ANSWERS = frozenset(("code", "state", "iss", "error", "error_description", "error_uri"))


class TargetRefused(UsageError):
    """An address that may not receive a login, as it is written or at all."""

    code = "invalid_redirect_uri"


class TargetBlocked(TargetRefused):
    """An address that the operator keeps out."""

    code = "blocked_instance"


class Network(Enum):
    """From where an address can be reached."""

    LOOPBACK = "loopback"
    LOCAL = "local"
    PUBLIC = "public"


@dataclass(frozen=True)
class Target:
    """An address that passed the parser; `base_url` is exactly what was given, less `/auth/callback`.

    `redirect_uri` is set where a client named the whole address that its answer goes to.
    """

    scheme: str
    host: str
    port: int | None
    path: str
    network: Network
    redirect_uri: str = ""

    @property
    def authority(self) -> str:
        return self.host if self.port is None else f"{self.host}:{self.port}"

    @property
    def origin(self) -> str:
        return f"{self.scheme}://{self.authority}"

    @property
    def base_url(self) -> str:
        return f"{self.origin}{self.path}"

    @property
    def callback_url(self) -> str:
        return self.redirect_uri or f"{self.base_url}{CALLBACK_PATH}"

    @property
    def is_cleartext(self) -> bool:
        """True when a login travels unencrypted over a network on its way to this address."""
        return self.scheme == "http" and self.network is not Network.LOOPBACK

    @property
    def readable_host(self) -> str:
        """The host as people read it: Unicode for an internationalised name, else the host itself."""
        return idna.decode(self.host) if _is_international(self.host) else self.host


@dataclass(frozen=True)
class Rules:
    """What the operator decided: `tokens` (token mode) on, encrypted or off, and host lists that win.

    An entry is a host (`home.example`), all names below one (`*.home.example`), or either after
    `http://`, which lets that host use plain http under the rules of the local network.
    """

    tokens: str = "on"
    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()


def parse(text: str) -> Target:
    """The target of `redirect_uri`; raises UsageError with what to change for anything doubtful.

    Only the one spelling that every browser and library reads the same way is taken: an address that
    two programs understand differently is how a login gets sent somewhere nobody agreed to.
    """
    if not text or len(text) > LONGEST_BASE_URL:
        raise _refused(f"is empty or longer than {LONGEST_BASE_URL} characters", "Give a base URL.")
    _refuse_characters(text)
    scheme, separator, rest = text.partition("://")
    if scheme not in DEFAULT_PORTS or not separator:
        raise _refused("does not begin with https:// or http://", "Write it in lower case and in full.")
    authority, slash, path = rest.partition("/")
    host, port = _authority(authority, scheme)
    return Target(scheme, host, port, _base_path(slash + path), _network(host))


def parse_exact(text: str) -> Target:
    """The target of a registered `redirect_uri`, which is used letter by letter as it is; raises UsageError.

    Its host and port are held to the same one spelling; its path and query mean something to the client
    alone, but every browser must leave them as they are, and they must not hold an answer already.
    """
    if not text or len(text) > LONGEST_BASE_URL:
        raise _refused(f"is empty or longer than {LONGEST_BASE_URL} characters", "Give the whole address.")
    _refuse_characters(text, is_exact=True)
    scheme, separator, rest = text.partition("://")
    if scheme not in DEFAULT_PORTS or not separator:
        raise _refused("does not begin with https:// or http://", "Write it in lower case and in full.")
    authority = re.split(r"[/?]", rest, maxsplit=1)[0]
    host, port = _authority(authority, scheme)
    path, _, query = rest[len(authority) :].partition("?")
    _check_exact(path, query)
    return Target(scheme, host, port, path, _network(host), redirect_uri=text)


def same_but_port(one: str, other: str) -> bool:
    """True when both are loopback addresses that differ in nothing but their port.

    A program on the person's own computer learns its port only when it starts (RFC 8252 section 7.3).
    """
    try:
        first, second = parse_exact(one), parse_exact(other)
    except UsageError:
        return False
    if first.network is not Network.LOOPBACK:
        return False
    return one.removeprefix(first.origin) == other.removeprefix(second.origin) and (
        (first.scheme, first.host) == (second.scheme, second.host)
    )


def check(target: Target, rules: Rules, *, wants_code: bool, has_key: bool) -> None:
    """Raises UsageError unless `target` may receive a login of this kind under `rules`.

    `wants_code`: a code is asked for, otherwise the token itself; `has_key`: it would be encrypted.
    """
    if _listed(target, rules.deny):
        raise _blocked("is refused by the operator of this service", "Ask them, or run your own service.")
    if rules.allow and not _listed(target, rules.allow):
        raise _blocked("is not on the list of this service", "Ask its operator, or run your own service.")
    listed_http = _listed(target, tuple(entry for entry in rules.allow if entry.startswith("http://")))
    # Over http on the open internet everybody on the way can take the login.
    if target.is_cleartext and target.network is Network.PUBLIC and not listed_http:
        raise _refused("is public but not encrypted", "Give it https, then use its https:// address.")
    if wants_code:
        return
    if rules.tokens == "off":
        raise UsageError("This service hands out no tokens in addresses.", "Send a code_challenge (S256).")
    # Token mode puts the token into the address: without encryption it stays in logs along an http path.
    if not has_key and (rules.tokens == "encrypted" or target.is_cleartext):
        raise UsageError(
            "A token must not be sent to this address unencrypted.",
            "Send a code_challenge (S256), or a public key as jwe_jwk.",
        )


def _refuse_characters(text: str, *, is_exact: bool = False) -> None:
    if re.search(r"[^\x21-\x7e]", text):
        raise _refused(
            "has blanks, control or non-ASCII characters", "Write an international name as xn--..."
        )
    if "\\" in text:
        raise _refused("has a backslash", "Use / only.")
    if "@" in re.split(r"[/?]", text.partition("://")[2], maxsplit=1)[0]:
        raise _refused("has a user name in it", "Remove everything up to and including @.")
    if "#" in text:
        raise _refused("has a # in it", "A part after # never reaches a server; leave it out.")
    if is_exact:
        return
    if "%" in text:
        raise _refused("has percent-encoded characters", "Use a path of plain letters, digits, - and _.")
    if "?" in text:
        raise _refused("has a ? in it", "Give the base URL only.")


def _authority(authority: str, scheme: str) -> tuple[str, int | None]:
    match = _AUTHORITY.fullmatch(authority)
    if match is None:
        raise _refused(
            "has a host or port that is not in its plain form", "Write host or host:port, lower case."
        )
    host, port = match[1], int(match[2]) if match[2] else None
    if port is not None and (port > 65535 or port == DEFAULT_PORTS[scheme]):
        raise _refused(
            "names a port that is impossible or needless", "Remove it, or use one from 1 to 65535."
        )
    return _host(host), port


def _host(host: str) -> str:
    if host.startswith("["):
        _canonical(host[1:-1], 6)
        return host
    labels = host.split(".")
    # Browsers read every host whose last label is a number as IPv4: 127.1, 0x7f.1 and 2130706433 all are.
    if re.fullmatch(r"[0-9]+|0x[0-9a-f]*", labels[-1]):
        _canonical(host, 4)
        return host
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise _refused("has a host name that is not a valid one", "Check dots, hyphens and its length.")
    if _is_international(host):
        _check_punycode(host)
    return host


def _canonical(text: str, version: int) -> None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        address = None
    if address is None or address.version != version or str(address) != text:
        raise _refused(
            "has an IP address that is not in its usual form", "Write it like 192.168.1.5 or [::1]."
        )
    # A mapped or translated address is another spelling of an IPv4 address, with other rules.
    embedded = isinstance(address, ipaddress.IPv6Address) and (
        address.ipv4_mapped or address.sixtofour or any(address in each for each in _STRANGE_NETWORKS)
    )
    nobody = address.is_unspecified or address.is_multicast or address.is_link_local or text.startswith("0.")
    if embedded or nobody or (address.is_reserved and not address.is_loopback):
        raise _refused(
            "has an IP address that no Trackeep can have", "Use the address of the computer itself."
        )


def _is_international(host: str) -> bool:
    return any(label.startswith("xn--") for label in host.split("."))


def _check_punycode(host: str) -> None:
    try:
        intact = idna.encode(idna.decode(host)).decode() == host
    except (idna.IDNAError, UnicodeError):
        intact = False
    if not intact:
        raise _refused("has an international name that is not valid", "Check the xn-- part.")


def _base_path(path: str) -> str:
    base = path.removesuffix(CALLBACK_PATH) if path.endswith(CALLBACK_PATH) else path.removesuffix("/")
    # No empty, dotted or encoded segments: /a/../b and /a//b mean different things to different servers.
    if not _PATH.fullmatch(base):
        raise _refused(
            "has a path with empty, dotted or unusual parts", "Use a plain path such as /trackeep."
        )
    # Read again it would lose another one, and so become an address that nobody gave.
    if base.endswith(CALLBACK_PATH):
        raise _refused(f"has {CALLBACK_PATH} twice, or a slash behind it", "Give the base URL only.")
    return base


def _check_exact(path: str, query: str) -> None:
    if not _EXACT_PATH.fullmatch(path) or not _EXACT_QUERY.fullmatch(query):
        raise _refused("has characters that browsers rewrite", "Percent-encode what no address may have.")
    if _DOTS.search(path) or _ENCODED_SLASH.search(path) or _ENCODED_CONTROL.search(f"{path}?{query}"):
        raise _refused(
            "has dotted parts, or encoded dots, slashes or control characters", "Write the plain path."
        )
    # Each spelling of a name that some framework takes for the same: code[], %63ode, +code, Code, ;code.
    for pair in re.split(r"[&;]", query):
        name = unquote_plus(pair.partition("=")[0]).strip().partition("[")[0]
        if re.sub(r"[. ]", "_", name).lower() in _ANSWERS:
            raise _refused(
                "has a parameter that only an answer has", "Rename it: it cannot be code or state."
            )


def _network(host: str) -> Network:
    if host.startswith("[") or re.fullmatch(r"[0-9.]+", host):
        return _address_network(ipaddress.ip_address(host.strip("[]")))
    # Compared as whole labels at the end: localhost.evil.example is as public as any other name.
    if host == "localhost" or host.endswith(".localhost"):
        return Network.LOOPBACK
    if "." not in host or host.endswith(LOCAL_SUFFIXES):
        return Network.LOCAL
    return Network.PUBLIC


def _address_network(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> Network:
    if address.is_loopback:
        return Network.LOOPBACK
    if any(address in network for network in LOCAL_NETWORKS if network.version == address.version):
        return Network.LOCAL
    return Network.PUBLIC


def _listed(target: Target, entries: tuple[str, ...]) -> bool:
    for entry in entries:
        host = entry.lower().removeprefix("http://").removeprefix("https://")
        if target.host == host or (host.startswith("*.") and target.host.endswith(host[1:])):
            return True
    return False


def _refused(why: str, hint: str) -> TargetRefused:
    return TargetRefused(f"The address that should receive the login {why}.", hint)


def _blocked(why: str, hint: str) -> TargetBlocked:
    return TargetBlocked(f"The address that should receive the login {why}.", hint)
