"""The truth test in small: some months agree with the truth, and each of the planted bugs does not.

To patch our own code is right here alone: what is tested is the test.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from watcher.azure import decode_activity, metrics
from watcher.azure.client import Answer, AzureClient
from watcher.costs import hosting, training, uses
from watcher.costs.hosting import Period
from watcher.costs.money import Amount, Unknown, nothing
from watcher.costs.uses import Answered
from watcher.cycles import inventory as taking
from watcher.errors import ForbiddenError
from watcher.report import hosted, worked
from watcher.resources import changes, merging
from watcher.resources.fine_tuning import JobStatus
from watcher.rules import retirement
from watcher.rules.files import FileOrphaned
from watcher.simulator import Scenario
from watcher.simulator.generator import account_month
from watcher.store import inventory, period_calls, period_lives, retirements

from . import again, checks, money
from .drive import run
from .record import is_resolved
from .scenarios import (
    deleted_accounts,
    doubts,
    long_blindness,
    narrow_cases,
    one_subscription,
    spending,
    stock_taking,
    ten_days,
    twice_a_day,
    unread_metrics,
)


@pytest.mark.parametrize("seed", [2, 13])
def test_a_month_agrees_with_the_truth(seed: int) -> None:
    month = account_month(seed, accounts=1)
    assert checks.violations(run(month, seed=seed, schedule=twice_a_day)) == ()


def _found() -> list[str]:
    return [violation.what for violation in checks.violations(run(ten_days(), schedule=twice_a_day))]


def test_ten_days_agree_with_the_truth() -> None:
    record = run(ten_days(), schedule=twice_a_day)
    assert checks.violations(record) == ()
    # Where nothing is said, nothing could disagree.
    rules = {alert.finding.rule for _, alert in record.said()}
    assert rules >= {"deployment_idle", "job_succeeded", "job_rai_model_failed", "account_forbidden"}
    assert {one.change for step in record.steps for one in step.transitions} >= {"replaced", "discovered"}


def test_a_countdown_that_begins_anew_is_told_again() -> None:
    assert checks.violations(run(long_blindness(), schedule=twice_a_day)) == ()


def test_what_is_right_by_a_hair_agrees_with_the_truth() -> None:
    record = run(narrow_cases(), schedule=twice_a_day)
    assert checks.violations(record) == ()
    assert [alert.labels["cause"] for _, alert in record.said("deployment_gone")] == ["idle"]


def test_an_account_that_waits_for_another_one_of_its_subscription_is_hidden_too() -> None:
    record = run(one_subscription(), schedule=twice_a_day)
    assert checks.violations(record) == ()
    throttled = {alert.labels["account"] for _, alert in record.said("account_throttled")}
    assert throttled == {"contoso-ft", "contoso-west"}


def test_who_deleted_an_account_agrees_with_the_truth() -> None:
    record = run(deleted_accounts(), schedule=twice_a_day)
    assert checks.violations(record) == ()
    said = [alert.finding for _, alert in record.said("deployment_gone")]
    assert sorted("operator@contoso.example" in one.summary for one in said) == [False, False, True]
    assert sorted("own deletion by somebody@contoso.example" in one.description for one in said) == [False, False, True]


def test_stock_agrees_with_the_truth() -> None:
    record = run(stock_taking(), schedule=twice_a_day)
    assert checks.violations(record) == ()
    rules = {alert.finding.rule for _, alert in record.said()}
    assert rules >= {"limit_near", "file_orphaned", "model_retiring"}
    limits = [alert.labels["limit"] for _, alert in record.said("limit_near") if is_resolved(alert)]
    assert sorted(limits) == ["deployments", "running"]


def test_metrics_that_nobody_asks_for_are_not_missed() -> None:
    record = run(unread_metrics(), schedule=twice_a_day)
    assert checks.violations(record) == ()
    assert {alert.labels["account"] for _, alert in record.said("account_throttled")} == {"contoso-ft"}


def test_finds_metrics_cut_to_ten_series(monkeypatch: pytest.MonkeyPatch) -> None:
    _plant(monkeypatch, metrics, "query_of", lambda query_of: lambda *args: query_of(*args).partition("&top=")[0])
    found = _found()
    assert any("deployment_idle for busy-" in what for what in found), found


def test_finds_an_event_that_is_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    trusted = (*changes._EVENT_STATUSES, ("job succeeded", JobStatus.SUCCEEDED))
    monkeypatch.setattr(changes, "_EVENT_STATUSES", trusted)
    found = _found()
    assert any("succeeded (events): it never was that" in what for what in found), found


def test_finds_a_refused_list_that_is_taken_for_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    def planted(get: Callable[..., Any]) -> Callable[..., Any]:
        async def lenient(*args: Any, **kwargs: Any) -> Any:
            try:
                return await get(*args, **kwargs)
            except ForbiddenError:
                return Answer(body=b'{"object": "list", "data": [], "value": []}', headers={}, status=200)

        return lenient

    _plant(monkeypatch, AzureClient, "get", planted)
    found = _found()
    assert any("is hidden on data" in what for what in found), found
    assert any("which had ended before first sight" in what for what in found), found


def test_finds_lives_that_are_taken_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merging, "_is_another_life", lambda known, seen: False)
    found = _found()
    assert any("deployment_idle for twice" in what for what in found), found


def test_finds_an_activity_log_that_nobody_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode_activity, "_WIDER", ())
    found = [one.what for one in checks.violations(run(deleted_accounts(), schedule=twice_a_day))]
    assert any("its account was deleted by operator@contoso.example, which the log has" in what for what in found), (
        found
    )


def test_finds_a_deployment_that_was_deleted_by_somebody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode_activity, "_named", lambda steps: replace(steps[-1], caller="nobody@contoso.example"))
    found = [one.what for one in checks.violations(run(deleted_accounts(), schedule=twice_a_day))]
    assert any("nobody@contoso.example" in what for what in found), found


def test_finds_stock_that_is_taken_once_and_never_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taking, "inventory", SimpleNamespace(load=inventory.load, mark=lambda _: "the same"))
    found = _found_of_stock()
    assert any("no limit_near" in what and "3 of 3 running" in what for what in found), found


def test_finds_files_of_jobs_that_are_taken_for_leftovers(monkeypatch: pytest.MonkeyPatch) -> None:
    _plant(monkeypatch, inventory, "_holding", lambda hold: lambda *args: replace(hold(*args), file_users=frozenset()))
    found = _found_of_stock()
    assert any("that no job names: file-" in what for what in found), found


def test_finds_leftovers_and_ends_that_nobody_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FileOrphaned, "orphans", lambda *_: iter(()))
    monkeypatch.setattr(retirement, "step_crossed", lambda *_: None)
    found = _found_of_stock()
    assert any("no file_orphaned" in what for what in found), found
    assert any("model_retiring for served-0" in what and "not at '90d'" in what for what in found), found


def test_finds_a_model_that_is_said_to_end_with_the_training_on_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def planted(load: Callable[..., Any]) -> Callable[..., Any]:
        return lambda tx: tuple(replace(one, inference_until=one.fine_tune_until) for one in load(tx))

    _plant(monkeypatch, retirements, "load", planted)
    found = _found_of_stock()
    assert any("inference_until 2026-01-02" in what for what in found), found


def _found_of_stock() -> list[str]:
    return [violation.what for violation in checks.violations(run(stock_taking(), schedule=twice_a_day))]


#: Of a month with Azure's price list, by New York's time.
_NEW_YORK = 3


def test_money_agrees_with_the_truth() -> None:
    record = run(spending(), seed=_NEW_YORK, schedule=twice_a_day)
    assert checks.violations(record) == ()
    # Where nothing is said, nothing could disagree.
    (half_way, end) = (booked.statement for booked in record.booked)
    assert half_way.as_of < end.as_of and half_way.zone == "America/New_York"
    names = sorted(line.name for line in end.hosted)
    assert names == ["bot", "deleted", "ptu", "steady", "trial", "twice", "twice"]
    assert {line.name for line in end.hosted if isinstance(line.cost, Unknown)} == {"ptu"}
    assert {line.name for line in end.hosted if isinstance(line.cost, Amount) and not line.cost.is_exact} == {"twice"}
    assert end.idle.known.low and not end.training.is_known  # of what was cancelled nobody tells the tokens


def _all_day(period: Period, zone: ZoneInfo) -> tuple[Any, ...]:
    """The local days of a period, as if each had 24 hours."""
    midnight = datetime.combine(period.begin.astimezone(zone).date(), time(), zone).astimezone(UTC)
    at = [midnight + number * timedelta(days=1) for number in range(1, 40)]
    within = [uses.micros(one) for one in at if period.begin < one < period.end]
    first = period.begin.astimezone(zone).date()
    dates = tuple(first + number * timedelta(days=1) for number in range(len(within) + 1))
    return tuple(within), tuple(-(-one // 3_600_000_000) for one in within), dates


@pytest.mark.parametrize(
    ("owner", "name", "planted", "expected"),
    [
        pytest.param(
            period_lives,
            "_end",
            lambda _: lambda *args: (args[2], args[2]),
            "twice (GlobalStandard)",
            id="sure of an end",
        ),
        pytest.param(training, "_free", lambda _: lambda *_, **__: "", "(rai_model", id="a refused job is billed"),
        pytest.param(uses, "_grid", lambda _: _all_day, "on 2026-03-08", id="every day has 24 hours"),
        pytest.param(
            hosting,
            "worth",
            lambda worth: lambda rate, *args: nothing("USD") if isinstance(rate, Unknown) else worth(rate, *args),
            "nobody knows its price",
            id="what is unknown is nothing",
        ),
        pytest.param(
            hosted,
            "use_by_day",
            lambda use: lambda one, _, *args, **more: use(one, Answered(), *args, **more),
            "bot in contoso-ft: idle for",
            id="idle from the beginning",
        ),
        pytest.param(uses, "_has_rested", lambda _: lambda *_: True, "steady in contoso-ft: idle", id="idle at once"),
        pytest.param(uses, "_has_rested", lambda _: lambda *_: False, "bot in contoso-ft: used for", id="never idle"),
        pytest.param(
            hosting,
            "hourly",
            lambda hourly: (
                lambda book, *, sku, **more: hourly(book, sku=sku.replace("DeveloperTier", "Standard"), **more)
            ),
            "trial (DeveloperTier)",
            id="a Developer deployment has a fee",
        ),
        pytest.param(
            worked,
            "hosted",
            lambda lines: lambda *args: (one for one in lines(*args) if one.line.end is None),
            "no line of deleted",
            id="what has ended is forgotten",
        ),
        pytest.param(
            period_calls, "_known", lambda _: lambda hours, *_: hours, "and again", id="the past knows what came later"
        ),
    ],
)
def test_finds_money_that_is_wrong(
    monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, planted: Callable[[Any], Any], expected: str
) -> None:
    _plant(monkeypatch, owner, name, planted)
    found = _found_of_money(spending())
    assert any(expected in what for what in found), found


def test_what_cannot_be_told_agrees_with_the_truth() -> None:
    record = run(doubts(), seed=_NEW_YORK, schedule=twice_a_day)
    assert checks.violations(record) == ()
    (half_way, end) = (booked.statement for booked in record.booked)
    assert sorted(line.name for line in end.hosted) == ["bot", "busy", "first", "second"]
    assert {line.name for line in half_way.hosted if line.calls is None} == {"bot", "busy"}
    assert len(end.trained) == 3 and end.training.is_known


def _found_of_money(story: Scenario) -> list[str]:
    record = run(story, seed=_NEW_YORK, schedule=twice_a_day)
    return [one.what for subject in (money, again) for one in subject.check(record)]


def _used(use: Callable[..., Any]) -> Callable[..., Any]:
    """As if every unclear call had been answered, and by this one."""

    def planted(one: Any, answered: Answered, *args: Any, unclear: Sequence[int] = (), **more: Any) -> Any:
        found = dict(zip(answered.hours, answered.counts, strict=True)) | dict.fromkeys(unclear, 2.0)
        both = Answered(hours=tuple(sorted(found)), counts=tuple(found[hour] for hour in sorted(found)))
        return use(one, both, *args, **more)

    return planted


def _read_later(known: Callable[..., Any]) -> Callable[..., Any]:
    """As if what was read in the two days after had been known."""

    def planted(hours: Any, first: int, as_of: datetime, *args: Any) -> Any:
        return known(hours, first, as_of + timedelta(days=2), *args)

    return planted


@pytest.mark.parametrize(
    ("owner", "name", "planted", "expected"),
    [
        pytest.param(uses, "_doubtful", lambda _: lambda *_: (), "unknown for", id="unclear hours are idle"),
        pytest.param(hosted, "use_by_day", _used, "used for", id="unclear hours are used"),
        pytest.param(
            hosted._Lives,
            "_unclear",
            lambda _: lambda *_: range(480_000, 500_000),
            "unknown for",
            id="all hours are unknown",
        ),
        pytest.param(hosted, "_are_clear", lambda _: lambda _: True, "without a name", id="all calls are counted"),
        pytest.param(period_calls, "_known", _read_later, "and again", id="the past knows two days more"),
        pytest.param(
            hosted._Lives,
            "_came_at",
            lambda _: lambda lives, _: lives.account.created_at,
            "no line of first",
            id="an account that came again forgets",
        ),
        pytest.param(training, "_REINFORCED", lambda _: frozenset(), "ftjob", id="reinforcement is billed by tokens"),
    ],
)
def test_finds_doubts_that_are_denied(
    monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, planted: Callable[[Any], Any], expected: str
) -> None:
    _plant(monkeypatch, owner, name, planted)
    found = _found_of_money(doubts())
    assert any(expected in what for what in found), found


def _plant(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, planted: Callable[[Any], Any]) -> None:
    monkeypatch.setattr(owner, name, planted(getattr(owner, name)))
