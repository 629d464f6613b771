"""The life of a pull request, decided before it happens: drafts, reviews, second rounds, the merge."""

import random
from dataclasses import dataclass, field

from trackeep.sandbox import words
from trackeep.sandbox.cast import BOT, TEAM, Cast
from trackeep.sandbox.rhythm import DAY, HOUR
from trackeep.sandbox.world import Event


@dataclass(slots=True)
class PlannedReview:
    """`mark` is the branch's tip when the review was given, filled in when the story is played."""

    at: int
    author: str
    state: str
    body: str
    comments: int
    mark: int = 0


@dataclass(slots=True)
class Story:
    """One pull request; `ended` is None while open. Times are unix seconds."""

    author: str
    title: str
    body: str
    branch: str
    opened_at: int
    commit_times: list[int]
    draft: bool = False
    fate: str = "open"
    ended_at: int | None = None
    ended_by: str | None = None
    squash: bool = False
    keep_branch: bool = False
    labels: list[str] = field(default_factory=list)
    reviews: list[PlannedReview] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    comment_count: int = 0
    number: int = 0

    def last_at(self) -> int:
        acts = (*(event.at for event in self.events), *(review.at for review in self.reviews))
        return max(self.opened_at, *self.commit_times, *acts)

    def pending(self) -> list[str]:
        """Who was asked for a review and has not given one since; teams as `team:slug`."""
        asked = {e.subject: e.at for e in self.events if e.kind == "review_requested"}
        given = {r.author: r.at for r in self.reviews}
        return [subject for subject, at in asked.items() if given.get(subject, -1) < at]


@dataclass(frozen=True)
class Company:
    """Who works on a repository (login to share of the work) and until when; `has_team` in organisations."""

    cast: Cast
    flavour: words.Flavour
    shares: dict[str, int]
    now: int
    has_team: bool

    def somebody(self, rng: random.Random, *, but: str = "") -> str:
        """A person drawn by share of the work."""
        logins = [login for login in self.shares if login != but]
        return rng.choices(logins, [self.shares[login] for login in logins])[0] if logins else but

    def after(self, rng: random.Random, login: str, at: int, hours: float) -> int:
        return self.cast.rhythms[login].after(rng, at, hours)


def compose(rng: random.Random, company: Company, author: str, opened_at: int) -> Story:
    """An ordinary pull request; whatever would lie in the future has not happened yet."""
    story = _opened(rng, company, author, opened_at)
    if author == BOT:
        return _bot_ending(rng, company, story)
    at = _draft_time(rng, company, story)
    if at is None:
        return story
    reviewers = _ask(rng, company, story, at)
    fate = rng.random()
    if fate < 0.015 and opened_at < company.now - 30 * DAY:
        return story
    if fate < 0.11:
        return _end(story, company, "closed", author, company.after(rng, author, at, 60))
    approved_at = _review_rounds(rng, company, story, reviewers, at)
    if approved_at is None:
        return story
    merger = rng.choice((author, reviewers[0] if reviewers else author))
    return _end(story, company, "merged", merger, company.after(rng, merger, approved_at, 5))


def compose_old(rng: random.Random, company: Company, author: str, merged_at: int) -> Story:
    """A branch worked on months ago, opened late and merged at `merged_at`: its commits are old by then."""
    story = _opened(rng, company, author, merged_at - rng.randint(2, 9) * DAY)
    began = story.opened_at - rng.randint(80, 190) * DAY
    count = rng.randint(3, 9)
    story.commit_times = company.cast.rhythms[author].moments(rng, count, began, began + 20 * DAY)
    story.events.clear()
    story.comment_count += 2
    _ask(rng, company, story, story.opened_at)
    return _end(story, company, "merged", author, merged_at)


