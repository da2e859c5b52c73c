"""Everything that is stored about one job, deployment or alert, found by what a person types; for `explain`."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy import Connection

from watcher.alerts.alert import Alert
from watcher.alerts.dispatch import Routing
from watcher.alerts.keep import Keep
from watcher.alerts.lifecycle import GONE_RULE
from watcher.answers import kin
from watcher.answers.alert_file import AlertFile, alert_files
from watcher.answers.kin import Served
from watcher.answers.query import Frame
from watcher.answers.unfound import nothing_found
from watcher.costs import obstacles
from watcher.costs.recipe import Recipe, recipe
from watcher.errors import Refused
from watcher.report.standing import Standing, countdowns, stand
from watcher.resources.account import Account
from watcher.resources.changes import Change, ResourceKind, Transition
from watcher.resources.departure import Departure
from watcher.resources.deployment import is_fine_tuned
from watcher.resources.estimates import announced_ends
from watcher.resources.fine_tuning import Checkpoint, JobEvent
from watcher.resources.model import model_of
from watcher.resources.snapshot import Gap, Reading, Section
from watcher.resources.training import Duration, Estimates, Pace, Training
from watcher.rules.labels import Owner, owner_of
from watcher.rules.pace import pace_key
from watcher.rules.text import few, moment
from watcher.store import (
    alerts,
    deployments,
    history,
    listings,
    operators,
    trainings,
)
from watcher.store.listings import Place, RecordedDeployment, RecordedJob
from watcher.store.operators import AuditEntry

#: Fewer characters are not taken for the beginning of a job's id.
_SHORTEST = 8
#: So many of what may be meant are named.
_NAMED = 6
#: Lines of a job's log, and changes, that are shown.
MOST = 200


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
    owner: Owner = field(default_factory=Owner)
    training: Training | None = None  #: the inside of the job
    #: How many other jobs of its account wait as it does for their inside to be read after their end; `None`: it does
    #: not wait.
    waits_beside: int | None = None
    estimates: Estimates = field(default_factory=Estimates)  #: the ends that the service has announced for the job
    pace: Pace | None = None  #: how long such jobs have waited and run; `None`: none was seen
    maker: RecordedJob | None = None  #: the job that made the deployment's model
    checkpoint: Checkpoint | None = None  #: the one that it serves, where it names it by its id
    served: tuple[Served, ...] = ()  #: where the job's model, or the deployment's, is deployed
    unread_in: tuple[str, ...] = ()  #: labels of accounts in which it may be deployed too, unseen
    departure: Departure | None = None  #: what the activity log says of the deployment's end
    owner_tag: str = "owner"
    is_of_alert: bool = False  #: it is one alert that was asked for; what it is about is told along
    served_as_of: datetime | None = None  #: the oldest reading of deployments on which `served` rests
    obstacle: str = ""  #: what is in the way of making the deployment again

    @property
    def recipe(self) -> Recipe | None:
        """How to make the deployment again; `None`: there is none, or it serves a base model."""
        if self.deployment is None or (self.standing is not None and not self.standing.is_fine_tuned):
            return None
        return recipe(self.deployment.deployment, obstacle=self.obstacle)

    @property
    def cause(self) -> str:
        """What its `deployment_gone` says was the cause, without the time where that is when it was seen.

        "": it stands, or nothing says so.
        """
        one = self.deployment
        if one is None or one.ended_at is None:
            return ""
        gone = (file.alert.finding for file in self.alerts if file.alert.finding.rule == GONE_RULE)
        told = (found.summary for found in gone if found.subject.incarnation == one.deployment.incarnation)
        return next(told, "").partition(" is gone: ")[2].replace(f" at {moment(one.ended_at)}", "")

    @property
    def is_cause_logged(self) -> bool:
        """Whether `cause` names who deleted it, and so is the activity log's word; clocks are our own reckoning."""
        return self.cause.startswith(("deleted by ", "its account was deleted by "))

    @property
    def account(self) -> Account | None:
        return self.reading.account if self.reading else None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Desk:
    """What every search goes by."""

    routing: Routing | None
    frame: Frame


