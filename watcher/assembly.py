"""Configuration → objects: the one place where the rooms are introduced to each other."""

import os
import secrets
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TextIO

import sqlalchemy
import structlog
from sqlalchemy.pool import StaticPool

from watcher import config as configuration
from watcher.alerts.inhibition import DEFAULT_INHIBITIONS, InhibitRule
from watcher.alerts.interval import WHOLE_DAY, MuteInterval, TimeRange
from watcher.alerts.matcher import parse_matchers
from watcher.alerts.pace import Pace, Rate
from watcher.alerts.route import RouteSpec, build_route
from watcher.alerts.routing import Routing, owner_routes
from watcher.assembly_report import reporting_of
from watcher.azure.actuals import Bills
from watcher.azure.auth import Credentials, open_credentials
from watcher.azure.catalogue import retirements
from watcher.azure.client import Allowance, AzureClient, Observer
from watcher.azure.clouds import CLOUDS, Cloud, custom_cloud
from watcher.azure.collector import Collector
from watcher.azure.departures import Departures
from watcher.azure.discovery import DiscoverySettings, GivenAccount, discover
from watcher.azure.metrics import first_span
from watcher.azure.prices import PriceList
from watcher.clock import Clock, system_clock
from watcher.config import Config
from watcher.costs.prices import OwnPrice, Terms
from watcher.cycles import (
    Cadence,
    Collect,
    Discover,
    Discovery,
    FindRetirements,
    Judgement,
    ReadBill,
    ReadLog,
    ReadPrices,
    Tariff,
)
from watcher.cycles.memory import Memory
from watcher.cycles.timetables import Reporting
from watcher.errors import ConfigurationError, CredentialError
from watcher.notify.notifier import Notifier, RetryPolicy
from watcher.notify.registry import Context, ReceiverSpec, build_notifiers, pace_of
from watcher.resources.account import Account
from watcher.resources.departure import Departure
from watcher.resources.deployment import Deployment
from watcher.rules.finding import Severity
from watcher.rules.metrics_pace import metrics_wait, stale_after
from watcher.rules.registry import build_rules
from watcher.store import engine
from watcher.store.engine import Store
from watcher.transport import AsyncClient, Client, HTTPError, open_client, system_trust

log = structlog.get_logger()

