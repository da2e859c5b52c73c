"""The inventory as a cycle: when it is taken, and what becomes of its alerts."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import pytest

from tests.factories import (
    ACCOUNT,
    DAY,
    HOUR,
    MINUTE,
    NOW,
    make_deployment,
    make_event,
    make_file,
    make_job,
    make_snapshot,
)
from watcher.azure.discovery import Discovery
from watcher.costs.prices import OwnPrice, Terms
from watcher.cycles import Judgement, inventory_now, record, review_now, save_discovery, take_inventory
from watcher.resources.changes import ResourceKind
from watcher.resources.model import Retirement
from watcher.resources.snapshot import Listing, Section
from watcher.rules.budgets import TrainingBudgets
from watcher.rules.finding import Finding, FindingKind, Severity, Subject
from watcher.rules.registry import build_rules
from watcher.rules.rule import deployment_subject
from watcher.store import alerts, retirements, scope


@dataclass(frozen=True)
class Tidy:
    """A rule that minds every file."""

    name: str = "tidy"
    seen: list[Any] = field(default_factory=list, repr=False)

    def evaluate(self, inventory):
        self.seen.append(inventory)
        for holding in inventory.holdings:
            for file in holding.files or ():
                yield Finding(
                    rule=self.name,
                    kind=FindingKind.CONDITION,
                    severity=Severity.INFO,
                    subject=Subject(id=holding.account.key, kind=ResourceKind.FILE, incarnation=file.id),
                    labels={"account": holding.account.label},
                    summary=f"{file.id} lies about",
                )


@pytest.fixture
def tidy():
    return Tidy()


@pytest.fixture
def watched(store):
    store.write_now(scope.save_accounts, [ACCOUNT], is_complete=True, now=NOW - DAY)
    return store


def judgement(*rules):
    return Judgement(rules=(), fleet_rules=build_rules({}, plugins=()).fleet_rules, inventory_rules=rules)


def list_files(store, *files, at=NOW):
    listing = Listing(digest=str(len(files)), items=files)
    snapshot = make_snapshot(at=at, asked=frozenset({Section.FILES}), files=listing)
    store.write_now(record, snapshot, judgement())


def take(store, tidy, now=NOW):
    return store.write_now(inventory_now, judgement(tidy), now)


def test_what_lies_about_is_told_until_it_is_tidied_up(watched, tidy):
    list_files(watched, make_file())
    (alert,) = take(watched, tidy)
    assert (alert.account, alert.finding.labels["account"], alert.is_first_sight) == ("", ACCOUNT.label, True)
    list_files(watched, make_file(), make_file("file-2"), at=NOW + HOUR)
    (second,) = take(watched, tidy, NOW + HOUR)
    assert not second.is_first_sight
    list_files(watched, make_file("file-2"), at=NOW + 2 * HOUR)
    (ended,) = take(watched, tidy, NOW + 2 * HOUR)
    assert (ended.id, ended.ends_at) == (alert.id, NOW + 2 * HOUR)


def test_it_is_taken_again_only_when_something_changed_or_the_day_did(watched, tidy):
    list_files(watched, make_file())
    for now, count in ((NOW, 1), (NOW + HOUR, 1), (NOW + DAY, 2)):
        take(watched, tidy, now)
        assert len(tidy.seen) == count
    list_files(watched, at=NOW + DAY + HOUR)
    take(watched, tidy, NOW + DAY + HOUR)
    assert len(tidy.seen) == 3


@dataclass(frozen=True)
class Slow(Tidy):
    """While it judges, something else happens."""

    meanwhile: list[Callable[[], Any]] = field(default_factory=list, repr=False)

    def evaluate(self, inventory):
        while self.meanwhile:
            self.meanwhile.pop()()
        return super().evaluate(inventory)


async def test_an_inventory_that_was_overtaken_changes_nothing(watched, tidy, clock):
    def newer():
        list_files(watched, make_file(), at=NOW + MINUTE)
        take(watched, tidy, NOW + MINUTE)

    async def find(accounts):
        return (), frozenset()

    list_files(watched)
    slow = Slow(meanwhile=[newer])
    assert await take_inventory(find, judgement=judgement(slow), store=watched, clock=clock) == ()
    assert len(watched.read_now(alerts.firing, "")) == 1
    assert take(watched, tidy, NOW + 2 * MINUTE) == ()


def test_another_option_of_a_rule_counts_as_a_change(watched, tidy):
    list_files(watched, make_file())
    take(watched, tidy)
    other = replace(tidy, name="tidier")
    assert [alert.finding.rule for alert in take(watched, other)] == ["tidy", "tidier"]


def test_other_cycles_leave_its_alerts_alone_unless_the_rule_is_disabled(watched, tidy):
    list_files(watched, make_file())
    take(watched, tidy)
    assert watched.write_now(review_now, judgement(tidy), NOW + HOUR) == ()
    list_files(watched, make_file(), at=NOW + HOUR)
    assert len(watched.read_now(alerts.firing, "")) == 1
    (ended,) = watched.write_now(review_now, judgement(), NOW + 2 * HOUR)
    assert ended.ended_because == "the rule was disabled"


def test_its_alerts_are_found_by_what_they_are_about(watched, tidy):
    list_files(watched, make_file())
    (alert,) = take(watched, tidy)
    assert watched.read_now(alerts.of_subject, ACCOUNT.key, "file-1") == (alert,)
    assert watched.read_now(alerts.of_subject, ACCOUNT.key, "file-2") == ()
    assert watched.read_now(alerts.of_subject, "/another/account", "file-1") == ()


@dataclass(frozen=True)
class Frugal:
    """A rule that minds every deployment."""

    name: str = "frugal"

    def evaluate(self, inventory):
        for holding in inventory.holdings:
            for deployment in holding.deployments or ():
                yield Finding(
                    rule=self.name,
                    kind=FindingKind.CONDITION,
                    severity=Severity.INFO,
                    subject=deployment_subject(deployment),
                    labels={},
                    summary=f"{deployment.name} costs",
                )


def standing(store, *deployments, at=NOW, **more):
    snapshot = make_snapshot(at=at, jobs=[], deployments=deployments, usage=[], **more)
    store.write_now(record, snapshot, judgement())


def test_the_alert_about_a_deployment_that_is_gone_says_so_and_since_when(watched):
    rule, one = Frugal(), make_deployment()
    standing(watched, one)
    take(watched, rule)
    standing(watched, at=NOW + HOUR, absent=frozenset({one.key}))
    (ended,) = take(watched, rule, NOW + 2 * HOUR)
    assert ended.ended_because == "the deployment is gone, seen 2026-11-22 09:00 UTC"


def test_the_alert_about_a_deployment_that_was_replaced_says_so(watched):
    rule = Frugal()
    standing(watched, make_deployment())
    take(watched, rule)
    standing(watched, make_deployment(created_at=NOW), at=NOW + HOUR)
    ended, opened = take(watched, rule, NOW + HOUR)
    assert ended.ended_because == "the deployment was replaced by a new one of its name, seen 2026-11-22 09:00 UTC"
    assert opened.ends_at is None


def test_alerts_about_what_lay_in_an_account_that_left_say_why(watched, tidy):
    list_files(watched, make_file())
    take(watched, tidy)
    found = Discovery(accounts=(), is_complete=True)
    watched.write_now(save_discovery, found, judgement(), NOW + HOUR)
    (ended,) = take(watched, tidy, NOW + HOUR)
    assert ended.ended_because == "the configuration no longer includes its account"


def test_alerts_about_what_lay_in_an_account_that_is_gone_say_so(watched):
    rule = Frugal()
    standing(watched, make_deployment())
    take(watched, rule)
    found = Discovery(accounts=(), is_complete=True, gone=frozenset({ACCOUNT.key}))
    watched.write_now(save_discovery, found, judgement(), NOW + HOUR)
    (ended,) = take(watched, rule, NOW + HOUR)
    assert ended.ended_because == "its account is gone, seen 2026-11-22 09:00 UTC"


def trained(store, budgets):
    """Two alerts: about a job over its budget, and about the month."""
    standing(store, at=NOW - HOUR)
    job = make_job(status="succeeded", finished_at=NOW - DAY)
    said = make_event("Training tokens billed: 11000000", at=NOW - DAY)
    snapshot = make_snapshot(at=NOW, jobs=[job], deployments=[], events={job.id: (said,)})
    store.write_now(record, snapshot, judgement())
    assert len(take(store, budgets)) == 2


BUDGETS = TrainingBudgets(
    per_job=Decimal(30),
    per_month=Decimal(30),
    pricing=Terms(table=(OwnPrice(training_per_million=Decimal(3)),)),
)


def test_when_a_month_is_over_what_training_cost_in_it_is_no_longer_told_and_why(watched):
    trained(watched, BUDGETS)
    assert take(watched, BUDGETS, NOW + DAY) == ()
    ended = {alert.finding.subject.kind: alert.ended_because for alert in take(watched, BUDGETS, NOW + 9 * DAY)}
    assert ended == {
        ResourceKind.JOB: "the job ended in 2026-11, and that month is over",
        ResourceKind.WATCHER: "2026-11 is over, and the budget begins anew",
    }


def test_what_training_cost_in_an_account_that_left_still_counts_to_its_month(watched):
    trained(watched, BUDGETS)
    watched.write_now(save_discovery, Discovery(accounts=(), is_complete=True), judgement(), NOW + HOUR)
    (ended,) = take(watched, BUDGETS, NOW + HOUR)
    assert ended.finding.subject.kind is ResourceKind.JOB
    assert ended.ended_because == "the configuration no longer includes its account"


async def test_catalogues_are_read_daily_and_a_region_that_was_not_read_is_kept(watched, tidy, clock):
    asked = []
    answers = [((Retirement(model="b", location="swedencentral"),), frozenset({"swedencentral"})), ((), frozenset())]

    async def find(accounts):
        asked.append([account.key for account in accounts])
        return answers[min(len(asked), 2) - 1]

    options = {"judgement": judgement(tidy), "store": watched, "clock": clock}
    for wait, times in ((0 * HOUR, 1), (23 * HOUR, 1), (HOUR, 2), (MINUTE, 3)):  # what failed is asked for again
        clock.move(wait)
        await take_inventory(find, **options)
        assert len(asked) == times
    assert asked[0] == [ACCOUNT.key]
    assert [one.model for one in watched.read_now(retirements.load)] == ["b"]


async def test_the_built_in_rules_take_it(watched, clock):
    """Their options are part of the mark, and their findings are stored like any other."""
    built = build_rules({}, plugins=())
    watched.write_now(record, make_snapshot(at=NOW, deployments=[make_deployment()], jobs=[], usage=[]), judgement())

    async def find(accounts):
        return (), frozenset()

    options = {"judgement": judgement(*built.inventory_rules), "store": watched, "clock": clock}
    first = await take_inventory(find, **options)
    assert await take_inventory(find, **options) == ()
    assert {alert.account for alert in first} <= {""}