def find(
    tx: Connection,
    wanted: str,
    frame: Frame,
    *,
    routing: Routing | None,
    only: ResourceKind | None = None,
) -> Dossier:
    """The dossier of an alert's id, a job's id, or NAME or ACCOUNT/NAME of a deployment.

    Of an alert's or a job's id the beginning is enough, also as a table shows it: ``ftjob-9cf3aa…``.

    Args:
        only: What is meant is of this kind, whatever else bears the name; `None`: anything.

    Raises:
        Refused: there is none, or more than one.
    """
    desk = _Desk(routing=routing, frame=frame)
    place, slash, name = wanted.rpartition("/")
    keys = listings.named(tx, place) if slash else None
    jobs: Sequence[RecordedJob] = () if keys == frozenset() else listings.jobs(tx, account_keys=keys, job_id=name)
    lives: Sequence[RecordedDeployment] = [
        one
        for one in listings.deployments(tx, name=name)
        if keys is None or one.deployment.account in keys or one.deployment.key == wanted.lower()
    ]
    if only is ResourceKind.JOB:
        lives = ()
    elif only is ResourceKind.DEPLOYMENT:
        jobs = ()
    jobs, lives = _one_of(tx, wanted, jobs, lives)
    if jobs:
        return _of_job(tx, jobs[0], desk)
    if lives:
        return _of_deployment(tx, lives, desk)
    # Beginnings come last: a whole name may look like the beginning of a job's id or of an alert's fingerprint.
    beginning = name.rstrip(".…")
    if only is None and not slash and (alert := alerts.find(tx, beginning)) is not None:
        return _of_alert(tx, alert, desk)
    if only is None and len(beginning) >= _SHORTEST and keys != frozenset():
        begun = listings.jobs(tx, account_keys=keys, beginning=beginning)
        if jobs := _one_of(tx, wanted, begun, ())[0]:
            return _of_job(tx, jobs[0], desk)
    raise nothing_found(tx, wanted)


def _one_of(
    tx: Connection, wanted: str, jobs: Sequence[RecordedJob], lives: Sequence[RecordedDeployment]
) -> tuple[Sequence[RecordedJob], Sequence[RecordedDeployment]]:
    """One job, or the lives of one deployment.

    Of several, that in an account that is watched now: one that was moved is meant under its new id.

    Raises:
        Refused: there is still more than one.
    """
    homes = {*(one.job.account for one in jobs), *(one.deployment.account for one in lives)}
    if len(jobs) + len({one.deployment.key for one in lives}) <= 1:
        return jobs, lives
    places = listings.places(tx, with_removed=True, keys=homes)
    jobs_here = [one for one in jobs if places[one.job.account].is_watched]
    lives_here = [one for one in lives if places[one.deployment.account].is_watched]
    if jobs_here or lives_here:
        jobs, lives = jobs_here, lives_here
    if len(jobs) + len({one.deployment.key for one in lives}) > 1:
        raise Refused(f"{wanted} is ambiguous: say which of {few(_candidates(places, jobs, lives), _NAMED)}", code=2)
    return jobs, lives


def _candidates(
    places: Mapping[str, Place], jobs: Sequence[RecordedJob], lives: Sequence[RecordedDeployment]
) -> list[str]:
    """What may be meant, by the account's label, or by its id where two bear one label."""
    meant = [(one.job.account, one.job.id) for one in jobs]
    meant += sorted({(one.deployment.account, one.deployment.name) for one in lives})
    names = [f"{places[account].account.label}/{name}" for account, name in meant]
    if len(set(names)) == len(names):
        return names
    return [f"{places[account].account.id}/{name}" for account, name in meant]


def _reading(tx: Connection, key: str) -> Reading:
    """The newest of an account, though it may have left the scope."""
    return listings.accounts(tx, with_removed=True, keys=[key])[0].reading


