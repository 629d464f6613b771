"""What each kind of thing can be searched by: one table for commits, one for pull requests."""

from __future__ import annotations

from trackeep.store.search_grammar import Grammar, Key

_EDGES = (
    Key("since", "7d", "from that day on", "edge"),
    Key("until", "2026-11-23", "up to that day and with it", "edge"),
    Key("after", "2026-11", "from the day after it on", "edge"),
    Key("before", "yesterday", "up to the day before it", "edge"),
)

COMMITS = Grammar(
    "commits",
    (
        Key("repo", "owner/name", "one repository, or all of a name"),
        Key("owner", "octocat", "repositories of a login or an organisation"),
        Key("author", "me", "by a login, a name, or me"),
        Key("committer", "me", "likewise"),
        Key("is", "mine", "mine, merge or verified (signed)", "choice", ("merge", "mine", "verified")),
        Key("branch", "topic", "on that branch and not on the default one"),
        Key("path", "src/app.py", "changed that file or folder; * is anything"),
        *_EDGES,
    ),
)

SORTS = ("updated", "created", "merged", "closed")
PULLS = Grammar(
    "pull requests",
    (
        Key(
            "is",
            "open",
            "open, closed, merged, draft, stale or bot",
            "choice",
            ("open", "closed", "merged", "draft", "stale", "bot"),
        ),
        Key("author", "me", "a login, or me"),
        Key("involves", "me", "a login, or me: wrote, reviewed or is asked"),
        Key("reviewer", "me", "a login, or me: reviewed or is asked"),
        Key("reviewed-by", "me", "a login, or me"),
        Key("review", "none", "approved, changes or none", "choice", ("approved", "changes", "none")),
        Key("repo", "owner/name", "owner/name, or a name"),
        Key("owner", "octocat", "a login or an organisation"),
        Key("label", "bug", "a label; in quotes if it has spaces"),
        Key("base", "main", "the branch it goes to"),
        Key("head", "topic", "the branch it comes from"),
        Key("size", "XL", "XS, S, M, L, XL or XXL", "choice", ("xs", "s", "m", "l", "xl", "xxl")),
        Key("stale", "30d", "yes, no, or days such as 30d without an event", "age"),
        Key("created", "7d", "days", "days"),
        Key("merged", "7d", "days", "days"),
        Key("closed", "7d", "days", "days"),
        Key("updated", "7d", "days", "days"),
        Key("reviewed", "7d", "days of a review", "days"),
        *_EDGES,
        Key(
            "sort",
            "created-asc",
            "updated, created, merged or closed; with -asc oldest first",
            "order",
            tuple(f"{name}{way}" for name in SORTS for way in ("", "-asc")),
        ),
    ),
)
