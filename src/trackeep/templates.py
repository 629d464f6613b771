"""Templates and static files of a program: what its pages are made of."""

from __future__ import annotations

import hashlib
import mimetypes
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from types import CodeType
from typing import Any

import jinja2
from jinja2.bccache import Bucket
from markupsafe import Markup, escape
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

LOOK = Path(__file__).parent / "look"

# Controls (C0 and C1) and what https://www.unicode.org/reports/tr9/ lets override the direction of text.
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


class Assets:
    """Static files held in memory, each with an address that changes with its content."""

    def __init__(self, folders: Iterable[Path]) -> None:
        self._files: dict[str, tuple[bytes, str]] = {}
        self._versions: dict[str, str] = {}
        for folder in folders:
            for path in sorted(folder.rglob("*")):
                if path.is_file() and not path.name.startswith((".", "_")) and path.suffix != ".py":
                    name, body = path.relative_to(folder).as_posix(), path.read_bytes()
                    self._files[name] = (body, _kind(path))
                    self._versions[name] = hashlib.sha256(body).hexdigest()[:10]

    def version(self, name: str) -> str:
        return self._versions[name]

    def text(self, name: str) -> str:
        return self._files[name][0].decode()

    async def endpoint(self, request: Request) -> Response:
        """GET /static/{name:path}; a versioned address may be kept for ever."""
        name = request.path_params["name"]
        if name not in self._files:
            raise HTTPException(404)
        body, kind = self._files[name]
        fresh = request.query_params.get("v") == self.version(name)
        age = "public, max-age=31536000, immutable" if fresh else "public, max-age=60"
        return Response(body, media_type=kind, headers={"cache-control": age})


def shown(value: Any) -> Any:
    """What a page writes of `value`: a control character in text is shown as one, white space as a blank.

    Otherwise somebody's name or title could turn the rest of its line round, or break the page.
    """
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return _UNSEEN.sub(lambda found: " " if found[0].isspace() else "\ufffd", value)


def with_code(text: str) -> Markup:
    """Words between backticks as code."""
    code = Markup("<code>{}</code>")
    parts = enumerate(shown(text).split("`"))
    return Markup("").join(code.format(part) if at % 2 else escape(part) for at, part in parts)


class _Compiled(jinja2.BytecodeCache):
    """The templates of a process: compiled for its first program, they are ready for every other one."""

    def __init__(self) -> None:
        self._codes: dict[tuple[str, str], CodeType | None] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._codes.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._codes[bucket.key, bucket.checksum] = bucket.code


_compiled = _Compiled()


class Pages:
    """Jinja templates of one program; `url(path)` and `static(name)` know the base path."""

    def __init__(self, folders: Iterable[Path], assets: Assets, base_path: str) -> None:
        self._jinja = jinja2.Environment(
            loader=jinja2.FileSystemLoader([str(folder) for folder in folders]),
            autoescape=True,
            finalize=shown,
            auto_reload=False,
            bytecode_cache=_compiled,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._base_path = base_path
        self.assets = assets
        self._jinja.globals.update(url=self.url, static=self.static, icon=self.icon, with_code=with_code)

    @property
    def globals(self) -> dict[str, Any]:
        return self._jinja.globals

    @property
    def filters(self) -> dict[str, Callable[..., Any]]:
        return self._jinja.filters

    def url(self, path: str) -> str:
        return self._base_path + path

    def static(self, name: str) -> str:
        return self.url(f"/static/{name}?v={self.assets.version(name)}")

    def icon(self, name: str) -> Markup:
        """An icon of icons.svg; decoration only, so hidden from screen readers."""
        href = self.static("icons.svg") + f"#{name}"
        return Markup('<svg class="i" aria-hidden="true"><use href="{}"/></svg>').format(href)

    def render(self, name: str, **values: object) -> str:
        return self._jinja.get_template(name).render(**values)

    def page(self, name: str, *, status: int = 200, **values: object) -> HTMLResponse:
        return HTMLResponse(
            self.render(name, **values), status_code=status, headers={"cache-control": "no-store"}
        )


def _kind(path: Path) -> str:
    return mimetypes.guess_type(path.name)[0] or "application/octet-stream"
