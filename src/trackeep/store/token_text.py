"""What a personal API token looks like: `tk_`, 256 bits and a checksum, all in base 62; pure."""

from __future__ import annotations

import re
import string
import zlib

PREFIX = "tk_"
SECRET_BYTES = 32
# 62 ** 43 is more than 2 ** 256, and 62 ** 6 more than 2 ** 32.
SECRET_DIGITS, CHECK_DIGITS = 43, 6
SHOWN = len(PREFIX) + 6
_DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase
_SHAPE = re.compile(rf"{PREFIX}[0-9A-Za-z]{{{SECRET_DIGITS + CHECK_DIGITS}}}")


def token_of(secret: bytes) -> str:
    """The token that carries these 32 random bytes."""
    body = PREFIX + _base62(int.from_bytes(secret), SECRET_DIGITS)
    return body + _checksum(body)


def is_well_formed(token: str) -> bool:
    """Whether a scanner for secrets, or we, should take this for a token at all: shape and checksum fit.

    The checksum is CRC-32 of everything before it; it is no secret and proves nothing.
    """
    if not _SHAPE.fullmatch(token):
        return False
    return token[-CHECK_DIGITS:] == _checksum(token[:-CHECK_DIGITS])


def _checksum(body: str) -> str:
    return _base62(zlib.crc32(body.encode()), CHECK_DIGITS)


def _base62(number: int, digits: int) -> str:
    found = []
    for _ in range(digits):
        number, digit = divmod(number, 62)
        found.append(_DIGITS[digit])
    return "".join(reversed(found))
