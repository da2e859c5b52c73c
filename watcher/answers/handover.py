"""What whoever begins a shift is told (`status --since`): what happened, what was done about it, what comes next."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from watcher.alerts.alert import Alert, AlertStatus
from watcher.alerts.dispatch import MUTED_BY
from watcher.alerts.escalation import escalations
from watcher.alerts.flapping import damped_because
from watcher.alerts.keep import Keep
from watcher.alerts.notification import Told
from watcher.alerts.routing import Routing, receivers
from watcher.alerts.silence import Silence
from watcher.answers.deliveries import STATES
from watcher.answers.status import is_for_reports, unrouted
from watcher.cycles import decide
from watcher.report.records import Record, alert_record, keep_record, silence_record
from watcher.report.summary import folded
from watcher.rules.text import counted, rfc3339
from watcher.store import alerts, channels, listings, operators, outbox, tellings
from watcher.store.channels import Channel
from watcher.store.operators import AuditEntry

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from watcher.report.standing import Standing
    from watcher.report.summary import FiringAlert, Summary
    from watcher.store.outbox import Delivery

#: How far ahead is looked: as far as back, but no less and no more than this.
_LEAST_AHEAD, _MOST_AHEAD = timedelta(hours=12), timedelta(days=7)

_DONE = {
    "ack": "acknowledged",
    "silence.add": "silenced",
    "silence.expire": "ended the silence",
    "keep": "keeps",
    "keep.drop": "keeps no longer",
    "outbox.retry": "retried",
    "outbox.drop": "dropped",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldTo:
    """What one receiver was told, and what has not reached it."""

    receiver: str
    delivered: int  #: messages since then
    waiting: int  #: of all times
    dead: int
    because: str  #: why something has not reached it, as it was said last; "": nothing was tried in vain
    channel: Channel | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """One thing that an operator did."""

    entry: AuditEntry
    what: str  #: in words: acknowledged, silenced, …
    about: str  #: what it was done to, as people call it


@dataclass(frozen=True, slots=True, kw_only=True)
class Coming:
    """One thing that happens next, if nobody acts."""

    at: datetime
    what: str  #: escalation, deletion, silence, keep, mute, delivery
    about: str
    alert: str = ""  #: its id
    standing: "Standing | None" = None  #: of a deletion, which may come from `at` on


@dataclass(frozen=True, slots=True, kw_only=True)
class Muted:
    """What mutes of one route hold back at present, of all its receivers together."""

    mute: str  #: its name, or several with commas
    until: datetime
    receivers: tuple[str, ...]
    alerts: tuple[Alert, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HandOver:
    """All of it. Lists of what was are newest first, lists of what comes the next first."""

    since: datetime
    ahead: datetime  #: how far ahead was looked
    firing: tuple["FiringAlert", ...]  #: all that fire now and are told, in the summary's order
    fired: tuple[Alert, ...]  #: of these, the conditions that began since then
    for_reports: Mapping[str, int]  #: what fires for reports and the page alone, by rule: nobody on a shift is told
    ended: tuple[tuple[Alert, str], ...]  #: each with why nobody was told of it; "": somebody was, or is never
    events: tuple[Alert, ...]
    told: tuple[ToldTo, ...]  #: by receiver
    done: tuple[Done, ...]
    silences: tuple[tuple[Silence, int], ...]  #: each with how many alerts that fire it matches
    keeps: tuple[tuple[Keep, str], ...]  #: each with its account's label
    mutes: tuple[Muted, ...]  #: the next to end first
    coming: tuple[Coming, ...]


def load(tx: "Connection", summary: "Summary", routing: Routing | None, since: datetime) -> HandOver:
    """What is stored of the time from `since` on, beside the summary of now, which was made with the same routing."""
    now = summary.now
    ahead = now + min(max(now - since, _LEAST_AHEAD), _MOST_AHEAD)
    quiet = unrouted(routing)
    lately = [one for one in alerts.listed(tx, since=since, without_rules=quiet) if not is_for_reports(one, routing)]
    unsettled = () if routing is None else alerts.unsettled(tx, without_rules=quiet)
    firing = [one.alert for one in summary.firing]
    silences = [(s, sum(s.matches(alert.labels) for alert in firing)) for s in operators.silences(tx, since=now)]
    labels = {key: one.account.label for key, one in listings.places(tx, with_removed=True).items()}
    keeps = [(keep, labels.get(keep.account, keep.account)) for keep in operators.keeps(tx, since=now)]
    mutes = _mutes(tx, unsettled, routing, now)
    told = tuple(_told(outbox.listed(tx, states=STATES, since=since), outbox.listed(tx), channels.listed(tx)))
    coming = [
        *_escalations(tx, unsettled, routing, now, ahead),
        *_deletions(summary, ahead),
        *_ends(silences, keeps, ahead),
        *_mute_ends(mutes, ahead),
        *_tries(told, now, ahead),
    ]
    ended = _ended(lately, since)
    histories = tellings.of_alerts(tx, [alert.id for alert in ended])
    audit = operators.audit(tx, since=since)
    acked = {one.id: one for one in alerts.of_ids(tx, {entry.subject for entry in audit if entry.action == "ack"})}
    return HandOver(
        since=since,
        ahead=ahead,
        firing=summary.firing,
        fired=tuple(alert for alert in firing if alert.starts_at >= since),
        for_reports=summary.for_reports,
        ended=tuple((alert, _untold(alert, routing, histories.get(alert.id, ()))) for alert in ended),
        events=tuple(alert for alert in lately if alert.is_event and alert.starts_at >= since),
        told=told,
        done=tuple(_done(entry, acked, labels) for entry in audit),
        silences=tuple(silences),
        keeps=tuple(keeps),
        mutes=mutes,
        coming=tuple(sorted(coming, key=lambda one: (one.at, one.about))),
    )


def _ended(lately: Sequence[Alert], since: datetime) -> list[Alert]:
    ended = [(alert.ends_at, alert.id, alert) for alert in lately if alert.ends_at is not None]
    return [alert for at, _, alert in sorted(ended, reverse=True) if at >= since]


def _untold(alert: Alert, routing: Routing | None, told: Sequence[Told]) -> str:
    if routing is None or not receivers(routing, alert.labels):
        return ""
    return damped_because(alert, told)


def about(alert: Alert) -> str:
    """What an alert is about, in a word or two: rule, and account and resource where it names them."""
    labels = alert.labels
    subject = labels.get("deployment") or labels.get("job") or labels.get("receiver") or ""
    place = "/".join(filter(None, (labels.get("account", ""), subject))) or labels.get("location", "")
    return f"{alert.finding.rule} {place}".rstrip()


def _told(
    lately: "Sequence[Delivery]", undelivered: "Sequence[Delivery]", known: Sequence[Channel]
) -> Iterator[ToldTo]:
    channel_of = {channel.receiver: channel for channel in known}
    failing = {channel.receiver for channel in known if channel.is_failing}
    names = {one.notification.receiver for one in (*lately, *undelivered)} | failing
    for name in sorted(names):
        waits = [one for one in undelivered if one.notification.receiver == name]
        errors = [one.last_error for one in waits if one.last_error]
        channel = channel_of.get(name)
        failure = ": ".join(filter(None, (channel.kind, channel.detail))) if channel and channel.is_failing else ""
        yield ToldTo(
            receiver=name,
            delivered=sum(one.notification.receiver == name and one.state == "delivered" for one in lately),
            waiting=sum(one.state == "pending" for one in waits),
            dead=sum(one.state == "dead" for one in waits),
            because=errors[-1] if errors else failure,
            channel=channel,
        )


def _escalations(
    tx: "Connection", unsettled: Sequence[Alert], routing: Routing | None, now: datetime, ahead: datetime
) -> Iterator[Coming]:
    if routing is None:
        return
    open_ones = [alert for alert in unsettled if alert.status is not AlertStatus.RESOLVED]
    told = tellings.of_alerts(tx, [alert.id for alert in open_ones])
    for alert in open_ones:
        for one in escalations(alert, receivers(routing, alert.labels), told.get(alert.id, ())):
            if one.at <= ahead:
                text = f"escalates to {one.receiver}: {about(alert)}"
                yield Coming(at=max(one.at, now), what="escalation", about=text, alert=alert.id)


def _deletions(summary: "Summary", ahead: datetime) -> Iterator[Coming]:
    for one in summary.at_risk:
        earliest = one.standing.deletion_earliest
        if earliest is not None and earliest <= ahead:
            text = f"Azure may delete {one.account.label}/{one.deployment.name}"
            alert = one.standing.alert.id if one.standing.alert else ""
            yield Coming(at=earliest, what="deletion", about=text, alert=alert, standing=one.standing)


def _ends(
    silences: Sequence[tuple[Silence, int]], keeps: Sequence[tuple[Keep, str]], ahead: datetime
) -> Iterator[Coming]:
    for silence, count in silences:
        if silence.ends_at <= ahead:
            fires = counted(count, "alert") if count else "nothing that fires now"
            yield Coming(at=silence.ends_at, what="silence", about=f"silence {silence.id} ends; it hides {fires}")
    for keep, label in keeps:
        if keep.until <= ahead:
            yield Coming(at=keep.until, what="keep", about=f"{label}/{keep.deployment} is kept no longer")


def _mutes(tx: "Connection", unsettled: Sequence[Alert], routing: Routing | None, now: datetime) -> tuple[Muted, ...]:
    """By what dispatch would hold back now: what is told already, or quiet for another reason, no mute holds."""
    if routing is None or not routing.mutes:
        return ()
    known = {alert.id: alert for alert in unsettled}
    found: dict[tuple[datetime, str], list[tuple[str, Alert]]] = {}
    for alert_id, reasons in decide(tx, unsettled, routing, now).held.items():
        for held in reasons:
            if held.because.startswith(MUTED_BY) and held.until is not None and alert_id in known:
                name = held.because.removeprefix(MUTED_BY)
                found.setdefault((held.until, name), []).append((held.receiver, known[alert_id]))
    return tuple(
        Muted(
            mute=name,
            until=until,
            receivers=tuple(sorted({receiver for receiver, _ in held})),
            alerts=tuple({alert.id: alert for _, alert in held}.values()),
        )
        for (until, name), held in sorted(found.items(), key=lambda one: one[0])
    )


def _mute_ends(mutes: Sequence[Muted], ahead: datetime) -> Iterator[Coming]:
    for one in mutes:
        if one.until <= ahead:
            held = f"{counted(len(one.alerts), 'alert')} back from {', '.join(one.receivers)}"
            text = f"mute {one.mute} ends; it holds {held}"
            yield Coming(at=one.until, what="mute", about=text)


def _tries(told: Sequence[ToldTo], now: datetime, ahead: datetime) -> Iterator[Coming]:
    for one in told:
        if one.waiting and one.channel is not None and one.channel.is_closed(now):
            at = one.channel.retry_at
            if at is not None and at <= ahead:
                text = f"{one.receiver} is tried again, with {one.waiting} waiting"
                yield Coming(at=at, what="delivery", about=text)


def _done(entry: AuditEntry, acked: Mapping[str, Alert], labels: Mapping[str, str]) -> Done:
    account, slash, name = entry.subject.rpartition("/")
    subject = f"{labels.get(account, account)}/{name}" if slash else entry.subject
    if entry.action == "ack" and entry.subject in acked:
        subject = about(acked[entry.subject])
    return Done(entry=entry, what=_DONE.get(entry.action, entry.action), about=subject)


def handover_record(handover: HandOver, now: datetime, *, most: int | None = None) -> Record:
    """For programs: whole lists, without the screen's cuts; `most` items of each, where somebody asks for no more."""
    return {
        "counts": {
            "fired": len(handover.fired),
            "ended": len(handover.ended),
            "events": len(handover.events),
            "done": len(handover.done),
            "coming": len(handover.coming),
        },
        "since": rfc3339(handover.since),
        "ahead": rfc3339(handover.ahead),
        "fired": [alert_record(alert) for alert in handover.fired[:most]],
        "for_reports": dict(handover.for_reports),
        "ended": [
            {
                **alert_record(alert),
                "lasted_seconds": int((alert.ends_at - alert.starts_at).total_seconds()),
                "untold_because": untold or None,
            }
            for alert, untold in handover.ended[:most]
            if alert.ends_at is not None
        ],
        "events": [alert_record(alert) for alert in handover.events[:most]],
        "told": [
            {
                "receiver": one.receiver,
                "delivered": one.delivered,
                "waiting": one.waiting,
                "dead": one.dead,
                "because": one.because or None,
                "failing_since": rfc3339(one.channel.failing_since) if one.channel else None,
                "next_try_at": rfc3339(one.channel.retry_at) if one.channel else None,
            }
            for one in handover.told
        ],
        "done": [
            {
                "at": rfc3339(one.entry.at),
                "author": one.entry.author,
                "action": one.entry.action,
                "subject": one.entry.subject,
                "about": one.about,
                "comment": one.entry.comment or None,
            }
            for one in handover.done[:most]
        ],
        "silences": [
            {**silence_record(silence, now=now), "matches_firing": count} for silence, count in handover.silences
        ],
        "keeps": [keep_record(keep, label) for keep, label in handover.keeps],
        "mutes": [
            {
                "mute": one.mute,
                "until": rfc3339(one.until),
                "receivers": list(one.receivers),
                "alerts": [alert.id for alert in one.alerts],
            }
            for one in handover.mutes
        ],
        "explained": [
            {"by": cause.alert.id, "rule": cause.alert.finding.rule, "alerts": [one.alert.id for one in some]}
            for cause, some in folded(handover.firing)
            if some
        ],
        "coming": [
            {"at": rfc3339(one.at), "what": one.what, "about": one.about, "alert": one.alert or None}
            for one in handover.coming[:most]
        ],
    }
