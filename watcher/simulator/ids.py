"""Names that Azure would draw at random, here drawn from a hash, so that a scenario always has the same ones."""

import hashlib
import string
import uuid
from functools import lru_cache

_ALPHANUMERIC = string.ascii_letters + string.digits


def hex32(*parts: object) -> str:
    """32 hex digits that depend on nothing but `parts`."""
    return _hex32("\x1f".join(map(str, parts)))


@lru_cache(maxsize=16_384)
def _hex32(seed: str) -> str:
    return hashlib.sha256(seed.encode()).hexdigest()[:32]


def letters24(*parts: object) -> str:
    """24 letters and digits, the tail of an id that OpenAI's own platform would give."""
    digest = hashlib.sha256("\x1f".join(map(str, parts)).encode()).digest()
    return "".join(_ALPHANUMERIC[byte % len(_ALPHANUMERIC)] for byte in digest[:24])


def guid(*parts: object) -> str:
    """A GUID for subscriptions, correlation ids and meters."""
    return str(uuid.UUID(hex32(*parts)))


def fraction(*parts: object) -> float:
    """A number in [0, 1), for noise on curves."""
    return int(hex32(*parts)[:8], 16) / 0x1_0000_0000
