"""The page as the daemon serves it: where it listens, who may ask, and the figures read from the store."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from urllib.parse import urlsplit

from watcher.config import Config
from watcher.store import counts
from watcher.store.engine import Store
from watcher.web.app import Health, create_app
from watcher.web.metrics import Figures, Metrics
from watcher.web.server import serving


def serve(config: Config, *, health: Callable[[], Health], metrics: Metrics) -> AbstractAsyncContextManager[str]:
    """Serve the page while the context lasts; gives its address.

    Raises:
        ConfigurationError: the address cannot be bound.
    """
    web = config.web
    tokens = [token.reveal() for token in (web.token, *(one.token for one in web.tokens)) if token is not None]
    hosts = _hosts(web.listen.host, config.watcher.public_url)
    app = create_app(health=health, metrics=metrics, hosts=hosts, tokens=tokens)
    return serving(app, host=web.listen.host, port=web.listen.port)


def _hosts(host: str, public_url: str | None) -> tuple[str, ...]:
    """The names under which the page may be asked for; behind a wildcard address, any."""
    if host in ("0.0.0.0", "::", ""):
        return ("*",)
    named = {host, f"[{host}]" if ":" in host else host, "localhost", "127.0.0.1", "[::1]"}
    if public_url and (name := urlsplit(public_url).hostname):
        named.add(f"[{name}]" if ":" in name else name)
    return tuple(sorted(named))


def figures(store: Store, now: datetime, host: str) -> Figures:
    """What the store says now. It waits for the database: call it in a thread, not in the loop."""
    found = store.read_now(counts.counts, now, host)
    return Figures(
        accounts=found.accounts,
        jobs=found.jobs,
        deployments=found.deployments,
        until_deletion=found.until_deletion,
        alerts=found.alerts,
        outbox=found.outbox,
        last_complete_cycle=found.last_complete_cycle,
        skew=found.skew,
    )
