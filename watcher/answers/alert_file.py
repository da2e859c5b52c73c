"""One alert with all that was decided and done about it: who is told by which route, who was, and what people did."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from watcher.alerts.alert import Alert
from watcher.alerts.dispatch import Held, Routing, explain_routes
from watcher.alerts.notification import Told
from watcher.alerts.silence import Silence, silenced_by
from watcher.cycles import decide
from watcher.errors import Refused
from watcher.store import alerts, attempts, known_calls, operators, outbox, tellings
from watcher.store.attempts import Attempt
from watcher.store.operators import AuditEntry
from watcher.store.outbox import Delivery


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertFile:
    """One alert, and all that was decided and done about it."""

    alert: Alert
    routes: tuple[tuple[str, str, Mapping[str, str]], ...]
    held: tuple[Held, ...]  #: why somebody is not told now
    silences: tuple[Silence, ...]
    told: tuple[Told, ...]
    deliveries: tuple[tuple[Delivery, tuple[Attempt, ...]], ...]
    audit: tuple[AuditEntry, ...]
    calls_known_to: datetime | None = None  #: where it fires since nobody calls something; `None`: it does not


def alert_file(tx: Connection, wanted: str, *, routing: Routing | None, now: datetime) -> AlertFile:
    """One alert alone, by its id or an unambiguous beginning of it.

    Raises:
        Refused: there is none.
    """
    alert = alerts.find(tx, wanted) if wanted else None
    if alert is None:
        raise Refused(f"no alert has the id {wanted}; what ended long ago is kept no longer")
    return alert_files(tx, [alert], routing=routing, now=now)[0]


def alert_files(
    tx: Connection, found: Sequence[Alert], *, routing: Routing | None, now: datetime
) -> tuple[AlertFile, ...]:
    """Those of several alerts, in their order."""
    held: Mapping[str, tuple[Held, ...]] = {}
    if routing is not None and found:
        alone = decide(tx, found, routing, now)
        held = alone.held
        if any(alert.id not in alone.at_rest for alert in found):
            # Somebody lacks it: what is told, and when, depends on what may inhibit it, and on what goes along.
            held = decide(tx, alerts.unsettled(tx), routing, now).held
    silences, known_to = operators.silences(tx, since=now), known_calls.known_to(tx, found)
    return tuple(
        AlertFile(
            alert=alert,
            routes=tuple(explain_routes(alert.labels, routing)) if routing is not None else (),
            held=held.get(alert.id, ()),
            silences=silenced_by(alert, silences, now),
            told=tellings.of_alert(tx, alert.id),
            deliveries=tuple(
                (delivery, attempts.of(tx, delivery.notification.id)) for delivery in outbox.of_alert(tx, alert.id)
            ),
            audit=operators.audit(tx, subject=alert.id),
            calls_known_to=known_to.get(alert.id),
        )
        for alert in found
    )
