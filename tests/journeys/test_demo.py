"""However `trackeep demo` ends, none of its programs and nothing of its folder stays."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from browser import chromium
from playwright.sync_api import Page, expect
from programs import environment

DEMO = ("demo", "--port", "0", "--broker-port", "0", "--sandbox-port", "0", "--size", "small")
LAST_WORDS = "Stopped; the invented data is deleted."


@dataclass
class Demo:
    """A demo in a process group of its own, as a terminal starts it, with its own temporary folder."""

    process: subprocess.Popen[str]
    folder: Path
    address: str = ""

    def until_ready(self) -> list[int]:
        """Wait until it is ready; the numbers of its three programs."""
        assert self.process.stdout is not None
        ready, _, self.address = self.process.stdout.readline().strip().rpartition(" ")
        assert ready == "Trackeep demo ready at"
        children = self.children()
        assert len(children) == 3
        return children

    def children(self) -> list[int]:
        pid = self.process.pid
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def end(self, number: signal.Signals) -> tuple[int, str]:
        """Send a signal to the whole group; its exit code and what it said on stderr."""
        os.killpg(self.process.pid, number)
        code = self.process.wait(30)
        return code, self.stderr()

    def stderr(self) -> str:
        """Everything it has said so far."""
        return (self.folder / "stderr").read_text()

    def folders(self) -> list[str]:
        return [path.name for path in self.folder.glob("trackeep-demo-*")]


@pytest.fixture
def begin(tmp_path: Path, request: pytest.FixtureRequest) -> Callable[[], Demo]:
    """Starts a demo; every one of them is over when the test is."""

    def start() -> Demo:
        with (tmp_path / "stderr").open("w") as stderr:
            process = subprocess.Popen(
                [sys.executable, "-W", "error", "-m", "trackeep", *DEMO],
                stdout=subprocess.PIPE,
                stderr=stderr,
                env=environment({"TMPDIR": str(tmp_path)}),
                text=True,
                start_new_session=True,
            )
        request.addfinalizer(process.communicate)
        request.addfinalizer(process.kill)
        return Demo(process, tmp_path)

    return start


@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_an_asked_for_end_leaves_nothing(
    begin: Callable[[], Demo], number: signal.Signals, exit_code: int
) -> None:
    """Ctrl-C a second after the start ends the three programs and deletes the data; so does SIGTERM."""
    demo = begin()
    children = demo.until_ready()
    assert demo.folders()
    time.sleep(1)
    ended, said = demo.end(number)
    assert (ended, said.splitlines()[-1]) == (exit_code, LAST_WORDS)
    assert "Traceback" not in said
    # The set-up code is in the link, and is not said a second time.
    assert (code := demo.address.partition("code=")[2]) and code not in said
    assert [child for child in children if is_alive(child)] == []
    assert demo.folders() == []


def test_ctrl_c_before_it_is_ready(begin: Callable[[], Demo]) -> None:
    """Ctrl-C while the first program still starts is no error and leaves nothing either."""
    demo = begin()
    wait_until(lambda: bool(demo.children()))
    children = demo.children()
    ended, said = demo.end(signal.SIGINT)
    assert (ended, said.splitlines()[-1]) == (130, LAST_WORDS)
    assert "Traceback" not in said
    assert [child for child in children if is_alive(child)] == []
    assert demo.folders() == []


def test_a_killed_demo(begin: Callable[[], Demo]) -> None:
    """SIGKILL takes the three programs along, and the next demo deletes the folder that stayed."""
    killed = begin()
    children = killed.until_ready()
    killed.end(signal.SIGKILL)
    wait_until(lambda: not any(is_alive(child) for child in children))
    (left,) = killed.folders()
    following = begin()
    following.until_ready()
    assert left not in following.folders()
    assert len(following.folders()) == 1
    following.end(signal.SIGTERM)
    assert following.folders() == []


def test_becoming_somebody_else(begin: Callable[[], Demo]) -> None:
    """Whoever signs out here and at the address that the demo names can come back as bob, who may enter."""
    demo = begin()
    demo.until_ready()
    # Said right after the address.
    wait_until(lambda: "Ctrl-C" in demo.stderr())
    found = re.search(r"To be somebody else, sign out at (\S+/logout)\.", demo.stderr())
    assert found
    home = demo.address.partition("/setup")[0]
    with chromium() as browser:
        page = browser.new_page()
        page.goto(demo.address)
        page.get_by_role("button", name="Continue").click()
        page.get_by_role("link", name="Continue with GitHub").click()
        page.get_by_role("button", name="Continue to GitHub").click()
        come_as(page, "alice")
        page.goto(f"{home}/settings")
        page.get_by_role("button", name="Sign out", exact=True).click()
        expect(page).to_have_title("Sign in · Trackeep")
        page.goto(found[1])
        page.goto(f"{home}/signin")
        # The service has asked once and knows this address now.
        page.get_by_role("link", name="Continue with GitHub").click()
        come_as(page, "bob")


def come_as(page: Page, login: str) -> None:
    """From GitHub's sign-in page to the choice that everybody new makes."""
    page.locator(f"[value={login}]").click()
    page.get_by_role("button", name="Authorize").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Choose what to follow")


def is_alive(process_id: int) -> bool:
    """False also for one that has ended and that nobody has collected yet."""
    try:
        return Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until(is_so: Callable[[], bool], timeout_s: float = 60) -> None:
    end = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.05)
