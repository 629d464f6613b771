"""Cuts GitHub's published OpenAPI description down to the addresses the sandbox serves and compresses it."""

from __future__ import annotations

import argparse
import gzip
import json
import re
from pathlib import Path
from typing import Any

NOTICE = """This folder holds a part of GitHub's OpenAPI description.

It was taken from the npm package @octokit/openapi {version} (https://github.com/octokit/openapi), which
publishes https://github.com/github/rest-api-description under the MIT licence; see LICENSE beside this
file. Only the paths listed in tools/vendor_openapi.py and what they refer to were kept; nothing in them
was changed.
"""
REPOSITORY = "/repos/{owner}/{repo}"
READ = (
    "/meta",
    "/rate_limit",
    "/issues",
    "/search/issues",
    "/user",
    "/user/emails",
    "/user/orgs",
    "/user/repos",
    "/user/teams",
    "/users/{username}",
    "/users/{username}/orgs",
    "/users/{username}/repos",
    "/orgs/{org}",
    "/orgs/{org}/repos",
    *(
        REPOSITORY + path
        for path in (
            "",
            "/branches",
            "/branches/{branch}",
            "/commits",
            "/commits/{ref}",
            "/contributors",
            "/git/matching-refs/{ref}",
            "/issues",
            "/issues/{issue_number}",
            "/issues/{issue_number}/events",
            "/languages",
            "/pulls",
            "/pulls/comments",
            "/pulls/{pull_number}",
            "/pulls/{pull_number}/comments",
            "/pulls/{pull_number}/commits",
            "/pulls/{pull_number}/files",
            "/pulls/{pull_number}/requested_reviewers",
            "/pulls/{pull_number}/reviews",
            "/pulls/{pull_number}/reviews/{review_id}",
            "/releases",
            "/releases/latest",
            "/releases/tags/{tag}",
            "/releases/{release_id}",
            "/tags",
        )
    ),
)
OPERATIONS = {
    **{path: ("get",) for path in READ},
    "/applications/{client_id}/grant": ("delete",),
    "/applications/{client_id}/token": ("post", "patch", "delete"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("package", type=Path, help="the unpacked npm package @octokit/openapi")
    parser.add_argument("target", type=Path, help="the folder to write to")
    asked = parser.parse_args()
    described = json.loads((asked.package / "generated" / "api.github.com.json").read_text())
    trimmed = trim(described)
    asked.target.mkdir(parents=True, exist_ok=True)
    packed = gzip.compress(json.dumps(trimmed, separators=(",", ":"), sort_keys=True).encode(), 9, mtime=0)
    (asked.target / "openapi.json.gz").write_bytes(packed)
    (asked.target / "LICENSE").write_bytes((asked.package / "LICENSE").read_bytes())
    version = json.loads((asked.package / "package.json").read_text())["version"]
    (asked.target / "NOTICE").write_text(NOTICE.format(version=version))
    print(f"{len(OPERATIONS)} paths, {len(packed):,} bytes")


def trim(described: dict[str, Any]) -> dict[str, Any]:
    """The operations above, untouched, with every component that they reach."""
    paths = {
        path: {method: described["paths"][path][method] for method in methods}
        for path, methods in OPERATIONS.items()
    }
    components: dict[str, dict[str, Any]] = {}
    waiting = references(paths)
    while waiting:
        kind, name = waiting.pop()
        if name in components.setdefault(kind, {}):
            continue
        components[kind][name] = described["components"][kind][name]
        waiting |= references(components[kind][name])
    return {
        "openapi": described["openapi"],
        "info": described["info"],
        "paths": paths,
        "components": components,
    }


def references(part: Any) -> set[tuple[str, str]]:
    """Every `#/components/kind/name` that a part of the document names."""
    return set(re.findall(r'"#/components/([^/"]+)/([^"]+)"', json.dumps(part)))


if __name__ == "__main__":
    main()
