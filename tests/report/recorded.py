"""Records with sane defaults: accounts that were read whole, up to `NOW`, and what stood in them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from tests.factories import ACCOUNT, DAY, HOUR, NOW, make_deployment, make_usage
from watcher.costs.hosting import Period
from watcher.costs.uses import Answered
from watcher.report.compile import ReportTerms, compile_statement
from watcher.report.recorded import RecordedAccount, RecordedJob, RecordedLife, Records
from watcher.report.statement import Statement
from watcher.resources.account import Account
from watcher.resources.calls import Calls, Coverage, HourOfCalls
from watcher.resources.deployment import Deployment
from watcher.resources.lineage import Holding, Inventory

BEGAN = NOW - 90 * DAY
WEEK = Period(begin=NOW - 7 * DAY, end=NOW)
READ = Coverage(spans=((BEGAN, NOW),))


def answered(hours: Mapping[datetime, float]) -> Answered:
    found = {hour: HourOfCalls(ok=count) for hour, count in hours.items()}
    return Answered.of(Calls(deployment="any", hours=found))


def make_life(deployment: Deployment | None = None, *, called: datetime | None = None, **changes: Any) -> RecordedLife:
    """Of a deployment whose calls were read whole; the last of them at `called`."""
    one = deployment or make_deployment()
    defaults: dict[str, Any] = {
        "deployment": one,
        "first_seen_at": max(one.created_at or BEGAN, BEGAN),
        "usage": make_usage(one.name, read_from=BEGAN, last_success_at=called),
    }
    return RecordedLife(**{**defaults, **changes})


def make_recorded(
    *lives: RecordedLife,
    account: Account = ACCOUNT,
    calls: Mapping[str, Mapping[datetime, float]] | None = None,
    jobs: Sequence[RecordedJob] = (),
    coverage: Coverage = READ,
    usage_at: datetime | None = NOW,
    closed: Sequence[Any] = (),
    removed_at: datetime | None = None,
    is_gone: bool = False,
    unclear: Mapping[str, Mapping[datetime, float]] | None = None,
    **holding: Any,
) -> RecordedAccount:
    """Every section read at `NOW`; what is not named here goes into the holding."""
    living = tuple(life.deployment for life in lives if life.end is None)
    defaults: dict[str, Any] = {
        "account": account,
        "deployments": living,
        "deployments_at": NOW,
        "models": (),
        "models_at": NOW,
        "files": (),
        "files_at": NOW,
        "jobs_at": NOW,
        "usage": {one.deployment.name.lower(): one.usage for one in lives if one.usage and one.end is None},
        "coverage": coverage,
    }
    return RecordedAccount(
        holding=Holding(**{**defaults, **holding}),
        usage_at=usage_at,
        lives=lives,
        jobs=tuple(jobs),
        answered={name: answered(hours) for name, hours in (calls or {}).items()},
        unclear={name: answered(hours) for name, hours in (unclear or {}).items()},
        closed=tuple(closed),
        removed_at=removed_at,
        is_gone=is_gone,
    )


def make_records(*accounts: RecordedAccount, as_of: datetime = NOW, retirements: Any = (), **changes: Any) -> Records:
    defaults: dict[str, Any] = {
        "as_of": as_of,
        "accounts": accounts,
        "inventory": Inventory(
            now=as_of,
            holdings=tuple(one.holding for one in accounts if one.removed_at is None),
            retirements=tuple(retirements),
        ),
        "begins": BEGAN,
    }
    return Records(**{**defaults, **changes})


def make_terms(**changes: Any) -> ReportTerms:
    return ReportTerms(**{"watcher": "prod", "documented": (), **changes})


def stated(
    *accounts: RecordedAccount | Records, period: Period = WEEK, terms: ReportTerms | None = None, **more: Any
) -> Statement:
    """The statement of these accounts, or of records."""
    found = accounts[0] if accounts and isinstance(accounts[0], Records) else make_records(*accounts)  # type: ignore[arg-type]
    return compile_statement(
        found, period=period, period_name="7d", as_of=found.as_of, terms=terms or make_terms(), **more
    )


def every(span: Any, begin: datetime, end: datetime, count: float = 5.0) -> dict[datetime, float]:
    """Calls at that pace."""
    hours, at = {}, begin.astimezone(UTC)
    while at < end:
        hours[at] = count
        at += span
    return hours


def hour(number: int) -> datetime:
    """An hour of the week, by its number."""
    return WEEK.begin + number * HOUR
