"""Remembered consent: asked once, then only when something is different or somebody else began it."""

import secrets

import pytest
from joserfc.jwk import ECKey
from local_broker import NOW, LocalBroker, serve
from programs import Program
from registered import post, register
from visitor import Answer, Start, Visitor

from trackeep.handshake import dpop, messages

pytestmark = pytest.mark.anyio

FROM_THERE = {"referer": "http://localhost:8080/", "sec_fetch_site": "same-site"}
PUBLIC = Start("https://home.example")
FROM_PUBLIC = {"referer": "https://home.example/"}


async def push(alice: Visitor, broker: LocalBroker, start: Start, key: ECKey) -> str:
    """The link to a request that the instance's server pushed with a proof of its key."""
    request = messages.StartRequest(
        start.base_url, start.state, messages.code_challenge(start.verifier), scopes=start.scopes
    )
    url = f"{broker.url}/par"
    shown = dpop.make_proof(key, "POST", url, int(broker.clock.now), secrets.token_urlsafe(12))
    form = {**messages.start_parameters(request), "client_id": start.base_url}
    status, body = await post(alice, "/par", form, DPoP=shown)
    assert status == 201, body
    return messages.pushed_url(broker.url, start.base_url, body["request_uri"])


async def agree_to(alice: Visitor, url: str, **choice: bool) -> Answer:
    page = await alice.get(url)
    assert page.status == 200, page.location
    return await alice.agree(page, **choice)


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
        Start(with_code=False),
    ],
)
async def test_anything_else_than_before_is_asked_about(sandbox: Program, changed: Start) -> None:
    """What was agreed to is this address with these scopes and a code, and nothing more."""
    async with serve(sandbox.url) as broker, Visitor(broker.url) as alice:
        await alice.log_in(Start())
        referer = changed.base_url.replace("/other", "") + "/"
        page = await alice.get(changed.url(broker.url), **{**FROM_THERE, "referer": referer})
        narrower = await alice.get(Start(scopes=("read:user",)).url(broker.url), **FROM_THERE)
    assert page.status == 200
    assert narrower.status == 303


async def test_a_public_address_is_remembered_when_the_person_wants_it(sandbox: Program) -> None:
    """The box is empty at first; ticked, the next click on the address's own page goes straight on."""
    async with serve(sandbox.url) as broker, Visitor(broker.url) as alice:
        page = await alice.get(PUBLIC.url(broker.url))
        assert "Remember this instance in this browser" in page.text
        assert not page.is_ticked
        await alice.agree(page)
        assert (await alice.get(PUBLIC.url(broker.url), **FROM_PUBLIC)).status == 200
        await agree_to(alice, PUBLIC.url(broker.url), remember=True)
        assert (await alice.get(PUBLIC.url(broker.url), **FROM_PUBLIC)).status == 303
        assert (await alice.get(PUBLIC.url(broker.url))).status == 200


async def test_an_emptied_box_forgets(sandbox: Program) -> None:
    """Whoever is shown the page again and leaves the box empty is asked every time from then on."""
    async with serve(sandbox.url) as broker, Visitor(broker.url) as alice:
        await agree_to(alice, Start().url(broker.url))
        assert (await alice.get(Start().url(broker.url), **FROM_THERE)).status == 303
        await agree_to(alice, Start().url(broker.url), remember=False)
        assert (await alice.get(Start().url(broker.url), **FROM_THERE)).status == 200


@pytest.mark.parametrize("base_url", ["http://nas.local:8080", "http://192.168.1.5", "http://nas"])
async def test_http_on_a_local_network_is_asked_about_every_time(sandbox: Program, base_url: str) -> None:
    """No box is offered, and one that is sent all the same changes nothing."""
    async with serve(sandbox.url) as broker, Visitor(broker.url) as alice:
        page = await alice.get(Start(base_url).url(broker.url))
        assert 'name="remember"' not in page.text
        answer = await alice.agree(page, remember=True)
        assert not any("remembered" in cookie for cookie in answer.set_cookies)
        assert (await alice.get(Start(base_url).url(broker.url), referer=f"{base_url}/")).status == 200


async def test_https_on_a_local_network_is_remembered_like_any_other(sandbox: Program) -> None:
    """What counts is that nobody on the way can begin a login there."""
    start = Start("https://nas.local")
    async with serve(sandbox.url) as broker, Visitor(broker.url) as alice:
        await agree_to(alice, start.url(broker.url), remember=True)
        assert (await alice.get(start.url(broker.url), referer="https://nas.local/")).status == 303


