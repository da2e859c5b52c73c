"""A small estate, recorded by the real cycles: one account in order, one without metrics, one never read."""

import asyncio
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.factories import (
    DAY,
    HOUR,
    MINUTE,
    NOW,
    make_account,
    make_deployment,
    make_event,
    make_gap,
    make_job,
    make_snapshot,
    make_usage,
)
from watcher import cycles
from watcher.alerts.dispatch import Routing
from watcher.alerts.matcher import parse_matchers
from watcher.alerts.route import RouteSpec, build_route
from watcher.cli.app import run
from watcher.cli.desk import Desk
from watcher.cycles import Judgement
from watcher.errors import DeliveryError
from watcher.notify.notifier import Receipt, RetryPolicy
from watcher.resources.snapshot import GapReason, Section, Snapshot
from watcher.rules.registry import build_rules
from watcher.store import scope, state
from watcher.store.engine import Store, connect, upgrade

SEEN_AT = NOW - 5 * MINUTE
CANARY = "canary-0123456789abcdef"

CONFIG = """
[watcher]
name = "prod"
timezone = "Europe/Berlin"
[database]
url = "sqlite:///{database}"
[azure]
credential = "static"
token_env = "CANARY_TOKEN"
[[receivers]]
name = "hook"
type = "webhook"
url = "https://hooks.example.com/x"
signing_secret_env = "CANARY_SIGNING"
[[receivers]]
name = "screen"
type = "console"
[route]
receiver = "screen"
group_by = ["rule"]
[[route.routes]]
match = ['rule="deployment_idle"']
receiver = "hook"
"""

ENVIRON = {"CANARY_TOKEN": CANARY, "CANARY_SIGNING": "whsec_Y2FuYXJ5LTAxMjM0NTY3ODlhYmNkZWY="}


@dataclass(slots=True)
class Result:
    """What one run of the program came to."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one document on standard output."""
        assert self.code == 0, self.err
        return json.loads(self.out)


@dataclass(slots=True)
class World:
    """A folder with a configuration and its database, and a time."""

    folder: Path
    now: datetime = NOW
    environ: dict[str, str] = field(default_factory=lambda: dict(ENVIRON))

    def __post_init__(self) -> None:
        self.environ.setdefault("COLUMNS", "80")
        self.config.write_text(CONFIG.format(database=self.database))

    @property
    def config(self) -> Path:
        return self.folder / "config.toml"

    @property
    def database(self) -> Path:
        return self.folder / "watcher.db"

    def watcher(self, *args: str, with_config: bool = True) -> Result:
        """Run one command in this process."""
        out, err = io.StringIO(), io.StringIO()
        desk = Desk(clock=lambda: self.now, environ=self.environ, out=out, err=err)
        given = [*args, "--config", str(self.config)] if with_config else list(args)
        code = run(given, desk)
        return Result(code, out.getvalue(), err.getvalue())

    def open(self) -> Store:
        engine = connect(f"sqlite:///{self.database}")
        upgrade(engine)
        return Store(engine)

    def record(self, *snapshots: Snapshot, accounts: Sequence[Any] = ()) -> None:
        """As polls would."""
        # The rule about waste tells of whatever is idle, for reports; here one alert a deployment is enough.
        judgement = Judgement(rules=build_rules({"deployment_wasting": {"enabled": False}}, ()).rules)
        store = self.open()
        try:
            found = [*accounts, *(snapshot.account for snapshot in snapshots)]
            store.write_now(scope.save_accounts, found, is_complete=False, now=snapshots[0].at)
            for snapshot in snapshots:
                assert not store.write_now(cycles.record, snapshot, judgement).is_stale
            store.write_now(state.put, state.CYCLE_COMPLETED, at=snapshots[-1].at)
        finally:
            store.close()

    def dispatch_and_deliver(self) -> None:
        """Tell everybody: the webhook refuses for good, the console takes all."""
        routes = (RouteSpec(receiver="hook", matchers=parse_matchers(['rule="deployment_idle"'])),)
        root = build_route(RouteSpec(receiver="screen", group_by=("rule",), routes=routes))

        def clock() -> datetime:
            return SEEN_AT

        async def work() -> None:
            store = self.open()
            try:
                await cycles.dispatch(
                    routing=Routing(root=root), store=store, clock=clock, wall_clock=clock, immediate=True
                )
                await cycles.deliver(
                    notifiers={"hook": Refusing(), "screen": Taking()},
                    policy=RetryPolicy(),
                    store=store,
                    clock=clock,
                    wall_clock=clock,
                    owner="test",
                )
            finally:
                store.close()

        asyncio.run(work())


