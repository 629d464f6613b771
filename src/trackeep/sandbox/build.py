"""Builds the world from one seed and one moment: plans every repository, writes its git, joins the two."""

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from trackeep.sandbox import cast, history
from trackeep.sandbox.draft import render
from trackeep.sandbox.plan import Plan, Player, Spec
from trackeep.sandbox.rhythm import DAY
from trackeep.sandbox.specs import specs
from trackeep.sandbox.stories import Story
from trackeep.sandbox.words import LABELS
from trackeep.sandbox.world import (
    Commit,
    Issue,
    Label,
    PullRequest,
    Release,
    Repository,
    Review,
    World,
    ancestors,
    node_id,
)

_YEARS_S = 3 * 365 * DAY


def build(seed: int, now: int, size: str, folder: Path) -> World:
    """A world whose git repositories lie in `folder`; the same arguments give the same world and commit ids.

    All activity lies in the three years before `now` (unix seconds). Size is `small` or `full`.
    """
    world = World(seed, now)
    cast.settle(world)
    people = cast.Cast(now - _YEARS_S - DAY, now)
    wanted = specs(size)
    plans = [Player(s, people, random.Random(f"{seed}/{s.id}"), now).play() for s in wanted if s.commits]
    abandoned = threading.Event()
    with ThreadPoolExecutor(2) as pool:
        try:
            written = list(pool.map(lambda plan: _join(plan, now, folder, abandoned), plans))
        except BaseException:
            # Ctrl-C: the largest repository alone would go on for seconds.
            abandoned.set()
            raise
    found = {repository.id: repository for repository in written}
    for spec in wanted:
        world.repositories[spec.id] = found.get(spec.id) or _empty(spec, now, folder)
    _fork(world, world.repositories[70_011], world.repositories[70_012])
    return world


def _empty(spec: Spec, now: int, folder: Path) -> Repository:
    git_dir = folder / f"{spec.id}.git"
    history.create(git_dir)
    began = now - spec.began * DAY
    repository = Repository(
        id=spec.id,
        node_id=node_id("R", spec.id),
        owner=spec.owner,
        name=spec.name,
        private=spec.private,
        default_branch="main",
        description=spec.flavour.description,
        created_at=began - 600,
        pushed_at=began,
        updated_at=began,
        git_dir=git_dir,
        former_names=list(spec.former_names),
        archived=spec.archived,
        topics=list(spec.flavour.topics),
        collaborators=dict(spec.collaborators),
    )
    repository.labels = [_label(spec.id * 100 + n, *label) for n, label in enumerate(LABELS)]
    return repository


def _label(database_id: int, name: str, color: str, description: str) -> Label:
    return Label(database_id, node_id("LA", database_id), name, color, description)


def _join(plan: Plan, now: int, folder: Path, abandoned: threading.Event) -> Repository:
    """Write the plan's git and describe the result."""
    repository = _empty(plan.spec, now, folder)
    refs = _refs(plan)
    shas, repository.tags = history.write(repository.git_dir, plan, refs, abandoned)
    trees = history.read_trees(repository.git_dir)
    planned = zip(plan.draft.commits, shas[1:], strict=True)
    commits = (history.commit_of(p, sha, trees[sha], shas) for p, sha in planned if sha in trees)
    repository.commits = {commit.sha: commit for commit in commits}
    heads = "refs/heads/"
    repository.branches = {r.removeprefix(heads): shas[m] for r, m in refs.items() if r.startswith(heads)}
    _describe(repository, plan, shas)
    return repository


def _refs(plan: Plan) -> dict[str, int]:
    """Every ref with its mark; merged branches are mostly gone, forks keep theirs elsewhere."""
    refs = {"refs/heads/main": plan.draft.tip}
    for story in plan.stories:
        tip = plan.lines[story.number].tip
        refs[f"refs/pull/{story.number}/head"] = tip
        elsewhere = story.author == plan.spec.from_fork
        if not elsewhere and (story.fate != "merged" or story.keep_branch):
            refs[f"refs/heads/{story.branch}"] = tip
    refs.update({f"refs/heads/{name}": mark for name, mark in plan.strays.items()})
    return refs


