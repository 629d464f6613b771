"""A generated world of any size: how many of everything there are, and how they spread over repositories."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from trackeep.sandbox import cast, history
from trackeep.sandbox.crowd import LARGEST, Crowd
from trackeep.sandbox.masses_repository import Blueprint, Builder
from trackeep.sandbox.rhythm import DAY
from trackeep.sandbox.words import FLAVOURS, LABELS
from trackeep.sandbox.world import Label, Repository, World, node_id

MOST_REPOSITORIES = 1_000
YEARS_S = 10 * 365 * DAY
_FIRST_ID = 80_000
_OWN = 12
_STEEPNESS = 0.8
_LARGEST_PART = 0.05
_ADJECTIVES = (
    "amber brisk calm deep early faint grand hidden inner keen late mellow narrow open plain quiet rapid "
    "silver tall upper vivid warm young brave clear"
)
_NOUNS = (
    "anchor basin cairn delta ember ferry gully haven islet jetty kiln ledge marsh notch orchard pond quarry "
    "ridge shoal tarn umbra vale weir yard bluff creek dune fjord grove heath inlet knoll lagoon moor nook "
    "oasis peak rill spring terrace"
)


@dataclass(frozen=True, slots=True)
class Masses:
    """How much there is in all; pull requests, issues and people follow from the commits."""

    repositories: int = 1_000
    commits: int = 1_000_000

    @property
    def pulls(self) -> int:
        return self.commits // 10

    @property
    def issues(self) -> int:
        return self.commits // 20

    @property
    def people(self) -> int:
        return min(LARGEST, max(20, self.commits // 500))

    def __str__(self) -> str:
        return f"{self.repositories} repositories, {self.commits} commits"


LARGE = Masses()


def build_masses(seed: int, now: int, size: Masses, folder: Path) -> World:
    """A world whose repositories alice may all read; the same arguments give the same commit ids.

    All activity lies in the ten years before `now` (unix seconds). All commits of a repository share one
    tree, and line counts are invented from commit ids.
    """
    world = World(seed, now)
    cast.settle(world)
    crowd = Crowd(world, size.people)
    builder = Builder(crowd, cast.Cast(now - YEARS_S - DAY, now))
    for blueprint in _blueprints(seed, now, size):
        repository = _described(crowd, blueprint, folder)
        builder.fill(repository, blueprint)
        world.repositories[repository.id] = repository
    return world


def _blueprints(seed: int, now: int, size: Masses) -> list[Blueprint]:
    """The largest first; alice's own lie in between."""
    weights: list[float] = [(place + 1) ** -_STEEPNESS for place in range(size.repositories)]
    largest = sum(weights) * max(_LARGEST_PART, 2 / size.repositories)
    weights = [min(weight, largest) for weight in weights]
    commits = _spread(size.commits, weights)
    pulls, issues = _spread(size.pulls, weights), _spread(size.issues, weights)
    count = min(_OWN, max(1, size.repositories // 8))
    own = {size.repositories * (place + 1) // (count + 1) for place in range(count)}
    found = []
    for place in range(size.repositories):
        rng = random.Random(f"{seed}/masses/{place}")
        began, ended = _period(rng, now)
        share = rng.uniform(0.8, 0.95) if place in own else rng.choice((0.0, 0.01, 0.02, 0.03, 0.1))
        most_pulls = max(0, (commits[place] - 1) // 5)
        found.append(
            Blueprint(
                _FIRST_ID + place, rng, began, ended, commits[place], min(pulls[place], most_pulls),
                issues[place], share, place in own,
            )
        )  # fmt: skip
    return found


def _spread(total: int, weights: Sequence[float]) -> list[int]:
    """Whole parts of the total by weight; what rounding leaves goes to the first ones."""
    whole = sum(weights)
    parts = [int(total * weight / whole) for weight in weights]
    for place in range(total - sum(parts)):
        parts[place] += 1
    return parts


def _period(rng: random.Random, now: int) -> tuple[int, int]:
    """When a repository's work began and ended: a third has been left alone for months or years."""
    began = now - rng.randint(200, 3_640) * DAY
    if rng.random() < 0.65:
        return began, now - rng.randint(120, 20 * DAY)
    return began, rng.randint(began + 90 * DAY, now - 60 * DAY)


def _described(crowd: Crowd, blueprint: Blueprint, folder: Path) -> Repository:
    rng, place = blueprint.rng, blueprint.id - _FIRST_ID
    flavour = FLAVOURS[rng.choice(sorted(FLAVOURS))]
    git_dir = folder / f"{blueprint.id}.git"
    history.create(git_dir)
    owner = "alice" if blueprint.is_own else rng.choice(crowd.organizations)
    left_alone = blueprint.ended < blueprint.began + 400 * DAY
    repository = Repository(
        id=blueprint.id,
        node_id=node_id("R", blueprint.id),
        owner=owner,
        name=_name(place),
        private=rng.random() < 0.3,
        default_branch="main",
        description=flavour.description,
        created_at=blueprint.began - 600,
        pushed_at=blueprint.began,
        updated_at=blueprint.began,
        git_dir=git_dir,
        archived=left_alone and rng.random() < 0.3,
        languages={flavour.language: 1_000 + rng.randrange(900_000)},
        topics=list(flavour.topics),
        collaborators={"alice": "admin" if blueprint.is_own else rng.choice(("push", "push", "pull"))},
    )
    ids = range(blueprint.id * 100, blueprint.id * 100 + len(LABELS))
    repository.labels = [
        Label(each, node_id("LA", each), *label) for each, label in zip(ids, LABELS, strict=True)
    ]
    return repository


def _name(place: int) -> str:
    first, second = _ADJECTIVES.split(), _NOUNS.split()
    return f"{first[place % len(first)]}-{second[place // len(first)]}"
