"""Commits, branches, pull requests, reviews, issues and releases as GitHub's REST API writes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from trackeep.sandbox.representation import Json, Site, stamp
from trackeep.sandbox.world import (
    Commit,
    Event,
    Issue,
    Label,
    PullRequest,
    Release,
    Repository,
    Review,
    Signature,
    Tag,
    node_id,
)

# A pull request is an issue too, with an id of its own in that role.
ISSUE_ID_OF_PULL = 3_000_000_000


@dataclass(frozen=True, slots=True)
class FileChange:
    """What a commit or pull request did to one file; `status` is added, modified or removed."""

    path: str
    blob_sha: str
    status: str
    additions: int
    deletions: int


@dataclass(frozen=True, slots=True)
class Work:
    """The shapes of one repository's content."""

    site: Site
    repository: Repository

    @property
    def url(self) -> str:
        return self.site.repository_url(self.repository)

    @property
    def page(self) -> str:
        return f"{self.site.web}/{self.repository.full_name}"

    # Commits, branches, tags

    def commit(self, commit: Commit) -> Json:
        url = f"{self.url}/commits/{commit.sha}"
        return {
            "sha": commit.sha,
            "node_id": self.commit_node_id(commit.sha),
            "commit": {
                "author": _signature(commit.author),
                "committer": _signature(commit.committer),
                "message": commit.message,
                "tree": {"sha": commit.tree_sha, "url": f"{self.url}/git/trees/{commit.tree_sha}"},
                "url": f"{self.url}/git/commits/{commit.sha}",
                "comment_count": 0,
                "verification": {
                    "verified": False,
                    "reason": "unsigned",
                    "signature": None,
                    "payload": None,
                    "verified_at": None,
                },
            },
            "url": url,
            "html_url": f"{self.page}/commit/{commit.sha}",
            "comments_url": f"{url}/comments",
            "author": self._account_of(commit.author),
            "committer": self._account_of(commit.committer),
            "parents": [self._parent(sha) for sha in commit.parents],
        }

    def commit_node_id(self, sha: str) -> str:
        return f"C_{node_id('C', self.repository.id)[2:]}_{sha}"

    def full_commit(self, commit: Commit, files: list[FileChange]) -> Json:
        """With line counts against the first parent and the files it touched."""
        total = commit.additions + commit.deletions
        stats = {"total": total, "additions": commit.additions, "deletions": commit.deletions}
        changed = [self.file(commit.sha, change) for change in files]
        return self.commit(commit) | {"stats": stats, "files": changed}

    def file(self, sha: str, change: FileChange) -> Json:
        path = quote(change.path)
        return {
            "sha": change.blob_sha,
            "filename": change.path,
            "status": change.status,
            "additions": change.additions,
            "deletions": change.deletions,
            "changes": change.additions + change.deletions,
            "blob_url": f"{self.page}/blob/{sha}/{path}",
            "raw_url": f"{self.page}/raw/{sha}/{path}",
            "contents_url": f"{self.url}/contents/{path}?ref={sha}",
        }

    def branch(self, name: str, sha: str) -> Json:
        reference = {"sha": sha, "url": f"{self.url}/commits/{sha}"}
        return {"name": name, "commit": reference, "protected": False}

    def full_branch(self, name: str, tip: Commit) -> Json:
        url = f"{self.url}/branches/{quote(name)}"
        return {
            "name": name,
            "commit": self.commit(tip),
            "_links": {"self": url, "html": f"{self.page}/tree/{quote(name)}"},
            "protected": False,
            "protection": {
                "enabled": False,
                "required_status_checks": {"enforcement_level": "off", "contexts": [], "checks": []},
            },
            "protection_url": f"{url}/protection",
        }

    def tag(self, tag: Tag) -> Json:
        name = quote(tag.name)
        return {
            "name": tag.name,
            "zipball_url": f"{self.url}/zipball/refs/tags/{name}",
            "tarball_url": f"{self.url}/tarball/refs/tags/{name}",
            "commit": {"sha": tag.commit_sha, "url": f"{self.url}/commits/{tag.commit_sha}"},
            "node_id": f"REF_{node_id('R', self.repository.id)[2:]}_refs/tags/{tag.name}",
        }

    # Pull requests and reviews

    def pull(self, pull: PullRequest) -> Json:
        url, page = f"{self.url}/pulls/{pull.number}", f"{self.page}/pull/{pull.number}"
        issue = f"{self.url}/issues/{pull.number}"
        urls = {
            "url": url,
            "html_url": page,
            "diff_url": f"{page}.diff",
            "patch_url": f"{page}.patch",
            "issue_url": issue,
            "commits_url": f"{url}/commits",
            "review_comments_url": f"{url}/comments",
            "review_comment_url": f"{self.url}/pulls/comments{{/number}}",
            "comments_url": f"{issue}/comments",
            "statuses_url": f"{self.url}/statuses/{pull.head_sha}",
        }
        links = {
            "self": url,
            "html": page,
            "issue": issue,
            "comments": urls["comments_url"],
            "review_comments": urls["review_comments_url"],
            "review_comment": urls["review_comment_url"],
            "commits": urls["commits_url"],
            "statuses": urls["statuses_url"],
        }
        return {
            **urls,
            "id": pull.id,
            "node_id": pull.node_id,
            "number": pull.number,
            "state": pull.state,
            "locked": False,
            "title": pull.title,
            "user": self.site.user(pull.author),
            "body": pull.body or None,
            "created_at": stamp(pull.created_at),
            "updated_at": stamp(pull.updated_at),
            "closed_at": stamp(pull.closed_at),
            "merged_at": stamp(pull.merged_at),
            "merge_commit_sha": pull.merge_sha,
            "assignee": None,
            "assignees": [],
            "requested_reviewers": self._people(pull.requested_reviewers),
            "requested_teams": self._teams(pull.requested_teams),
            "labels": self._labels(pull.labels),
            "milestone": None,
            "draft": pull.draft,
            "head": self._end(pull.head_ref, pull.head_sha, self._head_repository(pull)),
            "base": self._end(pull.base_ref, pull.base_sha, self.repository),
            "_links": {name: {"href": href} for name, href in links.items()},
            "author_association": self.site.association(pull.author, self.repository),
            "auto_merge": None,
            "active_lock_reason": None,
        }

    def full_pull(self, pull: PullRequest) -> Json:
        is_open = pull.state == "open"
        return self.pull(pull) | {
            "merged": pull.merged_at is not None,
            "mergeable": True if is_open else None,
            "rebaseable": True if is_open else None,
            "mergeable_state": ("draft" if pull.draft else "clean") if is_open else "unknown",
            "merged_by": self.site.user(pull.merged_by),
            "comments": pull.comment_count,
            "review_comments": sum(review.comments for review in pull.reviews),
            "maintainer_can_modify": False,
            "commits": pull.commit_count,
            "additions": pull.additions,
            "deletions": pull.deletions,
            "changed_files": pull.changed_files,
        }

    def review_requests(self, pull: PullRequest) -> Json:
        return {
            "users": self._people(pull.requested_reviewers),
            "teams": self._teams(pull.requested_teams),
        }

    def review(self, pull: PullRequest, review: Review) -> Json:
        url, page = self._review_addresses(pull, review)
        return {
            "id": review.id,
            "node_id": review.node_id,
            "user": self.site.user(review.author),
            "body": review.body,
            "state": review.state,
            "html_url": page,
            "pull_request_url": url,
            "author_association": self.site.association(review.author, self.repository),
            "_links": {"html": {"href": page}, "pull_request": {"href": url}},
            "submitted_at": stamp(review.submitted_at),
            "commit_id": review.commit_sha,
        }

    def review_comments(self, pull: PullRequest, review: Review, path: str) -> list[Json]:
        """A review's comments on lines: as many as it counts, all on one file."""
        return [self.review_comment(pull, review, path, n) for n in range(1, review.comments + 1)]

    def review_comment(self, pull: PullRequest, review: Review, path: str, line: int) -> Json:
        pull_url, page = self._review_addresses(pull, review)
        comment_id = review.id * 100 + line
        url, page = (
            f"{self.url}/pulls/comments/{comment_id}",
            page.replace("pullrequestreview-", "discussion_r"),
        )
        return {
            "url": url,
            "pull_request_review_id": review.id,
            "id": comment_id,
            "node_id": node_id("PRRC", comment_id),
            "diff_hunk": f"@@ -{line} +{line} @@",
            "path": path,
            "position": line,
            "original_position": line,
            "line": line,
            "original_line": line,
            "side": "RIGHT",
            "start_line": None,
            "original_start_line": None,
            "start_side": None,
            "subject_type": "line",
            "commit_id": review.commit_sha,
            "original_commit_id": review.commit_sha,
            "user": self.site.user(review.author),
            "body": f"A remark on line {line}.",
            "created_at": stamp(review.submitted_at),
            "updated_at": stamp(review.submitted_at),
            "html_url": page,
            "pull_request_url": pull_url,
            "author_association": self.site.association(review.author, self.repository),
            "_links": {
                "self": {"href": url},
                "html": {"href": page},
                "pull_request": {"href": pull_url},
            },
        }

    # Issues and releases

    def issue(self, issue: Issue) -> Json:
        closed = issue.state == "closed"
        return self._issue_part(issue, "issues") | {
            "id": issue.id,
            "type": None,
            "state_reason": "completed" if closed else None,
        }

    def pull_as_issue(self, pull: PullRequest) -> Json:
        page = f"{self.page}/pull/{pull.number}"
        return self._issue_part(pull, "pull") | {
            "id": ISSUE_ID_OF_PULL + pull.id,
            "type": None,
            "state_reason": None,
            "draft": pull.draft,
            "pull_request": {
                "url": f"{self.url}/pulls/{pull.number}",
                "html_url": page,
                "diff_url": f"{page}.diff",
                "patch_url": f"{page}.patch",
                "merged_at": stamp(pull.merged_at),
            },
        }

    def any_issue(self, thing: Issue | PullRequest) -> Json:
        return self.pull_as_issue(thing) if isinstance(thing, PullRequest) else self.issue(thing)

    def _issue_part(self, thing: Issue | PullRequest, kind: str) -> Json:
        url = f"{self.url}/issues/{thing.number}"
        return {
            "url": url,
            "repository_url": self.url,
            "labels_url": url + "/labels{/name}",
            "comments_url": f"{url}/comments",
            "events_url": f"{url}/events",
            "timeline_url": f"{url}/timeline",
            "html_url": f"{self.page}/{kind}/{thing.number}",
            "node_id": thing.node_id,
            "number": thing.number,
            "title": thing.title,
            "user": self.site.user(thing.author),
            "labels": self._labels(thing.labels),
            "state": thing.state,
            "locked": False,
            "assignee": None,
            "assignees": [],
            "milestone": None,
            "comments": thing.comment_count,
            "created_at": stamp(thing.created_at),
            "updated_at": stamp(thing.updated_at),
            "closed_at": stamp(thing.closed_at),
            "author_association": self.site.association(thing.author, self.repository),
            "active_lock_reason": None,
            "body": thing.body or None,
            "reactions": _no_reactions(url),
            "performed_via_github_app": None,
        }

    def event(self, thing: Issue | PullRequest, place: int, event: Event) -> Json:
        """What happened to an issue or pull request; `place` is its place among the events of it."""
        made, actor = thing.id * 1000 + place, self.site.user(event.actor)
        merge_sha = thing.merge_sha if isinstance(thing, PullRequest) and event.kind == "merged" else None
        shape: Json = {
            "id": made,
            "node_id": node_id("EV", made),
            "url": f"{self.url}/issues/events/{made}",
            "actor": actor,
            "event": {"converted_to_draft": "convert_to_draft"}.get(event.kind, event.kind),
            "commit_id": merge_sha,
            "commit_url": f"{self.url}/commits/{merge_sha}" if merge_sha else None,
            "created_at": stamp(event.at),
            "performed_via_github_app": None,
        }
        if event.kind == "labeled":
            color = next((each.color for each in thing.labels if each.name == event.subject), "ededed")
            return shape | {"label": {"name": event.subject, "color": color}}
        if event.kind != "review_requested":
            return shape
        slug = event.subject.removeprefix("team:")
        if slug != event.subject:
            shape["requested_team"] = self.site.team(self.site.world.teams[slug])
        else:
            shape["requested_reviewer"] = self.site.user(slug)
        return shape | {"review_requester": actor}

    def release(self, release: Release) -> Json:
        url, name = f"{self.url}/releases/{release.id}", quote(release.tag_name)
        return {
            "url": url,
            "assets_url": f"{url}/assets",
            "upload_url": url.replace("/api/v3/", "/api/uploads/") + "/assets{?name,label}",
            "html_url": f"{self.page}/releases/tag/{name}",
            "id": release.id,
            "author": self.site.user(release.author),
            "node_id": release.node_id,
            "tag_name": release.tag_name,
            "target_commitish": self.repository.default_branch,
            "name": release.name,
            "draft": release.draft,
            "immutable": False,
            "prerelease": release.prerelease,
            "created_at": stamp(release.created_at),
            "updated_at": stamp(release.published_at or release.created_at),
            "published_at": stamp(release.published_at),
            "assets": [],
            "tarball_url": None if release.draft else f"{self.url}/tarball/{name}",
            "zipball_url": None if release.draft else f"{self.url}/zipball/{name}",
            "body": release.body,
        }

    # Parts

    def _account_of(self, signature: Signature) -> Json | None:
        person = self.site.world.person_by_email(signature.email)
        return self.site.person(person) if person else None

    def _parent(self, sha: str) -> Json:
        return {"sha": sha, "url": f"{self.url}/commits/{sha}", "html_url": f"{self.page}/commit/{sha}"}

    def _head_repository(self, pull: PullRequest) -> Repository | None:
        if pull.head_repository_id is None:
            return self.repository
        return self.site.world.repositories.get(pull.head_repository_id)

    def _end(self, ref: str, sha: str, repository: Repository | None) -> Json:
        owner = repository.owner if repository else None
        return {
            "label": f"{owner or 'unknown repository'}:{ref}",
            "ref": ref,
            "sha": sha,
            "user": self.site.user(owner),
            "repo": self.site.repository(repository) if repository else None,
        }

    def _review_addresses(self, pull: PullRequest, review: Review) -> tuple[str, str]:
        page = f"{self.page}/pull/{pull.number}#pullrequestreview-{review.id}"
        return f"{self.url}/pulls/{pull.number}", page

    def _labels(self, labels: list[Label]) -> list[Json]:
        return [self.site.label(self.repository, label) for label in labels]

    def _people(self, logins: list[str]) -> list[Json]:
        return [shape for shape in map(self.site.user, logins) if shape is not None]

    def _teams(self, slugs: list[str]) -> list[Json]:
        return [self.site.team(self.site.world.teams[slug]) for slug in slugs]


def _signature(signature: Signature) -> Json:
    """REST gives instants in UTC: the author's own offset is lost here, as it is at GitHub."""
    return {"name": signature.name, "email": signature.email, "date": stamp(signature.at)}


def _no_reactions(url: str) -> dict[str, Any]:
    kinds = ("+1", "-1", "laugh", "hooray", "confused", "heart", "rocket", "eyes")
    return {"url": f"{url}/reactions", "total_count": 0, **dict.fromkeys(kinds, 0)}
