"""Shapes that trouble can take in a generated month: what goes wrong, where, and for how long. Pure.

Each lasts between minutes and two days. What would cost real time (hanging, dripping) strikes a few times only.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Literal

from watcher.simulator.chances import Chances
from watcher.simulator.faults import Body, Drip, Fault, Plane
from watcher.simulator.scenario import Account

M, H, D = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
PLANES: tuple[Plane, ...] = ("arm", "data", "metrics", "activity")
WATCHED: tuple[Plane, ...] = ("arm", "data", "metrics")

Shape = Callable[[Chances, Sequence[Account]], tuple[Fault, ...]]
Span = tuple[timedelta, timedelta]


def throttled(chances: Chances, accounts: Sequence[Account]) -> tuple[Fault, ...]:
    """429, with a wait in seconds, in milliseconds or as a date, for a few requests or for all."""
    begins, ends = _window(chances)
    waits: tuple[dict[str, float], ...] = (
        {"retry_after": 1},
        {"retry_after": 120},
        {"retry_after_ms": 250},
        {"retry_after_date": 30},
        {},
    )
    times = chances.one_of((2, 5, None))
    where = _account(chances, accounts)
    plane = chances.one_of(WATCHED)
    wait = chances.one_of(waits)
    return (Fault(plane=plane, account=where, from_=begins, until=ends, times=times, status=429, **wait),)  # type: ignore[arg-type]  # fields of Fault


def overloaded(chances: Chances, accounts: Sequence[Account]) -> tuple[Fault, ...]:
    """529, which Azure Monitor answers when it is busy."""
    begins, ends = _window(chances)
    return (Fault(plane="metrics", from_=begins, until=ends, status=529),)


def broken(chances: Chances, accounts: Sequence[Account]) -> tuple[Fault, ...]:
    """Server errors, with a body in JSON, in HTML or without any."""
    begins, ends = _window(chances)
    bodies: tuple[Body | None, ...] = (None, "html", "empty")
    status, body = chances.one_of((500, 502, 503, 504)), chances.one_of(bodies)
    times = chances.one_of((1, 4, None))
    plane, account = chances.one_of(PLANES), _account(chances, accounts)
    return (Fault(plane=plane, account=account, from_=begins, until=ends, times=times, status=status, body=body),)


def hanging(chances: Chances, accounts: Sequence[Account]) -> tuple[Fault, ...]:
    """One or two requests are never answered."""
    begins, ends = _window(chances)
    plane, times = chances.one_of(WATCHED), chances.number(1, 2)
    return (Fault(plane=plane, account=_account(chances, accounts), from_=begins, until=ends, times=times, hang=True),)


def dripping(chances: Chances, accounts: Sequence[Account]) -> tuple[Fault, ...]:
    """One answer comes byte by byte, too slowly for any patience."""
    begins, ends = _window(chances)
    drip, plane = Drip(bytes=8, every=0.05), chances.one_of(WATCHED)
    return (Fault(plane=plane, account=_account(chances, accounts), from_=begins, until=ends, times=1, drip=drip),)


def cut_off(chances: Chances, accounts: Sequence[Account]) -> tuple[Fault, ...]:
    """Connections are reset, or close in the middle of an answer."""
    begins, ends = _window(chances)
    reset, times = chances.happens(50), chances.one_of((1, 3, None))
    plane, account = chances.one_of(WATCHED), _account(chances, accounts)
    return (
        Fault(plane=plane, account=account, from_=begins, until=ends, times=times, reset=reset, truncate=not reset),
    )


def garbled(chances: Chances, accounts: Sequence[Account]) -> tuple[Fault, ...]:
    """200 with a body that is nothing of the kind."""
    begins, ends = _window(chances)
    bodies: tuple[Body, ...] = ("html", "empty", "garbage", "wrong_types", "cut")
    plane, account = chances.one_of(PLANES), _account(chances, accounts)
    return (Fault(plane=plane, account=account, from_=begins, until=ends, body=chances.one_of(bodies)),)


def lying_pages(chances: Chances, accounts: Sequence[Account]) -> tuple[Fault, ...]:
    """Lists whose pages never end."""
    begins, ends = _window(chances)
    plane, account = chances.one_of(PLANES[:2]), _account(chances, accounts)
    return (Fault(plane=plane, account=account, from_=begins, until=ends, paging="endless"),)


def missing_pages(chances: Chances, accounts: Sequence[Account]) -> tuple[Fault, ...]:
    """Lists of deployments that stop after a page without a word."""
    begins, ends = _window(chances)
    account = _account(chances, accounts)
    return (Fault(plane="arm", api="deployments", account=account, from_=begins, until=ends, paging="short"),)


def late_metrics(chances: Chances, accounts: Sequence[Account]) -> tuple[Fault, ...]:
    """Metrics that come hours later than usual."""
    begins, ends = _window(chances)
    delay = chances.length(30 * M, 10 * H)
    account = _account(chances, accounts)
    return (Fault(plane="metrics", account=account, from_=begins, until=ends, metrics_delay=delay),)


def metric_gap(chances: Chances, accounts: Sequence[Account]) -> tuple[Fault, ...]:
    """An hour or a few that the metrics have lost for good: no points, or points without a number."""
    since = chances.moment(-10 * D, 28 * D)
    gap = (since, since + chances.length(1 * H, 6 * H))
    account, ends = _account(chances, accounts), gap[1] + 20 * D
    points: tuple[Literal["absent", "blank"], ...] = ("absent", "blank")
    where = chances.one_of(points)
    return (Fault(plane="metrics", account=account, from_=gap[1], until=ends, gap=gap, gap_points=where),)


def partial_metrics(chances: Chances, accounts: Sequence[Account]) -> tuple[Fault, ...]:
    """One metric, or all of them, with an error code of its own inside a good answer."""
    begins, ends = _window(chances)
    code = chances.one_of(("Throttled", "InternalServerError", "Unavailable"))
    metric, account = chances.one_of(("*", "ModelRequests", "AzureOpenAIRequests")), _account(chances, accounts)
    return (Fault(plane="metrics", account=account, from_=begins, until=ends, metric=metric, metric_error=code),)


def forbidden(chances: Chances, accounts: Sequence[Account]) -> tuple[Fault, ...]:
    """A permission is lost on one plane and comes back."""
    begins, ends = _window(chances)
    return (
        Fault(plane=chances.one_of(PLANES), account=_account(chances, accounts), from_=begins, until=ends, status=403),
    )


def shrunk(chances: Chances, accounts: Sequence[Account]) -> tuple[Fault, ...]:
    """A permission is lost and lists say nothing of it: some deployments, or an account, are not in them."""
    begins, ends = _window(chances)
    account = chances.one_of(accounts)
    status = chances.one_of((403, 200))
    if chances.happens(40) or not account.deployments:
        alone = (account.name,)
        return (Fault(plane="arm", api="account*", from_=begins, until=ends, hide=alone, hidden_status=status),)
    names = tuple(dict.fromkeys(deployment.name for deployment in account.deployments))
    hidden = chances.one_of((("*",), chances.some(names, 1, 3)))
    where = account.name
    return (
        Fault(
            plane="arm", api="deployment*", account=where, from_=begins, until=ends, hide=hidden, hidden_status=status
        ),
    )


def credential_refused(chances: Chances, accounts: Sequence[Account]) -> tuple[Fault, ...]:
    """The credential is refused everywhere, for hours."""
    begins = chances.moment(6 * H, 28 * D)
    return (Fault(plane="*", from_=begins, until=begins + chances.length(1 * H, 12 * H), status=401),)


def region_down(chances: Chances, accounts: Sequence[Account]) -> tuple[Fault, ...]:
    """Every account of a region answers 503."""
    begins, ends = _window(chances)
    region = chances.one_of(accounts).location
    names = dict.fromkeys(account.name for account in accounts if account.location == region)
    return tuple(Fault(plane="data", account=name, from_=begins, until=ends, status=503) for name in names)


def plane_down(chances: Chances, accounts: Sequence[Account]) -> tuple[Fault, ...]:
    """A whole plane answers 503."""
    begins, ends = _window(chances)
    return (Fault(plane=chances.one_of(WATCHED), from_=begins, until=ends, status=503),)


def skewed_clock(chances: Chances, accounts: Sequence[Account]) -> tuple[Fault, ...]:
    """Azure's clock differs from ours, as its `Date` header says."""
    begins, ends = _window(chances)
    skew = chances.one_of((-1, 1)) * chances.length(1 * M, 3 * H)
    return (Fault(from_=begins, until=ends, date_skew=skew),)


