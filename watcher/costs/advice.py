"""What to do about a deployment: delete it, make it a Developer one, leave it to its successor, ask, or keep it.

Advice rests on what is known alone. One deployment gets one piece of advice, the one that saves most; what somebody
wants kept gets none, and is listed as an exception with its reason and its end. What surely saves something comes
first. What only its owner can decide comes after all else and saves nothing for sure: whether a few calls are worth a
fee, and whether they are tests, for which a Developer deployment would do.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

import msgspec

from watcher.costs.idle import MONTH, IdleMoney
from watcher.costs.money import Amount, Cost, Total, Unknown, money
from watcher.costs.prices import Price


class Move(StrEnum):
    """What to do."""

    DELETE = "delete"  #: nobody calls it
    CONSOLIDATE = "consolidate"  #: a newer model of its line could serve in its place
    ASK = "ask"  #: it is called so seldom that only its owner can know what for, and no trial deployment would do
    DEVELOPER = "developer"  #: it is called so seldom that a trial deployment would do, if it serves tests only
    KEEP = "keep"  #: somebody wants it, or nothing is known against it


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """That somebody wants a deployment kept."""

    until: datetime
    by: str = ""
    reason: str = ""


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one deployment, and the exact commands for what could be done about it."""

    account: str
    name: str
    owner: str = ""
    price: Price | Unknown
    idle: IdleMoney | Unknown | None = None  #: `None`: it is called, or nobody knows
    calls: float | None = None  #: answered ones in the report's period; `None`: that is not known
    #: Until when its calls were read, where that is too long ago to tell of the present; `None`: it is not.
    called_until: datetime | None = None
    ends_uncalled: bool = False  #: Azure deletes it by itself without calls, on a day that may not be known
    is_wasting: bool = False  #: uncalled for longer than allowed, by metrics that were read
    trickle_calls: float | None = None  #: answered calls in the last window; `None`: that is no trickle, or not known
    trickle_days: int = 0  #: how long that window is
    successor: str = ""  #: `v2 in contoso-west`, where a newer model of the line is deployed
    is_successor_called: bool | None = None
    is_provisioned: bool = False  #: billed by what is reserved for it
    is_paused: bool = False
    wish: Wish | None = None
    delete: str  #: command
    developer: str  #: command; "" where a Developer deployment can be no choice


class Advice(msgspec.Struct, frozen=True, kw_only=True):
    """One piece of advice."""

    account: str
    name: str
    owner: str
    move: Move
    because: str
    #: In the coming month: of an idle one until Azure deletes it by itself, which may be at once where that is overdue;
    #: `None`: it is kept, or is called.
    saving_per_month: Cost | None
    saving_until_deletion: Cost | Total | None  #: `None`: Azure will not delete it by itself soon, as far as is known
    risk: str
    command: str  #: "" where there is nothing to do


_MODEL_STAYS = "The model stays and can be deployed again with the recipe that “watcher explain ACCOUNT/NAME” prints."
_DELETE_RISK = f"Calls that still come would fail from then on. {_MODEL_STAYS}"
_PAUSED = "this deployment is paused and refuses calls, and that its fee is charged all the same is assumed"
_PAUSED_RISK = f"Calls are refused already, as it is paused. {_MODEL_STAYS}"
_ASK_RISK = f"Asking has none. Once it is deleted, calls that still come fail. {_MODEL_STAYS}"
_DEVELOPER_RISK = (
    "A Developer deployment is deleted 24 h after its creation, called or not; it has no service level and may process "
    "data in any region, and its tokens are billed all the same. The deployment must be deleted first, and calls fail "
    "until the new one stands."
)


def advise(case: Case, now: datetime) -> Advice | None:
    """What to do about one; `None` where nothing speaks for any change, or too little is known."""
    if case.wish is not None and now < case.wish.until:
        return _keep(case, case.wish)
    monthly: Cost = case.price if isinstance(case.price, Unknown) else case.price.over(MONTH)
    if isinstance(monthly, Amount) and monthly.is_zero:
        return None  # it costs nothing to let it be
    if case.is_wasting:
        risk = _PAUSED_RISK if case.is_paused else _DELETE_RISK
        return _advice(case, Move.DELETE, _uncalled(case), monthly, risk, case.delete, until=True)
    if case.successor:
        risk = (
            _DELETE_RISK
            if case.is_successor_called
            else f"Nobody is known to call {case.successor} yet. {_DELETE_RISK}"
        )
        because = f"a newer model of its line is deployed as {case.successor}"
        if case.calls != 0:
            # It serves somebody, or may: nothing is saved before its callers have moved.
            because = f"{because}, but {_use(case.calls)}: move its callers there first"
            return _advice(case, Move.CONSOLIDATE, because, None, risk, "")
        return _advice(case, Move.CONSOLIDATE, because, monthly, risk, case.delete)
    if case.trickle_calls is None:
        return None
    seldom = f"it had {case.trickle_calls:g} {'call' if case.trickle_calls == 1 else 'calls'} in {case.trickle_days} d"
    if case.developer:
        because = f"{seldom}: a choice if it serves tests only"
        command = f"{case.delete}\n{case.developer}"
        return _advice(case, Move.DEVELOPER, because, _at_most(monthly), _DEVELOPER_RISK, command)
    if case.is_provisioned:
        because = f"{seldom}, and {_fee(monthly)}: whether they are worth that only its owner knows"
        return _advice(case, Move.ASK, because, None, _ASK_RISK, "")
    return None


