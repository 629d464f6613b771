"""Every host that this instance talks to, and what is said there: computed from the settings alone; pure."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from trackeep.environment import InstanceSettings


@dataclass(frozen=True)
class Contact:
    """One host with its port where that is unusual, who speaks to it, when, and what is sent."""

    host: str
    speaker: str
    when: str
    sent: str


def contacts(settings: InstanceSettings) -> tuple[Contact, ...]:
    """The whole list; a host may stand there for several reasons."""
    github, found = settings.github, []
    found.append(
        Contact(
            urlsplit(github.api).netloc,
            "This instance",
            "At every sync, at sign-in, and when you allow somebody",
            "Your GitHub token, and questions about what you follow",
        )
    )
    found.append(
        Contact(
            urlsplit(github.git).netloc,
            "This instance",
            "At every sync, for commits, over git’s own protocol",
            "Your GitHub token, and which commits are stored already",
        )
    )
    if settings.broker_url:
        found.append(
            Contact(
                urlsplit(settings.broker_url).netloc,
                "This instance and your browser",
                "When you sign in or disconnect, and when a token is renewed",
                "This instance’s address, one-time codes, and the token that is renewed or ended",
            )
        )
    if settings.has_own_app:
        found.append(
            Contact(
                urlsplit(github.web).netloc,
                "This instance",
                "When you sign in, and when a token is renewed",
                "Its client id and secret, one-time codes, and the token that is renewed",
            )
        )
    if settings.has_github_login:
        found.append(
            Contact(
                urlsplit(github.web).netloc,
                "Your browser",
                "When you choose to sign in",
                "What any sign-in at GitHub sends, and this address as where you came from",
            )
        )
    database = urlsplit(settings.database_url)
    if database.hostname:
        found.append(
            Contact(
                database.netloc.rpartition("@")[2],
                "This instance",
                "Always",
                "Everything that is stored: it is the database you set",
            )
        )
    return tuple(found)


def addresses(settings: InstanceSettings) -> frozenset[str]:
    """Host and port of every server that this instance itself opens a connection to."""
    urls = [settings.github.api, settings.github.git, settings.broker_url, settings.database_url]
    urls += [settings.github.web] if settings.has_own_app else []
    parts = [urlsplit(url) for url in urls if url]
    default = {"http": 80, "https": 443, "postgresql": 5432}
    return frozenset(
        f"{part.hostname}:{part.port or default.get(part.scheme, 0)}" for part in parts if part.hostname
    )
