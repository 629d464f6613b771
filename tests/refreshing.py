"""An instance at the OAuth service whose tokens expire: what it gets at the login, and how it refreshes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from urllib.parse import urlencode

from visitor import Answer, Start, Visitor


@dataclass(frozen=True)
class Pair:
    """What an instance holds after a login or a refresh."""

    access_token: str
    refresh_token: str

    @classmethod
    def of(cls, answer: Answer) -> Pair:
        assert answer.status == 200, answer.text
        body = json.loads(answer.text)
        return cls(body["access_token"], body["refresh_token"])


async def log_in(visitor: Visitor, start: Start, *, dpop_jkt: str = "", **headers: str) -> Pair:
    """A whole login in code mode; `headers` go with the redemption."""
    bound = "&" + urlencode({"dpop_jkt": dpop_jkt}) if dpop_jkt else ""
    page = await visitor.get(start.url(visitor.broker_url) + bound)
    onward = (await visitor.agree(page)).onward
    back = await visitor.get(await visitor.sign_in_at_github(onward))
    form = {"grant_type": "authorization_code", "code": back.query["code"]}
    form |= {"code_verifier": start.verifier, "redirect_uri": start.base_url, "client_id": start.base_url}
    return Pair.of(await visitor.ask("POST", f"{visitor.broker_url}/token", headers, form))


async def refresh(
    visitor: Visitor, start: Start, refresh_token: str, headers: dict[str, str] | None = None, **changes: str
) -> Answer:
    """What the instance's server does in time; a change to "" leaves the field out."""
    form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
    form |= {"redirect_uri": start.base_url, "client_id": start.base_url, **changes}
    given = {name: value for name, value in form.items() if value}
    return await visitor.ask("POST", f"{visitor.broker_url}/token", headers or {}, given)


def error_of(answer: Answer) -> str:
    """The word of an answer that is a refusal."""
    word: str = json.loads(answer.text)["error"]
    return word
