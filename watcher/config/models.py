"""The whole schema but for receivers and rules: one class for each table, in the order of `config.example.toml`."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field

from watcher.config.receivers import AnyReceiver, UrlFromEnv, UrlFromFile
from watcher.config.rules import Rules
from watcher.config.secret import Secret, SecretFromEnv, SecretFromFile
from watcher.config.table import Mistake, Table, has_secret, nearest
from watcher.config.times import DayTimes, Duration, Interval, Period, ReportSchedule, TimeZone, Weekdays
from watcher.config.values import (
    WHOLE,
    BaseUrl,
    Currency,
    DatabaseUrl,
    FreeLabel,
    GroupLabel,
    HeaderName,
    Invalid,
    LabelName,
    Labels,
    Listen,
    ListenAddress,
    Matchers,
    Name,
    Peer,
    ResourceId,
    Severity,
    Url,
    check_database_url,
    parse_listen,
)

#: A place for incidents, and none for a page of figures.
TYPES_WITHOUT_REPORTS = ("alertmanager", "pagerduty")

Names = tuple[Name, ...]
SomeNames = Annotated[tuple[Name, ...], Field(min_length=1)]
SomeMatchers = Annotated[Matchers, Field(min_length=1)]
Amount = Annotated[Decimal, Field(ge=0, allow_inf_nan=False)]


class Watcher(Table):
    #: Shown in every message.
    name: Name = "watcher"
    #: Of schedules and human text; storage and payloads are UTC.
    timezone: TimeZone = ZoneInfo("UTC")
    #: Where `environment` is none of these, critical is lowered to warning; empty: everywhere counts.
    critical_environments: Names = ()
    #: Base of links in messages; None: the page's own address.
    public_url: Annotated[Url, AfterValidator(lambda url: url.rstrip("/"))] | None = None


def _known_database(secret: Secret) -> Secret:
    try:
        check_database_url(secret.reveal())
    except Invalid as exc:
        raise Invalid(f"the secret in {secret.source} {exc.message}", exc.cure) from None
    return secret


class Database(Table):
    url: DatabaseUrl = "sqlite:///watcher.db"
    url_env: Annotated[SecretFromEnv, AfterValidator(_known_database)] | None = None
    url_file: Annotated[SecretFromFile, AfterValidator(_known_database)] | None = None
    #: Ended things older than this are pruned.
    retention: Interval = timedelta(days=400)

    @property
    def address(self) -> Secret:
        """SQLAlchemy's URL, however it was given."""
        return self.secret("url") or Secret(self.url)

    @classmethod
    def mistakes(cls, table: Mapping[str, Any]) -> Iterator[Mistake]:
        if "url" in table and has_secret(table, "url"):
            yield Mistake("url", "stands beside url_env or url_file", "keep one of them")


class Discovery(Table):
    #: None: all that the credential sees. Empty: discover nothing.
    subscriptions: Names | None = None
    resource_groups: Names = ("*",)
    #: Account name globs.
    include: Names = ("*",)
    exclude: Names = ()
    #: Of the deployment, then the account, then its resource group.
    owner_tag: Name = "owner"
    #: Tags that become labels and report columns.
    tag_labels: tuple[FreeLabel, ...] = ()


class AzureAccount(Table):
    """An account given by hand."""

    resource_id: ResourceId
    #: None: from ARM.
    endpoint: BaseUrl | None = None
    api_key_env: SecretFromEnv | None = None
    api_key_file: SecretFromFile | None = None
    labels: Labels = Field(default_factory=lambda: MappingProxyType({}))

    @property
    def api_key(self) -> Secret | None:
        return self.secret("api_key")


_CUSTOM_URLS = ("management_url", "metrics_url", "prices_url", "authority_url")


