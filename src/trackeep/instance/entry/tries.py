"""How often one address, or one account, may do something: guessing is slowed down, and GitHub is spared."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict, deque

from trackeep.errors import TooManyRequests

MOST_ADDRESSES = 10_000


class Tries:
    """At most `most` tries within `per_s` seconds an address (IPv6: a /64), in this process.

    `said` is the sentence for who wants more.
    """

    def __init__(
        self, most: int, per_s: int, said: str = "There were too many tries from your address."
    ) -> None:
        self._most = most
        self._per_s = per_s
        self._said = said
        self._wrong: OrderedDict[str, deque[float]] = OrderedDict()

    def check(self, address: str, now: float) -> None:
        """Raises TooManyRequests when this address has to wait."""
        wrong = self._wrong.get(_network(address))
        # What lies ahead was noted by a clock that was set back since.
        while wrong and not now - self._per_s < wrong[0] <= now:
            wrong.popleft()
        if wrong and len(wrong) >= self._most:
            raise TooManyRequests(
                self._said,
                "Wait a little, then try again.",
                retry_after_s=max(1, int(wrong[0] + self._per_s - now)),
            )

    def take(self, account_id: int, now: float) -> None:
        """One more of this account, right or wrong. Raises TooManyRequests when it has to wait."""
        self.check(f"account {account_id}", now)
        self.note(f"account {account_id}", now)

    def note(self, address: str, now: float) -> None:
        """One more try that counts; the addresses seen longest ago are forgotten first."""
        key = _network(address)
        self._wrong.setdefault(key, deque(maxlen=self._most)).append(now)
        self._wrong.move_to_end(key)
        while len(self._wrong) > MOST_ADDRESSES:
            self._wrong.popitem(last=False)

    def forgive(self, address: str) -> None:
        """The try noted last was right after all."""
        wrong = self._wrong.get(_network(address))
        if wrong:
            wrong.pop()


def _network(address: str) -> str:
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    return str(ip if ip.version == 4 else ipaddress.ip_network((ip, 64), strict=False))
