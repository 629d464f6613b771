"""An instance with everything that a small sandbox has, and alice, its owner, signed in by cookie."""

from __future__ import annotations

import http.cookiejar
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from programs import Program, github_environment, run, start

TOKEN = "ghp_sandboxalice".ljust(40, "0")


@dataclass(frozen=True)
class Filled:
    """A running instance: its base URL without a slash at the end, and the cookies that are alice."""

    url: str
    cookies: dict[str, str]
    pid: int = 0

    @property
    def header(self) -> str:
        """The cookies as a browser sends them."""
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())

    def ask(self, path: str, *, signed_in: bool = True) -> tuple[int, str, str]:
        """GET as a person would: status, content type and text; redirects are not followed."""
        headers = {"Accept": "text/html", **({"Cookie": self.header} if signed_in else {})}
        request = urllib.request.Request(self.url + path, headers=headers)
        try:
            with urllib.request.build_opener(_Stay).open(request, timeout=60) as answer:
                # A stream would never end.
                kind = answer.headers.get_content_type()
                text = "" if kind == "text/event-stream" else answer.read().decode(errors="replace")
                return int(answer.status), kind, text
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers.get_content_type(), error.read().decode(errors="replace")

    def send(self, path: str, form: dict[str, str]) -> int:
        """POST a form of one of our pages; the answer's status."""
        headers = {"Accept": "text/html", "Cookie": self.header, "Sec-Fetch-Site": "same-origin"}
        body = urllib.parse.urlencode(form).encode()
        request = urllib.request.Request(self.url + path, body, headers)
        try:
            with urllib.request.build_opener(_Stay).open(request, timeout=60) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code


@contextmanager
def filled(folder: Path) -> Iterator[str]:
    """A folder with a synced database of alice's; yields the sandbox's address."""
    sandbox = start("sandbox", "serve", "--port", "0", "--data-dir", str(folder / "github"))
    try:
        env = {**github_environment(sandbox.url), "TRACKEEP_DATA_DIR": str(folder / "data")}
        done = run("sync", "-q", env={**env, "GITHUB_TOKEN": TOKEN})
        assert done.returncode == 0, done.stderr
        yield sandbox.url
    finally:
        sandbox.stop()


@contextmanager
def served(folder: Path, sandbox_url: str, *, base_url: str = "", port: int = 0) -> Iterator[Filled]:
    """The folder served without a worker, so that nothing changes while it is looked at."""
    env = {**github_environment(sandbox_url), "TRACKEEP_DATA_DIR": str(folder / "data")}
    where = ("--base-url", base_url) if base_url else ()
    program = start("serve", "--demo", "--no-worker", "--port", str(port), *where, env=env)
    try:
        yield _signed_in(program)
    finally:
        program.stop()


@contextmanager
def filled_and_served(folder: Path) -> Iterator[Filled]:
    """Both at once, at the root of an address."""
    with ExitStack() as stack:
        yield stack.enter_context(served(folder, stack.enter_context(filled(folder))))


def _signed_in(program: Program) -> Filled:
    """Whoever comes first enters the set-up code; afterwards the address is printed without one."""
    base, _, code = program.url.partition("/setup?code=")
    base = base.rstrip("/")
    jar = http.cookiejar.CookieJar()
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar), _Stay)
    for path, form in (("/setup", {"code": code}), ("/signin/token", {"token": TOKEN})):
        if path == "/setup" and not code:
            continue
        body = urllib.parse.urlencode(form).encode()
        request = urllib.request.Request(base + path, body, {"Sec-Fetch-Site": "same-origin"})
        try:
            opener.open(request, timeout=60).close()
        except urllib.error.HTTPError as error:
            with error:
                assert error.code == 303, error.read().decode()[-1000:]
    return Filled(base, {cookie.name: cookie.value or "" for cookie in jar}, program.pid)


class _Stay(urllib.request.HTTPRedirectHandler):
    """Answers as they are; where they lead is for the caller."""

    def redirect_request(self, *_: object) -> None:
        return None
