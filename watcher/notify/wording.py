"""Words and cuts that every medium shares: clean text, spelt times and durations, text that fits. Pure.

Names and prose come from Azure and from people, so `clean` is the first thing that any of it meets. Escaping is left
to each notifier, which knows its own markup.
"""

import re
from bisect import bisect_right
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import accumulate

from watcher.rules.text import clean as clean
from watcher.rules.text import one_line as one_line

#: What some service turns into a call to everybody: `@here`, `<!channel>`, `<@U123>`, `@everyone`.
_MENTION = re.compile(r"(?i)(?<=@)(?=here|channel|everyone|all|group|team|room)|(?<=<)(?=[!@#&])")
#: The two ways in which rules write times: RFC 3339, and to the minute.
_UTC_TIME = re.compile(r"(?<!\d)(\d{4}-\d\d-\d\d)(?:T(\d\d:\d\d:\d\d)(?:\.\d{1,6})?Z| (\d\d:\d\d) UTC)(?!\w)", re.ASCII)
_MARK = "\u200b"  # zero width: the text looks the same and means nothing


def without_mentions(text: str) -> str:
    """`text` with a zero-width character in whatever a chat service could take for a mention."""
    return _MENTION.sub(_MARK, text)


def shorten(text: str, limit: int) -> str:
    """`text` in at most `limit` characters, "…" at its end where it was cut."""
    if len(text) <= limit:
        return text
    return "" if limit < 1 else text[: limit - 1].rstrip() + "…"


def fit(text: str, limit: int, *, more_at: str = "", further: int = 0) -> str:
    """`text` in at most `limit` characters, cut at a line.

    Args:
        more_at: Address of the whole text; named after "… n more lines" where it fits.
        further: Lines that were left out behind `text` already; they are counted with the others.
    """
    if len(text) <= limit and not further:
        return text
    lines = text.split("\n")
    lengths = list(accumulate(len(line) + 1 for line in lines))  # of the first n lines, each with its break
    most = min(bisect_right(lengths, limit), len(lines) - (not further))
    for end in (f": {more_at}", "") if more_at else ("",):
        for kept in range(most, 0, -1):
            left = len(lines) - kept + further
            tail = f"… {left} more {'line' if left == 1 else 'lines'}{end}"
            if lengths[kept - 1] + len(tail) <= limit:
                return "\n".join((*lines[:kept], tail))
    return shorten(lines[0], limit)


def spell_duration(duration: timedelta) -> str:
    """The two largest units: "2 d 23 h", "3 h 5 min", "40 s"; negative ones without their sign."""
    seconds = int(abs(duration.total_seconds()))
    units = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
    for place, (unit, size) in enumerate(units):
        count, rest = divmod(seconds, size)
        if not count:
            continue
        if unit == "s" or not (minor := rest // units[place + 1][1]):
            return f"{count} {unit}"
        return f"{count} {unit} {minor} {units[place + 1][0]}"
    return "0 s"


def spell_time(at: datetime, zone: tzinfo) -> str:
    """Local time with its zone, and UTC beside it: "2026-11-22 09:00 CET (08:00 UTC)"."""
    utc, local = at.astimezone(UTC), at.astimezone(zone)
    if not local.utcoffset():
        return f"{utc:%Y-%m-%d %H:%M} UTC"
    day = "" if utc.date() == local.date() else f"{utc:%Y-%m-%d} "
    return f"{local:%Y-%m-%d %H:%M} {local.tzname()} ({day}{utc:%H:%M} UTC)"


def localise(text: str, zone: tzinfo) -> str:
    """`text` with its times, which rules write in UTC, spelt for people."""

    def spelt(found: re.Match[str]) -> str:
        try:
            return spell_time(datetime.fromisoformat(f"{found[1]}T{found[2] or found[3]}Z"), zone)
        except (ValueError, OverflowError):  # no such day, or one that the zone puts outside the calendar
            return found[0]

    return _UTC_TIME.sub(spelt, text)


def rfc3339(at: datetime) -> str:
    """UTC with `Z`, to the second."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