def _of_alert(tx: Connection, alert: Alert, desk: _Desk) -> Dossier:
    """The alert alone, with what it is about."""
    subject, file = alert.finding.subject, alert_files(tx, [alert], routing=desk.routing, now=desk.frame.now)
    # Alerts over all accounts at once bear none, but may be about what lies in one.
    account = alert.account or subject.id.lower().partition("/deployments/")[0]
    if not listings.places(tx, with_removed=True, keys=[account]):
        return Dossier(alerts=file, is_of_alert=True)
    if subject.kind is ResourceKind.JOB:
        jobs = listings.jobs(tx, account_keys=[account], job_id=subject.incarnation)
        if jobs:
            return replace(_of_job(tx, jobs[0], desk, files=file), is_of_alert=True)
    if subject.kind is ResourceKind.DEPLOYMENT:
        name = subject.id.rpartition("/")[2]
        lives = [one for one in listings.deployments(tx, name=name) if one.deployment.key == subject.id.lower()]
        lives.sort(key=lambda one: one.deployment.incarnation == subject.incarnation, reverse=True)
        if lives:
            return replace(_of_deployment(tx, lives, desk, files=file), is_of_alert=True)
    reading = _reading(tx, account)
    return Dossier(reading=reading, gaps=reading.gaps, alerts=file, owner=owner_of(reading.account), is_of_alert=True)


def _of_job(tx: Connection, one: RecordedJob, desk: _Desk, *, files: tuple[AlertFile, ...] | None = None) -> Dossier:
    reading, job = _reading(tx, one.job.account), one.job
    if files is None:
        found = _foremost(alerts.of_subject(tx, job.account, job.id))
        files = alert_files(tx, found, routing=desk.routing, now=desk.frame.now)
    key = pace_key(reading.account, job)
    changes = _transitions(tx, job.account, ResourceKind.JOB, job.id)
    inside = trainings.load(tx, job.account, {job.id}).get(job.id)
    served = kin.served(tx, job.fine_tuned_model, inside)
    own = trainings.durations(tx, job.account, {job.id}).get(job.id)
    pace = trainings.paces(tx, [key]).get(key)
    unread = trainings.unread(tx, job.account, trainings.read_times(tx, job.account), now=desk.frame.now)
    return Dossier(
        reading=reading,
        job=one,
        gaps=tuple(
            gap
            for gap in reading.gaps
            if gap.section in (Section.JOBS, Section.ACCOUNT, Section.TRAINING) and gap.subject in ("", job.id)
        ),
        alerts=files,
        transitions=changes,
        events=history.events(tx, job.account, job.id)[-MOST:],
        owner=owner_of(reading.account, job=job, owner_tag=desk.frame.owner_tag),
        owner_tag=desk.frame.owner_tag,
        training=inside,
        waits_beside=len(unread) - 1 if job.id in unread else None,
        estimates=announced_ends(job, reversed(changes), first_seen_at=one.first_seen_at),
        pace=_others(pace, own) if pace and own else pace,
        served=served.places,
        served_as_of=served.as_of,
        unread_in=served.unread_in,
    )


def _others(pace: Pace, own: Duration) -> Pace | None:
    """The pace of the other jobs of its kind; `None`: none was seen."""
    queued, ran = list(pace.queued), list(pace.ran)
    for seconds, mine in ((queued, own.queued), (ran, own.ran)):
        if mine in seconds:
            seconds.remove(mine)
    return Pace(queued=tuple(queued), ran=tuple(ran)) if queued or ran else None