#: The heartbeat is a courtesy: it may hold up nothing.
_PING_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Everything that runs, built and checked. Close it with `aclose`; the store is closed by whoever opened it."""

    config: Config
    store: Store
    discover: Discover
    read_log: ReadLog  #: of accounts that are gone
    collect: Collect
    retirements: FindRetirements
    read_prices: ReadPrices  #: asked where the judgement has a tariff
    read_bill: ReadBill | None  #: `None`: nobody wants estimates held against it
    skew: Callable[[], tuple[timedelta, datetime] | None]  #: of the clock, with when it was measured; `None`: not yet
    judgement: Judgement
    memory: Memory
    routing: Routing | None  #: `None`: there is no receiver, and nobody is told of anything
    notifiers: Mapping[str, Notifier]
    paces: Mapping[str, Pace]  #: how fast each receiver is told
    reporting: Reporting  #: which reports are made when, and who gets them
    policy: RetryPolicy
    clock: Clock
    wall_clock: Clock
    host: str  #: the machine by whose clock this process goes
    owner: str  #: of the leases of this process
    ping: Callable[[], Awaitable[None]] | None
    closing: AsyncExitStack

    async def aclose(self) -> None:
        """Let go of connections and notifiers."""
        await self.closing.aclose()


def open_store(config: Config) -> Store:
    """The store of the configuration, its schema brought up to date.

    Raises:
        StoreError: it cannot be opened, or a newer watcher has written it.
    """
    database = engine.connect(config.database.address.reveal())
    if engine.upgrade(database):
        log.info("database.upgraded")
    return Store(database)


def open_for_rehearsal(config: Config) -> Store:
    """The store of the configuration as it is, or an empty one in memory where there is none yet."""
    url = sqlalchemy.make_url(config.database.address.reveal())
    if url.get_backend_name() != "sqlite" or (url.database and Path(url.database).exists()):
        database = engine.connect(config.database.address.reveal())
        engine.check_schema(database)
        return Store(database)
    in_memory = engine.connect("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    engine.upgrade(in_memory)
    return Store(in_memory)


async def assemble(
    config: Config,
    store: Store,
    *,
    clock: Clock = system_clock,
    wall_clock: Clock = system_clock,
    observer: Observer | None = None,
    stream: TextIO | None = None,
    http: Client | None = None,
) -> Machine:
    """Build everything, and start nothing.

    Args:
        clock: What the cycles take for now; the demo's is simulated.
        wall_clock: For leases, timeouts and signatures.
        observer: Told of each request to Azure.
        stream: Where receivers of type `console` write; `None`: standard output.
        http: The client to use in place of a new one.

    Raises:
        ConfigurationError: with everything that cannot be used.
    """
    closing = AsyncExitStack()
    if http is None:
        http = open_client(connections=config.poll.concurrency + 64)
        closing.push_async_callback(http.aclose)
    client = client_of(config, http, observer, clock=clock)  # a simulated Azure dates its answers by simulated time
    collector = collector_of(config, client)
    notifiers = notifiers_of(config, http, stream)
    for notifier in notifiers.values():
        closing.push_async_callback(notifier.aclose)
    judgement = judgement_of(config)
    return Machine(
        config=config,
        store=store,
        discover=discover_by(config, collector, clock),
        read_log=log_by(config, collector),
        collect=collector.collect,
        retirements=partial(retirements, collector.management),
        read_prices=PriceList(client, cloud_of(config)).read,
        read_bill=bills_of(config, client),
        skew=partial(_skew, client),
        judgement=judgement,
        memory=Memory(store),
        routing=routing_of(config),
        notifiers=notifiers,
        paces=paces_of(config),
        reporting=reporting_of(config, terms_of(config), judgement.tariff),
        policy=RetryPolicy(),
        clock=clock,
        wall_clock=wall_clock,
        host=(host := socket.gethostname()),
        owner=f"{host}:{os.getpid()}:{secrets.token_hex(4)}",
        ping=heartbeat_of(config, http),
        closing=closing,
    )


def client_of(
    config: Config, http: Client, observer: Observer | None = None, *, clock: Clock = system_clock
) -> AzureClient:
    """What asks Azure."""
    return AzureClient(
        http,
        timeout_s=config.poll.timeout.total_seconds(),
        concurrency=config.poll.concurrency,
        observer=observer,
        clock=clock,
    )


def eyes_of(config: Config, http: Client, clock: Clock) -> tuple[Collector, Discover]:
    """What reads accounts, and what finds them, for a look or two."""
    collector = collector_of(config, client_of(config, http))
    return collector, discover_by(config, collector, clock)


def collector_of(config: Config, client: AzureClient) -> Collector:
    """What reads accounts."""
    cloud = cloud_of(config)
    keys = {
        account.resource_id.lower(): account.api_key.reveal() for account in config.azure.accounts if account.api_key
    }
    return Collector(
        client,
        cloud,
        credentials_of(config, cloud),
        keys=keys,
        api=config.azure.api,
        batch=config.azure.metrics_batch,
        read_results=config.azure.read_results,
        training_every=config.poll.training,
        first_span=first_span_of(config),
    )


def first_span_of(config: Config) -> timedelta:
    """How far back calls must be read so that the longest configured lifetime without one is seen whole."""
    idle = config.rules.deployment_idle
    return first_span([idle.lifetime, *(one for one in idle.lifetimes.values() if one is not None)])


def discover_by(config: Config, collector: Collector, clock: Clock) -> Discover:
    """What finds accounts."""
    settings = discovery_settings(config)

    async def find(known: Sequence[Account]) -> Discovery:
        return await discover(collector.management, settings, at=clock(), known=known)

    return find


def log_by(config: Config, collector: Collector) -> ReadLog:
    """What asks the activity log about accounts that are gone."""
    departures = Departures(collector.management)

    async def read(
        account: Account,
        gone: Sequence[Deployment],
        again: Sequence[Deployment],
        *,
        since: datetime | None,
        at: datetime,
        doubted: Mapping[str, datetime | None],
    ) -> Mapping[str, Departure]:
        allowance = Allowance(config.poll.timeout.total_seconds())
        return await departures.read(account, gone, again, since=since, at=at, allowance=allowance, doubted=doubted)

    return read


def _skew(client: AzureClient) -> tuple[timedelta, datetime] | None:
    return None if client.skew is None or client.skew_at is None else (client.skew, client.skew_at)


def cloud_of(config: Config) -> Cloud:
    """The addresses of the configured cloud."""
    azure = config.azure
    if azure.cloud != "custom":
        cloud = CLOUDS[azure.cloud]
        return replace(cloud, data_scope=azure.data_scope) if azure.data_scope else cloud
    return custom_cloud(
        management_url=azure.management_url or "",
        metrics_url=azure.metrics_url or "",
        prices_url=azure.prices_url or "",
        authority_url=azure.authority_url or "",
        data_scope=azure.data_scope or CLOUDS["public"].data_scope,
    )


def credentials_of(config: Config, cloud: Cloud) -> Credentials:
    """The configured credential; asks for no token yet."""
    azure = config.azure
    try:
        return open_credentials(
            azure.credential,
            is_custom=cloud.is_custom,
            authority_url=cloud.authority_url,
            tenant_id=azure.tenant_id or "",
            client_id=azure.client_id or "",
            client_secret=azure.client_secret.reveal() if azure.client_secret else "",
            token=azure.token.reveal() if azure.token else "",
        )
    except CredentialError as exc:  # something is missing, and no token was asked for yet
        raise ConfigurationError([("azure.credential", str(exc), "")]) from exc


def discovery_settings(config: Config) -> DiscoverySettings:
    """What is looked for."""
    azure, discovery = config.azure, config.azure.discovery
    return DiscoverySettings(
        is_enabled=azure.discovers,
        subscriptions=discovery.subscriptions,
        resource_groups=discovery.resource_groups,
        include=discovery.include,
        exclude=discovery.exclude,
        owner_tag=discovery.owner_tag,
        tag_labels=discovery.tag_labels,
        accounts=tuple(
            GivenAccount(resource_id=given.resource_id, endpoint=given.endpoint or "", labels=dict(given.labels))
            for given in azure.accounts
        ),
    )


def judgement_of(config: Config) -> Judgement:
    """The rules in force."""
    options: dict[str, Mapping[str, object]] = {
        name: {
            **{key: getattr(rule, key) for key in type(rule).model_fields},
            "severity": Severity(rule.severity) if rule.severity else None,
        }
        for name, rule in config.rules.builtin.items()
    }
    rules = config.rules
    for name in ("deployment_idle", "deployment_wasting", "deployment_trickle", "deployment_superseded", "job_cost"):
        options[name] = {**options[name], "pricing": terms_of(config)}
    for name in ("deployment_idle", "deployment_wasting"):
        options[name] = {
            **options[name],
            "lifetime": rules.deployment_idle.lifetime,
            "lifetimes": rules.deployment_idle.lifetimes,
            "stale_after": stale_after(config.poll.metrics),
        }
    options["deployment_gone"] = {
        **options["deployment_gone"],
        "idle_lifetime": rules.deployment_idle.lifetime,
        "idle_lifetimes": rules.deployment_idle.lifetimes,
        "developer_lifetime": rules.deployment_expiring.lifetime,
        "expiry_lifetimes": rules.deployment_expiring.lifetimes,
    }
    built = build_rules({**options, **rules.plugins})
    for problem in built.problems:
        log.error("rule.broken", path=problem.path, problem=problem.message, cure=problem.cure)
    return Judgement(
        rules=built.rules,
        fleet_rules=built.fleet_rules,
        inventory_rules=built.inventory_rules,
        cadence=Cadence(
            active=config.poll.active,
            quiet=config.poll.quiet,
            deployments=config.poll.deployments,
            metrics=config.poll.metrics,
            files=config.poll.files,
            models=config.poll.models,
            metrics_pace=partial(
                metrics_wait,
                every=config.poll.metrics,
                warn_before=rules.deployment_idle.warn_before,
                lifetime=rules.deployment_idle.lifetime,
                lifetimes=rules.deployment_idle.lifetimes,
            ),
        ),
        critical_environments=frozenset(config.watcher.critical_environments),
        owner_tag=config.azure.discovery.owner_tag,
        receivers=frozenset(receiver.name for receiver in config.receivers),
        tariff=tariff_of(config),
    )


def terms_of(config: Config) -> Terms:
    """What the operator says of prices."""
    pricing = config.pricing
    return Terms(
        table=tuple(
            OwnPrice(
                model=line.model,
                sku=line.sku,
                hosting_per_hour=line.hosting_per_hour,
                ptu_per_hour=line.ptu_per_hour,
                training_per_million=line.training_per_million,
                training_per_hour=line.training_per_hour,
            )
            for line in pricing.table
        ),
        currency=pricing.currency,
        discount_percent=pricing.discount_percent,
    )


def bills_of(config: Config, client: AzureClient) -> ReadBill | None:
    """What reads what Azure billed, where that is wanted."""
    if not config.pricing.reconcile:
        return None
    cloud = cloud_of(config)
    return Bills(client, cloud, credentials_of(config, cloud).for_scope(cloud.management_scope)).read


def tariff_of(config: Config) -> Tariff:
    """The public price list that amounts rest on, none where the configuration wants none or its cloud has none."""
    cloud = CLOUDS.get(config.azure.cloud)
    is_published = bool(cloud.prices_url if cloud else config.azure.prices_url)
    return Tariff(config.pricing.currency if config.pricing.source == "retail" and is_published else "")


def routing_of(config: Config) -> Routing | None:
    """Who is told of what."""
    if config.route is None:
        return None
    mutes = {
        mute.name: MuteInterval(
            name=mute.name,
            times=tuple(TimeRange(start=time.start, end=time.end) for time in mute.times) or (WHOLE_DAY,),
            weekdays=frozenset(mute.weekdays),
            timezone=config.watcher.timezone,
            except_severity=Severity(mute.except_severity) if mute.except_severity else None,
        )
        for mute in config.mute
    }
    inhibitions = tuple(
        InhibitRule(source=parse_matchers(rule.source), target=parse_matchers(rule.target), equal=rule.equal)
        for rule in config.inhibit
    )
    root = build_route(_spec(config.route))
    owners = [
        owner_routes(root, f"owners[{number}]", parse_matchers(owner.match), owner.receivers)
        for number, owner in enumerate(config.owners)
    ]
    return Routing(
        root=root,
        inhibitions=inhibitions or DEFAULT_INHIBITIONS,
        mutes=mutes,
        owners=tuple(route for routes in owners for route in routes),
        receivers=tuple(receiver.name for receiver in config.receivers),
    )


def _spec(route: configuration.Route) -> RouteSpec:
    return RouteSpec(
        receiver=route.receiver,
        matchers=parse_matchers(route.match),
        group_by=route.group_by,
        group_wait=route.group_wait,
        group_interval=route.group_interval,
        repeat_interval=route.repeat_interval,
        mute=route.mute,
        continue_=route.continue_,
        fallback=route.fallback,
        escalate_after=route.escalate_after,
        escalate_to=route.escalate_to,
        routes=tuple(_spec(child) for child in route.routes),
    )


def notifiers_of(config: Config, http: AsyncClient, stream: TextIO | None = None) -> Mapping[str, Notifier]:
    """The receivers by name."""
    context = Context(
        watcher_name=config.watcher.name,
        zone=config.watcher.timezone,
        public_url=config.watcher.public_url or "",
        client=http,
        stream=stream,
        smtp_tls=system_trust(),
    )
    specs = []
    for number, receiver in enumerate(config.receivers):
        options = receiver_options(receiver)
        specs.append(ReceiverSpec(path=f"receivers[{number}]", name=receiver.name, type=receiver.type, options=options))
    return build_notifiers(specs, context)


def paces_of(config: Config) -> Mapping[str, Pace]:
    """How fast each receiver is told: as configured, else as its service publishes."""
    given = {
        one.name: Rate(messages=one.rate_limit.messages, per=one.rate_limit.per)
        for one in config.receivers
        if one.rate_limit is not None
    }
    return {one.name: pace_of(one.type, given.get(one.name)) for one in config.receivers}


def receiver_options(receiver: configuration.AnyReceiver) -> dict[str, object]:
    """A receiver's options as plain values, secrets in the open under the name without `_env` or `_file`."""
    return {
        key: value.reveal() if isinstance(value, configuration.Secret) else value
        for key, value in receiver.options().items()
    }


def heartbeat_of(config: Config, http: AsyncClient) -> Callable[[], Awaitable[None]] | None:
    """What pings the heartbeat's address; a failure is logged and harms nothing."""
    if config.heartbeat is None or config.heartbeat.url is None:
        return None
    url = config.heartbeat.url.reveal()

    async def ping() -> None:
        try:
            answer = await http.get(url, timeout=_PING_TIMEOUT_S)
            if answer.status_code >= 400:
                log.warning("heartbeat.failed", status=answer.status_code)
        except HTTPError as exc:
            log.warning("heartbeat.failed", error=type(exc).__name__)

    return ping


def secrets_of(config: Config) -> tuple[str, ...]:
    """Every secret's text, to be cut out of the logs."""
    return tuple(secret.reveal() for secret in config.secrets())


#: How often accounts are looked for.
DISCOVERY_INTERVAL = timedelta(minutes=15)
