"""What is idle costs on until Azure deletes it. Where no latest time of that can be named, only the least is known."""

from collections.abc import Collection

from watcher.costs.advice import Advice
from watcher.costs.idle import IdleMoney
from watcher.costs.money import Amount, Cost, Total
from watcher.report.statement import Statement

_OPEN = "when Azure deletes it at the latest is not known"
_UNDATED = "when Azure deletes it, if ever, is not known"


def rest(idle: IdleMoney) -> Cost | Total | None:
    """Of one; `None`: no rule is known to end it."""
    return _at_least(idle.until_deletion) if idle.until_deletion and idle.is_open else idle.until_deletion


def rest_of_all(statement: Statement) -> Total:
    """Of all together; also of those whose deletion no day can be named of, while their fee runs."""
    found = statement.idle_until_deletion
    undated = sum(isinstance(line.idle, IdleMoney) and line.idle.until_deletion is None for line in statement.hosted)
    for reason, count in ((_OPEN, len(open_ended(statement))), (_UNDATED, undated)):
        if count:
            found += Total(known=found.known * 0, parts=count, reasons=((reason, count),))
    return found


def rest_of_advised(advice: Advice, of_open_end: Collection[tuple[str, str]]) -> Cost | Total | None:
    """Of the one that a piece of advice is about; `None`: Azure will not delete it soon, as far as is known."""
    found = advice.saving_until_deletion
    is_open = isinstance(found, Amount) and (advice.account, advice.name) in of_open_end
    return _at_least(found) if is_open and isinstance(found, Amount) else found


def open_ended(statement: Statement) -> frozenset[tuple[str, str]]:
    """Account and name of those whose deletion no latest time can be named of."""
    return frozenset(
        (line.place.account, line.name)
        for line in statement.hosted
        if isinstance(line.idle, IdleMoney) and line.idle.is_open
    )


def _at_least(cost: Amount) -> Total:
    return Total(known=cost, parts=2, reasons=((_OPEN, 1),))
