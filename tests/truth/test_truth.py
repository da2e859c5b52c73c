"""The truth test in small: some months agree with the truth, and each of four planted bugs does not.

To patch our own code is right here alone: what is tested is the test.
"""

from collections.abc import Callable
from typing import Any

import pytest

from watcher.azure import metrics
from watcher.azure.client import Answer, AzureClient
from watcher.errors import ForbiddenError
from watcher.resources import changes, merging
from watcher.resources.fine_tuning import JobStatus
from watcher.simulator.generator import account_month

from . import checks
from .drive import run
from .scenarios import long_blindness, ten_days, twice_a_day


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
                return Answer(b'{"object": "list", "data": [], "value": []}', {}, 200, "")

        return lenient

    _plant(monkeypatch, AzureClient, "get", planted)
    found = _found()
    assert any("is hidden on data" in what for what in found), found
    assert any("which had ended before first sight" in what for what in found), found


def test_finds_lives_that_are_taken_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merging, "_is_another_life", lambda known, seen: False)
    found = _found()
    assert any("deployment_idle for twice" in what for what in found), found


def _plant(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, planted: Callable[[Any], Any]) -> None:
    monkeypatch.setattr(owner, name, planted(getattr(owner, name)))
