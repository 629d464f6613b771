"""People who come to the local GitHub later, each with a repository of their own and a few shared ones."""

from trackeep.sandbox.relics import Relics
from trackeep.sandbox.world import Email, Person, Repository, World, node_id

# The smallest of those with pull requests, so that a crowd can read them in a moment.
SHARED_BY_ALL = 6


def arrive(world: World, relics: Relics, count: int, shared: int) -> list[tuple[Person, list[Repository]]]:
    """`count` new people, each with a new repository (not in the world yet) and some `shared` ones."""
    busy = [each for each in world.repositories.values() if each.pulls and not each.archived]
    small = sorted(busy, key=lambda each: len(each.commits) + 10 * len(each.pulls))[:SHARED_BY_ALL]
    return [
        (person, [own, *(small * 2)[n % len(small) :][:shared]])
        for n, (person, own) in enumerate(_newcomer(world, relics, n) for n in range(count))
    ]


def settle(world: World, person: Person, works_on: list[Repository]) -> None:
    """Make them part of the world; only where nobody goes through it at the same time."""
    world.welcome(person)
    for repository in works_on:
        world.repositories[repository.id] = repository
        if repository.owner != person.login:
            repository.collaborators[person.login] = "push"


def _newcomer(world: World, relics: Relics, n: int) -> tuple[Person, Repository]:
    made = world.new_id()
    login = f"guest-{made}"
    noreply = Email(f"{made}+{login}@users.noreply.github.com", primary=True, verified=True, visibility=None)
    name = f"Guest {made}"
    person = Person(made, node_id("U", made), login, name, "User", [noreply], int(world.now))
    own = relics.make(
        {
            **{"owner": login, "name": "notes", "kind": "many-refs", "private": True},
            **{"commits": 5 + n % 7, "branches": 1 + n % 3, "tags": n % 2},
        }
    )
    return person, own
