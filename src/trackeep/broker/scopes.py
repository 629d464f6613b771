"""What GitHub's scopes mean, in words that are true for the kind of registration in use; pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Grant:
    """One line of the consent page; `icon` is ok, clock, alert or x."""

    icon: str
    sentence: str
    detail: str


NO_CHANGES = Grant("x", "It cannot change anything", "No pushing, merging, commenting or deleting")


def explain(scopes: tuple[str, ...], is_github_app: bool) -> tuple[Grant, ...]:
    """The lines that tell a person what an instance can do with `scopes`."""
    return _for_github_app() if is_github_app else _for_oauth_app(scopes)


def explain_identity(wants: tuple[str, ...]) -> tuple[Grant, ...]:
    """The lines for a program that only learns who somebody is; `wants` is of `openid profile email`."""
    lines = [
        Grant("ok", "Your account number at GitHub", "It never changes, so you are known again next time")
    ]
    if "profile" in wants:
        lines.append(Grant("ok", "Your profile", "GitHub name, display name and picture"))
    if "email" in wants:
        lines.append(Grant("ok", "Your e-mail address", "The primary one, if GitHub has verified it"))
    lines.append(
        Grant(
            "clock", "Each time you sign in, and not in between", "It learns of later changes when you return"
        )
    )
    lines.append(
        Grant(
            "x",
            "No access to GitHub",
            "No repositories and no token: we ask GitHub who you are, then end our own access",
        )
    )
    return tuple(lines)


def _for_github_app() -> tuple[Grant, ...]:
    return (
        Grant("ok", "See who you are", "GitHub name, picture, account number and e-mail addresses"),
        Grant(
            "ok",
            "Read the repositories you choose at GitHub",
            "Commits, pull requests, reviews, issues and branches, private ones too",
        ),
        Grant(
            "clock",
            "Keep reading until you end it",
            "Access is renewed every 8 hours and ends after 6 months unused. You can end it at GitHub at any "
            "time; in a Trackeep also with Disconnect in its settings.",
        ),
        NO_CHANGES,
    )


def _for_oauth_app(scopes: tuple[str, ...]) -> tuple[Grant, ...]:
    mail = " and e-mail addresses" if "user:email" in scopes else ""
    lines = [Grant("ok", "See who you are", f"GitHub name, picture, account number{mail}")]
    if "repo" in scopes:
        lines.append(
            Grant(
                "alert",
                "Full control of your repositories, private ones too",
                "GitHub only offers this as full control, which includes writing. A Trackeep only reads, "
                "but the address above is trusted with all of it.",
            )
        )
    elif "public_repo" in scopes:
        lines.append(
            Grant(
                "alert",
                "Read and write your public repositories",
                "GitHub only offers this with writing. A Trackeep only reads, but the address above could "
                "do more.",
            )
        )
    if "read:org" in scopes:
        lines.append(Grant("ok", "See your organisations and teams", "Names and members, read only"))
    lines.append(
        Grant(
            "clock",
            "Keep access until you end it",
            "At GitHub at any time; in a Trackeep also with Disconnect in its settings",
        )
    )
    if not {"repo", "public_repo"} & set(scopes):
        lines.append(NO_CHANGES)
    return tuple(lines)
