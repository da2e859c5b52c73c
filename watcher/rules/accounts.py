"""Rules about what `watcher` cannot see: one alert for each plane of an account, with the cure that its cause asks for.

These rules read the open gaps, which every poll renews or closes, so they are never undecided.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from watcher.resources.account import Account
from watcher.resources.changes import ResourceKind
from watcher.resources.snapshot import FORBIDDEN_REASONS, Gap, GapReason, Plane, Section
from watcher.rules import commands
from watcher.rules.finding import Answer, Cleared, Finding, FindingKind, Severity, Subject
from watcher.rules.labels import account_labels, portal_link
from watcher.rules.rule import View
from watcher.rules.sight import REASONS
from watcher.rules.text import ago, duration, moment, rfc3339, sentence

PLANE_NAMES = {
    Plane.ARM: "the control plane (accounts and deployments)",
    Plane.DATA: "the data plane (fine-tuning jobs)",
    Plane.METRICS: "the metrics",
}

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

#: A single job or deployment that cannot be read is no outage of its account until it has lasted this long.
_SINGLE_AFTER = timedelta(hours=1)


def plane_subject(account: Account, plane: Plane) -> Subject:
    """The subject of the alerts about one plane of an account."""
    return Subject(id=account.key, kind=ResourceKind.ACCOUNT, incarnation=plane.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountUnreachable:
    """Finds planes that give no answer, or none that makes sense, for at least `after`."""

    name: ClassVar[str] = "account_unreachable"

    after: timedelta = timedelta()

    def evaluate(self, view: View) -> Iterator[Answer]:
        for plane in Plane:
            after = max(self.after, _SINGLE_AFTER)
            gaps = [
                gap
                for gap in _gaps(view, plane, UNREACHABLE)
                if view.now - gap.at >= (after if gap.subject else self.after)
            ]
            if gaps:
                yield self._finding(view, plane, gaps)
            else:
                yield from _cleared(self.name, view, plane, UNREACHABLE)

    def _finding(self, view: View, plane: Plane, gaps: list[Gap]) -> Finding:
        first = gaps[0]
        whose = f" for {first.subject}" if first.subject else ""
        return _finding_for(
            self.name,
            view,
            plane,
            gaps,
            summary=f"{view.account.label} cannot be read on {PLANE_NAMES[plane]}{whose}: {REASONS[first.reason]}",
            action=_reach(view.account, plane, first.reason),
        )


def _reach(account: Account, plane: Plane, reason: GapReason) -> str:
    if reason is GapReason.NO_ENDPOINT:
        return (
            "ARM names no address of this account that a token may be sent to: none at all, or plain http. Set "
            f'`endpoint = "https://…"` in its entry of [[azure.accounts]] with resource_id = "{account.id}".'
        )
    where = account.endpoint if plane is Plane.DATA else "Azure Resource Manager and Azure Monitor of this cloud"
    return (
        f"Check that this address answers from where watcher runs: {where}. If others see it too, look at Azure's "
        "status page; a single failure often mends itself. watcher tries again at each poll."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountForbidden:
    """Finds planes that refuse `watcher` for at least `after`, and names the cure for each kind of refusal."""

    name: ClassVar[str] = "account_forbidden"

    after: timedelta = timedelta()

    def evaluate(self, view: View) -> Iterator[Answer]:
        for plane in Plane:
            gaps = [gap for gap in _gaps(view, plane, REFUSED) if view.now - gap.at >= self.after]
            if gaps:
                yield self._finding(view, plane, gaps)
            else:
                yield from _cleared(self.name, view, plane, REFUSED)

    def _finding(self, view: View, plane: Plane, gaps: list[Gap]) -> Finding:
        first = gaps[0]
        whose = f" for {first.subject}" if first.subject else ""
        return _finding_for(
            self.name,
            view,
            plane,
            gaps,
            summary=f"{view.account.label} refuses watcher on {PLANE_NAMES[plane]}{whose}: {REASONS[first.reason]}",
            action=_cure(view.account, plane, first.reason),
        )


def _cure(account: Account, plane: Plane, reason: GapReason) -> str:
    grant = f"Grant the least role that this plane asks for:\n{commands.assign_role(account.id, plane)}"
    match reason:
        case GapReason.CREDENTIAL:
            return (
                "The token or key was refused (401). Check [azure] credential and the tenant, and whether the secret "
                "has expired; `watcher check-config --online` tries it."
            )
        case GapReason.ROLE:
            return grant
        case GapReason.NETWORK:
            return (
                "The account's firewall or private endpoint keeps watcher out. Add its outgoing address to the "
                "account's network rules, or run watcher inside the network with the private endpoint; see the "
                "account's Networking page, or:\n"
                f"az cognitiveservices account network-rule list -g {account.resource_group} -n {account.name} "
                f"--subscription {account.subscription}"
            )
        case GapReason.KEY:
            return (
                "The account's own api-key was refused (401). Check api_key_env or api_key_file of its entry in "
                f'[[azure.accounts]] with resource_id = "{account.id}": the key may have been renewed, or be of '
                "another account. Without a key watcher comes with a token."
            )
        case GapReason.KEYS_DISABLED:
            return (
                "The account takes no keys (disableLocalAuth). Remove api_key_* from its entry in [[azure.accounts]], "
                f"so that watcher comes with a token. {grant}"
            )
        case GapReason.BLOCKED:
            return (
                "The service has blocked the resource. Nothing on watcher's side helps: open a support request with "
                "Azure, with the request id in the evidence."
            )
    return f"The answer does not say why. A missing role is the usual cause; a network rule is another. {grant}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountThrottled:
    """Finds planes that have been throttled for at least `after`."""

    name: ClassVar[str] = "account_throttled"

    after: timedelta = timedelta()

    def evaluate(self, view: View) -> Iterator[Answer]:
        for plane in Plane:
            gaps = [gap for gap in _gaps(view, plane, THROTTLED) if view.now - gap.at >= self.after]
            if gaps:
                yield _finding_for(
                    self.name,
                    view,
                    plane,
                    gaps,
                    summary=f"{view.account.label} is throttled on {PLANE_NAMES[plane]}",
                    action="Other callers of this subscription may use up the same budget. If not, poll less often: "
                    "raise [poll] quiet, deployments or metrics, or lower concurrency.",
                )
            else:
                yield from _cleared(self.name, view, plane, THROTTLED)


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsStale:
    """Finds accounts whose metrics have stayed unread for at least `after`, for another reason than a refusal.

    A refusal is told by `account_forbidden`, with its cure.
    """

    name: ClassVar[str] = "metrics_stale"

    after: timedelta = timedelta(hours=3)

    def evaluate(self, view: View) -> Iterator[Answer]:
        gap, read_at = view.gap(Section.METRICS), view.reading.usage_at
        subject = plane_subject(view.account, Plane.METRICS)
        if gap is None:
            if read_at is not None:
                because = f"the metrics are readable again, read {moment(read_at)}"
                yield Cleared(rule=self.name, subject=subject, because=because)
        elif gap.reason in REFUSED:
            because = f"the metrics are now refused: {REASONS[gap.reason]}; see account_forbidden"
            yield Cleared(rule=self.name, subject=subject, because=because)
        elif view.now - (read_at or gap.at) >= self.after:
            yield self._finding(view, gap, read_at)

    def _finding(self, view: View, gap: Gap, read_at: datetime | None) -> Finding:
        age = f"for {duration(view.now - read_at)}" if read_at else "since watcher first tried"
        return _finding_for(
            self.name,
            view,
            Plane.METRICS,
            [gap],
            summary=f"Metrics of {view.account.label} have not been read {age}: {REASONS[gap.reason]}",
            remark="Until they are, the idle clocks of its deployments cannot be verified: no new idle warning fires, "
            "and those that fire count down on their last evidence.",
            action="Check that Azure Monitor answers from where watcher runs. A deployment that must not be deleted "
            "can be called by hand meanwhile; `watcher deployments` lists their last known calls.",
        )


def _gaps(view: View, plane: Plane, reasons: frozenset[GapReason]) -> list[Gap]:
    """The open gaps of a plane for these reasons: whole sections first, then the longest-standing."""
    gaps = [gap for gap in view.reading.gaps if gap.plane is plane and gap.reason in reasons]
    return sorted(gaps, key=lambda gap: (bool(gap.subject), gap.at, gap.section, gap.subject))


def _finding_for(
    rule: str, view: View, plane: Plane, gaps: list[Gap], *, summary: str, action: str, remark: str = ""
) -> Finding:
    first = gaps[0]
    since = min(gap.at for gap in gaps)
    said = f"Azure or the network says: {sentence(first.message)}" if first.message.strip() else "No reason was given."
    concerns = remark or "What cannot be read is neither announced nor resolved; alerts about it stay as they were."
    return Finding(
        rule=rule,
        kind=FindingKind.CONDITION,
        severity=Severity.WARNING,
        subject=plane_subject(view.account, plane),
        labels={**account_labels(view.account), "plane": plane.value},
        summary=summary,
        description=f"{said} {concerns}",
        action=action,
        evidence="; ".join(
            [*(_gap_evidence(gap, view.now) for gap in gaps[:5]), *_more(gaps), _last_read(view, plane)]
        ),
        values={"since": rfc3339(since), "reason": first.reason.value, "status": first.status},
        links=portal_link(view.account),
        occurred_at=since,
    )


def _gap_evidence(gap: Gap, now: datetime) -> str:
    what = f"{gap.section.value} ({gap.subject})" if gap.subject else gap.section.value
    status = f", HTTP {gap.status}" if gap.status else ""
    request = f", request {gap.request_id}" if gap.request_id else ""
    return f"{what} unread since {moment(gap.at)} ({ago(gap.at, now)}): {gap.reason.value}{status}{request}"


def _more(gaps: list[Gap]) -> Iterator[str]:
    if len(gaps) > 5:
        yield f"and {len(gaps) - 5} more"


def _read_at(view: View, plane: Plane) -> datetime | None:
    return {
        Plane.ARM: view.reading.deployments_at,
        Plane.DATA: view.reading.jobs_at,
        Plane.METRICS: view.reading.usage_at,
    }[plane]


def _last_read(view: View, plane: Plane) -> str:
    read_at = _read_at(view, plane)
    return f"last read {moment(read_at)} ({ago(read_at, view.now)})" if read_at else "never read so far"


def _cleared(rule: str, view: View, plane: Plane, reasons: frozenset[GapReason]) -> Iterator[Cleared]:
    """Why a plane's alert no longer holds, where that can be said."""
    if not (view.reading.gaps or view.closed_gaps):
        return  # the usual case
    subject = plane_subject(view.account, plane)
    others = [gap for gap in view.reading.gaps if gap.plane is plane and not gap.subject and gap.reason not in reasons]
    read_at = _read_at(view, plane)
    if others:
        yield Cleared(rule=rule, subject=subject, because=f"the cause has changed: {REASONS[others[0].reason]}")
    elif view.closed_gaps and read_at is not None and not _gaps(view, plane, reasons):
        closed = [gap.at for gap in view.closed_gaps if gap.plane is plane and gap.reason in reasons]
        unread = f"; unread for {duration(read_at - min(closed))}" if closed else ""
        yield Cleared(rule=rule, subject=subject, because=f"readable again since {moment(read_at)}{unread}")
