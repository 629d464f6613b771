"""Commits as people really wrote them."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trackeep.github.gitobjects import parse_commit
from trackeep.model import LATEST_AT, CoAuthor, Commit, Signature

SHA = "1" * 40


def parsed(
    message: bytes = b"Work\n", *, author: bytes = b"Al <a@x> 1700000000 +0530", more: bytes = b""
) -> Commit:
    head = b"tree %b\nauthor %b\ncommitter Bo <b@x> 1700000100 -0800\n%b" % (b"0" * 40, author, more)
    return parse_commit(SHA, head + b"\n" + message)


def test_an_ordinary_commit() -> None:
    """Instant and the writer's own offset are kept apart, for author and committer."""
    commit = parsed(b"Subject\n\nBody\n")
    assert commit.author == Signature("Al", "a@x", 1_700_000_000, 330)
    assert commit.committer == Signature("Bo", "b@x", 1_700_000_100, -480)
    assert (commit.subject, commit.message, commit.signed) == ("Subject", "Subject\n\nBody", False)


@pytest.mark.parametrize(
    ("author", "expected"),
    [
        (b"", Signature("", "", 0, 0)),
        (b"nobody", Signature("nobody", "", 0, 0)),
        (b" <a@x> 1 +0000", Signature("", "a@x", 1, 0)),
        (b"Al <> 1 +0000", Signature("Al", "", 1, 0)),
        (b"Al <a <b@x>> 1 +0000", Signature("Al", "a <b@x", 1, 0)),
        (b"Al > Bo <a@x> 7 +0100", Signature("Al > Bo", "a@x", 7, 60)),
        (b"Al <a@x>", Signature("Al", "a@x", 0, 0)),
        (b"Al <a@x> soon +0100", Signature("Al", "a@x", 0, 60)),
        (b"Al <a@x> 1 +051800", Signature("Al", "a@x", 1, 318)),
        (b"Al <a@x> 1 -0000", Signature("Al", "a@x", 1, 0)),
        (b"Al <a@x> 1 +9900", Signature("Al", "a@x", 1, 0)),
        (b"Al <a@x> 1 +545", Signature("Al", "a@x", 1, 345)),
        (b"Al <a@x> 1 \xff", Signature("Al", "a@x", 1, 0)),
        (b"Al <a@x> -2208988800 +0000", Signature("Al", "a@x", -2_208_988_800, 0)),
        (b"Al <a@x> 4291747200 +0000", Signature("Al", "a@x", 4_291_747_200, 0)),
        (b"Al <a@x> 99999999999999999999999999999 +0000", Signature("Al", "a@x", LATEST_AT, 0)),
    ],
)
def test_odd_signatures_never_raise(author: bytes, expected: Signature) -> None:
    """Whatever stands in an author line becomes something a calendar can show."""
    assert parsed(author=author).author == expected


def test_the_declared_encoding_is_used() -> None:
    """`encoding` in the header governs names and message."""
    commit = parsed(
        "žluť".encode("iso-8859-2"),
        author="Łuk <a@x> 1 +0000".encode("iso-8859-2"),
        more=b"encoding ISO-8859-2\n",
    )
    assert (commit.message, commit.author.name) == ("žluť", "Łuk")


@pytest.mark.parametrize(
    ("header", "message", "expected"),
    [
        (b"", "Zoë".encode(), "Zoë"),
        (b"", b"Zo\xeb", "Zoë"),
        (b"encoding no-such\n", "Zoë".encode(), "Zoë"),
        (b"encoding ASCII\n", b"Zo\xeb", "Zoë"),
        (b"encoding hex\n", b"Zo\xeb", "Zoë"),
        (b"encoding utf-7\n", b"+2AA-", "+2AA-"),
        (b"encoding \xff\n", b"ok", "ok"),
        (b"", b"a\0b", "a\ufffdb"),
    ],
)
def test_text_that_does_not_fit_its_encoding(header: bytes, message: bytes, expected: str) -> None:
    """Else UTF-8, else Latin-1; what a database cannot hold is replaced, and the rest is kept."""
    text = parsed(message, more=header).message
    assert text == expected
    text.encode()


def test_signed_with_merge_tag_and_no_message() -> None:
    """Headers of several lines are skipped, wherever the blank line inside them stands."""
    more = b"mergetag object 1\n type commit\n \n encoding latin-1\ngpgsig -----BEGIN\n \n abc\n -----END\n"
    raw = b"tree %b\nparent %b\nparent %b\nauthor A <a@x> 1 +0000\n%b" % (
        b"0" * 40,
        b"2" * 40,
        b"3" * 40,
        more,
    )
    commit = parse_commit(SHA, raw)
    assert commit.signed and commit.is_merge and commit.message == ""
    assert commit.parents == ("2" * 40, "3" * 40)


def test_co_authors() -> None:
    """Trailers count in any case, once for each address; a mention within a sentence does not."""
    commit = parsed(
        b"Work\n\nsee Co-authored-by: No <no@x>\n\nCo-authored-by: Bob B <bob@x>\n"
        b"co-Authored-BY:Carol<carol@x>\r\nCo-authored-by: Again <bob@x>\nCo-authored-by: Nobody <>\n"
    )
    assert commit.co_authors == (CoAuthor("Bob B", "bob@x"), CoAuthor("Carol", "carol@x"))


def test_a_long_message_and_address_and_a_hundred_thousand_trailers() -> None:
    """5 MB are read in well under a second; an address stays short enough for an index."""
    message = (
        b"Co-authored-by: " * 300_000
        + b"\n"
        + b"".join(b"Co-authored-by: A <%d@x>\n" % n for n in range(100_000))
    )
    commit = parsed(message, author=b"A <" + b"a" * 9_000 + b"> 1 +0000")
    assert len(commit.message) == len(message) - 1
    assert len(commit.co_authors) == 200
    assert len(commit.author.email) == 320


@pytest.mark.parametrize("line", [b"\0" * 40, b"1" * 39, b"1" * 41, b"1 " * 20, b"x" * 40, b"\xff" * 40])
def test_a_parent_that_is_no_sha(line: bytes) -> None:
    """Only whole shas become parents, so that no other byte reaches the database; neither do later lines."""
    good = b"parent " + b"2" * 40 + b"\n"
    raw = b"tree 0\n" + good + b"parent " + line + b"\n" + good + b"author A <a@x> 1 +0000\n" + good + b"\n"
    assert parse_commit(SHA, raw).parents == ("2" * 40,)


PIECES = (
    b"tree 1\n",
    b"parent ",
    b"author ",
    b"committer ",
    b"encoding ",
    b"gpgsig ",
    b"<",
    b">",
    b"\n",
    b"\n\n",
    b"+0530",
    b" 17",
)


@given(st.lists(st.sampled_from(PIECES) | st.binary(max_size=12), max_size=40))
def test_bytes_that_are_no_commit(pieces: list[bytes]) -> None:
    """Whatever the bytes are, what comes out is text a database takes and instants a calendar has."""
    commit = parse_commit(SHA, b"".join(pieces))
    texts = [commit.message, *commit.parents]
    for who in (commit.author, commit.committer):
        texts += [who.name, who.email]
        datetime.fromtimestamp(who.at, timezone(timedelta(minutes=who.offset_minutes)))
    assert not any("\0" in text for text in texts)
    "".join(texts).encode()
