"""A statement as one flat table: a row for each line of each section, which `section` names.

Money is rounded half even to cents. `low` and `high` are the same where it is known, both are empty where it is not,
and `high` alone is empty where only a part is known; then `unknown_because` says why. `measure` says what kind of money
it is. No text from outside is taken for a formula by a spreadsheet: an apostrophe stands before what would be.
"""

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping
from io import StringIO

from watcher.costs.advice import Move
from watcher.costs.idle import IdleMoney
from watcher.costs.money import Amount, Cost, Total, Unknown
from watcher.costs.uses import State
from watcher.report.render.outline import totals
from watcher.report.statement import HostedLine, Leftover, Place, Statement, TrainingLine
from watcher.report.wording import one_line, utc

COLUMNS = (
    *("section", "measure", "name", "account", "owner", "model", "sku", "state"),
    *("begin", "end", "calls", "low", "high", "currency", "unknown_because"),
    *("idle_low", "idle_high", "used_low", "used_high", "trickle_low", "trickle_high", "unread_low", "unread_high"),
    *(
        "idle_since",
        "deletion_earliest",
        "deletion_latest",
        "note",
        "command",
        "location",
        "labels",
        "id",
        "account_id",
    ),
)
_BEGINS_FORMULA = ("=", "+", "-", "@", "|", "%", "＝", "＋", "－", "＠")
_STATES = ((State.IDLE, "idle"), (State.USED, "used"), (State.TRICKLE, "trickle"), (State.UNKNOWN, "unread"))

Cells = Mapping[str, str]


def render(statement: Statement) -> str:
    """The table, its header first; lines end as RFC 4180 has it."""
    out = StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for make in _SECTIONS:
        for cells in make(statement):
            writer.writerow([cells.get(column, "") for column in COLUMNS])
    return out.getvalue()


def guarded(text: str, limit: int = 4000) -> str:
    """`text` on one line, with an apostrophe before it where a spreadsheet would take it for a formula."""
    line = one_line(text, limit)
    return f"'{line}" if line.startswith(_BEGINS_FORMULA) else line


def _money(cost: Cost | Total | None, low: str = "low", high: str = "high") -> dict[str, str]:
    match cost:
        case None:
            return {}
        case Unknown():
            return {"unknown_because": guarded(cost.because)} if low == "low" else {}
        case Total() if not cost.is_known:
            least = {} if cost.is_unknown else {low: str(cost.known.least)}
            return {**least, **({"unknown_because": guarded(cost.why)} if low == "low" else {})}
        case Total():
            cost = cost.known
    least_text = str(cost.least)
    return {low: least_text, high: least_text if cost.is_exact else str(cost.most)}


def _place(place: Place) -> dict[str, str]:
    return {
        "account": guarded(place.account),
        "owner": guarded(place.owner),
        "location": guarded(place.location),
        "labels": guarded("; ".join(f"{key}={value}" for key, value in sorted(place.labels.items()))),
        "account_id": guarded(place.account_id),
    }


def _totals(statement: Statement) -> Iterator[Cells]:
    bill, idle, saving = totals(statement)
    sums = {
        "bill": bill,
        "idle": idle,
        "saving_per_month": saving,
        "hosting": statement.hosting,
        "training": statement.training,
        "trickle": statement.trickle,
        "unread": statement.unread,
        "idle_until_deletion": statement.idle_until_deletion,
        "saved": statement.saved,
    }
    for measure, cost in sums.items():
        yield {
            "section": "total",
            "measure": measure,
            "begin": utc(statement.period.begin),
            "end": utc(statement.period.end),
            "currency": statement.currency,
            "note": guarded(statement.price_words),
            **_money(cost),
        }


def _unseen(statement: Statement) -> Iterator[Cells]:
    for said in statement.unseen:
        yield {"section": "unseen", "note": guarded(said)}


