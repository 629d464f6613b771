"""Reads settings and `*_FILE` secrets once, at the edge, and reports every mistake at once."""

from __future__ import annotations

import difflib
import hashlib
import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar
from urllib.parse import SplitResult, urlsplit

from trackeep.errors import SettingsError
from trackeep.settings_table import KNOWN_NAMES

T = TypeVar("T")
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
LOOPBACK = ("127.0.0.0/8", "::1/128")


@dataclass(frozen=True)
class GitHubAddresses:
    """Where GitHub is: pages, REST and git; GraphQL follows from REST as GitHub lays it out."""

    web: str = "https://github.com"
    api: str = "https://api.github.com"
    git: str = "https://github.com"

    @property
    def graphql(self) -> str:
        # GitHub Enterprise Server: REST at /api/v3, GraphQL at /api/graphql
        # (https://docs.github.com/en/enterprise-server/graphql/guides/forming-calls-with-graphql).
        if self.api.endswith("/api/v3"):
            return self.api.removesuffix("/v3") + "/graphql"
        return self.api + "/graphql"

    @property
    def noreply_host(self) -> str:
        """What stands after the @ of the addresses that GitHub gives to those who hide theirs.

        A GitHub on this computer stands for github.com.
        """
        host = (urlsplit(self.web).hostname or "").lower()
        return f"users.noreply.{'github.com' if is_loopback_host(host) else host}"


@dataclass(frozen=True)
class LogSettings:
    format: str = ""
    level: str = "info"


@dataclass(frozen=True)
class InstanceSettings:
    base_url: str
    host: str
    port: int
    data_dir: Path
    database_url: str
    secret_key: str
    broker_url: str
    allowed_users: tuple[str, ...]
    allowed_orgs: tuple[str, ...]
    poll_seconds: int
    trusted_proxies: tuple[Network, ...]
    webhook_secret: str
    github_token: str
    github: GitHubAddresses
    log: LogSettings
    warnings: tuple[str, ...] = ()
    github_client_id: str = ""
    github_client_secret: str = field(default="", repr=False)
    github_app_slug: str = ""
    metrics_token: str = field(default="", repr=False)
    # 0: none are made by the clock.
    backup_hours: int = 0
    backup_keep: int = 7

    @property
    def backups_dir(self) -> Path:
        return self.data_dir / "backups"

    @property
    def has_own_app(self) -> bool:
        """People sign in at GitHub directly, by a registration of this instance; an OAuth service wins."""
        return bool(self.github_client_id) and not self.broker_url

    @property
    def has_github_login(self) -> bool:
        """People sign in at GitHub, by whichever registration."""
        return bool(self.broker_url or self.github_client_id)

    @property
    def base_path(self) -> str:
        """The path of the base URL without a slash at its end, "" at the root."""
        return urlsplit(self.base_url).path.rstrip("/")

    @property
    def origin(self) -> str:
        parts = urlsplit(self.base_url)
        return f"{parts.scheme}://{parts.netloc}"


@dataclass(frozen=True)
class BrokerSettings:
    base_url: str
    host: str
    port: int
    keys_file: Path
    github_client_id: str
    github_client_secret: str
    loopback_consent: str
    token_mode: str
    allow: tuple[str, ...]
    deny: tuple[str, ...]
    trusted_proxies: tuple[Network, ...]
    github_app_slug: str
    github: GitHubAddresses
    log: LogSettings
    redis_url: str = ""
    warnings: tuple[str, ...] = ()


def instance_settings(environ: Mapping[str, str]) -> InstanceSettings:
    """Settings of the instance from `environ`; raises one SettingsError that names every mistake."""
    env = _Reader(environ)
    data_dir = Path(env.text("TRACKEEP_DATA_DIR", "./trackeep-data")).expanduser()
    port = env.number("TRACKEEP_PORT", 8080, 0, 65535)
    settings = InstanceSettings(
        base_url=env.url("TRACKEEP_BASE_URL", f"http://localhost:{port}"),
        host=env.text("TRACKEEP_HOST", "127.0.0.1"),
        port=port,
        data_dir=data_dir,
        database_url=env.database("TRACKEEP_DATABASE_URL", f"sqlite:///{data_dir / 'trackeep.db'}"),
        secret_key=env.secret("TRACKEEP_SECRET_KEY", least=32),
        broker_url=env.url("TRACKEEP_BROKER_URL", ""),
        allowed_users=env.names("TRACKEEP_ALLOWED_USERS"),
        allowed_orgs=env.names("TRACKEEP_ALLOWED_ORGS"),
        poll_seconds=env.number("TRACKEEP_POLL_SECONDS", 60, 1, 86_400),
        trusted_proxies=env.networks("TRACKEEP_TRUSTED_PROXIES", LOOPBACK),
        webhook_secret=env.secret("TRACKEEP_WEBHOOK_SECRET", least=16),
        github_token=env.secret("GITHUB_TOKEN"),
        github=env.github(),
        log=env.log(),
        warnings=_unknown_names(environ),
        github_client_id=env.text("GITHUB_CLIENT_ID", ""),
        github_client_secret=env.secret("GITHUB_CLIENT_SECRET"),
        github_app_slug=env.text("GITHUB_APP_SLUG", ""),
        metrics_token=env.secret("TRACKEEP_METRICS_TOKEN", least=16),
        backup_hours=env.number("TRACKEEP_BACKUP_HOURS", 0, 0, 8_760),
        backup_keep=env.number("TRACKEEP_BACKUP_KEEP", 7, 1, 10_000),
    )
    if not settings.broker_url and bool(settings.github_client_id) != bool(settings.github_client_secret):
        env.refuse("GITHUB_CLIENT_ID and GITHUB_CLIENT_SECRET belong together; set both or neither.")
    env.finish()
    return settings


