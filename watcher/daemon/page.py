"""The site as the daemon serves it: where it listens, who may ask, and the figures read from the store."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from ipaddress import ip_network
from urllib.parse import urlsplit

from watcher.assembly.judgement import terms_of
from watcher.assembly.machine import Machine
from watcher.clock import Clock
from watcher.config import Config
from watcher.costs.prices import book_of
from watcher.daemon.reports import Reports
from watcher.settings import frame_of, known_of
from watcher.store import counts
from watcher.store.held import Memory
from watcher.web.access import Key, Right, Rules
from watcher.web.app import create_app
from watcher.web.metrics import Figures, Metrics
from watcher.web.server import serving
from watcher.web.shield import host_of
from watcher.web.site import Health, Settings, Site

#: The name of the token that has none of its own.
_UNNAMED = "web"


def serve(
    config: Config,
    machine: Callable[[], Machine],
    *,
    health: Callable[[], Health],
    metrics: Metrics,
    wake: Callable[[], None],
) -> AbstractAsyncContextManager[str]:
    """Serve the site while the context lasts; gives its address.

    Args:
        config: Says where to listen and who may ask, for as long as the process lives.
        machine: The one in force, whose configuration says the rest.
        wake: Called after somebody has changed something.

    Raises:
        ConfigurationError: the address cannot be bound.
    """
    web = config.web
    hosts = _hosts(web.listen.host, config.watcher.public_url)
    site = site_of(machine, health=health, wake=wake)
    app = create_app(site, metrics=metrics, rules=rules_of(config), hosts=hosts)
    return serving(app, host=web.listen.host, port=web.listen.port)


def rules_of(config: Config) -> Rules:
    """Who may see and do what."""
    web = config.web
    keys = []
    if web.token is not None:
        keys.append(Key(name=_UNNAMED, right=Right.WRITE, secret=web.token.reveal(), is_named=False))
    for one in web.tokens:
        if one.token is not None:
            keys.append(Key(name=one.name, right=Right(one.scope), secret=one.token.reveal()))
    url = config.watcher.public_url or ""
    return Rules(
        keys=tuple(keys),
        is_tls=url.startswith("https://"),
        public_host=host_of(url),
        user_header=web.user_header or "",
        proxies=tuple(map(ip_network, web.proxies)),
        proxy_right=Right(web.user_scope),
    )


def settings_of(machine: Machine) -> Settings:
    """What the configuration of a machine says to the site."""
    config = machine.config
    return Settings(
        name=config.watcher.name,
        zone=config.watcher.timezone,
        frame=lambda now: frame_of(config, now),
        known=known_of(config),
        routing=machine.routing,
        book=lambda tx: book_of(terms_of(config), machine.judgement.tariff.of(tx)),
    )


def site_of(machine: Callable[[], Machine], *, health: Callable[[], Health], wake: Callable[[], None]) -> Site:
    """The site over the machine in force."""
    made: list[tuple[Machine, Settings]] = []

    def settings() -> Settings:
        """One for each machine, so that whoever keeps what rests on it sees that it is another."""
        now, last = machine(), made[-1:]
        if last and last[0][0] is now:
            return last[0][1]
        made[:] = [(now, found := settings_of(now))]
        return found

    reports = Reports(machine)
    clock: Clock = machine().clock
    return Site(
        store=machine().store.beside(),
        clock=clock,
        settings=settings,
        health=health,
        report=reports.report,
        calendar=reports.calendar,
        wake=wake,
    )


def _hosts(host: str, public_url: str | None) -> tuple[str, ...]:
    """The names under which the page may be asked for; behind a wildcard address, any."""
    if host in ("0.0.0.0", "::", ""):
        return ("*",)
    named = {host, f"[{host}]" if ":" in host else host, "localhost", "127.0.0.1", "[::1]"}
    if public_url and (name := urlsplit(public_url).hostname):
        named.add(f"[{name}]" if ":" in name else name)
    return tuple(sorted(named))


def figures(machine: Machine, now: datetime, memory: Memory | None = None) -> Figures:
    """What the store says now. It waits for the database: call it in a thread, not in the loop.

    Args:
        memory: Of the store, so that what has not changed is not read again.
    """
    return machine.store.read_now(
        counts.counts,
        now,
        machine.host,
        book=book_of(terms_of(machine.config), machine.judgement.tariff.latest),
        receivers=machine.notifiers.keys(),
        memory=memory,
    )
