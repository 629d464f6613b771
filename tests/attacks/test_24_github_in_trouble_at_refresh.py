"""Attack 24: GitHub has a bad minute exactly when a token is refreshed."""

from collections.abc import Iterator

import pytest
from local_broker import EXPIRING_APP, serve
from refreshing import error_of, log_in, refresh
from sandbox_control import Sandbox
from visitor import Start, Visitor

pytestmark = pytest.mark.anyio

HOME = Start("http://localhost:8080")
EXCHANGE = "POST /login/oauth/access_token"


@pytest.fixture
def github(changing: Sandbox) -> Iterator[Sandbox]:
    yield changing
    changing.ask("/faults", method="DELETE")


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "status": 500},
        {"kind": "status", "status": 502},
        {"kind": "status", "status": 429},
        {"kind": "html", "status": 503},
        {"kind": "html", "status": 200},
        {"kind": "json"},
        {"kind": "timeout", "delay_s": 0.1},
    ],
    ids=lambda fault: "-".join(map(str, fault.values())),
)
async def test_trouble_is_never_called_a_dead_token(github: Sandbox, fault: dict[str, object]) -> None:
    """503 with Retry-After whatever GitHub does; the same refresh token works a moment later."""
    async with serve(github.url, app=EXPIRING_APP) as broker, Visitor(broker.url) as home:
        pair = await log_in(home, HOME)
        github.ask("/faults", {"match": EXCHANGE, "times": 1, **fault})
        answer = await refresh(home, HOME, pair.refresh_token)
        assert (answer.status, error_of(answer)) == (503, "temporarily_unavailable")
        assert int(answer.headers["Retry-After"]) > 0
        assert (await refresh(home, HOME, pair.refresh_token)).status == 200


async def test_a_pair_lost_between_github_and_the_service_is_lost(github: Sandbox) -> None:
    """GitHub's answer is cut after it rotated: trouble first, and only then the truth."""
    async with serve(github.url, app=EXPIRING_APP) as broker, Visitor(broker.url) as home:
        pair = await log_in(home, HOME)
        github.fault(EXCHANGE, "cut")
        assert (await refresh(home, HOME, pair.refresh_token)).status == 503
        assert error_of(await refresh(home, HOME, pair.refresh_token)) == "invalid_grant"


async def test_a_dead_token_is_called_one(github: Sandbox) -> None:
    """GitHub says `bad_refresh_token` with status 200: the instance hears invalid_grant."""
    async with serve(github.url, app=EXPIRING_APP) as broker, Visitor(broker.url) as home:
        pair = await log_in(home, HOME)
        await home.post(f"{broker.url}/revoke", {"token": pair.access_token})
        answer = await refresh(home, HOME, pair.refresh_token)
        assert (answer.status, error_of(answer)) == (400, "invalid_grant")
        assert "Retry-After" not in answer.headers
