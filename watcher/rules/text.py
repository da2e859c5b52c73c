"""How times, spans and amounts are written in what people read and in what programs parse. No sentence lives here."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
_STEP_UNITS = ((86_400, "d"), (3_600, "h"), (60, "m"))


#: Control characters (terminal escapes, NUL) and those that reorder text or hide in it; line breaks and tabs apart.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff"
    "\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)


def clean(text: str) -> str:
    """`text` without control and reordering characters; its lines kept, without blanks at their ends."""
    # As most are: one line, and nothing in it of what is taken out. (Some of that is printable beyond ASCII.)
    if text.isascii() and text.isprintable():
        return text.rstrip()
    text = _UNSEEN.sub("", text.replace("\r\n", "\n").replace("\r", "\n").replace("\u2028", "\n"))
    return "\n".join(line.rstrip() for line in text.expandtabs(4).split("\n")).strip("\n")


def one_line(text: str) -> str:
    """`text`, cleaned, on one line; a subject or a header can hold it."""
    return " ".join(clean(text).split())


@lru_cache(maxsize=1024)
def duration(span: timedelta) -> str:
    """`6 d 23 h`, `45 min`, `30 s`: the two largest neighbouring units, rounded down; a negative span is none."""
    seconds = max(int(span.total_seconds()), 0)
    for index, (size, unit) in enumerate(_UNITS):
        whole, rest = divmod(seconds, size)
        if whole:
            smaller, smaller_unit = _UNITS[min(index + 1, len(_UNITS) - 1)]
            part = rest // smaller
            return f"{whole} {unit} {part} {smaller_unit}" if part else f"{whole} {unit}"
    return "0 s"


def hours(span: timedelta) -> str:
    """`24 h`."""
    return f"{span // timedelta(hours=1)} h"


@lru_cache(maxsize=1024)  # the same times are told at each poll, and formatting one costs more than most rules
def moment(at: datetime) -> str:
    """`2026-11-22 08:00 UTC`."""
    return f"{at.astimezone(UTC).isoformat(' ', 'minutes')[:16]} UTC"  # by strftime it takes four times as long


def rfc3339(at: datetime | None) -> str | None:
    """`2026-11-22T08:00:00Z`; `None` stays `None`."""
    return None if at is None else f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def ago(at: datetime, now: datetime) -> str:
    """`12 min ago`; `just now` for what is younger than a minute, or ahead of our clock."""
    span = now - at
    return "just now" if span < timedelta(minutes=1) else f"{duration(span)} ago"


def step(span: timedelta) -> str:
    """A configured span as the configuration writes it: `3d`, `6h`, `90m`, `45s`."""
    seconds = int(span.total_seconds())
    for size, unit in _STEP_UNITS:
        if seconds >= size and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def counted(count: int, noun: str) -> str:
    """`1 deployment`, `3 deployments`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def called(name: str) -> str:
    """`watcher prod`; `watcher`, where it bears no name of its own."""
    return name if name == "watcher" else f"watcher {name}"


def few(names: Sequence[str], most: int) -> str:
    """`a, b and 3 more`: so many of some names at the most."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def size(count: int) -> str:
    """`140 bytes`, `8.2 kB`, `1.3 GB`: decimal units, as Azure states its limits."""
    value, unit = float(count), ""
    for larger in ("kB", "MB", "GB", "TB"):
        if value < 999.95:  # what would be rounded to a thousand belongs to the next unit
            break
        value, unit = value / 1000, larger
    return f"{value:.1f} {unit}" if unit else counted(count, "byte")


def sentence(text: str) -> str:
    """Foreign words with a full stop at their end, so that a sentence may follow."""
    stripped = text.strip()
    return stripped if stripped.endswith((".", "!", "?", ":")) or not stripped else f"{stripped}."
