"""What is done with ticked repositories: track, pause, sync, hide, tag, read again, delete."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from urllib.parse import urlencode

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.datastructures import FormData, QueryParams
from starlette.requests import Request
from starlette.responses import Response

from trackeep.errors import NotFound, UsageError
from trackeep.instance.choosing import ids_in
from trackeep.instance.frame import reader_of, show
from trackeep.instance.repository_names import full_name_in
from trackeep.instance.site import safe_next, site_of
from trackeep.instance.words import counted
from trackeep.store import following, reports_listing, reports_repositories, schedule, wishes
from trackeep.store.reports_access import Reader
from trackeep.store.reports_listing import Belonging

MOST_AT_ONCE = 500
Action = Callable[[AsyncConnection, Reader, Collection[int]], Awaitable[None]]

log = structlog.get_logger()


async def _track(conn: AsyncConnection, reader: Reader, ids: Collection[int]) -> None:
    await following.track(conn, reader.account_id, ids, reader.now)


async def _pause(conn: AsyncConnection, reader: Reader, ids: Collection[int]) -> None:
    await following.pause(conn, reader.account_id, ids)


async def _sync(conn: AsyncConnection, reader: Reader, ids: Collection[int]) -> None:
    await following.look_again(conn, reader.account_id, ids, reader.now)


async def _hide(conn: AsyncConnection, reader: Reader, ids: Collection[int]) -> None:
    await following.hide(conn, reader.account_id, ids, hidden=True)


async def _show(conn: AsyncConnection, reader: Reader, ids: Collection[int]) -> None:
    await following.hide(conn, reader.account_id, ids, hidden=False)


async def _archive(conn: AsyncConnection, reader: Reader, ids: Collection[int]) -> None:
    await following.archive(conn, reader.account_id, ids)


async def _read_again(conn: AsyncConnection, reader: Reader, ids: Collection[int]) -> None:
    await following.read_again(conn, reader.account_id, ids, reader.now)


async def _ask_for_files(conn: AsyncConnection, reader: Reader, ids: Collection[int]) -> None:
    await following.ask_for_files(conn, reader.account_id, ids, reader.now)


async def _give_up_files(conn: AsyncConnection, reader: Reader, ids: Collection[int]) -> None:
    await following.give_up_files(conn, reader.account_id, ids)


# What a button is called, what it does, and the sentence about so many repositories afterwards.
ACTIONS: dict[str, tuple[Action, str]] = {
    "track": (_track, "{} followed; GitHub is asked about what is new."),
    "pause": (_pause, "{} paused: nothing is asked, and all that was fetched stays in view."),
    "sync": (_sync, "{} looked at now."),
    "hide": (_hide, "{} hidden from your lists; the filter “Hidden” shows them."),
    "show": (_show, "{} back in your lists."),
    "archive": (_archive, "{} kept as it is, asked about no more; the filter “Hidden” shows it."),
    "deep": (_read_again, "{} read again from scratch; what is stored stays in view meanwhile."),
    "files": (_ask_for_files, "The files of {} are fetched; path: finds commits by them."),
    "no-files": (_give_up_files, "The files of {} are searched no more; what only you asked for is deleted."),
}
SAID = {
    **{name: sentence for name, (_, sentence) in ACTIONS.items()},
    "tag": "{} tagged.",
    "untag": "{} without the tag.",
    "delete": "{} followed no more; what only you followed is deleted here. GitHub keeps everything.",
    "asked": "GitHub is asked about {}, with your own token.",
}


async def act(request: Request) -> Response:
    """POST /repos/bulk: `do` with every repository in `repo`, or `one`, such as `pause.10`, with that one.

    Numbers that are not the reader's to change are left out, whether they exist or not.
    """
    site, reader, form = site_of(request), reader_of(request), await request.form()
    do, wanted = _wanted(form)
    back = safe_next(str(form.get("return_to", "/repos")))
    if not wanted:
        raise UsageError("No repository was ticked.", "Go back, tick some, and choose again.")
    if do == "delete":
        return site.go("/repos/delete?" + urlencode([("repo", each) for each in sorted(wanted)]))
    if do not in ACTIONS and do not in ("tag", "untag"):
        raise UsageError("There is no such action.", "Go back and use one of the buttons.")
    if do in ("track", "sync", "files", "no-files"):
        site.looks_asked.take(reader.account_id, site.clock())
    elif do == "deep":
        site.read_again.take(reader.account_id, site.clock())
    async with site.db.write() as conn:
        mine = {each.id for each in await reports_listing.belongings(conn, reader, wanted)}
        if do == "track":
            mine |= await reports_listing.may_follow(conn, reader, wanted)
        if not mine:
            raise _nobodys()
        if do in ("tag", "untag"):
            await _tag(conn, reader, mine, do, str(form.get("tag", "")))
        else:
            await ACTIONS[do][0](conn, reader, mine)
    return site.go(_with_done(back, do, len(mine)))


async def confirm(request: Request) -> Response:
    """GET /repos/delete: what goes when these repositories are deleted here."""
    reader, ids = reader_of(request), _ticked(request.query_params)
    async with site_of(request).db.read() as conn:
        found = await reports_listing.belongings(conn, reader, ids)
    if not found:
        raise _nobodys()
    return show(request, "delete_repositories.html", "repositories", belongings=found, in_all=_in_all(found))


async def delete(request: Request) -> Response:
    """POST /repos/delete: follow these no more, and delete what nobody else here follows."""
    site, reader = site_of(request), reader_of(request)
    ids = _ticked(await request.form())
    async with site.db.write() as conn:
        mine = {each.id for each in await reports_listing.belongings(conn, reader, ids)}
        if not mine:
            raise _nobodys()
        await schedule.unfollow_repositories(conn, reader.account_id, mine)
    log.info("repositories deleted", account=reader.account_id, repositories=len(mine))
    return site.go(_with_done("/repos", "delete", len(mine)))


async def add(request: Request) -> Response:
    """POST /repos/add: follow what is known already; the worker asks GitHub for everything else."""
    site, reader, form = site_of(request), reader_of(request), await request.form()
    name = full_name_in(str(form.get("repository", "")), site.settings.github.web)
    async with site.db.write() as conn:
        if await follow_known(conn, reader, name):
            return site.go(_with_done("/repos", "track", 1))
        if not await wishes.make(conn, reader.account_id, name, reader.now):
            raise UsageError(
                f"{wishes.MOST_WAITING} repositories are waiting to be asked for already.",
                "Wait until GitHub has answered, then add the next one.",
            )
        await schedule.request_sync(conn, reader.account_id, reader.now)
    return site.go(_with_done("/repos", "asked", 1))


async def dismiss(request: Request) -> Response:
    """POST /repos/wishes/dismiss"""
    site, form = site_of(request), await request.form()
    async with site.db.write() as conn:
        await wishes.dismiss(conn, reader_of(request).account_id, str(form.get("name", "")))
    return site.go("/repos")


async def all_of_them(request: Request) -> Response:
    """POST /sync/all: pause, resume or retry everything that is followed."""
    site, reader, form = site_of(request), reader_of(request), await request.form()
    do = str(form.get("do", ""))
    if do != "pause":
        site.looks_asked.take(reader.account_id, site.clock())
    async with site.db.write() as conn:
        ids = await following.every(conn, reader.account_id)
        if do == "pause":
            await following.pause(conn, reader.account_id, ids)
        elif do == "resume":
            await following.resume(conn, reader.account_id, ids, reader.now)
        elif do == "retry":
            await schedule.request_sync(conn, reader.account_id, reader.now)
        else:
            raise UsageError("There is no such action.", "Go back and use one of the buttons.")
    return site.go("/sync")


async def sync_now(request: Request) -> Response:
    """POST /sync/now: let the worker come at once."""
    site, reader = site_of(request), reader_of(request)
    site.looks_asked.take(reader.account_id, site.clock())
    async with site.db.write() as conn:
        await schedule.request_sync(conn, reader.account_id, reader.now)
    return site.go("/sync")


async def follow_known(conn: AsyncConnection, reader: Reader, full_name: str) -> bool:
    """Follow the repository of that name when it is stored and the reader may see it; False otherwise."""
    owner, _, name = full_name.partition("/")
    row = await reports_repositories.find(conn, reader, owner, name)
    if row is not None:
        await following.track(conn, reader.account_id, [row.id], reader.now)
    return row is not None


def done_in(request: Request) -> str:
    """The sentence about what was just done, from `?done=pause.3`; "" without one."""
    do, _, number = request.query_params.get("done", "").partition(".")
    if do not in SAID or not (number.isdecimal() and len(number) < 4):
        return ""
    return SAID[do].format(counted(int(number), "repository", "repositories"))


def _wanted(form: FormData) -> tuple[str, set[int]]:
    do, _, number = str(form.get("one", "")).partition(".")
    if number:
        return do, ids_in([number])
    return str(form.get("do", "")), _ticked(form)


def _ticked(form: FormData | QueryParams) -> set[int]:
    ticked = form.getlist("repo")
    if len(ticked) > MOST_AT_ONCE:
        raise UsageError(f"At most {MOST_AT_ONCE} repositories at once.", "Choose fewer.")
    return ids_in(ticked)


async def _tag(conn: AsyncConnection, reader: Reader, ids: Collection[int], do: str, text: str) -> None:
    word = " ".join(text.split()).lower()
    if not word or len(word) > following.LONGEST_TAG or not word.isprintable():
        raise UsageError(
            "A tag is a word or a few.", f"Write 1 to {following.LONGEST_TAG} characters, then choose again."
        )
    if do == "untag":
        await following.untag(conn, reader.account_id, ids, word)
    elif not await following.tag(conn, reader.account_id, ids, word):
        raise UsageError(f"You have {following.MOST_TAGS} tags already.", "Take one off everywhere first.")


def _in_all(found: Collection[Belonging]) -> dict[str, int]:
    rows: dict[str, int] = {}
    for each in found:
        for stream, count in each.rows.items():
            rows[stream] = rows.get(stream, 0) + count
    return rows


def _with_done(path: str, do: str, number: int) -> str:
    bare, _, query = path.partition("?")
    kept = [part for part in query.split("&") if part and not part.startswith("done=")]
    return "?".join((bare, "&".join([*kept, f"done={do}.{number}"])))


def _nobodys() -> NotFound:
    return NotFound(
        "You follow none of these repositories.", "Go back to your repositories and choose again."
    )
