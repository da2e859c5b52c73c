"""What the metrics' counts of deployments and alerts rest on; what has not changed is not read again.

Of each only a few words are taken from what is stored: there may be tens of thousands.
"""

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec
from sqlalchemy import Connection, Text, func, select, type_coerce

from watcher.alerts.keep import COUNTDOWN_RULES
from watcher.resources.deployment import ProvisioningState, is_fine_tuned
from watcher.resources.model import family
from watcher.store import alerts, listings, schema
from watcher.store.gathered import Gathered

#: What is taken from the store without a word is noticed so late.
_ANEW = timedelta(hours=1)

#: What such an alert is about has not been called for long.
IDLE_RULES = ("deployment_idle", "deployment_wasting")


class _Words(msgspec.Struct):
    """What is wanted of a stored deployment."""

    name: str
    sku: str = ""
    capacity: int | None = None
    provisioning_state: str = ProvisioningState.UNKNOWN.value


_WORDS = msgspec.json.Decoder(_Words)


@dataclass(frozen=True, slots=True)
class Living:
    """One deployment that lives."""

    label: str
    location: str
    life: tuple[str, str]
    model: str
    family: str
    is_custom: bool  #: by its name
    words: _Words


class _Place(msgspec.Struct):
    location: str = ""


_PLACE = msgspec.json.Decoder(_Place)


class _Subject(msgspec.Struct):
    id: str
    incarnation: str = ""


class _Labels(msgspec.Struct):
    account: str = ""
    deployment: str = ""


class _Values(msgspec.Struct):
    deletion_earliest: str | None = None
    idle_since: str | None = None


class _Told(msgspec.Struct):
    """What is wanted of a stored finding."""

    subject: _Subject
    labels: _Labels = msgspec.field(default_factory=_Labels)
    values: _Values = msgspec.field(default_factory=_Values)


_TOLD = msgspec.json.Decoder(_Told)


@dataclass(frozen=True, slots=True)
class Open:
    """One condition that fires."""

    rule: str
    severity: str
    unverified_since: datetime | None
    place: tuple[str, str] = ("", "")  #: of a deployment's end or idleness: the label of its account, and its name
    life: tuple[str, str] = ("", "")
    deletion_at: datetime | None = None  #: at the earliest
    idle_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """What the counts of deployments and alerts rest on."""

    standing: tuple[Living, ...]  #: deployments that live, in accounts in scope
    dated: tuple[Open, ...]  #: conditions about a deployment's end or idleness
    alerts: Mapping[tuple[str, str, str], int]
    unverified: int


class Memory:
    """What was read of deployments and alerts for the counts before. They may be asked for from any thread."""

    def __init__(self) -> None:
        self._one_at_a_time = threading.Lock()
        self._standing = Gathered(_standing, every=_ANEW)
        self._open = Gathered(_open, every=_ANEW)
        self._mark: tuple[object, ...] = ()
        self._held = Held((), (), {}, 0)

    def read(self, tx: Connection, now: datetime) -> Held:
        """As it is now. There may be tens of thousands of alerts, and mostly nothing has changed."""
        mark = (_mark(tx), int(now.timestamp() // _ANEW.total_seconds()))
        with self._one_at_a_time:
            if mark != self._mark:
                standing = self._standing.read(tx, listings.revisions(tx), now=now, base=None)
                opened = self._open.read(tx, alerts.stamps(tx), now=now, base=None)
                self._held = Held(
                    standing=tuple(one for some in standing for one in some),
                    dated=tuple(one for one in opened if one.deletion_at or one.idle_since),
                    alerts=dict(Counter((one.rule, one.severity, "firing") for one in opened)),
                    unverified=sum(one.unverified_since is not None for one in opened),
                )
                self._mark = mark
            return self._held


def _mark(tx: Connection) -> tuple[object, ...]:
    """It changes with accounts in scope, and with what is open."""
    a, c = schema.accounts.c, schema.alerts.c
    scope = select(func.count(), func.sum(a.revision), func.count(a.removed_at))
    unsettled = select(func.count(), func.sum(c.stamp)).where(schema.IS_UNSETTLED)
    return (*tx.execute(scope).one(), *tx.execute(unsettled).one())


def _standing(tx: Connection, accounts: Sequence[str]) -> dict[str, list[Living]]:
    a, d = schema.accounts.c, schema.deployments.c
    places = select(a.key, a.label, type_coerce(a.noun, Text)).where(a.key.in_(accounts))
    labels = {key: (label, _PLACE.decode(text).location) for key, label, text in tx.execute(places)}
    query = select(d.account, d.key, d.incarnation, d.model, type_coerce(d.noun, Text))
    found: dict[str, list[Living]] = {}
    for account, key, incarnation, model, text in tx.execute(
        query.where(d.ended_at.is_(None), d.account.in_(accounts))
    ):
        words = _WORDS.decode(text)
        one = Living(*labels[account], (key, incarnation), model, family(model), is_fine_tuned(model), words)
        found.setdefault(account, []).append(one)
    return found


def _open(tx: Connection, ids: Sequence[str]) -> dict[str, Open]:
    c = schema.alerts.c
    query = select(c.id, c.rule, c.severity, c.unverified_since, type_coerce(c.finding, Text))
    rows = tx.execute(query.where(schema.IS_FIRING, c.id.in_(ids)))
    return {id_: _opened(rule, severity, since, text) for id_, rule, severity, since, text in rows}


def _opened(rule: str, severity: str, unverified_since: datetime | None, finding: str) -> Open:
    if rule not in COUNTDOWN_RULES and rule not in IDLE_RULES:
        return Open(rule, severity, unverified_since)
    told = _TOLD.decode(finding)
    return Open(
        rule,
        severity,
        unverified_since,
        place=(told.labels.account, told.labels.deployment),
        life=(told.subject.id.lower(), told.subject.incarnation),
        deletion_at=_time(told.values.deletion_earliest),
        idle_since=_time(told.values.idle_since),
    )


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
