"""The sections of the settings: one table, from which their navigation is made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from trackeep.instance.frame import show, viewer_of


@dataclass(frozen=True)
class Section:
    """One page of the settings; `is_owners` means that only the owner of the instance sees it."""

    key: str
    path: str
    label: str
    is_owners: bool = False


SECTIONS = (
    Section("profile", "/settings", "Profile"),
    Section("github", "/settings/github", "GitHub"),
    Section("sessions", "/settings/sessions", "Sessions"),
    Section("tokens", "/settings/tokens", "API tokens"),
    Section("feeds", "/settings/feeds", "Feeds"),
    Section("badges", "/settings/badges", "Badges"),
    Section("users", "/settings/users", "Users", is_owners=True),
    Section("system", "/settings/system", "System", is_owners=True),
    Section("export", "/settings/export", "Export"),
    Section("danger", "/settings/danger", "Danger zone"),
)


def show_section(request: Request, template: str, section: str, **values: Any) -> Response:
    """A page of the settings; the template extends settings_frame.html and fills its block `section`."""
    is_owner = viewer_of(request).role == "owner"
    shown = [entry for entry in SECTIONS if is_owner or not entry.is_owners]
    return show(request, template, "settings", sections=shown, section=section, **values)
