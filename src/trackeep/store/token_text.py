"""What our own tokens look like: `tk_` or `tf_`, 256 bits and a checksum, all in base 62; pure."""

from __future__ import annotations

import re
import string
import zlib

# For programs that use the API, and for readers of feeds: neither opens what the other is for.
PREFIX, FEED_PREFIX = "tk_", "tf_"
SECRET_BYTES = 32
# 62 ** 43 is more than 2 ** 256, and 62 ** 6 more than 2 ** 32.
SECRET_DIGITS, CHECK_DIGITS = 43, 6
SHOWN = len(PREFIX) + 6
_DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase
_REST = re.compile(rf"[0-9A-Za-z]{{{SECRET_DIGITS + CHECK_DIGITS}}}")


def token_of(secret: bytes, prefix: str = PREFIX) -> str:
    """The token that carries these 32 random bytes."""
    body = prefix + _base62(int.from_bytes(secret), SECRET_DIGITS)
    return body + _checksum(body)


def is_well_formed(token: str, prefix: str = PREFIX) -> bool:
    """Whether a scanner for secrets, or we, should take this for a token at all: shape and checksum fit.

    The checksum is CRC-32 of everything before it; it is no secret and proves nothing.
    """
    if not (token.startswith(prefix) and _REST.fullmatch(token.removeprefix(prefix))):
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
