"""The many people and organisations of a generated world: names, addresses, zones, who works with whom."""

from __future__ import annotations

import random
from dataclasses import dataclass
from itertools import accumulate

from trackeep.sandbox.cast import Cast
from trackeep.sandbox.history import signed
from trackeep.sandbox.rhythm import DAY
from trackeep.sandbox.world import Email, Person, Signature, World, node_id

_GIVEN = (
    "Ada Amir Anja Arun Bea Bruno Chiara Dana Deniz Edda Elif Emil Esra Farid Femi Finn Gita Hana Hugo "
    "Ines Ivo Jana Jonas Juno Kaya Kei Lars Leila Lena Luca Mara Mei Milan Mina Nadia Nils Noor Olga "
    "Omar Pia Ravi Rosa Sami Sofia Tariq"
)
_FAMILY = (
    "Abel Adler Amado Banks Bauer Becker Castro Chen Cole Dahl Diaz Duval Egger Faber Fischer Gale "
    "Garcia Haas Hansen Horn Ivers Jansen Kato Keller Kim Klein Lang Lima Lund Marin Mendes Moss Nash "
    "Novak Olsen Park Patel Quist Reyes Roth Sato Silva Stone Tanaka Weber"
)
_ZONES_MIN = (0, 60, 60, 120, 120, 180, 330, 345, 480, 540, 600, -180, -240, -300, -300, -360, -420, -480)
_ORGANIZATIONS = (
    "amberworks blueharbor cedarlab deepmeadow eastgate fieldstone glasshouse highmoor inkwell juniper "
    "kilnworks lowtide millrace northpier oakbridge pebble quayside ridgeline saltmarsh tallgrass"
)
_FIRST_PERSON_ID, _FIRST_ORGANIZATION_ID = 200_000, 90_000
LARGEST = 2_000


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody who commits: always with the same name, address and distance from UTC."""

    login: str
    name: str
    address: str
    offset_min: int

    def sign(self, at: int) -> bytes:
        return signed(Signature(self.name, self.address, at, self.offset_min)).encode()


@dataclass(frozen=True, slots=True)
class Team:
    """The people of one repository; `sums` are their running shares of the work, alice's among them."""

    members: tuple[Member | None, ...]
    sums: tuple[float, ...]

    def somebody(self, rng: random.Random) -> Member | None:
        """One of them by share; None is alice, whose addresses and zone change."""
        return rng.choices(self.members, cum_weights=self.sums)[0]


class Crowd:
    """Settles people and organisations in a world and forms teams of them."""

    def __init__(self, world: World, count: int) -> None:
        rng = random.Random(f"{world.seed}/crowd")
        names = [(given, family) for given in _GIVEN.split() for family in _FAMILY.split()]
        self.members = [
            self._settle(world, rng, number, name) for number, name in enumerate(rng.sample(names, count))
        ]
        self.organizations = _ORGANIZATIONS.split()
        for number, login in enumerate(self.organizations):
            database_id = _FIRST_ORGANIZATION_ID + number
            world.people[login] = Person(
                database_id, node_id("O", database_id), login, login.capitalize(), "Organization", [],
                world.now - 11 * 365 * DAY, ["alice"],
            )  # fmt: skip

    def team(self, rng: random.Random, commits: int, alices_share: float) -> Team:
        """A few people for a small repository, up to hundreds for a large one; the first do the most."""
        size = min(len(self.members), max(1, int(commits**0.5 * rng.uniform(0.5, 1.5))))
        shares = [1 / (place + 1) for place in range(size)]
        alice = alices_share / (1 - alices_share) * sum(shares)
        return Team((None, *rng.sample(self.members, size)), tuple(accumulate((alice, *shares))))

    def _settle(self, world: World, rng: random.Random, number: int, name: tuple[str, str]) -> Member:
        """One in ten commits with an address that GitHub does not know."""
        login, database_id = "-".join(name).lower(), _FIRST_PERSON_ID + number
        address = f"{login.replace('-', '.')}@{rng.choice(('mail', 'work', 'home'))}.example"
        person = Person(
            database_id, node_id("U", database_id), login, " ".join(name), "User",
            [Email(address, True, rng.random() >= 0.1, "public")],
            world.now - rng.randint(200, 4_000) * DAY,
        )  # fmt: skip
        world.people[login] = person
        used = person.noreply if rng.random() < 0.35 else address
        return Member(login, " ".join(name), used, rng.choice(_ZONES_MIN))


def alices_signature(cast: Cast, rng: random.Random, at: int) -> bytes:
    return signed(cast.signature(rng, "alice", at)).encode()
