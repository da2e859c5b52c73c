"""Rules about what discovery could not read: a subscription or an account given by hand, which no poll will tell of.

They bear the names of the rules about one account and take the same options. What discovery could read of nothing at
all has one cause, which the rules of `fleet` tell in place of these: see `common_gap`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from watcher.resources.changes import ResourceKind
from watcher.resources.snapshot import Gap, GapReason, Plane
from watcher.rules import commands
from watcher.rules.accounts import REFUSED, THROTTLED, UNREACHABLE, cause_label
from watcher.rules.finding import Answer, Finding, FindingKind, Severity, Subject
from watcher.rules.rule import Fleet
from watcher.rules.sight import REASONS
from watcher.rules.text import ago, moment, rfc3339, sentence

CREDENTIAL = frozenset({GapReason.CREDENTIAL})
SILENT = frozenset({GapReason.UNREACHABLE, GapReason.BROKEN})


def common_gap(fleet: Fleet, reasons: frozenset[GapReason]) -> Gap | None:
    """The first gap of a discovery that could read nothing for one of these reasons; `None` where it read something.

    Nothing is: not the list of subscriptions; or none of those it asked; or, where all accounts are given by hand,
    none of them. An account that was read on the control plane since then refutes it.
    """
    gaps = sorted((gap for gap in fleet.discovery_gaps if gap.reason in reasons), key=lambda gap: (gap.at, gap.subject))
    hit = {gap.subject.lower() for gap in gaps}
    asked = {f"/subscriptions/{one.lower()}" for one in fleet.subscriptions}
    if asked:
        is_blind = asked <= hit
    else:
        is_blind = "" in hit or bool(gaps and not fleet.accounts and len(gaps) == len(fleet.discovery_gaps))
    return gaps[0] if is_blind and not _was_read(fleet, gaps[0]) else None


def _was_read(fleet: Fleet, gap: Gap) -> bool:
    return any(state.deployments_at is not None and state.deployments_at >= gap.at for state in fleet.accounts)


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoveryUnreachable:
    """Finds what gave discovery no answer, or none that makes sense, for at least `after`."""

    name: ClassVar[str] = "account_unreachable"

    after: timedelta = timedelta()

    def evaluate(self, fleet: Fleet) -> Iterator[Answer]:
        for gap in _told_here(fleet, UNREACHABLE, common=SILENT, after=self.after):
            summary = f"Discovery cannot read {_what(gap)}: {REASONS[gap.reason]}"
            yield _finding(self.name, fleet, gap, summary, _reach(gap))


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoveryForbidden:
    """Finds what has refused itself to discovery for at least `after`."""

    name: ClassVar[str] = "account_forbidden"

    after: timedelta = timedelta()

    def evaluate(self, fleet: Fleet) -> Iterator[Answer]:
        for gap in _told_here(fleet, REFUSED, common=CREDENTIAL, after=self.after):
            summary = f"Discovery is refused {_what(gap)}: {REASONS[gap.reason]}"
            yield _finding(self.name, fleet, gap, summary, _cure(gap))


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoveryThrottled:
    """Finds what Azure has kept from discovery by throttling for at least `after`."""

    name: ClassVar[str] = "account_throttled"

    after: timedelta = timedelta()

    def evaluate(self, fleet: Fleet) -> Iterator[Answer]:
        for gap in _told_here(fleet, THROTTLED, common=frozenset(), after=self.after):
            action = (
                "Other callers of this subscription may use up the same budget. If not, lower [poll] concurrency. "
                "watcher tries again at its next discovery."
            )
            yield _finding(self.name, fleet, gap, f"Discovery is throttled at {_what(gap)}", action)


def _told_here(
    fleet: Fleet, reasons: frozenset[GapReason], *, common: frozenset[GapReason], after: timedelta
) -> Iterator[Gap]:
    """The gaps that these rules tell: not those of accounts that are polled, nor those with one cause behind all."""
    polled = {state.account.key for state in fleet.accounts}
    told_as_one = common if common_gap(fleet, common) else frozenset[GapReason]()
    subjects = set()
    for gap in fleet.discovery_gaps:
        is_due = gap.reason in reasons - told_as_one and fleet.now - gap.at >= after
        if is_due and gap.subject.lower() not in polled and gap.subject not in subjects:
            subjects.add(gap.subject)
            yield gap


def _finding(rule: str, fleet: Fleet, gap: Gap, summary: str, action: str) -> Finding:
    said = f"Azure or the network says: {sentence(gap.message)}" if gap.message.strip() else "No reason was given."
    status = f", HTTP {gap.status}" if gap.status else ""
    request = f", request {gap.request_id}" if gap.request_id else ""
    return Finding(
        rule=rule,
        kind=FindingKind.CONDITION,
        severity=Severity.WARNING,
        subject=_subject(gap),
        labels={"cloud": fleet.cloud, "plane": Plane.ARM.value, **_place(gap), **cause_label([gap])},
        summary=summary,
        description=f"{said} Accounts that are known already go on being watched; what else is there is not seen, "
        "neither failures of jobs nor coming deletions.",
        action=action,
        evidence=f"unread since {moment(gap.at)} ({ago(gap.at, fleet.now)}): {gap.reason.value}{status}{request}",
        values={"since": rfc3339(gap.at), "reason": gap.reason.value, "status": gap.status},
        occurred_at=gap.at,
    )


def _subject(gap: Gap) -> Subject:
    # An account's own rules use its id with the plane: once it is polled, both may be open for a moment.
    incarnation = "discovery" if "accounts" in _segments(gap) else Plane.ARM.value
    return Subject(id=gap.subject.lower() or "subscriptions", kind=ResourceKind.ACCOUNT, incarnation=incarnation)


def _segments(gap: Gap) -> dict[str, str]:
    parts = [part for part in gap.subject.split("/") if part]
    return {kind.lower(): name for kind, name in zip(parts[::2], parts[1::2], strict=False)}


def _place(gap: Gap) -> dict[str, str]:
    segments = _segments(gap)
    kinds = {"subscription": "subscriptions", "resource_group": "resourcegroups", "account": "accounts"}
    return {label: segments[kind] for label, kind in kinds.items() if kind in segments}


def _what(gap: Gap) -> str:
    segments = _segments(gap)
    if "accounts" in segments:
        return f"the account {segments['accounts']} of subscription {segments.get('subscriptions', 'unknown')}"
    return f"subscription {segments['subscriptions']}" if "subscriptions" in segments else "the list of subscriptions"


def _reach(gap: Gap) -> str:
    if gap.reason is GapReason.NOT_FOUND:
        is_account = "accounts" in _segments(gap)
        where = "resource_id in [[azure.accounts]]" if is_account else "[azure.discovery] subscriptions"
        also = "Azure also answers so where the credential has no role there."
        return f"Check {where} and the tenant. {also} {_grant(gap)}"
    return (
        "Check that Azure Resource Manager of this cloud answers from where watcher runs. If others see it too, look "
        "at Azure's status page; a single failure often mends itself. watcher tries again at its next discovery."
    )


def _cure(gap: Gap) -> str:
    if gap.reason is GapReason.CREDENTIAL:
        return (
            "The token was refused (401). Check [azure] credential, and whether this subscription belongs to the "
            "tenant of the credential; `watcher check-config --online` tries it."
        )
    if gap.reason is GapReason.ROLE:
        return _grant(gap)
    if gap.reason is GapReason.BLOCKED:
        return (
            "Enable it again, or name the others in [azure.discovery] subscriptions: then its accounts are no longer "
            "watched."
        )
    return f"The answer does not say that a role is missing, but that is the usual cause. {_grant(gap)}"


def _grant(gap: Gap) -> str:
    scope = gap.subject or "/subscriptions/<id of a subscription to watch>"
    return f"Grant the least role that discovery asks for:\n{commands.assign_role(scope, Plane.ARM)}"