class Azure(Table):
    cloud: Literal["public", "usgovernment", "china", "custom"] = "public"
    credential: Literal["default", "managed_identity", "workload_identity", "client_secret", "azure_cli", "static"] = (
        "default"
    )
    tenant_id: Name | None = None
    client_id: Name | None = None
    client_secret_env: SecretFromEnv | None = None
    client_secret_file: SecretFromFile | None = None
    token_env: SecretFromEnv | None = None
    token_file: SecretFromFile | None = None
    management_url: BaseUrl | None = None
    metrics_url: BaseUrl | None = None
    prices_url: BaseUrl | None = None
    authority_url: BaseUrl | None = None
    #: The data plane's dialect.
    api: Literal["auto", "v1", "dated"] = "auto"
    #: None: the cloud's own.
    data_scope: Name | None = None
    #: False: never downloads a result file.
    read_results: bool = True
    #: True: asks for the metrics of up to 50 accounts in one request, which Azure bills and which needs the role
    #: Monitoring Reader on the subscription; where it is refused, each account is asked by itself.
    metrics_batch: bool = False
    discovery: Discovery = Field(default_factory=Discovery)
    accounts: tuple[AzureAccount, ...] = ()

    @property
    def client_secret(self) -> Secret | None:
        return self.secret("client_secret")

    @property
    def token(self) -> Secret | None:
        return self.secret("token")

    @property
    def discovers(self) -> bool:
        """Whether to look for accounts: not where some are given by hand and `[azure.discovery]` is left out."""
        if "discovery" in self.model_fields_set:
            return self.discovery.subscriptions != ()
        return not self.accounts

    @classmethod
    def mistakes(cls, table: Mapping[str, Any]) -> Iterator[Mistake]:
        credential, cloud = table.get("credential", "default"), table.get("cloud", "public")
        if credential == "client_secret":
            for key in ("tenant_id", "client_id"):
                if key not in table:
                    yield Mistake(key, 'is required with credential = "client_secret"', "add it")
            yield from _needed(table, "client_secret", credential)
        if credential == "static":
            yield from _needed(table, "token", credential)
        for name in ("client_secret", "token"):
            if has_secret(table, name) and credential != {"client_secret": "client_secret", "token": "static"}[name]:
                kind = {"client_secret": "client_secret", "token": "static"}[name]
                key = f"{name}_env" if f"{name}_env" in table else f"{name}_file"
                yield Mistake(key, f'is read with credential = "{kind}" only', "set that, or drop the key")
        for key in _CUSTOM_URLS:
            if cloud == "custom" and key in _CUSTOM_URLS[:2] and key not in table:
                yield Mistake(key, 'is required with cloud = "custom"', "add it")
            if cloud != "custom" and key in table:
                yield Mistake(key, 'is read with cloud = "custom" only', "set that, or drop the key")
        yield from _repeated(table, "accounts", "resource_id", fold=True)
        discovery = table.get("discovery")
        if isinstance(discovery, dict) and discovery.get("subscriptions") == [] and not table.get("accounts"):
            yield Mistake(
                "discovery", "finds nothing and no account is given", "name subscriptions or [[azure.accounts]]"
            )


def _needed(table: Mapping[str, Any], name: str, credential: str) -> Iterator[Mistake]:
    if not has_secret(table, name) and name not in table:
        yield Mistake(
            f"{name}_env",
            f'is required with credential = "{credential}"',
            f"name a variable here, or a file in {name}_file",
        )


def _repeated(table: Mapping[str, Any], tables: str, key: str, *, fold: bool = False) -> Iterator[Mistake]:
    """Tables in a list of which two have one name."""
    seen: set[str] = set()
    for number, entry in enumerate(listed(table, tables)):
        name = entry.get(key)
        if not isinstance(name, str):
            continue
        name = name.lower() if fold else name
        if name in seen:
            yield Mistake(f"{tables}[{number}].{key}", "stands there twice", "give each its own")
        seen.add(name)


def listed(table: Mapping[str, Any], key: str) -> Sequence[Mapping[str, Any]]:
    """The tables in the list `key`; one that is no table is replaced by an empty one, which keeps the numbers."""
    entries = table.get(key)
    return [entry if isinstance(entry, dict) else {} for entry in entries] if isinstance(entries, list) else []


class Poll(Table):
    #: Accounts with a job under way.
    active: Interval = timedelta(minutes=1)
    #: Accounts without one.
    quiet: Interval = timedelta(minutes=10)
    deployments: Interval = timedelta(minutes=10)
    #: Calls, of accounts with a deployment that nears its deletion; of the others twelve times as seldom.
    metrics: Interval = timedelta(hours=1)
    #: Uploaded files.
    files: Interval = timedelta(hours=1)
    #: Custom models, what exists over all accounts, and the retirement of base models.
    models: Interval = timedelta(hours=6)
    #: The inside of jobs under way: their checkpoints.
    training: Interval = timedelta(minutes=15)
    #: One request, in total.
    timeout: Interval = timedelta(seconds=30)
    #: Requests under way at once.
    concurrency: Annotated[int, Field(ge=1, le=10_000), WHOLE] = 64


_FIGURES = ("hosting_per_hour", "ptu_per_hour", "training_per_million", "training_per_hour")


class Price(Table):
    """The operator's own prices; globs, without regard to case. What is None it says nothing about."""

    model: Name = "*"
    #: Of training prices: the training type.
    sku: Name = "*"
    #: Of a whole deployment.
    hosting_per_hour: Amount | None = None
    ptu_per_hour: Amount | None = None
    #: Tokens.
    training_per_million: Amount | None = None
    #: Of reinforcement.
    training_per_hour: Amount | None = None

    @classmethod
    def mistakes(cls, table: Mapping[str, Any]) -> Iterator[Mistake]:
        if not any(key in table for key in _FIGURES):
            yield Mistake("hosting_per_hour", "is required where no other price is given", f"add it, or {_FIGURES[1]}")


