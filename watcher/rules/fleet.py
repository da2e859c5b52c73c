"""Rules over all accounts: one cause behind many gaps, told once. Accounts' own alerts are inhibited by these."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from watcher.resources.changes import ResourceKind
from watcher.resources.snapshot import Gap, GapReason, Plane
from watcher.rules.accounts import PLANE_NAMES, is_of_a_plane
from watcher.rules.discovery import CREDENTIAL, SILENT, common_gap
from watcher.rules.finding import Answer, Cleared, Finding, FindingKind, Severity, Subject, Undecided
from watcher.rules.rule import AccountState, Fleet
from watcher.rules.text import ago, counted, few, moment, rfc3339, sentence

#: Gaps of accounts that say nothing of the common credential, nor of Azure: their own configuration is at fault.
_OWN_FAULT = frozenset({GapReason.KEY, GapReason.NO_ENDPOINT})
#: What stands in the place of an account's label for what discovery met.
_DISCOVERY = "discovery"


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialFailing:
    """Finds a credential that is refused by at least `min_accounts` accounts of a cloud, and accepted by none since.

    That is asked of each plane, and told once for all. Where the cloud has fewer accounts, all of them suffice; so does
    a discovery that is refused all that it asks.
    """

    name: ClassVar[str] = "credential_failing"

    min_accounts: int = 2

    def evaluate(self, fleet: Fleet) -> Iterator[Answer]:
        clouds: defaultdict[str, list[AccountState]] = defaultdict(list)
        for state in fleet.accounts:
            clouds[state.account.cloud].append(state)
        everywhere = common_gap(fleet, CREDENTIAL)
        if everywhere is not None:
            clouds[fleet.cloud] += ()
        for cloud, states in sorted(clouds.items()):
            verdicts = [
                self._judge(plane, states, everywhere if plane is Plane.ARM and cloud == fleet.cloud else None)
                for plane in Plane
            ]
            yield self._answer(fleet, cloud, verdicts)

    def _judge(self, plane: Plane, all_states: list[AccountState], everywhere: Gap | None) -> "_Verdict":
        states = _with_a_say(all_states, plane)
        refused = _hit(states, plane, CREDENTIAL)
        least = min(self.min_accounts, len(states))
        if everywhere is not None:
            refused, least = {_DISCOVERY: everywhere, **refused}, 1
        begun_at = min((gap.at for gap in refused.values()), default=None)
        accepted = [
            state
            for state in states
            if everywhere is None  # which nothing has refuted
            and begun_at is not None
            and (read_at := state.read_at(plane)) is not None
            and read_at >= begun_at
            and not any(gap.plane is plane and is_of_a_plane(gap) for gap in state.gaps)
        ]
        return _Verdict(
            plane=plane,
            refused=refused,
            is_failing=len(refused) >= least and bool(refused) and not accepted,
            is_accepted=bool(accepted),
            is_untried=any(state.polled_at is None for state in states),
        )

    def _answer(self, fleet: Fleet, cloud: str, verdicts: Sequence["_Verdict"]) -> Answer:
        subject = Subject(id=f"credential {cloud}", kind=ResourceKind.CREDENTIAL)
        if any(verdict.is_failing for verdict in verdicts):
            # Where it fails for sure, a plane that has refused it once, and not let it in since, goes with the others.
            failing = [verdict for verdict in verdicts if verdict.refused and not verdict.is_accepted]
            return self._finding(fleet, cloud, subject, failing)
        if any(verdict.is_untried and not verdict.is_accepted for verdict in verdicts):
            return Undecided(rule=self.name, subject=subject, because="some accounts have not been tried yet")
        is_accepted = any(verdict.is_accepted for verdict in verdicts)
        because = "accounts accept the credential again" if is_accepted else "the credential is no longer refused"
        return Cleared(rule=self.name, subject=subject, because=because)

    def _finding(self, fleet: Fleet, cloud: str, subject: Subject, failing: Sequence["_Verdict"]) -> Finding:
        refused = {name: gap for verdict in reversed(failing) for name, gap in verdict.refused.items()}
        where = _all_of([PLANE_NAMES[verdict.plane] for verdict in failing])
        since = min(gap.at for verdict in failing for gap in verdict.refused.values())
        return Finding(
            rule=self.name,
            kind=FindingKind.CONDITION,
            severity=Severity.CRITICAL,
            subject=subject,
            labels={"cloud": cloud, "plane": ",".join(verdict.plane.value for verdict in failing)},
            summary=f"The credential of cloud {cloud} is refused on {where} {_by(refused)}, and accepted by none",
            description=f"{_said_on(failing)} watcher is blind there until this is mended: "
            f"{'; '.join(_UNSEEN[verdict.plane] for verdict in failing)}.",
            action="Check [azure] credential and tenant_id, and whether the secret or certificate has expired; then "
            "run `watcher check-config --online`. A token in a file is read anew by each poll.",
            evidence=_evidence_on(fleet, failing),
            values={
                "accounts": len(refused.keys() - {_DISCOVERY}),
                "planes": ",".join(verdict.plane.value for verdict in failing),
                "since": rfc3339(since),
            },
            occurred_at=since,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Verdict:
    """What one plane of a cloud says of the credential."""

    plane: Plane
    refused: Mapping[str, Gap]  #: by account's label
    is_failing: bool
    is_accepted: bool
    is_untried: bool


#: What cannot be seen where a plane refuses itself.
_UNSEEN = {
    Plane.ARM: "neither new accounts nor deployments that fail or are gone are seen",
    Plane.DATA: "no job that fails or succeeds is seen",
    Plane.METRICS: "coming deletions cannot be seen",
}


def _all_of(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _said_on(failing: Sequence["_Verdict"]) -> str:
    """The first words of each plane, once where they are the same."""
    said = dict.fromkeys(_said(verdict.refused) for verdict in failing)
    return " ".join(said)


def _by(refused: Mapping[str, Gap]) -> str:
    accounts = len(refused.keys() - {_DISCOVERY})
    if _DISCOVERY not in refused:
        return f"by {counted(accounts, 'account')}"
    return f"at discovery and by {counted(accounts, 'account')}" if accounts else "at discovery"


def _evidence_on(fleet: Fleet, failing: Sequence["_Verdict"]) -> str:
    """The evidence of each plane, once for those of which it is the same."""
    planes: defaultdict[str, list[str]] = defaultdict(list)
    for verdict in failing:
        planes[_evidence(fleet, verdict.refused)].append(verdict.plane.value)
    return "; ".join(f"{', '.join(names)}: {evidence}" for evidence, names in planes.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class AzureUnreachable:
    """Finds a plane of a region that is silent for `min_accounts` accounts and more than half of those tried since.

    Accounts are polled one after the other, so those that answered before the silence began say nothing of it.
    Without a region: a plane of a cloud that is silent in all of them, or that gave discovery no answer at all.
    """

    name: ClassVar[str] = "azure_unreachable"

    min_accounts: int = 2

    def evaluate(self, fleet: Fleet) -> Iterator[Answer]:
        clouds: defaultdict[str, defaultdict[str, list[AccountState]]] = defaultdict(lambda: defaultdict(list))
        for state in fleet.accounts:
            if state.account.location:  # given by hand, with ARM unread: these may stand in any region
                clouds[state.account.cloud][state.account.location].append(state)
        everywhere = common_gap(fleet, SILENT)
        for cloud, regions in sorted(clouds.items()):
            for plane in Plane:
                darks = [_look_at(cloud, location, plane, states) for location, states in sorted(regions.items())]
                is_told = everywhere is not None and plane is Plane.ARM and cloud == fleet.cloud
                yield from self._answers(fleet, cloud, plane, darks, is_told=is_told)
        if everywhere is not None:
            yield self._finding_of_discovery(fleet, everywhere)
        elif fleet.cloud not in clouds:  # discovery was silent, and has found no account since
            subject = Subject(id=fleet.cloud, kind=ResourceKind.REGION, incarnation=Plane.ARM.value)
            because = _answers_again(fleet, fleet.cloud, Plane.ARM, ())
            yield Cleared(rule=self.name, subject=subject, because=because)

    def _answers(
        self, fleet: Fleet, cloud: str, plane: Plane, regions: Sequence["_Region"], *, is_told: bool
    ) -> Iterator[Answer]:
        """Of each region, or of all in one: where each is hit, no region is the cause."""
        hit = [region for region in regions if self._is_hit(region)]
        asked = [region for region in regions if region.states]
        everywhere = Subject(id=cloud, kind=ResourceKind.REGION, incarnation=plane.value)
        if hit and len(asked) > 1 and all(region.silent and region.is_mostly_silent for region in asked):
            for region in regions:
                because = "every region with accounts is hit by now, which is told as one"
                yield Cleared(rule=self.name, subject=region.subject, because=because)
            if not is_told:
                yield self._finding(fleet, cloud, plane, everywhere, asked)
            return
        for region in regions:
            yield self._finding(fleet, cloud, plane, region.subject, [region]) if region in hit else self._none(region)
        if any(region.is_untried for region in regions):
            yield Undecided(rule=self.name, subject=everywhere, because=_UNTRIED)
        else:
            yield Cleared(rule=self.name, subject=everywhere, because=_answers_again(fleet, cloud, plane, regions))

    def _is_hit(self, region: "_Region") -> bool:
        return len(region.silent) >= self.min_accounts and region.is_mostly_silent

    def _none(self, region: "_Region") -> Answer:
        if region.is_untried:
            return Undecided(rule=self.name, subject=region.subject, because=_UNTRIED)
        readable = len(region.states) - len(region.all_silent)
        because = f"{readable} of {counted(len(region.states), 'account')} there can be read"
        return Cleared(rule=self.name, subject=region.subject, because=because)

    def _finding(
        self, fleet: Fleet, cloud: str, plane: Plane, subject: Subject, regions: Sequence["_Region"]
    ) -> Finding:
        silent = {name: gap for region in regions for name, gap in region.silent.items()}
        tried = len(silent) + sum(region.answered for region in regions)
        since = min(gap.at for gap in silent.values())
        place = {"location": regions[0].location} if len(regions) == 1 else {}
        where = f"in {regions[0].location} ({cloud})" if place else f"({cloud}) in all {len(regions)} regions"
        page = "this region" if place else "these regions"
        waiting = "" if tried == sum(len(region.states) for region in regions) else " asked since it began"
        return Finding(
            rule=self.name,
            kind=FindingKind.CONDITION,
            severity=Severity.CRITICAL,
            subject=subject,
            labels={"cloud": cloud, **place, "plane": plane.value},
            summary=f"Azure {where} gives no answer on {PLANE_NAMES[plane]} for {len(silent)} of "
            f"{counted(tried, 'account')}{waiting}",
            description=f"{_said(silent)} One cause is likely, at Azure or in the network of watcher; the accounts' "
            "own alerts about this are held back where the configuration inhibits them.",
            action=f"Look at Azure's status page for {page}, and check name resolution, proxy and outgoing network "
            "where watcher runs. watcher tries again at each poll.",
            evidence=_evidence(fleet, silent),
            values={"accounts": len(silent), "tried": tried, "since": rfc3339(since)},
            occurred_at=since,
        )

    def _finding_of_discovery(self, fleet: Fleet, gap: Gap) -> Finding:
        said = _said({_DISCOVERY: gap}).replace("The first of them says", "Azure or the network says")
        return Finding(
            rule=self.name,
            kind=FindingKind.CONDITION,
            severity=Severity.CRITICAL,
            subject=Subject(id=fleet.cloud, kind=ResourceKind.REGION, incarnation=Plane.ARM.value),
            labels={"cloud": fleet.cloud, "plane": Plane.ARM.value},
            summary=f"Azure ({fleet.cloud}) gives discovery no answer on {PLANE_NAMES[Plane.ARM]}",
            description=f"{said} One cause is likely, at Azure or in the network of watcher; no account can be found, "
            "and those that are known may not be readable either.",
            action="Check name resolution, proxy and outgoing network where watcher runs, [azure] cloud and, in a "
            "custom cloud, management_url; look at Azure's status page. watcher tries again by itself.",
            evidence=_evidence(fleet, {_DISCOVERY: gap}),
            values={"accounts": 0, "tried": 0, "since": rfc3339(gap.at)},
            occurred_at=gap.at,
        )


_UNTRIED = "some accounts have not been tried yet"


def _answers_again(fleet: Fleet, cloud: str, plane: Plane, regions: Sequence["_Region"]) -> str:
    """Why no cause behind a whole plane is seen any more, be it that regions or that discovery had no answer."""
    states = sum(len(region.states) for region in regions)
    answered = states - sum(len(region.all_silent) for region in regions)
    if answered:
        return f"Azure answers again on {PLANE_NAMES[plane]} for {answered} of {counted(states, 'account')}"
    if plane is Plane.ARM and cloud == fleet.cloud:
        return "discovery, or an account, has had an answer since"
    return "too few accounts are silent by now to see one cause behind them"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Region:
    """What the accounts of a region say of one plane."""

    location: str
    subject: Subject
    states: Sequence[AccountState]  #: those with a say
    all_silent: Mapping[str, Gap]  #: by account's label
    silent: Mapping[str, Gap]  #: those that fell silent together
    answered: int  #: how many have answered since

    @property
    def is_mostly_silent(self) -> bool:
        return len(self.silent) > self.answered

    @property
    def is_untried(self) -> bool:
        return any(state.polled_at is None for state in self.states)


def _look_at(cloud: str, location: str, plane: Plane, all_states: list[AccountState]) -> _Region:
    states = _with_a_say(all_states, plane)
    silent = _hit((state for state in states if state.polled_at is not None), plane, SILENT)
    began = sorted(gap.at for gap in silent.values())
    answers = sorted(
        at for state in states if state.account.label not in silent and (at := _answered_at(state, plane)) is not None
    )

    def answered_since(at: datetime) -> int:
        return len(answers) - bisect_left(answers, at)

    # Some may be dead for a reason of their own, long before the others fell silent.
    since = next((at for n, at in enumerate(began) if len(began) - n > answered_since(at)), None)
    together = {name: gap for name, gap in silent.items() if since is not None and gap.at >= since}
    return _Region(
        location=location,
        subject=Subject(id=f"{cloud} {location}", kind=ResourceKind.REGION, incarnation=plane.value),
        states=states,
        all_silent=silent,
        silent=together,
        answered=0 if since is None else answered_since(since),
    )


def _answered_at(state: AccountState, plane: Plane) -> datetime | None:
    """When an account that is not silent was last heard on a plane, be it that it refused; `None`: never."""
    is_refused = any(gap.plane is plane and is_of_a_plane(gap) for gap in state.gaps)
    return state.polled_at if is_refused else state.read_at(plane)


def _with_a_say(states: Iterable[AccountState], plane: Plane) -> list[AccountState]:
    """Without the accounts that their own configuration keeps from being asked there."""
    return [
        state
        for state in states
        if not any(gap.plane is plane and gap.reason in _OWN_FAULT and not gap.subject for gap in state.gaps)
    ]


def _hit(states: Iterable[AccountState], plane: Plane, reasons: frozenset[GapReason]) -> dict[str, Gap]:
    """The accounts of which a whole section of the plane is unread for these reasons, by label, with the first gap."""
    hit: dict[str, Gap] = {}
    for state in states:
        gaps = [gap for gap in state.gaps if gap.plane is plane and gap.reason in reasons and is_of_a_plane(gap)]
        if gaps:
            hit[state.account.label] = min(gaps, key=lambda gap: gap.at)
    return hit


def _said(hit: Mapping[str, Gap]) -> str:
    message = next((gap.message for gap in hit.values() if gap.message.strip()), "")
    return f"The first of them says: {sentence(message)}" if message else "No reason was given."


def _evidence(fleet: Fleet, hit: Mapping[str, Gap]) -> str:
    first = min(gap.at for gap in hit.values())
    named = few(sorted(hit), 10)
    reasons = ", ".join(sorted({gap.reason.value for gap in hit.values()}))
    return f"unread since {moment(first)} ({ago(first, fleet.now)}): {named}; reasons: {reasons}"
