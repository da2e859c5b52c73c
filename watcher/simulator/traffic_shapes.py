"""Shapes that a deployment's traffic can take in a generated month: when it was created, and which calls came. Pure.

Each shape draws its own time of creation, since that and the calls together make the deadline. Deployments that
stood before the month began had calls that brought them there.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

from watcher.simulator.chances import Chances
from watcher.simulator.scenario import Calls
from watcher.simulator.traffic import previous_call

H, D = timedelta(hours=1), timedelta(days=1)
IDLE_AFTER = 15 * D
PAUSED = 423  # what a paused deployment answers
FAILURES = (400, 404, 408, 422, 424, 429)
EMPTY = "__Empty"  # the dimension under which Azure books calls whose deployment it does not tell


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """A life's beginning and its calls."""

    created: timedelta
    calls: tuple[Calls, ...] = ()


Shape = Callable[[Chances], Traffic]


def silent(chances: Chances) -> Traffic:
    """Never called."""
    return Traffic(created=chances.moment(-14 * D, 24 * D))


def busy(chances: Chances) -> Traffic:
    """Called all the time."""
    created = chances.moment(-60 * D, 20 * D)
    return Traffic(created=created, calls=(_steady(chances, created),))


def with_errors(chances: Chances) -> Traffic:
    """Called all the time, and some calls fail."""
    whole = busy(chances)
    failing = replace(whole.calls[0], status=chances.one_of(FAILURES), per_hour=0.5)
    return replace(whole, calls=(*whole.calls, failing))


def stopping(chances: Chances) -> Traffic:
    """Called until one day; from then on its time runs."""
    created = chances.moment(-60 * D, 8 * D)
    stop = chances.moment(max(created + 2 * H, -14 * D), 15 * D)
    return Traffic(created=created, calls=(replace(_steady(chances, created), until=stop),))


def stopping_with_errors(chances: Chances) -> Traffic:
    """Good calls stop, failing ones go on: whether those count is not documented."""
    whole = stopping(chances)
    failing = replace(whole.calls[0], until=None, status=chances.one_of(FAILURES), per_hour=0.25)
    return replace(whole, calls=(*whole.calls, failing))


def bursts(chances: Chances) -> Traffic:
    """A few calls at a time, days apart."""
    created = at = chances.moment(-10 * D, 6 * D)
    calls = []
    for _ in range(chances.number(2, 5)):
        at = chances.moment(at + 1 * H, at + 13 * D)
        calls.append(Calls(from_=at, count=chances.number(1, 40), per_hour=chances.one_of((6.0, 60.0, 600.0))))
    return Traffic(created=created, calls=tuple(calls))


def trickle(chances: Chances) -> Traffic:
    """One call every ten days keeps it alive."""
    created = chances.moment(-45 * D, 5 * D)
    return Traffic(created=created, calls=(_every(10 * D, created + chances.moment(1 * H, 9 * D)),))


def last_minute_trickle(chances: Chances) -> Traffic:
    """One call every 14.9 days just keeps it alive."""
    created = chances.moment(-45 * D, 5 * D)
    return Traffic(created=created, calls=(_every(14.9 * D, created + chances.moment(1 * H, 14 * D)),))


def saved(chances: Chances) -> Traffic:
    """Called until one day, silent for nearly fifteen more, and called again just before its deadline."""
    created = chances.moment(-50 * D, -2 * D)
    stop = chances.moment(max(created + 2 * H, -13 * D), 12 * D)
    steady = replace(_steady(chances, created), until=stop)
    last = previous_call(steady, not_after=stop) or created
    again = last + IDLE_AFTER - chances.length(timedelta(minutes=5), 30 * H)
    return Traffic(created=created, calls=(steady, Calls(from_=again, count=chances.number(1, 30), per_hour=60.0)))


def failing_only(chances: Chances) -> Traffic:
    """No call ever succeeds."""
    created = chances.moment(-13 * D, 18 * D)
    rate = chances.one_of((0.1, 1.0, 20.0))
    return Traffic(
        created=created, calls=(Calls(from_=created + 1 * H, per_hour=rate, status=chances.one_of(FAILURES)),)
    )


def unnamed(chances: Chances) -> Traffic:
    """Called all the time, and the metrics do not say that it was this one."""
    whole = busy(chances)
    return replace(whole, calls=tuple(replace(calls, dimension=EMPTY) for calls in whole.calls))


def partly_unnamed(chances: Chances) -> Traffic:
    """Called until one day under its name, and now and then under none."""
    whole = stopping(chances)
    extra = Calls(from_=whole.created + 2 * H, per_hour=0.05, dimension=EMPTY)
    return replace(whole, calls=(*whole.calls, extra))


SHAPES: tuple[tuple[int, Shape], ...] = (
    (18, silent),
    (18, busy),
    (6, with_errors),
    (18, stopping),
    (4, stopping_with_errors),
    (9, bursts),
    (4, trickle),
    (4, last_minute_trickle),
    (9, saved),
    (4, failing_only),
    (2, unnamed),
    (2, partly_unnamed),
)


def refused_between(calls: Calls, begins: timedelta, ends: timedelta | None) -> Iterator[Calls]:
    """These calls to a deployment that is paused from `begins` to `ends` (None: for good)."""
    if calls.from_ < begins:
        yield replace(calls, until=begins if calls.until is None else min(calls.until, begins))
    elif ends is not None and calls.from_ >= ends:
        yield calls
        return
    within = replace(calls, from_=max(calls.from_, begins), status=PAUSED)
    if calls.count is not None:  # a burst is short enough to be wholly on one side
        if calls.from_ >= begins:
            yield within
        return
    if calls.until is None or calls.until > begins:
        yield within if ends is None else replace(within, until=ends if calls.until is None else min(calls.until, ends))
    if ends is not None and (calls.until is None or calls.until > ends):
        yield replace(calls, from_=ends)


def _steady(chances: Chances, created: timedelta) -> Calls:
    first = created + chances.length(timedelta(minutes=5), 1 * D)
    return Calls(from_=first, per_hour=chances.one_of((0.5, 1.0, 4.0, 12.0, 90.0, 240.0)))


def _every(gap: timedelta, first: timedelta) -> Calls:
    return Calls(from_=first, per_hour=H / gap)
