"""Azure Monitor's answer → how much each deployment is called. Pure.

"No calls" and "not read" must never be confused: a deployment counts as idle only for a span that was read whole. So
anything that could hide a call (a metric in error or left out, as many series as were asked for, a point that cannot
be read) makes the section unread.

Source: azure-rest-api-specs, Microsoft.Insights 2024-02-01; the metric table of the Azure OpenAI monitoring reference.
An account may emit `AzureOpenAIRequests`, `ModelRequests` or both, so both are asked for. `top` is 10 where it is left
out, and series beyond it are dropped without a word.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from watcher.azure.lenient import float_of, parse_object, when
from watcher.errors import IncompleteError, MalformedError
from watcher.resources.calls import DELAY, HOUR, Calls, HourOfCalls
from watcher.resources.deployment import Deployment, Usage

METRICS = ("AzureOpenAIRequests", "ModelRequests")
#: Series asked for at most; a deployment has one for each status code.
TOP = 10_000
BUCKET = timedelta(hours=1)
#: The first reading; a day more than the fifteen after which a deployment counts as idle.
FIRST_SPAN = timedelta(days=16)
#: Azure keeps 93 days; spans are widened to the start of a bucket.
LONGEST_SPAN = timedelta(days=93) - BUCKET
#: Read again each time: late points still move the newest buckets, now and then by hours. A call that came later than
#: this would never be seen, and its deployment be taken for idle; points cost little.
OVERLAP = timedelta(hours=24)

#: In one hour; more is nonsense, and the sum of nonsense may be infinite.
_MOST_CALLS = 1e15

_EMPTY = frozenset({"", "__empty", "unknown", "null", "none"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """What is asked for: from the start of a bucket to now."""

    start: datetime
    end: datetime

    @property
    def text(self) -> str:
        return f"{self.start:%Y-%m-%dT%H:%M:%SZ}/{self.end:%Y-%m-%dT%H:%M:%SZ}"


def first_span(lifetimes: Iterable[timedelta]) -> timedelta:
    """How far back the first reading must go for deployments that live so long without a call."""
    return min(max((FIRST_SPAN, *(lifetime + timedelta(days=1) for lifetime in lifetimes))), LONGEST_SPAN)


def span_of(
    deployments: Sequence[Deployment],
    known: Mapping[str, Usage],
    at: datetime,
    *,
    account_created_at: datetime | None = None,
    first: timedelta = FIRST_SPAN,
) -> Span:
    """The span that one query must cover so that no live deployment's reading has a hole.

    A deployment that was read before is continued with an overlap; one that was not is read from its creation, and so
    is one whose reading shows no call and begins too late, as where lifetimes were made longer. No span is longer
    than `first`, and none goes back beyond an account in which nothing is known to be older: where another one of its
    id was there before, nothing is told of that one's calls.
    """
    earliest = at - first
    if (
        account_created_at is not None
        and deployments
        and all(one.created_at is None or one.created_at >= account_created_at for one in deployments)
    ):
        earliest = min(max(earliest, account_created_at), at)
    starts = [at - OVERLAP]
    for deployment in deployments:
        usage, begin = known.get(deployment.name.lower()), max(deployment.created_at or earliest, earliest)
        is_short = usage is None or (usage.last_success_at is None and usage.read_from - begin > OVERLAP)
        starts.append(begin if usage is None or is_short else usage.read_to - OVERLAP)
    start = max(min(starts), earliest)
    return Span(start=_floor(start, BUCKET), end=at.replace(microsecond=0))


_CONDITION = quote("ModelDeploymentName eq '*' and StatusCode eq '*'", safe="")


def query_of(span: Span, metrics: Sequence[str] = METRICS) -> str:
    """The query string for `span`, quoted."""
    return (
        f"metricnames={','.join(metrics)}&timespan={quote(span.text, safe='')}&interval=PT1H&aggregation=total"
        f"&$filter={_CONDITION}&top={TOP}"
    )


def batch_query_of(span: Span) -> str:
    """The same question in the spelling of a batch. `top` counts by metric and account there."""
    start, _, end = span.text.partition("/")
    return (
        f"metricnamespace=microsoft.cognitiveservices/accounts&metricnames={','.join(METRICS)}"
        f"&starttime={quote(start, safe='')}&endtime={quote(end, safe='')}&interval=PT1H&aggregation=total"
        f"&filter={_CONDITION}&top={TOP}"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What one answer tells of the calls in an account, by deployment's name in lower case."""

    usage: Mapping[str, Usage]  #: of all that were asked for
    #: Of those that had any, and under "" calls without a name; none where hours are not told.
    calls: Mapping[str, Calls]


