"""The login itself: the doors it begins at, the agreement of the person, and the way back from GitHub."""

from __future__ import annotations

import structlog
from starlette.requests import Request
from starlette.responses import Response

from trackeep.broker import (
    answers,
    codes,
    consent,
    issuing,
    limits,
    pushed,
    questions,
    remembered,
    transactions,
)
from trackeep.broker.oauth_errors import OAuthError
from trackeep.broker.parts import Broker, broker_of, read_form
from trackeep.broker.questions import Question
from trackeep.broker.transactions import Transaction
from trackeep.errors import Forbidden, GitHubError, GitHubUnavailable, GrantRefused, LoginDenied, LoginError
from trackeep.github.oauth import Authorization
from trackeep.handshake.messages import code_challenge, single
from trackeep.web import is_same_origin

log = structlog.get_logger()

LONGEST_GITHUB_CODE = 256
# What GitHub may answer instead of a code (RFC 6749 section 4.1.2.1), passed on as it is.
RELAYED_ERRORS = ("access_denied", "temporarily_unavailable", "server_error")


async def start(request: Request) -> Response:
    """GET /auth/github: checks the address, then asks the person. Changes nothing anywhere."""
    broker, query = broker_of(request), request.query_params.multi_items()
    if single(query, "request_uri"):
        return await _ask(broker, request, pushed.find(broker, query, is_exact=False))
    return await _ask(broker, request, await questions.from_start(broker, query))


async def authorize(request: Request) -> Response:
    """GET or POST /authorize (RFC 6749 section 4.1.1): the same, for OAuth and OpenID Connect clients."""
    broker = broker_of(request)
    is_form = request.method == "POST"
    query = await read_form(request) if is_form else request.query_params.multi_items()
    if single(query, "request_uri"):
        return await _ask(broker, request, pushed.find(broker, query, is_exact=True))
    client, target = await questions.addressee(broker, query)
    try:
        question = questions.from_authorize(client, target, query)
    except OAuthError as error:
        state = answers.plain_state(query)
        told = f"{error.sentence} {error.hint}".strip()
        url = answers.error_url(target, broker.issuer, state, error.code, told)
        return answers.see_other(url)
    return await _ask(broker, request, question)


async def agree(request: Request) -> Response:
    """POST /auth/github: the person chose Continue; only now does a login begin."""
    broker = broker_of(request)
    # A page elsewhere must not press the button for the person.
    if not is_same_origin(request, broker.origin):
        raise Forbidden(
            "This form was sent from another page.", "Open the sign-in page of your Trackeep again."
        )
    form = await read_form(request)
    try:
        question = consent.agreed(broker, request, single(form, "token"))
    except consent.ConsentAgain as again:
        # Not a dead end: the same question, with a form that fits this browser.
        return consent.page(broker, request, again.question, status=403)
    response = _go_to_github(broker, request, question, by_redirect=False)
    is_ticked = single(form, "remember") == "yes"
    remembered.keep(broker, request, response, question, is_ticked=is_ticked)
    broker.metrics.consented()
    return response


async def callback(request: Request) -> Response:
    """GET /auth/github/callback: GitHub's answer, accepted only in the browser that began the login."""
    broker = broker_of(request)
    query = request.query_params.multi_items()
    try:
        transaction = transactions.find(broker, request, single(query, "state"))
    except transactions.StateMismatch:
        if single(query, "error") == "access_denied":
            raise LoginDenied("GitHub did not let this login through.") from None
        raise
    url = await _answer(broker, transaction, single(query, "code"), single(query, "error"))
    response = answers.see_other(url)
    transactions.end(broker, response, transaction)
    return response


async def _ask(broker: Broker, request: Request, question: Question) -> Response:
    broker.metrics.started()
    await limits.check_target(broker, request.state.client_address, question.target.base_url)
    if remembered.counts(broker, request, question):
        return _go_to_github(broker, request, question, by_redirect=True)
    return consent.page(broker, request, question)


def _go_to_github(broker: Broker, request: Request, question: Question, *, by_redirect: bool) -> Response:
    begun = transactions.begin(broker, question)
    url = broker.github.authorize_url(
        Authorization(
            redirect_uri=broker.callback_url,
            state=begun.state,
            code_challenge=code_challenge(begun.transaction.verifier),
            scopes=question.scopes,
        )
    )
    # After a form, browsers hold every further redirect to `form-action`, also those inside GitHub
    # (single sign-on): so a page that goes on by itself, not a redirect.
    page = answers.see_other(url) if by_redirect else broker.pages.page("onward.html", github_url=url)
    transactions.keep(broker, request, page, begun.transaction)
    return page


async def _answer(broker: Broker, transaction: Transaction, github_code: str, error: str) -> str:
    """The address on which the instance gets its answer."""
    question = transaction.question
    target = question.target
    if error or not github_code or len(github_code) > LONGEST_GITHUB_CODE:
        word = error if error in RELAYED_ERRORS else "server_error"
        broker.metrics.failed(word)
        return answers.error_url(target, broker.issuer, question.state, word)
    if question.wants_code:
        code = codes.seal_code(broker, transaction, github_code)
        broker.metrics.signed_in("code")
        return answers.code_url(target, broker.issuer, question.state, code)
    return await _token_answer(broker, transaction, github_code)


async def _token_answer(broker: Broker, transaction: Transaction, github_code: str) -> str:
    question = transaction.question
    target = question.target
    try:
        issued = await issuing.issue(broker, codes.make_code(broker, transaction, github_code))
    except GitHubUnavailable as away:
        broker.metrics.failed(away.code)
        return answers.error_url(target, broker.issuer, question.state, "temporarily_unavailable")
    except (GitHubError, GrantRefused) as refused:
        log.warning("no token", reason=refused.sentence)
        broker.metrics.failed(refused.code)
        return answers.error_url(target, broker.issuer, question.state, "server_error")
    url = answers.token_url(target, question.state, issued.token, issued.profile.person.login)
    # Longer addresses are cut by some servers, and half a token looks like a broken login.
    if len(url) > answers.LONGEST_ANSWER:
        await broker.github.revoke(issued.github.access_token)
        raise LoginError(
            "The login token is too long for an address.", "This Trackeep has to ask for a code instead."
        )
    broker.metrics.signed_in("token")
    return url
