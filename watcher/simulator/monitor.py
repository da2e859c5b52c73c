"""Azure Monitor: metrics of an account, one resource at a time or in batches, and the activity log.

Sources: SPEC metrics 2024-02-01 (single and batch) with examples; the metric reference of Azure OpenAI; issue 37982 of
azure-sdk-for-python (`__Empty`); SPEC activity log 2015-04-01.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from watcher.simulator import arm, metrics
from watcher.simulator.activity import entries
from watcher.simulator.loading import parse_duration
from watcher.simulator.odata import Filter, FilterError, parse_filter
from watcher.simulator.scenario import Account
from watcher.simulator.serving import Context, Refusal

NAMESPACE = "microsoft.cognitiveservices/accounts"
_INTERVALS = frozenset({"PT1M", "PT5M", "PT15M", "PT30M", "PT1H", "PT6H", "PT12H", "P1D"})
_BATCH_LIMIT = 50

T = TypeVar("T")


def account_metrics(context: Context) -> Mapping[str, object]:
    """GET of one resource's metrics."""
    arm.require_version(context)
    account = arm.known_account(context)
    begin, _, end = (context.query("timespan") or "").partition("/")
    answer = _answer(context, account, begin, end, filter_text=context.query("$filter"))
    return {"cost": 0} | answer


def batch(context: Context) -> Mapping[str, object]:
    """POST of `metrics:getBatch`: a read, in spite of its method."""
    arm.require_version(context)
    subscription = arm.known_subscription(context)
    if (context.query("metricnamespace") or "").lower() != NAMESPACE:
        raise Refusal(400, "BadRequest", "metricnamespace is missing or unknown")
    ids = context.body.get("resourceids")
    if not isinstance(ids, list) or not 0 < len(ids) <= _BATCH_LIMIT:
        raise Refusal(400, "BadRequest", f"resourceids must hold 1 to {_BATCH_LIMIT} resource ids")
    values = []
    for resource_id in map(str, ids):
        account = context.world.account_by_id(resource_id, context.moment)
        if account is None or context.world.subscription_of(account).lower() != subscription.lower():
            raise Refusal(404, "ResourceNotFound", f"The resource '{resource_id}' was not found.")
        begin, end = context.query("starttime") or "", context.query("endtime") or ""
        answer = _answer(context, account, begin, end, filter_text=context.query("filter"))
        answer["starttime"], _, answer["endtime"] = str(answer.pop("timespan")).partition("/")
        values.append(answer | {"resourceid": resource_id})
    return {"values": values}


def activity_log(context: Context) -> Mapping[str, object]:
    """The management events of a subscription, newest first, 90 days back."""
    arm.require_version(context)
    subscription = arm.known_subscription(context)
    wanted = _filter(context.query("$filter"))
    if wanted is None or "eventtimestamp" not in wanted.fields:
        raise Refusal(400, "BadRequest", "The $filter must bound eventTimestamp.")
    rows = []
    try:
        for entry in entries(context.world, subscription, context.moment):
            fields = {
                "eventtimestamp": str(entry["eventTimestamp"]),
                "resourceuri": str(entry["resourceId"]),
                "resourceid": str(entry["resourceId"]),
                "resourcegroupname": str(entry["resourceGroupName"]),
                "resourceprovider": "Microsoft.CognitiveServices",
            }
            if wanted.test(fields.get):
                rows.append(entry)
    except FilterError as exc:
        raise Refusal(400, "BadRequest", str(exc)) from exc
    return arm.paged(context, rows)


def _answer(context: Context, account: Account, begin: str, end: str, *, filter_text: str | None) -> dict[str, object]:
    """The part that both metric routes share."""
    interval = (context.query("interval") or "PT1M").upper()
    since, until = _time(context, begin), _time(context, end)
    if until <= since:
        raise Refusal(400, "BadRequest", "The end of the timespan must come after its beginning.")
    if interval == "FULL":
        step = until - since
    elif interval in _INTERVALS:
        step = parse_duration(interval.removeprefix("P").removeprefix("T").lower())
    else:
        raise Refusal(400, "BadRequest", f"The time grain {interval} is not supported.")
    names = [name for name in (context.query("metricnames") or "").split(",") if name]
    unknown = [name for name in names if name.lower() not in metrics.NAMES]
    if not names or unknown or len(names) > 20:
        valid = ",".join(metrics.NAMES.values())
        raise Refusal(400, "BadRequest", f"Failed to find metric configuration for {unknown}. Valid metrics: {valid}")
    wanted = _filter(filter_text)
    top = context.query("top")
    if top is not None and (not top.isdecimal() or int(top) == 0):
        raise Refusal(400, "BadRequest", "top must be a positive number")
    window = metrics.Window(
        since=context.world.moment(since),
        until=context.world.moment(until),
        step=step,
        known_until=context.moment - context.world.scenario.metrics_delay,
        start=context.world.start,
    )
    tallies: dict[metrics.Window, metrics.Tally] = {}  # most metrics count the same requests

    def tally(name: str) -> metrics.Tally:
        spoilt = _spoilt(context, window, name)
        if spoilt not in tallies:
            tallies[spoilt] = metrics.tally(account, lives, spoilt, wanted, None if top is None else int(top))
        return tallies[spoilt]

    lives = [life for life in context.world.lives(account) if context.listed(life.deployment.name)]
    return {
        "timespan": f"{_stamp(since)}/{_stamp(until)}",
        "interval": interval,
        "namespace": NAMESPACE,
        "resourceregion": account.location,
        "value": [
            metrics.metric(
                account,
                resource_id=context.world.account_id(account),
                name=name,
                tally=partial(tally, name),
                error_code=_first(fault.metric_error for fault in context.faults if fault.concerns(name)),
            )
            for name in map(metrics.NAMES.__getitem__, map(str.lower, names))
        ],
    }


def _spoilt(context: Context, window: metrics.Window, name: str) -> metrics.Window:
    """The window as faults leave it: metrics that come later, hours that are missing."""
    faults = [fault for fault in context.faults if fault.concerns(name)]
    delay = _first(fault.metrics_delay for fault in faults)
    if delay is not None:
        window = replace(window, known_until=context.moment - delay)
    gaps = [(fault.gap, fault.gap_points == "absent") for fault in faults if fault.gap is not None]
    return replace(window, gaps=tuple(metrics.Gap(*span, absent=absent) for span, absent in gaps)) if gaps else window


def _first(values: Iterable[T | None]) -> T | None:
    return next((value for value in values if value is not None), None)


def _filter(text: str | None) -> Filter | None:
    if not text:
        return None
    try:
        return parse_filter(text)
    except FilterError as exc:
        raise Refusal(400, "BadRequest", str(exc)) from exc


def _time(context: Context, text: str) -> datetime:
    try:
        # An unescaped "+00:00" arrives with a space; the real service refuses it, and so do we.
        when = datetime.fromisoformat(text)
    except ValueError:
        raise Refusal(400, "BadRequest", f"{text!r} is not a time") from None
    if when.tzinfo is None:
        when = when.replace(tzinfo=context.world.start.tzinfo)
    return when.replace(second=0, microsecond=0) if when.second or when.microsecond else when


def _stamp(when: datetime) -> str:
    return (when - (when.utcoffset() or timedelta(0))).strftime("%Y-%m-%dT%H:%M:%SZ")
