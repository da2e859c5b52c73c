"""Inhibition: an alert that explains others keeps them quiet while it fires. Alertmanager's meaning."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

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


def _rule(source: Sequence[str], target: str, equal: Sequence[str]) -> InhibitRule:
    return InhibitRule(source=parse_matchers(source), target=parse_matchers([target]), equal=tuple(equal))


_BEHIND_OUTAGE = 'rule=~"account_unreachable|account_throttled|metrics_stale"'
_BEHIND_CREDENTIAL = 'rule=~"account_forbidden|account_unreachable|metrics_stale"'


def _behind_credential(plane: str) -> InhibitRule:
    """For one plane, since the alert about the credential names all that refuse it, in one label: `arm,data`."""
    source = parse_matchers(['rule="credential_failing"', f'plane=~"(.*,)?{plane}(,.*)?"'])
    target = parse_matchers([_BEHIND_CREDENTIAL, f'plane="{plane}"'])
    return InhibitRule(source=source, target=target, equal=("cloud",))


#: What holds where the configuration has no `[[inhibit]]`. A source that names no region, or no plane, means all.
DEFAULT_INHIBITIONS = (
    _rule(['rule="azure_unreachable"', 'location!=""'], _BEHIND_OUTAGE, ["cloud", "plane", "location"]),
    _rule(['rule="azure_unreachable"', 'location=""'], _BEHIND_OUTAGE, ["cloud", "plane"]),
    *(_behind_credential(plane) for plane in ("arm", "data", "metrics")),
    _rule(['rule="credential_failing"', 'plane=""'], _BEHIND_CREDENTIAL, ["cloud"]),
)


@dataclass(frozen=True, slots=True)
class _Source:
    alert: Alert
    is_target: bool


class Inhibitor:
    """The rules with the sources that fire now, sorted by the labels that must agree."""

    def __init__(self, rules: Sequence[InhibitRule], alerts: Sequence[Alert]) -> None:
        self._rules = tuple((rule, _sources(rule, alerts)) for rule in rules)

    def inhibited_by(self, alert: Alert) -> Alert | None:
        """The firing alert that keeps this one quiet, or `None`."""
        labels = alert.labels
        for rule, sources in self._rules:
            candidates = sources.get(_agreement(rule, labels), ())
            if not candidates or not matches(rule.target, labels):
                continue
            on_both_sides = matches(rule.source, labels)
            for source in candidates:
                if source.alert.id != alert.id and not (on_both_sides and source.is_target):
                    return source.alert
        return None


def inhibited_by(alert: Alert, alerts: Sequence[Alert], rules: Sequence[InhibitRule]) -> Alert | None:
    """The alert among `alerts` that keeps this one quiet, or `None`. For many alerts, use one `Inhibitor`."""
    return Inhibitor(rules, alerts).inhibited_by(alert)


def _sources(rule: InhibitRule, alerts: Sequence[Alert]) -> Mapping[tuple[str, ...], list[_Source]]:
    found: dict[tuple[str, ...], list[_Source]] = {}
    for alert in alerts:
        if alert.status is AlertStatus.FIRING and not alert.is_event and matches(rule.source, alert.labels):
            source = _Source(alert, matches(rule.target, alert.labels))
            found.setdefault(_agreement(rule, alert.labels), []).append(source)
    return found


def _agreement(rule: InhibitRule, labels: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(labels.get(name, "") for name in rule.equal)
