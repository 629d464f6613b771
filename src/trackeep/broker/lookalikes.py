"""Host names that may be taken for others: mixed alphabets, letters that look alike, borrowed names; pure."""

from __future__ import annotations

import unicodedata

# Alphabets that one language writes together (https://www.unicode.org/reports/tr39/, highly restrictive).
TOGETHER = (
    {"LATIN", "CJK", "IDEOGRAPHIC", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA"},
    {"LATIN", "CJK", "IDEOGRAPHIC", "BOPOMOFO"},
    {"LATIN", "CJK", "IDEOGRAPHIC", "HANGUL"},
)
# Letters of other alphabets, and rare Latin ones, that are drawn like a plain Latin letter.
LOOKS_LIKE = str.maketrans(
    "абвгԁеһіјкӏмнопԛрсѕтуѵԝхꮯꮪꭰ" + "αβγεηικνορτυωχ" + "ոսհցօգյ" + "ıɡɩɑʟɪᴏꜱᴜᴠᴡɴℓ",
    "abbrdehijklmhonqpcstyvwxcsd" + "abyenikvoptuwx" + "nuhgogj" + "igialiosuvwnl",
)
# Plain characters that are read as another one at a glance.
MISREAD = (("rn", "m"), ("vv", "w"), ("0", "o"), ("1", "l"), ("i", "l"))


def doubts(host: str, readable: str, known: tuple[str, ...]) -> tuple[str, ...]:
    """What a person should know about the name `host`, whose Unicode form is `readable`; () for nothing.

    `known` are host names that somebody may want to be mistaken for: GitHub's, and the service's own.
    """
    found = _foreign_letters(readable) if readable != host else []
    if any(host == name or host.endswith(f".{name}") for name in known):
        return tuple(found)
    borrowed = next((name for name in known if _borrows(readable, name)), "")
    if borrowed:
        found.append(f"This is not an address of {borrowed}, although its name may look like one.")
    return tuple(found)


def _foreign_letters(readable: str) -> list[str]:
    labels = [label for label in readable.split(".") if not label.isascii()]
    if any(_is_mixed(label) for label in labels):
        return ["The name mixes letters of different alphabets. That is a common trick to imitate a name."]
    alike = [label for label in labels if _plain(label).isascii() and not _has_only_accents(label)]
    if alike:
        plain = ".".join(_plain(label) for label in readable.split("."))
        return [f"The name has letters that look like others. It is not “{plain}”."]
    return []


def _is_mixed(label: str) -> bool:
    alphabets = {unicodedata.name(char, "?").split()[0] for char in label if char.isalpha()}
    return len(alphabets) > 1 and not any(alphabets <= together for together in TOGETHER)


def _has_only_accents(label: str) -> bool:
    """True for é or ü, which nobody takes for another letter; false for a letter that imitates one."""
    return _without_accents(label).isascii()


def _plain(label: str) -> str:
    return _without_accents(_without_accents(label).translate(LOOKS_LIKE))


def _without_accents(text: str) -> str:
    apart = unicodedata.normalize("NFKD", text)
    return "".join(char for char in apart if not unicodedata.combining(char))


def _borrows(readable: str, name: str) -> bool:
    """True when the known name, or the one word that it is known by, is in the host as people read it."""
    word, _, rest = name.partition(".")
    # `github` of github.com is a name; `login` of login.example.org is not.
    is_brand = len(word) > 4 and "." not in rest and bool(rest)
    seen = _at_a_glance(_plain(readable))
    return _at_a_glance(name) in seen or (is_brand and _at_a_glance(word) in seen)


def _at_a_glance(text: str) -> str:
    for written, read in MISREAD:
        text = text.replace(written, read)
    return text
