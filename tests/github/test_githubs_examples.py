"""GitHub's own examples of its answers, read by our parsers."""

from __future__ import annotations

from typing import Any

import msgspec
import openapi
import pytest

from trackeep.github import parse

REPOSITORY = "/repos/{owner}/{repo}"
READ_AS: dict[str, Any] = {
    "/user": parse.RestPerson,
    "/users/{username}": parse.RestPerson,
    "/user/emails": list[parse.RestEmail],
    "/user/repos": list[parse.RestRepository],
    "/issues": list[parse.RestIssue],
    REPOSITORY: parse.RestRepository,
    REPOSITORY + "/branches": list[parse.RestBranch],
    REPOSITORY + "/branches/{branch}": parse.RestBranch,
    REPOSITORY + "/commits": list[parse.RestCommit],
    REPOSITORY + "/commits/{ref}": parse.RestCommit,
    REPOSITORY + "/issues": list[parse.RestIssue],
    REPOSITORY + "/issues/{issue_number}": parse.RestIssue,
    REPOSITORY + "/pulls": list[parse.RestPull],
    REPOSITORY + "/pulls/{pull_number}": parse.RestPull,
    REPOSITORY + "/pulls/{pull_number}/commits": list[parse.RestCommit],
    REPOSITORY + "/pulls/{pull_number}/reviews": list[parse.RestReview],
}


@pytest.mark.parametrize("path", READ_AS)
def test_githubs_examples_are_understood(path: str) -> None:
    """Every example of an answer becomes our nouns, with its identity kept."""
    examples = list(openapi.examples("get", path))
    assert examples
    for example in examples:
        read = parse.decoded(msgspec.json.encode(example), READ_AS[path])
        things, shapes = (read, example) if isinstance(read, list) else ([read], [example])
        for thing, shape in zip(things, shapes, strict=True):
            assert thing.noun() is not None
            for key in ("id", "sha", "email", "name"):
                assert getattr(thing, key, None) == shape.get(key) or not hasattr(thing, key)
