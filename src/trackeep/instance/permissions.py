"""What a GitHub token allows, in words; pure."""

from __future__ import annotations

# Each needs none of the words after it that say less.
WORDS = (
    ("repo", "Full control of your repositories, private ones too; Trackeep only reads"),
    ("public_repo", "Reading and writing your public repositories; Trackeep only reads"),
    ("read:org", "Your organisations and teams"),
    ("read:user", "Your profile"),
    ("user:email", "Your e-mail addresses"),
)
INCLUDED = {"repo": ("public_repo",), "user": ("read:user", "user:email"), "admin:org": ("read:org",)}


def in_words(scopes: tuple[str, ...] | None) -> tuple[str, ...]:
    """One line for each thing that `scopes` allow; without any it is a token that has permissions instead."""
    if not scopes:
        return ("Reading what you chose at GitHub",)
    included = {word for scope in scopes for word in INCLUDED.get(scope, ())}
    held = set(scopes) | included
    known = tuple(
        words for scope, words in WORDS if scope in held and not (scope == "public_repo" and "repo" in held)
    )
    more = sorted(set(scopes) - {scope for scope, _ in WORDS} - set(INCLUDED))
    return known + ((f"And more than is needed: {', '.join(more)}",) if more else ())
