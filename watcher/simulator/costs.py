"""Cost Management's query: what the pretend Azure bills a subscription, by account and meter and day.

What is billed is the hosting of fine-tuned deployments: the hours that each stood, known up to the newest multiple of
four hours, times the price of its meter. Developer and provisioned deployments have no such fee.

Sources: SPEC Microsoft.CostManagement 2023-11-01 (query, its example, 204); that a daily row's date is a number, the
four calls a minute and the names of the headers are reported, not documented.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from starlette.responses import Response

from watcher.simulator.arm import known_subscription, link, require_version
from watcher.simulator.deployments import Life
from watcher.simulator.fees import hosting_price
from watcher.simulator.prices import RATES
from watcher.simulator.scenario import Account
from watcher.simulator.serving import Context, Refusal
from watcher.simulator.world import World

_VERSIONS = frozenset({"2023-11-01", "2024-08-01", "2025-03-01"})
_RESOURCE_TYPE = "microsoft.cognitiveservices/accounts"
_MOST_A_MINUTE = 4
_KNOWN_EVERY = timedelta(hours=4)
_DIMENSIONS = ("ResourceId", "Meter")

#: Account id in lower case, meter, day.
_Key = tuple[str, str, date]


def query(context: Context) -> Mapping[str, object] | Response:
    """Costs, summed up as asked."""
    if context.request.method != "POST":
        raise Refusal(405, "MethodNotAllowed", "The query goes along as a body.")
    require_version(context, _VERSIONS)
    subscription = known_subscription(context)
    _throttle(context, subscription)
    first, last = _days(context)
    dataset = _table(context.body, "dataset")
    grouping = [str(one.get("name")) for one in dataset.get("grouping") or ()]
    if not set(grouping) <= set(_DIMENSIONS):
        raise Refusal(400, "BadRequest", f"Invalid dimension among {', '.join(grouping)}.")
    is_daily = dataset.get("granularity") == "Daily"
    sums: dict[tuple[object, ...], Decimal] = defaultdict(Decimal)
    if _wants_accounts(dataset):
        for (account, meter, day), cost in billed(context.world, subscription, context.now).items():
            if first <= day <= last:
                named: dict[str, object] = {"ResourceId": account, "Meter": meter}
                when = (int(f"{day:%Y%m%d}"),) if is_daily else ()
                sums[*when, *(named[name] for name in grouping)] += cost
    if not sums:
        return Response(status_code=204)
    currency = context.world.scenario.billing_currency
    rows = [[float(cost), *key, currency] for key, cost in sorted(sums.items(), key=lambda one: repr(one[0]))]
    aggregate = next(iter(_table(dataset, "aggregation").values()), {"name": "Cost"})
    columns = [
        {"name": str(aggregate["name"]), "type": "Number"},
        *([{"name": "UsageDate", "type": "Number"}] if is_daily else []),
        *({"name": name, "type": "String"} for name in grouping),
        {"name": "Currency", "type": "String"},
    ]
    return _page(context, subscription, columns, rows)


def billed(world: World, subscription: str, now: datetime) -> dict[_Key, Decimal]:
    """What has been billed by `now`, by account, meter and day in UTC."""
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    known_until = midnight + (now - midnight) // _KNOWN_EVERY * _KNOWN_EVERY
    rate = Decimal(str(RATES[world.scenario.billing_currency]))
    costs: dict[_Key, Decimal] = defaultdict(Decimal)
    for account in world.scenario.accounts:
        if world.subscription_of(account).lower() != subscription.lower():
            continue
        for life in world.lives(account):
            price = hosting_price(world, account, life)
            if price is None:
                continue
            for day, hours in _hours(world, account, life, known_until):
                key = (world.account_id(account).lower(), price.meter, day)
                costs[key] += hours * Decimal(str(price.price)) * rate
    return {key: cost for key, cost in costs.items() if cost}


def _hours(world: World, account: Account, life: Life, until: datetime) -> Iterator[tuple[date, Decimal]]:
    """The hours that it stood on each day, by `until`."""
    begin = (world.start + max(life.deployment.created, account.created)).astimezone(UTC)
    end = until if life.end is None else min(until, (world.start + life.end.at).astimezone(UTC))
    while begin < end:
        midnight = begin.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        stop = min(midnight, end)
        yield begin.date(), Decimal((stop - begin) // timedelta(seconds=1)) / 3600
        begin = stop


def _page(
    context: Context, subscription: str, columns: Sequence[object], rows: Sequence[object]
) -> Mapping[str, object]:
    size = context.world.scenario.page_size
    token = context.query("$skiptoken") or "0"
    if not token.isdecimal():
        raise Refusal(400, "BadRequest", "The skip token is invalid.")
    offset = int(token)
    more = context.paging == "endless" or (context.paging is None and offset + size < len(rows))
    return {
        "id": f"subscriptions/{subscription}/providers/Microsoft.CostManagement/query/q",
        "name": "q",
        "type": "Microsoft.CostManagement/query",
        "properties": {
            "nextLink": link(context, {"$skiptoken": str(offset + size)}) if more else None,
            "columns": columns,
            "rows": rows[offset : offset + size],
        },
    }


def _throttle(context: Context, subscription: str) -> None:
    """Refuse a fifth call within a minute; the pages of one answer count as one."""
    if context.query("$skiptoken") is not None:
        return
    asked: dict[str, list[datetime]] = context.request.app.state.cost_queries
    recent = [at for at in asked.get(subscription, []) if context.now - at < timedelta(minutes=1)]
    if len(recent) >= _MOST_A_MINUTE:
        wait = 60 - (context.now - recent[0]).seconds
        prefix = "x-ms-ratelimit-microsoft.costmanagement"
        headers = {f"{prefix}-entity-retry-after": str(min(wait, 5)), f"{prefix}-client-retry-after": str(wait)}
        raise Refusal(429, "429", "Too many requests. Please retry.", headers)
    asked[subscription] = [*recent, context.now]


def _days(context: Context) -> tuple[date, date]:
    """The first and the last day that are asked for."""
    timeframe = context.body.get("timeframe")
    today = context.now.astimezone(UTC).date()
    if timeframe == "MonthToDate":
        return today.replace(day=1), today
    span = _table(context.body, "timePeriod")
    try:
        if timeframe != "Custom":
            raise ValueError(timeframe)
        first, last = (datetime.fromisoformat(str(span[key])).date() for key in ("from", "to"))
    except (KeyError, ValueError) as exc:
        raise Refusal(400, "BadRequest", "Invalid timeframe or time period.") from exc
    if first > last:
        raise Refusal(400, "BadRequest", "The time period ends before it begins.")
    return first, last


def _wants_accounts(dataset: Mapping[str, Any]) -> bool:
    """Whether the filter, if there is one, lets accounts through."""
    dimensions = _table(_table(dataset, "filter"), "dimensions")
    if not dimensions:
        return True
    values = [str(value).lower() for value in dimensions.get("values") or ()]
    return dimensions.get("name") == "ResourceType" and _RESOURCE_TYPE in values


def _table(outer: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    inner = outer.get(key)
    return inner if isinstance(inner, dict) else {}