def _fee(monthly: Cost) -> str:
    if isinstance(monthly, Unknown):
        return "its fee runs by the hour all the same"
    most = "" if monthly.least == monthly.most else f" to {monthly.most:,}"
    return f"its fee comes to {monthly.least:,}{most} {monthly.currency} a month"


def _uncalled(case: Case) -> str:
    because = "nobody calls it"
    if case.called_until is not None:
        because = f"nobody called it as far as its calls were read, which is until {_moment(case.called_until)}"
    idle = case.idle if isinstance(case.idle, IdleMoney) else None
    if idle is not None and idle.is_assumed:
        late = ", and it stands though its time is over" if idle.is_overdue else ""
        return f"{because}; whether Azure deletes one of its SKU by itself is not documented{late}"
    if idle is not None and idle.is_overdue:
        return f"{because}; Azure's own deletion of it is overdue: it may come at any moment, or the fee goes on"
    return because


def _moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _use(calls: float | None) -> str:
    if calls is None:
        return "how often it is called is not known"
    return f"it had {calls:,.10g} {'call' if calls == 1 else 'calls'} in this period"


def advise_all(cases: Iterable[Case], now: datetime) -> tuple[Advice, ...]:
    """All advice, what surely saves most first, then what may save most; after that questions, then what is for tests
    only, exceptions last. The order of the cases is of no account."""
    found = [(advice, case.price) for case in cases if (advice := advise(case, now)) is not None]
    return tuple(advice for advice, _ in sorted(found, key=lambda each: _rank(*each)))


_LATE_MOVES = {Move.ASK: 1, Move.DEVELOPER: 2, Move.KEEP: 3}


def _rank(advice: Advice, price: Price | Unknown) -> tuple[int, tuple[float, float], str, str]:
    saving = advice.saving_per_month
    if isinstance(saving, Amount):
        worth = -float(saving.low), -float(saving.high)
    else:  # after all that saves something, however little: the dearest first
        worth = 1.0, 1.0 if isinstance(price, Unknown) else -float(price.rate.high)
    return _LATE_MOVES.get(advice.move, 0), worth, advice.account, advice.name


def _advice(
    case: Case, move: Move, because: str, monthly: Cost | None, risk: str, command: str, *, until: bool = False
) -> Advice:
    idle = case.idle if until and isinstance(case.idle, IdleMoney) else None
    saving = _before_deletion(case, idle, monthly) if until else monthly
    if case.is_paused and saving is not None:
        saving = _at_most(saving)
    return Advice(
        account=case.account,
        name=case.name,
        owner=case.owner,
        move=move,
        because=f"{because}; {_PAUSED}" if case.is_paused else because,
        saving_per_month=saving,
        saving_until_deletion=None if idle is None else idle.rest,
        risk=risk,
        command=command,
    )


def _before_deletion(case: Case, idle: IdleMoney | None, monthly: Cost | None) -> Cost | None:
    """What an idle one would cost in a month: Azure may delete it by itself meanwhile, and end its fee."""
    if not case.ends_uncalled or not isinstance(monthly, Amount):
        return monthly
    rest = None if idle is None else idle.until_deletion
    if idle is None or rest is None:  # its latest calls were not read: no day can be named
        return _at_most(monthly)
    high = min(rest.high, monthly.high) if idle.is_bounded else monthly.high
    return Amount(low=min(rest.low, monthly.low), high=high, currency=monthly.currency)


def _at_most(cost: Cost) -> Cost:
    """It, or anything less: what may be saved, and may not."""
    return cost if isinstance(cost, Unknown) else money(0, cost.currency, high=cost.high)


def _keep(case: Case, wish: Wish) -> Advice:
    """An exception, so that nobody wonders why nothing is advised."""
    whose = f" by {wish.by}" if wish.by else ""
    why = f": {wish.reason}" if wish.reason else ""
    return Advice(
        account=case.account,
        name=case.name,
        owner=case.owner,
        move=Move.KEEP,
        because=f"kept{whose} until {wish.until:%Y-%m-%d}{why}",
        saving_per_month=None,
        saving_until_deletion=None,
        risk="Azure knows of no such wish: without calls it is deleted all the same.",
        command="",
    )
