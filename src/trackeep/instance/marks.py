"""Which pieces of a text a search has found; pure."""

from __future__ import annotations

import re

from trackeep.store.search_grammar import Query


def marked(text: str, query: Query) -> list[tuple[str, bool]]:
    """`text` in pieces, each with whether it is one of the words that were looked for."""
    patterns = []
    for term in query.terms:
        if term.words and not term.negated:
            words = r"[\W_]+".join(map(re.escape, term.words))
            patterns.append(rf"(?<![^\W_]){words}" + ("" if term.is_prefix else r"(?![^\W_])"))
    if not patterns:
        return [(text, False)]
    pieces = re.split(f"({'|'.join(patterns)})", text, flags=re.IGNORECASE)
    return [(piece, bool(number % 2)) for number, piece in enumerate(pieces) if piece]
