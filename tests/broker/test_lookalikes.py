"""Names that may be taken for others: what is flagged, and that honest names are left alone."""

import idna
import pytest

from trackeep.broker.lookalikes import doubts

KNOWN = ("github.com", "login.example.org")


def seen(readable: str) -> str:
    return " ".join(doubts(idna.encode(readable).decode(), readable, KNOWN))


@pytest.mark.parametrize(
    "name",
    [
        *("home.example", "github.com", "gist.github.com", "login.example.org", "trackeep.alice.example"),
        *("münchen.example", "łódź.example", "løkke.example", "straße.example", "été.example"),
        *(
            "пример.example",
            "日本語example.example",
            "東京タワー.example",
            "한국어.example",
            "login.example.com",
        ),
    ],
)
def test_an_honest_name_is_left_alone(name: str) -> None:
    """Accents, one alphabet, and the scripts that one language writes together are no trick."""
    assert seen(name) == ""


@pytest.mark.parametrize("name", ["gіthub.com", "pаypal.example", "exаmple.org", "gοοgle.example"])
def test_letters_of_two_alphabets_are_flagged(name: str) -> None:
    """A Cyrillic or Greek letter among Latin ones."""
    assert "mixes letters of different alphabets" in seen(name)


@pytest.mark.parametrize(
    ("name", "plain"), [("аррӏе.example", "apple"), ("gıthub.com", "github"), ("ɡo.example", "go")]
)
def test_letters_that_imitate_are_flagged(name: str, plain: str) -> None:
    """A whole word of foreign letters, or a rare Latin one, that reads like a plain word."""
    assert f"It is not “{plain}." in seen(name)


@pytest.mark.parametrize(
    "name",
    [
        "glthub.com",
        "g1thub.com",
        "login-github.example",
        "github.com.evil.example",
        "login.example.org.evil.example",
    ],
)
def test_a_borrowed_name_is_flagged(name: str) -> None:
    """GitHub's name, or the service's own, in somebody else's address."""
    assert "This is not an address of " in seen(name)
