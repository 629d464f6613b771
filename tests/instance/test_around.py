"""What goes around every page: headers, errors, health, and the address it is reached at."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from local_instance import Guest, serve
from programs import Program
from sqlalchemy import text

from trackeep.store import leases

pytestmark = pytest.mark.anyio


async def test_every_answer_is_locked_down(sandbox: Program, tmp_path: Path) -> None:
    """Pages, errors and static files: no foreign content, no frame, no guessing of types."""
    async with serve(tmp_path, sandbox.url) as instance, Guest(instance.url, "") as nobody:
        for path in ("/setup", "/nowhere", "/auth/callback?token=x", "/healthz", "/static/app.css"):
            headers = (await nobody.open(path)).headers
            policy = headers["Content-Security-Policy"]
            assert policy.startswith("default-src 'none'; ")
            assert "unsafe" not in policy
            assert "frame-ancestors 'none'" in policy
            assert "require-trusted-types-for 'script'" in policy
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
            assert headers["Referrer-Policy"] == "strict-origin-when-cross-origin"


async def test_errors_speak_to_people_and_to_programs(sandbox: Program, tmp_path: Path) -> None:
    """The same 404: a page with the request's number for browsers, JSON with it for programs."""
    async with serve(tmp_path, sandbox.url) as instance, Guest(instance.url, "") as nobody:
        page = await nobody.open("/no/such/page")
        assert page.status == 404
        assert page.headers["X-Request-Id"] in page.text
        answer = await nobody.open("/no/such/page", accept="application/json")
        assert answer.status == 404
        assert json.loads(answer.text)["request_id"] == answer.headers["X-Request-Id"]


async def test_what_a_visitor_sends_stays_text(sandbox: Program, tmp_path: Path) -> None:
    """Markup in a set-up code or a host name is shown, not run."""
    async with serve(tmp_path, sandbox.url) as instance, Guest(instance.url, "") as mallory:
        nasty = '"><script>alert(1)</script>'
        for answer in (
            await mallory.get(f"{instance.url}/setup?code=%22%3E%3Cscript%3Ealert(1)%3C/script%3E"),
            await mallory.send("/setup", {"code": nasty}),
            await mallory.open("/signin", host="<b>evil</b>.example"),
        ):
            assert "<script>alert" not in answer.text
            assert "<b>evil" not in answer.text


async def test_health_without_signing_in(sandbox: Program, tmp_path: Path) -> None:
    """A container's checks need no session: the process lives, and the database answers."""
    async with serve(tmp_path, sandbox.url, path="/t") as instance, Guest(instance.url, "") as probe:
        assert json.loads((await probe.open("/healthz")).text) == {"status": "ok"}
        assert (await probe.open("/readyz")).status == 200
        # A proxy may have cut the path off already.
        assert (await probe.get(instance.url.removesuffix("/t") + "/readyz")).status == 200
        await instance.site.db.close()
        Path(tmp_path / "trackeep.db").unlink()
        assert (await probe.open("/healthz")).status == 200
        assert (await probe.open("/readyz")).status == 503


async def test_ready_tells_of_the_worker_and_of_foreign_tables(
    sandbox: Program, tmp_path: Path, database_url: str
) -> None:
    """A silent worker is told and harms nobody; tables of a newer program mean that this one cannot serve."""
    async with (
        serve(tmp_path, sandbox.url, database_url=database_url) as instance,
        Guest(instance.url, "") as probe,
    ):
        assert json.loads((await probe.open("/readyz")).text) == {"status": "ready", "worker": "silent"}
        async with instance.site.db.write() as conn:
            await leases.save_worker(conn, "somewhere:1:a", 0, instance.site.now())
        assert json.loads((await probe.open("/readyz")).text) == {"status": "ready", "worker": "ok"}
        instance.clock.ahead_s += 1_000
        assert json.loads((await probe.open("/readyz")).text)["worker"] == "silent"
        async with instance.site.db.write() as conn:
            await conn.execute(text("update alembic_version set version_num = '9999'"))
        answer = await probe.open("/readyz")
        assert (answer.status, "another version" in answer.text) == (503, True)
        assert (await probe.open("/healthz")).status == 200


async def test_a_form_that_is_too_large(sandbox: Program, tmp_path: Path) -> None:
    """Nobody fills the memory with a form: 413 above 256 kB."""
    async with serve(tmp_path, sandbox.url) as instance, Guest(instance.url, "") as mallory:
        answer = await mallory.send("/setup", {"code": "x" * 300_000})
        assert answer.status == 413


async def test_no_address_is_built_from_the_host_header(sandbox: Program, tmp_path: Path) -> None:
    """A redirect goes to the base URL or stays a path, whatever host the visitor claims."""
    base_url = "https://trackeep.example.org"
    async with (
        serve(tmp_path, sandbox.url, base_url=base_url) as instance,
        Guest(instance.url, "") as mallory,
    ):
        for path in ("/signin", "/setup", "/auth/login", "/", "/repos/"):
            for name in ("host", "x_forwarded_host", "x_forwarded_server"):
                answer = await mallory.open(path, **{name: "evil.example"})
                assert "evil.example" not in answer.location