class Pricing(Table):
    source: Literal["retail", "table"] = "retail"
    currency: Currency = "USD"
    discount_percent: Annotated[Decimal, Field(ge=0, le=100)] = Decimal(0)
    #: Asks Cost Management once a day what was billed, to hold estimates against.
    reconcile: bool = False
    #: First match wins, before the source.
    table: tuple[Price, ...] = ()


class Owner(Table):
    match: SomeMatchers
    name: Name
    receivers: SomeNames


class Route(Table):
    """A node of Alertmanager's tree; what is None is its parent's."""

    match: Matchers = ()
    receiver: Name | None = None
    group_by: tuple[GroupLabel, ...] | None = None
    group_wait: Duration | None = None
    group_interval: Duration | None = None
    repeat_interval: Interval | None = None
    #: Receivers to take over while the receiver is dead.
    fallback: Names | None = None
    #: How long an alert may stay unacknowledged before `escalate_to` is told too.
    escalate_after: Interval | None = None
    escalate_to: Names | None = None
    mute: Names = ()
    continue_: bool = Field(default=False, alias="continue")
    routes: tuple["Route", ...] = ()

    @classmethod
    def mistakes(cls, table: Mapping[str, Any]) -> Iterator[Mistake]:
        for key, other in (("escalate_after", "escalate_to"), ("escalate_to", "escalate_after")):
            if key in table and other not in table:
                yield Mistake(other, f"is required with {key}", "add it")


class RootRoute(Route):
    """The root of the tree: it takes every alert, so it has a receiver and no matchers."""

    receiver: Name
    group_by: tuple[GroupLabel, ...] = ("rule", "owner")
    group_wait: Duration = timedelta(seconds=30)
    group_interval: Duration = timedelta(minutes=5)
    repeat_interval: Interval = timedelta(hours=24)

    @classmethod
    def mistakes(cls, table: Mapping[str, Any]) -> Iterator[Mistake]:
        yield from super().mistakes(table)
        for key in ("match", "continue"):
            if table.get(key):
                yield Mistake(key, "has no meaning at the root", "move it into [[route.routes]]")


class Inhibit(Table):
    source: SomeMatchers
    target: SomeMatchers
    #: Labels that must be equal in both.
    equal: tuple[LabelName, ...] = ()


class Mute(Table):
    """A named time interval; it belongs to the day on which it starts."""

    name: Name
    #: Empty: the whole day.
    times: tuple[DayTimes, ...] = ()
    #: Monday 0; all seven where left out.
    weekdays: Weekdays = Field(default=(0, 1, 2, 3, 4, 5, 6), json_schema_extra={"default": ["mon-sun"]})
    #: Alerts at least this severe pass.
    except_severity: Severity | None = None

    @classmethod
    def mistakes(cls, table: Mapping[str, Any]) -> Iterator[Mistake]:
        if not table.get("times") and "weekdays" not in table:
            yield Mistake("times", "is required where there are no weekdays", "a mute without either would never end")


class Report(Table):
    name: Name
    schedule: ReportSchedule
    #: A length back from the schedule's day, or the calendar month before.
    period: Period = timedelta(days=7)
    #: "all": everything, and each owner's own edition to them; "finance": the money alone, to the receivers alone.
    edition: Literal["all", "finance"] = "all"
    receivers: SomeNames


class WebToken(Table):
    """A named token; the name stands in the audit."""

    needed_secrets: ClassVar[tuple[str, ...]] = ("token",)

    name: Name
    scope: Literal["read", "write"] = "read"
    token_env: SecretFromEnv | None = None
    token_file: SecretFromFile | None = None

    @property
    def token(self) -> Secret | None:
        return self.secret("token")


