"""Statements and their lines, with sane defaults: one week of one account. Any field may be given otherwise."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from tests.factories import DAY, HOUR, MODEL, NOW, make_account, make_deployment
from watcher.costs.advice import Advice, Move
from watcher.costs.hosting import Period
from watcher.costs.idle import IdleMoney
from watcher.costs.money import Amount, Cost, Number, Total, Unknown, money, nothing, total
from watcher.costs.prices import Per, Price, Source
from watcher.costs.recipe import recipe
from watcher.costs.uses import State
from watcher.report.bills import until_deletion
from watcher.report.statement import (
    Actual,
    Bill,
    BillLine,
    Date,
    DateKind,
    DayOfCost,
    DayOfUse,
    Edition,
    Exemption,
    HostedLine,
    Leftover,
    Place,
    PriceUsed,
    Realised,
    Statement,
    TrainingLine,
)

CURRENCY = "USD"
#: Seven whole days to midnight of the day of `NOW`, in UTC.
END = NOW.replace(hour=0)
WEEK = Period(begin=END - 7 * DAY, end=END)
FIRST_DAY = WEEK.begin.date()

UNKNOWN = Unknown(because="its price is not known")


def usd(low: Number, high: Number | None = None) -> Amount:
    return money(low, CURRENCY, high=high)


def sum_of(*costs: Cost) -> Total:
    return total(costs, CURRENCY)


def make_price(rate: Number = Decimal("1.70"), *, high: Number | None = None, **changes: Any) -> Price:
    """By the hour, from the list of two days before."""
    defaults: dict[str, Any] = {
        "per": Per.HOUR,
        "rate": usd(rate, high),
        "source": Source.RETAIL,
        "as_of": NOW - 2 * DAY,
    }
    return Price(**{**defaults, **changes})


def make_place(account: str = "contoso-ft", **changes: Any) -> Place:
    defaults: dict[str, Any] = {
        "account": account,
        "account_id": make_account(account).id,
        "location": "swedencentral",
        "owner": "search-team",
        "labels": {"environment": "production", "cost-center": "4711"},
    }
    return Place(**{**defaults, **changes})


def make_days(**states: Sequence[Number]) -> tuple[DayOfUse, ...]:
    """A week; of each state its cost by day, in dollars, 0 where it did not occur: `used=[1, 2, 3, 0, 0, 0, 0]`."""
    length = max(map(len, states.values()), default=0)
    return tuple(
        DayOfUse(
            day=FIRST_DAY + timedelta(days=number),
            calls=12.0 if _at(states.get("used", ()), number) else 0.0,
            costs={State(name): usd(_at(by_day, number)) for name, by_day in states.items() if _at(by_day, number)},
        )
        for number in range(length)
    )


def _at(by_day: Sequence[Number], number: int) -> Number:
    return by_day[number] if number < len(by_day) else 0


def make_hosted(name: str = "support-bot", **changes: Any) -> HostedLine:
    """Standard, called on three days and idle on four: 168 h at 1.70 USD."""
    place: Place = changes.get("place", make_place())
    day = Decimal("40.80")
    defaults: dict[str, Any] = {
        "place": place,
        "id": f"{place.account_id}/deployments/{name}",
        "name": name,
        "model": MODEL,
        "base": "gpt-4o-mini-2024-07-18",
        "sku": "Standard",
        "capacity": 50,
        "begin": NOW - 30 * DAY,
        "stood": (7 * DAY, 7 * DAY),
        "price": make_price(),
        "cost": usd(7 * day),
        "by_state": {State.USED: usd(3 * day), State.IDLE: usd(4 * day)},
        "calls": 36.0,
        "last_call_at": WEEK.begin + 3 * DAY - HOUR,
        "state": State.IDLE,
        "idle_since": (WEEK.begin + 3 * DAY - HOUR, WEEK.begin + 3 * DAY),
        "idle": IdleMoney(so_far=usd(4 * day), per_day=usd(day), until_deletion=usd(11 * day)),
        "deletion": (WEEK.begin + 18 * DAY - HOUR, WEEK.begin + 18 * DAY),
        "deletion_why": "15 d without a call",
        "days": make_days(used=[day] * 3, idle=[0] * 3 + [day] * 4),
        "recipe": recipe(make_deployment(name, account=make_account(place.account))),
    }
    return HostedLine(**{**defaults, **changes})


def make_busy(name: str = "search-v3", **changes: Any) -> HostedLine:
    """Called every day."""
    day = Decimal("40.80")
    defaults: dict[str, Any] = {
        "by_state": {State.USED: usd(7 * day)},
        "calls": 84_000.0,
        "last_call_at": WEEK.end - HOUR,
        "state": State.USED,
        "idle_since": None,
        "idle": None,
        "days": make_days(used=[day] * 7),
    }
    return make_hosted(name, **{**defaults, **changes})


def make_trickle(name: str = "probe-only", **changes: Any) -> HostedLine:
    """Kept alive by one call a day."""
    day = Decimal("40.80")
    defaults: dict[str, Any] = {
        "by_state": {State.TRICKLE: usd(7 * day)},
        "calls": 7.0,
        "last_call_at": WEEK.end - HOUR,
        "state": State.TRICKLE,
        "idle_since": None,
        "idle": None,
        "trickle_calls": 15.0,
        "cost_per_call": usd(day),
        "days": make_days(trickle=[day] * 7),
    }
    return make_hosted(name, **{**defaults, **changes})


def make_unread(name: str = "behind-a-firewall", **changes: Any) -> HostedLine:
    """Its metrics were not read: what use was made of it, nobody knows."""
    day = Decimal("40.80")
    defaults: dict[str, Any] = {
        "by_state": {State.UNKNOWN: usd(7 * day)},
        "calls": None,
        "last_call_at": None,
        "state": State.UNKNOWN,
        "idle_since": None,
        "idle": None,
        "deletion": None,
        "deletion_why": "",
        "days": make_days(unknown=[day] * 7),
        "remarks": ("Its calls were not read in all of the period.",),
    }
    return make_hosted(name, **{**defaults, **changes})


def make_ended(name: str = "old-bot", **changes: Any) -> HostedLine:
    """Seen to be gone on the third day: its cost is an interval."""
    seen = WEEK.begin + 2 * DAY
    defaults: dict[str, Any] = {
        "end": (seen - HOUR, seen),
        "ended_by": "deleted by ana@contoso.com",
        "stood": (2 * DAY - HOUR, 2 * DAY),
        "cost": usd(Decimal("79.90"), Decimal("81.60")),
        "by_state": {State.IDLE: usd(Decimal("79.90"), Decimal("81.60"))},
        "calls": 0.0,
        "idle_since": None,
        "idle": None,
        "deletion": None,
        "deletion_why": "",
        "days": make_days(idle=[Decimal("40.80"), Decimal("40.80")]),
        "remarks": ("When it ended is known only to lie between two sights; so its cost is an interval.",),
    }
    return make_hosted(name, **{**defaults, **changes})


def make_trained(job: str = "ftjob-1", **changes: Any) -> TrainingLine:
    defaults: dict[str, Any] = {
        "place": make_place(),
        "job": job,
        "model": "gpt-4.1-2025-04-14",
        "made": MODEL,
        "method": "supervised",
        "training_type": "globalStandard",
        "status": "succeeded",
        "created_at": WEEK.begin + DAY,
        "finished_at": WEEK.begin + 2 * DAY,
        "cost": usd(Decimal("10.40")),
        "basis": "5,200,000 tokens billed, by the job's own log",
    }
    return TrainingLine(**{**defaults, **changes})


def make_refused(job: str = "ftjob-2", **changes: Any) -> TrainingLine:
    defaults: dict[str, Any] = {
        "made": "",
        "status": "failed",
        "cost": nothing(CURRENCY),
        "basis": "jobs that fail, and those that the RAI checks refuse, are not billed",
        "failure": "The training data contains content that is not allowed.",
        "is_refused": True,
        "harm_types": ("hate_fairness", "violence"),
    }
    return make_trained(job, **{**defaults, **changes})


def make_leftover(id: str = "file-1", **changes: Any) -> Leftover:
    defaults: dict[str, Any] = {
        "place": make_place(),
        "id": id,
        "name": f"{id}.jsonl",
        "since": NOW - 60 * DAY,
        "bytes": 1_000_000,
    }
    return Leftover(**{**defaults, **changes})


def make_date(uid: str = "deletion-1@watcher", **changes: Any) -> Date:
    defaults: dict[str, Any] = {
        "uid": uid,
        "kind": DateKind.DELETION,
        "at": NOW + 4 * DAY,
        "latest": NOW + 5 * DAY,
        "is_certain": False,
        "title": "contoso-ft/support-bot may be deleted",
        "text": "15 d without a call. Call it, or keep its recipe.",
        "account": "contoso-ft",
        "owner": "search-team",
    }
    return Date(**{**defaults, **changes})


def make_exemption(name: str = "gold", **changes: Any) -> Exemption:
    defaults: dict[str, Any] = {
        "place": make_place(),
        "name": name,
        "until": NOW + 30 * DAY,
        "by": "ana",
        "reason": "launch in December",
    }
    return Exemption(**{**defaults, **changes})


def make_advice(name: str = "support-bot", **changes: Any) -> Advice:
    defaults: dict[str, Any] = {
        "account": "contoso-ft",
        "name": name,
        "owner": "search-team",
        "move": Move.DELETE,
        "because": "nobody calls it",
        "saving_per_month": usd(1224),
        "saving_until_deletion": usd(Decimal("448.80")),
        "risk": "Calls that still come would fail from then on.",
        "command": f"az cognitiveservices account deployment delete -g rg-ml -n contoso-ft --deployment-name {name}",
    }
    return Advice(**{**defaults, **changes})


def make_bill_line(value: str = "contoso-ft", **changes: Any) -> BillLine:
    defaults: dict[str, Any] = {
        "value": value,
        "hosting": sum_of(usd(Decimal("285.60"))),
        "training": sum_of(usd(Decimal("10.40"))),
        "idle": sum_of(usd(Decimal("163.20"))),
        "unread": sum_of(),
        "deployments": 1,
        "jobs": 1,
    }
    return BillLine(**{**defaults, **changes})


def make_price_used(**changes: Any) -> PriceUsed:
    price = changes.get("price", make_price())
    defaults: dict[str, Any] = {
        "what": "hosting, Standard, gpt-4o-mini",
        "price": price,
        "origin": price.because if isinstance(price, Unknown) else price.origin(NOW),
        "uses": 1,
    }
    return PriceUsed(**{**defaults, **changes})


def make_realised(name: str = "old-bot", **changes: Any) -> Realised:
    defaults: dict[str, Any] = {
        "account": "contoso-ft",
        "name": name,
        "owner": "search-team",
        "ended_at": WEEK.begin + 2 * DAY,
        "by": "ana@contoso.com",
        "saving": usd(Decimal("326.40")),
    }
    return Realised(**{**defaults, **changes})


def make_actual(account: str = "contoso-ft", **changes: Any) -> Actual:
    defaults: dict[str, Any] = {
        "account": account,
        "days": 5,
        "estimate": sum_of(usd(204)),
        "actual": usd(Decimal("199.92")),
        "drift_percent": -2.0,
    }
    return Actual(**{**defaults, **changes})


def make_statement(
    hosted: Sequence[HostedLine] | None = None, trained: Sequence[TrainingLine] | None = None, **changes: Any
) -> Statement:
    """Of one account with an idle and a busy deployment, a job and a refused one; totals, days and the bill by account
    are the sums of the lines that are given."""
    hosted = (make_hosted(), make_busy()) if hosted is None else tuple(hosted)
    trained = (make_trained(), make_refused()) if trained is None else tuple(trained)
    places = sorted({line.place.account for line in (*hosted, *trained)})
    defaults: dict[str, Any] = {
        "watcher": "prod",
        "edition": Edition(),
        "period": WEEK,
        "period_name": "7d",
        "zone": "Europe/Berlin",
        "as_of": NOW,
        "currency": CURRENCY,
        "price_words": "list price, not an invoice",
        "accounts": len(places),
        "accounts_seen": len(places),
        "hosting": sum_of(*(line.cost for line in hosted)),
        "training": sum_of(*(line.cost for line in trained)),
        "idle": _in_state(hosted, State.IDLE),
        "trickle": _in_state(hosted, State.TRICKLE),
        "unread": _in_state(hosted, State.UNKNOWN),
        "saving_per_month": sum_of(usd(1224)),
        "idle_until_deletion": until_deletion(hosted, CURRENCY),
        "bills": (
            Bill(
                by="account",
                lines=tuple(
                    _bill_line(
                        place,
                        [line for line in hosted if line.place.account == place],
                        [line for line in trained if line.place.account == place],
                    )
                    for place in places
                ),
            ),
        ),
        "hosted": hosted,
        "trained": trained,
        "undeployed": (make_leftover(MODEL, name="support", bytes=None),),
        "orphans": (make_leftover(),),
        "dates": (make_date(),),
        "exceptions": (make_exemption(),),
        "advice": (make_advice(),),
        "saved": sum_of(usd(Decimal("326.40"))),
        "realised": (make_realised(),),
        "days": tuple(_days_of_cost(hosted)),
        "prices": (make_price_used(),),
    }
    return Statement(**{**defaults, **changes})


def make_quiet(**changes: Any) -> Statement:
    """All was seen, and there is nothing to act upon."""
    return make_statement(
        (make_busy(),),
        (),
        **{
            "saving_per_month": sum_of(),
            "undeployed": (),
            "orphans": (),
            "dates": (),
            "exceptions": (),
            "advice": (),
            "saved": sum_of(),
            "realised": (),
            **changes,
        },
    )


def _in_state(hosted: Sequence[HostedLine], state: State) -> Total:
    return sum_of(*(line.by_state[state] for line in hosted if state in line.by_state))


def _bill_line(value: str, hosted: Sequence[HostedLine], trained: Sequence[TrainingLine]) -> BillLine:
    return BillLine(
        value=value,
        hosting=sum_of(*(line.cost for line in hosted)),
        training=sum_of(*(line.cost for line in trained)),
        idle=_in_state(hosted, State.IDLE),
        unread=_in_state(hosted, State.UNKNOWN),
        deployments=len(hosted),
        jobs=len(trained),
    )


def _days_of_cost(hosted: Sequence[HostedLine]) -> list[DayOfCost]:
    by_day: dict[date, dict[State, list[Cost]]] = {}
    for line in hosted:
        for one in line.days:
            for state, cost in one.costs.items():
                by_day.setdefault(one.day, {}).setdefault(state, []).append(cost)
    return [
        DayOfCost(day=day, costs={state: sum_of(*costs) for state, costs in states.items()})
        for day, states in sorted(by_day.items())
    ]


def at(day: int, hour: int = 0) -> datetime:
    """A time of the week, by the number of its day."""
    return WEEK.begin + day * DAY + hour * HOUR
