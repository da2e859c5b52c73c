"""The numbers behind Azure Monitor's answers: calls in buckets, split by dimensions. Pure."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from watcher.simulator.deployments import Life, model_of, stamp
from watcher.simulator.odata import Filter
from watcher.simulator.scenario import Account, Calls
from watcher.simulator.traffic import calls_in_buckets, microseconds

RETENTION = timedelta(days=93)
TOP = 10  # series, when a filter is given and `top` is not; the rest is dropped without a word

_REQUESTS = ("AzureOpenAIRequests", "ModelRequests")
# Tokens per call, in and out; no source is needed for a number that only has to be plausible.
_TOKENS = {
    "ProcessedPromptTokens": 420,
    "InputTokens": 420,
    "GeneratedTokens": 130,
    "OutputTokens": 130,
    "TokenTransaction": 550,
    "TotalTokens": 550,
    "FineTunedTrainingHours": 0,
}
NAMES = {name.lower(): name for name in (*_REQUESTS, *_TOKENS)}


@dataclass(frozen=True, slots=True)
class Gap:
    """A time whose calls the metrics have lost; every bucket that it touches is without a number."""

    since: timedelta
    until: timedelta
    absent: bool  # the points are missing altogether


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Which buckets are asked for, and how far the metrics have come. Buckets begin at `since`."""

    since: timedelta
    until: timedelta
    step: timedelta
    known_until: timedelta
    start: datetime
    gaps: tuple[Gap, ...] = ()

    def edges(self) -> list[timedelta]:
        """Where buckets begin, and last the end of the window."""
        number = -((self.since - self.until) // self.step)
        return [*(self.since + index * self.step for index in range(number)), self.until]


@dataclass(frozen=True, slots=True)
class _Source:
    """Calls of one life in each bucket, with the dimensions under which they are booked."""

    counts: list[int]
    dimensions: dict[str, str]


@dataclass(frozen=True, slots=True)
class Tally:
    """Requests in each bucket of a window: one row for each combination of the dimensions asked for, busiest first."""

    stamps: list[str]
    fields: tuple[str, ...]
    rows: list[tuple[tuple[str, ...], list[int]]]


def metric(
    account: Account, *, resource_id: str, name: str, tally: Callable[[], Tally], error_code: str | None
) -> dict[str, object]:
    """One entry of `value`: a metric with its series, busiest first; `error_code` leaves it without any."""
    payload: dict[str, object] = {
        "id": f"{resource_id}/providers/Microsoft.Insights/metrics/{name}",
        "type": "Microsoft.Insights/metrics",
        "name": {"value": name, "localizedValue": name},
        "displayDescription": name,
        "unit": "Count",
        "timeseries": [],
        "errorCode": error_code or "Success",
    }
    if error_code is not None:
        payload["errorMessage"] = "The metric could not be read."
        return payload
    emitted = name not in _REQUESTS or name in account.metrics
    weight = _TOKENS.get(name, 1)
    if emitted and weight:
        payload["timeseries"] = _series(tally(), weight)
    return payload


def tally(account: Account, lives: Iterable[Life], window: Window, wanted: Filter | None, top: int | None) -> Tally:
    """Count the requests that `wanted` asks for; no more than `top` rows, or `TOP`, where it splits them."""
    groups: dict[tuple[str, ...], list[list[int]]] = {}
    moments = window.edges()
    edges = [microseconds(moment) for moment in moments]
    for source in _sources(account, lives, window, edges):
        if wanted is None:
            groups.setdefault((), []).append(source.counts)
        elif wanted.test(source.dimensions.get):
            key = tuple(source.dimensions.get(field, "") for field in wanted.fields)
            groups.setdefault(key, []).append(source.counts)
    totals = {key: list(map(sum, zip(*rows, strict=True))) for key, rows in groups.items()}
    ranked = sorted(totals, key=lambda key: (-sum(totals[key]), key))
    if wanted is not None:
        ranked = ranked[: TOP if top is None else top]
    stamps = [stamp(window.start, edge) for edge in moments[:-1]]
    if window.gaps:
        lost = [_lost(window.gaps, begin, end) for begin, end in pairwise(moments)]
        stamps = [when for when, gap in zip(stamps, lost, strict=True) if gap is None or not gap.absent]
        totals = {key: _without(counts, lost) for key, counts in totals.items()}
    return Tally(stamps, () if wanted is None else wanted.fields, [(key, totals[key]) for key in ranked])


def _series(counted: Tally, weight: int) -> list[dict[str, object]]:
    blanks = [{"timeStamp": when} for when in counted.stamps]  # a point without samples has a time and nothing else
    return [
        {
            "metadatavalues": [
                {"name": {"value": field, "localizedValue": field}, "value": value}
                for field, value in zip(counted.fields, key, strict=True)
            ],
            "data": [
                {"timeStamp": when, "total": float(count * weight)} if count else blank
                for when, count, blank in zip(counted.stamps, counts, blanks, strict=True)
            ],
        }
        for key, counts in counted.rows
    ]


def _lost(gaps: Iterable[Gap], begin: timedelta, end: timedelta) -> Gap | None:
    return next((gap for gap in gaps if gap.since < end and begin < gap.until), None)


def _without(counts: list[int], lost: Sequence[Gap | None]) -> list[int]:
    pairs = zip(counts, lost, strict=True)
    return [0 if gap else count for count, gap in pairs if gap is None or not gap.absent]


def _sources(account: Account, lives: Iterable[Life], window: Window, edges: Sequence[int]) -> Iterator[_Source]:
    """The calls that reached a deployment and are known to the metrics by now; those without any are left out."""
    for life in lives:
        since = max(life.deployment.created, window.known_until - RETENTION)
        until = window.known_until if life.end is None else min(window.known_until, life.end.at)
        if until <= max(since, window.since):
            continue
        for calls in life.deployment.calls:
            counts = calls_in_buckets(calls, edges, since=since, until=until)
            if any(counts):
                yield _Source(counts, _dimensions(account, life, calls))


def _dimensions(account: Account, life: Life, calls: Calls) -> dict[str, str]:
    return {
        "modeldeploymentname": calls.dimension or life.deployment.name,
        "statuscode": str(calls.status),
        "modelname": model_of(account, life.deployment),
        "modelversion": life.deployment.version,
        "apiname": "Azure OpenAI API",
        "operationname": "ChatCompletions_Create",
        "region": account.location,
        "streamtype": "Non-Streaming",
        "isspillover": "False",
    }
