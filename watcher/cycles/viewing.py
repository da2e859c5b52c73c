"""The view that the rules are shown of an account: what a snapshot said, beside what the store knows."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from watcher.alerts.alert import Alert
from watcher.cycles.judgement import Cadence, Judgement
from watcher.resources.changes import ESTIMATED_FINISH, STATUS, Change, ResourceKind, Transition, started_at
from watcher.resources.departure import Departure, latest_word
from watcher.resources.deployment import Deployment
from watcher.resources.estimates import announced_ends
from watcher.resources.fine_tuning import FineTuningJob, JobStatus
from watcher.resources.merging import closed_gaps
from watcher.resources.snapshot import Reading, Section, Snapshot
from watcher.resources.training import Estimates
from watcher.rules.finding import Subject
from watcher.rules.job_cost import is_billed_by_hours
from watcher.rules.pace import pace_key
from watcher.rules.rule import View, deployment_subject
from watcher.store import deployments, history, observations, tellings, trainings


def view_of(
    tx: Connection,
    stored: observations.Stored,
    current: Reading,
    snapshot: Snapshot,
    transitions: Sequence[Transition],
    judgement: Judgement,
    firing: Sequence[Alert],
) -> View:
    """The view after a snapshot whose nouns have been saved; `firing`: the open conditions of the account."""
    previous, account = stored.reading, snapshot.account
    lives = {(d.key, d.incarnation) for d in current.deployments or ()}
    departed = {key: d for key, d in stored.departed.items() if (key, d.incarnation) not in lives}  # Azure may err
    ended = {**departed, **_ended(previous, transitions)}
    status_since, undated = _dates(stored, snapshot, transitions)
    under_way = [job for job in current.jobs or () if not job.status.has_ended]
    training = {**stored.training, **snapshot.training}
    by_hours = [job for job in current.jobs or () if is_billed_by_hours(job, status_since.get(job.id), snapshot.at)]
    return View(
        now=snapshot.at,
        reading=current,
        transitions=(*stored.undecided, *transitions),
        events=snapshot.events,
        status_since=status_since,
        undated=undated,
        deployment_state_since=deployments.state_since(tx, account.key, current.deployments or ()),
        ended_deployments=ended,
        departures={**stored.departures, **_departures(stored, snapshot)},
        custom_models=observations.custom_models(tx, account.key, (*(current.deployments or ()), *ended.values())),
        closed_gaps=closed_gaps(previous, current),
        told=_told(tx, stored, ended.values(), firing, now=snapshot.at),
        owner_tag=judgement.owner_tag,
        training={job.id: training[job.id] for job in current.jobs or () if job.id in training},
        paces=trainings.paces(tx, (pace_key(account, job) for job in under_way)),
        estimates=_estimates(tx, account.key, under_way, stored.first_seen_at, now=snapshot.at),
        phases=_phases(tx, account.key, by_hours),
        logs={job.id: history.events(tx, account.key, job.id) for job in by_hours},
        previous_at=read_times(previous),
        cadence=judgement.cadence.waits(is_active=is_active(previous)),
        retail=judgement.tariff.of(tx),
        is_single_pass=judgement.is_single_pass,
    )


def _dates(
    stored: observations.Stored, snapshot: Snapshot, transitions: Iterable[Transition]
) -> tuple[dict[str, datetime], frozenset[str]]:
    """Since when jobs have their status, and those of which that is only when they were first seen so.

    As it was saved: what was first seen running is dated by its own log, where that says when it started.
    """
    last = {t.name: t for t in transitions if t.is_job_status}
    since = {**stored.status_since, **{id_: t.occurred_at or t.observed_at for id_, t in last.items()}}
    undated = (stored.undated - last.keys()) | {id_ for id_, t in last.items() if t.occurred_at is None}
    runs = {job.id for job in stored.reading.jobs or () if job.status is JobStatus.RUNNING} - last.keys()
    runs |= {id_ for id_, t in last.items() if t.after == JobStatus.RUNNING}
    for id_ in runs & undated & snapshot.events.keys():
        began = started_at(snapshot.events[id_])
        if began is not None and since[id_] == stored.first_seen_at.get(id_, snapshot.at):
            since[id_] = began
            undated -= {id_}
    return since, undated


def _departures(stored: observations.Stored, snapshot: Snapshot) -> dict[str, Departure]:
    """What the log says of deployments that it was asked about now."""
    return {key: latest_word(stored.departures.get(key), read) for key, read in snapshot.departures.items()}


def remembered_view(view: View, cadence: Cadence) -> View:
    """The view for the polls to come, as long as nothing changes: without what was new, and jobs that have ended.

    Rules that look into jobs that have ended find nothing in it; where such an alert is open, that would end it, which
    is a change, and then all is loaded.
    """
    reading = view.reading
    jobs = reading.jobs and tuple(job for job in reading.jobs if not job.status.has_ended)
    kept = {job.id for job in jobs or ()}
    return replace(
        view,
        reading=replace(
            view.reading, jobs=jobs, files=_nothing(view.reading.files), models=_nothing(view.reading.models)
        ),
        transitions=(),
        events={},
        status_since={id_: since for id_, since in view.status_since.items() if id_ in kept},
        undated=view.undated & kept,
        training={id_: training for id_, training in view.training.items() if id_ in kept},
        phases={id_: phases for id_, phases in view.phases.items() if id_ in kept},
        logs={id_: log for id_, log in view.logs.items() if id_ in kept},
        ended_deployments={},
        departures={},
        told={},
        closed_gaps=(),
        cadence=cadence.waits(is_active=bool(jobs)),
        retail=None,  # one for all accounts, and long: each poll takes the newest
    )


def _nothing(nouns: tuple[object, ...] | None) -> tuple[()] | None:
    """Without those that are known; whether they were ever read is kept."""
    return None if nouns is None else ()


def next_due(
    view: View, snapshot: Snapshot, cadence: Cadence, *, metrics_due: datetime | None = None
) -> dict[Section, datetime]:
    """When the sections that were asked are due again; metrics earlier too where what is new no longer lets them wait.

    What could not be read is tried again at the pace of the jobs, however seldom it is read otherwise, and no sooner.

    Args:
        metrics_due: When metrics are due as stored; `None`: at once, or nothing new was read.
    """
    waits = cadence.waits(is_active=is_active(view.reading))
    due = {section: snapshot.at + waits[section] for section in snapshot.asked if section in waits}
    if cadence.metrics_pace is not None:
        if Section.METRICS in snapshot.asked:
            due[Section.METRICS] = snapshot.at + cadence.metrics_pace(view)
        elif metrics_due is not None and metrics_due > snapshot.at and view.gap(Section.METRICS) is None:
            wanted = max(snapshot.at, (view.reading.usage_at or snapshot.at) + cadence.metrics_pace(view))
            if wanted < metrics_due:
                due[Section.METRICS] = wanted
    for section in snapshot.asked & due.keys():
        if view.gap(section) is not None:
            due[section] = min(due[section], snapshot.at + cadence.quiet)
    return due


def is_active(reading: Reading) -> bool:
    """Whether a job is under way."""
    return any(not job.status.has_ended for job in reading.jobs or ())


def read_times(reading: Reading) -> Mapping[Section, datetime]:
    """When each section was last read, of those that ever were."""
    times = {
        Section.JOBS: reading.jobs_at,
        Section.DEPLOYMENTS: reading.deployments_at,
        Section.METRICS: reading.usage_at,
        Section.FILES: reading.files_at,
        Section.MODELS: reading.models_at,
    }
    return {section: at for section, at in times.items() if at is not None}


def _ended(previous: Reading, transitions: Iterable[Transition]) -> dict[str, Deployment]:
    """The deployments that transitions of now have ended, by key."""
    keys = {t.resource.lower() for t in transitions if t.change in (Change.GONE, Change.REPLACED)}
    return {d.key: d for d in previous.deployments or () if d.key in keys}


#: How long after a deployment's end those who had been told of its alerts are still of interest.
_TOLD_WITHIN = timedelta(days=1)


def _told(
    tx: Connection,
    stored: observations.Stored,
    ended: Iterable[Deployment],
    firing: Sequence[Alert],
    *,
    now: datetime,
) -> dict[Subject, tuple[str, ...]]:
    """Who had been told of the alerts of deployments that have ended, in words."""
    subjects = {deployment_subject(deployment) for deployment in ended}
    if not subjects:
        return {}
    told = tellings.of_subjects(
        tx, stored.reading.account.key, subjects, open_ones=firing, ended_since=now - _TOLD_WITHIN
    )
    return {subject: tuple(_in_words(word, now) for word in words) for subject, words in told.items()}


def _in_words(word: tellings.Word, now: datetime) -> str:
    told, about = word.told, f"{word.rule}, {word.told.step or word.told.severity}"
    if word.delivered_at is not None:
        # Deliveries are stamped by the wall's clock, which may go ahead of ours: in a demo by days.
        at = word.delivered_at if word.delivered_at <= now else told.at
        return f"{told.receiver} at {at:%Y-%m-%d %H:%M} UTC ({about})"
    whether = "perhaps" if word.is_uncertain else "not"
    return f"{whether} {told.receiver}, decided at {told.at:%Y-%m-%d %H:%M} UTC but not delivered ({about})"


def _phases(tx: Connection, account: str, jobs: Iterable[FineTuningJob]) -> dict[str, tuple[Transition, ...]]:
    """How the status of `jobs` changed, oldest first."""
    names = {job.id for job in jobs}
    phases: dict[str, tuple[Transition, ...]] = {}
    for change in history.of_attribute(tx, account, ResourceKind.JOB, STATUS, names):
        phases[change.name] = (*phases.get(change.name, ()), change)
    return phases


def _estimates(
    tx: Connection,
    account: str,
    jobs: Collection[FineTuningJob],
    first_seen_at: Mapping[str, datetime],
    *,
    now: datetime,
) -> dict[str, Estimates]:
    """The ends that the service has announced for jobs under way, each with when it was first seen."""
    names = {job.id for job in jobs if job.announced_finish_at is not None}
    slips: dict[str, list[Transition]] = {}
    for slip in history.of_attribute(tx, account, ResourceKind.JOB, ESTIMATED_FINISH, names):
        slips.setdefault(slip.name, []).append(slip)
    return {
        job.id: announced_ends(job, slips.get(job.id, ()), first_seen_at=first_seen_at.get(job.id, now))
        for job in jobs
        if job.announced_finish_at is not None
    }