def decode_counts(body: bytes, *, span: Span, names: Iterable[str], asked: Sequence[str] = METRICS) -> Counted:
    """The calls that the answer about one account tells of: see `counts_of`."""
    return counts_of(parse_object(body), span=span, names=names, asked=asked)


def decode_usage(
    body: bytes, *, span: Span, names: Iterable[str], asked: Sequence[str] = METRICS
) -> Mapping[str, Usage]:
    """The newest calls that the answer about one account tells of: see `counts_of`."""
    return decode_counts(body, span=span, names=names, asked=asked).usage


def usage_of(
    answer: Mapping[str, Any], *, span: Span, names: Iterable[str], asked: Sequence[str] = METRICS
) -> Mapping[str, Usage]:
    """The newest calls that an answer tells of: see `counts_of`."""
    return counts_of(answer, span=span, names=names, asked=asked).usage


def counts_of(
    answer: Mapping[str, Any], *, span: Span, names: Iterable[str], asked: Sequence[str] = METRICS
) -> Counted:
    """The calls of each deployment in the answer, and of each of `names`, which may have none.

    An account may count the same calls by both metrics, or some by one alone: of an hour the larger count holds.

    Args:
        answer: About one account: a whole answer, or an entry of a batch's `values`.
        span: What was asked for.
        names: The deployments that live; one without a series was not called.
        asked: The metrics that were asked for.

    Returns:
        Calls in the newest, incomplete buckets count as seen; their absence does not: see `Usage.read_to`.

    Raises:
        MalformedError: a metric could not be read, or something in the answer could hide a call.
        IncompleteError: a metric is left out, or there are as many series as were asked for: there may be more.
    """
    metrics = _list(answer, "value")
    bucket = _duration(answer.get("interval")) or BUCKET
    start, end = _answered_span(answer, span)
    tally = _Tally()
    for metric in metrics:
        code = metric.get("errorCode")
        if code not in (None, "", "Success"):
            raise MalformedError(f"metric {_name(metric)}: {code}: {metric.get('errorMessage') or 'not read'}")
        if metric.get("timeseries") is None:  # a metric without calls has an empty list
            raise MalformedError(f"metric {_name(metric)} holds no `timeseries`")
        series = _list(metric, "timeseries")
        if len(series) >= TOP:
            raise IncompleteError(f"metric {_name(metric)}: {TOP} series or more; some deployments may be missing")
        for one in series:
            tally.add(one)
        tally.end_metric()
    if not metrics:
        raise MalformedError("the answer holds no metric")
    told = {_name(metric).lower() for metric in metrics}
    if missing := [name for name in asked if name.lower() not in told]:
        raise IncompleteError(f"the answer leaves out the metric {' and '.join(missing)}")
    read_to = max(_floor(end - DELAY, bucket), start)
    wanted = {name.lower() for name in names} | tally.successes.keys() | tally.failures.keys()
    usage = {
        name: Usage(
            deployment=name,
            read_from=start,
            read_to=read_to,
            last_success_at=tally.successes.get(name),
            last_failure_at=tally.failures.get(name),
            bucket_seconds=int(bucket.total_seconds()),
            last_unclear_at=max((at for at in (tally.nameless_at, tally.unclear.get(name)) if at), default=None),
        )
        for name in sorted(wanted)
    }
    return Counted(usage=usage, calls=tally.calls() if bucket <= HOUR else {})


