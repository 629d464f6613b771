"""What an error page says beside the error's own sentence: why it happened and what to do, by code; pure."""

from __future__ import annotations

from dataclasses import dataclass

AGAIN = "Go back to the page where you chose Sign in, and choose it again."
NOT_AGAIN = "If somebody sent you a link to get here, do not use it again."


@dataclass(frozen=True)
class Trouble:
    """`cause` is one paragraph; `steps` are what to do, after the hint that comes with the error.

    `is_about_apps` shows where GitHub lets people approve the registration for an organisation.
    """

    cause: str
    steps: tuple[str, ...] = ()
    is_about_apps: bool = False


OTHERWISE = Trouble("The login could not go on. Nothing was handed over.", (AGAIN,))

TROUBLES = {
    "invalid_redirect_uri": Trouble(
        "This service hands logins only to addresses that every program reads the same way, so that none "
        "ends up where nobody agreed to. Nothing was handed over.",
        ("If you run the program that sent you here, correct its base URL and try again.", NOT_AGAIN),
    ),
    "blocked_instance": Trouble(
        "Whoever runs this service decides which addresses may receive logins from it. Nothing was handed "
        "over.",
    ),
    "state_mismatch": Trouble(
        "GitHub answered, but this browser did not ask the question, or asked it more than ten minutes ago. "
        "That happens when cookies were cleared half-way, when the page was opened again from the history, "
        "or in another browser than the one it began in. Opened in two tabs? Each has its own login; finish "
        "one.",
        (f"{NOT_AGAIN} Nothing was handed over.",),
    ),
    "state_expired": Trouble(
        "A login has ten minutes from Continue until GitHub's answer, so that a forgotten tab cannot finish "
        "it later. Nothing was handed over.",
    ),
    "seal_broken": Trouble(
        "The form or the address was changed on its way, or the key of this service was replaced since the "
        "page was made. That happens when a page was left open for very long. Nothing was handed over.",
        (NOT_AGAIN,),
    ),
    "forbidden": Trouble(
        "The button of the consent page works on that page only: nobody else may press it for you. Nothing "
        "was handed over.",
        (NOT_AGAIN,),
    ),
    "access_denied": Trouble(
        "Somebody chose Cancel at GitHub, or an organisation does not allow this registration there. Nothing "
        "was handed over.",
        (AGAIN,),
        is_about_apps=True,
    ),
    "invalid_client": Trouble(
        "The program that sent you here did not say who it is in a way that can be checked. Nothing was "
        "handed over.",
        ("If you run it, compare its client id with the one that it was given.",),
    ),
    "invalid_grant": Trouble(
        "Each code works once, for one minute, and only for the program that asked for it. A page that was "
        "loaded again sends a code that is used already.",
        (AGAIN,),
    ),
    "token_refused": Trouble(
        "Login tokens carry the time at which they were made. When a clock is wrong by more than a minute, "
        "a good token looks too old or too new.",
        ("If you run the program that sent you here, check the clock of its computer (NTP).", AGAIN),
    ),
    "github_unavailable": Trouble(
        "GitHub did not answer in time, or answered with an error of its own. Your login is not lost; it has "
        "not begun.",
        (AGAIN,),
    ),
    "github": Trouble(
        "GitHub answered something that this service does not understand. Nothing was handed over.",
        ("Try again in a few minutes. If it stays, tell whoever runs this service the number below.",),
    ),
    "rate_limited": Trouble(
        "So that nobody's noise stops everybody else, each address may ask only so often. People behind one "
        "connection share that limit.",
    ),
    "error": Trouble(
        "That is a fault of this service, not of yours. Nothing was handed over.",
        ("If it stays, tell whoever runs this service the request number below.",),
    ),
    "http_404": Trouble("The address may be misspelt, or belong to another service."),
    "http_405": Trouble("Programs call this address; there is nothing to see for people."),
    "http_413": Trouble("What was sent is larger than anything a login needs."),
}


def trouble(code: str) -> Trouble:
    """What to say about an error with that code."""
    return TROUBLES.get(code, OTHERWISE)
