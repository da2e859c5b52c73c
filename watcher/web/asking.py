"""What an address, a form or a body asks for: filters, pages, spans and times, read as the commands read them."""

import asyncio
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta, tzinfo
from difflib import get_close_matches

from starlette.datastructures import QueryParams
from starlette.requests import ClientDisconnect, Request

from watcher.answers.query import Query, moment_at
from watcher.rules.text import clean, one_line
from watcher.web.problem import ProblemError

#: Of a body; whoever sends more is refused.
MOST_BYTES = 64 * 1024
#: For a body to arrive.
BODY_TIMEOUT_S = 10.0
#: What comes after all would be taken for the next request.
_CLOSE = {"connection": "close"}

#: Items on a page, unless somebody asks for more or fewer.
USUAL, MOST = 100, 1000


class BadQuestion(ValueError):
    """A parameter cannot be read; its text says which, and how it is written."""


class TooLong(BadQuestion):
    """A span that is longer than any that is asked for."""


def local_path(text: str) -> str:
    """`text` if it leads to a page of ours, else the overview: an address elsewhere would make us somebody's decoy."""
    if not text.startswith("/") or text.startswith("//") or "\\" in text or not text.isprintable() or " " in text:
        return "/"
    return "/" if text.split("?")[0] in ("/login", "/logout") else text


def query_of(params: QueryParams, *, now: datetime, zone: tzinfo) -> Query:
    """The filters of a listing.

    Raises:
        BadQuestion: `since` cannot be read.
    """
    text = params.get("since", "")
    return Query(
        accounts=tuple(params.getlist("account")),
        statuses=tuple(params.getlist("status")),
        owners=tuple(params.getlist("owner")),
        since=since_of(text, now=now, zone=zone) if text else None,
    )


def known_alone(given: Iterable[str], known: Collection[str], *, what: str = "parameter here") -> None:
    """Refuse a name that nobody heeds: a filter with a slip in its name would show everything.

    Raises:
        BadQuestion: There is one; with the nearest known.
    """
    for name in given:
        if name not in known:
            raise BadQuestion(f"{one_line(clean(name))[:80]} is no {what}; {_nearest(name, known)}")


def _nearest(name: str, known: Collection[str]) -> str:
    close = get_close_matches(name.lower(), known, n=1, cutoff=0.5)
    close += [one for one in known if name and (name.lower() in one or one in name.lower())]
    if close:
        return f"did you mean {close[0]}?"
    return f"known are {', '.join(known)}" if known else "there is none"


def limit_of(params: QueryParams) -> int:
    """How many items a page has.

    Raises:
        BadQuestion: It is no number, or too large.
    """
    text = params.get("limit", "")
    if not text:
        return USUAL
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= MOST):
        raise BadQuestion(f"limit is a number from 1 to {MOST}")
    return int(text)


def since_of(text: str, *, now: datetime, zone: tzinfo) -> datetime:
    """A span back, a date or a time."""
    span = _span(text, name="since")
    return now - span if span is not None else moment_of(text, name="since", zone=zone)


def span_of(text: str, *, name: str) -> timedelta:
    """A duration: "3d", "12h", "90m"."""
    span = _span(text, name=name)
    if span is None or span <= timedelta():
        raise BadQuestion(f'{name} is no duration; write "90m", "12h" or "3d"')
    return span


def moment_of(text: str, *, name: str, zone: tzinfo, is_end: bool = False) -> datetime:
    """A date or time; without an offset it is by `zone`. A date is its beginning, or its end."""
    try:
        return moment_at(text, zone, is_end=is_end)
    except ValueError:
        raise BadQuestion(
            f'{name} is no time; write "2026-12-31" or "2026-12-31T18:00:00Z", with %2B for a plus'
        ) from None


#: Of a span.
_LONGEST = timedelta(days=3_660)
_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def _span(text: str, *, name: str) -> timedelta | None:
    """`12h`, `1h30m`; `None`: that is none.

    Raises:
        TooLong: It is, and beyond what a calendar could take.
    """
    total, number = 0, ""
    for char in text:
        if char.isascii() and char.isdigit() and len(number) < 6:
            number += char
        elif char in _UNITS and number:
            total, number = total + int(number) * _UNITS[char], ""
        else:
            return None
    if not text or number:
        return None
    if total > _LONGEST.total_seconds():
        raise TooLong(f"{name} is at most {_LONGEST.days}d")
    return timedelta(seconds=total)


async def body_of(request: Request) -> bytes:
    """What was sent.

    Raises:
        ProblemError: It is too much (of one that says so nothing is read), or came too slowly, or broke off.
    """
    said = request.headers.get("content-length", "")
    if said.isascii() and said.isdigit() and int(said[:12]) > MOST_BYTES:
        raise ProblemError(413, f"more than {MOST_BYTES} bytes")
    received = bytearray()
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            async for chunk in request.stream():
                received += chunk
                if len(received) > MOST_BYTES:
                    raise ProblemError(413, f"more than {MOST_BYTES} bytes")
    except TimeoutError:
        raise ProblemError(408, f"the body did not come within {BODY_TIMEOUT_S:g} s", headers=_CLOSE) from None
    except ClientDisconnect:
        raise ProblemError(400, "the body broke off", headers=_CLOSE) from None
    return bytes(received)


async def form_of(request: Request) -> QueryParams:
    """The fields of a form; files are not taken.

    Raises:
        ProblemError: It is no form, or as `body_of`.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        raise ProblemError(415, "send application/x-www-form-urlencoded")
    return QueryParams((await body_of(request)).decode("utf-8", errors="replace"))