def _advice(statement: Statement) -> Iterator[Cells]:
    for each in statement.advice:
        yield {
            "section": "exception_advice" if each.move is Move.KEEP else "recommendation",
            "measure": "saving_per_month" if each.saving_per_month is not None else "",
            "name": guarded(each.name),
            "account": guarded(each.account),
            "owner": guarded(each.owner),
            "state": each.move.value,
            "currency": statement.currency,
            "note": guarded(f"{each.because}. Risk: {each.risk}"),
            "command": guarded(" && ".join(each.command.splitlines())),
            **_money(each.saving_per_month),
        }


def _hosting(statement: Statement) -> Iterator[Cells]:
    for line in statement.hosted:
        yield {
            "section": "hosting",
            "measure": "cost",
            **_place(line.place),
            "id": guarded(line.id),
            "name": guarded(line.name),
            "model": guarded(line.model),
            "sku": guarded(line.sku),
            "state": "ended" if line.end else line.state.value,
            "begin": utc(line.begin),
            "end": utc(line.end[1]) if line.end else "",
            "calls": "" if line.calls is None else f"{line.calls:.0f}",
            "currency": statement.currency,
            **_money(line.cost),
            **_by_state(line),
            "idle_since": utc(line.idle_since[0]) if line.idle_since else "",
            "deletion_earliest": utc(line.deletion[0]) if line.deletion else "",
            "deletion_latest": utc(line.deletion[1]) if line.deletion and line.deletion[1] else "",
            "note": guarded(" ".join((*line.remarks, *_obstacle(line)))),
            "command": guarded(line.recipe.command) if line.end and line.recipe else "",
        }


def _obstacle(line: HostedLine) -> tuple[str, ...]:
    """What is in the way of the command that makes it again."""
    return (line.recipe.obstacle,) if line.end and line.recipe and line.recipe.obstacle else ()


def _by_state(line: HostedLine) -> dict[str, str]:
    """What it cost in each use; both bounds are 0.00 where no time was spent in it."""
    found: dict[str, str] = {}
    for state, name in _STATES:
        cost = line.by_state.get(state)
        low, high = f"{name}_low", f"{name}_high"
        found |= {low: "0.00", high: "0.00"} if cost is None else _money(cost, low, high)
    return found


def _idle(statement: Statement) -> Iterator[Cells]:
    """What idleness has cost since the last call, which may lie before the period, and will cost."""
    for line in statement.idle_lines():
        names = {"section": "idle", **_place(line.place), "name": guarded(line.name), "currency": statement.currency}
        idle = line.idle
        yield {**names, "measure": "idle_cost", **_money(idle.so_far if isinstance(idle, IdleMoney) else idle)}
        if isinstance(idle, IdleMoney) and idle.until_deletion is not None:
            yield {**names, "measure": "cost_until_deletion", **_money(idle.rest)}


def _trickle(statement: Statement) -> Iterator[Cells]:
    for line in statement.trickle_lines():
        yield {
            "section": "trickle",
            "measure": "cost_per_call",
            **_place(line.place),
            "name": guarded(line.name),
            "calls": "" if line.trickle_calls is None else f"{line.trickle_calls:.0f}",
            "currency": statement.currency,
            **_money(line.cost_per_call),
        }


def _superseded(statement: Statement) -> Iterator[Cells]:
    for line in statement.superseded_lines():
        note = guarded(f"newer: {line.successor}")
        yield {"section": "superseded", **_place(line.place), "name": guarded(line.name), "note": note}


def _training(statement: Statement) -> Iterator[Cells]:
    for line in statement.trained:
        yield {
            "section": "training",
            "measure": "cost",
            **_place(line.place),
            "id": guarded(line.job),
            "name": guarded(line.job),
            "model": guarded(line.model),
            "state": guarded(line.status),
            "begin": utc(line.created_at) if line.created_at else "",
            "end": utc(line.finished_at) if line.finished_at else "",
            "currency": statement.currency,
            **_money(line.cost),
            "note": guarded(_training_note(line)),
        }


def _training_note(line: TrainingLine) -> str:
    harms = f"; refused for {', '.join(line.harm_types) or 'harm that is not named'}" if line.is_refused else ""
    failure = f"; {line.failure}" if line.failure else ""
    return f"{line.basis}{harms}{failure}"


def _leftovers(statement: Statement) -> Iterator[Cells]:
    for section, lines in (("undeployed_model", statement.undeployed), ("orphaned_file", statement.orphans)):
        yield from (_leftover(section, each) for each in lines)


