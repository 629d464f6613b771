"""What a program is told when it asks wrongly: the errors of OAuth, and how they are written as JSON."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

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


class OAuthError(UsageError):
    """A request that a client has to change; `code` is the word of the standard for it."""

    code = "invalid_request"


class InvalidClient(OAuthError):
    """Unknown, or it did not prove that it is who it says (RFC 6749 section 5.2)."""

    status = 401
    code = "invalid_client"


class InvalidScope(OAuthError):
    code = "invalid_scope"


class UnsupportedGrant(OAuthError):
    code = "unsupported_grant_type"


class UnsupportedResponseType(OAuthError):
    code = "unsupported_response_type"


class RequestNotSupported(OAuthError):
    """OpenID Connect Core section 3.1.2.6."""

    code = "request_not_supported"


class InteractionRequired(OAuthError):
    """The person has to be asked, but the client forbade it (OpenID Connect Core section 3.1.2.6)."""

    code = "interaction_required"


class InvalidRegistration(OAuthError):
    """RFC 7591 section 3.2.2."""

    code = "invalid_client_metadata"


class InvalidRedirect(InvalidRegistration):
    code = "invalid_redirect_uri"


class InvalidProof(OAuthError):
    """The key that this login is bound to was not shown (RFC 9449 section 5)."""

    code = "invalid_dpop_proof"


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
