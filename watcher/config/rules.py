"""`[rules.<name>]`: one table for each rule, with `enabled`, `severity`, `labels` and its own options."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from decimal import Decimal
from importlib.metadata import entry_points
from types import MappingProxyType
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field

from watcher.config.table import Mistake, Table, nearest
from watcher.config.times import Duration, Interval, Lifetimes, Steps, parse_duration, parse_lifetime
from watcher.config.values import WHOLE, Invalid, Labels, Severity


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
    #: The same by SKU, "never" where there is no deadline; the first that fits counts, and goes before `lifetime`.
    lifetimes: Lifetimes = Field(default_factory=lambda: MappingProxyType({}))

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
        yield from cls._short_lifetimes(table.get("lifetimes"), first)

    @classmethod
    def _short_lifetimes(cls, by_sku: object, first: timedelta) -> Iterator[Mistake]:
        for sku, text in by_sku.items() if isinstance(by_sku, dict) else ():
            try:
                lifetime = parse_lifetime(text)
            except Invalid:
                continue  # told already
            if lifetime is not None and first >= lifetime:
                what = f'has "{sku}" no longer than the first step of warn_before'
                yield Mistake("lifetimes", what, "write a longer one, or begin warn_before with a shorter step")


class DeploymentIdle(_Countdown):
    warn_before: Steps = (timedelta(days=7), timedelta(days=3), timedelta(days=1), timedelta(hours=6))
    lifetime: Interval = timedelta(days=15)


class DeploymentExpiring(_Countdown):
    warn_before: Steps = (timedelta(hours=4), timedelta(hours=1))
    lifetime: Interval = timedelta(hours=24)


class DeploymentWasting(RuleOptions):
    #: How long without a call.
    after: Duration = timedelta(days=2)


def _at_most_a_month(span: timedelta) -> timedelta:
    if span > timedelta(days=30):
        raise Invalid("is too long", 'write "30d" or less')
    return span


Budget = Annotated[Decimal, Field(gt=0, allow_inf_nan=False)]


class DeploymentTrickle(RuleOptions):
    #: Answered calls within the window at which it is still a trickle.
    max_calls: Annotated[int, Field(ge=1), WHOLE] = 20
    window: Annotated[Interval, AfterValidator(_at_most_a_month)] = timedelta(days=15)


class JobCost(RuleOptions):
    """Budgets, in the currency of `[pricing]`; None: there is none. The cap of reinforcement jobs is always watched."""

    per_job: Budget | None = None
    #: A calendar month, UTC.
    per_owner_month: Budget | None = None
    per_month: Budget | None = None


class DeploymentPaused(RuleOptions):
    #: How long it must have been paused.
    after: Duration = timedelta(days=1)


class JobStalled(RuleOptions):
    pending_after: Interval = timedelta(hours=6)
    running_after: Interval = timedelta(hours=24)
    #: From how many jobs of one model, region and training type on these say what is usual; 0: never.
    history: Annotated[int, Field(ge=0), WHOLE] = 8


def _no_flag(value: object) -> object:
    if isinstance(value, bool):  # which Python takes for 0 or 1
        raise Invalid("must be a number", "write 0.1 for 10 %")
    return value


class JobOverfitting(RuleOptions):
    #: By which share of its best validation must have become worse; 0.1 is 10 %.
    rise: Annotated[float, Field(ge=0.01, le=10), BeforeValidator(_no_flag)] = 0.1
    #: How many validation points that must span, the best included.
    points: Annotated[int, Field(ge=2), WHOLE] = 3
    #: How long after a job's end it is still told; its training is looked into for a month.
    forget_after: Annotated[Interval, AfterValidator(_at_most_a_month)] = timedelta(days=14)


class JobPaused(RuleOptions):
    remind_after: Interval = timedelta(days=3)


class AccountRule(RuleOptions):
    #: How long it must last before it is told.
    after: Duration = timedelta()


class MetricsStale(RuleOptions):
    after: Duration = timedelta(hours=3)


class ClockSkewed(RuleOptions):
    #: From how far off the service's clock on.
    after: Interval = timedelta(minutes=2)


class DeliveryFailing(RuleOptions):
    #: How long a receiver must have taken nothing; a message that is given up is told at once.
    after: Duration = timedelta(hours=1)


class CommonCause(RuleOptions):
    """One cause behind many accounts."""

    #: From how many accounts on the cause is told in place of each of them.
    min_accounts: Annotated[int, Field(ge=1), WHOLE] = 2


class ModelRetiring(RuleOptions):
    #: Time left at which to tell, longest first.
    warn_before: Steps = (timedelta(days=90), timedelta(days=30), timedelta(days=7))


class Leftover(RuleOptions):
    """What lies about unused."""

    #: From its creation on.
    after: Duration = timedelta(days=14)


_Limit = Annotated[int, Field(ge=0), WHOLE]


class LimitNear(RuleOptions):
    """Azure's limits for one account; 0: not watched."""

    #: From how much of a limit on it is told.
    at_percent: Annotated[int, Field(ge=1, le=100), WHOLE] = 80
    files: _Limit = 100
    file_bytes: _Limit = 1_000_000_000
    jobs: _Limit = 100
    #: Of fine-tuned models.
    deployments: _Limit = 10
    queued: _Limit = 20
    #: Jobs at once, of standard and global training together.
    running: _Limit = 3
    running_developer: _Limit = 5


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
    job_overfitting: JobOverfitting = Field(default_factory=JobOverfitting)
    job_cost: JobCost = Field(default_factory=JobCost)
    deployment_idle: DeploymentIdle = Field(default_factory=DeploymentIdle)
    deployment_expiring: DeploymentExpiring = Field(default_factory=DeploymentExpiring)
    deployment_wasting: DeploymentWasting = Field(default_factory=DeploymentWasting)
    deployment_trickle: DeploymentTrickle = Field(default_factory=DeploymentTrickle)
    deployment_superseded: RuleOptions = Field(default_factory=RuleOptions)
    deployment_paused: DeploymentPaused = Field(default_factory=DeploymentPaused)
    deployment_failed: RuleOptions = Field(default_factory=RuleOptions)
    deployment_gone: RuleOptions = Field(default_factory=RuleOptions)
    model_retiring: ModelRetiring = Field(default_factory=ModelRetiring)
    model_undeployed: Leftover = Field(default_factory=Leftover)
    file_orphaned: Leftover = Field(default_factory=Leftover)
    file_failed: RuleOptions = Field(default_factory=RuleOptions)
    limit_near: LimitNear = Field(default_factory=LimitNear)
    account_unreachable: AccountRule = Field(default_factory=AccountRule)
    account_forbidden: AccountRule = Field(default_factory=AccountRule)
    account_throttled: AccountRule = Field(default_factory=AccountRule)
    metrics_stale: MetricsStale = Field(default_factory=MetricsStale)
    credential_failing: CommonCause = Field(default_factory=CommonCause)
    azure_unreachable: CommonCause = Field(default_factory=CommonCause)
    clock_skewed: ClockSkewed = Field(default_factory=ClockSkewed)
    delivery_failing: DeliveryFailing = Field(default_factory=DeliveryFailing)
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
