"""How each receiver's channel does: its breaker and its bucket of tokens, one row each, shared by all processes.

After a failure nothing goes out by a channel until `retry_at`; then one message is tried, and once one is taken the
rest follows. All times are wall time. Whoever changes a channel holds its row until the end of the transaction; rows of
`notifications` are locked after it, never before.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import Connection, Row, Update, bindparam, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from watcher.rules.rule import ChannelState
from watcher.store import schema

#: No wait is longer: what is further ahead was set by a clock that was put back since, and is over.
LONGEST_WAIT = timedelta(hours=8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """How one receiver's channel does."""

    receiver: str
    failing_since: datetime | None = None  #: of the first failure since it last took something; `None`: it works
    failures: int = 0  #: in a row; of those that were under way together one counts
    retry_at: datetime | None = None  #: nothing is tried before; `None`: nothing stands in the way
    last_ok_at: datetime | None = None  #: `None`: it has taken nothing yet
    kind: str = ""  #: of the newest failure: auth, timeout, …; "" where it works
    detail: str = ""
    tokens: float | None = None  #: messages that its rate allowed at `tokens_at`; `None`: a full bucket
    tokens_at: datetime | None = None
    refused_since: datetime | None = None  #: since when it answers with refusals that may pass, and nothing else

    @property
    def is_failing(self) -> bool:
        return self.failing_since is not None

    def is_closed(self, now: datetime) -> bool:
        """Whether nothing may be tried now."""
        return self.retry_at is not None and now < self.retry_at <= now + LONGEST_WAIT

    def failed(
        self,
        *,
        kind: str,
        detail: str,
        at: datetime,
        retry_at: datetime | None,
        counts: bool = True,
        may_pass: bool = False,
    ) -> "Channel":
        """The channel after a failure at `at`.

        Args:
            retry_at: `None`: waiting helps nothing, so nothing waits.
            counts: Whether it is one failure more in a row.
            may_pass: Whether it is a refusal that may pass.
        """
        return replace(
            self,
            failing_since=self.failing_since or at,
            failures=self.failures + counts,
            retry_at=retry_at,
            kind=kind,
            detail=detail,
            refused_since=(self.refused_since or at) if may_pass else None,
        )

    def took(self, *, at: datetime) -> "Channel":
        """The channel after it took a message at `at`."""
        return Channel(receiver=self.receiver, last_ok_at=at, tokens=self.tokens, tokens_at=self.tokens_at)


def locked(tx: Connection, receiver: str) -> Channel:
    """The channel of a receiver, held by this transaction until its end."""
    row = tx.execute(_LOCK, {"of": receiver}).one_or_none()
    if row is None:
        insert = (sqlite if tx.dialect.name == "sqlite" else postgresql).insert(schema.channels)
        tx.execute(insert.values(receiver=receiver).on_conflict_do_nothing())
        row = tx.execute(_LOCK, {"of": receiver}).one()
    return _channel(row)


_LOCK = select(schema.channels).where(schema.channels.c.receiver == bindparam("of")).with_for_update()


def put(tx: Connection, before: Channel, after: Channel) -> None:
    """Save a channel that is held, where anything of it changed."""
    changed = {
        name: getattr(after, name)
        for name in schema.channels.c.keys()  # noqa: SIM118 (a collection of columns, no dictionary)
        if getattr(after, name) != getattr(before, name)
    }
    if changed:
        tx.execute(_put(tuple(changed)), {"of": after.receiver, **{f"new_{name}": changed[name] for name in changed}})


@cache
def _put(names: tuple[str, ...]) -> Update:
    values: dict[str, Any] = {name: bindparam(f"new_{name}") for name in names}
    return update(schema.channels).where(schema.channels.c.receiver == bindparam("of")).values(values)


def of(tx: Connection, receivers: Collection[str]) -> dict[str, Channel]:
    """The channels of these receivers, as far as anything is known of them."""
    return {row.receiver: _channel(row) for row in tx.execute(_OF, {"receivers": sorted(receivers)})}


_OF = select(schema.channels).where(schema.channels.c.receiver.in_(bindparam("receivers", expanding=True)))


def listed(tx: Connection) -> tuple[Channel, ...]:
    """All channels of which anything is known, by name; some may be gone from the configuration."""
    return tuple(_channel(row) for row in tx.execute(select(schema.channels).order_by(schema.channels.c.receiver)))


def let_try(tx: Connection, *, now: datetime, receivers: Collection[str] | None = None) -> None:
    """Try those that fail at once; by default all."""
    c = schema.channels.c
    query = update(schema.channels).where(c.retry_at > now)
    if receivers is not None:
        query = query.where(c.receiver.in_(sorted(receivers)))
    tx.execute(query.values(retry_at=now))


def states(tx: Connection, receivers: Collection[str], *, now: datetime) -> tuple[ChannelState, ...]:
    """How the channels of these receivers do, and what waits or is dead there, by name; `now` is wall time."""
    n = schema.notifications.c
    known = of(tx, receivers)
    found: list[ChannelState] = []
    backlog: dict[str, dict[str, int]] = {name: {} for name in known}
    for state, condition in (("pending", schema.IS_PENDING), ("dead", schema.IS_DEAD)):
        counts = select(n.receiver, func.count()).where(condition).group_by(n.receiver)
        for receiver, count in tx.execute(counts):
            backlog.setdefault(receiver, {})[state] = count
    for name, channel in sorted(known.items()):
        dead = backlog[name].get("dead", 0)
        newest = select(n.ended_at, n.last_error).where(n.receiver == name, schema.IS_DEAD)
        died = tx.execute(newest.order_by(n.ended_at.desc()).limit(1)).one_or_none() if dead else None
        failed = select(n.queued_at, n.last_error).where(n.receiver == name, schema.IS_PENDING, n.attempts > 0)
        stuck = tx.execute(failed.order_by(n.queued_at).limit(1)).one_or_none() if "pending" in backlog[name] else None
        found.append(
            ChannelState(
                receiver=name,
                failing_since=channel.failing_since,
                failing_for=timedelta() if channel.failing_since is None else now - channel.failing_since,
                failures=channel.failures,
                because=f"{channel.kind}: {channel.detail}" if channel.kind else "",
                last_ok_at=channel.last_ok_at,
                waiting=backlog[name].get("pending", 0),
                dead=dead,
                died_at=None if died is None else died.ended_at,
                died_for=timedelta() if died is None else now - died.ended_at,
                died_because="" if died is None else died.last_error,
                stuck_since=None if stuck is None else stuck.queued_at,
                stuck_for=timedelta() if stuck is None else now - stuck.queued_at,
                stuck_because="" if stuck is None else stuck.last_error,
            )
        )
    return tuple(found)


def _channel(row: Row[Any]) -> Channel:
    return Channel(**row._mapping)