SHAPES: tuple[tuple[int, Shape], ...] = (
    (16, throttled),
    (3, overloaded),
    (14, broken),
    (4, hanging),
    (4, dripping),
    (6, cut_off),
    (8, garbled),
    (4, lying_pages),
    (4, missing_pages),
    (6, late_metrics),
    (6, metric_gap),
    (6, partial_metrics),
    (12, forbidden),
    (10, shrunk),
    (5, credential_refused),
    (6, region_down),
    (5, plane_down),
    (4, skewed_clock),
)


def drawn_faults(chances: Chances, accounts: Sequence[Account]) -> tuple[Fault, ...]:
    """The troubles of a month, in no order; often none."""
    number = chances.weighted(((50, 0), (15, 1), (15, 2), (10, 4), (10, 6)))
    streams = (chances.fork(index) for index in range(number))
    return tuple(fault for stream in streams for fault in stream.weighted(SHAPES)(stream, accounts))


def _window(chances: Chances) -> Span:
    """From some time in the month on, for minutes up to two days."""
    begins = chances.moment(timedelta(0), 29 * D)
    return begins, begins + chances.length(5 * M, 2 * D)


def _account(chances: Chances, accounts: Sequence[Account]) -> str:
    """One account, more often than all."""
    return chances.one_of(accounts).name if chances.happens(70) else "*"
