"""Rules about what `watcher` cannot see: one alert for each plane of an account, with the cure that its cause asks for.

These rules read the open gaps, which every poll renews or closes, so they are undecided about one thing alone: whether
what answers 404 is an account that is gone, which the next discovery will say. A plane has a main section; files and
models are read along with it, and that they alone cannot be read is no outage until it has lasted. What of a single
job's training cannot be read is none of theirs.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from watcher.resources.account import Account
from watcher.resources.changes import ResourceKind
from watcher.resources.snapshot import FORBIDDEN_REASONS, PLANE_OF, Gap, GapReason, Plane, Section
from watcher.rules.cures import cure, reach
from watcher.rules.finding import Answer, Cleared, Finding, FindingKind, Severity, Subject, Undecided
from watcher.rules.labels import account_labels, owner_of, portal_link
from watcher.rules.metrics_pace import SELDOM
from watcher.rules.rule import View
from watcher.rules.sight import REASONS
from watcher.rules.text import ago, duration, few, moment, rfc3339, sentence

PLANE_NAMES = {
    Plane.ARM: "the control plane (accounts and deployments)",
    Plane.DATA: "the data plane (fine-tuning jobs)",
    Plane.METRICS: "the metrics",
}

#: The same without what is read there, and the sections by the words for what they hold.
_PLANES = {Plane.ARM: "the control plane", Plane.DATA: "the data plane", Plane.METRICS: "Azure Monitor"}
_CONTENTS = {
    Section.ACCOUNT: "the account itself",
    Section.DEPLOYMENTS: "deployments",
    Section.JOBS: "fine-tuning jobs",
    Section.METRICS: "metrics",
    Section.FILES: "files",
    Section.MODELS: "models",
}
#: Read seldom, and tried again often while they cannot be read: a single failure of theirs is no news.
_SELDOM = frozenset({Section.FILES, Section.MODELS})

UNREACHABLE = frozenset(
    {
        GapReason.UNREACHABLE,
        GapReason.BROKEN,
        GapReason.NOT_FOUND,
        GapReason.INCOMPLETE,
        GapReason.NO_ENDPOINT,
    }
)
REFUSED = FORBIDDEN_REASONS | {GapReason.CREDENTIAL}
THROTTLED = frozenset({GapReason.THROTTLED})

#: Jobs or deployments that a summary names.
_MOST_NAMED = 3

#: An account that was deleted answers 404 everywhere, until the next discovery finds it gone and says so. A single pass
#: discovers just before it reads.
_GONE_AFTER = timedelta(minutes=15)

#: A single job or deployment that cannot be read, or what is read seldom, is no outage until it has lasted this long.
_SINGLE_AFTER = timedelta(hours=1)


def cure_of(account: Account, section: Section | None, reason: GapReason) -> str:
    """What mends that a section of an account cannot be read; "": nothing is known to help but waiting."""
    plane = PLANE_OF[section or Section.ACCOUNT]
    if reason in REFUSED:
        return cure(account, plane, reason)
    return reach(account, plane, reason) if reason in UNREACHABLE else ""


def rule_of(reason: GapReason) -> str:
    """The rule that tells of gaps for this reason; "": none does."""
    tells = (
        (REFUSED, AccountForbidden.name),
        (UNREACHABLE, AccountUnreachable.name),
        (THROTTLED, AccountThrottled.name),
    )
    return next((rule for reasons, rule in tells if reason in reasons), "")


def plane_subject(account: Account, plane: Plane) -> Subject:
    """The subject of the alerts about one plane of an account."""
    return Subject(id=account.key, kind=ResourceKind.ACCOUNT, incarnation=plane.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountUnreachable:
    """Finds planes that give no answer, or none that makes sense, for at least `after`."""

    name: ClassVar[str] = "account_unreachable"

    after: timedelta = timedelta()

    def evaluate(self, view: View) -> Iterator[Answer]:
        if view.account.is_gone:
            yield from _gone(self.name, view)
            return
        if not (view.reading.gaps or view.closed_gaps):
            return  # as nearly always
        for plane in Plane:
            open_ones = _gaps(view, plane, UNREACHABLE)
            gaps = [gap for gap in open_ones if _lasts(view, gap, self.after)]
            if gaps:
                yield self._finding(view, plane, gaps)
            elif missing := [gap for gap in open_ones if gap.reason is GapReason.NOT_FOUND and is_of_a_plane(gap)]:
                because = "its address answers 404, and whether the account is gone is being looked up"
                subject = plane_subject(view.account, plane)
                yield Undecided(rule=self.name, subject=subject, because=because, since=missing[0].at)
            else:
                yield from _cleared(self.name, view, plane, UNREACHABLE)

    def _finding(self, view: View, plane: Plane, gaps: list[Gap]) -> Finding:
        first = gaps[0]
        return _finding_for(
            self.name,
            view,
            plane,
            gaps,
            summary=f"{view.account.label} cannot be read on {_where(plane, gaps)}{_whose(gaps)}: "
            f"{REASONS[first.reason]}",
            action=reach(view.account, plane, first.reason),
        )


def _whose(gaps: list[Gap]) -> str:
    """The jobs or deployments that cannot be read, where the others can; by name, for a summary is one line."""
    if not all(gap.subject for gap in gaps):
        return ""
    return f" for {few(list(dict.fromkeys(gap.subject.rpartition('/')[2] for gap in gaps)), _MOST_NAMED)}"


def _where(plane: Plane, gaps: list[Gap]) -> str:
    sections = dict.fromkeys(_CONTENTS[gap.section] for gap in gaps)
    return f"{_PLANES[plane]} ({', '.join(sections)})"


def _lasts(view: View, gap: Gap, after: timedelta) -> bool:
    """Whether a gap has stood for long enough to be more than one failure."""
    if gap.subject:  # it is looked at again when its whole section is due
        after = max(after, view.cadence.get(gap.section, timedelta()), _SINGLE_AFTER)
    elif gap.section in _SELDOM:
        after = max(after, _SINGLE_AFTER)
    if gap.reason is GapReason.NOT_FOUND and not view.is_single_pass:
        after = max(after, _GONE_AFTER)
    return view.now - gap.at >= after


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountForbidden:
    """Finds planes that refuse `watcher` for at least `after`, and names the cure for each kind of refusal."""

    name: ClassVar[str] = "account_forbidden"

    after: timedelta = timedelta()

    def evaluate(self, view: View) -> Iterator[Answer]:
        if view.account.is_gone:
            yield from _gone(self.name, view)
            return
        if not (view.reading.gaps or view.closed_gaps):
            return  # as nearly always
        for plane in Plane:
            gaps = [gap for gap in _gaps(view, plane, REFUSED) if view.now - gap.at >= self.after]
            if gaps:
                yield self._finding(view, plane, gaps)
            else:
                yield from _cleared(self.name, view, plane, REFUSED)

    def _finding(self, view: View, plane: Plane, gaps: list[Gap]) -> Finding:
        first = gaps[0]
        return _finding_for(
            self.name,
            view,
            plane,
            gaps,
            summary=f"{view.account.label} refuses watcher on {_where(plane, gaps)}{_whose(gaps)}: "
            f"{REASONS[first.reason]}",
            action=cure(view.account, plane, first.reason),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountThrottled:
    """Finds planes that have been throttled for at least `after`."""

    name: ClassVar[str] = "account_throttled"

    after: timedelta = timedelta()

    def evaluate(self, view: View) -> Iterator[Answer]:
        if view.account.is_gone:
            yield from _gone(self.name, view)
            return
        if not (view.reading.gaps or view.closed_gaps):
            return  # as nearly always
        for plane in Plane:
            gaps = [
                gap
                for gap in _gaps(view, plane, THROTTLED)
                if view.now - gap.at >= self.after and (gap.section not in _SELDOM or _lasts(view, gap, self.after))
            ]
            if gaps:
                yield _finding_for(
                    self.name,
                    view,
                    plane,
                    gaps,
                    summary=f"{view.account.label} is throttled on {_where(plane, gaps)}",
                    action="Other callers of this subscription may use up the same budget. If not, poll less often: "
                    "raise [poll] quiet, deployments or metrics, or lower concurrency.",
                )
            else:
                yield from _cleared(self.name, view, plane, THROTTLED)


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsStale:
    """Finds accounts whose metrics have stayed unread for at least `after`, for another reason than a refusal.

    The time counts from when they were due and not read, since they are read seldom where no deletion is near. A
    refusal is told by `account_forbidden`, with its cure.
    """

    name: ClassVar[str] = "metrics_stale"

    after: timedelta = timedelta(hours=3)

    def evaluate(self, view: View) -> Iterator[Answer]:
        if view.account.is_gone:
            yield from _gone(self.name, view)
            return
        gap, read_at = view.gap(Section.METRICS), view.reading.usage_at
        if gap is None and view.is_calm:
            return  # as nearly always
        subject = plane_subject(view.account, Plane.METRICS)
        if gap is None:
            if read_at is not None:
                because = f"the metrics are readable again, read {moment(read_at)}"
                yield Cleared(rule=self.name, subject=subject, because=because)
        elif gap.reason in REFUSED:
            because = f"the metrics are now refused: {REASONS[gap.reason]}; see account_forbidden"
            yield Cleared(rule=self.name, subject=subject, because=because)
        elif view.now - _due_at(view, gap, read_at) >= self.after:
            yield self._finding(view, gap, read_at)

    def _finding(self, view: View, gap: Gap, read_at: datetime | None) -> Finding:
        age = f"for {duration(view.now - read_at)}" if read_at else "since watcher first tried"
        return _finding_for(
            self.name,
            view,
            Plane.METRICS,
            [gap],
            summary=f"Metrics of {view.account.label} have not been read {age}: {REASONS[gap.reason]}",
            action="Check that Azure Monitor answers from where watcher runs. A deployment that must not be deleted "
            "can be called by hand meanwhile; `watcher deployments` lists their last known calls.",
        )


def _due_at(view: View, gap: Gap, read_at: datetime | None) -> datetime:
    """From when on the metrics ought to have been read: the failure that was met first, for whatever reason.

    A gap is dated anew when its reason changes; but they are never left alone for longer than the longest wait.
    """
    every = view.cadence.get(Section.METRICS)
    return gap.at if read_at is None or every is None else min(gap.at, read_at + SELDOM * every)


def _gaps(view: View, plane: Plane, reasons: frozenset[GapReason]) -> list[Gap]:
    """The open gaps of a plane for these reasons: whole main sections first, then the longest-standing.

    Those of files and models are left out where the main section is unread for another reason: one alert tells of that.
    """
    of_plane = [gap for gap in view.reading.gaps if gap.plane is plane and gap.section is not Section.TRAINING]
    is_told_elsewhere = any(is_of_a_plane(gap) and gap.reason not in reasons for gap in of_plane)
    gaps = [gap for gap in of_plane if gap.reason in reasons and not (is_told_elsewhere and gap.section in _SELDOM)]
    return sorted(gaps, key=lambda gap: (not is_of_a_plane(gap), bool(gap.subject), gap.at, gap.section, gap.subject))


def is_of_a_plane(gap: Gap) -> bool:
    """Whether a gap says something of its whole plane, and so of credential, network and region."""
    return not gap.subject and gap.section not in _SELDOM and gap.section is not Section.TRAINING


#: What it means that something cannot be read.
_STANDS_STILL = "What cannot be read is neither announced nor resolved; alerts about it stay as they were."
_IDLE_CLOCKS = (
    "Until they can be read, the idle clocks of its deployments cannot be verified: no new idle warning fires, and "
    "those that fire count down on their last evidence."
)


def _finding_for(rule: str, view: View, plane: Plane, gaps: list[Gap], *, summary: str, action: str) -> Finding:
    first = gaps[0]
    since = min(gap.at for gap in gaps)
    said = f"Azure or the network says: {sentence(first.message)}" if first.message.strip() else "No reason was given."
    return Finding(
        rule=rule,
        kind=FindingKind.CONDITION,
        severity=Severity.WARNING,
        subject=plane_subject(view.account, plane),
        labels={**account_labels(view.account), "plane": plane.value, **cause_label(gaps)},
        summary=summary,
        description=f"{said} {_IDLE_CLOCKS if plane is Plane.METRICS else _STANDS_STILL}",
        action=action,
        evidence="; ".join(
            [*(_gap_evidence(gap, view.now) for gap in gaps[:5]), *_more(gaps), _last_read(view, first.section)]
        ),
        values={
            "since": rfc3339(since),
            "reason": first.reason.value,
            "status": first.status,
            "owner_source": owner_of(view.account).source,
        },
        links=portal_link(view.account),
        occurred_at=since,
    )


def cause_label(gaps: Iterable[Gap]) -> dict[str, str]:
    """The label `cause`, where these are refusals of the credential alone, and so likely many accounts'.

    Inhibition goes by it. What else keeps watcher out is the account's own trouble, and bears no such label.
    """
    return {"cause": "credential"} if all(gap.reason is GapReason.CREDENTIAL for gap in gaps) else {}


def _gap_evidence(gap: Gap, now: datetime) -> str:
    what = f"{gap.section.value} ({gap.subject})" if gap.subject else gap.section.value
    status = f", HTTP {gap.status}" if gap.status else ""
    request = f", request {gap.request_id}" if gap.request_id else ""
    return f"{what} unread since {moment(gap.at)} ({ago(gap.at, now)}): {gap.reason.value}{status}{request}"


def _more(gaps: list[Gap]) -> Iterator[str]:
    if len(gaps) > 5:
        yield f"and {len(gaps) - 5} more"


def _read_at(view: View, section: Section) -> datetime | None:
    return {
        Section.ACCOUNT: view.reading.deployments_at,
        Section.DEPLOYMENTS: view.reading.deployments_at,
        Section.JOBS: view.reading.jobs_at,
        Section.TRAINING: view.reading.jobs_at,
        Section.METRICS: view.reading.usage_at,
        Section.FILES: view.reading.files_at,
        Section.MODELS: view.reading.models_at,
    }[section]


#: What tells that a plane is readable again.
_MAIN = {Plane.ARM: Section.DEPLOYMENTS, Plane.DATA: Section.JOBS, Plane.METRICS: Section.METRICS}


def _last_read(view: View, section: Section) -> str:
    read_at = _read_at(view, section)
    return f"last read {moment(read_at)} ({ago(read_at, view.now)})" if read_at else "never read so far"


def _gone(rule: str, view: View) -> Iterator[Cleared]:
    """There is nothing to be read any more; what was met just before told of that."""
    for plane in Plane:
        yield Cleared(rule=rule, subject=plane_subject(view.account, plane), because="its account is gone")


def _cleared(rule: str, view: View, plane: Plane, reasons: frozenset[GapReason]) -> Iterator[Cleared]:
    """Why a plane's alert no longer holds, where that can be said."""
    subject = plane_subject(view.account, plane)
    others = [g for g in view.reading.gaps if g.plane is plane and is_of_a_plane(g) and g.reason not in reasons]
    closed = [gap for gap in view.closed_gaps if gap.plane is plane and gap.reason in reasons]
    seldom = {gap.section for gap in closed}
    read_at = _read_at(view, seldom.pop() if len(seldom) == 1 else _MAIN[plane])
    if others:
        yield Cleared(rule=rule, subject=subject, because=f"the cause has changed: {REASONS[others[0].reason]}")
    elif view.closed_gaps and read_at is not None and not any(map(is_of_a_plane, _gaps(view, plane, reasons))):
        begun_at = min((gap.at for gap in closed), default=None)
        unread = f"; unread for {duration(read_at - begun_at)}" if begun_at else ""
        yield Cleared(rule=rule, subject=subject, because=f"readable again since {moment(read_at)}{unread}")
