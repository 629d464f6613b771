"""What replicas share: the same promises in one process and in Redis, and what happens without Redis."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import pytest
import redis_server
from local_broker import broker_environment

from trackeep.broker import memory
from trackeep.broker.memory import InProcess, Memory, MemoryAway, Names
from trackeep.broker.memory_choice import choose
from trackeep.environment import broker_settings
from trackeep.errors import SettingsError

pytestmark = pytest.mark.anyio

SECRET = "a client secret that all replicas have"


def in_redis(url: str, clock: Callable[[], float] = time.time) -> Memory:
    environ = broker_environment("http://127.0.0.1:1", TRACKEEP_BROKER_REDIS_URL=url)
    return choose(broker_settings(environ), clock)


@pytest.fixture(params=["in process", "in redis"])
async def shared(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Memory, Memory]]:
    """What two replicas work with: for one process both are the same."""
    async with AsyncExitStack() as stack:
        if request.param == "in process":
            one: Memory = InProcess(Names(SECRET), time.time)
            yield one, one
            return
        server: redis_server.RedisServer = request.getfixturevalue("redis")
        server.forget()
        first, second = in_redis(server.url), in_redis(server.url)
        stack.push_async_callback(first.aclose)
        stack.push_async_callback(second.aclose)
        yield first, second


async def test_counts_are_shared_and_end_with_their_window(shared: tuple[Memory, Memory]) -> None:
    """Both replicas count into one window, which tells how long it lasts and then begins anew."""
    first, second = shared
    assert (await first.count("mallory", 1)).number == 1
    counted = await second.count("mallory", 1, 4)
    assert counted.number == 5
    assert 0 < counted.ends_in_s <= 1
    assert (await second.count("alice", 1)).number == 1
    await asyncio.sleep(1.05)
    assert (await first.count("mallory", 1)).number == 1


async def test_what_was_seen_is_known_to_both_until_it_ends(shared: tuple[Memory, Memory]) -> None:
    """Of twenty who bring the same value at once, one is the first."""
    first, second = shared
    answers = await asyncio.gather(*((first, second)[n % 2].seen("proof", 1) for n in range(20)))
    assert sorted(answers) == [False] + [True] * 19
    assert not await second.seen("another", 1)
    await asyncio.sleep(1.05)
    assert not await second.seen("proof", 1)


async def test_what_is_kept_is_found_by_both_until_it_ends(shared: tuple[Memory, Memory]) -> None:
    """Bytes come back as they were, and are gone in time."""
    first, second = shared
    assert await first.kept("answer") is None
    await first.keep("answer", b"\x00sealed\xff", 1)
    assert await second.kept("answer") == b"\x00sealed\xff"
    await asyncio.sleep(1.05)
    assert await second.kept("answer") is None


async def test_a_lock_has_one_holder_among_all_replicas(shared: tuple[Memory, Memory]) -> None:
    """Forty who want it hold it one after the other; another lock is free meanwhile."""
    inside, most, served = 0, 0, 0

    async def work(mine: Memory) -> None:
        nonlocal inside, most, served
        async with mine.lock("token", 20):
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0.001)
            inside -= 1
            served += 1

    async with shared[0].lock("something else", 20):
        await asyncio.gather(*(work(shared[n % 2]) for n in range(40)))
    assert (most, served) == (1, 40)


async def test_a_lock_is_free_again_after_an_error_and_after_a_death(redis: redis_server.RedisServer) -> None:
    """A holder that fails lets go at once; one that was killed lets go when its time is over."""
    alive, dead = in_redis(redis.url), in_redis(redis.url)
    with pytest.raises(ValueError, match="went wrong"):
        async with alive.lock("token", 60):
            raise ValueError("went wrong")
    held = dead.lock("token", 1)
    await held.__aenter__()
    began = time.monotonic()
    async with alive.lock("token", 5):
        assert 0.5 < time.monotonic() - began < 30
    await held.__aexit__(None, None, None)
    await asyncio.gather(alive.aclose(), dead.aclose())


async def test_whoever_reads_redis_learns_no_name(redis: redis_server.RedisServer) -> None:
    """Keys are keyed hashes below our own prefix; every one of them ends by itself."""
    redis.forget()
    mine = in_redis(redis.url)
    await mine.count("start 203.0.113.7", 60)
    await mine.count("person 4711", 60)
    await mine.seen("https://home.example", 60)
    await mine.keep("alice", b"sealed", 60)
    everything = redis.everything()
    assert len(everything) == 4
    for key in everything:
        assert key.startswith(b"trackeep:")
        assert not any(name in key for name in (b"203.0", b"4711", b"home", b"alice"))
        assert redis._ask(b"PTTL " + key) != b":-1\r\n"
    await mine.aclose()


async def test_without_redis_counting_goes_on_and_nothing_unsafe_does() -> None:
    """Each replica counts for itself; locks and answers say 503; when Redis is back, it is used again."""
    server = redis_server.start()
    mine = in_redis(server.url)
    try:
        assert (await mine.count("mallory", 60)).number == 1
        server.stop()
        began = time.monotonic()
        assert [(await mine.count("mallory", 60)).number for _ in range(3)] == [1, 2, 3]
        assert time.monotonic() - began < 3
        for question in (mine.keep("a", b"b", 60), mine.kept("a"), mine.seen("a", 60)):
            with pytest.raises(MemoryAway) as caught:
                await question
            assert caught.value.status == 503
        with pytest.raises(MemoryAway):
            async with mine.lock("a", 5):
                pytest.fail("the lock was given without Redis")
        server.start()
        await mine.keep("a", b"b", 60)
        assert await mine.kept("a") == b"b"
    finally:
        await mine.aclose()
        redis_server.end(server)


async def test_a_flood_of_names_does_not_eat_the_memory() -> None:
    """Past the bound what has ended goes first, then the oldest; locks leave nothing behind."""
    now = 1000.0
    mine = InProcess(Names(SECRET), lambda: now)
    await mine.count("lasting", 3600)
    for number in range(memory.MOST_ENTRIES - 1):
        await mine.count(f"flood {number}", 60)
    now += 61
    await mine.count("one more", 60)
    assert len(mine._counts) == 2
    assert (await mine.count("lasting", 3600)).number == 2
    for number in range(memory.MOST_ENTRIES + 10):
        await mine.count(f"second flood {number}", 60)
    assert len(mine._counts) == memory.MOST_ENTRIES
    async with mine.lock("token", 1):
        pass
    assert mine._locks == {}


def test_a_wrong_address_is_told_without_its_password() -> None:
    """Only Redis addresses are taken."""
    with pytest.raises(SettingsError, match=r"TRACKEEP_BROKER_REDIS_URL must start with redis://") as caught:
        in_redis("http://me:correct-horse@redis.example")
    assert "correct-horse" not in str(caught.value)
