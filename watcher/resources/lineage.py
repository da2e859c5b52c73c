"""Which job made which model, and where it is deployed, over all accounts. Pure.

A deployment names its model only. A model is known by the job that made it, or by the account that lists it; one
made from another custom model continues its line.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from functools import cached_property, lru_cache

import msgspec

from watcher.resources.account import Account
from watcher.resources.calls import Calls, Coverage
from watcher.resources.changes import Transition
from watcher.resources.deployment import Deployment, Usage
from watcher.resources.file import File
from watcher.resources.fine_tuning import FineTuningJob, JobEvent
from watcher.resources.model import Retirement, base_of, family, model_of, suffix_of
from watcher.resources.price import RetailList
from watcher.resources.snapshot import Gap, Section


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """A custom model, as far as its job and its account's listing tell of it together."""

    id: str  #: its name
    account: str  #: key of the account that holds it
    base: str = ""  #: what it was trained from: a base model, or a custom model
    suffix: str = ""
    job: str = ""
    created_at: datetime | None = None  #: when its job ended, else what the listing says
    owner: str = ""  #: from the job's metadata; ""
    is_listed: bool = True  #: `False`: the newest complete listing of models lacks it
    training_file: str = ""
    validation_file: str = ""
    inference_until: datetime | None = None  #: its own retirement, where the listing of models names it
    checkpoints: frozenset[str] = frozenset()  #: ids and names of its job's checkpoints, as far as they were read


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """What exists in one account, by the newest readings, with their age and what they lack."""

    account: Account
    deployments: tuple[Deployment, ...] | None  #: fine-tuned ones; `None`: never read
    deployments_at: datetime | None
    models: tuple[Model, ...]
    models_at: datetime | None  #: `None`: the listing of models was never read; `models` then come from jobs
    files: tuple[File, ...] | None
    files_at: datetime | None
    file_users: frozenset[str] = frozenset()  #: ids of files that a job names which is listed, or whose model is
    jobs_at: datetime | None = None
    job_count: int = 0  #: listed
    running: Mapping[str, int] = field(default_factory=dict)  #: jobs under way, by training type in lower case
    queued: int = 0
    usage: Mapping[str, Usage] = field(default_factory=dict)  #: by deployment's name in lower case
    calls: Mapping[str, Calls] = field(default_factory=dict)  #: of the last weeks, by deployment's name in lower case
    coverage: Coverage = field(default_factory=Coverage)  #: what of its metrics was read whole
    jobs_ended: tuple[FineTuningJob, ...] = ()  #: in the present calendar month, UTC
    #: Of these, by job id: how the status of those changed whose cost goes by that, oldest first; and the lines of
    #: their logs that tell of money, oldest first.
    phases: Mapping[str, tuple[Transition, ...]] = field(default_factory=dict)
    logs: Mapping[str, tuple[JobEvent, ...]] = field(default_factory=dict)
    gaps: tuple[Gap, ...] = ()
    not_offered: frozenset[Section] = frozenset()  #: of files and models: what the account's service has no list of


@dataclass(frozen=True, kw_only=True)  # no slots: the lineage is kept beside the fields
class Inventory:
    """All accounts in scope, and when base models retire."""

    now: datetime
    holdings: tuple[Holding, ...]
    departed: tuple[Holding, ...] = ()  #: accounts that left the scope, with nothing but the jobs that ended this month
    retirements: tuple[Retirement, ...] = ()
    retail: RetailList | None = None  #: Azure's public price list as last read
    owner_tag: str = "owner"

    @cached_property
    def lineage(self) -> "Lineage":
        """What came from what here, traced once for all that ask."""
        return Lineage(self)


class Kinship(StrEnum):
    """Why one model counts as the newer of another."""

    DESCENT = "descent"  #: trained from it, or from one that was: the service says so
    SUFFIX = "suffix"  #: same owner or account, same base family, same suffix, made later: an assumption from names


_Key = tuple[str, str]  #: a model: key of its account and its name in lower case; one name may stand in two accounts
_NameKey = tuple[str, str, str]  #: whose, family, suffix


def _key(model: Model) -> _Key:
    return model.account, model.id.lower()


