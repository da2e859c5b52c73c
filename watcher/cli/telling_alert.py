"""What `explain` says of an alert: what the rule found and on what grounds, who is told, and what came of it."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from watcher.alerts.flapping import damped_because
from watcher.alerts.keep import COUNTDOWN_RULES
from watcher.alerts.route import REPORT_ONLY_RULES
from watcher.alerts.step import OVERDUE
from watcher.alerts.summary import summary_at
from watcher.answers.event_times import event_times
from watcher.cli.table import Line
from watcher.cli.told import listed, paragraph, title
from watcher.cli.wording import SEVERITY_STYLES, ever_since
from watcher.rules.step_words import step_name, step_reached
from watcher.rules.text import ago, duration, moment

if TYPE_CHECKING:
    from watcher.alerts.alert import Alert
    from watcher.answers.alert_file import AlertFile
    from watcher.store.attempts import Attempt
    from watcher.store.operators import AuditEntry
    from watcher.store.outbox import Delivery


def alert_text(file: "AlertFile", now: datetime, width: int) -> Iterator[Line]:
    """One alert. Of one that is over, no advice: there is nothing left to do about it."""
    alert, finding = file.alert, file.alert.finding
    yield (
        (f"Alert {alert.id}: {finding.rule}, ", "bold"),
        (alert.severity.value, SEVERITY_STYLES[alert.severity]),
    )
    is_over = alert.ends_at is not None
    summary = finding.summary if is_over else summary_at(alert, now, calls_known_to=file.calls_known_to)
    summary = summary.removesuffix(".")
    if is_over:
        yield from paragraph(_life(file, now), width)
        yield from paragraph(f"As last recorded, it said: {summary}. {finding.description}", width)
    else:
        yield from paragraph(f"{summary}. {_life(file, now)}", width)
        yield from paragraph(f"{finding.description}{_dated(alert, now)}", width)
        yield from paragraph(finding.action, width)
    if finding.evidence:
        # What goes on growing is recorded at its steps alone, and its end is no reading: when that was is not known.
        when = "as last recorded" if is_over else f"as of {moment(alert.updated_at)}"
        yield from paragraph(f"The grounds, {when}: {finding.evidence}.", width)
    told = " ".join((summary, finding.description, finding.evidence, finding.subject.id, finding.subject.incarnation))
    as_of = f", as of {moment(alert.updated_at)}" if _dated(alert, now) else ""
    as_of = ", as last recorded" if is_over else as_of
    yield from paragraph(_figures(finding.values, told, as_of), width)
    yield from _telling(file, now, width)
    yield from audit_text(file.audit, width)


def _life(file: "AlertFile", now: datetime) -> str:
    alert = file.alert
    start = f"{moment(alert.starts_at)} ({ago(alert.starts_at, now)})"
    if alert.ends_at is not None:
        why = f": {alert.ended_because.removesuffix('.')}" if alert.ended_because else ""
        said = [f"It fired from {moment(alert.starts_at)} and ended {moment(alert.ends_at)}{why}."]
    elif not alert.is_event:
        said = [f"It has been firing since {start}."]
    else:
        said = [_event(alert, now)]
    said.append(_step(alert))
    if alert.unverified_since is not None or alert.unverified_because:
        since = f" {ever_since(alert.unverified_since, now)}" if alert.unverified_since else ""
        said.append(f"Not verified{since}: {alert.unverified_because}.")
    if alert.acked_at is not None:
        said.append(f"{alert.acked_by} acknowledged it {ago(alert.acked_at, now)}.")
    return " ".join(filter(None, said))


def _event(alert: "Alert", now: datetime) -> str:
    """When it happened, when it was seen, and when its alert was raised, where these differ."""
    times = event_times(alert)
    seen = f"{moment(times.seen_at)} ({ago(times.seen_at, now)})"
    text = f"That was seen on {seen}."
    if times.happened_at is not None:
        text = f"That happened on {moment(times.happened_at)}, and watcher saw it on {seen}."
    if times.raised_at is not None:
        later = duration(times.raised_at - times.seen_at)
        text += f" The alert was raised {later} later, on {moment(times.raised_at)}, once it could be judged."
    return text


def _step(alert: "Alert") -> str:
    """How far its countdown has come; "" where there is none, or the summary says so."""
    rule, step, is_over = alert.finding.rule, alert.finding.step, alert.ends_at is not None
    if rule not in COUNTDOWN_RULES:
        return step_reached(rule, step, is_over=is_over)
    if step == OVERDUE:
        return "By then its deletion was overdue." if is_over else ""
    return f"The last step that it crossed {'was' if is_over else 'is'} {step} before its deletion." if step else ""


#: A shorter delay between what happened and when it was noticed is not told.
_NOTICEABLE = timedelta(minutes=1)


def _dated(alert: "Alert", now: datetime) -> str:
    """Of when the figures are, where they go on growing and are stored anew at the next step only; "" elsewhere."""
    grows = any(
        isinstance(value, int | float) and not name.endswith("_per_hour")
        for name, value in alert.finding.values.items()
    )
    if alert.is_event or not grows or now - alert.updated_at < _NOTICEABLE:
        return ""
    return f" The figures are as of {moment(alert.updated_at)} ({ago(alert.updated_at, now)})."


def _figures(values: Any, told: str, as_of: str) -> str:
    """Those that the text has not told already; who is the owner is told with what the alert is about."""
    shown = ((name, _figure(value)) for name, value in values.items() if value not in ("", None))
    known = [
        f"{name.replace('_', ' ')} {text}{_unit(name, values)}"
        for name, text in shown
        if text not in told and name not in ("owner_source", "currency")
    ]
    return f"In figures{as_of}: {', '.join(known)}." if known else ""


#: The values that are money, in the currency that stands among them.
_MONEY = frozenset(
    {
        *("budget", "cost", "cost_at_most", "cost_per_call", "cost_per_day", "cost_until_deletion"),
        *("hosting_per_hour", "idle_cost", "monthly_cost"),
    }
)


def _unit(name: str, values: Any) -> str:
    currency = values.get("currency") if name in _MONEY else None
    return f" {currency}" if currency else ""


def _figure(value: Any) -> str:
    """As the text writes it: money in cents, times as people read them."""
    if isinstance(value, float):
        return f"{value:.2f}" if abs(value) >= 0.01 else f"{value:g}"
    try:
        return moment(datetime.fromisoformat(value)) if isinstance(value, str) and "T" in value else str(value)
    except ValueError:
        return str(value)


def _telling(file: "AlertFile", now: datetime, width: int) -> Iterator[Line]:
    """Who is told, who was, and what came of each attempt."""
    if not file.routes:
        yield from paragraph(_unrouted(file.alert.finding.rule), width)
    else:
        said = []
        for path, receiver, group in file.routes:
            labels = ", ".join(f"{name}={value}" for name, value in group.items())
            said.append(f"{path} → {receiver}, grouped by {labels or 'nothing'}")
        yield from paragraph(f"It takes {'; '.join(said)}.", width)
    for silence in file.silences:
        yield from paragraph(
            f"{silence.author} silenced it until {moment(silence.ends_at)}: {silence.comment} ({silence.id})", width
        )
    for held in file.held if file.routes else ():
        yield from paragraph(f"Not told now to {held.receiver or 'anybody'}: {held}.", width)
    if not file.told and not file.deliveries:
        if file.routes:
            because = damped_because(file.alert, file.told)
            yield from paragraph(f"Nobody was told: it {because}." if because else "Nobody was told yet.", width)
        return
    yield from title("Who was told", width)
    tries = {delivery.notification.id: (delivery, attempts) for delivery, attempts in file.deliveries}
    for told in file.told:
        step = step_name(file.alert.finding.rule, told.step)
        what = f"{told.receiver}: {told.status}, {told.severity}{f', {step}' if step else ''}"
        outcome = tries.pop(told.notification_id, None)
        if not told.notification_id:
            yield from listed([(moment(told.at), f"{told.receiver}: {told.status}, {_STANDS}")], width)
        elif outcome is None:
            yield from listed([(moment(told.at), what)], width)
        else:
            yield from _delivery(moment(told.at), what, *outcome, width)
    for delivery, attempts in tries.values():
        notification = delivery.notification
        what = f"{notification.reason.value} to {notification.receiver}"
        yield from _delivery(moment(notification.created_at), what, delivery, attempts, width)
    yield ()


#: Of a resolve that another alert's notification stands for.
_STANDS = "by the message that it is gone"


def _unrouted(rule: str) -> str:
    if rule in REPORT_ONLY_RULES:
        return (
            f"Nobody is told of it: {rule} is for `watcher alerts` and reports, unless a route names it in a matcher "
            "on rule."
        )
    return "No route takes it, so nobody is told."


def _delivery(at: str, what: str, delivery: "Delivery", attempts: "Sequence[Attempt]", width: int) -> Iterator[Line]:
    """One notification with its id, and what came of it: on the same line where it went through at once."""
    id_ = delivery.notification.id
    if len(attempts) == 1 and delivery.state == "delivered":
        yield from listed([(at, f"{what}; delivered: {attempts[0].detail or 'accepted'} ({id_})")], width)
        return
    yield from listed(
        [(at, f"{what}; {delivery.state if attempts else f'{delivery.state}, not tried yet'} ({id_})")], width
    )
    rows = []
    for attempt in attempts:
        kind = "" if attempt.detail.startswith(attempt.kind) else attempt.kind
        text = ": ".join(filter(None, (attempt.outcome, kind, attempt.detail)))
        rows.append((f"  {moment(attempt.at)}", f"after {attempt.duration_s:.1f} s, {text}"))
    yield from listed(rows, width)


def audit_text(entries: "Sequence[AuditEntry]", width: int) -> Iterator[Line]:
    """What operators did."""
    if entries:
        rows = [(moment(entry.at), f"{entry.action} by {entry.author}: {entry.comment}") for entry in entries]
        yield from title("What was done by hand", width)
        yield from listed(rows, width)
        yield ()