class _Tally:
    """The calls met so far, by deployment: the newest by whether they went well, and all by the hour."""

    def __init__(self) -> None:
        self.hours: dict[tuple[str, datetime], HourOfCalls] = {}
        self._metric: dict[tuple[str, datetime], dict[str, float]] = {}  #: of the metric that is being added
        self.successes: dict[str, datetime] = {}
        self.failures: dict[str, datetime] = {}
        self.unclear: dict[str, datetime] = {}  #: calls whose status is not told
        self.nameless_at: datetime | None = None  #: the newest calls without a deployment's name

    def add(self, series: Mapping[str, Any]) -> None:
        counts = tuple(_calls(series))
        if not counts:
            return
        last = max(at for at, _ in counts)
        dimensions = _dimensions(series)
        name = dimensions.get("modeldeploymentname", "")
        status = dimensions.get("statuscode", "")
        if name in _EMPTY:
            self.nameless_at = max(last, self.nameless_at or last)
            self._count("", status, counts)
            return
        self._count(name, status, counts)
        if status in _EMPTY:
            self.unclear[name] = max(last, self.unclear.get(name, last))
        calls = self.successes if status.startswith("2") else self.failures
        calls[name] = max(last, calls.get(name, last))

    def _count(self, name: str, status: str, counts: Iterable[tuple[datetime, float]]) -> None:
        is_unclear = status in _EMPTY
        kinds = ("other", "unclear") if is_unclear else ("ok",) if status.startswith("2") else ("other",)
        for at, number in counts:
            found = self._metric.setdefault((name, _floor(at, HOUR)), defaultdict(float))
            for kind in kinds:
                found[kind] = min(found[kind] + number, _MOST_CALLS)

    def end_metric(self) -> None:
        """All series of one metric were added."""
        for place, found in self._metric.items():
            counted = HourOfCalls(ok=found["ok"], other=found["other"], unclear=found["unclear"])
            known = self.hours.get(place)
            self.hours[place] = counted if known is None else known.joined(counted)
        self._metric = {}

    def calls(self) -> Mapping[str, Calls]:
        """What all metrics together tell, hour by hour."""
        by_name: dict[str, dict[datetime, HourOfCalls]] = {}
        for (name, hour), counted in sorted(self.hours.items()):
            by_name.setdefault(name, {})[hour] = counted
        return {name: Calls(deployment=name, hours=hours) for name, hours in by_name.items()}


def _calls(series: Mapping[str, Any]) -> Iterator[tuple[datetime, float]]:
    """The buckets of a series that hold calls, with how many. One without a total holds none; a nonsensical one may."""
    for point in _list(series, "data"):
        total = point.get("total")
        if total is None:
            continue
        number = float_of(total)
        if number is None:
            raise MalformedError("a point's total is no number")
        if number > 0:
            at = when(point.get("timeStamp"))
            if at is None:
                raise MalformedError("a point's time cannot be read")
            yield at, number


def _dimensions(series: Mapping[str, Any]) -> Mapping[str, str]:
    """Values by name, both in lower case: they come back otherwise than they were asked for."""
    found = {}
    for entry in _list(series, "metadatavalues"):
        name = entry.get("name")
        label = name.get("value") if isinstance(name, dict) else name
        value = entry.get("value")
        if isinstance(label, str) and isinstance(value, str | int):
            found[label.lower()] = str(value).strip().lower()
    return found


def _list(holder: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    """A list of objects; none where the key is absent. Raises `MalformedError` where it is anything else."""
    found = holder.get(key)
    if found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
        raise MalformedError(f"`{key}` is no list of objects")
    return found


def _name(metric: Mapping[str, Any]) -> str:
    name = metric.get("name")
    return str(name.get("value")) if isinstance(name, dict) else str(name)


def _answered_span(answer: Mapping[str, Any], span: Span) -> tuple[datetime, datetime]:
    """The part of `span` that the service says it answered for."""
    told = answer.get("timespan")
    first, _, last = told.partition("/") if isinstance(told, str) else ("", "", "")
    start, end = when(first or answer.get("starttime")), when(last or answer.get("endtime"))
    return max(start or span.start, span.start), min(end or span.end, span.end)


_ISO_DURATION = re.compile(r"P(?:(\d{1,5})D)?(?:T(?:(\d{1,5})H)?(?:(\d{1,5})M)?)?")


def _duration(text: Any) -> timedelta | None:
    """An ISO 8601 duration of days, hours and minutes, which the service may give for another than was asked for."""
    match = _ISO_DURATION.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        return None
    days, hours, minutes = (int(part or 0) for part in match.groups())
    return timedelta(days=days, hours=hours, minutes=minutes) or None


def _floor(at: datetime, bucket: timedelta) -> datetime:
    """The start of the bucket that holds `at`; buckets are counted from midnight UTC."""
    size = bucket.total_seconds()
    return datetime.fromtimestamp(at.timestamp() // size * size, UTC)
