"""A statement as JSON. Schema, version 1; keys may be added, none is renamed or dropped:

- Every money is an object. `amount` is a number, rounded half even to cents; it is `null` where the money is only known
  to lie between `low` and `high`, and where some or all of it is unknown. Then `unknown_because` says why, which is
  `null` else, `low` is what is known of it at least, or `null`, and `high` is `null`. Sums also have `parts` and
  `unknown_parts`.
- Times are RFC 3339 in UTC with `Z`, days are dates in the `zone` of the period. Something that lies between two times
  has `…_earliest` and `…_latest`. Durations are in hours.
- Ids, names and labels are verbatim as Azure and people have them.
- `null` means not known, or that it does not apply. Every key is always there; a list may be empty.

`templates/report.schema.json` beside this room is the same as a JSON Schema. What each single deployment cost on each
day is left out for size; the sums by day are in `days`.
"""

import re
from datetime import datetime, timedelta
from decimal import Decimal

import msgspec

from watcher.costs.advice import Advice
from watcher.costs.idle import IdleMoney
from watcher.costs.money import Amount, Cost, Total, Unknown
from watcher.costs.prices import Price
from watcher.costs.recipe import Recipe
from watcher.costs.savings import METHOD
from watcher.report.records import Record
from watcher.report.render.outline import is_quiet, totals
from watcher.report.statement import BillLine, HostedLine, Leftover, Place, Statement, TrainingLine
from watcher.report.wording import utc

VERSION = 1
#: What a terminal would obey or hide; JSON may hold it, but need not.
_UNSEEN = re.compile("[\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]")


def render(statement: Statement) -> str:
    """The document, indented; pure ASCII in whatever could be obeyed or hidden."""
    text = msgspec.json.format(msgspec.json.encode(statement_record(statement)), indent=2).decode()
    if text.isascii() and "\x7f" not in text:
        return text + "\n"
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n"


def statement_record(statement: Statement) -> Record:
    """The document as values."""
    bill, idle, saving = totals(statement)
    return {
        "version": VERSION,
        "watcher": statement.watcher,
        "edition": {"audience": statement.edition.audience.value, "owner": statement.edition.owner or None},
        "period": {
            "name": statement.period_name,
            "begin": _at(statement.period.begin),
            "end": _at(statement.period.end),
            "zone": statement.zone,
        },
        "as_of": _at(statement.as_of),
        "currency": statement.currency,
        "price_words": statement.price_words,
        "accounts": statement.accounts,
        "accounts_seen": statement.accounts_seen,
        "unseen": list(statement.unseen),
        "is_quiet": is_quiet(statement),
        "totals": {
            "bill": money_record(bill),
            "idle": money_record(idle),
            "saving_per_month": money_record(saving),
            "hosting": money_record(statement.hosting),
            "training": money_record(statement.training),
            "trickle": money_record(statement.trickle),
            "unread": money_record(statement.unread),
            "idle_until_deletion": money_record(statement.idle_until_deletion),
            "saved": money_record(statement.saved),
        },
        "recommendations": [_advice(each) for each in statement.advice],
        "bills": [{"by": each.by, "lines": [_bill_line(line) for line in each.lines]} for each in statement.bills],
        "deployments": [_hosted(line) for line in statement.hosted],
        "jobs": [_trained(line) for line in statement.trained],
        "undeployed_models": [_leftover(each) for each in statement.undeployed],
        "orphaned_files": [_leftover(each) for each in statement.orphans],
        "calendar": [
            {
                "uid": each.uid,
                "kind": each.kind.value,
                "at": _at(each.at),
                "at_latest": _at(each.latest),
                "is_certain": each.is_certain,
                "title": each.title,
                "text": each.text or None,
                "account": each.account or None,
                "owner": each.owner or None,
            }
            for each in statement.dates
        ],
        "exceptions": [
            {
                **_place(each.place),
                "name": each.name,
                "until": _at(each.until),
                "by": each.by or None,
                "reason": each.reason or None,
                "is_over": each.is_over,
            }
            for each in statement.exceptions
        ],
        "savings_method": METHOD,
        "savings": [
            {
                "account": each.account,
                "name": each.name,
                "owner": each.owner,
                "ended_at": _at(each.ended_at),
                "by": each.by or None,
                "saving": money_record(each.saving),
            }
            for each in statement.realised
        ],
        "days": [
            {
                "day": each.day.isoformat(),
                "costs": {state.value: money_record(cost) for state, cost in sorted(each.costs.items())},
            }
            for each in statement.days
        ],
        "prices": [
            {
                **_price(each.price),
                "for": each.what,
                "origin": each.origin,
                "uses": each.uses,
                "is_stale": each.is_stale,
            }
            for each in statement.prices
        ],
        "actuals": [
            {
                "account": each.account,
                "days": each.days,
                "estimate": money_record(each.estimate),
                "actual": money_record(each.actual),
                "drift_percent": each.drift_percent,
                "note": each.note or None,
            }
            for each in statement.actuals
        ],
        "assumptions": list(statement.remarks),
    }


def money_record(cost: Cost | Total) -> Record:
    """One money."""
    match cost:
        case Unknown():
            return {"amount": None, "low": None, "high": None, "unknown_because": cost.because}
        case Total():
            counts = {"parts": cost.parts, "unknown_parts": cost.unknown}
            if cost.is_known:
                return {**money_record(cost.known), **counts}
            low = None if cost.is_unknown else _number(cost.known.least)
            return {"amount": None, "low": low, "high": None, "unknown_because": cost.why, **counts}
        case Amount():
            low = _number(cost.least)
            high = low if cost.is_exact else _number(cost.most)
            return {"amount": low if low == high else None, "low": low, "high": high, "unknown_because": None}


