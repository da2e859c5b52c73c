"""Inventory: what exists over all accounts, and the alerts about it. Nobody is paged for these at once.

Where nothing has changed since the last one it is not taken again, except once a day: age alone makes a leftover.
"""

import hashlib
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection

from watcher.alerts.alert import Alert
from watcher.clock import Clock
from watcher.cycles.judgement import Judgement, advance_stored
from watcher.resources.account import Account
from watcher.resources.changes import Change, ResourceKind
from watcher.resources.lineage import Inventory
from watcher.resources.model import Retirement
from watcher.rules.budgets import TrainingBudgets, month_over
from watcher.rules.finding import Cleared, Subject
from watcher.rules.rule import Evaluation, deployment_subject, evaluate_inventory
from watcher.rules.text import moment
from watcher.store import alerts, history, inventory, listings, retirements, scope, state
from watcher.store.engine import Store

log = structlog.get_logger()

#: How often the regions' catalogues are read.
_RETIREMENTS_EVERY = timedelta(days=1)

#: Reads when base models retire in the regions of some accounts; returns with it the regions that answered.
FindRetirements = Callable[[Sequence[Account]], Awaitable[tuple[Sequence[Retirement], frozenset[str]]]]


async def take_inventory(
    find: FindRetirements, *, judgement: Judgement, store: Store, clock: Clock
) -> tuple[Alert, ...]:
    """Judge what exists over all accounts, from stored state and the regions' catalogues. Safe to repeat."""
    if not judgement.inventory_rules:
        return ()
    await _read_retirements(find, store, clock)
    now = clock()
    seen = await store.read(_evaluate, judgement, now)  # takes a while with many accounts: the writer goes on meanwhile
    if seen is None:
        return ()
    changed = await store.write(_save, *seen, judgement, now)
    log.info("inventory.completed", alerts=len(changed))
    return changed


async def _read_retirements(find: FindRetirements, store: Store, clock: Clock) -> None:
    read_at = await store.read(state.at, state.RETIREMENTS)
    if read_at is not None and timedelta() <= clock() - read_at < _RETIREMENTS_EVERY:
        return
    due = await store.read(scope.due_accounts)
    found, regions = await find([one.account for one in due])
    unread = {one.account.location.lower().replace(" ", "") for one in due} - regions
    if unread:
        log.info("retirements.unread", regions=sorted(unread))
    if regions:
        await store.write(_save_retirements, found, regions, clock())


def _save_retirements(tx: Connection, found: Sequence[Retirement], regions: frozenset[str], now: datetime) -> None:
    retirements.save(tx, found, regions=regions, now=now)
    state.put(tx, state.RETIREMENTS, at=now)


def inventory_now(tx: Connection, judgement: Judgement, now: datetime) -> tuple[Alert, ...]:
    """`take_inventory` inside a transaction, without reading any catalogue."""
    seen = _evaluate(tx, judgement, now)
    return () if seen is None else _save(tx, *seen, judgement, now)


def _evaluate(tx: Connection, judgement: Judgement, now: datetime) -> tuple[Evaluation, str] | None:
    """What the rules say, with the word for what they said it of; `None`: of the same as the last time."""
    inputs = (judgement.inventory_rules, judgement.owner_tag, judgement.tariff.currency)
    rules = hashlib.sha256(repr(inputs).encode()).hexdigest()[:12]
    mark = f"{now:%Y-%m-%d} {rules} {inventory.mark(tx)}"
    if mark == state.value(tx, state.INVENTORY):
        return None
    found = inventory.load(tx, now=now, owner_tag=judgement.owner_tag)
    found = replace(found, retail=judgement.tariff.of(tx))
    evaluation = evaluate_inventory(judgement.inventory_rules, found)
    vanished = tuple(_vanished(tx, found, evaluation))
    return replace(evaluation, cleared=(*vanished, *evaluation.cleared)), mark


def _vanished(tx: Connection, found: Inventory, evaluation: Evaluation) -> Iterator[Cleared]:
    """What the rules are silent about since it is no longer there: its alerts end, and say what became of it."""
    answered: set[tuple[str, Subject | None]] = {(one.rule, one.subject) for one in evaluation.findings}
    answered |= {(one.rule, one.subject) for one in evaluation.undecided}
    accounts = {holding.account.key for holding in found.holdings}
    living = {deployment_subject(one) for holding in found.holdings for one in holding.deployments or ()}
    for alert in alerts.firing(tx, ""):
        rule, subject = alert.finding.rule, alert.finding.subject
        if rule not in evaluation.rules or (rule, subject) in answered:
            continue
        because = month_over(alert.finding, found.now) if rule == TrainingBudgets.name else ""
        account = subject.id.lower().partition("/deployments/")[0]
        if because or subject.kind not in _HELD:
            pass
        elif account not in accounts:
            because = _left(tx, account)
        elif subject.kind is ResourceKind.DEPLOYMENT and subject not in living:
            because = _ended(tx, subject)
        if because:
            yield Cleared(rule=rule, subject=subject, because=because)


#: What lies in an account.
_HELD = frozenset(ResourceKind) - {ResourceKind.REGION, ResourceKind.CREDENTIAL, ResourceKind.WATCHER}


def _left(tx: Connection, account: str) -> str:
    last = history.last_of_accounts(tx, [account]).get(account)
    if last is not None and last.change is Change.GONE:
        return f"its account is gone, seen {moment(last.observed_at)}"
    return "the configuration no longer includes its account"


def _ended(tx: Connection, subject: Subject) -> str:
    """What became of a deployment; "" where its end was not recorded."""
    for life in listings.deployments(tx, name=subject.id.rpartition("/")[2]):
        one = life.deployment
        if (one.key, one.incarnation) == (subject.id.lower(), subject.incarnation) and life.ended_at is not None:
            was = "was replaced by a new one of its name" if life.outcome == Change.REPLACED.value else "is gone"
            return f"the deployment {was}, seen {moment(life.ended_at)}"
    return ""


def _save(tx: Connection, evaluation: Evaluation, mark: str, judgement: Judgement, now: datetime) -> tuple[Alert, ...]:
    alerts.lock_fleet(tx)
    newest = state.at(tx, state.INVENTORY)
    is_first = newest is None
    if newest != now and scope.is_overtaken(newest, now):
        return ()  # another process has taken a newer one, while this one was judged
    state.put(tx, state.INVENTORY, at=now, value=mark)
    first_sight = tuple(ResourceKind) if is_first else ()
    return advance_stored(tx, evaluation, judgement, account="", now=now, first_sight=first_sight)
