"""REST answers about people and organisations, and the list of repositories a person has."""

from __future__ import annotations

from collections.abc import Callable

from trackeep.sandbox.representation import Site
from trackeep.sandbox.rest_protocol import Answer, Call, Problem, not_found
from trackeep.sandbox.world import Person, Repository

_REPOSITORY_ORDER: dict[str, Callable[[Repository], tuple[int | str, ...]]] = {
    "created": lambda r: (r.created_at, r.id),
    "updated": lambda r: (r.updated_at, r.id),
    "pushed": lambda r: (r.pushed_at, r.id),
    "full_name": lambda r: (r.full_name.lower(),),
}
_AFFILIATIONS = ("owner", "collaborator", "organization_member")
_TYPES = {
    "all": _AFFILIATIONS,
    "owner": ("owner",),
    "member": ("collaborator", "organization_member"),
    "public": _AFFILIATIONS,
    "private": _AFFILIATIONS,
}


def site_of(call: Call) -> Site:
    return Site(call.state.url, call.world)


async def viewer(call: Call) -> Answer:
    """The private profile for a token with `read:user`, else what everybody may see."""
    site, person = site_of(call), call.viewer
    full = call.may("read:user")
    return Answer(
        site.private_profile(person) if full else site.profile(person), last_modified=person.created_at
    )


async def viewer_emails(call: Call) -> Answer:
    """Without the scope GitHub denies that the page exists."""
    person = call.viewer
    if not call.may("user:email"):
        raise not_found()
    emails, link = call.page_of(person.emails)
    return Answer([site_of(call).email(email) for email in emails], headers=link)


async def viewer_organizations(call: Call) -> Answer:
    """The organisations the person is a member of; 403 without `read:org` or `user`."""
    person = call.viewer
    if not call.may("read:org", "read:user"):
        raise Problem(403, "You need at least read:org scope or user scope to list your organizations.")
    found = [o for o in call.world.people.values() if o.kind == "Organization" and person.login in o.members]
    page, link = call.page_of(sorted(found, key=lambda o: o.id))
    return Answer([site_of(call).organization(organization) for organization in page], headers=link)


async def viewer_teams(call: Call) -> Answer:
    """The teams the person is a member of, in all organisations; needs `user`, `repo` or `read:org`."""
    person = call.viewer
    if not call.may("read:org", "repo", "user"):
        raise Problem(403, "You need at least read:org scope or repo scope to list your teams.")
    found = [team for team in call.world.teams.values() if person.login in team.members]
    page, link = call.page_of(sorted(found, key=lambda team: team.id))
    return Answer([site_of(call).full_team(team) for team in page], headers=link)


async def viewer_repositories(call: Call) -> Answer:
    """What the person owns, works on or reaches through an organisation."""
    login = call.viewer.login
    affiliations, visibility = _wanted(call)
    since, before = call.time("since"), call.time("before")
    found = [
        repository
        for repository in call.world.readable_by(login)
        if call.sees(repository)
        and affiliation(call, login, repository) in affiliations
        and (visibility == "all" or repository.private == (visibility == "private"))
        and (since is None or repository.updated_at >= since)
        and (before is None or repository.updated_at < before)
    ]
    return _listed(call, found)


async def user(call: Call) -> Answer:
    person = _account(call, call.request.path_params["login"])
    return Answer(site_of(call).profile(person), last_modified=person.created_at)


async def user_repositories(call: Call) -> Answer:
    """Only public repositories: private ones are listed under /user/repos and /orgs."""
    person = _account(call, call.request.path_params["login"])
    found = [r for r in call.world.repositories.values() if r.owner == person.login and not r.private]
    return _listed(call, found)


async def user_organizations(call: Call) -> Answer:
    """Nobody here made a membership public."""
    _account(call, call.request.path_params["login"])
    return Answer([])


async def organization(call: Call) -> Answer:
    return Answer(site_of(call).full_organization(_organization(call)))


async def organization_repositories(call: Call) -> Answer:
    """Newest first; private ones for those who may see them."""
    owner = _organization(call)
    found = [r for r in call.world.repositories.values() if r.owner == owner.login and call.sees(r)]
    return _listed(call, found, "created")


def affiliation(call: Call, login: str, repository: Repository) -> str | None:
    """Why a repository is in a person's own list: owner, collaborator or organization_member."""
    if repository.owner == login:
        return "owner"
    if login not in repository.collaborators:
        return None
    return "organization_member" if login in call.world.people[repository.owner].members else "collaborator"


def _wanted(call: Call) -> tuple[tuple[str, ...], str]:
    kind = call.text("type")
    if kind and (call.text("visibility") or call.text("affiliation")):
        message = "If you specify visibility or affiliation, you cannot specify type."
        raise Problem(422, message)
    if kind in _TYPES:
        return _TYPES[kind], kind if kind in ("public", "private") else "all"
    affiliations = tuple(call.text("affiliation", ",".join(_AFFILIATIONS)).replace(" ", "").split(","))
    return affiliations, call.choice("visibility", ("all", "public", "private"), "all")


def _listed(call: Call, found: list[Repository], default_sort: str = "full_name") -> Answer:
    sort = call.choice("sort", tuple(_REPOSITORY_ORDER), default_sort)
    direction = call.choice("direction", ("asc", "desc"), "asc" if sort == "full_name" else "desc")
    found.sort(key=_REPOSITORY_ORDER[sort], reverse=direction == "desc")
    page, link = call.page_of(found)
    site = site_of(call)
    return Answer([site.repository(repository, call.login) for repository in page], headers=link)


def _account(call: Call, login: str) -> Person:
    person = call.world.person(login)
    if person is None:
        raise not_found()
    return person


def _organization(call: Call) -> Person:
    person = _account(call, call.request.path_params["org"])
    if person.kind != "Organization":
        raise not_found()
    return person
