"""REST answers about refs as git keeps them, tags with the sha of the tag itself."""

from __future__ import annotations

from urllib.parse import quote

from trackeep.sandbox.representation import Json
from trackeep.sandbox.representation_work import Work
from trackeep.sandbox.rest_protocol import Answer, Call, Problem
from trackeep.sandbox.rest_repositories import work_of
from trackeep.sandbox.world import node_id


async def matching_refs(call: Call) -> Answer:
    """All refs whose name starts with what was asked for, by name and on one page, as GitHub does."""
    work = work_of(call)
    repository = work.repository
    if not repository.commits:
        raise Problem(409, "Git Repository is empty.")
    refs = {f"refs/heads/{name}": ("commit", sha) for name, sha in repository.branches.items()}
    for name, tag in repository.tags.items():
        refs[f"refs/tags/{name}"] = ("commit" if tag.sha == tag.commit_sha else "tag", tag.sha)
    start = f"refs/{call.request.path_params['ref']}"
    found = sorted(name for name in refs if name.startswith(start))
    return Answer([_ref(work, name, *refs[name]) for name in found])


def _ref(work: Work, name: str, kind: str, sha: str) -> Json:
    git = f"{work.url}/git"
    return {
        "ref": name,
        "node_id": f"REF_{node_id('R', work.repository.id)[2:]}_{name}",
        "url": f"{git}/{quote(name)}",
        "object": {"sha": sha, "type": kind, "url": f"{git}/{kind}s/{sha}"},
    }