def _leftover(section: str, each: Leftover) -> Cells:
    return {
        "section": section,
        **_place(each.place),
        "id": guarded(each.id),
        "name": guarded(each.name),
        "begin": utc(each.since) if each.since else "",
        "note": guarded(each.note if each.bytes is None else f"{each.bytes} bytes. {each.note}".rstrip(" .")),
    }


def _bills(statement: Statement) -> Iterator[Cells]:
    for bill in statement.bills:
        for line in bill.lines:
            parts = {
                "hosting": line.hosting,
                "training": line.training,
                "idle": line.idle,
                "unread": line.unread,
                "total": line.total,
            }
            for measure, cost in parts.items():
                yield {
                    "section": f"bill_by_{guarded(bill.by)}",
                    "measure": measure,
                    "name": guarded(line.value),
                    "currency": statement.currency,
                    **_money(cost),
                }


def _days(statement: Statement) -> Iterator[Cells]:
    for day in statement.days:
        for state, cost in sorted(day.costs.items()):
            at = {"begin": day.day.isoformat(), "end": day.day.isoformat()}
            yield {"section": "day", "measure": state.value, **at, "currency": statement.currency, **_money(cost)}


def _dates(statement: Statement) -> Iterator[Cells]:
    for date in statement.dates:
        yield {
            "section": "calendar",
            "measure": date.kind.value,
            "name": guarded(date.title),
            "account": guarded(date.account),
            "owner": guarded(date.owner),
            "begin": utc(date.at),
            "end": utc(date.latest) if date.latest else "",
            "note": guarded(date.text),
            "id": guarded(date.uid),
        }


def _exceptions(statement: Statement) -> Iterator[Cells]:
    for each in statement.exceptions:
        by = f" (by {each.by})" if each.by else ""
        yield {
            "section": "exception",
            **_place(each.place),
            "name": guarded(each.name),
            "state": "over" if each.is_over else "kept",
            "end": utc(each.until),
            "note": guarded(f"{each.reason}{by}"),
        }


def _realised(statement: Statement) -> Iterator[Cells]:
    for each in statement.realised:
        yield {
            "section": "saved",
            "measure": "saving",
            "name": guarded(each.name),
            "account": guarded(each.account),
            "owner": guarded(each.owner),
            "end": utc(each.ended_at),
            "currency": statement.currency,
            "note": guarded(f"deleted by {each.by}" if each.by else ""),
            **_money(each.saving),
        }


def _actuals(statement: Statement) -> Iterator[Cells]:
    for each in statement.actuals:
        note = guarded(each.note)
        common = {"section": "billed_by_azure", "account": guarded(each.account), "currency": statement.currency}
        yield {**common, "measure": "estimate", "note": note, **_money(each.estimate)}
        yield {**common, "measure": "actual", "note": note, **_money(each.actual)}


def _prices(statement: Statement) -> Iterator[Cells]:
    for used in statement.prices:
        price = used.price
        yield {
            "section": "price",
            "measure": "" if isinstance(price, Unknown) else f"per {price.per.value}",
            "name": guarded(used.what),
            "state": "stale" if used.is_stale else "",
            "currency": statement.currency,
            "note": guarded(used.origin),
            **_rate(price if isinstance(price, Unknown) else price.rate),
        }


def _rate(rate: Amount | Unknown) -> dict[str, str]:
    """Not rounded: a price may have more than two decimals."""
    if isinstance(rate, Unknown):
        return _money(rate)
    return {"low": f"{float(rate.low):.10g}", "high": f"{float(rate.high):.10g}"}


def _assumptions(statement: Statement) -> Iterator[Cells]:
    for said in statement.remarks:
        yield {"section": "assumption", "note": guarded(said)}


_SECTIONS: tuple[Callable[[Statement], Iterable[Cells]], ...] = (
    *(_totals, _unseen, _advice, _hosting, _idle, _trickle, _superseded, _training, _leftovers, _bills, _days),
    *(_dates, _exceptions, _realised, _actuals, _prices, _assumptions),
)
