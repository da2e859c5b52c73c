"""The numbers behind Azure Monitor's answers: calls in buckets, split by dimensions. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from watcher.simulator.deployments import Life, model_of, stamp
from watcher.simulator.odata import Filter
from watcher.simulator.scenario import Account, Calls
from watcher.simulator.traffic import calls_between

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

    def buckets(self) -> Iterator[tuple[timedelta, timedelta]]:
        begin = self.since
        while begin < self.until:
            end = min(begin + self.step, self.until)
            yield begin, end
            begin = end


@dataclass(frozen=True, slots=True)
class _Source:
    """Calls of one life, with the dimensions under which they are booked."""

    life: Life
    calls: Calls
    dimensions: dict[str, str]

    def count(self, begin: timedelta, end: timedelta, window: Window) -> int:
        """Calls in [begin, end) that reached the deployment and are known to the metrics by now."""
        begin = max(begin, self.life.deployment.created, window.known_until - RETENTION)
        end = min(end, window.known_until)
        if self.life.end is not None:
            end = min(end, self.life.end.at)
        return calls_between(self.calls, begin, end) if end > begin else 0


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
    groups: dict[tuple[str, ...], list[_Source]] = {}
    for source in _sources(account, lives):
        if source.count(window.since, window.until, window) == 0:
            continue  # a deployment without calls in the window has no series at all
        if wanted is None:
            groups.setdefault((), []).append(source)
        elif wanted.test(source.dimensions.get):
            key = tuple(source.dimensions.get(field, "") for field in wanted.fields)
            groups.setdefault(key, []).append(source)
    totals = {
        key: sum(source.count(window.since, window.until, window) for source in sources)
        for key, sources in groups.items()
    }
    ranked = sorted(groups, key=lambda key: (-totals[key], key))
    if wanted is not None:
        ranked = ranked[: TOP if top is None else top]
    fields = () if wanted is None else wanted.fields
    return [
        {
            "metadatavalues": [
                {"name": {"value": field, "localizedValue": field}, "value": value}
                for field, value in zip(fields, key, strict=True)
            ],
            "data": [_point(groups[key], begin, end, weight, window) for begin, end in window.buckets()],
        }
        for key in ranked
    ]


def _point(sources: list[_Source], begin: timedelta, end: timedelta, weight: int, window: Window) -> dict[str, object]:
    count = sum(source.count(begin, end, window) for source in sources)
    point: dict[str, object] = {"timeStamp": stamp(window.start, begin)}
    if count:  # a point without samples has a time and nothing else
        point["total"] = float(count * weight)
    return point


def _sources(account: Account, lives: Iterable[Life]) -> Iterator[_Source]:
    for life in lives:
        for calls in life.deployment.calls:
            dimensions = {
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
            yield _Source(life, calls, dimensions)
