"""What is said on the page to which an act leads: that it is done, and warnings.

An address carries no more than a word for it, so that no other site can put words on our pages; what the word stands
for is kept here, for a few minutes and in this process alone.
"""

import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from starlette.requests import Request

#: The parameter of an address that holds the word.
PARAM = "said"
_KEPT_FOR = timedelta(minutes=10)
_MOST = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One answer to an act."""

    text: str
    warnings: tuple[str, ...] = ()


class Board:
    """What was said lately."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._kept: OrderedDict[str, tuple[datetime, Said]] = OrderedDict()

    def note(self, said: Said) -> str:
        """Keep it; returns the word for it."""
        word = secrets.token_urlsafe(9)
        self._kept[word] = (self._clock(), said)
        while len(self._kept) > _MOST:
            self._kept.popitem(last=False)
        return word

    def find(self, request: Request) -> Said | None:
        """What the address of a request stands for; `None`: nothing, or too long ago."""
        found = self._kept.get(request.query_params.get(PARAM, ""))
        if found is None or not timedelta() <= self._clock() - found[0] <= _KEPT_FOR:
            return None
        return found[1]


def leading(address: str, word: str) -> str:
    """The address with the word; another one that was there goes."""
    path, _, query = address.partition("?")
    parts = [part for part in query.split("&") if part and not part.startswith(f"{PARAM}=")]
    return f"{path}?{'&'.join([*parts, f'{PARAM}={word}'])}"
