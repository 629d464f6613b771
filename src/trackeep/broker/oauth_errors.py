"""What a client did wrong, in the words of OAuth and OpenID Connect; each says what to change."""

from __future__ import annotations

from trackeep.errors import UsageError


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
