"""REST answers about issues, which pull requests are too, and about releases."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from trackeep.sandbox.representation_work import Work
from trackeep.sandbox.rest_people import affiliation, site_of
from trackeep.sandbox.rest_protocol import OLDEST_SINCE, Answer, Call, not_found
from trackeep.sandbox.rest_repositories import canonical_path, repository_of, work_of
from trackeep.sandbox.world import Event, Issue, PullRequest, Release, Repository

Thing = Issue | PullRequest
_ORDER: dict[str, Callable[[Thing], tuple[int, int]]] = {
    "created": lambda t: (t.created_at, t.number),
    "updated": lambda t: (t.updated_at, t.number),
    "comments": lambda t: (t.comment_count, t.number),
}


async def all_issues(call: Call) -> Answer:
    """Issues and pull requests of every repository that is the person's own in some way.

    `filter` is assigned, created, mentioned, subscribed, repos or all; nobody here is assigned or mentioned.
    """
    login = call.viewer.login
    chosen = call.choice(
        "filter", ("assigned", "created", "mentioned", "subscribed", "repos", "all"), "assigned"
    )
    found: list[tuple[Repository, Thing]] = []
    oldest = call.time("since") or 0
    if chosen in ("created", "subscribed", "repos", "all"):
        found = [
            (repository, thing)
            for repository in call.world.readable_by(login)
            if call.sees(repository) and affiliation(call, login, repository)
            for thing in things_of(repository)
            if thing.updated_at >= oldest and (chosen in ("all", "repos") or thing.author == login)
        ]
    page, link = call.page_of(_chosen(call, found))
    site = site_of(call)
    return Answer(
        [
            Work(site, repository).any_issue(thing) | {"repository": site.repository(repository, login)}
            for repository, thing in page
        ],
        headers=link,
    )


async def issues(call: Call) -> Answer:
    """Issues and pull requests of one repository; open ones, newest first, unless asked otherwise."""
    work = work_of(call)
    found = _chosen(call, [(work.repository, thing) for thing in things_of(work.repository)])
    page, link = call.page_of(found, canonical_path(call, work.repository), by_cursor=True)
    return Answer([work.any_issue(thing) for _, thing in page], headers=link)


async def issue(call: Call) -> Answer:
    """An issue or a pull request by its number."""
    work = work_of(call)
    thing = _thing(call, work.repository)
    closer = None if thing.closed_at is None else work.site.user(thing.author)
    return Answer(work.any_issue(thing) | {"closed_by": closer}, last_modified=thing.updated_at)


async def events(call: Call) -> Answer:
    """What happened to it, oldest first; of an issue only that it was closed is known."""
    work = work_of(call)
    thing = _thing(call, work.repository)
    if isinstance(thing, PullRequest):
        happened = thing.events
    else:
        happened = [] if thing.closed_at is None else [Event("closed", thing.author, thing.closed_at)]
    placed = sorted(enumerate(happened), key=lambda each: (each[1].at, each[0]))
    page, link = call.page_of(placed, canonical_path(call, work.repository))
    return Answer([work.event(thing, place, event) for place, event in page], headers=link)


async def search_issues(call: Call) -> Answer:
    """Words of the title and `repo:`, `author:`, `is:`, `type:`, `state:`; newest first."""
    terms = call.text("q").split()
    found = [
        (repository, thing)
        for repository in call.world.repositories.values()
        if call.sees(repository)
        for thing in things_of(repository)
        if all(_matches(term, repository, thing) for term in terms)
    ]
    found.sort(key=lambda pair: pair[1].created_at, reverse=True)
    page, link = call.page_of(found)
    site = site_of(call)
    items = [
        Work(site, repository).any_issue(thing) | {"score": 1.0, "body": thing.body}
        for repository, thing in page
    ]
    body = {
        "total_count": len(found),
        "incomplete_results": False,
        "items": items,
        "search_type": "lexical",
    }
    return Answer(body, headers=link)


async def releases(call: Call) -> Answer:
    """Newest first."""
    work = work_of(call)
    page, link = call.page_of(_visible_releases(call, work), canonical_path(call, work.repository))
    return Answer([work.release(release) for release in page], headers=link)


async def release(call: Call) -> Answer:
    wanted = call.request.path_params["release_id"]
    return _release(call, lambda found: found.id == wanted)


async def latest_release(call: Call) -> Answer:
    return _release(call, lambda found: not found.draft and not found.prerelease)


async def release_by_tag(call: Call) -> Answer:
    wanted = call.request.path_params["tag"]
    return _release(call, lambda found: not found.draft and found.tag_name == wanted)


def things_of(repository: Repository) -> Iterable[Thing]:
    return (*repository.issues.values(), *repository.pulls.values())


def _thing(call: Call, repository: Repository) -> Thing:
    number = call.request.path_params["number"]
    thing = repository.issues.get(number) or repository.pulls.get(number)
    if thing is None:
        raise not_found()
    return thing


def _chosen(call: Call, found: list[tuple[Repository, Thing]]) -> list[tuple[Repository, Thing]]:
    state = call.choice("state", ("open", "closed", "all"), "open")
    sort = call.choice("sort", tuple(_ORDER), "created")
    labels = [name for name in call.text("labels").split(",") if name]
    creator, since = call.text("creator"), call.time("since")
    if since is not None and since < OLDEST_SINCE:
        return []
    chosen = [
        (repository, thing)
        for repository, thing in found
        if state in ("all", thing.state)
        and (since is None or thing.updated_at >= since)
        and creator in ("", thing.author)
        and all(name in [label.name for label in thing.labels] for name in labels)
    ]
    newest_first = call.choice("direction", ("asc", "desc"), "desc") == "desc"
    chosen.sort(key=lambda pair: (*_ORDER[sort](pair[1]), pair[0].id), reverse=newest_first)
    return chosen


def _matches(term: str, repository: Repository, thing: Thing) -> bool:
    key, _, value = term.partition(":")
    is_pull = isinstance(thing, PullRequest)
    match key:
        case "repo":
            return repository.full_name.lower() == value.lower()
        case "user" | "org":
            return repository.owner.lower() == value.lower()
        case "author":
            return thing.author.lower() == value.lower()
        case "is" | "type" | "state":
            merged = isinstance(thing, PullRequest) and thing.merged_at is not None
            facts = {
                "pr": is_pull,
                "pull-request": is_pull,
                "issue": not is_pull,
                "merged": merged,
                "unmerged": is_pull and not merged,
            }
            return facts.get(value, thing.state == value)
    return term.lower() in thing.title.lower()


def _visible_releases(call: Call, work: Work) -> list[Release]:
    """Drafts are shown to those who may push."""
    may_push = call.may("repo") and call.world.permission(call.login, work.repository) in (
        "push",
        "maintain",
        "admin",
    )
    shown = [release for release in work.repository.releases if may_push or not release.draft]
    return sorted(shown, key=lambda release: (release.created_at, release.id), reverse=True)


def _release(call: Call, wanted: Callable[[Release], bool]) -> Answer:
    work = Work(site_of(call), repository_of(call))
    found = next((release for release in _visible_releases(call, work) if wanted(release)), None)
    if found is None:
        raise not_found()
    return Answer(work.release(found))
