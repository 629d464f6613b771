"""One line per event on stderr, with tokens and codes removed before anything is written."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from trackeep.environment import LogSettings

# GitHub's token shapes (https://docs.github.com/en/authentication/keeping-your-account-and-data-secure/
# about-authentication-to-github#githubs-token-formats), JWTs, our own tokens, the addresses of badges,
# and secrets in a query.
_SECRETS = re.compile(
    r"gh[a-z]_[A-Za-z0-9._-]{20,}|github_pat_\w{20,}|t[kf]_[A-Za-z0-9_-]{20,}|(?<=/b/)[A-Za-z0-9_-]{20,}"
    # Bounded: else a long text of nothing but beginnings would be read anew from each of them.
    r"|eyJ[A-Za-z0-9_-]{8,512}\.[A-Za-z0-9_.-]{8,}"
    r"|(?<=code=)[^&\s\"']+|(?<=token=)[^&\s\"']+|(?<=code_verifier=)[^&\s\"']+|(?<=state=)[^&\s\"']+"
    r"|(?<=Bearer )\S+|(?<=Basic )\S+"
)
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def set_up(settings: LogSettings) -> None:
    """Send structlog and the standard library's logging to stderr in the chosen format."""
    as_json = settings.format == "json" or (not settings.format and not sys.stderr.isatty())
    level = getattr(logging, settings.level.upper())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _redact,
    ]
    end: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if as_json
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[*shared, end],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processors=[*_stdlib(shared), end]))
    logging.basicConfig(handlers=[handler], level=max(level, logging.WARNING), force=True)


def redact(text: str) -> str:
    """`text` without anything that looks like a credential."""
    return _SECRETS.sub("[removed]", text)


def _stdlib(shared: list[structlog.typing.Processor]) -> list[structlog.typing.Processor]:
    return [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *shared]


def _redact(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key, value in event.items():
        if isinstance(value, str):
            # An address may hold what moves a terminal's cursor or changes what it shows.
            event[key] = _CONTROLS.sub(lambda found: f"\\x{ord(found[0]):02x}", redact(value))
    return event
