"""`trackeep openapi` and `trackeep get`: the API's description, and one request without a server."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import click

from trackeep.cli.edge import account_of, account_option, finish, settings_of, site_of

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Scope


@click.command()
def openapi() -> None:
    """Print the description of the JSON API (OpenAPI 3.1)."""
    from trackeep.instance.api.schema import document

    click.echo(json.dumps(document(settings_of().base_url), indent=2))


@click.command()
@click.argument("path")
@account_option
def get(path: str, account: str | None) -> None:
    """Print what a GET of PATH answers, such as /api/v1/me; no server has to run.

    The exit code tells the status: 2 for a wrong request, 4, 5 and 6 as everywhere, 1 for our own fault.
    """

    async def work() -> Answer:
        from trackeep.errors import UsageError

        if not path.startswith("/"):
            raise UsageError(f"{path} is no path of the instance.", "Begin it with /, as in /api/v1/me.")
        settings = settings_of()
        async with site_of(settings) as site:
            from trackeep.instance.app import create_app

            async with site.db.read() as conn:
                account_id = await account_of(conn, settings, account)
            answer = Answer()
            await _ask(create_app(site), path, account_id, answer)
            return answer

    answer = finish(work())
    if answer.location:
        click.echo(f"trackeep: this leads to {answer.location}", err=True)
    sys.exit(exit_code(answer.status))


def exit_code(status: int) -> int:
    """As the commands have it: 0 ok, 1 our fault, 2 usage, 4 not signed in, 5 wait, 6 not there."""
    if status in (403, 404):
        return 6
    known = {401: 4, 429: 5}
    if status in known:
        return known[status]
    if status >= 500:
        return 1
    return 2 if status >= 400 else 0


@dataclass
class Answer:
    """What came back; the body goes to standard output as it comes."""

    status: int = 500
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def location(self) -> str:
        return self.headers.get("location", "")

    async def take(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            sys.stdout.buffer.write(message.get("body", b""))
            sys.stdout.buffer.flush()


async def _ask(app: ASGIApp, path: str, account_id: int, answer: Answer) -> None:
    asked = iter([{"type": "http.request", "body": b""}])

    async def receive() -> Any:
        # A second question means: has the reader gone? Never.
        message = next(asked, None)
        return message if message is not None else await asyncio.Future()

    await app(_scope(path, account_id), receive, answer.take)


def _scope(path: str, account_id: int) -> Scope:
    from trackeep.instance.sessions import OPERATED

    parts = urlsplit(path)
    kinds = b"application/json" if parts.path.startswith("/api/v1") else b"text/html"
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": unquote(parts.path),
        "raw_path": parts.path.encode(),
        "query_string": parts.query.encode(),
        "root_path": "",
        "headers": [(b"host", b"localhost"), (b"accept", kinds)],
        "client": ("127.0.0.1", 0),
        "server": ("localhost", 0),
        OPERATED: account_id,
    }
