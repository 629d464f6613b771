"""The GraphQL endpoint: parses, prices, charges and executes a query, and answers the way GitHub does."""

from __future__ import annotations

import functools
import json
import re
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    GraphQLUnionType,
    build_schema,
    execute_sync,
    get_operation_ast,
    parse,
    validate,
)
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from trackeep.sandbox import graphql_commits, graphql_pulls, graphql_repositories
from trackeep.sandbox.graphql_connections import Info, Refused, Resolver
from trackeep.sandbox.graphql_nodes import EVENT_TYPES, Asked, type_name
from trackeep.sandbox.graphql_scopes import ScopedField, missing_scopes, scoped_fields
from trackeep.sandbox.graphql_times import parse_time, write_git_time, write_time
from trackeep.sandbox.oauth import BadCredentials, Grant
from trackeep.sandbox.points import NODE_LIMIT, Price, price
from trackeep.sandbox.requestlog import entry_of
from trackeep.sandbox.state import SandboxState

DOCS = "https://docs.github.com/graphql"
SCHEMA_FILE = Path(__file__).with_name("schema.graphql")


def routes(state: SandboxState) -> list[Route]:
    """POST /api/graphql, where GitHub Enterprise Server has it."""

    async def answer(request: Request) -> Response:
        exchange = _Exchange(state, request)
        try:
            return exchange.answered(await request.body())
        except _Refusal as refusal:
            return exchange.refused(refusal)

    return [Route("/api/graphql", answer, methods=["POST"])]


class _Refusal(Exception):
    """An answer that is not GraphQL at all: a status with GitHub's small JSON body."""

    def __init__(self, status: int, message: str, page: str = DOCS) -> None:
        super().__init__(message)
        self.status = status
        self.page = page


class _Exchange:
    """One request and its answer, step by step."""

    def __init__(self, state: SandboxState, request: Request) -> None:
        self._state = state
        self._request = request
        self._grant: Grant | None = None
        self._entry = entry_of(request)
        self._entry.resource = "graphql"

    def answered(self, body: bytes) -> Response:
        grant = self._authenticated()
        asked_for = _asked_for(body)
        budget = self._state.quota.look(grant.login, "graphql")
        if budget.remaining == 0:
            person = self._state.world.people[grant.login]
            return self._written(_error("RATE_LIMITED", f"API rate limit exceeded for user ID {person.id}."))
        prepared = _prepared(asked_for.query)
        document = prepared.document
        operation = get_operation_ast(document, asked_for.operation_name) if document else None
        if document is None or operation is None:
            self._charge(grant, 1)
            return self._written({"errors": list(prepared.errors) or [_NO_OPERATION]})
        cost = price(schema(), document, operation, asked_for.variables)
        self._charge(grant, cost.points)
        refusal = _refusal(prepared, grant, cost)
        if refusal:
            return self._written({"errors": refusal})
        context = Asked(self._state, grant, cost, self._state.quota.look(grant.login, "graphql"))
        return self._written(_executed(document, asked_for, context))

    def refused(self, refusal: _Refusal) -> Response:
        body = {"message": str(refusal), "documentation_url": refusal.page, "status": str(refusal.status)}
        return self._written(body, refusal.status)

    def _authenticated(self) -> Grant:
        if not self._request.headers.get("user-agent"):
            raise _Refusal(403, "Request forbidden by administrative rules.")
        try:
            grant = self._state.authority.authenticate(self._request.headers.get("authorization"))
        except BadCredentials:
            raise _Refusal(401, "Bad credentials") from None
        if grant is None:
            page = f"{DOCS}/guides/forming-calls-with-graphql#authenticating-with-graphql"
            raise _Refusal(401, "This endpoint requires you to be authenticated.", page)
        self._grant = grant
        self._entry.login, self._entry.token = grant.login, grant.token_fingerprint
        return grant

    def _charge(self, grant: Grant, points: int) -> None:
        self._state.quota.charge(grant.login, "graphql", points)
        self._entry.cost = points

    def _written(self, body: dict[str, Any], status: int = 200) -> Response:
        written = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        response = Response(written, status, media_type="application/json; charset=utf-8")
        login = self._grant.login if self._grant else None
        response.headers.update(self._state.quota.headers(login, "graphql"))
        response.headers["X-GitHub-Media-Type"] = "github.v4; format=json"
        response.headers["X-GitHub-Request-Id"] = ":".join(secrets.token_hex(2).upper() for _ in range(5))
        if self._grant is not None:
            response.headers["X-OAuth-Scopes"] = ", ".join(self._grant.shown_scopes)
            response.headers["X-Accepted-OAuth-Scopes"] = "repo"
        return response


