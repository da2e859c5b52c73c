"""Steps of a countdown, as configured in `warn_before`: "7d", "3d", "6h", and past the end "overdue"."""

import re
from datetime import timedelta

OVERDUE = "overdue"

_UNITS = {
    "w": timedelta(weeks=1),
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": timedelta(seconds=1),
}
_STEP = re.compile(r"(?:[0-9]+[wdhms])+")


def time_before(step: str) -> timedelta:
    """How long before the end a step lies: "3d", "1h30m"; "overdue" is past it. What is no duration counts as 0."""
    if step == OVERDUE:
        return timedelta(seconds=-1)
    if not _STEP.fullmatch(step):
        return timedelta()
    return sum((int(number) * _UNITS[unit] for number, unit in re.findall(r"([0-9]+)([wdhms])", step)), timedelta())


def is_nearer(step: str, than: str) -> bool:
    """Whether a countdown has moved on from step `than` to `step`; to its first step counts, leaving it does not."""
    if not step or step == than:
        return False
    return not than or time_before(step) < time_before(than)
