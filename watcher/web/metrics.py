"""Prometheus metrics: counters that the edges tell, and figures read from the store when they are asked for.

The variety of labels is bounded: no ids of jobs or alerts, and of deployments only those that count down.
"""

import asyncio
import platform
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.core import GaugeMetricFamily, Metric, UnknownMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from watcher import __version__
from watcher.errors import StoreError
from watcher.store.counts import MOST_COUNTDOWNS, Figures

__all__ = ["Figures", "Metrics"]

#: How often the loop's lag is measured.
_LAG_EVERY_S = 0.5
#: Other statuses than HTTP's own are told as one.
_STATUSES = range(100, 600)

disable_created_metrics()  # type: ignore[no-untyped-call]  # when each counter began doubles their number, and nobody asks


class Metrics:
    """The registry, and the counters for the edges to tell. Names are those of the contract.

    Args:
        figures: Reads the store; called in a thread, once a scrape.
    """

    def __init__(self, figures: Callable[[], Figures]) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        Info("watcher_build", "Which watcher this is, and what it runs on", registry=registry).info(
            {"version": __version__, "python": platform.python_version()}
        )
        Gauge(
            "watcher_start_timestamp_seconds", "When this process started to watch", registry=registry
        ).set_to_current_time()
        registry.register(_Stored(figures))
        self.poll_duration = Histogram(
            "watcher_poll_duration_seconds",
            "Time that one poll of one account took",
            buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
            registry=registry,
        )
        self.polls = Counter(
            "watcher_polls",
            "Polls of one account, by outcome: complete, gaps, failed, elsewhere (by another process)",
            ["outcome"],
            registry=registry,
        )
        for outcome in ("complete", "gaps", "failed", "elsewhere"):
            self.polls.labels(outcome=outcome)  # from the start, so that the first failure is an increase
        self.azure_requests = Counter(
            "watcher_azure_requests",
            "Requests sent to Azure, by plane and status (0: no answer)",
            ["api", "status"],
            registry=registry,
        )
        self.notifications = Counter(
            "watcher_notifications",
            "Attempts at deliveries, by receiver and outcome: delivered, retry, dead",
            ["receiver", "outcome"],
            registry=registry,
        )
        self.reports = Counter(
            "watcher_reports",
            "Attempts at sending reports, by report and outcome: delivered, retry, dead",
            ["report", "outcome"],
            registry=registry,
        )
        self.overruns = Counter(
            "watcher_scheduler_overruns", "Scheduled runs left out since the last one still ran", registry=registry
        )
        self._lag = Histogram(
            "watcher_event_loop_lag_seconds",
            "How much later than asked the event loop comes back, measured twice a second",
            buckets=(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
            registry=registry,
        )

    def azure_request(self, api: str, status: int, duration_s: float) -> None:
        """Told of each attempt at a request."""
        self.azure_requests.labels(api=api, status=str(status) if status in _STATUSES or not status else "other").inc()

    def exposition(self, accept: str = "") -> tuple[bytes, str]:
        """What a scrape gets, and its media type: OpenMetrics where it is asked for. It waits for the database: call it
        in a thread."""
        encode, media_type = choose_encoder(accept)
        return encode(self.registry), media_type

    async def watch_loop(self, every_s: float = _LAG_EVERY_S) -> None:
        """Measure how late the event loop is, until cancelled."""
        while True:
            due = time.perf_counter() + every_s
            await asyncio.sleep(every_s)
            self._lag.observe(max(0.0, time.perf_counter() - due))


class _Stored(Collector):
    """Reads the store once a scrape; while that cannot be read, what the process itself counts is still told."""

    def __init__(self, figures: Callable[[], Figures]) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        name, help_ = "watcher_database_up", "1 while the database can be read, else 0"
        try:
            figures = self._figures()
        except StoreError:
            yield _single(name, help_, 0)
            return
        yield _single(name, help_, 1)
        yield from _watched(figures)
        yield from _money(figures)
        yield from _told(figures)
        yield from _itself(figures)

    def describe(self) -> Iterable[Metric]:
        return ()


def _watched(figures: Figures) -> Iterator[Metric]:
    yield _gauge("watcher_accounts", "Accounts in scope, by state: ok, gaps, unread", ["state"], figures.accounts)
    yield _gauge(
        "watcher_account_gaps",
        "Accounts of which a section cannot be read, by section and reason",
        ["section", "reason"],
        figures.gaps,
    )
    oldest = {section: at.timestamp() for section, at in figures.oldest_reading.items()}
    yield _gauge(
        "watcher_oldest_reading_timestamp_seconds",
        "When the account whose section was read longest ago was read; those never read are left out",
        ["section"],
        oldest,
    )
    yield _gauge(
        "watcher_jobs",
        "Jobs known of accounts in scope, by status; unknown: under way when last seen, and no longer listed",
        ["status"],
        figures.jobs,
    )
    yield _gauge("watcher_deployments", "Deployments that live", ["sku", "state"], figures.deployments)
    yield _gauge(
        "watcher_deployment_seconds_until_deletion",
        "Time until Azure may delete a deployment for idleness or age, at the earliest; negative: it is over. "
        f"Only where an alert dates it, and at most the {MOST_COUNTDOWNS} nearest",
        ["account", "deployment"],
        figures.until_deletion,
    )
    yield GaugeMetricFamily(
        "watcher_deployment_countdowns", "Deployments whose deletion an alert dates", value=figures.countdowns
    )


def _money(figures: Figures) -> Iterator[Metric]:
    money = figures.money
    currency = GaugeMetricFamily("watcher_currency_info", "The currency of all amounts", labels=["currency"])
    if money.currency:
        currency.add_metric([money.currency], 1)
    yield currency
    yield _gauge(
        "watcher_hosting_cost_per_hour",
        "What the standing deployments of custom models cost an hour at list price, no invoice; the currency is in "
        "watcher_currency_info, and what has no known price in watcher_unpriced_deployments",
        ["account"],
        money.per_hour,
    )
    # Its name is that of a counter, yet it falls: so it is given no type.
    idle = UnknownMetricFamily(
        "watcher_idle_cost_total",
        "What the hosting of deployments that an open alert calls idle has cost since each one's last call, at least. "
        "No counter: it falls when one is called or gone",
        labels=["account"],
    )
    for account, amount in money.idle_so_far.items():
        idle.add_metric([account], amount)
    yield idle
    yield _gauge(
        "watcher_unpriced_deployments",
        "Standing deployments of custom models without a known price: no sum has them",
        ["account"],
        money.unpriced,
    )


def _told(figures: Figures) -> Iterator[Metric]:
    yield _gauge("watcher_alerts", "Open conditions", ["rule", "severity", "state"], figures.alerts)
    yield GaugeMetricFamily(
        "watcher_alerts_unverified",
        "Open conditions that rest on older evidence, since what they need cannot be read now",
        value=figures.unverified,
    )
    pending, dead = figures.outbox.get("pending", 0), figures.outbox.get("dead", 0)
    yield GaugeMetricFamily("watcher_outbox_pending", "Notifications and reports not yet delivered", value=pending)
    yield GaugeMetricFamily("watcher_outbox_dead", "Notifications and reports given up", value=dead)
    yield _single(
        "watcher_outbox_oldest_timestamp_seconds",
        "Since when the oldest that is not yet delivered waits",
        figures.oldest_pending,
    )
    yield _gauge(
        "watcher_receiver_failing",
        "1 while what is sent to a receiver fails, else 0",
        ["receiver"],
        {one.receiver: float(one.is_failing) for one in figures.channels},
    )
    yield _gauge(
        "watcher_receiver_last_success_timestamp_seconds",
        "When a receiver last took something",
        ["receiver"],
        {one.receiver: one.last_ok_at.timestamp() for one in figures.channels if one.last_ok_at is not None},
    )


def _itself(figures: Figures) -> Iterator[Metric]:
    yield _single(
        "watcher_last_complete_cycle_timestamp_seconds",
        "When every account had been tried since the time before",
        figures.last_complete_cycle,
    )
    yield _single(
        "watcher_clock_skew_seconds",
        "How far this machine's clock is ahead of Azure's, as last measured; negative: behind",
        None if figures.skew is None else figures.skew.total_seconds(),
    )
    size = figures.size
    sizes = {
        "watcher_database_size_bytes": ("Size of the database", None if size is None else size.used),
        "watcher_database_disk_free_bytes": (
            "What is free on the disk of a database that is a file",
            None if size is None else size.disk_free,
        ),
        "watcher_database_disk_size_bytes": ("Size of that disk", None if size is None else size.disk_total),
    }
    for name, (help_, value) in sizes.items():
        yield _single(name, help_, value)


def _gauge(name: str, help_: str, labels: list[str], values: Mapping[Any, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, help_, labels=labels)
    for key, value in values.items():
        family.add_metric([key] if isinstance(key, str) else list(key), value)
    return family


def _single(name: str, help_: str, value: float | datetime | None) -> GaugeMetricFamily:
    """Without labels; where the value is not known, without a sample either."""
    family = GaugeMetricFamily(name, help_)
    if value is not None:
        family.add_metric([], value.timestamp() if isinstance(value, datetime) else value)
    return family