@dataclass(frozen=True, slots=True)
class _AskedFor:
    query: str
    variables: dict[str, Any]
    operation_name: str | None


def _asked_for(body: bytes) -> _AskedFor:
    try:
        given = json.loads(body)
    except ValueError:
        raise _Refusal(400, "Problems parsing JSON") from None
    if not isinstance(given, dict):
        raise _Refusal(400, "Problems parsing JSON")
    query, variables = given.get("query"), given.get("variables")
    name = given.get("operationName")
    return _AskedFor(query if isinstance(query, str) else "", variables or {}, name or None)


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A query that was parsed and validated once; the document is None when it is not valid."""

    document: DocumentNode | None
    errors: tuple[dict[str, Any], ...] = ()
    scoped: tuple[ScopedField, ...] = ()


@functools.lru_cache(maxsize=256)
def _prepared(query: str) -> _Prepared:
    if not query:
        return _Prepared(None, ({"message": "A query attribute must be specified and must be a string."},))
    try:
        document = parse(query)
    except GraphQLError as error:
        return _Prepared(None, (_located(error, error.message),))
    errors = validate(schema(), document)
    if errors:
        return _Prepared(None, tuple(_validation_error(error) for error in errors))
    return _Prepared(document, scoped=tuple(scoped_fields(schema(), document)))


def _refusal(prepared: _Prepared, grant: Grant, cost: Price) -> list[dict[str, Any]]:
    """Why a valid query is not executed at all: it is too wide, or the token lacks a scope for a field."""
    if cost.nodes > NODE_LIMIT:
        message = (
            f"This query requests up to {cost.nodes:,} possible nodes which exceeds "
            f"the maximum limit of {NODE_LIMIT:,}."
        )
        return [{"type": "MAX_NODE_LIMIT_EXCEEDED", "message": message}]
    return [
        {"type": "INSUFFICIENT_SCOPES", "locations": [field.location], "message": message}
        for field, message in missing_scopes(prepared.scoped, grant)
    ]


def _executed(document: DocumentNode, asked_for: _AskedFor, context: Asked) -> dict[str, Any]:
    result: ExecutionResult = execute_sync(
        schema(),
        document,
        context_value=context,
        variable_values=asked_for.variables,
        operation_name=asked_for.operation_name,
        field_resolver=_attribute,
    )
    body: dict[str, Any] = {}
    if result.data is not None or not _is_request_error(result):
        body["data"] = result.data
    if result.errors:
        body["errors"] = [_field_error(error) for error in result.errors]
    return body


def _is_request_error(result: ExecutionResult) -> bool:
    """Errors without a path, such as a variable of the wrong type, came before anything was executed."""
    return all(error.path is None for error in result.errors or ())


def _field_error(error: GraphQLError) -> dict[str, Any]:
    cause = error.original_error
    if isinstance(cause, Refused):
        return ({"type": cause.kind} if cause.kind else {}) | _located(error, str(cause))
    if cause is not None and not isinstance(cause, GraphQLError):
        raise cause
    return _located(error, error.message)


def _located(error: GraphQLError, message: str) -> dict[str, Any]:
    found: dict[str, Any] = {"path": list(error.path)} if error.path else {}
    if error.locations:
        found["locations"] = [{"line": at.line, "column": at.column} for at in error.locations]
    return found | {"message": message}


_UNDEFINED = re.compile(r"Cannot query field '(\w+)' on type '(\w+)'")


def _validation_error(error: GraphQLError) -> dict[str, Any]:
    """The commonest mistake in GitHub's words and with its code, the others as the library words them."""
    undefined = _UNDEFINED.match(error.message)
    if undefined is None:
        return _located(error, error.message)
    field, owner = undefined.groups()
    extensions = {"code": "undefinedField", "typeName": owner, "fieldName": field}
    message = f"Field '{field}' doesn't exist on type '{owner}'"
    return {"path": ["query", field], "extensions": extensions} | _located(error, message)


def _error(kind: str, message: str) -> dict[str, Any]:
    return {"errors": [{"type": kind, "message": message}]}


_NO_OPERATION = {"message": "No operation with that name, or an operation name is required."}


@functools.cache
def schema() -> GraphQLSchema:
    """GitHub's schema as far as it is answered here, bound to the world; built at the first request."""
    built = build_schema(SCHEMA_FILE.read_text(encoding="utf-8"))
    for name, kind in built.type_map.items():
        if isinstance(kind, GraphQLInterfaceType | GraphQLUnionType):
            kind.resolve_type = lambda value, *_: type_name(value)
        elif isinstance(kind, GraphQLScalarType):
            _bind_scalar(kind)
        elif isinstance(kind, GraphQLObjectType) and not name.startswith("__"):
            _bind(kind)
    return built


