"""The nouns of a scenario: what exists in the pretend Azure, and when.

Every time is an offset from the scenario's start (negative: before watching began), every length a `timedelta`.
Nothing here depends on the present; `jobs`, `deployments` and `traffic` say what these nouns look like at a moment.
`loading` reads them from TOML, where a field has the same name (`from_` is written `from`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from watcher.simulator.faults import Fault

Dialect = Literal["dated", "v1"]
Outcome = Literal["succeeded", "failed", "rai_data", "rai_model", "cancelled", "none"]

ZERO = timedelta(0)
SPEAKING_KINDS = frozenset({"OpenAI", "AIServices"})  # kinds of accounts that have what is watched
TOKEN = "simulated-token"  # accepted unless a scenario names its own
SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """Inference calls of one deployment: the first at `from_`, then evenly spaced, none at or after `until`."""

    from_: timedelta
    until: timedelta | None = None  # None: without end, or until `count` is reached
    per_hour: float = 1.0
    count: int | None = None  # at most so many calls in all
    status: int = 200
    dimension: str | None = None  # ModelDeploymentName they are booked under, such as "__Empty"; None: the name


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """One life of a deployment. A second entry with the same name and a later `created` is its next life."""

    name: str
    created: timedelta = ZERO
    model: str | None = None  # a base model, or any spelling of a fine-tuned one
    job: str | None = None  # instead of `model`: name of the account's job whose model is deployed
    checkpoint: int | None = None  # with `job`: the checkpoint of this step instead of the final model
    checkpoint_form: Literal["name", "id"] = "name"  # how the deployment names that checkpoint
    version: str = "1"
    format: str = "OpenAI"
    source: str | None = None  # ARM id of the account that the model comes from, where it is another one
    source_account: str | None = None  # the same, of another tenant
    sku: str = "Standard"  # served as spelt here
    capacity: int = 50
    sku_more: Mapping[str, Any] = field(default_factory=dict)  # beside its name and capacity
    properties: Mapping[str, Any] = field(default_factory=dict)  # in place of what is served by default, or beside it
    tags: Mapping[str, str] = field(default_factory=dict)
    system_data: bool = True  # False: the answer lacks `systemData`, as in the official examples
    created_by: str = "deploy-pipeline@contoso.example"
    modified: timedelta | None = None
    provisioning: tuple[tuple[str, timedelta], ...] = (("Accepted", ZERO), ("Succeeded", timedelta(seconds=30)))
    deployment_state: tuple[tuple[str, timedelta], ...] = ()  # empty: the field is absent
    calls: tuple[Calls, ...] = ()
    idle_after: timedelta = timedelta(days=15)
    idle_deletion: bool = True  # False: never deleted for idleness
    lifetime: timedelta = timedelta(hours=24)  # of a Developer deployment
    expires: bool = True  # False: a Developer deployment outlives its time
    deleted: timedelta | None = None
    deleted_by: str | None = None  # with `deleted`: caller in the activity log; None leaves the deletion unexplained


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """A job stops after it has trained for `after`, and goes on after `lasts`."""

    after: timedelta
    lasts: timedelta | None = None  # None: it stays paused
    reason: Literal["user", "preempted", "cap"] = "user"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtraEvent:
    """A line of a job's log beside those that its timeline writes."""

    at: timedelta  # since the job's creation
    message: str
    level: Literal["info", "warning", "error"] = "info"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A fine-tuning job: how long each phase lasts and how it ends, or an explicit `timeline` of status words."""

    name: str  # known to the scenario only; ids are drawn from it
    model: str = "gpt-4.1-2025-04-14"
    created: timedelta = ZERO
    validating_for: timedelta = timedelta(minutes=2)
    queued_for: timedelta = timedelta(minutes=20)
    running_for: timedelta = timedelta(hours=2)  # training time, pauses not counted; "0s": never runs
    pauses: tuple[Pause, ...] = ()
    outcome: Outcome = "succeeded"  # none: runs for ever
    timeline: tuple[tuple[str, timedelta], ...] = ()  # status words served as they stand, since creation
    words: Dialect | None = None  # whose status words; None: of the dialect that is asked
    id: str | None = None
    id_form: Literal["ftjob-hex", "ft-hex", "ftjob-short"] = "ftjob-hex"
    blanks: Literal["absent", "null", "empty"] | None = None  # fields that do not apply; None: absent dated, null v1
    error_code: str | None = None  # None: one that no documentation knows
    error_message: str | None = None  # instead of the usual text of the outcome
    harm_types: tuple[str, ...] = ()
    text_in: Literal["error", "events", "both"] = "both"  # where the reason of a failure stands
    suffix: str | None = None
    seed: int = 7
    epochs: int = 3
    steps: int = 120
    trained_tokens: int = 10440
    billed_tokens: int | None = None  # None: three quarters of `trained_tokens`
    training_type: str | None = None
    method: Literal["supervised", "dpo", "reinforcement"] = "supervised"
    metadata: Mapping[str, str] = field(default_factory=dict)
    estimated: timedelta | None = None  # `estimated_finish`, since creation
    estimates: tuple[tuple[timedelta, timedelta], ...] = ()  # it slips: (since when, estimate), both since creation
    overfits: bool = False
    older_results: bool = False  # results.csv with the columns of older jobs
    skipped_images: int = 0  # of the training data; the log has a line about them
    validation: bool = True
    paused_finished_at: bool = True  # a paused job carries `finished_at`, as in the official example
    events: tuple[ExtraEvent, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """An uploaded file that belongs to no job of the scenario."""

    filename: str
    created: timedelta = ZERO
    purpose: str = "fine-tune"
    bytes: int | None = 48_000
    status: tuple[tuple[str, timedelta], ...] = (("processed", ZERO),)
    status_details: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A Cognitive Services account. Kinds other than OpenAI and AIServices are noise that a client must skip."""

    name: str
    resource_group: str = "rg-ml"
    subscription: str | None = None  # None: the scenario's first
    location: str = "eastus2"
    kind: str = "OpenAI"
    subdomain: str | None = None  # at any one time unique in the scenario; None: the name
    tags: Mapping[str, str] = field(default_factory=dict)
    created: timedelta = timedelta(days=-200)
    deleted: timedelta | None = None  # one that moves is deleted, and another of its subdomain is created
    deleted_by: str | None = None  # with `deleted`: caller in the activity log; None: not logged
    provisioning_state: str = "Succeeded"
    provisioning: tuple[tuple[str, timedelta], ...] = ()  # instead: words, each since how long after creation
    disable_local_auth: bool = False
    api_keys: tuple[str, ...] = ()
    dialects: tuple[Dialect, ...] = ("v1", "dated")
    job_order: Literal["newest", "oldest", "shuffled"] = "newest"
    metrics: tuple[str, ...] = ("AzureOpenAIRequests", "ModelRequests")  # request metrics that it emits
    logs_platform_deletions: bool = False  # whether Azure's own deletions reach the activity log
    jobs: tuple[Job, ...] = ()
    deployments: tuple[Deployment, ...] = ()
    files: tuple[File, ...] = ()

    @property
    def key(self) -> str:
        """What tells this account's data plane from the others'."""
        return self.subdomain or self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """A subscription that the token can see."""

    id: str = SUBSCRIPTION
    name: str = "Contoso AI"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceGroup:
    """A resource group; those that only accounts name exist too, without tags."""

    name: str
    subscription: str | None = None  # None: the scenario's first
    location: str = "eastus2"
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """One row of the retail price list, in dollars."""

    meter: str
    price: float
    region: str = "eastus2"
    sku: str = ""
    product: str = "Azure OpenAI PP FT GPT4s"
    service: str = "Foundry Models"
    unit: str = "1 Hour"
    type: str = "Consumption"
    tier_minimum_units: float = 0.0
    since: datetime = datetime(2025, 4, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseModel:
    """A model of the catalogue. Times are calendar dates, since retirements do not move with the scenario."""

    name: str
    version: str
    fine_tune_until: datetime | None = None
    inference_until: datetime | None = None
    lifecycle: str = "GenerallyAvailable"  # ARM's spelling
    deprecation_status: Literal["Planned", "Tentative"] | None = None
    format: str = "OpenAI"

    @property
    def full_name(self) -> str:
        """The data plane's id: `gpt-4.1-2025-04-14`."""
        return f"{self.name}-{self.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """The whole pretend Azure."""

    title: str = ""
    start: datetime | None = None  # None: whoever builds the world says when
    length: timedelta = timedelta(days=17)  # of the story; the world goes on after it
    tokens: tuple[str, ...] = (TOKEN,)
    page_size: int = 100  # of ARM lists
    price_page_size: int = 100
    billing_currency: str = "USD"  # of what Cost Management tells
    metrics_delay: timedelta = timedelta(minutes=3)
    activity_delay: timedelta = ZERO  # until the activity log shows what was done
    failed_calls_keep_alive: bool = False  # whether calls without a 2xx status count against idleness
    subscriptions: tuple[Subscription, ...] = (Subscription(),)
    resource_groups: tuple[ResourceGroup, ...] = ()
    accounts: tuple[Account, ...] = ()
    models: tuple[BaseModel, ...] = ()  # empty: `catalogue.MODELS`
    prices: tuple[Price, ...] = ()  # empty: `catalogue.prices_of` the accounts' regions
    faults: tuple[Fault, ...] = ()
