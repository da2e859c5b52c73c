"""Rules over all accounts: one cause behind many gaps, told once. Accounts' own alerts are inhibited by these."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from watcher.resources.changes import ResourceKind
from watcher.resources.snapshot import Gap, GapReason, Plane
from watcher.rules.accounts import PLANE_NAMES
from watcher.rules.finding import Answer, Cleared, Finding, FindingKind, Severity, Subject, Undecided
from watcher.rules.rule import AccountState, Fleet
from watcher.rules.text import ago, counted, moment, rfc3339, sentence

_SILENT = frozenset({GapReason.UNREACHABLE, GapReason.BROKEN})


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialFailing:
    """Finds a credential that is refused by at least `min_accounts` accounts of a cloud, and accepted by none since.

    Where the cloud has fewer accounts, all of them suffice.
    """

    name: ClassVar[str] = "credential_failing"

    min_accounts: int = 2

    def evaluate(self, fleet: Fleet) -> Iterator[Answer]:
        clouds: defaultdict[str, list[AccountState]] = defaultdict(list)
        for state in fleet.accounts:
            clouds[state.account.cloud].append(state)
        for cloud, states in sorted(clouds.items()):
            for plane in Plane:
                yield from self._judge(fleet, cloud, plane, states)

    def _judge(self, fleet: Fleet, cloud: str, plane: Plane, states: list[AccountState]) -> Iterator[Answer]:
        subject = Subject(id=f"credential {cloud}", kind=ResourceKind.CREDENTIAL, incarnation=plane.value)
        refused = _hit(states, plane, frozenset({GapReason.CREDENTIAL}))
        begun_at = min((gap.at for gap in refused.values()), default=None)
        accepted = [
            state
            for state in states
            if begun_at is not None
            and state.polled_at is not None
            and state.polled_at >= begun_at
            and not any(gap.plane is plane and not gap.subject for gap in state.gaps)
        ]
        if len(refused) >= min(self.min_accounts, len(states)) and refused and not accepted:
            yield self._finding(fleet, cloud, plane, subject, refused)
        elif any(state.polled_at is None for state in states) and not accepted:
            yield Undecided(rule=self.name, subject=subject, because="some accounts have not been tried yet")
        else:
            because = "accounts accept the credential again" if accepted else "the credential is no longer refused"
            yield Cleared(rule=self.name, subject=subject, because=because)

    def _finding(self, fleet: Fleet, cloud: str, plane: Plane, subject: Subject, refused: Mapping[str, Gap]) -> Finding:
        return Finding(
            rule=self.name,
            kind=FindingKind.CONDITION,
            severity=Severity.CRITICAL,
            subject=subject,
            labels={"cloud": cloud, "plane": plane.value},
            summary=f"The credential of cloud {cloud} is refused on {PLANE_NAMES[plane]} by "
            f"{counted(len(refused), 'account')}, and accepted by none",
            description=f"{_said(refused)} watcher sees nothing there until this is mended: neither failures of jobs "
            "nor coming deletions.",
            action="Check [azure] credential and tenant_id, and whether the secret or certificate has expired; then "
            "run `watcher check-config --online`. A token in a file is read anew by each poll.",
            evidence=_evidence(fleet, refused),
            values={"accounts": len(refused), "since": rfc3339(min(gap.at for gap in refused.values()))},
            occurred_at=min(gap.at for gap in refused.values()),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AzureUnreachable:
    """Finds a plane of a region that is silent for `min_accounts` accounts and more than half of those tried."""

    name: ClassVar[str] = "azure_unreachable"

    min_accounts: int = 2

    def evaluate(self, fleet: Fleet) -> Iterator[Answer]:
        regions: defaultdict[tuple[str, str], list[AccountState]] = defaultdict(list)
        for state in fleet.accounts:
            regions[state.account.cloud, state.account.location].append(state)
        for (cloud, location), states in sorted(regions.items()):
            for plane in Plane:
                yield self._judge(fleet, cloud, location, plane, states)

    def _judge(self, fleet: Fleet, cloud: str, location: str, plane: Plane, states: list[AccountState]) -> Answer:
        subject = Subject(id=f"{cloud} {location}", kind=ResourceKind.REGION, incarnation=plane.value)
        tried = [state for state in states if state.polled_at is not None]
        silent = _hit(tried, plane, _SILENT)
        if len(silent) >= self.min_accounts and 2 * len(silent) > len(tried):
            return self._finding(fleet, cloud, location, plane, subject, silent, len(tried))
        if len(tried) < len(states):
            return Undecided(rule=self.name, subject=subject, because="some accounts have not been tried yet")
        because = f"{len(tried) - len(silent)} of {counted(len(tried), 'account')} there can be read"
        return Cleared(rule=self.name, subject=subject, because=because)

    def _finding(
        self,
        fleet: Fleet,
        cloud: str,
        location: str,
        plane: Plane,
        subject: Subject,
        silent: Mapping[str, Gap],
        tried: int,
    ) -> Finding:
        since = min(gap.at for gap in silent.values())
        return Finding(
            rule=self.name,
            kind=FindingKind.CONDITION,
            severity=Severity.CRITICAL,
            subject=subject,
            labels={"cloud": cloud, "location": location, "plane": plane.value},
            summary=f"Azure in {location} ({cloud}) gives no answer on {PLANE_NAMES[plane]} for {len(silent)} of "
            f"{counted(tried, 'account')}",
            description=f"{_said(silent)} One cause is likely, at Azure or in the network of watcher; the accounts' "
            "own alerts about this are held back where the configuration inhibits them.",
            action="Look at Azure's status page for this region, and check name resolution, proxy and outgoing network "
            "where watcher runs. watcher tries again at each poll.",
            evidence=_evidence(fleet, silent),
            values={"accounts": len(silent), "tried": tried, "since": rfc3339(since)},
            occurred_at=since,
        )


def _hit(states: Iterable[AccountState], plane: Plane, reasons: frozenset[GapReason]) -> dict[str, Gap]:
    """The accounts of which a whole section of the plane is unread for these reasons, by label, with the first gap."""
    hit: dict[str, Gap] = {}
    for state in states:
        gaps = [gap for gap in state.gaps if gap.plane is plane and gap.reason in reasons and not gap.subject]
        if gaps:
            hit[state.account.label] = min(gaps, key=lambda gap: gap.at)
    return hit


def _said(hit: Mapping[str, Gap]) -> str:
    message = next((gap.message for gap in hit.values() if gap.message.strip()), "")
    return f"The first of them says: {sentence(message)}" if message else "No reason was given."


def _evidence(fleet: Fleet, hit: Mapping[str, Gap]) -> str:
    first = min(gap.at for gap in hit.values())
    named = ", ".join(sorted(hit)[:10]) + (f" and {len(hit) - 10} more" if len(hit) > 10 else "")
    reasons = ", ".join(sorted({gap.reason.value for gap in hit.values()}))
    return f"unread since {moment(first)} ({ago(first, fleet.now)}): {named}; reasons: {reasons}"