class Web(Table):
    listen: ListenAddress = Listen("127.0.0.1:8787")
    token_env: SecretFromEnv | None = None
    token_file: SecretFromFile | None = None
    #: In which a reverse proxy names the user it has let in; None: no proxy is believed.
    user_header: HeaderName | None = None
    #: Whose word is taken for that.
    proxies: tuple[Peer, ...] = ("127.0.0.1", "::1")
    #: What such a user may do.
    user_scope: Literal["read", "write"] = "read"
    tokens: tuple[WebToken, ...] = ()

    @property
    def token(self) -> Secret | None:
        return self.secret("token")

    @classmethod
    def mistakes(cls, table: Mapping[str, Any]) -> Iterator[Mistake]:
        yield from _repeated(table, "tokens", "name")
        for key in ("proxies", "user_scope"):
            if key in table and "user_header" not in table:
                yield Mistake(
                    key, "has no effect without user_header", "name the header that the proxy sets, or drop it"
                )
        if table.get("proxies") == []:
            yield Mistake("proxies", "is empty", "name at least one, or leave it out for this machine's own")
        try:
            listen = parse_listen(table.get("listen", "127.0.0.1:8787"))
        except Invalid:
            return  # told already
        if (
            not listen.is_loopback
            and not has_secret(table, "token")
            and not table.get("tokens")
            and "token" not in table
        ):
            yield Mistake("token_file", "is required where listen is not loopback", "add it, or listen on 127.0.0.1")


class Heartbeat(Table):
    """Pinged after each complete cycle."""

    needed_secrets: ClassVar[tuple[str, ...]] = ("url",)

    url_env: UrlFromEnv | None = None
    url_file: UrlFromFile | None = None

    @property
    def url(self) -> Secret | None:
        return self.secret("url")


class Logging(Table):
    format: Literal["auto", "json", "console"] = "auto"
    level: Literal["debug", "info", "warning", "error", "critical"] = "info"


class Config(Table):
    """The whole configuration, checked; nothing in it changes."""

    watcher: Watcher = Field(default_factory=Watcher)
    database: Database = Field(default_factory=Database)
    azure: Azure = Field(default_factory=Azure)
    poll: Poll = Field(default_factory=Poll)
    rules: Rules = Field(default_factory=Rules)
    pricing: Pricing = Field(default_factory=Pricing)
    receivers: tuple[AnyReceiver, ...] = ()
    owners: tuple[Owner, ...] = ()
    #: None only where there are no receivers.
    route: RootRoute | None = None
    inhibit: tuple[Inhibit, ...] = ()
    mute: tuple[Mute, ...] = ()
    reports: tuple[Report, ...] = ()
    web: Web = Field(default_factory=Web)
    heartbeat: Heartbeat | None = None
    logging: Logging = Field(default_factory=Logging)

    @classmethod
    def mistakes(cls, table: Mapping[str, Any]) -> Iterator[Mistake]:
        for key in ("receivers", "mute", "reports", "owners"):
            yield from _repeated(table, key, "name")
        if listed(table, "receivers") and "route" not in table:
            yield Mistake("route", "is required where there are receivers", 'add [route] with receiver = "…"')
        receivers, mutes = _names(table, "receivers"), _names(table, "mute")
        for path, kind, name in _references(table):
            known = receivers if kind == "receiver" else mutes
            if isinstance(name, str) and name not in known:
                tables = "receivers" if kind == "receiver" else "mute"
                cure = nearest(name, known) if known else f"add a table [[{tables}]]"
                yield Mistake(path, f'no {kind} is named "{name}"', cure)
        yield from _without_reports(table)


def _without_reports(table: Mapping[str, Any]) -> Iterator[Mistake]:
    types = {str(entry.get("name")): entry.get("type") for entry in listed(table, "receivers")}
    for number, report in enumerate(listed(table, "reports")):
        for path, _, name in _each(f"reports[{number}].receivers", "receiver", report.get("receivers")):
            if isinstance(name, str) and (type_ := types.get(name)) in TYPES_WITHOUT_REPORTS:
                cure = "name one that a person reads: email, slack, teams, webhook, apprise or console"
                yield Mistake(path, f'"{name}" is of type {type_}, which takes no reports', cure)


def _names(table: Mapping[str, Any], tables: str) -> list[str]:
    return [entry["name"] for entry in listed(table, tables) if isinstance(entry.get("name"), str)]


def _references(table: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """Every name of a receiver or mute outside its own table: path, kind and name."""
    for tables in ("owners", "reports"):
        for number, entry in enumerate(listed(table, tables)):
            yield from _each(f"{tables}[{number}].receivers", "receiver", entry.get("receivers"))
    if isinstance(route := table.get("route"), dict):
        yield from _route_references("route", route)


def _route_references(path: str, route: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    yield f"{path}.receiver", "receiver", route.get("receiver")
    for key in ("fallback", "escalate_to"):
        yield from _each(f"{path}.{key}", "receiver", route.get(key))
    yield from _each(f"{path}.mute", "mute", route.get("mute"))
    for number, child in enumerate(listed(route, "routes")):
        yield from _route_references(f"{path}.routes[{number}]", child)


def _each(path: str, kind: str, names: object) -> Iterator[tuple[str, str, Any]]:
    for number, name in enumerate(names if isinstance(names, list) else ()):
        yield f"{path}[{number}]", kind, name
