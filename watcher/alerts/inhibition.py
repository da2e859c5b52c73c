"""Inhibition: an alert that explains others keeps them quiet while it fires. Alertmanager's meaning.

What spans accounts ends with the first accounts that can be read again, before the others have been looked at. So it
goes on for `LINGER` to keep quiet what began before its end, and would only be told to be resolved a poll later.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from watcher.alerts.alert import Alert, AlertStatus
from watcher.alerts.matcher import Matcher, matches, parse_matchers


@dataclass(frozen=True, slots=True, kw_only=True)
class InhibitRule:
    """While a condition that `source` matches fires, alerts that `target` matches are quiet if `equal` labels agree.

    A label that both lack agrees. An alert that stands on both sides is not inhibited by another such, nor by itself.
    """

    source: tuple[Matcher, ...]
    target: tuple[Matcher, ...]
    equal: tuple[str, ...] = ()


def _rule(source: Sequence[str], target: Sequence[str], equal: Sequence[str]) -> InhibitRule:
    return InhibitRule(source=parse_matchers(source), target=parse_matchers(target), equal=tuple(equal))


_BEHIND_OUTAGE = ['rule=~"account_unreachable|account_throttled|metrics_stale"']
_BEHIND_CREDENTIAL = 'rule=~"account_unreachable|metrics_stale"'

#: Longer than the default wait between two polls of a quiet account: each is looked at once more by then.
LINGER = timedelta(minutes=15)

#: Whoever was told that an account's metrics cannot be read need not hear three hours later that they are old.
_UNREAD_METRICS = ['rule=~"account_unreachable|account_throttled"', 'plane="metrics"']

#: A credential that the control plane does not know is refused everywhere; it is told where most can be lost.
_DEAD_ON_ARM = ['rule="account_forbidden"', 'cause="credential"', 'plane="arm"']
_DEAD_ELSEWHERE = ['rule="account_forbidden"', 'cause="credential"', 'plane=~"data|metrics"']


def _behind_credential(plane: str) -> InhibitRule:
    """For one plane, since the alert about the credential names all that refuse it, in one label: `arm,data`."""
    source = ['rule="credential_failing"', f'plane=~"(.*,)?{plane}(,.*)?"']
    return _rule(source, [_BEHIND_CREDENTIAL, f'plane="{plane}"'], ["cloud"])


#: What holds where the configuration has no `[[inhibit]]`. A source that names no region, or no plane, means all.
DEFAULT_INHIBITIONS = (
    _rule(['rule="azure_unreachable"', 'location!=""'], _BEHIND_OUTAGE, ["cloud", "plane", "location"]),
    _rule(['rule="azure_unreachable"', 'location=""'], _BEHIND_OUTAGE, ["cloud", "plane"]),
    # Whatever the plane: one that is read seldom refuses a dead credential long after the others. A missing role and a
    # firewall are an account's own trouble.
    _rule(['rule="credential_failing"'], ['rule="account_forbidden"', 'cause="credential"'], ["cloud"]),
    *(_behind_credential(plane) for plane in ("arm", "data", "metrics")),
    _rule(['rule="credential_failing"', 'plane=""'], [_BEHIND_CREDENTIAL], ["cloud"]),
    _rule(_UNREAD_METRICS, ['rule="metrics_stale"'], ["cloud", "account", "plane"]),
    _rule(_DEAD_ON_ARM, _DEAD_ELSEWHERE, ["cloud", "account"]),
)


@dataclass(frozen=True, slots=True)
class _Source:
    alert: Alert
    is_target: bool


class Inhibitor:
    """The rules with the sources that fire now or linger; of those that keep one quiet the oldest is named.

    A rule's sources are sorted by the labels that must agree once something is asked of that it may keep quiet: most of
    the time nothing is, and thousands may fire.
    """

    def __init__(self, rules: Sequence[InhibitRule], alerts: Iterable[Alert], lingering: Iterable[Alert] = ()) -> None:
        self._rules, self._alerts, self._lingering = rules, alerts, lingering
        self._sources: dict[InhibitRule, Mapping[tuple[str, ...], list[_Source]]] = {}
        self._behind: dict[str, Alert | None] = {}

    def inhibited_by(self, alert: Alert) -> Alert | None:
        """The alert that keeps this one quiet, or `None`."""
        labels = alert.labels
        for rule in self._rules:
            if not matches(rule.target, labels):
                continue
            if rule not in self._sources:
                self._sources[rule] = _sources(rule, self._candidates)
            candidates = self._sources[rule].get(_agreement(rule, labels), ())
            on_both_sides = bool(candidates) and matches(rule.source, labels)
            for source in candidates:
                if source.alert.id == alert.id or (on_both_sides and source.is_target):
                    continue
                if source.alert.ends_at is None or alert.starts_at <= source.alert.ends_at:
                    return source.alert
        return None

    def first_cause(self, alert: Alert) -> Alert | None:
        """What stands behind an alert, and behind that; `None`: nothing does, or it comes back to where it was."""
        passed, found = {alert.id}, None
        cause = self.inhibited_by(alert)
        while cause is not None:
            if cause.id in passed:
                return None
            passed.add(cause.id)
            found = cause
            if cause.id not in self._behind:  # a few causes explain thousands
                self._behind[cause.id] = self.inhibited_by(cause)
            cause = self._behind[cause.id]
        return found

    @cached_property
    def _candidates(self) -> list[tuple[Alert, Mapping[str, str]]]:
        firing = (alert for alert in self._alerts if alert.status is AlertStatus.FIRING)
        candidates = [*sorted(firing, key=lambda alert: (alert.starts_at, alert.id)), *self._lingering]
        return [(alert, alert.labels) for alert in candidates if not alert.is_event]


def lingers_until(alert: Alert, now: datetime) -> datetime | None:
    """Until when a condition that ended, and spans accounts, keeps others quiet; `None`: it does not."""
    if alert.ends_at is None or alert.account or alert.is_event or now >= alert.ends_at + LINGER:
        return None
    return alert.ends_at + LINGER


def _sources(
    rule: InhibitRule, alerts: Sequence[tuple[Alert, Mapping[str, str]]]
) -> Mapping[tuple[str, ...], list[_Source]]:
    found: dict[tuple[str, ...], list[_Source]] = {}
    for alert, labels in alerts:
        if matches(rule.source, labels):
            source = _Source(alert, matches(rule.target, labels))
            found.setdefault(_agreement(rule, labels), []).append(source)
    return found


def _agreement(rule: InhibitRule, labels: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(labels.get(name, "") for name in rule.equal)
