"""What operators did in their time, as the audit has it: keeps, and what was acknowledged. Silences date themselves."""

from collections.abc import Callable, Iterator
from datetime import datetime

from sqlalchemy import Connection

from watcher.alerts.keep import Keep
from watcher.store import operators, recording
from watcher.store.recording import Recording

#: Something that an operator did, to be done again.
Act = Callable[[Connection], None]


def acts(recorded: Recording) -> Iterator[tuple[datetime, Act]]:
    """Each with when it was done, oldest first."""
    known = {one.id: one for one in recorded.judged}
    for entry in recorded.audit:
        if entry.action == "ack" and entry.subject in known:
            yield entry.at, _ack(known[entry.subject], entry.author, entry.at)
        elif entry.action == "keep" and (keep := operators.audited_keep(entry)) is not None:
            yield entry.at, _keep(keep, entry.at)
        elif entry.action == "keep.drop":
            account, _, deployment = entry.subject.rpartition("/")
            yield entry.at, _drop(account, deployment)


def _ack(judged: recording.Judged, author: str, at: datetime) -> Act:
    return lambda tx: recording.acknowledge(tx, judged, author=author, at=at)


def _keep(keep: Keep, at: datetime) -> Act:
    return lambda tx: operators.save_keep(tx, keep, now=at)


def _drop(account: str, deployment: str) -> Act:
    def act(tx: Connection) -> None:
        operators.drop_keep(tx, account, deployment)

    return act
