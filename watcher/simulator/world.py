"""The pretend Azure itself: a scenario that began at some time, with faults, and what a test may change as it goes."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from watcher.simulator import catalogue
from watcher.simulator.deployments import Life, lives
from watcher.simulator.faults import FaultBook
from watcher.simulator.loading import ScenarioError, inconsistencies
from watcher.simulator.scenario import Account, BaseModel, Calls, Deployment, Job, Price, ResourceGroup, Scenario

# For scenarios that name no start, so that an unadorned World is the same in every run.
DEFAULT_START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


#: What a PUT to a deployment that stands sets anew.
_SETTINGS = (
    *("model", "job", "checkpoint", "version", "format", "source", "source_account"),
    *("sku", "capacity", "sku_more", "properties", "tags"),
)


class World:
    """State as a function of time: everything that is served follows from `scenario` and the asked moment.

    Moments are offsets from `start`. `faults` and `tokens` may be changed at any time, and so may `writers`, the tokens
    of those who may make deployments too; so may `scenario`, whole or by the methods below.
    """

    def __init__(self, scenario: Scenario, *, start: datetime | None = None) -> None:
        """`start` goes before the scenario's own. Raises ScenarioError when the scenario contradicts itself."""
        self.start = (start or scenario.start or DEFAULT_START).astimezone(UTC).replace(microsecond=0)
        self.faults = FaultBook(scenario.faults)
        self.tokens = set(scenario.tokens)
        self.writers: set[str] = set()
        self.scenario = scenario

    @property
    def scenario(self) -> Scenario:
        return self._scenario

    @scenario.setter
    def scenario(self, scenario: Scenario) -> None:
        mistakes = inconsistencies(scenario)
        if mistakes:
            raise ScenarioError(scenario.title or "scenario", mistakes)
        self._scenario = scenario
        # Several in turn may bear one name: an account that was moved, or made again.
        self._by_key: dict[str, list[Account]] = {}
        self._by_id: dict[str, list[Account]] = {}
        for account in scenario.accounts:
            self._by_key.setdefault(account.key.lower(), []).append(account)
            self._by_id.setdefault(self.account_id(account).lower(), []).append(account)
        self._lives: dict[tuple[str, timedelta], list[Life]] = {}

    @property
    def epoch(self) -> int:
        """The start in Unix seconds."""
        return int(self.start.timestamp())

    def moment(self, now: datetime) -> timedelta:
        """`now` as an offset from the start."""
        return now - self.start

    def models(self) -> tuple[BaseModel, ...]:
        return self.scenario.models or catalogue.MODELS

    def prices(self) -> tuple[Price, ...]:
        return self.scenario.prices or catalogue.prices_of(account.location for account in self.scenario.accounts)

    def subscription_of(self, noun: Account | ResourceGroup) -> str:
        return noun.subscription or self.scenario.subscriptions[0].id

    def account_id(self, account: Account) -> str:
        """The ARM id."""
        scope = f"/subscriptions/{self.subscription_of(account)}/resourceGroups/{account.resource_group}"
        return f"{scope}/providers/Microsoft.CognitiveServices/accounts/{account.name}"

    def accounts(self, moment: timedelta) -> Iterator[Account]:
        """The accounts that exist at `moment`."""
        return (account for account in self.scenario.accounts if _exists(account, moment))

    def account(self, key: str, moment: timedelta) -> Account | None:
        """The account with this subdomain, without case."""
        return _existing(self._by_key.get(key.lower(), ()), moment)

    def account_by_id(self, resource_id: str, moment: timedelta) -> Account | None:
        """The account with this ARM id, without case."""
        return _existing(self._by_id.get(resource_id.lower().rstrip("/"), ()), moment)

    def resource_groups(self, subscription: str) -> list[ResourceGroup]:
        """The groups of a subscription: those of the scenario, then those that only accounts name."""
        named = [g for g in self.scenario.resource_groups if self.subscription_of(g).lower() == subscription.lower()]
        seen = {group.name.lower() for group in named}
        for account in self.scenario.accounts:
            here = self.subscription_of(account).lower() == subscription.lower()
            if here and account.resource_group.lower() not in seen:
                seen.add(account.resource_group.lower())
                named.append(ResourceGroup(name=account.resource_group, location=account.location))
        return named

    def lives(self, account: Account) -> list[Life]:
        """Every life of the account's deployments, with its end."""
        key = account.key.lower(), account.created
        if key not in self._lives:
            self._lives[key] = lives(account, failed_calls_count=self.scenario.failed_calls_keep_alive)
        return self._lives[key]

    def standing(self, account: Account, moment: timedelta) -> list[Life]:
        """The deployments that stand at `moment`."""
        return [life for life in self.lives(account) if life.stands(moment)]

    def add_account(self, account: Account) -> None:
        self.scenario = replace(self.scenario, accounts=(*self.scenario.accounts, account))

    def add_job(self, account: str, job: Job) -> None:
        self._change(account, jobs=(*self._named(account).jobs, job))

    def replace_job(self, account: str, job: Job) -> None:
        """Put `job` in place of the one of the same name."""
        kept = tuple(job if old.name == job.name else old for old in self._named(account).jobs)
        self._change(account, jobs=kept)

    def add_deployment(self, account: str, deployment: Deployment) -> None:
        self._change(account, deployments=(*self._named(account).deployments, deployment))

    def put_deployment(self, account: Account, deployment: Deployment) -> None:
        """Create a deployment, or change the one of its name that stands, whose life goes on."""
        moment = deployment.created
        for life in self.standing(account, moment):
            old = life.deployment
            if old.name.lower() == deployment.name.lower():
                changes = {name: getattr(deployment, name) for name in _SETTINGS}
                new = replace(old, modified=moment, **changes)
                kept = tuple(new if one is old else one for one in account.deployments)
                break
        else:
            kept = (*account.deployments, deployment)
        changed = replace(account, deployments=kept)
        accounts = tuple(changed if one is account else one for one in self.scenario.accounts)
        self.scenario = replace(self.scenario, accounts=accounts)

    def call(self, account: str, deployment: str, *, at: datetime, count: int = 1, status: int = 200) -> None:
        """Inference calls, `count` of them a second apart from `at` on, to the life that stands then."""
        moment = self.moment(at)
        calls = Calls(from_=moment, count=count, per_hour=3600, status=status)
        life = self._standing(account, deployment, moment)
        self._swap(account, life, replace(life, calls=(*life.calls, calls)))

    def delete_deployment(self, account: str, deployment: str, *, at: datetime, by: str | None = None) -> None:
        """Delete the life that stands at `at`; with `by`, the activity log names that caller."""
        life = self._standing(account, deployment, self.moment(at))
        self._swap(account, life, replace(life, deleted=self.moment(at), deleted_by=by))

    def _named(self, key: str) -> Account:
        return self._by_key[key.lower()][-1]

    def _standing(self, key: str, name: str, moment: timedelta) -> Deployment:
        for life in self.standing(self._named(key), moment):
            if life.deployment.name.lower() == name.lower():
                return life.deployment
        raise KeyError(f"no deployment {name} stands in {key} at {moment}")

    def _swap(self, key: str, old: Deployment, new: Deployment) -> None:
        self._change(key, deployments=tuple(new if d is old else d for d in self._named(key).deployments))

    def _change(self, key: str, **changes: object) -> None:
        old = self._named(key)
        new = replace(old, **changes)  # type: ignore[arg-type]  # the names come from this class alone
        accounts = tuple(new if account is old else account for account in self.scenario.accounts)
        self.scenario = replace(self.scenario, accounts=accounts)


def _existing(accounts: Iterable[Account], moment: timedelta) -> Account | None:
    return next((account for account in accounts if _exists(account, moment)), None)


def _exists(account: Account, moment: timedelta) -> bool:
    return account.created <= moment and (account.deleted is None or moment < account.deleted)
