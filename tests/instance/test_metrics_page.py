"""What the operator can read at /metrics: figures without names, for whoever has the token."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from api_client import NOWHERE, Api, small_api
from local_instance import Guest, serve
from prometheus_client.parser import text_string_to_metric_families
from small_world import ALICE, BOB, NOW, enter
from sqlalchemy import delete, insert, update
from visitor import Answer

from trackeep.store import tables_sync

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "a-metrics-token-of-enough-bytes"


@pytest.fixture(params=["", "/t"], ids=["root", "path"])
async def api(request: pytest.FixtureRequest, database_url: str, tmp_path: Path) -> AsyncIterator[Api]:
    chosen = {"database_url": database_url, "metrics_token": TOKEN}
    async with small_api(tmp_path, path=request.param, **chosen) as found:
        yield found


async def ask(api: Api, token: str = TOKEN, **headers: str) -> Answer:
    async with Guest(api.instance.url, "") as scraper:
        return await scraper.open("/metrics", Authorization=f"Bearer {token}", **headers)


async def values(api: Api) -> dict[str, float]:
    """`name{label}` to value, of our own metrics."""
    answer = await ask(api)
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    return {
        sample.name + "".join(f"{{{value}}}" for _, value in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
        if sample.name.startswith("trackeep_") and not sample.name.endswith(("_bucket", "_created"))
    }


async def put(api: Api, statement: object) -> None:
    async with api.instance.site.db.write() as conn:
        await conn.execute(statement)  # type: ignore[call-overload]  # any statement


async def test_the_figures_are_those_of_the_database(api: Api) -> None:
    """Lag, runs and requests of the last hour, budgets, the queue, workers and sizes, on both databases."""
    run, budget = tables_sync.run, tables_sync.budget
    more = {"account_id": BOB, "started_at": NOW - 900, "rest_requests": 7, "git_posts": 2, "bytes": 4096}
    await put(api, insert(run).values(**more, finished_at=NOW - 800, outcome="limited"))
    await put(api, insert(run).values(**more, finished_at=NOW - 4_000, outcome="failed"))
    bobs = {"account_id": BOB, "resource": "core", "limit": 5000, "seen_at": NOW}
    await put(api, insert(budget).values(**bobs, remaining=12, reset_at=NOW + 60))
    await put(api, insert(tables_sync.worker).values(name="w:1", started_at=NOW - 99, seen_at=NOW - 7))
    for who in (ALICE, BOB):
        await put(api, insert(tables_sync.schedule).values(account_id=who, due_at=NOW - 5 + who))
    found = await values(api)
    # Bob has never been looked at since he came, which was just now; alice 240 s ago.
    assert 240 <= found["trackeep_sync_lag_seconds"] < 300
    assert (found["trackeep_sync_runs_last_hour{done}"], found["trackeep_sync_runs_last_hour{limited}"]) == (
        1,
        1,
    )
    assert "trackeep_sync_runs_last_hour{failed}" not in found
    assert found["trackeep_github_requests_last_hour{rest}"] == 7
    assert found["trackeep_github_requests_last_hour{git}"] == 2
    assert found["trackeep_github_last_hour_bytes"] == 4096
    assert found["trackeep_github_budget_remaining{core}"] == 12
    assert found["trackeep_github_budget_limit{core}"] == 5000
    assert (found["trackeep_sync_waiting"], found["trackeep_sync_working"]) == (2, 0)
    assert found["trackeep_workers"] == 1 and 7 <= found["trackeep_worker_heartbeat_seconds"] < 60
    assert (found["trackeep_accounts"], found["trackeep_repositories"]) == (3, 3)
    assert found["trackeep_repositories_followed"] == 3
    assert found["trackeep_database_up"] == 1 and found["trackeep_database_bytes"] > 100_000


async def test_a_budget_that_was_renewed_is_full(api: Api) -> None:
    """What was left before the reset is history."""
    await put(api, update(tables_sync.budget).values(remaining=0, reset_at=NOW - 60))
    assert (await values(api))["trackeep_github_budget_remaining{core}"] == 5000


async def test_requests_are_counted_by_their_route(api: Api) -> None:
    """As the table of addresses has it, never as it was asked for; unknown addresses are one."""
    token = await api.token()
    async with Guest(api.instance.url, "") as alice:
        await enter(api.instance, alice)
        for path in ("/r/fernhill/atlas", "/r/bob/secret-plan", "/nothing", "/feeds/tf_x/activity.atom"):
            await alice.open(path)
        await alice.open("/static/app.css")
    await api.get("/repos/fernhill/atlas", token)
    await api.ask("GET", "/nothing", token)
    async with api.http.request("PROPFIND", f"{api.instance.url}/") as answer:
        assert answer.status == 405
    found = {
        name.removeprefix("trackeep_http_request_seconds_count"): value
        for name, value in (await values(api)).items()
        if name.startswith("trackeep_http_request_seconds_count")
    }
    assert found["{GET}{/r/{owner}/{name}}{200}"] == found["{GET}{/r/{owner}/{name}}{404}"] == 1
    assert found["{GET}{/feeds/{token}/activity.atom}{404}"] == 1
    assert found["{GET}{/static/{name:path}}{200}"] == 1
    assert found["{GET}{/api/v1/repos/{owner}/{name}}{200}"] == 1
    assert found["{GET}{none}{404}"] == 2
    assert [name for name in found if name.startswith("{other}")] == ["{other}{/}{405}"]


async def test_no_label_names_a_person_or_a_repository(api: Api) -> None:
    """After everybody looked at everything, the text holds no name, no address, no secret."""
    token = await api.token()
    for who in (ALICE, BOB):
        async with Guest(api.instance.url, "") as browser:
            await enter(api.instance, browser, who)
            for path in ("/", "/r/fernhill/atlas", "/r/bob/secret-plan", "/commits?q=secret&author=alice"):
                await browser.open(path)
    await api.ask("GET", "/repos/bob/secret-plan", token)
    await api.ask("GET", "/repos/alice/heron", token)
    text = (await ask(api)).text
    for name in ("alice", "bob", "carol", "atlas", "heron", "secret", "fernhill", "127.0.0.1", token, TOKEN):
        assert name not in text, name


async def test_without_the_setting_there_is_nothing(tmp_path: Path) -> None:
    """Off until the operator wants it: as any address that does not exist, whatever is sent."""
    async with small_api(tmp_path) as api:
        for token in ("", TOKEN):
            assert (await ask(api, token)).status == 404


async def test_only_the_token_opens_it(api: Api) -> None:
    """Not a session, not an API token, not half of it; guessing is slowed down."""
    async with Guest(api.instance.url, "") as alice:
        await enter(api.instance, alice)
        assert (await alice.open("/metrics")).status == 401
    wrong = (await api.token(), "", TOKEN[:-1], TOKEN + "x", TOKEN.upper(), "ü" * 20)
    for token in wrong:
        answer = await ask(api, token)
        assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, 'Bearer realm="trackeep"')
        assert "trackeep_" not in answer.text
    for _ in range(10 - len(wrong)):
        last = await ask(api, "wrong")
    assert last.status == 429
    api.instance.clock.ahead_s += 61
    assert (await ask(api)).status == 200


async def test_while_the_database_is_away(api: Api) -> None:
    """The process still tells of itself, and that the database does not answer."""
    await put(api, delete(tables_sync.worker))
    async with api.instance.site.db.write() as conn:
        await conn.exec_driver_sql("alter table run rename to elsewhere")
    await values(api)
    found = await values(api)
    assert found["trackeep_database_up"] == 0
    assert "trackeep_sync_waiting" not in found
    assert found["trackeep_http_request_seconds_count{GET}{/metrics}{200}"] == 1


def dashboard() -> list[str]:
    """Every question that the Grafana dashboard asks."""
    panels = json.loads((ROOT / "docs" / "grafana" / "instance.json").read_text())["panels"]
    return [target["expr"] for panel in panels for target in panel["targets"]]


async def test_the_dashboard_asks_for_what_there_is(api: Api) -> None:
    """Every metric and every label that the Grafana dashboard names is one of ours, and none is left out."""
    await put(api, insert(tables_sync.worker).values(name="w:1", started_at=NOW, seen_at=NOW))
    await ask(api)
    ours: dict[str, Mapping[str, str]] = {
        sample.name: sample.labels
        for family in text_string_to_metric_families((await ask(api)).text)
        for sample in family.samples
    }
    named = {name for expr in dashboard() for name in re.findall(r"(?:trackeep|process)_\w+", expr)}
    # Its log of writes is SQLite's alone.
    assert named <= set(ours) | {"trackeep_database_log_bytes"}
    told = {re.sub("_(bucket|count|sum|created)$", "", name) for name in ours if name.startswith("trackeep_")}
    assert told == {re.sub("_(bucket|count|sum|created)$", "", name) for name in named} & told
    for expr in dashboard():
        for labels in re.findall(r"by \(([^)]+)\)", expr):
            metric = re.findall(r"trackeep_\w+", expr)[0]
            assert set(labels.split(", ")) <= set(ours[metric]), expr


async def test_processes_of_one_database_agree(api: Api, tmp_path: Path, database_url: str) -> None:
    """What comes from the database is the same whichever process is asked."""
    other = serve(tmp_path / "other", NOWHERE, database_url=database_url, metrics_token=TOKEN)
    async with other as instance:
        instance.clock.ahead_s = api.instance.clock.ahead_s
        found = [await values(api), await values(replace(api, instance=instance))]
    # They were asked one after the other.
    moving = ("trackeep_http_request_seconds", "trackeep_sync_lag", "trackeep_database_")
    one, two = ({name: v for name, v in each.items() if not name.startswith(moving)} for each in found)
    assert one == two and one["trackeep_accounts"] == 3
