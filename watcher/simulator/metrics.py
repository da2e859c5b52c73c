"""The numbers behind Azure Monitor's answers: calls in buckets, split by dimensions. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Which buckets are asked for, and how far the metrics have come. Buckets begin at `since`."""

    since: timedelta
    until: timedelta
    step: timedelta
    known_until: timedelta
    start: datetime

    def edges(self) -> list[timedelta]:
        """Where buckets begin, and last the end of the window."""
        number = -((self.since - self.until) // self.step)
        return [*(self.since + index * self.step for index in range(number)), self.until]


@dataclass(frozen=True, slots=True)
class _Source:
    """Calls of one life in each bucket, with the dimensions under which they are booked."""

    counts: list[int]
    dimensions: dict[str, str]


def metric(
    account: Account,
    lives: Iterable[Life],
    *,
    resource_id: str,
    name: str,
    window: Window,
    wanted: Filter | None,
    top: int | None,
    error_code: str | None,
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
        payload["timeseries"] = _series(account, lives, weight, window, wanted, top)
    return payload


def _series(
    account: Account, lives: Iterable[Life], weight: int, window: Window, wanted: Filter | None, top: int | None
) -> list[dict[str, object]]:
    groups: dict[tuple[str, ...], list[list[int]]] = {}
    moments = window.edges()
    edges = [microseconds(moment) for moment in moments]
    for source in _sources(account, lives, window, edges):
        if wanted is None:
            groups.setdefault((), []).append(source.counts)
        elif wanted.test(source.dimensions.get):
            key = tuple(source.dimensions.get(field, "") for field in wanted.fields)
            groups.setdefault(key, []).append(source.counts)
    totals = {key: [sum(column) for column in zip(*rows, strict=True)] for key, rows in groups.items()}
    ranked = sorted(totals, key=lambda key: (-sum(totals[key]), key))
    if wanted is not None:
        ranked = ranked[: TOP if top is None else top]
    fields = () if wanted is None else wanted.fields
    stamps = [stamp(window.start, edge) for edge in moments[:-1]]
    return [
        {
            "metadatavalues": [
                {"name": {"value": field, "localizedValue": field}, "value": value}
                for field, value in zip(fields, key, strict=True)
            ],
            "data": [_point(when, count * weight) for when, count in zip(stamps, totals[key], strict=True)],
        }
        for key in ranked
    ]


def _point(when: str, total: int) -> dict[str, object]:
    """A point without samples has a time and nothing else."""
    return {"timeStamp": when, "total": float(total)} if total else {"timeStamp": when}


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
