"""What may happen in the sandbox while it runs: pushes, merges, reviews, renames; git and world agree."""

import random
import threading
from collections.abc import Callable, Mapping
from typing import Any

from trackeep.sandbox import history, rewriting, words
from trackeep.sandbox.cast import GITHUB_NOREPLY, TEAM, Cast
from trackeep.sandbox.quota import Clock
from trackeep.sandbox.rewriting import NewCommit
from trackeep.sandbox.rhythm import DAY
from trackeep.sandbox.world import (
    Commit,
    Event,
    Issue,
    PullRequest,
    Release,
    Repository,
    Review,
    Signature,
    World,
    node_id,
)

Asked = Mapping[str, Any]


class ChangeRefused(Exception):
    """A change that cannot be made, such as merging a pull request that is not open."""


class Changes:
    """Applies one change at a time at the clock's present; every method documents the fields it takes."""

    def __init__(self, world: World, clock: Clock) -> None:
        self._world = world
        self._clock = clock
        self._rng = random.Random(f"{world.seed}/changes")
        self._cast = Cast(world.now - 3 * 365 * DAY, world.now)
        self._count = 0
        self._one_at_a_time = threading.Lock()
        self._kinds: dict[str, Callable[[Repository, Asked], dict[str, Any]]] = {
            "push": self.push,
            "merge-old-branch": self.merge_old_branch,
            "force-push": self.force_push,
            "delete-branch": self.delete_branch,
            "rename-branch": self.rename_branch,
            "delete-refs": self.delete_refs,
            "tag": self.tag,
            "rename": self.rename,
            "transfer": self.transfer,
            "access": self.access,
            "team": self.team,
            "open-pull": self.open_pull,
            "ready-pull": self.ready_pull,
            "merge-pull": self.merge_pull,
            "close-pull": self.close_pull,
            "review": self.review,
            "delete-comment": self.delete_comment,
            "languages": self.languages,
            "open-issue": self.open_issue,
            "close-issue": self.close_issue,
        }

    def apply(self, repository: Repository, asked: Asked) -> dict[str, Any]:
        """Make the change `asked["kind"]`: what changed. Raises ChangeRefused or, for a field, KeyError."""
        kind = str(asked.get("kind"))
        if kind not in self._kinds:
            raise ChangeRefused(f"unknown kind {kind}; known are {', '.join(self._kinds)}")
        with self._one_at_a_time:
            changed = self._kinds[kind](repository, asked)
        return {"kind": kind, "repository": repository.full_name, "at": self._now(), **changed}

    def push(self, repository: Repository, asked: Asked) -> dict[str, Any]:
        """`branch` (default branch; made when missing), `author` (alice), `count` (1), `message`."""
        branch = asked.get("branch", repository.default_branch)
        tip = repository.branches.get(branch) or self._main(repository)
        made = []
        for _ in range(int(asked.get("count", 1))):
            made.append(self._work(repository, tip, asked, self._now()))
            tip = made[-1].sha
        self._pushed(repository, branch, tip)
        return {"branch": branch, "commits": [commit.sha for commit in made]}

    def merge_old_branch(self, repository: Repository, asked: Asked) -> dict[str, Any]:
        """A branch unseen so far, its `count` (3) commits `days_ago` (60) days old, is merged into the trunk.

        `author` (alice). With `branch` that existing branch is merged instead.
        """
        author, days_ago = asked.get("author", "alice"), int(asked.get("days_ago", 60))
        existing, old = asked.get("branch"), []
        if existing:
            tip = repository.branches[existing]
        else:
            then = self._now() - days_ago * DAY
            tip = self._trunk_before(repository, then)
            for number in range(int(asked.get("count", 3))):
                old.append(self._work(repository, tip, asked, then + number * 3_600))
                tip = old[-1].sha
        message = f"Merge branch '{existing or 'old-work'}'"
        merged = self._merge(repository, tip, self._cast.plain_signature(author, self._now()), message)
        self._pushed(repository, repository.default_branch, merged.sha)
        return {"commits": [commit.sha for commit in old], "merge": merged.sha}

    def force_push(self, repository: Repository, asked: Asked) -> dict[str, Any]:
        """`branch` (one beside the default), `author` (alice): the newest commit is replaced by another."""
        branch = asked.get("branch") or self._side_branch(repository)
        old = repository.branches[branch]
        parent = repository.commits[old].parents[0]
        new = self._work(repository, parent, asked, self._now())
        self._pushed(repository, branch, new.sha)
        return {"branch": branch, "before": old, "after": new.sha}

    def delete_branch(self, repository: Repository, asked: Asked) -> dict[str, Any]:
        """`branch` (one without an open pull request); those from it are closed, as GitHub does."""
        branch = asked.get("branch") or self._side_branch(repository)
        tip = repository.branches[branch]
        rewriting.move_branch(repository, branch, None)
        for pull in self._open_from(repository, branch):
            self._close(pull, asked.get("author", "alice"))
        repository.pushed_at = repository.updated_at = self._now()
        return {"branch": branch, "before": tip}

    def delete_refs(self, repository: Repository, asked: Asked) -> dict[str, Any]:
        """`count` (300) branches and tags by turns, the last in the alphabet first; the default one stays."""
        branches = sorted(name for name in repository.branches if name != repository.default_branch)
        tags = sorted(repository.tags)
        gone: list[str] = []
        for _ in range(int(asked.get("count", 300))):
            if not branches and not tags:
                raise ChangeRefused(f"{repository.full_name} has only {len(gone)} refs to delete")
            if branches and (len(branches) >= len(tags) or not tags):
                gone.append(f"refs/heads/{branches.pop()}")
            else:
                gone.append(f"refs/tags/{tags.pop()}")
        rewriting.delete_refs(repository, gone)
        repository.pushed_at = repository.updated_at = self._now()
        return {"refs": gone}

    def rename_branch(self, repository: Repository, asked: Asked) -> dict[str, Any]:
        """`name`, `branch` (the default one, which it stays under its new name)."""
        branch, name = asked.get("branch", repository.default_branch), str(asked["name"])
        rewriting.move_branch(repository, name, repository.branches[branch])
        rewriting.move_branch(repository, branch, None)
        if branch == repository.default_branch:
            repository.default_branch = name
            history.git(repository.git_dir, "symbolic-ref", "HEAD", f"refs/heads/{name}")
        for pull in repository.pulls.values():
            pull.base_ref = name if pull.base_ref == branch else pull.base_ref
        repository.pushed_at = repository.updated_at = self._now()
        return {"before": branch, "after": name}

    def tag(self, repository: Repository, asked: Asked) -> dict[str, Any]:
        """`name`, `author` (alice), `release` (true): an annotated tag on the trunk, and a release of it."""
        name, author, at = asked["name"], asked.get("author", "alice"), self._now()
        tagged = rewriting.tag(
            repository, name, self._main(repository), self._cast.plain_signature(author, at)
        )
        if asked.get("release", True):
            made = self._world.new_id()
            repository.releases.append(
                Release(made, node_id("RE", made), name, name, False, False, author, at, at, "")
            )
        repository.pushed_at = repository.updated_at = at
        return {"tag": name, "sha": tagged.sha, "commit": tagged.commit_sha}

    def rename(self, repository: Repository, asked: Asked) -> dict[str, Any]:
        """`name`: the new name; the old one goes on leading here."""
        name = str(asked["name"])
        taken = self._world.repository(repository.owner, name)
        if taken is not None and taken is not repository:
            raise ChangeRefused(f"{taken.full_name} exists already")
        before = repository.name
        repository.former_names = [n for n in (*repository.former_names, before) if n != name]
        repository.name = name
        repository.updated_at = self._now()
        return {"before": f"{repository.owner}/{before}", "after": repository.full_name}

    def transfer(self, repository: Repository, asked: Asked) -> dict[str, Any]:
        """`to`: the login of the new owner; who had it before may still push, its address leads here."""
        before, owner = repository.full_name, str(asked["to"])
        if self._world.person(owner) is None or self._world.repository(owner, repository.name):
            raise ChangeRefused(f"{owner} cannot take {before}")
        repository.collaborators[repository.owner] = "push"
        repository.former_names = [*repository.former_names, before]
        repository.owner = owner
        repository.updated_at = self._now()
        return {"before": before, "after": repository.full_name}

    def access(self, repository: Repository, asked: Asked) -> dict[str, Any]:
        """`login` and `permission` (None takes it away), and/or `private`."""
        if "login" in asked:
            permission = asked.get("permission")
            repository.collaborators.pop(asked["login"], None)
            if permission:
                repository.collaborators[asked["login"]] = permission
        repository.private = bool(asked.get("private", repository.private))
        repository.updated_at = self._now()
        return {"private": repository.private, "collaborators": dict(repository.collaborators)}

    def team(self, repository: Repository, asked: Asked) -> dict[str, Any]:
        """`login` joins the team of the repository's organisation, or leaves it where `member` is false."""
        found = next((t for t in self._world.teams.values() if t.organization == repository.owner), None)
        if found is None:
            raise ChangeRefused(f"{repository.owner} has no team")
        others = [login for login in found.members if login != asked["login"]]
        found.members[:] = [*others, asked["login"]] if asked.get("member", True) else others
        return {"team": found.slug, "members": list(found.members)}

    def open_pull(self, repository: Repository, asked: Asked) -> dict[str, Any]:
        """`author` (bob), `title`, `branch`, `count` (2) commits, `draft`, `reviewers`, `team` (bool)."""
        author, at = asked.get("author", "bob"), self._now()
        title = asked.get("title") or self._title(repository)
        base = self._main(repository)
        branch = asked.get("branch") or f"{author}/{words.slug(title)}-{repository.next_number()}"
        if branch not in repository.branches:
            self.push(repository, {"author": author, "branch": branch, "count": asked.get("count", 2)})
        number, made = repository.next_number(), self._world.new_id()
        asked_for = [*asked.get("reviewers", []), *([f"team:{TEAM}"] if asked.get("team") else [])]
        pull = PullRequest(
            made, node_id("PR", made), number, title, asked.get("body", ""), "open", bool(asked.get("draft")),
            author, repository.default_branch, branch, base, repository.branches[branch], None,
            at, at, None, None, None, 0, 0, 0, 0,
            requested_reviewers=list(asked.get("reviewers", [])),
            requested_teams=[TEAM] if asked.get("team") else [],
            events=[Event("review_requested", author, at, subject) for subject in asked_for],
        )  # fmt: skip
        repository.pulls[number] = pull
        self._measure(repository, pull)
        repository.updated_at = at
        return {"number": number, "branch": branch, "head": pull.head_sha}

    def ready_pull(self, repository: Repository, asked: Asked) -> dict[str, Any]:
        """`number` (an open draft): it is marked ready for review by its author."""
        pull, at = self._open_pull_of(repository, asked), self._now()
        if not pull.draft:
            raise ChangeRefused(f"#{pull.number} is no draft")
        pull.draft = False
        pull.events.append(Event("ready_for_review", pull.author, at))
        pull.updated_at = repository.updated_at = at
        return {"number": pull.number}

    def merge_pull(self, repository: Repository, asked: Asked) -> dict[str, Any]:
        """`number` (an open one), `by` (alice), `method` (merge or squash), `delete_branch` (true)."""
        pull, by, at = self._open_pull_of(repository, asked), asked.get("by", "alice"), self._now()
        web = Signature("GitHub", GITHUB_NOREPLY, at, 0)
        squash = asked.get("method") == "squash"
        message = f"Merge pull request #{pull.number} from {repository.owner}/{pull.head_ref}\n\n{pull.title}"
        message = f"{pull.title} (#{pull.number})" if squash else message
        author = self._cast.plain_signature(pull.author if squash else by, at)
        merged = self._merge(repository, pull.head_sha, author, message, committer=web, squash=squash)
        pull.merge_sha, pull.merged_at, pull.merged_by = merged.sha, at, by
        pull.events.append(Event("merged", by, at))
        self._close(pull, by)
        self._pushed(repository, repository.default_branch, merged.sha)
        here = pull.head_repository_id is None and pull.head_ref in repository.branches
        if here and asked.get("delete_branch", True):
            rewriting.move_branch(repository, pull.head_ref, None)
        return {"number": pull.number, "merge": merged.sha}

    def close_pull(self, repository: Repository, asked: Asked) -> dict[str, Any]:
        """`number` (an open one), `by` (alice)."""
        pull = self._open_pull_of(repository, asked)
        self._close(pull, asked.get("by", "alice"))
        repository.updated_at = self._now()
        return {"number": pull.number}

    def review(self, repository: Repository, asked: Asked) -> dict[str, Any]:
        """`number` (an open one), `author` (alice), `state` (APPROVED), `body`, `comments` (0)."""
        pull, author, at = self._open_pull_of(repository, asked), asked.get("author", "alice"), self._now()
        made, state = self._world.new_id(), asked.get("state", "APPROVED")
        body, comments = asked.get("body", ""), int(asked.get("comments", 0))
        review = Review(made, node_id("PRR", made), author, state, body, at, pull.head_sha, comments)
        pull.reviews.append(review)
        pull.requested_reviewers = [login for login in pull.requested_reviewers if login != author]
        pull.updated_at = repository.updated_at = at
        return {"number": pull.number, "review": made}

    def delete_comment(self, repository: Repository, asked: Asked) -> dict[str, Any]:
        """The last comment on a line, of the last review that has one; nothing else shows it was there."""
        reviews = [each for pull in repository.pulls.values() for each in pull.reviews if each.comments]
        if not reviews:
            raise ChangeRefused("there is no comment to delete")
        review = max(reviews, key=lambda each: (each.submitted_at, each.id))
        review.comments -= 1
        return {"review": review.id}

    def languages(self, repository: Repository, asked: Asked) -> dict[str, Any]:
        """`sizes`: bytes by language, as GitHub's own count of the default branch finds them."""
        repository.languages = {str(name): int(size) for name, size in asked["sizes"].items()}
        return {"languages": repository.languages}

    def open_issue(self, repository: Repository, asked: Asked) -> dict[str, Any]:
        """`author` (bob), `title`."""
        number, made, at = repository.next_number(), self._world.new_id(), self._now()
        title, author = asked.get("title", "Something is off"), asked.get("author", "bob")
        repository.issues[number] = Issue(
            made, node_id("I", made), number, title, "", "open", author, at, at, None
        )
        repository.updated_at = at
        return {"number": number}

    def close_issue(self, repository: Repository, asked: Asked) -> dict[str, Any]:
        """`number` (an open one)."""
        open_ones = [issue.number for issue in repository.issues.values() if issue.state == "open"]
        number = asked.get("number") or max(open_ones, default=None)
        if number not in open_ones:
            raise ChangeRefused("there is no such open issue")
        issue = repository.issues[number]
        issue.state, issue.closed_at = "closed", self._now()
        issue.updated_at = repository.updated_at = self._now()
        return {"number": issue.number}

    def _now(self) -> int:
        return int(self._clock.now())

    def _title(self, repository: Repository) -> str:
        known = words.FLAVOURS.get(repository.name) or words.FLAVOURS["harbor"]
        return words.title(self._rng, known)

    def _main(self, repository: Repository) -> str:
        if repository.default_branch not in repository.branches:
            raise ChangeRefused(f"{repository.full_name} is empty")
        return repository.branches[repository.default_branch]

    def _work(self, repository: Repository, parent: str, asked: Asked, at: int) -> Commit:
        """One commit that adds a new file."""
        self._count += 1
        signature = self._cast.plain_signature(asked.get("author", "alice"), at)
        message = asked.get("message") or self._title(repository)
        content = "".join(f"Change {self._count}, line {n}\n" for n in range(self._rng.randint(1, 30)))
        path = f"changes/{self._count:04}.txt"
        return rewriting.commit(
            repository, NewCommit((parent,), signature, signature, message, {path: content.encode()})
        )

    def _merge(
        self,
        repository: Repository,
        tip: str,
        author: Signature,
        message: str,
        *,
        committer: Signature | None = None,
        squash: bool = False,
    ) -> Commit:
        main = self._main(repository)
        base = rewriting.merge_base(repository.git_dir, main, tip)
        entries = rewriting.entries_since(repository.git_dir, base, tip)
        parents = (main,) if squash else (main, tip)
        return rewriting.commit(
            repository, NewCommit(parents, author, committer or author, message, entries=entries)
        )

    def _pushed(self, repository: Repository, branch: str, tip: str) -> None:
        rewriting.move_branch(repository, branch, tip)
        repository.pushed_at = repository.updated_at = self._now()
        for pull in self._open_from(repository, branch):
            pull.head_sha, pull.updated_at = tip, self._now()
            self._measure(repository, pull)

    def _measure(self, repository: Repository, pull: PullRequest) -> None:
        """Bring sizes and refs/pull/N/head in line with the branch."""
        base = rewriting.merge_base(repository.git_dir, pull.base_sha, pull.head_sha)
        pull.additions, pull.deletions, pull.changed_files = rewriting.difference(
            repository.git_dir, base, pull.head_sha
        )
        pull.commit_count = rewriting.count_between(repository.git_dir, base, pull.head_sha)
        history.git(repository.git_dir, "update-ref", f"refs/pull/{pull.number}/head", pull.head_sha)

    def _close(self, pull: PullRequest, by: str) -> None:
        pull.state, pull.closed_at, pull.updated_at = "closed", self._now(), self._now()
        pull.requested_reviewers, pull.requested_teams = [], []
        pull.events.append(Event("closed", by, self._now()))

    def _open_from(self, repository: Repository, branch: str) -> list[PullRequest]:
        pulls = repository.pulls.values()
        return [p for p in pulls if p.state == "open" and p.head_ref == branch and not p.head_repository_id]

    def _open_pull_of(self, repository: Repository, asked: Asked) -> PullRequest:
        number = asked.get("number")
        for pull in reversed(repository.pulls.values()):
            if pull.state == "open" and number in (None, pull.number):
                return pull
        raise ChangeRefused("there is no such open pull request")

    def _side_branch(self, repository: Repository) -> str:
        busy = {pull.head_ref for pull in repository.pulls.values() if pull.state == "open"}
        free = [name for name in repository.branches if name not in busy | {repository.default_branch}]
        if not free:
            raise ChangeRefused(f"{repository.full_name} has no branch beside its default one to spare")
        return free[-1]

    def _trunk_before(self, repository: Repository, at: int) -> str:
        commit = repository.commits[self._main(repository)]
        while commit.committer.at > at and commit.parents:
            commit = repository.commits[commit.parents[0]]
        return commit.sha
