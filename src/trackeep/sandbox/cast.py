"""The people of the local GitHub: who they are, which addresses they commit with, when they work."""

import random
from dataclasses import dataclass

from trackeep.sandbox.rhythm import DAY, Habit, Rhythm
from trackeep.sandbox.world import Email, Person, Signature, Team, World, node_id

GITHUB_NOREPLY = "noreply@github.com"
ORGANIZATION = "fernhill"
TEAM = "tide-crew"
BOT = "dependabot[bot]"


@dataclass(frozen=True)
class Role:
    """`addresses` are (address, share of commits, verified, visibility); "" is the noreply address."""

    id: int
    login: str
    name: str
    kind: str
    habit: Habit
    addresses: tuple[tuple[str, int, bool, str | None], ...]
    years: float


ROLES = (
    Role(
        1001, "alice", "Alice Moreau", "User",
        Habit(
            "Europe/Prague", 0.3, holidays=((8, 3, 17), (2, 10, 16)),
            streaks=((0, 11), (232, 272)), gaps=(12, 231, 273),
        ),
        (
            ("alice@fernhill.example", 60, True, "private"), ("alice.moreau@home.example", 20, True, None),
            ("amoreau@old-college.example", 6, False, None), ("", 14, True, None),
        ), 8.2,
    ),
    Role(
        1002, "bob", "Bob Okafor", "User", Habit("America/New_York", 0.1, holidays=((7, 1, 12), (11, 24,
        28))),
        (("bob@fernhill.example", 85, True, "public"), ("", 15, True, None)), 6.9,
    ),
    Role(
        1003, "carol", "Carol Iyer", "User", Habit("Asia/Kolkata", 0.2, 9.5, 20.0, holidays=((10, 28, 31),)),
        (("carol@iyer.example", 100, True, "private"),), 9.4,
    ),
    Role(
        1004, "zoe-l", "Zoë Łukasiewicz", "User", Habit("Europe/Warsaw", 0.05, 7.0, 16.0, holidays=((8, 14,
        31),)),
        (("zoë@łukasiewicz.example", 30, True, None), ("zoe@fernhill.example", 70, True, "public")), 5.1,
    ),
    Role(
        1005, "mallory", "Mallory Quint", "User", Habit("UTC", 0.8, 14.0, 23.5),
        (("mallory@elsewhere.example", 100, True, "public"),), 3.3,
    ),
    Role(49699333, BOT, "", "Bot", Habit("UTC", 0.0, 5.0, 7.0), (("", 100, True, None),), 7.5),
)  # fmt: skip
_SPARE_ID = 1010


class Cast:
    """Everybody who acts, with a calendar each; `start` and `end` bound all activity."""

    def __init__(self, start: int, end: int) -> None:
        self.rhythms = {role.login: Rhythm(role.habit, start, end) for role in ROLES}
        self._roles = {role.login: role for role in ROLES}

    def signature(self, rng: random.Random, login: str, at: int) -> Signature:
        """How this person signs a commit at that moment: one of their addresses, their zone's offset."""
        role = self._roles[login]
        shares = [share for _, share, _, _ in role.addresses]
        address = rng.choices(role.addresses, shares)[0][0] or _noreply(role)
        return Signature(role.name or login, address, at, self.rhythms[login].offset_min(at))

    def plain_signature(self, login: str, at: int) -> Signature:
        """How this person signs with their first address."""
        role = self._roles[login]
        address = role.addresses[0][0] or _noreply(role)
        return Signature(role.name or login, address, at, self.rhythms[login].offset_min(at))

    def trailer(self, login: str) -> str:
        role = self._roles[login]
        return f"Co-authored-by: {role.name} <{role.addresses[-1][0] or _noreply(role)}>"


def _noreply(role: Role) -> str:
    return f"{role.id}+{role.login}@users.noreply.github.com"


def settle(world: World) -> None:
    """Put the people, the organisation and its team into the world."""
    for role in ROLES:
        world.people[role.login] = _person(role, world.now)
    members = ["alice", "bob", "carol", "zoe-l"]
    founded = world.now - int(6.5 * 365 * DAY)
    world.people[ORGANIZATION] = Person(
        _SPARE_ID, node_id("O", _SPARE_ID), ORGANIZATION, "Fernhill", "Organization", [], founded, members
    )
    world.teams[TEAM] = Team(501, node_id("T", 501), TEAM, "Tide crew", ORGANIZATION, ["alice", "zoe-l"])


def _person(role: Role, now: int) -> Person:
    given = [Email(a, i == 0, ok, seen) for i, (a, _, ok, seen) in enumerate(role.addresses) if a]
    if role.kind == "User":
        given.append(Email(_noreply(role), not given, True, None))
    prefix = "BOT" if role.kind == "Bot" else "U"
    created = now - int(role.years * 365 * DAY)
    return Person(role.id, node_id(prefix, role.id), role.login, role.name or None, role.kind, given, created)