def arrange(rng: random.Random, company: Company, kind: str, now: int) -> Story:
    """A recent open pull request placed on purpose, seen from alice.

    Kinds: review, team, again (she asked for changes, they came), returned, ready, waiting, draft.
    """
    other = company.somebody(rng, but="alice")
    author = other if kind in ("review", "team", "again") else "alice"
    last = now - rng.randint(5 * HOUR, 6 * DAY)
    opened_at = company.cast.rhythms[author].moments(rng, 1, last - 12 * HOUR, last)[0]
    story = _opened(rng, company, author, opened_at)

    story.events = [e for e in story.events if e.kind == "labeled"]
    at, reviewer = story.opened_at, "alice" if author != "alice" else other
    if kind == "draft":
        story.draft = True
        return story
    subject = f"team:{TEAM}" if kind == "team" else reviewer
    story.events.append(Event("review_requested", author, at, subject))
    if kind in ("again", "returned"):
        story.reviews.append(_review(rng, reviewer, "CHANGES_REQUESTED", (at + now) // 2))
    if kind == "again":
        pushed_at = (story.reviews[-1].at + now) // 2
        story.commit_times.append(pushed_at)
        story.events.append(Event("review_requested", author, pushed_at + 60, reviewer))
    if kind == "ready":
        story.reviews.append(_review(rng, reviewer, "APPROVED", (at + now) // 2))
    return story


def _opened(rng: random.Random, company: Company, author: str, opened_at: int) -> Story:
    if author == BOT:
        title, branch = words.bump(rng)
        story = Story(author, title, "", branch, opened_at, [opened_at - 20], labels=["dependencies"])
    else:
        title = words.title(rng, company.flavour)
        prefix = rng.choice((author.split("-")[0], author, "fix", "feature"))
        count = min(12, 1 + int(rng.expovariate(0.6)))
        began = opened_at - int(rng.expovariate(1 / 20) * HOUR) - HOUR
        times = company.cast.rhythms[author].moments(rng, count, began, opened_at - 60)
        branch = f"{prefix}/{words.slug(title)}"
        story = Story(author, title, words.body(rng), branch, opened_at, times)
        label = rng.choices(("", "bug", "enhancement", "documentation", "performance"), (6, 3, 3, 1, 1))[0]
        story.labels = [label] if label else []

        story.comment_count = rng.choice((0, 0, 0, 1, 1, 2, 4))
    story.squash = rng.random() < 0.4
    story.keep_branch = rng.random() < 0.2
    story.events = [Event("labeled", author, opened_at + 5, label) for label in story.labels]
    if rng.random() < 0.03:
        story.events += [
            Event("closed", author, opened_at + 600),
            Event("reopened", author, opened_at + 1_500),
        ]

    return story


def _draft_time(rng: random.Random, company: Company, story: Story) -> int | None:
    """When the pull request was ready for review; None when it still is a draft."""
    if rng.random() > 0.18:
        return story.opened_at
    if rng.random() < 0.2:
        story.events.append(Event("converted_to_draft", story.author, story.opened_at + 900))
    ready_at = company.after(rng, story.author, story.opened_at + 1_000, 30)
    story.draft = ready_at >= company.now
    if story.draft:
        return None
    story.events.append(Event("ready_for_review", story.author, ready_at))
    return ready_at


def _ask(rng: random.Random, company: Company, story: Story, at: int) -> list[str]:
    """Ask one or two people, sometimes the team as well; returns the people."""
    drawn = {company.somebody(rng, but=story.author) for _ in range(rng.choice((1, 1, 2)))}
    wanted = drawn - {story.author, BOT}
    subjects = sorted(wanted)
    if company.has_team and rng.random() < 0.12:
        subjects.append(f"team:{TEAM}")
    story.events += [Event("review_requested", story.author, at + 30, subject) for subject in subjects]
    return sorted(wanted)


def _review_rounds(
    rng: random.Random, company: Company, story: Story, reviewers: list[str], at: int
) -> int | None:
    """Reviews and the commits that answer them, until approval; None when that has not happened yet."""
    for reviewer in reviewers:
        at = company.after(rng, reviewer, at, 9)
        state = rng.choices(("APPROVED", "CHANGES_REQUESTED", "COMMENTED"), (55, 22, 23))[0]
        if at >= company.now:
            return None
        story.reviews.append(_review(rng, reviewer, state, at))
        if state == "APPROVED":
            continue
        pushed_at = company.after(rng, story.author, at, 7)
        at = company.after(rng, reviewer, pushed_at, 6)
        if pushed_at >= company.now:
            return None
        story.commit_times.append(pushed_at)
        if at >= company.now:
            return None
        story.reviews.append(_review(rng, reviewer, "APPROVED", at))
    return at


def _review(rng: random.Random, author: str, state: str, at: int) -> PlannedReview:
    comments = 0 if state == "APPROVED" else rng.choice((1, 1, 2, 3, 5))
    return PlannedReview(at, author, state, rng.choice(words.REMARKS[state]), comments)


def _bot_ending(rng: random.Random, company: Company, story: Story) -> Story:
    person = company.somebody(rng, but=BOT)
    at = company.after(rng, person, story.opened_at, 40)
    if at < company.now - HOUR and rng.random() < 0.5:
        story.reviews.append(_review(rng, person, "APPROVED", at - 120))
    return _end(story, company, "merged" if rng.random() < 0.8 else "closed", person, at)


def _end(story: Story, company: Company, fate: str, by: str, at: int) -> Story:
    """Merge or close the pull request, unless that lies in the future."""
    at = max(at, story.last_at() + 60)
    if at >= company.now:
        return story
    story.fate, story.ended_at, story.ended_by = fate, at, by
    if fate == "merged":
        story.events.append(Event("merged", by, at))
    story.events.append(Event("closed", by, at))
    return story