def _rest(cost: Cost | Total | None) -> Record | None:
    """Of one deployment, which is no sum, also where its least alone is known."""
    if not isinstance(cost, Total):
        return None if cost is None else money_record(cost)
    return {**money_record(cost.known), "amount": None, "high": None, "unknown_because": cost.reasons[0][0]}


def _at(at: datetime | None) -> str | None:
    return None if at is None else utc(at)


def _number(cents: Decimal) -> float:
    return float(cents)


def _place(place: Place) -> Record:
    return {
        "account": place.account,
        "account_id": place.account_id,
        "location": place.location or None,
        "owner": place.owner,
        "labels": dict(sorted(place.labels.items())),
    }


def _hosted(line: HostedLine) -> Record:
    gone = line.end or (None, None)
    idle_since = line.idle_since or (None, None)
    deletion = line.deletion or (None, None)
    idle = line.idle
    return {
        **_place(line.place),
        "id": line.id,
        "name": line.name,
        "model": line.model,
        "base_model": line.base or None,
        "sku": line.sku or None,
        "capacity": line.capacity,
        "begin": _at(line.begin),
        "is_begin_creation": line.is_created,
        "end_earliest": _at(gone[0]),
        "end_latest": _at(gone[1]),
        "ended_by": line.ended_by or None,
        "hours_least": _hours(line.stood[0]),
        "hours_most": _hours(line.stood[1]),
        "price": _price(line.price),
        "cost": money_record(line.cost),
        "cost_by_state": {state.value: money_record(cost) for state, cost in sorted(line.by_state.items())},
        "calls": line.calls,
        "last_call_at": _at(line.last_call_at),
        "state": line.state.value,
        "idle_since_earliest": _at(idle_since[0]),
        "idle_since_latest": _at(idle_since[1]),
        "idle_cost": None if idle is None else money_record(idle.so_far if isinstance(idle, IdleMoney) else idle),
        "idle_cost_per_day": None
        if idle is None
        else money_record(idle.per_day if isinstance(idle, IdleMoney) else idle),
        "cost_until_deletion": _rest(idle.rest) if isinstance(idle, IdleMoney) else None,
        "deletion_earliest": _at(deletion[0]),
        "deletion_latest": _at(deletion[1]),
        "deletion_why": line.deletion_why or None,
        "cost_per_call": None if line.cost_per_call is None else money_record(line.cost_per_call),
        "trickle_calls": line.trickle_calls,
        "successor": line.successor or None,
        "is_paused": line.is_paused,
        "kept_until": _at(line.kept_until),
        "recipe": None if line.recipe is None else recipe_record(line.recipe),
        "remarks": list(line.remarks),
    }


def recipe_record(recipe: Recipe) -> Record:
    """What makes a deployment again."""
    return {
        "id": recipe.id,
        "api_version": recipe.api_version,
        "body": recipe.body,
        "missing": list(recipe.missing),
        "obstacle": recipe.obstacle or None,
        "command": recipe.command,
    }


def _trained(line: TrainingLine) -> Record:
    return {
        **_place(line.place),
        "id": line.job,
        "model": line.model,
        "fine_tuned_model": line.made or None,
        "method": line.method or None,
        "training_type": line.training_type or None,
        "status": line.status,
        "created_at": _at(line.created_at),
        "finished_at": _at(line.finished_at),
        "cost": money_record(line.cost),
        "basis": line.basis,
        "failure": line.failure or None,
        "is_refused": line.is_refused,
        "harm_types": list(line.harm_types),
        "suffix": line.suffix or None,
        "is_under_way": line.is_under_way,
        "cost_so_far": None if line.so_far is None else money_record(line.so_far),
        "is_estimate": line.is_estimate,
    }


def _leftover(each: Leftover) -> Record:
    return {
        **_place(each.place),
        "id": each.id,
        "name": each.name,
        "since": _at(each.since),
        "bytes": each.bytes,
        "note": each.note or None,
    }


def _advice(advice: Advice) -> Record:
    return {
        "account": advice.account,
        "name": advice.name,
        "owner": advice.owner,
        "move": advice.move.value,
        "because": advice.because,
        "saving_per_month": None if advice.saving_per_month is None else money_record(advice.saving_per_month),
        "saving_until_deletion": _rest(advice.saving_until_deletion),
        "risk": advice.risk,
        "command": advice.command or None,
    }


def _bill_line(line: BillLine) -> Record:
    return {
        "value": line.value or None,
        "deployments": line.deployments,
        "jobs": line.jobs,
        "hosting": money_record(line.hosting),
        "training": money_record(line.training),
        "idle": money_record(line.idle),
        "unread": money_record(line.unread),
        "total": money_record(line.total),
    }


def _price(price: Price | Unknown) -> Record:
    """Its rate is not rounded: a price may have more than two decimals."""
    if isinstance(price, Unknown):
        unknown = {"rate_low": None, "rate_high": None, "per": None, "source": None, "as_of": None}
        return {**unknown, "is_estimate": None, "discount_percent": None, "unknown_because": price.because}
    return {
        "rate_low": float(price.rate.low),
        "rate_high": float(price.rate.high),
        "per": price.per.value,
        "source": price.source.value,
        "as_of": _at(price.as_of),
        "is_estimate": price.is_estimate,
        "discount_percent": float(price.discount_percent),
        "unknown_because": None,
    }


def _hours(span: timedelta) -> float:
    return round(span.total_seconds() / 3600, 4)
