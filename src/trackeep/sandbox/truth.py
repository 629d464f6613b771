"""What really is so in the sandbox, as plain JSON, for tests that compare exact sets."""

from dataclasses import asdict
from typing import Any

from trackeep.sandbox import history
from trackeep.sandbox.world import Issue, Person, PullRequest, Release, Repository, World, ancestors


def people(world: World, tokens: dict[str, str]) -> list[dict[str, Any]]:
    """Everybody, with the ready-made token of those who have one."""
    return [
        {
            "login": person.login,
            "id": person.id,
            "name": person.name,
            "kind": person.kind,
            "token": tokens.get(person.login),
            "emails": [asdict(email) for email in person.emails],
            "members": person.members,
        }
        for person in world.people.values()
    ]


def truth(world: World, *, with_commits: bool = False, only: Repository | None = None) -> dict[str, Any]:
    """All repositories with their contents, or one; with commits also those that branches and tags reach."""
    wanted = world.repositories.values() if only is None else [only]
    return {
        "seed": world.seed,
        "now": world.now,
        "repositories": [_repository(world, r, with_commits) for r in wanted],
    }


def numbers(world: World) -> dict[str, int]:
    """How many there are of everything; commits are counted by git, in each repository for itself."""
    repositories = list(world.repositories.values())
    pulls = [pull for each in repositories for pull in each.pulls.values()]
    count = ("rev-list", "--count", "--branches", "--tags")
    return {
        "people": len(world.people),
        "repositories": len(repositories),
        "commits": sum(int(history.git(each.git_dir, *count)) for each in repositories),
        "branches": sum(len(each.branches) for each in repositories),
        "tags": sum(len(each.tags) for each in repositories),
        "pulls": len(pulls),
        "reviews": sum(len(pull.reviews) for pull in pulls),
        "issues": sum(len(each.issues) for each in repositories),
        "releases": sum(len(each.releases) for each in repositories),
    }


def _repository(world: World, repository: Repository, with_commits: bool) -> dict[str, Any]:
    logins = [person.login for person in world.people.values() if _could_sign_in(person)]
    found = {
        "id": repository.id,
        "node_id": repository.node_id,
        "full_name": repository.full_name,
        "former_names": repository.former_names,
        "private": repository.private,
        "archived": repository.archived,
        "fork": repository.fork,
        "parent_id": repository.parent_id,
        "default_branch": repository.default_branch,
        "readers": [login for login in logins if world.may_read(login, repository)],
        "git_dir": str(repository.git_dir),
        "pushed_at": repository.pushed_at,
        "updated_at": repository.updated_at,
        "languages": repository.languages,
        "branches": repository.branches,
        "tags": {tag.name: {"sha": tag.sha, "commit": tag.commit_sha} for tag in repository.tags.values()},
        "pulls": [_pull(pull) for pull in repository.pulls.values()],
        "issues": [_issue(issue) for issue in repository.issues.values()],
        "releases": [_release(release) for release in repository.releases],
    }
    if with_commits:
        tips = {*repository.branches.values(), *(tag.commit_sha for tag in repository.tags.values())}
        found["commits"] = [asdict(commit) for commit in ancestors(repository.commits, *sorted(tips))]
    return found


def _could_sign_in(person: Person) -> bool:
    return person.kind == "User"


def _pull(pull: PullRequest) -> dict[str, Any]:
    return {**asdict(pull), "labels": [label.name for label in pull.labels]}


def _issue(issue: Issue) -> dict[str, Any]:
    return {**asdict(issue), "labels": [label.name for label in issue.labels]}


def _release(release: Release) -> dict[str, Any]:
    return asdict(release)
