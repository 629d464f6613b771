"""What the consent page promises is true for the kind of registration and the scopes in use."""

from itertools import combinations

import pytest

from trackeep.broker.scopes import explain
from trackeep.handshake.messages import DEFAULT_SCOPES, KNOWN_SCOPES

EVERY_CHOICE = [
    chosen for count in range(1, len(KNOWN_SCOPES) + 1) for chosen in combinations(KNOWN_SCOPES, count)
]


@pytest.mark.parametrize("scopes", EVERY_CHOICE, ids=" ".join)
def test_an_oauth_app_never_promises_less_than_it_gets(scopes: tuple[str, ...]) -> None:
    """`repo` is full control at GitHub: the page says so, and says "cannot change" only without it."""
    text = " ".join(f"{grant.sentence} {grant.detail}" for grant in explain(scopes, is_github_app=False))
    assert ("Full control" in text) == ("repo" in scopes)
    assert ("cannot change anything" in text) == (not {"repo", "public_repo"} & set(scopes))
    assert ("organisations" in text) == ("read:org" in scopes)
    assert ("e-mail" in text) == ("user:email" in scopes)


def test_a_github_app_reads_and_nothing_else() -> None:
    """With read permissions the page may promise that nothing can be changed."""
    text = " ".join(grant.sentence for grant in explain(DEFAULT_SCOPES, is_github_app=True))
    assert "cannot change anything" in text
    assert "Full control" not in text