class Lineage:
    """The models of an inventory by their names, their parents and their deployments. Built once, asked often.

    Names compare without case. A deployment belongs to one model at most, and no model to its own ancestors.
    """

    def __init__(self, inventory: Inventory) -> None:
        models = {_key(model): model for holding in inventory.holdings for model in holding.models}
        self._holdings = {holding.account.key: holding for holding in inventory.holdings}
        self._by_name: dict[str, list[Model]] = {}
        for (_, own), model in models.items():
            for name in {own, *map(str.lower, model.checkpoints)} if model.checkpoints else (own,):
                self._by_name.setdefault(name, []).append(model)
        self._found: dict[str, list[Model]] = {}  # what was looked up by name: thousands of models share few bases
        parents = {key: parent for key, model in models.items() if (parent := self._parent_by_name(model)) is not None}
        self._parents = _without_circles(parents)
        self._lines = {models[key].base for key in parents}  # what custom models were trained from that are custom too
        self._roots: dict[_Key, Model] = {}
        self._deployments: dict[_Key, list[Deployment]] = {}
        #: The deployments that serve no model that is known.
        self.unplaced: list[Deployment] = []
        for holding in inventory.holdings:
            for deployment in holding.deployments or ():
                served = self.model_behind(deployment)
                at = self.unplaced if served is None else self._deployments.setdefault(_key(served), [])
                at.append(deployment)
        self._children: dict[_Key, list[Model]] = {}
        for key, parent in self._parents.items():
            self._children.setdefault(_key(parent), []).append(models[key])
        self._namesakes: dict[_NameKey, list[Model]] = {}
        self._name_keys: dict[_Key, _NameKey] = {}
        for key, model in models.items():
            if (name_key := self._name_key(model)) is not None:
                self._name_keys[key] = name_key
                self._namesakes.setdefault(name_key, []).append(model)
        for alike in self._namesakes.values():
            alike.sort(key=_made_at, reverse=True)

    def holding(self, account: str) -> Holding | None:
        """What exists in the account of that key."""
        return self._holdings.get(account)

    def model_behind(self, deployment: Deployment) -> Model | None:
        """The model that a deployment serves, itself or by a checkpoint; `None`: no known job made it."""
        return self._named(deployment.model, (deployment.model_source.lower(), deployment.account))

    def deployments(self, model: Model) -> tuple[Deployment, ...]:
        """Where a model, or a checkpoint of it, is deployed, in any account, as far as deployments were read."""
        return tuple(self._deployments.get(_key(model), ()))

    def is_deployed(self, model: Model) -> bool:
        return _key(model) in self._deployments

    def parent(self, model: Model) -> Model | None:
        """The custom model from which it was trained; `None` where that was a base model, or is not known."""
        return self._parents.get(_key(model)) if self._is_of_custom(model) else None

    def _is_of_custom(self, model: Model) -> bool:
        """Whether anything is known by the name of what it was trained from: nearly never, and told without its key."""
        return model.base in self._lines

    def ancestors(self, model: Model) -> Iterator[Model]:
        """The custom models behind it, nearest first."""
        parent = self.parent(model)
        while parent is not None:
            yield parent
            parent = self.parent(parent)

    def base(self, model: Model) -> str:
        """Full name of the base model at the root of its line: `gpt-4o-2024-08-06`; "" where nothing names it."""
        root = self._root(model)
        named = _base_of(root.base)
        return named or ("" if base_of(root.id) == root.id else base_of(root.id))

    def newer(self, model: Model) -> Iterator[tuple[Model, Kinship]]:
        """The models that continue its line, newest first, those by descent before those by name alone."""
        key = _key(model)
        descendants = list(self._below(key))
        yield from ((each, Kinship.DESCENT) for each in sorted(descendants, key=_made_at, reverse=True))
        name_key, made_at = self._name_keys.get(key), model.created_at
        if name_key is None or made_at is None:
            return
        kin, own = {_key(each) for each in (*descendants, *self.ancestors(model))}, model.id.lower()
        for each in self._namesakes[name_key]:
            if each.created_at is None or each.created_at <= made_at:
                return
            if each.id.lower() != own and (not kin or _key(each) not in kin):
                yield each, Kinship.SUFFIX

    def owner(self, model: Model) -> str:
        """Whose it is: by its job, else by its account; "" where neither says so."""
        holding = self._holdings.get(model.account)
        if model.owner or holding is None:
            return model.owner
        return holding.account.labels.get("owner") or holding.account.owner

    def _root(self, model: Model) -> Model:
        """The first of its line; remembered, so that a long line is walked once."""
        if not self._is_of_custom(model):
            return model
        if (known := self._roots.get(_key(model))) is not None:
            return known
        passed, at = [], model
        while _key(at) not in self._roots and (parent := self.parent(at)) is not None:
            passed.append(at)
            at = parent
        root = self._roots.setdefault(_key(at), at)
        self._roots.update(dict.fromkeys(map(_key, passed), root))
        return root

    def _below(self, key: _Key) -> Iterator[Model]:
        waiting = list(self._children.get(key, ()))
        while waiting:
            each = waiting.pop()
            yield each
            waiting.extend(self._children.get(_key(each), ()))

    def _named(self, name: str, places: Sequence[str]) -> Model | None:
        """The model of that name or checkpoint; where several accounts have it, that of the first of `places`."""
        found = self._found.get(name)
        if found is None:
            found = self._by_name.get(name.lower()) or self._by_name.get(model_of(name).lower()) or []
            self._found[name] = found
        if len(found) < 2:
            return found[0] if found else None
        for place in places:
            if chosen := next((model for model in found if model.account == place), None):
                return chosen
        return min(found, key=lambda model: model.created_at or _END)

    def _parent_by_name(self, model: Model) -> Model | None:
        return self._named(model.base, (model.account,)) if model.base else None

    def _name_key(self, model: Model) -> _NameKey | None:
        """What models have in common that may be editions of one thing; `None`: nothing can be said."""
        base, suffix = self.base(model), model.suffix or suffix_of(model.id)
        if not suffix or not base or model.created_at is None:
            return None
        return self.owner(model).lower() or model.account, _family(base), suffix.lower()


# Many models share few bases.
_base_of = lru_cache(maxsize=1024)(base_of)
_family = lru_cache(maxsize=1024)(family)

_BEGINNING = datetime.min.replace(tzinfo=UTC)
_END = datetime.max.replace(tzinfo=UTC)


def _made_at(model: Model) -> datetime:
    return model.created_at or _BEGINNING


def _without_circles(parents: Mapping[_Key, Model]) -> dict[_Key, Model]:
    """The parents, without those that make a model its own ancestor: such an answer says nothing of who came first."""
    kept = dict(parents)
    sound: set[_Key] = set()
    for start in parents:
        path: dict[_Key, None] = {}
        at = start
        while at not in sound and at not in path:
            path[at] = None
            parent = kept.get(at)
            if parent is None:
                break
            at = _key(parent)
        if at in path and at in kept:
            names = list(path)
            for name in names[names.index(at) :]:
                del kept[name]
        sound.update(path)
    return kept
