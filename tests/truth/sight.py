"""What was said to be out of sight, held against the faults that hid it."""

from collections.abc import Iterator
from datetime import datetime

from watcher.alerts.alert import Alert
from watcher.simulator.ledger import Blind

from .record import Record, Step, Violation, is_resolved

RULES = ("account_unreachable", "account_forbidden", "account_throttled", "metrics_stale")
FLEET_RULES = ("credential_failing", "azure_unreachable")

#: Which rules tell of which fault. A fault that is not here may look like any.
_TOLD_BY = {
    "forbidden": {"account_forbidden"},
    "credential": {"account_forbidden"},
    "throttled": {"account_throttled", "account_unreachable"},  # where the waits use up the account's time
    "broken": {"account_unreachable"},
    "hang": {"account_unreachable"},
    "partial": {"account_unreachable"},
}
_HARD = frozenset({"forbidden", "credential", "throttled", "broken", "hang"})
_PLANES = ("arm", "data", "metrics")


def check(record: Record) -> Iterator[Violation]:
    yield from false_alarms(record)
    yield from lasting_alarms(record)
    yield from missed_alarms(record)


def false_alarms(record: Record) -> Iterator[Violation]:
    """Nothing is said to be out of sight but what a fault hides."""
    for step, alert in record.said(*RULES, *FLEET_RULES):
        if is_resolved(alert) or alert.starts_at != step.at:
            continue
        plane = alert.labels.get("plane", "")
        blinds = [blind for one in planes_of(alert) for blind in _blinds(record, step, alert, one)]
        if not alert.account:
            if not blinds:
                yield record.violation(
                    step.at, f"{alert.finding.rule} ({plane}), and nothing hid: {alert.finding.summary}"
                )
            continue
        if not record.exists(alert.account, step.at):
            continue  # it is gone, which the next discovery will find
        rules = set[str]().union(*(_TOLD_BY.get(blind.kind, set(RULES)) for blind in blinds))
        if alert.finding.rule not in rules | ({"metrics_stale"} if blinds else set()):
            kinds = sorted({blind.kind for blind in blinds})
            yield record.violation(
                step.at, f"{alert.finding.summary} ({plane}), and it was hidden by {kinds or 'nothing'}"
            )


def _blinds(record: Record, step: Step, alert: Alert, plane: str) -> Iterator[Blind]:
    if alert.account:
        # What is asked for less often stays unread until it is asked for again.
        asked = [s.at for s in record.steps if s.at <= step.at and alert.account in s.metered]
        since = max(asked, default=step.at) if plane == "metrics" else step.at
        return record.blinds(plane, alert.account, since, step.at)
    # What spans accounts rests on the last poll of each of them.
    return record.blinds(plane, None, _last_full(record, step), step.at)


def planes_of(alert: Alert) -> tuple[str, ...]:
    """One cause may lie behind several planes."""
    return tuple(filter(None, alert.labels.get("plane", "").split(",")))


def _last_full(record: Record, step: Step) -> datetime:
    return max(s.at for s in record.steps if s.has_discovered and s.at <= step.at)


def lasting_alarms(record: Record) -> Iterator[Violation]:
    """What can be read again is no longer said to be out of sight."""
    for step in record.steps:
        for alert in step.firing:
            rule, plane = alert.finding.rule, alert.labels.get("plane", "")
            if rule not in (*RULES, *FLEET_RULES):
                continue
            if not alert.account:
                hidden = [blind for one in planes_of(alert) for blind in record.blinds(one, None, step.at)]
                # Metrics are asked for less often than every step; then their gaps stand.
                is_over = step.has_discovered and not hidden and step.metered == step.polled
            else:
                # What could not be read is asked for again at every poll.
                is_over = record.is_clear(step, alert.account, *planes_of(alert), "arm")
            if is_over:
                yield record.violation(step.at, f"{rule} ({plane}) fires on: {alert.finding.summary}")


def missed_alarms(record: Record) -> Iterator[Violation]:
    """What stays hidden for two polls is said to be."""
    for blind in record.ledger.blinds:
        if not _is_total(blind):
            continue
        for plane in _PLANES if blind.plane == "*" else (blind.plane,):
            for account in sorted(blind.accounts):
                yield from _missed(record, blind, plane, account)


def _is_total(blind: Blind) -> bool:
    fault = blind.fault
    return (
        blind.kind in _HARD
        and fault.times is None
        and fault.api == "*"
        and not fault.path
        and blind.plane in ("*", *_PLANES)
    )


def _missed(record: Record, blind: Blind, plane: str, account: str) -> Iterator[Violation]:
    polls = 0
    for step in record.steps:
        asked = step.metered if plane == "metrics" else step.polled
        if not blind.begins <= step.at < blind.ends or account not in asked or not record.exists(account, step.at):
            continue
        if plane == "metrics" and not _has_tuned(record, account, step):
            continue  # there is nothing whose calls are asked for: base models never go idle
        polls += 1
        said = [alert for alert in step.firing if alert.account == account and alert.labels.get("plane") == plane]
        if polls >= 2 and not any(alert.finding.rule in RULES for alert in said):
            yield record.violation(step.at, f"{account} is hidden on {plane} ({blind.kind}), and nobody says so")
            return


def _has_tuned(record: Record, account: str, step: Step) -> bool:
    """Whether a deployment of a customised model stands there, and was seen before."""
    seen = [s for s in record.clear_steps(account, "arm") if s.at < step.at]
    lives = [life for life in record.ledger.lives if life.account == account and life.is_fine_tuned]
    return bool(seen) and any(
        life.appears <= seen[-1].at and (life.ended is None or life.ended > step.at) for life in lives
    )