def _describe(repository: Repository, plan: Plan, shas: list[str]) -> None:
    labels = {label.name: label for label in repository.labels}
    for story in plan.stories:
        repository.pulls[story.number] = _pull(repository, plan, story, shas)
    for r in plan.reports:
        database_id = repository.id * 10_000 + r.number
        repository.issues[r.number] = Issue(
            database_id, node_id("I", database_id), r.number, r.title, "",
            "closed" if r.closed_at else "open",
            r.author, r.opened_at, r.closed_at or r.opened_at + r.comment_count, r.closed_at,
            [labels[name] for name in r.labels], r.comment_count,
        )  # fmt: skip
    for number, version in enumerate(plan.versions):
        database_id = repository.id * 100 + number
        published_at = version.tagger.at + 240
        repository.releases.append(
            Release(
                database_id, node_id("RE", database_id), version.name, version.name.removeprefix("v"), False,
                False, version.author, version.tagger.at, published_at, f"What changed in {version.name}.",
            )
        )  # fmt: skip
    for path, lines in plan.draft.trunk.items():
        language = "Markdown" if path.endswith(".md") else plan.draft.flavour.language
        size = len(render(plan.draft.flavour, path, lines))
        repository.languages[language] = repository.languages.get(language, 0) + size
    repository.languages.pop("Markdown", None)
    repository.pushed_at = max(commit.committer.at for commit in repository.commits.values())
    touched = [pull.updated_at for pull in repository.pulls.values()]
    touched += [issue.updated_at for issue in repository.issues.values()]
    repository.updated_at = max([repository.pushed_at, *touched])


def _pull(repository: Repository, plan: Plan, story: Story, shas: list[str]) -> PullRequest:
    line, merge = plan.lines[story.number], plan.merges.get(story.number)
    additions, deletions, changed_files = line.size()
    database_id = repository.id * 10_000 + story.number
    pending = story.pending() if story.fate == "open" else []
    labels = {label.name: label for label in repository.labels}
    return PullRequest(
        id=database_id,
        node_id=node_id("PR", database_id),
        number=story.number,
        title=story.title,
        body=story.body,
        state="open" if story.fate == "open" else "closed",
        draft=story.draft,
        author=story.author,
        base_ref="main",
        head_ref=story.branch,
        base_sha=shas[line.base],
        head_sha=shas[line.tip],
        merge_sha=shas[merge] if merge else None,
        created_at=story.opened_at,
        updated_at=story.ended_at or story.last_at(),
        closed_at=story.ended_at,
        merged_at=story.ended_at if merge else None,
        merged_by=story.ended_by if merge else None,
        additions=additions,
        deletions=deletions,
        changed_files=changed_files,
        commit_count=line.commit_count,
        labels=[labels[name] for name in story.labels],
        requested_reviewers=[subject for subject in pending if not subject.startswith("team:")],
        requested_teams=[s.removeprefix("team:") for s in pending if s.startswith("team:")],
        reviews=_reviews(repository.id, story, shas),
        events=sorted(story.events, key=lambda event: event.at),
        comment_count=story.comment_count,
        head_repository_id=70_012 if story.author == plan.spec.from_fork else None,
    )


def _reviews(repository_id: int, story: Story, shas: list[str]) -> list[Review]:
    found = []
    first = 1_000_000_000 + repository_id % 1_000 * 1_000_000 + story.number * 100
    for number, review in enumerate(sorted(story.reviews, key=lambda review: review.at)):
        database_id = first + number
        found.append(
            Review(
                database_id, node_id("PRR", database_id), review.author, review.state, review.body, review.at,
                shas[review.mark], review.comments,
            )
        )  # fmt: skip
    return found


def _fork(world: World, parent: Repository, fork: Repository) -> None:
    """Fill a fork: its main is the parent's of a month ago, beside it the branches of open pull requests."""
    month_ago = world.now - 30 * DAY
    main = _first_parent_before(parent, month_ago)
    refs = {"main": main}
    for pull in parent.pulls.values():
        if pull.head_repository_id == fork.id and pull.state == "open":
            refs[pull.head_ref] = pull.head_sha
    wants = [f"+{sha}:refs/heads/{name}" for name, sha in refs.items()]
    history.git(fork.git_dir, "fetch", "--quiet", "--no-tags", str(parent.git_dir), *wants)
    fork.branches = refs
    fork.commits = {commit.sha: commit for commit in ancestors(parent.commits, *refs.values())}
    fork.fork, fork.parent_id = True, parent.id
    fork.languages = dict(parent.languages)
    fork.pushed_at = fork.updated_at = max(fork.commits[tip].committer.at for tip in refs.values())


def _first_parent_before(repository: Repository, at: int) -> str:
    commit: Commit = repository.commits[repository.branches["main"]]
    while commit.committer.at > at and commit.parents:
        commit = repository.commits[commit.parents[0]]
    return commit.sha
