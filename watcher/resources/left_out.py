"""What a job's log says of examples or images that the service left out. Pure.

One reading of the words, for the number that is kept with a training and for the line that is quoted.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from watcher.resources.fine_tuning import JobEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A line of the log that says so."""

    count: int | None  #: examples or images; `None`: the line gives no number
    line: str  #: in the service's own words


#: Assumed: no source shows the words. A number, what it counts, and that it was left out, in either order; a line
#: without a number says it too, unless it denies it.
_THINGS = r"(?:image|example|sample|row|line)(?:s\b|\(s\)|\b)"
_COUNTED = r"(?:(?<![\d.,])(\d[\d,]*)(?:\s*(?:of|out of|/)\s*(?:the\s+)?\d[\d,]*)?(?:\s+\w+){0,2}?\s+|\b)" + _THINGS
_LEFT_OUT = r"(?:skipp|ignor|dropp|omitt|exclud|discard|left out|filtered)"
_BETWEEN = r"(?:\s+(?:of|in|from|the|your|training|validation|set|file|data|were|was|have|has|been|are|is|will|be))"
_PATTERNS = (
    re.compile(rf"{_COUNTED}{_BETWEEN}{{0,8}}\s+{_LEFT_OUT}", re.IGNORECASE),
    re.compile(rf"\b{_LEFT_OUT}\w*[:\s]\s*(?:\w+\s+){{0,2}}?{_COUNTED}", re.IGNORECASE),
)
_DENIAL = re.compile(r"\b(?:no|not|none|nothing|without)\b", re.IGNORECASE)
_MOST_CHARS = 2000


def left_out(events: Iterable[JobEvent]) -> LeftOut | None:
    """The line with the largest number of what was left out, else one without a number; `None`: there is neither.

    Whether several lines add up, no source tells, and too little is claimed rather than too much.
    """
    said = [one for event in events if event.type != "metrics" and (one := _said(event.message)) is not None]
    return max(said, key=lambda one: -1 if one.count is None else one.count, default=None)


def _said(message: str) -> LeftOut | None:
    text = message[:_MOST_CHARS]
    found = [match.group(1) for pattern in _PATTERNS for match in pattern.finditer(text)]
    counts = [int(number.replace(",", "")[:15]) for number in found if number]
    if counts:
        return LeftOut(count=max(counts), line=message.strip())
    return LeftOut(count=None, line=message.strip()) if found and not _DENIAL.search(text) else None