async def test_a_request_pushed_with_the_same_key_needs_no_referer(sandbox: Program) -> None:
    """The instance's own server asked; another key at the same address is somebody else."""
    key, other = ECKey.generate_key("P-256"), ECKey.generate_key("P-256")
    async with serve(sandbox.url) as broker, Visitor(broker.url) as alice:
        await agree_to(alice, await push(alice, broker, PUBLIC, key), remember=True)
        assert (await alice.get(await push(alice, broker, PUBLIC, key))).status == 303
        assert (await alice.get(await push(alice, broker, PUBLIC, other), **FROM_PUBLIC)).status == 200
        wider = Start(PUBLIC.base_url, scopes=(*PUBLIC.scopes, "read:org"))
        assert (await alice.get(await push(alice, broker, wider, key))).status == 200
        assert (await alice.get(PUBLIC.url(broker.url))).status == 200


async def test_a_registered_program_is_remembered_by_its_id(sandbox: Program) -> None:
    """Who you are is not GitHub's token, and another program with the same address is another program."""
    headers = {"referer": "http://localhost:8765/"}
    async with serve(sandbox.url) as broker, Visitor(broker.url) as alice:
        program, another = await register(broker.url), await register(broker.url, client_name="Another")
        page = await alice.get(program.url())
        assert "Remember this program in this browser" in page.text
        await alice.agree(page)
        assert (await alice.get(program.url(), **headers)).status == 303
        assert (await alice.get(program.url(scope="openid"), **headers)).status == 303
        assert (await alice.get(another.url(), **headers)).status == 200
        assert (await alice.get(program.url(scope="openid github repo"), **headers)).status == 200
        assert (await alice.get(program.url(prompt="consent"), **headers)).status == 200


async def test_a_consent_is_forgotten_after_ninety_days(sandbox: Program) -> None:
    """A quarter later the question is asked anew."""
    async with serve(sandbox.url) as broker, Visitor(broker.url) as alice:
        await alice.log_in(Start())
        broker.clock.now = NOW + 90 * 86_400 + 1
        assert (await alice.get(Start().url(broker.url), **FROM_THERE)).status == 200


@pytest.mark.parametrize(
    ("setting", "first", "second"), [("always", 200, 200), ("first", 200, 303), ("never", 303, 303)]
)
async def test_the_operator_chooses(sandbox: Program, setting: str, first: int, second: int) -> None:
    """`always`, `first` and `never` do what they say, on loopback alone."""
    async with serve(sandbox.url, loopback_consent=setting) as broker, Visitor(broker.url) as alice:
        assert (await alice.begin(Start())).status == first
        await (alice.log_in_without_asking(Start()) if first == 303 else alice.log_in(Start()))
        assert (await alice.get(Start().url(broker.url), **FROM_THERE)).status == second
        assert (await alice.begin(PUBLIC)).status == 200


async def test_many_remembered_addresses_fit_into_a_cookie(sandbox: Program) -> None:
    """The newest 25 stay, the oldest go, and the cookie stays below what browsers keep."""
    everything = messages.KNOWN_SCOPES
    async with serve(sandbox.url) as broker, Visitor(broker.url) as alice:
        for port in range(8000, 8040):
            await alice.agree(await alice.begin(Start(f"http://localhost:{port}/{'a' * 400}")))
        remembered = [value for name, value in alice.cookies["localhost"].items() if "remembered" in name]
        assert len(remembered[0]) < 3_600
        for port, status in ((8039, 303), (8015, 303), (8014, 200)):
            start = Start(f"http://localhost:{port}/{'a' * 400}")
            headers = {**FROM_THERE, "referer": f"http://localhost:{port}/"}
            assert (await alice.get(start.url(broker.url), **headers)).status == status
        for port in range(9000, 9030):
            await alice.agree(await alice.begin(Start(f"http://localhost:{port}", scopes=everything)))
        remembered = [value for name, value in alice.cookies["localhost"].items() if "remembered" in name]
        assert len(remembered[0]) < 3_600


async def test_never_asking_holds_for_codes_alone(sandbox: Program) -> None:
    """A bare token is minted as soon as GitHub answers, so that mode asks whatever the operator chose."""
    async with serve(sandbox.url, loopback_consent="never") as broker, Visitor(broker.url) as alice:
        assert (await alice.begin(Start(with_code=False))).status == 200