def _bind(kind: GraphQLObjectType) -> None:
    resolvers = _SHARED | _RESOLVERS.get(kind.name, {})
    if kind.name.endswith("Edge"):
        resolvers = _EDGE | resolvers
    if kind.name.endswith("Connection"):
        resolvers = _CONNECTION | resolvers
    for name, field in kind.fields.items():
        if name in resolvers:
            field.resolve = resolvers[name]


def _bind_scalar(kind: GraphQLScalarType) -> None:
    if kind.name == "BigInt":
        kind.coerce_output_value = str
    if kind.name == "DateTime":
        kind.coerce_output_value = write_time
    if kind.name == "GitTimestamp":
        kind.coerce_output_value = write_git_time
    if kind.name in ("DateTime", "GitTimestamp"):
        kind.coerce_input_value = parse_time


def _attribute(node: Any, info: Info, **_: Any) -> Any:
    """`changedFiles` is `changed_files` of the thing itself."""
    if isinstance(node, dict):
        return node[info.field_name]
    name = _snake_case(info.field_name)
    return getattr(node, name) if hasattr(node, name) else getattr(node.it, name)


@functools.cache
def _snake_case(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def _path(node: Any) -> str:
    """Where github.com shows a thing; things without a page of their own have their repository's."""
    match type_name(node):
        case "Repository":
            return f"/{node.full_name}"
        case "PullRequest":
            return f"/{node.repository.full_name}/pull/{node.it.number}"
        case "Issue":
            return f"/{node.repository.full_name}/issues/{node.it.number}"
        case "PullRequestReview":
            return f"/{node.repository.full_name}/pull/{node.pull.number}#pullrequestreview-{node.it.id}"
        case "Commit":
            return f"/{node.repository.full_name}/commit/{node.it.sha}"
        case "Release":
            return f"/{node.repository.full_name}/releases/tag/{node.it.tag_name}"
        case "User" | "Bot" | "Organization":
            return f"/{node.login}"
    return f"/{node.repository.full_name}" if hasattr(node, "repository") else "/"


def _url(node: Any, info: Info) -> str:
    context = info.context
    assert isinstance(context, Asked)
    return context.state.url + _path(node)


_SHARED: dict[str, Resolver] = {
    "commitResourcePath": lambda node, info: _path(node),
    "commitUrl": _url,
    "permalink": _url,
    "resourcePath": lambda node, info: _path(node),
    "url": _url,
}
_EDGE: dict[str, Resolver] = {"cursor": lambda edge, info: edge[0], "node": lambda edge, info: edge[1]}
_CONNECTION: dict[str, Resolver] = {
    "issueCount": lambda page, info: page.total_count if page.whole == "ISSUE" else 0,
    "pageInfo": lambda page, info: {
        "endCursor": page.edges[-1][0] if page.edges else None,
        "hasNextPage": page.has_next,
        "hasPreviousPage": page.has_previous,
        "startCursor": page.edges[0][0] if page.edges else None,
    },
    "repositoryCount": lambda page, info: page.total_count if page.whole == "REPOSITORY" else 0,
}
_RESOLVERS: dict[str, dict[str, Resolver]] = {
    "Bot": graphql_repositories.ACCOUNT,
    "Commit": graphql_commits.COMMIT,
    "GitActor": graphql_commits.GIT_ACTOR,
    "Issue": graphql_pulls.ISSUE,
    "Label": graphql_repositories.LABEL,
    "Language": graphql_repositories.LANGUAGE,
    "LanguageConnection": graphql_repositories.LANGUAGES,
    "LanguageEdge": graphql_repositories.LANGUAGE_EDGE,
    "Organization": graphql_repositories.ACCOUNT,
    "PullRequest": graphql_pulls.PULL,
    "PullRequestCommit": graphql_pulls.PULL_COMMIT,
    "PullRequestReview": graphql_pulls.REVIEW,
    "PullRequestReviewThread": graphql_pulls.THREAD,
    "PullRequestTimelineItemsConnection": graphql_pulls.TIMELINE,
    "Query": graphql_repositories.QUERY,
    "Ref": graphql_commits.REF,
    "Release": graphql_repositories.RELEASE,
    "Repository": graphql_repositories.REPOSITORY,
    "RepositoryTopic": graphql_repositories.TOPIC,
    "ReviewRequest": graphql_pulls.REVIEW_REQUEST,
    "StatusCheckRollup": graphql_commits.ROLLUP,
    "Tag": graphql_commits.TAG,
    "Team": graphql_repositories.TEAM,
    "Topic": graphql_repositories.TOPIC,
    "User": graphql_repositories.ACCOUNT,
} | dict.fromkeys(EVENT_TYPES.values(), graphql_pulls.EVENT)
