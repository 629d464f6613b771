"""Commits as nobody should have written them: the bytes of each, and the branches that hold them."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

_WHO = b"Alice <alice@fernhill.example>"
_WHEN = b"1700000000 +0200"
_MB = 1_000_000
_EMPTY_TREE = b"4b825dc642cb6eb9a060e54bf8d69288fbee4904"
_RIGHT_TO_LEFT = "\u202e"
_SIGNED = b"gpgsig -----BEGIN PGP SIGNATURE-----\n \n iQ\xff\n =x\n -----END PGP SIGNATURE-----\n"
_MERGE_TAG = b"mergetag object %b\n type commit\n tag v0\n tagger A <a@x> 1 +0000\n \n encoding latin-1\n"

WriteCommit = Callable[[bytes], str]


def body(
    message: bytes = b"Work\n",
    *,
    parents: Sequence[str] = (),
    author: bytes = _WHO + b" " + _WHEN,
    committer: bytes = _WHO + b" " + _WHEN,
    more: bytes = b"",
) -> bytes:
    """A commit object's bytes; `author` or `committer` of b"" leaves that line out."""
    head = b"tree " + _EMPTY_TREE + b"\n" + b"".join(b"parent " + sha.encode() + b"\n" for sha in parents)
    head += b"author " + author + b"\n" if author else b""
    head += b"committer " + committer + b"\n" if committer else b""
    return head + more + b"\n" + message


def write_all(write: WriteCommit) -> dict[str, str]:
    """Write every odd commit, each the child of the one before; the branches that lead to them, by name."""
    tip = ""
    for each in (*_texts(), *_people(), *_times(), *_large()):
        tip = write(each(parents=[tip] if tip else []))
    arms = [write(body(b"Arm %d\n" % number, parents=[tip])) for number in range(8)]
    octopus = write(body(b"Eight at once\n", parents=arms))
    twice = write(body(b"The same parent twice\n", parents=[octopus, octopus]))
    headers = _SIGNED + _MERGE_TAG % octopus.encode() + b"x-unknown \xff\xfe\nHG:rename a:b\n change-id\n"
    main = write(body(b"Headers of others\n", parents=[twice], more=headers))
    return {
        "main": main,
        "unrelated": write(body(b"A second beginning\n", parents=[write(body(b"Another root\n"))])),
        "twin": octopus,
        "quote'\"<u>&amp;": write(body(b"Quoted\n", parents=[main])),
        "ünï/cödé/分支/🦦": write(body("Ünïcödé 🦦\n".encode(), parents=[main])),
        "rtl" + _RIGHT_TO_LEFT + "main": twice,
        "long/" + "x" * 240 + "/" + "y" * 9: write(body(b"255 bytes of name\n", parents=[main])),
    }


Making = Iterator[partial[bytes]]


def _texts() -> Making:
    latin = "Zoë".encode("latin-1")
    declared = latin + b" <zoe@x.example> " + _WHEN
    yield partial(body, b"Gr\xfc\xdfe\n", author=declared, more=b"encoding ISO-8859-1\n")
    yield partial(body, "Žluť\n".encode("iso-8859-2"), more=b"encoding iso8859-2\n")
    yield partial(body, "日本語\n".encode("shift_jis"), more=b"encoding SHIFT-JIS\n")
    yield partial(body, "Zoë\n".encode(), more=b"encoding x-no-such\n")
    yield partial(body, b"Zo\xeb\n", more=b"encoding \xff\xfe\n")
    yield partial(body, b"abc", more=b"encoding utf-16\n")
    yield partial(body, b"caf\xe9 and \xe2\x82\n", author=declared)
    yield partial(body, b"\xed\xa0\x80 half a pair\n")
    yield partial(body, b"before\0after\n\nmore \0\0\n")
    yield partial(body, b"\r\nTitle\r\n\r\nBody\r\n")
    yield partial(body, b"\x1b[31mred\x1b[0m\x07\x08\x7f\xc2\x9b31m\x0c\x0b\n")
    yield partial(body, f"{_RIGHT_TO_LEFT}txt.exe\u2066\u200f\ufeff\n".encode())
    yield partial(body, b"</td><script>alert(1)</script> <!-- ]]> {{ 7 * 7 }}\n")
    yield partial(body, b"")
    yield partial(body, b"\n\n\n")


def _people() -> Making:
    yield partial(body, author=b" <nameless@x.example> " + _WHEN)
    yield partial(body, author=b"No Address <> " + _WHEN)
    yield partial(body, author=b"<> " + _WHEN, committer=b"<> " + _WHEN)
    yield partial(body, author=b"Broken <a <b> c> d> " + _WHEN)
    yield partial(body, author=b"No brackets at all " + _WHEN)
    yield partial(body, author=b"")
    yield partial(body, b"Nobody at all\n", author=b"", committer=b"")
    yield partial(body, author=b"A\0B\x1b[1m <nul\0@x.example> " + _WHEN)
    yield partial(body, author="\u202eecilA <rtl@x.example> ".encode() + _WHEN)
    yield partial(body, author=b"<script>x</script> <s@x.example> " + _WHEN)
    yield partial(body, author=b"Long <" + b"a" * 9_000 + b"@x.example> " + _WHEN)


def _times() -> Making:
    zones = (b"+051800", b"-0000", b"+9999", b"-2359", b"+1400", b"0530", b"+5", b"", b"UTC")
    for zone in zones:
        yield partial(body, author=_WHO + b" 1700000000 " + zone)
    moments = (
        *(b"-2208988800", b"0", b"4291747200", b"4294967296", b"253402300800", b"9223372036854775807"),
        *(
            b"9223372036854775808",
            b"-9223372036854775809",
            b"1" * 400,
            b"soon",
            b"1e9",
            b"1_700_000_000",
            b"",
        ),
    )
    for at in moments:
        yield partial(body, author=_WHO + b" " + at + b" +0000")
        yield partial(body, committer=_WHO + b" " + at + b" -0930")
    far = _WHO + b" 1000000000 +0000"
    yield partial(body, b"Written after it was committed\n", committer=far)


def _large() -> Making:
    yield partial(body, b"Five megabytes\n\n" + b"word " * _MB)
    yield partial(body, b"one-long-line" * 80_000)
    yield partial(body, b"A name of 2 MB\n", author=b"A" * 2 * _MB + b" <big@x.example> " + _WHEN)
    helpers = b"".join(b"Co-authored-by: Helper %d <h%d@x.example>\n" % (n, n) for n in range(5_000))
    yield partial(body, b"Five thousand helped\n\n" + helpers)
    yield partial(body, b"Co-authored-by: \x1b[1mX\0 <x\0y@x.example>\n")
