"""Inventory: what exists over all accounts, and the alerts about it. Nobody is paged for these at once.

Where nothing has changed since the last one it is not taken again, except once a day: age alone makes a leftover.
"""

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection

from watcher.alerts.alert import Alert
from watcher.clock import Clock
from watcher.cycles.judgement import Judgement, advance_stored
from watcher.resources.account import Account
from watcher.resources.changes import ResourceKind
from watcher.resources.model import Retirement
from watcher.rules.rule import Evaluation, evaluate_inventory
from watcher.store import alerts, inventory, retirements, scope, state
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
    rules = hashlib.sha256(repr((judgement.inventory_rules, judgement.owner_tag)).encode()).hexdigest()[:12]
    mark = f"{now:%Y-%m-%d} {rules} {inventory.mark(tx)}"
    if mark == state.value(tx, state.INVENTORY):
        return None
    found = inventory.load(tx, now=now, owner_tag=judgement.owner_tag)
    return evaluate_inventory(judgement.inventory_rules, found), mark


def _save(tx: Connection, evaluation: Evaluation, mark: str, judgement: Judgement, now: datetime) -> tuple[Alert, ...]:
    alerts.lock_fleet(tx)
    is_first = state.at(tx, state.INVENTORY) is None
    state.put(tx, state.INVENTORY, at=now, value=mark)
    first_sight = tuple(ResourceKind) if is_first else ()
    return advance_stored(tx, evaluation, judgement, account="", now=now, first_sight=first_sight)
