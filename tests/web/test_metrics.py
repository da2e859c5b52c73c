"""What `/metrics` says of the store."""

from datetime import timedelta

from prometheus_client import generate_latest

from tests.factories import NOW
from watcher.daemon.page import figures
from watcher.rules.rule import HostClock
from watcher.store import state
from watcher.web.metrics import Figures, Metrics


def lines(figures: Figures) -> list[str]:
    return generate_latest(Metrics(lambda: figures).registry).decode().splitlines()


def test_the_clocks_skew_is_told_once_it_was_measured() -> None:
    assert not [line for line in lines(Figures()) if "clock_skew" in line]
    assert "watcher_clock_skew_seconds -90.0" in lines(Figures(skew=timedelta(seconds=-90)))


def test_the_skew_comes_from_the_store(store) -> None:
    for host, seconds in (("here", 42), ("elsewhere", 7)):
        assert figures(store, NOW, host).skew is None
        store.write_now(state.put_clock, HostClock(host=host, skew=timedelta(seconds=seconds), at=NOW))
        assert figures(store, NOW, host).skew == timedelta(seconds=seconds)