def broker_settings(environ: Mapping[str, str], *, dev: bool = False) -> BrokerSettings:
    """Settings of the OAuth service from `environ`; raises one SettingsError that names every mistake."""
    env = _Reader(environ)
    port = env.number("TRACKEEP_BROKER_PORT", 9090, 0, 65535)
    settings = BrokerSettings(
        base_url=env.url("TRACKEEP_BROKER_BASE_URL", f"http://localhost:{port}"),
        host=env.text("TRACKEEP_BROKER_HOST", "127.0.0.1"),
        port=port,
        keys_file=Path(env.text("TRACKEEP_BROKER_KEYS_FILE", "./trackeep-broker-keys.json")).expanduser(),
        github_client_id=env.required("GITHUB_CLIENT_ID", "the client id of the registration at GitHub"),
        github_client_secret=env.required("GITHUB_CLIENT_SECRET", "the client secret of the registration"),
        loopback_consent=env.one_of(
            "TRACKEEP_BROKER_LOOPBACK_CONSENT", "first", ("always", "first", "never")
        ),
        token_mode=env.one_of("TRACKEEP_BROKER_TOKEN_MODE", "on", ("on", "encrypted", "off")),
        allow=env.names("TRACKEEP_BROKER_ALLOW"),
        deny=env.names("TRACKEEP_BROKER_DENY"),
        trusted_proxies=env.networks("TRACKEEP_BROKER_TRUSTED_PROXIES", ()),
        github_app_slug=env.text("GITHUB_APP_SLUG", ""),
        github=env.github(),
        log=env.log(),
        redis_url=env.secret_url("TRACKEEP_BROKER_REDIS_URL", ("redis://", "rediss://", "unix://")),
        warnings=_unknown_names(environ),
    )
    env.finish()
    return settings


def is_loopback_host(host: str) -> bool:
    """True for localhost, *.localhost and the loopback ranges; nothing else."""
    host = host.lower().strip("[]")
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def cookie_name(base_url: str, name: str) -> str:
    """The name of a cookie of the program at `base_url`.

    Cookies ignore ports, so plain http adds a mark of the address; https gets the browser's own
    protection (https://developer.mozilla.org/docs/Web/HTTP/Reference/Headers/Set-Cookie#cookie_prefixes).
    """
    parts = urlsplit(base_url)
    if parts.scheme == "http":
        return f"{name}-{hashlib.sha256(base_url.encode()).hexdigest()[:8]}"
    return f"__Host-{name}" if parts.path in ("", "/") else f"__Secure-{name}"


def _unknown_names(environ: Mapping[str, str]) -> tuple[str, ...]:
    warnings = []
    for name in sorted(environ):
        plain = name.removesuffix("_FILE")
        if not name.startswith("TRACKEEP_") or name in KNOWN_NAMES or plain in KNOWN_NAMES:
            continue
        near = difflib.get_close_matches(name, KNOWN_NAMES, n=1, cutoff=0.8)
        meant = f" Did you mean {near[0]}?" if near else ""
        warnings.append(f"{name} is not a setting and is ignored.{meant}")
    return tuple(warnings)


def database_url(value: str) -> str:
    if value.startswith(("sqlite:///", "postgresql://", "postgres://")):
        return value.replace("postgres://", "postgresql://", 1)
    raise ValueError("must start with sqlite:/// or postgresql://")


def _http_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be an address such as https://trackeep.example.org")
    if parts.query or parts.fragment or parts.username is not None:
        raise ValueError("must have no user name, no ? and no #")
    if _port_of(parts) == 0:
        raise ValueError("must have a port between 1 and 65535")
    return value.rstrip("/")


