"""Prometheus metrics: counters that the edges tell, and figures read from the store when they are asked for."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What the store says at one time; labels are bounded: no ids of jobs or alerts."""

    accounts: Mapping[str, int] = field(default_factory=dict)  #: by state: ok, gaps, unread
    jobs: Mapping[str, int] = field(default_factory=dict)  #: by status
    deployments: Mapping[tuple[str, str], int] = field(default_factory=dict)  #: by SKU and provisioning state
    until_deletion: Mapping[tuple[str, str], float] = field(default_factory=dict)  #: seconds, by account and deployment
    alerts: Mapping[tuple[str, str, str], int] = field(default_factory=dict)  #: by rule, severity and state
    outbox: Mapping[str, int] = field(default_factory=dict)  #: by state
    last_complete_cycle: datetime | None = None
    skew: timedelta | None = None  #: how far this machine's clock is ahead of the service's; `None`: not measured


class Metrics:
    """The registry, and the counters for the edges to tell. Names are those of the contract."""

    def __init__(self, figures: Callable[[], Figures]) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.registry.register(_Stored(figures))
        self.poll_duration = Histogram(
            "watcher_poll_duration_seconds",
            "Time that one poll of one account took",
            buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
            registry=self.registry,
        )
        self.polls = Counter(
            "watcher_polls",
            "Polls of one account, by outcome: complete, gaps, failed, elsewhere (by another process)",
            ["outcome"],
            registry=self.registry,
        )
        self.azure_requests = Counter(
            "watcher_azure_requests",
            "Requests sent to Azure, by plane and status (0: no answer)",
            ["api", "status"],
            registry=self.registry,
        )
        self.notifications = Counter(
            "watcher_notifications",
            "Attempts at deliveries, by receiver and outcome: delivered, retry, dead",
            ["receiver", "outcome"],
            registry=self.registry,
        )
        self.overruns = Counter(
            "watcher_scheduler_overruns", "Scheduled runs left out since the last one still ran", registry=self.registry
        )

    def azure_request(self, api: str, status: int, duration_s: float) -> None:
        """Told of each attempt at a request."""
        self.azure_requests.labels(api=api, status=str(status)).inc()


class _Stored(Collector):
    """Reads the store once a scrape."""

    def __init__(self, figures: Callable[[], Figures]) -> None:
        self._figures = figures

    def collect(self) -> Iterable[Metric]:
        figures = self._figures()
        yield _gauge("watcher_accounts", "Accounts in scope, by state", ["state"], figures.accounts)
        yield _gauge("watcher_jobs", "Jobs known, by status", ["status"], figures.jobs)
        yield _gauge("watcher_deployments", "Deployments that live", ["sku", "state"], figures.deployments)
        yield _gauge(
            "watcher_deployment_seconds_until_deletion",
            "Time until a deployment may be deleted for idleness or age; only where an alert dates it",
            ["account", "deployment"],
            figures.until_deletion,
        )
        yield _gauge("watcher_alerts", "Alerts", ["rule", "severity", "state"], figures.alerts)
        pending, dead = figures.outbox.get("pending", 0), figures.outbox.get("dead", 0)
        yield GaugeMetricFamily("watcher_outbox_pending", "Notifications not yet delivered", value=pending)
        yield GaugeMetricFamily("watcher_outbox_dead", "Notifications given up", value=dead)
        last = figures.last_complete_cycle
        if last is not None:
            yield GaugeMetricFamily(
                "watcher_last_complete_cycle_timestamp_seconds",
                "When every account had been tried since the time before",
                value=last.timestamp(),
            )
        if figures.skew is not None:
            yield GaugeMetricFamily(
                "watcher_clock_skew_seconds",
                "How far this machine's clock is ahead of Azure's, as last measured; negative: behind",
                value=figures.skew.total_seconds(),
            )

    def describe(self) -> Iterable[Metric]:
        return ()


def _gauge(name: str, help_: str, labels: list[str], values: Mapping[Any, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, help_, labels=labels)
    for key, value in values.items():
        family.add_metric([key] if isinstance(key, str) else list(key), value)
    return family
