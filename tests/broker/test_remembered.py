"""Consent on the visitor's own computer: asked once, then only when something is different."""

import pytest
from local_broker import NOW, serve
from programs import Program
from visitor import Start, Visitor

pytestmark = pytest.mark.anyio

FROM_THERE = {"referer": "http://localhost:8080/", "sec_fetch_site": "same-site"}


async def test_the_second_login_goes_straight_to_github(sandbox: Program) -> None:
    """The person clicked on the instance's own page again: no second question, by redirect."""
    start = Start()
    async with serve(sandbox.url) as broker, Visitor(broker.url) as alice:
        await alice.log_in(start)
        again = await alice.get(start.url(broker.url), **FROM_THERE)
        assert again.status == 303
        answer = await alice.get(await alice.sign_in_at_github(again.location))
        assert answer.query["state"] == start.state


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"referer": "https://mallory.example/"},
        {"referer": "http://localhost:8081/"},
        {"referer": "http://localhost:8080.mallory.example/"},
        {**FROM_THERE, "sec_fetch_user": ""},
        {**FROM_THERE, "sec_fetch_dest": "iframe"},
        {**FROM_THERE, "sec_fetch_mode": "no-cors"},
    ],
)
async def test_a_start_from_elsewhere_is_asked_about(sandbox: Program, headers: dict[str, str]) -> None:
    """Only the person's own click on the instance's page counts."""
    async with serve(sandbox.url) as broker, Visitor(broker.url) as alice:
        await alice.log_in(Start())
        page = await alice.get(Start().url(broker.url), **headers)
    assert page.status == 200
    assert not page.starts_a_login


@pytest.mark.parametrize(
    "changed",
    [
        Start("http://localhost:8080/other"),
        Start("https://localhost:8080"),
        Start(scopes=("repo", "read:user", "user:email", "read:org")),
    ],
)
async def test_another_path_or_a_wider_scope_is_asked_about(sandbox: Program, changed: Start) -> None:
    """What was agreed to is this address with these scopes, and nothing more."""
    async with serve(sandbox.url) as broker, Visitor(broker.url) as alice:
        await alice.log_in(Start())
        referer = changed.base_url.replace("/other", "") + "/"
        page = await alice.get(changed.url(broker.url), **{**FROM_THERE, "referer": referer})
        narrower = await alice.get(Start(scopes=("read:user",)).url(broker.url), **FROM_THERE)
    assert page.status == 200
    assert narrower.status == 303


async def test_a_consent_is_forgotten_after_ninety_days(sandbox: Program) -> None:
    """A quarter later the question is asked anew."""
    async with serve(sandbox.url) as broker, Visitor(broker.url) as alice:
        await alice.log_in(Start())
        broker.clock.now = NOW + 90 * 86_400 + 1
        assert (await alice.get(Start().url(broker.url), **FROM_THERE)).status == 200


async def test_a_public_address_is_asked_about_every_time(sandbox: Program) -> None:
    """Only addresses on the visitor's own computer are remembered."""
    start = Start("https://home.example")
    async with serve(sandbox.url) as broker, Visitor(broker.url) as alice:
        await alice.log_in(start)
        headers = {**FROM_THERE, "referer": "https://home.example/"}
        assert (await alice.get(start.url(broker.url), **headers)).status == 200


@pytest.mark.parametrize(
    ("setting", "first", "second"), [("always", 200, 200), ("first", 200, 303), ("never", 303, 303)]
)
async def test_the_operator_chooses(sandbox: Program, setting: str, first: int, second: int) -> None:
    """`always`, `first` and `never` do what they say, on loopback alone."""
    async with serve(sandbox.url, loopback_consent=setting) as broker, Visitor(broker.url) as alice:
        assert (await alice.begin(Start())).status == first
        await (alice.log_in_without_asking(Start()) if first == 303 else alice.log_in(Start()))
        assert (await alice.get(Start().url(broker.url), **FROM_THERE)).status == second
        assert (await alice.begin(Start("https://home.example"))).status == 200


async def test_many_remembered_addresses_fit_into_a_cookie(sandbox: Program) -> None:
    """The newest stay, the oldest go, and the cookie stays below what browsers keep."""
    async with serve(sandbox.url) as broker, Visitor(broker.url) as alice:
        for port in range(8000, 8040):
            await alice.agree(await alice.begin(Start(f"http://localhost:{port}/{'a' * 60}")))
        remembered = [value for name, value in alice.cookies["localhost"].items() if "remembered" in name]
        assert len(remembered[0]) < 3_600
        newest = Start(f"http://localhost:8039/{'a' * 60}")
        headers = {**FROM_THERE, "referer": "http://localhost:8039/"}
        assert (await alice.get(newest.url(broker.url), **headers)).status == 303


async def test_never_asking_holds_for_codes_alone(sandbox: Program) -> None:
    """A bare token is minted as soon as GitHub answers, so that mode asks whatever the operator chose."""
    async with serve(sandbox.url, loopback_consent="never") as broker, Visitor(broker.url) as alice:
        assert (await alice.begin(Start(with_code=False))).status == 200
