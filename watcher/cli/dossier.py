"""Everything that is stored about one job, deployment or alert, found by what a person types; for `explain`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from watcher.alerts.alert import Alert
from watcher.alerts.dispatch import Held, Routing, explain_routes
from watcher.alerts.keep import Keep
from watcher.alerts.notification import Told
from watcher.alerts.silence import Silence, silenced_by
from watcher.cli.desk import Refused
from watcher.cycles import decide
from watcher.report.standing import Standing, countdowns, stand
from watcher.resources.account import Account
from watcher.resources.changes import ResourceKind, Transition
from watcher.resources.fine_tuning import JobEvent
from watcher.resources.snapshot import Gap, Reading
from watcher.store import alerts, listings, observations, outbox
from watcher.store.alerts import AuditEntry
from watcher.store.listings import RecordedDeployment, RecordedJob, WatchedAccount
from watcher.store.outbox import Attempt, Delivery

#: Lines of a job's log, and changes, that are shown.
MOST = 200


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Dossier:
    """One subject. Of an alert that spans accounts there is neither account nor resource."""

    reading: Reading | None = None
    job: RecordedJob | None = None
    deployment: RecordedDeployment | None = None
    standing: Standing | None = None
    keep: Keep | None = None
    gaps: tuple[Gap, ...] = ()  #: of the account that concern it
    alerts: tuple[AlertFile, ...] = ()
    transitions: tuple[Transition, ...] = ()  #: newest first
    events: tuple[JobEvent, ...] = ()  #: oldest first
    audit: tuple[AuditEntry, ...] = ()  #: of the resource itself

    @property
    def account(self) -> Account | None:
        return self.reading.account if self.reading else None


def find(tx: Connection, wanted: str, *, routing: Routing | None, now: datetime) -> Dossier:
    """The dossier of an alert's id, a job's id, or NAME or ACCOUNT/NAME of a deployment.

    Raises:
        Refused: there is none, or more than one.
    """
    watched = {one.account.key: one for one in listings.accounts(tx, with_removed=True)}
    place, slash, name = wanted.rpartition("/")
    places = {key for key, one in watched.items() if not slash or _is_at(one.account, place)}
    jobs = [one for one in listings.jobs(tx, job_id=name if slash else wanted) if one.job.account in places]
    lives = [
        one
        for one in listings.deployments(tx, name=name)
        if one.deployment.account in places or one.deployment.key == wanted.lower()
    ]
    keys = {one.deployment.key for one in lives}
    candidates = [f"{watched[one.job.account].account.label}/{one.job.id}" for one in jobs]
    candidates += sorted({f"{watched[o.deployment.account].account.label}/{o.deployment.name}" for o in lives})
    if len(jobs) + len(keys) > 1:
        raise Refused(f"{wanted} is ambiguous: say which of {', '.join(candidates)}", code=2)
    if jobs:
        return _of_job(tx, jobs[0], watched, routing, now)
    if lives:
        return _of_deployment(tx, lives, watched, routing, now)
    if (alert := alerts.find(tx, wanted)) is not None:  # last: a name may look like the beginning of a fingerprint
        return _of_alert(tx, alert, watched, routing, now)
    raise Refused(f"nothing is known of {wanted}: see `watcher alerts`, `watcher jobs` and `watcher deployments`")


def _is_at(account: Account, place: str) -> bool:
    return place.lower() in (account.label.lower(), account.name.lower(), account.key)


def _of_alert(
    tx: Connection, alert: Alert, watched: Mapping[str, WatchedAccount], routing: Routing | None, now: datetime
) -> Dossier:
    """The alert alone, with what it is about."""
    subject, file = alert.finding.subject, _files(tx, [alert], routing, now)
    seen = watched.get(alert.account)
    if seen is None:
        return Dossier(alerts=file)
    if subject.kind is ResourceKind.JOB:
        jobs = listings.jobs(tx, account_keys=[alert.account], job_id=subject.incarnation)
        if jobs:
            return _of_job(tx, jobs[0], watched, routing, now, files=file)
    if subject.kind is ResourceKind.DEPLOYMENT:
        name = subject.id.rpartition("/")[2]
        lives = [one for one in listings.deployments(tx, name=name) if one.deployment.key == subject.id.lower()]
        lives.sort(key=lambda one: one.deployment.incarnation == subject.incarnation, reverse=True)
        if lives:
            return _of_deployment(tx, lives, watched, routing, now, files=file)
    return Dossier(reading=seen.reading, gaps=seen.reading.gaps, alerts=file)


def _of_job(
    tx: Connection,
    one: RecordedJob,
    watched: Mapping[str, WatchedAccount],
    routing: Routing | None,
    now: datetime,
    *,
    files: tuple[AlertFile, ...] | None = None,
) -> Dossier:
    reading, id_ = watched[one.job.account].reading, one.job.id
    if files is None:
        files = _files(tx, alerts.of_subject(tx, one.job.account, id_), routing, now)
    return Dossier(
        reading=reading,
        job=one,
        gaps=tuple(
            gap for gap in reading.gaps if gap.section.value in ("jobs", "account") and gap.subject in ("", id_)
        ),
        alerts=files,
        transitions=_transitions(tx, one.job.account, ResourceKind.JOB, id_),
        events=observations.events(tx, one.job.account, id_)[-MOST:],
    )


def _of_deployment(
    tx: Connection,
    lives: Sequence[RecordedDeployment],
    watched: Mapping[str, WatchedAccount],
    routing: Routing | None,
    now: datetime,
    *,
    files: tuple[AlertFile, ...] | None = None,
) -> Dossier:
    """The present life where there is one, else the last; with the alerts of all of them."""
    one = lives[0] if files else next((life for life in lives if life.ended_at is None), lives[0])
    deployment, reading = one.deployment, watched[one.deployment.account].reading
    if files is None:
        incarnations = {life.deployment.incarnation for life in lives}
        of_all = [alert for life in incarnations for alert in alerts.of_subject(tx, deployment.account, life)]
        mine = [alert for alert in of_all if alert.finding.subject.id.lower() == deployment.key]
        files = _files(tx, sorted(mine, key=lambda alert: alert.starts_at, reverse=True), routing, now)
    standing = None
    if one.ended_at is None:
        firing = countdowns([file.alert for file in files])
        alert = firing.get((deployment.key, deployment.incarnation))
        standing = stand(deployment, reading, alert=alert, custom_models=listings.custom_models(tx), now=now)
    names = {"", deployment.key, deployment.name.lower()}
    place = {deployment.account, reading.account.label.lower()}
    keeps = alerts.keeps(tx, since=now)
    return Dossier(
        reading=reading,
        deployment=one,
        standing=standing,
        keep=next(
            (k for k in keeps if k.deployment.lower() == deployment.name.lower() and k.account.lower() in place), None
        ),
        gaps=tuple(gap for gap in reading.gaps if gap.section.value != "jobs" and gap.subject.lower() in names),
        alerts=files,
        transitions=_transitions(tx, deployment.account, ResourceKind.DEPLOYMENT, deployment.name),
        audit=tuple(
            entry
            for key in (deployment.account, reading.account.label)
            for entry in alerts.audit(tx, subject=f"{key}/{deployment.name}")
        ),
    )


def _transitions(tx: Connection, account: str, kind: ResourceKind, name: str) -> tuple[Transition, ...]:
    found = observations.transitions(tx, account=account, name=name, limit=MOST)
    return tuple(one for one in found if one.kind is kind)


def _files(tx: Connection, found: Sequence[Alert], routing: Routing | None, now: datetime) -> tuple[AlertFile, ...]:
    held: Mapping[str, tuple[Held, ...]] = {}
    if routing is not None and found:
        held = decide(tx, alerts.unsettled(tx), routing, now).held  # of all: one alert may inhibit another
    silences = alerts.silences(tx, since=now)
    return tuple(
        AlertFile(
            alert=alert,
            routes=tuple(explain_routes(alert.labels, routing)) if routing is not None else (),
            held=held.get(alert.id, ()),
            silences=silenced_by(alert, silences, now),
            told=alerts.told_history(tx, alert.id),
            deliveries=tuple(
                (delivery, outbox.attempts(tx, delivery.notification.id)) for delivery in outbox.of_alert(tx, alert.id)
            ),
            audit=alerts.audit(tx, subject=alert.id),
        )
        for alert in found
    )
