"""What speaks to Azure: the cloud and its credential, what finds accounts, what reads them, and what reads bills.

Nothing is asked here; some commands take a part of it for a look or two.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from watcher.azure.actuals import Bills
from watcher.azure.auth import Credentials, open_credentials
from watcher.azure.client import Allowance, AzureClient, Observer
from watcher.azure.clouds import CLOUDS, Cloud, custom_cloud
from watcher.azure.collector import Collector
from watcher.azure.departures import Departures
from watcher.azure.discovery import DiscoverySettings, GivenAccount, discover
from watcher.azure.metrics import first_span
from watcher.clock import Clock, system_clock
from watcher.config import Config
from watcher.cycles import Discover, Discovery, ReadBill, ReadLog
from watcher.errors import ConfigurationError, CredentialError
from watcher.resources.account import Account
from watcher.resources.departure import Departure
from watcher.resources.deployment import Deployment
from watcher.transport import Client


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


def bills_of(config: Config, client: AzureClient) -> ReadBill | None:
    """What reads what Azure billed, where that is wanted."""
    if not config.pricing.reconcile:
        return None
    cloud = cloud_of(config)
    return Bills(client, cloud, credentials_of(config, cloud).for_scope(cloud.management_scope)).read
