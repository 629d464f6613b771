"""How a program is told what went wrong: errors as the JSON of OAuth, never stored."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from trackeep.broker.oauth_errors import InvalidClient, OAuthError
from trackeep.broker.parts import broker_of
from trackeep.errors import (
    GitHubError,
    GrantRefused,
    TokenRefused,
    TooManyRequests,
    TrackeepError,
    UsageError,
)

NO_STORE = {"cache-control": "no-store", "pragma": "no-cache"}


def refusal(request: Request, error: TrackeepError) -> Response:
    """`error` in the words of RFC 6749 section 5.2, never stored."""
    status, word, headers = _outcome(error)
    broker_of(request).metrics.failed(word)
    if isinstance(error, InvalidClient) and "authorization" in request.headers:
        headers["www-authenticate"] = 'Basic realm="trackeep"'
    body = {"error": word, "error_description": error.sentence, "request_id": request.state.request_id}
    return JSONResponse(body, status_code=status, headers={**NO_STORE, **headers})


def _outcome(error: TrackeepError) -> tuple[int, str, dict[str, str]]:
    match error:
        case OAuthError():
            return error.status, error.code, {}
        case GrantRefused():
            return 400, "invalid_grant", {}
        case UsageError() | TokenRefused():
            return 400, "invalid_request", {}
        case TooManyRequests():
            return 429, "rate_limited", {"retry-after": str(error.retry_after_s)}
        case TrackeepError(status=503):
            # GitHub, or what replicas share, is away. Not invalid_grant: an instance must not throw anything
            # away because somebody has a bad minute.
            return 503, "temporarily_unavailable", {"retry-after": "30"}
        case GitHubError():
            return 502, "server_error", {}
    return 500, "server_error", {}
