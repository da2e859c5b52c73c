"""What Cost Management answers to a query → what was billed, by account, meter and day. Pure.

Rows are read through the columns that the answer names, in whatever order. A row that cannot be read costs the whole
answer: a sum that lacks a part would pass for a smaller bill.

Source: azure-rest-api-specs, Microsoft.CostManagement 2023-11-01, "Query – Usage", and its example. That a day is
written as a number such as 20260102 is well known and not documented.
"""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from watcher.azure.lenient import Page, parse_object
from watcher.errors import MalformedError
from watcher.resources.price import Actual

#: The name under which costs are asked for, and what an older kind of agreement answers with.
COST = "Cost"
_COSTS = (COST.lower(), "pretaxcost")
_MOST = Decimal("1e12")
_PLACES = 12


def decode_actuals(body: bytes) -> Page[Actual]:
    """One page of the answer; without a body (204) there is nothing.

    Raises:
        MalformedError: this is none, or a row of it cannot be read.
    """
    if not body.strip():
        return Page(())
    properties = parse_object(body).get("properties")
    if not isinstance(properties, dict):
        raise MalformedError("the answer holds no `properties`")
    rows, columns, link = (properties.get(key) for key in ("rows", "columns", "nextLink"))
    if not isinstance(rows, list) or not isinstance(columns, list):
        raise MalformedError("the answer holds no rows, or does not name their columns")
    if not (link is None or isinstance(link, str)):
        raise MalformedError("`nextLink` is not an address")
    places = _places(columns) if rows else {}
    return Page(tuple(_actual(row, places) for row in rows), next_link=link or "")


def _places(columns: list[Any]) -> dict[str, int]:
    """Where each of the wanted columns stands in a row."""
    names = {str(column.get("name")).lower(): place for place, column in enumerate(columns) if isinstance(column, dict)}
    cost = next((names[name] for name in _COSTS if name in names), None)
    wanted = {"resource": "resourceid", "meter": "meter", "day": "usagedate", "currency": "currency"}
    missing = [name for name in wanted.values() if name not in names]
    if cost is None or missing:
        raise MalformedError(f"the answer lacks the columns {', '.join(missing or [COST])}")
    return {"cost": cost, **{key: names[name] for key, name in wanted.items()}}


def _actual(row: Any, places: dict[str, int]) -> Actual:
    if not isinstance(row, list) or len(row) <= max(places.values()):
        raise MalformedError("a row is shorter than its columns")
    resource, meter, currency = (row[places[key]] for key in ("resource", "meter", "currency"))
    if not all(isinstance(text, str) for text in (resource, meter, currency)) or not currency.strip():
        raise MalformedError("a row names no resource, meter or currency")
    account = "/" + resource.strip("/").lower() if resource.strip("/") else ""
    return Actual(
        account=account,
        meter=meter,
        day=_day(row[places["day"]]),
        cost=_cost(row[places["cost"]]),
        currency=currency.strip().upper(),
    )


def _day(value: Any) -> date:
    """Of `20260102`, as a number or a text, or of a time."""
    text = str(int(value)) if _is_number(value) and abs(value) < 1e9 else value
    if isinstance(text, str):
        try:
            return datetime.fromisoformat(text.strip()).date()  # takes both spellings
        except ValueError:
            pass
    raise MalformedError(f"{str(value)[:40]!r} is no day")


def _cost(value: Any) -> Decimal:
    """As it was written, to a million-millionth; a correction is less than nothing."""
    if not _is_number(value) or not -_MOST <= value <= _MOST:
        raise MalformedError(f"{str(value)[:40]!r} is no cost")
    return round(Decimal(repr(value)), _PLACES)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
