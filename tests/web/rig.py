"""The application over a store, asked without sockets."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import httpx

from watcher.alerts.dispatch import Routing
from watcher.alerts.lint import Known
from watcher.answers.query import Frame
from watcher.errors import Refused
from watcher.store.engine import Store
from watcher.web.access import Key, Right, Rules
from watcher.web.app import create_app
from watcher.web.metrics import Figures, Metrics
from watcher.web.site import Health, ReportAsked, Settings, Site

HOST = "127.0.0.1:8787"
WRITER, READER, SHARED = "canary-writer-0123456789", "canary-reader-0123456789", "canary-shared-0123456789"
KEYS = (
    Key(name="web", right=Right.WRITE, secret=SHARED, is_named=False),
    Key(name="deploys", right=Right.WRITE, secret=WRITER),
    Key(name="grafana", right=Right.READ, secret=READER),
)


@dataclass(slots=True)
class Asked:
    """What the site was asked for."""

    reports: list[ReportAsked] = field(default_factory=list)
    wakes: int = 0


def make_site(
    store: Store, clock: Callable[[], datetime], *, asked: Asked | None = None, routing: Routing | None = None
) -> Site:
    heard = asked or Asked()

    async def report(wanted: ReportAsked) -> str:
        heard.reports.append(wanted)
        if wanted.period == "never":
            raise Refused("never is no period", code=2)
        return '{"version": 1, "as_of": "2026-11-22T12:00:00Z", "report": {}}'

    async def calendar(owner: str) -> bytes:
        return f"BEGIN:VCALENDAR {owner}".encode()

    def wake() -> None:
        heard.wakes += 1

    settings = Settings(
        name="prod",
        zone=ZoneInfo("Europe/Berlin"),
        frame=lambda now: Frame(now=now),
        known=Known(rules=(), critical_rules=(), labels=None),
        routing=routing,
    )

    return Site(
        store=store,
        clock=clock,
        settings=lambda: settings,
        health=lambda: Health(is_alive=True, not_ready=()),
        report=report,
        calendar=calendar,
        wake=wake,
    )


def make_app(site: Site, rules: Rules | None = None, *, hosts: tuple[str, ...] = ("127.0.0.1",)) -> Any:
    return create_app(site, metrics=Metrics(Figures), rules=rules or Rules(), hosts=hosts)


@asynccontextmanager
async def asking(
    app: Any,
    *,
    token: str = "",
    peer: str = "127.0.0.1",
    headers: Mapping[str, str] | None = None,
    scheme: str = "http",
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application; answers of status 500 are answers."""
    given = {"authorization": f"Bearer {token}"} if token else {}
    transport = httpx.ASGITransport(app=app, client=(peer, 50_000), raise_app_exceptions=False)
    async with httpx.AsyncClient(
        transport=transport, base_url=f"http://{HOST}", headers={**given, **(headers or {})}
    ) as client:
        yield client


def with_keys(**changes: Any) -> Rules:
    return replace(Rules(keys=KEYS), **changes)