def _port_of(parts: SplitResult) -> int | None:
    """The port, None without one, 0 for an impossible one (whose text may be half a password)."""
    try:
        return parts.port
    except ValueError:
        return 0


def _github_url(value: str) -> str:
    value = _http_url(value)
    parts = urlsplit(value)
    if parts.scheme == "http" and not is_loopback_host(parts.hostname or ""):
        raise ValueError("must be https (http is accepted for this computer only)")
    return value


class _Reader:
    """Takes values out of an environment and collects what is wrong with them."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._mistakes: list[str] = []

    def text(self, name: str, default: str) -> str:
        return self._environ.get(name, "").strip() or default

    def checked(self, name: str, default: T, parse: Callable[[str], T]) -> T:
        return self._parsed(name, self.text(name, ""), default, parse)

    def database(self, name: str, default: str) -> str:
        """An address that may hold a password, so it may stand in a file."""
        return self._parsed(name, self.secret(name), default, database_url)

    def _parsed(self, name: str, value: str, default: T, parse: Callable[[str], T]) -> T:
        if not value:
            return default
        try:
            return parse(value)
        except ValueError as error:
            # A wrong address may well hold a right password, and this goes to a log.
            shown = re.sub(r"(?<=//).*@", "***@", value)
            self._mistakes.append(f"{name} {error}; it is {shown!r}.")
            return default

    def url(self, name: str, default: str) -> str:
        return self.checked(name, default, _http_url)

    def number(self, name: str, default: int, least: int, most: int) -> int:
        def parse(value: str) -> int:
            if not re.fullmatch(r"[0-9]+", value) or not least <= int(value) <= most:
                raise ValueError(f"must be a whole number from {least} to {most}")
            return int(value)

        return self.checked(name, default, parse)

    def one_of(self, name: str, default: str, choices: tuple[str, ...]) -> str:
        def parse(value: str) -> str:
            if value not in choices:
                raise ValueError(f"must be one of {', '.join(choices)}")
            return value

        return self.checked(name, default, parse)

    def names(self, name: str) -> tuple[str, ...]:
        return tuple(part for part in re.split(r"[,\s]+", self.text(name, "")) if part)

    def networks(self, name: str, default: tuple[str, ...]) -> tuple[Network, ...]:
        def parse(value: str) -> tuple[Network, ...]:
            try:
                return tuple(ipaddress.ip_network(part) for part in re.split(r"[,\s]+", value) if part)
            except ValueError:
                raise ValueError("must be a list of networks such as 10.0.0.0/8") from None

        return self.checked(name, tuple(ipaddress.ip_network(part) for part in default), parse)

    def secret(self, name: str, *, least: int = 0) -> str:
        value, path = self.text(name, ""), self.text(f"{name}_FILE", "")
        if value and path:
            self._mistakes.append(f"{name} and {name}_FILE are both set; keep one of them.")
        if path:
            value = self._read(name, path)
        if value and min(len(part.encode()) for part in value.split(",")) < least:
            self._mistakes.append(f"{name} is shorter than {least} bytes; make one: `openssl rand -hex 32`.")
        return value

    def secret_url(self, name: str, schemes: tuple[str, ...]) -> str:
        """An address that may hold a password, so it is not repeated when it is wrong."""
        value = self.secret(name)
        if value and not value.startswith(schemes):
            self._mistakes.append(f"{name} must start with {' or '.join(schemes)}.")
        return value

    def required(self, name: str, what: str) -> str:
        value = self.secret(name)
        if not value:
            self._mistakes.append(f"{name} is missing; it is {what}.")
        return value

    def github(self) -> GitHubAddresses:
        web = self.checked("GITHUB_URL", GitHubAddresses.web, _github_url)
        api = self.checked("GITHUB_API_URL", GitHubAddresses.api, _github_url)
        return GitHubAddresses(web=web, api=api, git=self.checked("GITHUB_GIT_URL", web, _github_url))

    def log(self) -> LogSettings:
        return LogSettings(
            format=self.one_of("TRACKEEP_LOG_FORMAT", "", ("text", "json")),
            level=self.one_of("TRACKEEP_LOG_LEVEL", "info", ("debug", "info", "warning", "error")),
        )

    def refuse(self, mistake: str) -> None:
        self._mistakes.append(mistake)

    def finish(self) -> None:
        if self._mistakes:
            count = len(self._mistakes)
            opening = "A setting is wrong." if count == 1 else f"{count} settings are wrong."
            cure = "Correct it and start again." if count == 1 else "Correct them and start again."
            raise SettingsError(" ".join([opening, *self._mistakes]), cure)

    def _read(self, name: str, path: str) -> str:
        try:
            return Path(path).read_text(encoding="utf-8").strip()
        except OSError as error:
            self._mistakes.append(f"{name}_FILE cannot be read: {error.strerror} ({path}).")
            return ""
