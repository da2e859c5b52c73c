"""What could not be read of a deployment or a job, in words: the grounds on which a rule says that it cannot decide."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from watcher.resources.changes import Change, ResourceKind, Transition
from watcher.resources.deployment import Deployment, Usage
from watcher.resources.snapshot import Gap, GapReason, Section
from watcher.rules.finding import Subject
from watcher.rules.rule import View
from watcher.rules.text import ago, moment

#: Why a section stays unread, as the end of a sentence.
REASONS = {
    GapReason.CREDENTIAL: "the credential was refused",
    GapReason.ROLE: "a role is missing",
    GapReason.NETWORK: "a firewall or private endpoint keeps watcher out",
    GapReason.KEY: "the account's own api-key was refused",
    GapReason.KEYS_DISABLED: "the account takes no keys",
    GapReason.BLOCKED: "the service has blocked the resource",
    GapReason.FORBIDDEN: "access was refused",
    GapReason.THROTTLED: "Azure throttles the requests",
    GapReason.UNREACHABLE: "no answer came",
    GapReason.NO_ENDPOINT: "ARM names no usable data-plane address",
    GapReason.BROKEN: "Azure answered with an error",
    GapReason.NOT_FOUND: "the address was not found",
    GapReason.INCOMPLETE: "the answer was incomplete",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """What a rule would need and does not have."""

    because: str
    since: datetime | None = None  #: when it was last read
    is_old: bool = False  #: it was read, too long ago


def unread_section(view: View, section: Section) -> Unread | None:
    """Why a whole section's reading does not count as present, or `None`."""
    if view.is_verified(section):
        return None
    read_at = _read_at(view, section)
    if gap := view.gap(section):
        return Unread(because=f"{_about(section)} could not be read: {REASONS[gap.reason]}", since=read_at)
    return Unread(because=f"{_about(section)} have not been read yet", since=read_at)


def _read_at(view: View, section: Section) -> datetime | None:
    reading = view.reading
    return {
        Section.JOBS: reading.jobs_at,
        Section.TRAINING: reading.jobs_at,
        Section.DEPLOYMENTS: reading.deployments_at,
        Section.METRICS: reading.usage_at,
        Section.FILES: reading.files_at,
        Section.MODELS: reading.models_at,
    }.get(section)


#: What is found after more readings than this were missed was found late, and its evidence says so.
_MISSED_READINGS = 3
#: Nor is anything found late for less than this, however often it is read.
_LATE = timedelta(minutes=5)


def late(view: View, section: Section) -> str:
    """`found late: …`, where this reading of the section came long after the one before; else nothing."""
    return late_between(view, section, view.previous_at.get(section), _read_at(view, section))


def late_between(view: View, section: Section, since: datetime | None, until: datetime | None) -> str:
    """The same for two readings that are known by their times."""
    every = view.cadence.get(section)
    if every is None or since is None or until is None or until - since <= max(_MISSED_READINGS * every, _LATE):
        return ""
    return f"found late: {_about(section)} were not read between {moment(since)} and {moment(until)}"


def unread_deployment(view: View, deployment: Deployment) -> Unread | None:
    """Why the deployment's own state does not count as present, or `None`."""
    if unread := unread_section(view, Section.DEPLOYMENTS):
        return unread
    if gap := _gap_of(view, Section.DEPLOYMENTS, deployment):
        return Unread(because=f"the deployment could not be read: {REASONS[gap.reason]}", since=gap.at)
    return None


def unread_usage(view: View, deployment: Deployment, stale_after: timedelta) -> Unread | None:
    """Why the deployment's calls are not known up to the present, or `None`."""
    usage = usage_of(view, deployment)
    since = usage.read_to if usage else None
    if unread := unread_section(view, Section.METRICS):
        return Unread(because=unread.because, since=since or unread.since)
    if gap := _gap_of(view, Section.METRICS, deployment):
        return Unread(because=f"its metrics could not be read: {REASONS[gap.reason]}", since=since)
    if usage is None:
        return Unread(because="the metrics have not been read for this deployment yet")
    if view.now - usage.read_to > stale_after + timedelta(seconds=usage.bucket_seconds):
        because = f"the metrics read end {ago(usage.read_to, view.now)}, which is too old"
        return Unread(because=because, since=since, is_old=True)
    return None


def usage_of(view: View, deployment: Deployment) -> Usage | None:
    """What the metrics last told of the deployment, however old."""
    return (view.reading.usage or {}).get(deployment.name.lower())


def known_to(usage: Usage | None, now: datetime) -> datetime:
    """Until when calls are known: metrics rest for hours, and since they were read last there may have been some."""
    return min(usage.read_to, now) if usage else now


def _gap_of(view: View, section: Section, deployment: Deployment) -> Gap | None:
    gaps = view.reading.gaps
    if not gaps:  # as nearly always
        return None
    return next((gap for gap in gaps if gap.section is section and gap.is_about(deployment)), None)


def _about(section: Section) -> str:
    return "the account" if section is Section.ACCOUNT else f"the {section.value}"


def ended_lives(view: View) -> list[tuple[Transition, Subject, str]]:
    """The lives of deployments that this poll saw end: the transition, the life's subject, and the outcome in words."""
    lives = []
    for transition in view.transitions:
        if transition.kind is not ResourceKind.DEPLOYMENT:
            continue
        at = moment(transition.observed_at)
        if transition.change is Change.GONE:
            life, outcome = transition.incarnation, f"the deployment is gone, seen {at}"
        elif transition.change is Change.REPLACED:
            life, outcome = transition.before or "", f"the deployment was replaced by a new one of its name, seen {at}"
        else:
            continue
        subject = Subject(id=transition.resource.lower(), kind=ResourceKind.DEPLOYMENT, incarnation=life)
        lives.append((transition, subject, outcome))
    return lives
