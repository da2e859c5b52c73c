"""Which rules there are, and how options make them: one literal dict, and the entry points of other packages."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points
from typing import TypeVar

from watcher.errors import ConfigurationError, Problem
from watcher.rules.accounts import AccountForbidden, AccountThrottled, AccountUnreachable, MetricsStale
from watcher.rules.budgets import TrainingBudgets
from watcher.rules.clock import ClockSkewed
from watcher.rules.configured import Configured, ConfiguredFleet, ConfiguredInventory
from watcher.rules.deployments import DeploymentExpiring, DeploymentFailed
from watcher.rules.discovery import DiscoveryForbidden, DiscoveryThrottled, DiscoveryUnreachable
from watcher.rules.files import FileFailed, FileOrphaned
from watcher.rules.finding import Severity
from watcher.rules.fleet import AzureUnreachable, CredentialFailing
from watcher.rules.gone import DeploymentGone
from watcher.rules.idle import DeploymentIdle
from watcher.rules.itself import DeliveryFailing
from watcher.rules.job_cost import JobCost
from watcher.rules.job_waits import JobPaused, JobStalled
from watcher.rules.jobs import JobCancelled, JobFailed, JobRaiDataFailed, JobRaiModelFailed, JobSucceeded
from watcher.rules.limits import LimitNear
from watcher.rules.overfitting import JobOverfitting
from watcher.rules.paused import DeploymentPaused
from watcher.rules.retirement import ModelRetiring
from watcher.rules.rule import FleetRule, InventoryRule, Rule
from watcher.rules.superseded import DeploymentSuperseded
from watcher.rules.trickle import DeploymentTrickle
from watcher.rules.undeployed import ModelUndeployed
from watcher.rules.wasting import DeploymentWasting

#: Rules about one account.
RULES: Mapping[str, Callable[..., Rule]] = {
    "job_succeeded": JobSucceeded,
    "job_cancelled": JobCancelled,
    "job_paused": JobPaused,
    "job_failed": JobFailed,
    "job_rai_data_failed": JobRaiDataFailed,
    "job_rai_model_failed": JobRaiModelFailed,
    "job_stalled": JobStalled,
    "job_overfitting": JobOverfitting,
    "job_cost": JobCost,
    "deployment_idle": DeploymentIdle,
    "deployment_expiring": DeploymentExpiring,
    "deployment_wasting": DeploymentWasting,
    "deployment_failed": DeploymentFailed,
    "deployment_paused": DeploymentPaused,
    "deployment_gone": DeploymentGone,
    "file_failed": FileFailed,
    "account_unreachable": AccountUnreachable,
    "account_forbidden": AccountForbidden,
    "account_throttled": AccountThrottled,
    "metrics_stale": MetricsStale,
}

#: Rules over all accounts.
FLEET_RULES: Mapping[str, Callable[..., FleetRule]] = {
    "credential_failing": CredentialFailing,
    "azure_unreachable": AzureUnreachable,
    "clock_skewed": ClockSkewed,
    "delivery_failing": DeliveryFailing,
    # The same names and options as of the rules about one account, for what discovery could not read.
    "account_unreachable": DiscoveryUnreachable,
    "account_forbidden": DiscoveryForbidden,
    "account_throttled": DiscoveryThrottled,
}

#: Rules over models, deployments and files of all accounts together.
INVENTORY_RULES: Mapping[str, Callable[..., InventoryRule]] = {
    "deployment_superseded": DeploymentSuperseded,
    "deployment_trickle": DeploymentTrickle,
    "job_cost": TrainingBudgets,  # the same name and options as of the rule about one account
    "model_undeployed": ModelUndeployed,
    "model_retiring": ModelRetiring,
    "file_orphaned": FileOrphaned,
    "limit_near": LimitNear,
}

#: Names with a meaning that no rule here answers for: found elsewhere, with the options that hold for it there.
OTHER_NAMES = frozenset(
    {
        "configuration_rejected",
    }
)

#: All names that are taken.
BUILTIN = frozenset({*RULES, *FLEET_RULES, *INVENTORY_RULES, *OTHER_NAMES})

ENTRY_POINTS = "watcher.rules"

#: Options that every rule takes, beside its own fields.
_SHARED = ("enabled", "severity", "labels")

R = TypeVar("R")


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSet:
    """The rules in force."""

    rules: tuple[Rule, ...]
    fleet_rules: tuple[FleetRule, ...]
    inventory_rules: tuple[InventoryRule, ...] = ()
    problems: tuple[Problem, ...] = ()  #: plugins that could not be used; the other rules work without them


def build_rules(options: Mapping[str, Mapping[str, object]], plugins: Iterable[EntryPoint] | None = None) -> RuleSet:
    """The rules that are enabled, each with its options.

    Args:
        options: By rule's name, plain values: `enabled`, `severity` and `labels` for every rule, and its own fields
            (durations as `timedelta`). A rule that is not named here is enabled with its defaults.
        plugins: Entry points of other people's rules; `None`: those that are installed.

    Raises:
        ConfigurationError: A rule or an option that does not exist; all mistakes at once.
    """
    foreign, broken = _load(entry_points(group=ENTRY_POINTS) if plugins is None else plugins)
    known = {*BUILTIN, *foreign, *(problem.path.partition(".")[2] for problem in broken)}
    mistakes = [
        Problem(f"rules.{name}", "there is no such rule", _nearest(name, known))
        for name in options
        if name not in known
    ]
    rules = _build({**RULES, **foreign}, options, mistakes)
    fleet_rules = _build(FLEET_RULES, options, mistakes)
    inventory_rules = _build(INVENTORY_RULES, options, mistakes)
    if mistakes:
        raise ConfigurationError(dict.fromkeys(mistakes))  # rules of one name make the same mistakes
    return RuleSet(
        rules=tuple(Configured(rule=rule, severity=severity, labels=labels) for rule, severity, labels in rules),
        fleet_rules=tuple(
            ConfiguredFleet(rule=rule, severity=severity, labels=labels) for rule, severity, labels in fleet_rules
        ),
        inventory_rules=tuple(
            ConfiguredInventory(rule=rule, severity=severity, labels=labels)
            for rule, severity, labels in inventory_rules
        ),
        problems=tuple(broken),
    )


def _load(plugins: Iterable[EntryPoint]) -> tuple[dict[str, Callable[..., Rule]], list[Problem]]:
    """The rules of other packages by name. One that is broken is named and left out; the rest are loaded."""
    loaded: dict[str, Callable[..., Rule]] = {}
    broken: list[Problem] = []
    for plugin in plugins:
        path = f"rules.{plugin.name}"
        whose = f"the package {plugin.dist.name}" if plugin.dist else plugin.value
        if plugin.name in BUILTIN or plugin.name in loaded:
            broken.append(Problem(path, f"{whose} offers a rule under a name that is taken", "remove that package"))
            continue
        try:
            make = plugin.load()
        except Exception as error:  # foreign code: whatever it raises, the other rules must work
            cure = "mend or remove that package"
            broken.append(Problem(path, f"{whose} does not load: {type(error).__name__}: {error}", cure))
            continue
        if not callable(getattr(make, "evaluate", None)) or getattr(make, "name", None) != plugin.name:
            cure = f"a rule is a class with `name = {plugin.name!r}` and a method `evaluate`"
            broken.append(Problem(path, f"{whose} offers something that is no rule of that name", cure))
            continue
        loaded[plugin.name] = make
    return loaded, broken


def _build(
    makers: Mapping[str, Callable[..., R]],
    options: Mapping[str, Mapping[str, object]],
    mistakes: list[Problem],
) -> list[tuple[R, Severity | None, Mapping[str, str]]]:
    """The enabled rules with their severity and labels; what is wrong with their options is added to `mistakes`."""
    built: list[tuple[R, Severity | None, Mapping[str, str]]] = []
    for name, make in makers.items():
        given = options.get(name, {})
        own = {key: _frozen(value) for key, value in given.items() if key not in _SHARED}
        unknown = set(own) - _fields(make)
        for key in sorted(unknown):
            known = {*_fields(make), *_SHARED}
            mistakes.append(Problem(f"rules.{name}.{key}", "this rule has no such option", _nearest(key, known)))
        severity = _severity(given.get("severity"), name, mistakes)
        labels = given.get("labels") or {}
        if not isinstance(labels, Mapping):
            mistakes.append(Problem(f"rules.{name}.labels", "labels are a table of texts", ""))
        elif given.get("enabled", True) and not unknown:
            try:
                built.append((make(**own), severity, {str(key): str(value) for key, value in labels.items()}))
            except (TypeError, ValueError) as error:
                mistakes.append(Problem(f"rules.{name}", f"the options do not fit: {error}", ""))
    return built


def _fields(make: Callable[..., object]) -> set[str]:
    return {each.name for each in fields(make) if each.init} if isinstance(make, type) and is_dataclass(make) else set()


def _frozen(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def _severity(value: object, name: str, mistakes: list[Problem]) -> Severity | None:
    if value is None or isinstance(value, Severity):
        return value
    try:
        return Severity(str(value).lower())
    except ValueError:
        mistakes.append(Problem(f"rules.{name}.severity", f"{value!r} is no severity", "use info, warning or critical"))
        return None


def _nearest(word: str, known: Iterable[str]) -> str:
    near = get_close_matches(word, sorted(known), n=1)
    return f"did you mean {near[0]}?" if near else f"known: {', '.join(sorted(known))}"
