"""People, organisations, teams and repositories as GitHub's REST API writes them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from trackeep.sandbox.world import Email, Label, Person, Repository, Team, World

Json = dict[str, Any]
_PERMISSIONS = ("pull", "triage", "push", "maintain", "admin")

# https://docs.github.com/en/rest/repos/repos#get-a-repository: `<name>_url` and what follows the address
_REPOSITORY_URLS = {
    "forks": "/forks",
    "keys": "/keys{/key_id}",
    "collaborators": "/collaborators{/collaborator}",
    "teams": "/teams",
    "hooks": "/hooks",
    "issue_events": "/issues/events{/number}",
    "events": "/events",
    "assignees": "/assignees{/user}",
    "branches": "/branches{/branch}",
    "tags": "/tags",
    "blobs": "/git/blobs{/sha}",
    "git_tags": "/git/tags{/sha}",
    "git_refs": "/git/refs{/sha}",
    "trees": "/git/trees{/sha}",
    "statuses": "/statuses/{sha}",
    "languages": "/languages",
    "stargazers": "/stargazers",
    "contributors": "/contributors",
    "subscribers": "/subscribers",
    "subscription": "/subscription",
    "commits": "/commits{/sha}",
    "git_commits": "/git/commits{/sha}",
    "comments": "/comments{/number}",
    "issue_comment": "/issues/comments{/number}",
    "contents": "/contents/{+path}",
    "compare": "/compare/{base}...{head}",
    "merges": "/merges",
    "archive": "/{archive_format}{/ref}",
    "downloads": "/downloads",
    "issues": "/issues{/number}",
    "pulls": "/pulls{/number}",
    "milestones": "/milestones{/number}",
    "notifications": "/notifications{?since,all,participating}",
    "labels": "/labels{/name}",
    "releases": "/releases{/id}",
    "deployments": "/deployments",
}
_USER_URLS = {
    "followers": "/followers",
    "following": "/following{/other_user}",
    "gists": "/gists{/gist_id}",
    "starred": "/starred{/owner}{/repo}",
    "subscriptions": "/subscriptions",
    "organizations": "/orgs",
    "repos": "/repos",
    "events": "/events{/privacy}",
    "received_events": "/received_events",
}


def stamp(at: int | None) -> str | None:
    """Unix seconds as GitHub writes them: `2026-01-31T12:00:00Z`."""
    return None if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True, slots=True)
class Site:
    """Where things live: `web` is the address people use, `api` the REST prefix."""

    web: str
    world: World

    @property
    def api(self) -> str:
        return f"{self.web}/api/v3"

    def user(self, login: str | None) -> Json | None:
        """The short form of an account; None for a deleted one."""
        person = self.world.people.get(login) if login else None
        return self.person(person) if person else None

    def person(self, person: Person) -> Json:
        url = f"{self.api}/users/{quote(person.login)}"
        page = f"apps/{person.login.removesuffix('[bot]')}" if person.kind == "Bot" else person.login
        return {
            "login": person.login,
            "id": person.id,
            "node_id": person.node_id,
            "avatar_url": f"{self.web}/avatars/u/{person.id}?v=4",
            "gravatar_id": "",
            "url": url,
            "html_url": f"{self.web}/{page}",
            **{f"{name}_url": url + path for name, path in _USER_URLS.items()},
            "type": person.kind,
            "user_view_type": "public",
            "site_admin": False,
        }

    def profile(self, person: Person) -> Json:
        """What everybody may see of an account."""
        public = [r for r in self.world.repositories.values() if r.owner == person.login and not r.private]
        shown = [e.address for e in person.emails if e.primary and e.verified and e.visibility == "public"]
        return self.person(person) | {
            "name": person.name,
            "company": None,
            "blog": "",
            "location": None,
            "email": shown[0] if shown else None,
            "hireable": None,
            "bio": None,
            "twitter_username": None,
            "notification_email": shown[0] if shown else None,
            "public_repos": len(public),
            "public_gists": 0,
            "followers": 0,
            "following": 0,
            "created_at": stamp(person.created_at),
            "updated_at": stamp(person.created_at),
        }

    def private_profile(self, person: Person) -> Json:
        """What a token with the scope `read:user` sees of its own account."""
        private = [r for r in self.world.repositories.values() if r.owner == person.login and r.private]
        return self.profile(person) | {
            "user_view_type": "private",
            "private_gists": 0,
            "total_private_repos": len(private),
            "owned_private_repos": len(private),
            "disk_usage": 0,
            "collaborators": 0,
            "two_factor_authentication": True,
            "plan": {"name": "free", "space": 976_562_499, "collaborators": 0, "private_repos": 10_000},
        }

    def email(self, email: Email) -> Json:
        return {
            "email": email.address,
            "primary": email.primary,
            "verified": email.verified,
            "visibility": email.visibility,
        }

    def organization(self, person: Person) -> Json:
        url = f"{self.api}/orgs/{person.login}"
        return {
            "login": person.login,
            "id": person.id,
            "node_id": person.node_id,
            "url": url,
            "repos_url": f"{url}/repos",
            "events_url": f"{url}/events",
            "hooks_url": f"{url}/hooks",
            "issues_url": f"{url}/issues",
            "members_url": url + "/members{/member}",
            "public_members_url": url + "/public_members{/member}",
            "avatar_url": f"{self.web}/avatars/u/{person.id}?v=4",
            "description": "",
        }

    def full_organization(self, person: Person) -> Json:
        public = [r for r in self.world.repositories.values() if r.owner == person.login and not r.private]
        return self.organization(person) | {
            "name": person.name or person.login,
            "is_verified": False,
            "has_organization_projects": True,
            "has_repository_projects": True,
            "public_repos": len(public),
            "public_gists": 0,
            "followers": 0,
            "following": 0,
            "html_url": f"{self.web}/{person.login}",
            "created_at": stamp(person.created_at),
            "updated_at": stamp(person.created_at),
            "archived_at": None,
            "type": "Organization",
        }

    def team(self, team: Team) -> Json:
        organization = self.world.people[team.organization]
        url = f"{self.api}/organizations/{organization.id}/team/{team.id}"
        return {
            "id": team.id,
            "node_id": team.node_id,
            "name": team.name,
            "slug": team.slug,
            "description": None,
            "privacy": "closed",
            "notification_setting": "notifications_enabled",
            "url": url,
            "html_url": f"{self.web}/orgs/{team.organization}/teams/{team.slug}",
            "members_url": url + "/members{/member}",
            "repositories_url": f"{url}/repos",
            "permission": "pull",
            "type": "organization",
            "organization_id": organization.id,
            "parent": None,
        }

    def full_team(self, team: Team) -> Json:
        """As lists of one's own teams have it; nobody gave the team a repository of its own here."""
        organization = self.world.people[team.organization]
        return self.team(team) | {
            "created_at": stamp(organization.created_at),
            "updated_at": stamp(organization.created_at),
            "members_count": len(team.members),
            "repos_count": 0,
            "organization": self.full_organization(organization),
        }

    def repository_url(self, repository: Repository) -> str:
        return f"{self.api}/repos/{repository.full_name}"

    def repository(self, repository: Repository, viewer: str | None = None) -> Json:
        """The form of lists; `viewer` adds what that person may do."""
        url, page = self.repository_url(repository), f"{self.web}/{repository.full_name}"
        host = self.web.partition("://")[2]
        shape = {
            "id": repository.id,
            "node_id": repository.node_id,
            "name": repository.name,
            "full_name": repository.full_name,
            "private": repository.private,
            "owner": self.user(repository.owner),
            "html_url": page,
            "description": repository.description or None,
            "fork": repository.fork,
            "url": url,
            **{f"{name}_url": url + path for name, path in _REPOSITORY_URLS.items()},
            "git_url": f"git://{host}/{repository.full_name}.git",
            "ssh_url": f"git@{host}:{repository.full_name}.git",
            "clone_url": f"{page}.git",
            "svn_url": page,
            "mirror_url": None,
            "homepage": None,
            "created_at": stamp(repository.created_at),
            "updated_at": stamp(repository.updated_at),
            "pushed_at": stamp(repository.pushed_at),
            **_repository_facts(repository),
        }
        permission = self.world.permission(viewer, repository) if viewer else None
        if permission is not None:
            reach = _PERMISSIONS.index(permission)
            shape["permissions"] = {name: n <= reach for n, name in reversed(list(enumerate(_PERMISSIONS)))}
        return shape

    def full_repository(self, repository: Repository, viewer: str | None = None) -> Json:
        """The form of a single repository: counts, its organisation, and what it was forked from."""
        shape = self.repository(repository, viewer) | {"network_count": 0, "subscribers_count": 1}
        owner = self.world.people[repository.owner]
        if owner.kind == "Organization":
            shape["organization"] = self.person(owner)
        parent = self.world.repositories.get(repository.parent_id) if repository.parent_id else None
        if parent is not None:
            shape["parent"] = shape["source"] = self.repository(parent)
        return shape

    def label(self, repository: Repository, label: Label) -> Json:
        return {
            "id": label.id,
            "node_id": label.node_id,
            "url": f"{self.repository_url(repository)}/labels/{quote(label.name)}",
            "name": label.name,
            "color": label.color,
            "default": False,
            "description": label.description or None,
        }

    def association(self, login: str, repository: Repository) -> str:
        """How an author belongs to the repository."""
        if login == repository.owner:
            return "OWNER"
        owner = self.world.people[repository.owner]
        if login in owner.members:
            return "MEMBER"
        if login in repository.collaborators:
            return "COLLABORATOR"
        return (
            "CONTRIBUTOR"
            if any(p.author == login and p.merged_at for p in repository.pulls.values())
            else "NONE"
        )


def _repository_facts(repository: Repository) -> Json:
    languages = sorted(repository.languages, key=lambda name: -repository.languages[name])
    open_issues = sum(issue.state == "open" for issue in repository.issues.values())
    open_things = open_issues + sum(pull.state == "open" for pull in repository.pulls.values())
    return {
        "size": sum(repository.languages.values()) // 1024,
        "stargazers_count": 0,
        "watchers_count": 0,
        "language": languages[0] if languages else None,
        "has_issues": True,
        "has_projects": True,
        "has_downloads": True,
        "has_wiki": True,
        "has_pages": False,
        "has_discussions": False,
        "forks_count": 0,
        "archived": repository.archived,
        "disabled": False,
        "open_issues_count": open_things,
        "license": None,
        "allow_forking": True,
        "is_template": False,
        "web_commit_signoff_required": False,
        "topics": list(repository.topics),
        "visibility": "private" if repository.private else "public",
        "forks": 0,
        "open_issues": open_things,
        "watchers": 0,
        "default_branch": repository.default_branch,
    }
