"""Every setting in one table: what the programs know, `trackeep config` shows and the pages document."""

from __future__ import annotations

from dataclasses import dataclass

INSTANCE, BROKER, BOTH = "instance", "broker", "both"


@dataclass(frozen=True)
class Setting:
    """One name of the environment.

    `default` is in a person's words; `meaning` is half a sentence of Markdown. `field` is where
    `InstanceSettings` or `BrokerSettings` keeps the value. The value of a secret is never shown;
    of an address that may hold a password the rest is shown.
    """

    name: str
    default: str
    meaning: str
    program: str
    field: str
    is_secret: bool = False
    may_hold_password: bool = False

    @property
    def may_be_a_file(self) -> bool:
        """NAME_FILE works, too: whoever lists processes or inspects a container does not read it."""
        return self.is_secret or self.may_hold_password

    @property
    def is_for_instance(self) -> bool:
        return self.program in (INSTANCE, BOTH)

    @property
    def is_for_broker(self) -> bool:
        return self.program in (BROKER, BOTH)


SETTINGS = (
    Setting(
        "TRACKEEP_BASE_URL",
        "`http://localhost:8080`",
        "the public address, may have a path",
        INSTANCE,
        "base_url",
    ),
    Setting("TRACKEEP_HOST", "`127.0.0.1`", "where to listen", INSTANCE, "host"),
    Setting("TRACKEEP_PORT", "`8080`", "the port to listen on", INSTANCE, "port"),
    Setting("TRACKEEP_DATA_DIR", "`./trackeep-data`", "database and key file", INSTANCE, "data_dir"),
    Setting(
        "TRACKEEP_DATABASE_URL",
        "an SQLite file in the data directory",
        "or `postgresql://...`",
        INSTANCE,
        "database_url",
        may_hold_password=True,
    ),
    Setting(
        "TRACKEEP_SECRET_KEY",
        "a key file made at the first start",
        "encrypts GitHub tokens at rest",
        INSTANCE,
        "secret_key",
        is_secret=True,
    ),
    Setting(
        "TRACKEEP_BROKER_URL",
        "none: sign in with a pasted token",
        "the OAuth service to sign in through",
        INSTANCE,
        "broker_url",
    ),
    Setting(
        "TRACKEEP_ALLOWED_USERS",
        "the owner only",
        "logins that may sign in, too",
        INSTANCE,
        "allowed_users",
    ),
    Setting(
        "TRACKEEP_ALLOWED_ORGS",
        "the owner only",
        "organisations whose members may sign in, too",
        INSTANCE,
        "allowed_orgs",
    ),
    Setting(
        "TRACKEEP_POLL_SECONDS",
        "`60`",
        "how often GitHub is asked what is new",
        INSTANCE,
        "poll_seconds",
    ),
    Setting(
        "TRACKEEP_TRUSTED_PROXIES",
        "loopback",
        "proxies whose `X-Forwarded-For` counts, as networks",
        INSTANCE,
        "trusted_proxies",
    ),
    Setting(
        "TRACKEEP_BACKUP_HOURS",
        "`0`: no schedule",
        "every how many hours the database is copied, see [data](data.md)",
        INSTANCE,
        "backup_hours",
    ),
    Setting(
        "TRACKEEP_BACKUP_KEEP",
        "`7`",
        "how many of these copies stay",
        INSTANCE,
        "backup_keep",
    ),
    Setting(
        "TRACKEEP_WEBHOOK_SECRET",
        "none: no webhooks",
        "GitHub may tell what moved, see [webhooks](webhooks.md)",
        INSTANCE,
        "webhook_secret",
        is_secret=True,
    ),
    Setting(
        "TRACKEEP_METRICS_TOKEN",
        "none: no `/metrics`",
        "guards the figures for Prometheus, see [monitoring](monitoring.md)",
        INSTANCE,
        "metrics_token",
        is_secret=True,
    ),
    Setting(
        "GITHUB_TOKEN",
        "none",
        "a personal access token, for `trackeep sync` without a sign-in",
        INSTANCE,
        "github_token",
        is_secret=True,
    ),
    Setting(
        "TRACKEEP_BROKER_BASE_URL",
        "`http://localhost:9090`",
        "public address and issuer",
        BROKER,
        "base_url",
    ),
    Setting("TRACKEEP_BROKER_HOST", "`127.0.0.1`", "where to listen", BROKER, "host"),
    Setting("TRACKEEP_BROKER_PORT", "`9090`", "the port to listen on", BROKER, "port"),
    Setting(
        "TRACKEEP_BROKER_KEYS_FILE",
        "`./trackeep-broker-keys.json`",
        "signing and sealing keys; replicas share one file",
        BROKER,
        "keys_file",
    ),
    Setting(
        "TRACKEEP_BROKER_LOOPBACK_CONSENT",
        "`first`",
        "for instances on the visitor's own computer: `always`, `first` or `never` ask",
        BROKER,
        "loopback_consent",
    ),
    Setting(
        "TRACKEEP_BROKER_TOKEN_MODE",
        "`on`",
        "`on`, `encrypted` (only to instances that give a key) or `off`",
        BROKER,
        "token_mode",
    ),
    Setting(
        "TRACKEEP_BROKER_ALLOW",
        "none",
        "hosts that may receive logins: `home.example`, `*.home.example`",
        BROKER,
        "allow",
    ),
    Setting("TRACKEEP_BROKER_DENY", "none", "hosts that may not receive logins", BROKER, "deny"),
    Setting(
        "TRACKEEP_BROKER_TRUSTED_PROXIES",
        "none",
        "proxies whose `X-Forwarded-For` counts, as networks",
        BROKER,
        "trusted_proxies",
    ),
    Setting(
        "TRACKEEP_BROKER_REDIS_URL",
        "none: memory, for one process",
        "limits, refresh lock and 60-second answers that replicas share",
        BROKER,
        "redis_url",
        is_secret=True,
    ),
    Setting(
        "GITHUB_CLIENT_ID",
        "none; the OAuth service needs it",
        "the registration at GitHub that people sign in through",
        BOTH,
        "github_client_id",
    ),
    Setting(
        "GITHUB_CLIENT_SECRET",
        "none; the OAuth service needs it",
        "the secret of that registration",
        BOTH,
        "github_client_secret",
        is_secret=True,
    ),
    Setting(
        "GITHUB_APP_SLUG",
        "none",
        "set when the registration is a GitHub App",
        BOTH,
        "github_app_slug",
    ),
    Setting("GITHUB_URL", "`https://github.com`", "GitHub's pages", BOTH, "github.web"),
    Setting("GITHUB_API_URL", "`https://api.github.com`", "GitHub's API", BOTH, "github.api"),
    Setting("GITHUB_GIT_URL", "`GITHUB_URL`", "GitHub's repositories", BOTH, "github.git"),
    Setting(
        "TRACKEEP_LOG_FORMAT",
        "`text` on a terminal, else `json`",
        "one line per event, on stderr",
        BOTH,
        "log.format",
    ),
    Setting(
        "TRACKEEP_LOG_LEVEL",
        "`info`",
        "`debug`, `info`, `warning` or `error`",
        BOTH,
        "log.level",
    ),
)

KNOWN_NAMES = tuple(setting.name for setting in SETTINGS if setting.name.startswith("TRACKEEP_"))
