"""One repository's years: direct commits, pull requests, branches, issues and releases, played in order."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from trackeep.sandbox import stories, words
from trackeep.sandbox.cast import BOT, GITHUB_NOREPLY, Cast
from trackeep.sandbox.draft import Draft, Line
from trackeep.sandbox.rhythm import DAY, HOUR
from trackeep.sandbox.stories import Company, Story
from trackeep.sandbox.world import Signature


@dataclass(frozen=True)
class Spec:
    """What a repository should become. Counts are aims for commits and branches, exact for the rest.

    `shares` maps login to part of the work; `began` and `ended` are in days before now.
    """

    owner: str
    name: str
    flavour: words.Flavour
    id: int
    shares: dict[str, int]
    commits: int = 0
    pulls: int = 0
    issues: int = 0
    releases: int = 0
    branches: int = 4
    files: int = 60
    private: bool = False
    archived: bool = False
    former_names: tuple[str, ...] = ()
    began: int = 1095
    ended: int = 0
    arranged: tuple[str, ...] = ()
    old_merges: int = 0
    has_team: bool = False
    from_fork: str | None = None
    collaborators: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Report:
    """An issue as planned."""

    author: str
    title: str
    opened_at: int
    closed_at: int | None
    labels: list[str]
    comment_count: int
    number: int = 0


@dataclass(slots=True)
class Version:
    """A tag as planned, with its release; `mark` is the commit."""

    name: str
    mark: int
    tagger: Signature
    author: str


@dataclass
class Plan:
    """A played repository: its commits by mark, its lines by story, its stray branches (name to mark)."""

    spec: Spec
    draft: Draft
    stories: list[Story] = field(default_factory=list)
    reports: list[Report] = field(default_factory=list)
    versions: list[Version] = field(default_factory=list)
    lines: dict[int, Line] = field(default_factory=dict)
    merges: dict[int, int] = field(default_factory=dict)
    strays: dict[str, int] = field(default_factory=dict)


class Player:
    """Writes the steps of a repository's years and plays them in order of time."""

    def __init__(self, spec: Spec, cast: Cast, rng: random.Random, now: int) -> None:
        self.spec, self.cast, self.rng = spec, cast, rng
        self.start, self.end = now - spec.began * DAY, now - max(spec.ended * DAY, 120)
        self.plan = Plan(spec, Draft(spec.flavour, rng, spec.files))
        self.company = Company(cast, spec.flavour, spec.shares, self.end, spec.has_team)
        self._steps: list[tuple[int, int, Callable[[int], None]]] = []
        self._strays: dict[str, Line] = {}

    def play(self) -> Plan:
        first = self.company.somebody(self.rng, but=BOT)
        self.plan.draft.begin(self.cast.signature(self.rng, first, self.start))
        self._direct_commits()
        self.plan.stories = self._stories()
        self.plan.reports = [self._report() for _ in range(self.spec.issues)]
        self._number()
        for story in self.plan.stories:
            self._tell(story)
        self._stray_branches()
        self._releases()
        for at, _, step in sorted(self._steps, key=lambda s: s[:2]):
            step(at)
        return self.plan

    def _at(self, at: int, step: Callable[[int], None]) -> None:
        self._steps.append((at, len(self._steps), step))

    def _direct_commits(self) -> None:
        total = sum(share for login, share in self.spec.shares.items() if login != BOT)
        for login, share in self.spec.shares.items():
            if login == BOT:
                continue
            rhythm = self.cast.rhythms[login]
            times = rhythm.moments(self.rng, self.spec.commits * share // total, self.start + HOUR, self.end)
            if login == self.spec.owner and not self.spec.ended:
                times += [t for d in rhythm.streak_days() if self.start < (t := rhythm.on_day(self.rng, d))]
            for at in times:
                self._at(min(at, self.end), partial(self._direct, login))

    def _direct(self, login: str, at: int) -> None:
        author = self.cast.signature(self.rng, login, at)
        committer = author
        if self.rng.random() < 0.06:
            written_at = max(self.start, at - self.rng.randint(1, 9 * DAY))
            author = self.cast.signature(self.rng, login, written_at)
        self.plan.draft.direct(author, committer, self._message(login))

    def _message(self, login: str) -> str:
        text = words.title(self.rng, self.spec.flavour)
        if self.rng.random() < 0.25:
            text += f"\n\n{words.body(self.rng)}"
        if self.rng.random() < 0.05 and len(self.spec.shares) > 1:
            helper = self.company.somebody(self.rng, but=login)
            text += f"\n\n{self.cast.trailer(helper)}"
        return text

    def _stories(self) -> list[Story]:
        spec, rng = self.spec, self.rng
        told = [stories.arrange(rng, self.company, kind, self.end) for kind in spec.arranged]
        for _ in range(spec.old_merges):
            author, back = self.company.somebody(rng, but=BOT), rng.randint(2, 25)
            merged_at = self.cast.rhythms[author].moments(rng, 1, self.end - back * DAY, self.end - DAY)[0]
            told.append(stories.compose_old(rng, self.company, author, merged_at))
        while len(told) < spec.pulls:
            author = self.company.somebody(rng)
            first = self.start + 10 * DAY
            if rng.random() < 0.45:
                first = max(first, self.end - 240 * DAY)
            times = self.cast.rhythms[author].moments(rng, 1, first, self.end - HOUR)
            told.append(stories.compose(rng, self.company, author, times[0]))
        return told

    def _report(self) -> Report:
        rng = self.rng
        author = rng.choice([*(login for login in self.spec.shares if login != BOT), self._reader()])
        opened_at = self.cast.rhythms[author].moments(rng, 1, self.start + DAY, self.end - HOUR)[0]
        closed_at: int | None = opened_at + int(rng.expovariate(1 / 20) * DAY) + HOUR
        if closed_at is None or closed_at >= self.end or rng.random() < 0.15:
            closed_at = None
        labels = rng.choice((["bug"], ["bug"], ["enhancement"], ["good first issue"], ["documentation"], []))
        title = words.issue_title(rng, self.spec.flavour)
        return Report(author, title, opened_at, closed_at, labels, rng.choice((0, 1, 1, 2, 3, 6)))

    def _reader(self) -> str:
        """Who may open issues beside those who work here: anybody, when everybody may read."""
        if not self.spec.private:
            return "mallory"
        return self.spec.owner if self.spec.owner in self.cast.rhythms else "alice"

    def _number(self) -> None:
        """Issues and pull requests share one sequence, in the order in which they were opened."""
        both: list[Story | Report] = [*self.plan.stories, *self.plan.reports]
        for number, thing in enumerate(sorted(both, key=lambda thing: thing.opened_at), 1):
            thing.number = number
        taken: set[str] = set()
        for story in self.plan.stories:
            if story.branch in taken:
                story.branch = f"{story.branch}-{story.number}"
            taken.add(story.branch)

    def _tell(self, story: Story) -> None:
        times = sorted(max(self.start + 60, at) for at in story.commit_times)
        story.commit_times = times
        self._at(times[0], partial(self._start, story))
        for at in times:
            self._at(at, partial(self._work, story))
        for review in story.reviews:
            self._at(review.at, partial(self._reviewed, story, review))
        if story.fate == "merged" and story.ended_at:
            self._at(story.ended_at, partial(self._merge, story))

    def _start(self, story: Story, at: int) -> None:
        line = self.plan.draft.branch(story.branch, will_merge=story.fate == "merged")
        self.plan.lines[story.number] = line

    def _work(self, story: Story, at: int) -> None:
        line = self.plan.lines[story.number]
        author = self.cast.signature(self.rng, story.author, at)
        message = story.title if not line.commit_count else self._message(story.author)
        if story.author == BOT:
            message += "\n\nSigned-off-by: dependabot[bot] <support@github.com>"
        self.plan.draft.work(line, author, message)

    def _reviewed(self, story: Story, review: stories.PlannedReview, at: int) -> None:
        review.mark = self.plan.lines[story.number].tip

    def _merge(self, story: Story, at: int) -> None:
        draft, line = self.plan.draft, self.plan.lines[story.number]
        merger = self.cast.signature(self.rng, story.ended_by or story.author, at)
        web = Signature("GitHub", GITHUB_NOREPLY, at, merger.offset_min)
        if story.squash:
            author = self.cast.signature(self.rng, story.author, at)
            message = f"{story.title} (#{story.number})\n\n{story.body}".strip()
            self.plan.merges[story.number] = draft.squash(line, author, web, message)
            return
        owner = self.spec.from_fork if self.spec.from_fork == story.author else self.spec.owner
        message = f"Merge pull request #{story.number} from {owner}/{story.branch}\n\n{story.title}"
        self.plan.merges[story.number] = draft.merge(line, merger, web, message)

    def _stray_branches(self) -> None:
        """Branches without a pull request, so that the wanted number of branches stays."""
        kept = sum(1 for story in self.plan.stories if story.fate != "merged" or story.keep_branch)
        for number in range(max(0, self.spec.branches - 1 - kept)):
            author = self.company.somebody(self.rng, but=BOT)
            rhythm = self.cast.rhythms[author]
            low = max(self.start + DAY, self.end - 400 * DAY)
            times = rhythm.moments(self.rng, self.rng.randint(1, 5), low, self.end)
            thing = words.slug(self.rng.choice(self.spec.flavour.things).removeprefix("the "))
            name = f"spike/{thing}-{number + 1}"
            self._at(times[0], partial(self._start_stray, name))
            for at in times:
                self._at(at, partial(self._work_stray, name, author))

    def _start_stray(self, name: str, at: int) -> None:
        self._strays[name] = self.plan.draft.branch(name, will_merge=False)

    def _work_stray(self, name: str, author: str, at: int) -> None:
        signature = self.cast.signature(self.rng, author, at)
        self.plan.strays[name] = self.plan.draft.work(self._strays[name], signature, self._message(author))

    def _releases(self) -> None:
        span = (self.end - self.start) // max(1, self.spec.releases)
        shift = (2 + self.spec.id % 9) * DAY
        for number in range(1, self.spec.releases + 1):
            major, minor = divmod(number, 8)
            name = f"v{major}.{minor}.0"
            self._at(self.start + span * number - shift, partial(self._tag, name))

    def _tag(self, name: str, at: int) -> None:
        author = self.spec.owner if self.spec.owner in self.cast.rhythms else "alice"
        tagger = self.cast.signature(self.rng, author, at)
        self.plan.versions.append(Version(name, self.plan.draft.tip, tagger, author))
