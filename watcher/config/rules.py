"""`[rules.<name>]`: one table for each rule, with `enabled`, `severity`, `labels` and its own options."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from importlib.metadata import entry_points
from types import MappingProxyType
from typing import Annotated, Any

from pydantic import ConfigDict, Field

from watcher.config.table import Mistake, Table, nearest
from watcher.config.values import WHOLE, Duration, Interval, Invalid, Labels, Severity, Steps, parse_duration


class RuleOptions(Table):
    """What every rule takes."""

    enabled: bool = True
    #: In place of the rule's own; None leaves that.
    severity: Severity | None = None
    #: Added to the alert's labels.
    labels: Labels = Field(default_factory=lambda: MappingProxyType({}))


class _Countdown(RuleOptions):
    """A rule that tells in steps before a deadline."""

    #: Time left at which to tell, longest first.
    warn_before: Steps
    #: From the start of the clock to the deadline.
    lifetime: Interval

    @classmethod
    def mistakes(cls, table: Mapping[str, Any]) -> Iterator[Mistake]:
        fields = cls.model_fields
        steps = table.get("warn_before", fields["warn_before"].default)
        try:
            first = parse_duration(steps[0])
            lifetime = parse_duration(table.get("lifetime", fields["lifetime"].default))
        except (Invalid, LookupError, TypeError):
            return  # told already, key by key
        if first >= lifetime:
            key = "warn_before" if "warn_before" in table else "lifetime"
            yield Mistake(key, "has a first step as long as the lifetime", "begin with a shorter step")


class DeploymentIdle(_Countdown):
    warn_before: Steps = (timedelta(days=7), timedelta(days=3), timedelta(days=1), timedelta(hours=6))
    lifetime: Interval = timedelta(days=15)


class DeploymentExpiring(_Countdown):
    warn_before: Steps = (timedelta(hours=4), timedelta(hours=1))
    lifetime: Interval = timedelta(hours=24)


class DeploymentWasting(RuleOptions):
    #: How long without a call.
    after: Duration = timedelta(days=2)


class JobStalled(RuleOptions):
    pending_after: Interval = timedelta(hours=6)
    running_after: Interval = timedelta(hours=24)


class JobPaused(RuleOptions):
    remind_after: Interval = timedelta(days=3)


class AccountRule(RuleOptions):
    #: How long it must last before it is told.
    after: Duration = timedelta()


class MetricsStale(RuleOptions):
    after: Duration = timedelta(hours=3)


class CommonCause(RuleOptions):
    """One cause behind many accounts."""

    #: From how many accounts on the cause is told in place of each of them.
    min_accounts: Annotated[int, Field(ge=1), WHOLE] = 2


class Rules(Table):
    """Every rule by its name, and tables of rules from the entry point group `watcher.rules`, as they are."""

    # Unknown names are refused in `mistakes`, where the entry points are known.
    model_config = ConfigDict(extra="allow", json_schema_extra={"additionalProperties": False})

    job_succeeded: RuleOptions = Field(default_factory=RuleOptions)
    job_cancelled: RuleOptions = Field(default_factory=RuleOptions)
    job_paused: JobPaused = Field(default_factory=JobPaused)
    job_failed: RuleOptions = Field(default_factory=RuleOptions)
    job_rai_data_failed: RuleOptions = Field(default_factory=RuleOptions)
    job_rai_model_failed: RuleOptions = Field(default_factory=RuleOptions)
    job_stalled: JobStalled = Field(default_factory=JobStalled)
    job_overfitting: RuleOptions = Field(default_factory=RuleOptions)
    job_cost: RuleOptions = Field(default_factory=RuleOptions)
    deployment_idle: DeploymentIdle = Field(default_factory=DeploymentIdle)
    deployment_expiring: DeploymentExpiring = Field(default_factory=DeploymentExpiring)
    deployment_wasting: DeploymentWasting = Field(default_factory=DeploymentWasting)
    deployment_trickle: RuleOptions = Field(default_factory=RuleOptions)
    deployment_superseded: RuleOptions = Field(default_factory=RuleOptions)
    deployment_paused: RuleOptions = Field(default_factory=RuleOptions)
    deployment_failed: RuleOptions = Field(default_factory=RuleOptions)
    deployment_gone: RuleOptions = Field(default_factory=RuleOptions)
    model_retiring: RuleOptions = Field(default_factory=RuleOptions)
    model_undeployed: RuleOptions = Field(default_factory=RuleOptions)
    file_orphaned: RuleOptions = Field(default_factory=RuleOptions)
    file_failed: RuleOptions = Field(default_factory=RuleOptions)
    account_unreachable: AccountRule = Field(default_factory=AccountRule)
    account_forbidden: AccountRule = Field(default_factory=AccountRule)
    account_throttled: AccountRule = Field(default_factory=AccountRule)
    metrics_stale: MetricsStale = Field(default_factory=MetricsStale)
    credential_failing: CommonCause = Field(default_factory=CommonCause)
    azure_unreachable: CommonCause = Field(default_factory=CommonCause)
    delivery_failing: RuleOptions = Field(default_factory=RuleOptions)
    configuration_rejected: RuleOptions = Field(default_factory=RuleOptions)

    @property
    def builtin(self) -> Mapping[str, RuleOptions]:
        """The tables of all of watcher's own rules, by name."""
        return MappingProxyType({name: getattr(self, name) for name in type(self).model_fields})

    @property
    def plugins(self) -> Mapping[str, Mapping[str, Any]]:
        """The tables of other packages' rules, as they stand in the file."""
        return MappingProxyType(dict(self.model_extra or {}))

    @classmethod
    def mistakes(cls, table: Mapping[str, Any]) -> Iterator[Mistake]:
        unknown = [name for name in table if name not in cls.model_fields]
        plugins = entry_points(group="watcher.rules").names if unknown else set()
        for name in unknown:
            if name not in plugins:
                yield Mistake(name, "is not a known rule", nearest(name, (*cls.model_fields, *sorted(plugins))))
            elif not isinstance(table[name], dict):
                yield Mistake(name, "must be a table", f"write it under [rules.{name}]")
