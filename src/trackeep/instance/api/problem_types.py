"""Every type of problem that the JSON API answers with: its title, and what it means."""

TYPES = {
    "bad_request": (
        "Bad request",
        "Something in the address cannot be meant: a cursor of another list, say.",
    ),
    "invalid": ("Invalid request", "A parameter or the body is not as described; `errors` says which."),
    "not_signed_in": ("Not signed in", "Neither a token nor a session came with the request."),
    "invalid_token": (
        "Token refused",
        "The token is unknown, expired or revoked, or its owner may not come.",
    ),
    "insufficient_scope": ("Scope missing", "The token is good, but was not made for this."),
    "forbidden": ("Forbidden", "You may not do this, or the request came from a foreign page."),
    "not_found": ("Not found", "Nothing here, or nothing that you may see; both look alike."),
    "method_not_allowed": ("Method not allowed", "`Allow` lists what this address takes."),
    "too_large": ("Body too large", "The body is longer than anything that is taken here."),
    "too_many_requests": ("Too many requests", "Wait for as long as `Retry-After` says."),
    "error": ("Server error", "It is our fault; the log has the request id."),
    "unavailable": ("Unavailable", "The database cannot be used just now. Try again."),
}
