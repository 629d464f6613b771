"""The few web pages of the local GitHub: what it is, and a plain page behind every link its data contains."""

from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from trackeep.sandbox.state import SandboxState
from trackeep.sandbox.world import Repository

_LISTS = ("", "commits", "tree", "pulls", "issues", "releases", "branches")
_templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, undefined=StrictUndefined
)


def routes(state: SandboxState) -> list[BaseRoute]:
    """These come last: their patterns match almost everything."""
    pages = _Pages(state)
    return [
        Route("/", pages.landing),
        Route("/{login}", pages.person),
        Route("/{owner}/{name}", pages.repository),
        Route("/{owner}/{name}/{rest:path}", pages.repository),
    ]


@dataclass(frozen=True)
class _Pages:
    state: SandboxState

    async def landing(self, request: Request) -> Response:
        login = self._login(request)
        shown = sorted(self.state.world.readable_by(login), key=lambda r: -r.pushed_at)
        return _page("landing.html", repositories=shown, login=login, url=self.state.url)

    async def person(self, request: Request) -> Response:
        person = self.state.world.person(request.path_params["login"])
        if person is None:
            return _nothing()
        seen = self.state.world.readable_by(self._login(request))
        return _page("thing.html", title=person.name or person.login, lines=[
            f"{person.kind} {person.login}", *(r.full_name for r in seen if r.owner == person.login),
        ])  # fmt: skip

    async def repository(self, request: Request) -> Response:
        """A repository, or something inside it: as much as its address says."""
        owner, name = request.path_params["owner"], request.path_params["name"]
        rest = request.path_params.get("rest", "")
        found = self.state.world.repository(owner, name.removesuffix(".git"))
        if found is None or not self.state.world.may_read(self._login(request), found):
            return _nothing()
        if found.name.lower() != name.removesuffix(".git").lower():
            return RedirectResponse(f"/{found.full_name}/{rest}".rstrip("/"), 301)
        described = _describe(found, rest)
        return _page("thing.html", title=described[0], lines=described[1:]) if described else _nothing()

    def _login(self, request: Request) -> str | None:
        login = request.cookies.get("sandbox_login", "")
        return login if login in self.state.world.people else None


def _describe(repository: Repository, rest: str) -> list[str] | None:
    """A title and some lines about what is at this path inside a repository; None when nothing is."""
    parts = rest.split("/")
    number = int(parts[1]) if len(parts) > 1 and parts[1].isdigit() else 0
    if parts[0] in _LISTS and not number:
        branches = f"{len(repository.branches)} branches, {len(repository.commits):,} commits"
        return [repository.full_name, repository.description, branches]
    pull, issue = repository.pulls.get(number), repository.issues.get(number)
    if pull is not None:
        ending = "merged" if pull.merged_at else pull.state
        return [f"{pull.title} #{number}", f"Pull request by {pull.author}, {ending}", repository.full_name]
    if issue is not None:
        return [f"{issue.title} #{number}", f"Issue by {issue.author}, {issue.state}", repository.full_name]
    commit = repository.commits.get(parts[1]) if parts[0] == "commit" and len(parts) > 1 else None
    if commit is None:
        return None
    title, _, rest_of_message = commit.message.partition("\n")
    signed = f"{commit.author.name} <{commit.author.email}>"
    return [title, rest_of_message.strip(), f"Commit {commit.sha} by {signed}", repository.full_name]


def _page(template: str, **values: object) -> Response:
    return HTMLResponse(_templates.get_template(template).render(**values))


def _nothing() -> Response:
    text = _templates.get_template("thing.html").render(title="404", lines=["There is nothing here for you."])
    return HTMLResponse(text, 404)
