"""The life of alerts: `advance` takes over what the rules answered. Only this file changes an alert.

Nothing is returned for an alert of which nothing worth storing has changed, so an unchanged poll writes nothing. Worth
storing are severity, step, labels, whether it is verified, the words of the texts and the facts among the values.
Figures are not: time left, cost so far and the evidence's age change at every poll, and are brought up to date
whenever something else changes, above all at each step of a countdown.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from watcher.alerts.alert import Alert, AlertStatus, end, fingerprint, open_alert
from watcher.alerts.step import is_nearer
from watcher.resources.changes import ResourceKind
from watcher.rules.finding import Cleared, Finding, FindingKind, Severity, Subject, Undecided

#: Says for good what became of a deployment, and so why its other alerts ended.
GONE_RULE = "deployment_gone"

NO_LONGER_FOUND = "no longer found"
RULE_DISABLED = "the rule was disabled"

#: What no environment is asked of: these concern all accounts at once, or none.
_FLEET_KINDS = frozenset({ResourceKind.REGION, ResourceKind.CREDENTIAL, ResourceKind.WATCHER})


def advance(
    active: Sequence[Alert],
    findings: Iterable[Finding],
    undecided: Iterable[Undecided] = (),
    cleared: Iterable[Cleared] = (),
    *,
    rules: Collection[str],
    account: str,
    now: datetime,
    enabled: Collection[str] | None = None,
    first_sight: Collection[ResourceKind] = (),
    known_events: Collection[str] = (),
) -> tuple[Alert, ...]:
    """The alerts that are new or changed, ended ones first, each at most once. Safe to repeat: the same again is empty.

    Args:
        active: The open conditions of this account; those of other accounts, events and ended ones are passed over.
        rules: Names of the rules that were asked: where one says nothing of a subject, it found nothing there.
        account: Key of the account; "" for what spans accounts.
        enabled: Names of all rules in force; `None`: those that were asked. An open alert of a rule that is in neither
            ends; one of a rule that is enabled but was not asked is left alone.
        first_sight: Kinds of resource of which this is the first complete reading; alerts that open are marked so.
        known_events: Fingerprints of the events recorded before, ever; these are not opened again.
    """
    in_force = frozenset(rules) | frozenset(rules if enabled is None else enabled)
    recorded = frozenset(known_events)
    open_ = {
        alert.fingerprint: alert
        for alert in active
        if alert.account == account and not alert.is_event and alert.status is AlertStatus.FIRING
    }
    # What holds of nothing that is open changes nothing, and is mostly all that there is.
    answers = _Answers.sort(findings, undecided if open_ else (), cleared if open_ else ())
    changed = []
    for alert in open_.values():
        after = alert
        if alert.finding.rule not in in_force:
            after = end(alert, now=now, because=RULE_DISABLED)
        elif alert.finding.rule in rules:
            after = _judge(alert, answers, now)
        if after != alert:
            changed.append(after)
    opened = [
        open_alert(finding, account=account, now=now, is_first_sight=finding.subject.kind in first_sight)
        for print_, finding in answers.found.items()
        if print_ not in (recorded if finding.kind is FindingKind.EVENT else open_)
    ]
    changed.sort(key=lambda alert: (alert.status is AlertStatus.FIRING, alert.fingerprint))
    return (*changed, *sorted(opened, key=lambda alert: alert.fingerprint))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answers:
    """What the rules said, by the fingerprint it is about."""

    found: Mapping[str, Finding]
    cleared: Mapping[str, str]
    undecided: Mapping[str, Undecided]
    undecided_rules: Mapping[str, Undecided]  #: by rule: those that cannot say anything of any subject
    gone: Mapping[Subject, str]  #: what became of deployments that are gone

    @staticmethod
    def sort(findings: Iterable[Finding], undecided: Iterable[Undecided], cleared: Iterable[Cleared]) -> "_Answers":
        # Of two findings of one rule and subject the loudest stands.
        found = {
            fingerprint(finding.rule, finding.subject): finding
            for finding in sorted(findings, key=lambda finding: finding.severity.rank)
        }
        cannot_say = tuple(undecided)
        return _Answers(
            found=found,
            cleared={fingerprint(answer.rule, answer.subject): answer.because for answer in cleared},
            undecided={fingerprint(a.rule, a.subject): a for a in cannot_say if a.subject is not None},
            undecided_rules={answer.rule: answer for answer in cannot_say if answer.subject is None},
            gone={finding.subject: finding.summary for finding in found.values() if finding.rule == GONE_RULE},
        )


def _judge(alert: Alert, answers: _Answers, now: datetime) -> Alert:
    """The alert after this evaluation. What a rule says of the subject itself goes before what it says of all."""
    print_, subject = alert.fingerprint, alert.finding.subject
    if (finding := answers.found.get(print_)) is not None:
        return _update(_verified(alert), finding, now)
    if print_ in answers.cleared:
        return end(alert, now=now, because=answers.gone.get(subject, answers.cleared[print_]))
    doubt = answers.undecided.get(print_) or answers.undecided_rules.get(alert.finding.rule)
    if doubt is not None:
        return _doubt(alert, doubt, now)
    return end(alert, now=now, because=answers.gone.get(subject, NO_LONGER_FOUND))


def _verified(alert: Alert) -> Alert:
    if alert.unverified_since is None and not alert.unverified_because:
        return alert
    return replace(alert, unverified_since=None, unverified_because="")


def _doubt(alert: Alert, doubt: Undecided, now: datetime) -> Alert:
    """The alert, not verified: it neither ends nor stands still, but goes on along its last evidence."""
    last = doubt.on_last_evidence
    if last is not None and fingerprint(last.rule, last.subject) == alert.fingerprint:
        alert = _update(alert, last, now)
    because = alert.unverified_because
    if _words(because) != _words(doubt.because):
        because = doubt.because
    since = doubt.since or alert.unverified_since or now
    return replace(alert, unverified_since=since, unverified_because=because)


def _update(alert: Alert, finding: Finding, now: datetime) -> Alert:
    """The alert with what is now found, or itself where nothing worth storing has changed."""
    if _is_same(alert.finding, finding):
        return alert
    return replace(alert, finding=finding, updated_at=now, raised_at=_raised_at(alert, finding, now))


def _raised_at(alert: Alert, finding: Finding, now: datetime) -> datetime:
    """When the alert was last raised, as `finding` has it. A countdown goes by its steps alone.

    Its severity may fall and rise again at one step, and that step is told once; but when it was put off and the step
    comes anew, that is news.
    """
    before = alert.finding.step
    if is_nearer(finding.step, than=before):
        return now
    if is_nearer(before, than=finding.step):
        return alert.starts_at
    if not finding.step and finding.severity.rank > alert.severity.rank:
        return now
    return alert.raised_at


def _is_same(before: Finding, after: Finding) -> bool:
    return (
        before.severity is after.severity
        and before.step == after.step
        and dict(before.labels) == dict(after.labels)
        and _facts(before) == _facts(after)
        and all(
            _words(one) == _words(other)
            for one, other in (
                (before.summary, after.summary),
                (before.description, after.description),
                (before.action, after.action),
            )
        )
    )


def _facts(finding: Finding) -> Mapping[str, str | float | None]:
    """The values without the figures that grow from poll to poll: texts, times, prices, and what is not known."""
    return {
        key: value if isinstance(value, str) or value is None or key.endswith("_per_hour") else 0
        for key, value in finding.values.items()
    }


def _words(text: str) -> str:
    """A text without its figures and durations: "2 d left" says no more than "1 d 23 h left"."""
    return re.sub(r"([0-9][0-9.,:]*( (d|h|min|s)\b)? ?)+", "0 ", text)


A = TypeVar("A", Finding, Undecided)


def cap(answer: A, critical_environments: Collection[str]) -> A:
    """The answer, critical lowered to warning where its `environment` is none of `critical_environments`.

    An account without that label is none of them. Without any environments all count. What spans accounts, such as
    `azure_unreachable`, stays as it is. Apply before `advance`.
    """
    return answer if not critical_environments else _capped(answer, critical_environments)


def _capped(answer: A, critical_environments: Collection[str]) -> A:
    if isinstance(answer, Undecided):
        last = answer.on_last_evidence
        return answer if last is None else replace(answer, on_last_evidence=_capped(last, critical_environments))
    if (
        answer.severity is not Severity.CRITICAL
        or answer.subject.kind in _FLEET_KINDS
        or answer.labels.get("environment", "") in critical_environments
    ):
        return answer
    return replace(answer, severity=Severity.WARNING)