class Taking:
    """A notifier that takes everything."""

    name, type = "screen", "console"

    async def send(self, notification: Any, *, now: datetime) -> Receipt:
        return Receipt("written")

    async def probe(self) -> Receipt:
        return Receipt("there")

    async def aclose(self) -> None:
        pass


class Refusing(Taking):
    """A notifier whose other side knows us no more."""

    name, type = "hook", "webhook"

    async def send(self, notification: Any, *, now: datetime) -> Receipt:
        raise DeliveryError("410: gone for good", permanent=True, kind="bad_request")


GOOD = make_account("contoso-ft")
BLIND = make_account("fabrikam-a-rather-long-account-name-ft", owner="")
NEW = make_account("tailspin")


def estate(folder: Path) -> World:
    """The estate, dispatched and delivered once."""
    world = World(folder)
    world.record(good(), blind(), accounts=[NEW])
    world.record(good(at=SEEN_AT, job_status="failed"))
    world.dispatch_and_deliver()
    return world


def good(*, at: datetime = NOW - HOUR, job_status: str = "running", **changes: Any) -> Snapshot:
    """The account in order: a job under way and one that fails, a deployment near its end, one safe, one base model."""
    failed = {"error": "the file is no JSON", "finished_at": at} if job_status == "failed" else {}
    defaults: dict[str, Any] = {
        "account": GOOD,
        "at": at,
        "jobs": [make_job("ftjob-under-way"), make_job("ftjob-that-ends", job_status, **failed)],
        "events": {"ftjob-that-ends": [make_event("Job started.")]},
        "deployments": [
            make_deployment("support-bot", tags={"owner": "support"}),
            make_deployment("busy-bot"),
            make_deployment("chat", model="gpt-4o-mini"),
        ],
        "usage": [
            make_usage("support-bot", last_success_at=NOW - 13 * DAY),
            make_usage("busy-bot", last_success_at=NOW - 2 * HOUR),
        ],
    }
    return make_snapshot(**{**defaults, **changes})


def lock_out(world: World, *, at: datetime = NOW - MINUTE) -> None:
    """Two accounts that were seen whole refuse the credential on every plane, and the review finds the one cause."""
    accounts = [make_account("northwind-ft"), make_account("woodgrove-ft")]
    planes = (Section.DEPLOYMENTS, Section.JOBS, Section.METRICS)
    for account in accounts:
        idle = make_deployment("support-bot", account=account)
        usage = [make_usage("support-bot", last_success_at=NOW - HOUR)]
        world.record(make_snapshot(account=account, at=NOW - HOUR, jobs=[], deployments=[idle], usage=usage))
        gaps = tuple(make_gap(section, GapReason.CREDENTIAL, at=at) for section in planes)
        world.record(make_snapshot(account=account, at=at, gaps=gaps, asked=frozenset(planes)))
    store = world.open()
    try:
        rules = build_rules({}, ()).fleet_rules
        store.write_now(cycles.review_now, Judgement(rules=(), fleet_rules=rules), at)
    finally:
        store.close()


def blind(*, at: datetime = NOW - HOUR) -> Snapshot:
    """The account of which metrics could not be read, and jobs neither."""
    return make_snapshot(
        account=BLIND,
        at=at,
        deployments=[make_deployment("night-bot", account=BLIND)],
        gaps=(
            make_gap(Section.METRICS, GapReason.ROLE, at=at, message="needs Monitoring Reader"),
            make_gap(Section.JOBS, GapReason.NETWORK, at=at),
        ),
    )
