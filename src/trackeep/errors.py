"""Every error raised on purpose: one tree, each with a sentence, a hint, a status and an exit code.

TrackeepError
├── SettingsError            wrong environment or flags         500, exit 2
├── UsageError               a request that cannot be meant     400, exit 2
├── NotSignedIn              no valid session or token          401, exit 4
│   └── TokenUnknown         no living API token                401, exit 4
├── Forbidden                signed in, but not allowed         403, exit 6
│   └── ScopeMissing         an API token that may not do this  403, exit 6
├── NotFound                 missing, or no access to it        404, exit 6
├── TooManyRequests          our own limits                     429, exit 5
├── DatabaseError            cannot be opened or written        503, exit 1
│   └── DatabaseVersionError older or newer than this program   503, exit 7
├── LeaseLost                another worker took over           409, exit 1
├── SecretsError             keys missing, weak or wrong        500, exit 2
├── LoginError               a login that must not go on        400, exit 4
│   ├── TokenRefused         a signed token that fails a check  400, exit 4
│   │   └── UnknownSigningKey signed by a key not known here    400, exit 4
│   ├── GrantRefused         a code that is spent or not yours  400, exit 4
│   └── LoginDenied          the person or GitHub said no       400, exit 4
├── BrokerError              the OAuth service refused          502, exit 1
│   ├── ClientRefused        it does not know this instance     502, exit 1
│   └── BrokerUnavailable    it did not answer                  503, exit 1
└── GitHubError              GitHub answered something else     502, exit 1
    ├── GitHubUnavailable    5xx, time-out, cut answer          503, exit 1
    ├── GitHubRateLimited    wait until `retry_at`              429, exit 5
    ├── GitHubTokenDead      401: expired or revoked            401, exit 4
    ├── GitHubNoAccess       404, 410, 451 or a refused scope   404, exit 6
    │   ├── GitHubGone       410: this kind of thing is off     404, exit 6
    │   └── GitHubSignOn     single sign-on first, at `link`    404, exit 6
    ├── GitHubGraphQLRefused no question by GraphQL at all      502, exit 1
    ├── GitHubTooLarge       more bytes than we take at once    502, exit 1
    ├── GitHubTooManyCommits more commits than we take at once  502, exit 1
    └── GitHubTooSlow        longer than we wait for one fetch  503, exit 1
"""

from __future__ import annotations


class TrackeepError(Exception):
    """Says in one sentence what happened and in `hint` what to do about it.

    `retry_after_s` is how long to wait before another try, None where nobody can say.
    """

    status = 500
    exit_code = 1
    code = "error"
    retry_after_s: int | None = None

    def __init__(self, sentence: str, hint: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.sentence} {self.hint}".strip()


class SettingsError(TrackeepError):
    exit_code = 2
    code = "settings"


class UsageError(TrackeepError):
    status = 400
    exit_code = 2
    code = "bad_request"


class NotSignedIn(TrackeepError):
    status = 401
    exit_code = 4
    code = "not_signed_in"


class TokenUnknown(NotSignedIn):
    code = "invalid_token"


class Forbidden(TrackeepError):
    status = 403
    exit_code = 6
    code = "forbidden"


class ScopeMissing(Forbidden):
    """`scope` is what the token would need."""

    code = "insufficient_scope"

    def __init__(self, sentence: str, hint: str = "", *, scope: str) -> None:
        super().__init__(sentence, hint)
        self.scope = scope


class NotFound(TrackeepError):
    status = 404
    exit_code = 6
    code = "not_found"


class TooManyRequests(TrackeepError):
    status = 429
    exit_code = 5
    code = "too_many_requests"

    def __init__(self, sentence: str, hint: str = "", *, retry_after_s: int = 60) -> None:
        super().__init__(sentence, hint)
        self.retry_after_s = retry_after_s


class DatabaseError(TrackeepError):
    status = 503
    code = "database"
    retry_after_s = 10


class DatabaseVersionError(DatabaseError):
    exit_code = 7
    code = "database_version"


class LeaseLost(TrackeepError):
    status = 409
    code = "lease_lost"


class SecretsError(TrackeepError):
    exit_code = 2
    code = "secrets"


class LoginError(TrackeepError):
    status = 400
    exit_code = 4
    code = "login"


class TokenRefused(LoginError):
    code = "token_refused"


class UnknownSigningKey(TokenRefused):
    code = "unknown_signing_key"


class GrantRefused(LoginError):
    code = "invalid_grant"


class LoginDenied(LoginError):
    """`code` is the error that came back, in the words of RFC 6749: access_denied, server_error..."""

    def __init__(self, sentence: str, hint: str = "", *, code: str = "access_denied") -> None:
        super().__init__(sentence, hint)
        self.code = code


class BrokerError(TrackeepError):
    status = 502
    code = "broker"


class ClientRefused(BrokerError):
    code = "client_refused"


class BrokerUnavailable(BrokerError):
    """`retry_after_s` is how long it asks to wait; None when no answer came, so nobody knows what it did."""

    status = 503
    code = "broker_unavailable"

    def __init__(self, sentence: str, hint: str = "", *, retry_after_s: int | None = None) -> None:
        super().__init__(sentence, hint)
        self.retry_after_s = retry_after_s


class GitHubError(TrackeepError):
    status = 502
    code = "github"


class GitHubUnavailable(GitHubError):
    status = 503
    code = "github_unavailable"


class GitHubRateLimited(GitHubError):
    """`retry_at` is the earliest unix second at which GitHub may be asked again."""

    status = 429
    exit_code = 5
    code = "github_rate_limited"

    def __init__(self, sentence: str, hint: str = "", *, retry_at: float = 0.0) -> None:
        super().__init__(sentence, hint)
        self.retry_at = retry_at


class GitHubTokenDead(GitHubError):
    status = 401
    exit_code = 4
    code = "github_token_dead"


class GitHubNoAccess(GitHubError):
    status = 404
    exit_code = 6
    code = "github_no_access"


class GitHubGone(GitHubNoAccess):
    code = "github_gone"


class GitHubSignOn(GitHubNoAccess):
    """`link` is GitHub's page where the person allows the token, "" when it named none of its own."""

    code = "github_sign_on"

    def __init__(self, sentence: str, hint: str = "", *, link: str = "") -> None:
        super().__init__(sentence, hint)
        self.link = link


class GitHubGraphQLRefused(GitHubError):
    code = "github_graphql_refused"


class GitHubTooLarge(GitHubError):
    code = "github_too_large"


class GitHubTooManyCommits(GitHubError):
    code = "github_too_many_commits"


class GitHubTooSlow(GitHubError):
    status = 503
    code = "github_too_slow"
