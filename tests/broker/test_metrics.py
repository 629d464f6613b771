"""What the operator can read at /metrics: the counts of every step, no names, and nobody else reads it."""

from __future__ import annotations

import json
import re
import socket
from pathlib import Path

import aiohttp
import pytest
from local_broker import LocalBroker, broker_environment, serve
from programs import Program, start
from prometheus_client.parser import text_string_to_metric_families
from sandbox_control import Sandbox
from visitor import Start, Visitor

from trackeep.broker.metrics import MOST_REASONS, Metrics

pytestmark = pytest.mark.anyio
ROOT = Path(__file__).resolve().parents[2]


async def read(url: str, **headers: str) -> str:
    async with aiohttp.ClientSession() as http, http.get(f"{url}/metrics", headers=headers) as answer:
        assert answer.status == 200
        assert answer.headers["Content-Type"].startswith("text/plain; version=")
        return await answer.text()


def values(text: str) -> dict[str, float]:
    """`name{label}` -> value, of our own metrics."""
    return {
        sample.name + "".join(f"{{{value}}}" for _, value in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name.startswith("trackeep_") and not sample.name.endswith(("_bucket", "_created"))
    }


async def test_every_step_of_a_login_is_counted(sandbox: Program) -> None:
    """Starts, consents, logins by mode, redemptions, and how long GitHub took by call."""
    async with serve(sandbox.url) as broker, Visitor(broker.url) as alice:
        login = Start("https://home.example")
        code = (await alice.log_in(login)).query["code"]
        assert (await alice.redeem(login, code)).status == 200
        await alice.log_in(Start("https://home.example", with_code=False))
        counted = values(await read(broker.url))
    assert counted["trackeep_broker_starts_total"] == 2
    assert counted["trackeep_broker_consents_total"] == 2
    assert counted["trackeep_broker_logins_total{code}"] == 1
    assert counted["trackeep_broker_logins_total{token}"] == 1
    assert counted["trackeep_broker_redemptions_total"] == 1
    for call in ("token", "user", "emails"):
        assert counted[f"trackeep_broker_github_seconds_count{{{call}}}"] == 2


async def test_failures_are_counted_by_reason(changing: Sandbox) -> None:
    """A wrong code, a missing target, no such page, a person who said no, GitHub away."""
    async with serve(changing.url) as broker, Visitor(broker.url) as alice:
        login = Start()
        code = (await alice.log_in(login)).query["code"]
        assert (await alice.redeem(login, code, code_verifier="v" * 43)).status == 400
        changing.fault("POST /login/oauth/access_token", "status", status=502)
        assert (await alice.redeem(login, code)).status == 503
        await alice.get(f"{broker.url}/auth/github")
        await alice.get(f"{broker.url}/nothing-here")
        onward = (await alice.agree(await alice.begin(Start()))).onward
        state = re.search(r"[?&]state=([^&]+)", onward)
        assert state
        await alice.get(f"{broker.url}/auth/github/callback?error=access_denied&state={state[1]}")
        counted = values(await read(broker.url))
    reasons = ("invalid_grant", "temporarily_unavailable", "bad_request", "http_404", "access_denied")
    for reason in reasons:
        assert counted[f"trackeep_broker_failures_total{{{reason}}}"] == 1, reason


async def test_no_label_names_a_person_or_a_target(sandbox: Program) -> None:
    """After logins of two people at two targets the text holds none of their names, nor any secret."""
    secrets: list[str] = []
    async with serve(sandbox.url) as broker, Visitor(broker.url, "203.0.113.9") as visitor:
        for login_name, target in (("alice", "https://home.example"), ("bob", "http://localhost:8123")):
            login = Start(target)
            code = (await visitor.log_in(login, login_name)).query["code"]
            redeemed = json.loads((await visitor.redeem(login, code)).text)
            secrets += [code, login.state, login.verifier, redeemed["access_token"], redeemed["token"]]
        text = await read(broker.url)
    for name in ("alice", "bob", "home.example", "localhost", "8123", "203.0.113", *secrets):
        assert name not in text


async def test_only_the_operator_reads_them(sandbox: Program) -> None:
    """Whoever comes through the proxy, or by the public name, finds the same nothing as anywhere else."""
    async with serve(sandbox.url, base_url="https://login.example") as broker:
        assert "trackeep_broker_starts_total" in await read(broker.url)
        for header, value in (
            ("X-Forwarded-For", "127.0.0.1"),
            ("Forwarded", "for=127.0.0.1"),
            ("X-Real-IP", "127.0.0.1"),
            ("Via", "1.1 proxy"),
            ("Host", "login.example"),
        ):
            assert await outcome(broker, "/metrics", header, value) == 404
            there = await body(broker, "/metrics", header, value)
            assert there == await body(broker, "/nothing", header, value)


async def test_a_machine_elsewhere_does_not_read_them(sandbox: Program) -> None:
    """Only this computer and the trusted proxies' own addresses: every other interface gets a 404."""
    own = own_address()
    env = broker_environment(sandbox.url, TRACKEEP_BROKER_HOST="0.0.0.0")
    program = start("broker", "serve", "--dev", "--port", "0", env=env)
    try:
        port = program.url.rpartition(":")[2].rstrip("/")
        assert "trackeep_broker_starts_total" in await read(f"http://127.0.0.1:{port}")
        if own is not None:
            async with aiohttp.ClientSession() as http, http.get(f"http://{own}:{port}/metrics") as answer:
                assert answer.status == 404
    finally:
        program.stop()


async def test_replicas_and_neighbours_count_for_themselves(sandbox: Program) -> None:
    """Two services in one process have two sets of counts; Prometheus adds them up."""
    async with serve(sandbox.url) as one, serve(sandbox.url) as other, Visitor(one.url) as alice:
        await alice.begin(Start())
        assert values(await read(one.url))["trackeep_broker_starts_total"] == 1
        assert values(await read(other.url))["trackeep_broker_starts_total"] == 0


def test_reasons_are_bounded() -> None:
    """However many codes there are, there are at most so many labels; limits have a counter of their own."""
    metrics = Metrics()
    for n in range(500):
        metrics.failed(f"reason_{n}")
    metrics.failed("rate_limited")
    metrics.limited("start")
    counted = values(metrics.text().decode())
    failures = {name: value for name, value in counted.items() if "failures_total" in name}
    assert len(failures) == MOST_REASONS + 1
    assert failures["trackeep_broker_failures_total{other}"] == 500 - MOST_REASONS
    assert counted["trackeep_broker_limited_total{start}"] == 1


def test_the_dashboard_asks_for_what_there_is() -> None:
    """Every metric and every label that the Grafana dashboard names is one of ours."""
    metrics = Metrics()
    for count in (metrics.started, metrics.consented, metrics.redeemed):
        count()
    for named in (metrics.signed_in, metrics.refreshed, metrics.failed, metrics.limited):
        named("x")
    metrics.asked_github("token", 0.1)
    families = text_string_to_metric_families(metrics.text().decode())
    ours = {sample.name: set(sample.labels) for family in families for sample in family.samples}
    dashboard = json.loads((ROOT / "docs" / "grafana" / "broker.json").read_text())
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    names = {name for expr in asked for name in re.findall(r"(?:trackeep|process)_\w+", expr)}
    assert names <= set(ours)
    assert {name for name in ours if name.startswith("trackeep_") and name.endswith("_total")} <= names
    for expr in asked:
        for labels in re.findall(r"by \(([^)]+)\)", expr):
            name = re.findall(r"trackeep_\w+", expr)[0]
            assert set(labels.split(", ")) <= ours[name]


async def outcome(broker: LocalBroker, path: str, header: str, value: str) -> int:
    asked = {header: value}
    async with aiohttp.ClientSession() as http, http.get(broker.url + path, headers=asked) as answer:
        return answer.status


async def body(broker: LocalBroker, path: str, header: str, value: str) -> dict[str, str]:
    asked = {header: value}
    async with aiohttp.ClientSession() as http, http.get(broker.url + path, headers=asked) as answer:
        said: dict[str, str] = await answer.json()
        return {name: text for name, text in said.items() if name != "request_id"}


def own_address() -> str | None:
    """An address of this computer that is not loopback, when it has one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            # Nothing is sent: the system only says from where it would be.
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return None
        address = str(probe.getsockname()[0])
    return None if address.startswith("127.") else address