def _of_deployment(
    tx: Connection, lives: Sequence[RecordedDeployment], desk: _Desk, *, files: tuple[AlertFile, ...] | None = None
) -> Dossier:
    """The present life where there is one, else the last; with the alerts of all of them."""
    one = lives[0] if files else next((life for life in lives if life.ended_at is None), lives[0])
    deployment, reading = one.deployment, _reading(tx, one.deployment.account)
    if files is None:
        incarnations = {life.deployment.incarnation for life in lives}
        of_all = [alert for life in incarnations for alert in alerts.of_subject(tx, deployment.account, life)]
        mine = [alert for alert in of_all if alert.finding.subject.id.lower() == deployment.key]
        files = alert_files(tx, _foremost(mine), routing=desk.routing, now=desk.frame.now)
    standing = None
    if one.ended_at is None:
        firing = countdowns([file.alert for file in files])
        standing = stand(
            deployment,
            reading,
            alert=firing.get((deployment.key, deployment.incarnation)),
            custom_models=listings.custom_models(tx, [deployment]),
            now=desk.frame.now,
            lifetimes=desk.frame.lifetimes,
            stale_after=desk.frame.stale_after,
            running_since=deployments.state_since(tx, deployment.account, [deployment]).get(deployment.key),
        )
    names = {"", deployment.key, deployment.name.lower()}
    place = {deployment.account, reading.account.label.lower()}
    keeps = operators.keeps(tx, since=desk.frame.now)
    changes = _transitions(tx, deployment.account, ResourceKind.DEPLOYMENT, deployment.name)
    maker, inside = kin.maker_of(tx, deployment)
    made = maker.job.fine_tuned_model if maker else ""
    served = kin.served(tx, made or model_of(deployment.model), inside)
    departure = deployments.departed(tx, changes).departures.get(deployment.key) if one.ended_at else None
    return Dossier(
        reading=reading,
        deployment=one,
        standing=standing,
        keep=next(
            (k for k in keeps if k.deployment.lower() == deployment.name.lower() and k.account.lower() in place), None
        ),
        gaps=tuple(
            gap
            for gap in reading.gaps
            if gap.section in (Section.ACCOUNT, Section.DEPLOYMENTS, Section.METRICS) and gap.subject.lower() in names
        ),
        alerts=files,
        transitions=changes,
        audit=tuple(
            entry
            for key in (deployment.account, reading.account.label)
            for entry in operators.audit(tx, subject=f"{key}/{deployment.name}")
        ),
        owner=owner_of(reading.account, deployment=deployment, owner_tag=desk.frame.owner_tag),
        owner_tag=desk.frame.owner_tag,
        maker=maker,
        checkpoint=next((one for one in inside.checkpoints if one.id == deployment.model), None) if inside else None,
        served=tuple(other for other in served.places if other.deployment.key != deployment.key),
        served_as_of=served.as_of,
        unread_in=served.unread_in,
        departure=departure,
        obstacle=_obstacle(tx, one, reading.account, departure, is_taken=any(life.ended_at is None for life in lives)),
    )


def _obstacle(
    tx: Connection, one: RecordedDeployment, account: Account, departure: Departure | None, *, is_taken: bool
) -> str:
    """What is in the way of making it again, as far as is known.

    Args:
        is_taken: A deployment of its name stands, be it this one.
    """
    place = listings.places(tx, with_removed=True, keys=[account.key])[account.key]
    last = None if place.is_watched else history.last_of_accounts(tx, [account.key]).get(account.key)
    return obstacles.in_the_way(
        one.deployment,
        account.label,
        is_custom=is_fine_tuned(one.deployment.model, listings.custom_models(tx, [one.deployment])),
        stands=one.ended_at is None,
        is_account_gone=last is not None and last.change is Change.GONE,
        is_watched=place.is_watched,
        is_taken=is_taken,
        went_with_account=departure is not None and departure.account_deleted,
    )


def _transitions(tx: Connection, account: str, kind: ResourceKind, name: str) -> tuple[Transition, ...]:
    found = history.transitions(tx, account=account, name=name, limit=MOST)
    return tuple(one for one in found if one.kind is kind)


def _foremost(found: Iterable[Alert]) -> list[Alert]:
    """What fires, the loudest first; then what is over or was told once, the newest first."""
    newest = sorted(found, key=lambda alert: alert.starts_at, reverse=True)
    return sorted(newest, key=lambda alert: 1 if alert.is_event or alert.ends_at else -alert.severity.rank)
