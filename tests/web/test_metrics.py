"""What `/metrics` says: of the store, of the process, and in which format."""

import asyncio
import contextlib
import shutil
import subprocess
import time
from dataclasses import replace
from datetime import timedelta
from unittest.mock import ANY

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse

from tests.alerts.factories import make_alert
from tests.factories import (
    DAY,
    HOUR,
    NOW,
    make_account,
    make_deployment,
    make_gap,
    make_job,
    make_snapshot,
    make_usage,
)
from tests.store.dumps import statements
from tests.store.test_outbox import claim, make_notification, mark, put
from tests.store.test_reports import make_issue, queue
from watcher.costs.prices import OwnPrice, PriceBook, Terms
from watcher.cycles import Judgement, record
from watcher.errors import DatabaseUnavailableError
from watcher.resources.fine_tuning import JobStatus
from watcher.resources.snapshot import Section
from watcher.rules.registry import build_rules
from watcher.rules.rule import HostClock
from watcher.store import alerts, counts, scope, state
from watcher.store.channels import Channel
from watcher.store.counts import MOST_COUNTDOWNS, Figures, Size
from watcher.store.held import Memory
from watcher.web.metrics import Metrics

RULES = Judgement(rules=build_rules({}, plugins=()).rules)
QUIET = Judgement(rules=())
BOOK = PriceBook(terms=Terms(table=(OwnPrice(model="*gpt*", sku="Standard", hosting_per_hour=2),)))

#: The contract's, with their labels.
FIXED = {
    "watcher_poll_duration_seconds": set(),
    "watcher_polls_total": {"outcome"},
    "watcher_azure_requests_total": {"api", "status"},
    "watcher_accounts": {"state"},
    "watcher_jobs": {"status"},
    "watcher_deployments": {"sku", "state"},
    "watcher_deployment_seconds_until_deletion": {"account", "deployment"},
    "watcher_hosting_cost_per_hour": {"account"},
    "watcher_idle_cost_total": {"account"},
    "watcher_alerts": {"rule", "severity", "state"},
    "watcher_notifications_total": {"receiver", "outcome"},
    "watcher_outbox_pending": set(),
    "watcher_outbox_dead": set(),
    "watcher_last_complete_cycle_timestamp_seconds": set(),
}

#: Something of everything.
FULL = Figures(
    accounts={"ok": 1, "gaps": 2, "unread": 3},
    gaps={("metrics", "role"): 2},
    oldest_reading={"jobs": NOW},
    jobs={"running": 1},
    deployments={("Standard", "Succeeded"): 4},
    until_deletion={("contoso-ft", 'a "quoted"\nname'): -60.0},
    countdowns=1,
    alerts={("deployment_idle", "critical", "firing"): 1},
    unverified=1,
    outbox={"pending": 1, "dead": 2},
    oldest_pending=NOW,
    channels=(Channel(receiver="slack", failing_since=NOW), Channel(receiver="mail", last_ok_at=NOW)),
    money=counts.Money(currency="EUR", per_hour={"a": 3.4}, idle_so_far={"a": 40.8}, unpriced={"b": 2}),
    last_complete_cycle=NOW,
    size=Size(used=4096, disk_free=10, disk_total=100),
    skew=timedelta(seconds=-90),
)


def metrics(figures: Figures) -> Metrics:
    """One that has counted something already."""
    made = Metrics(lambda: figures)
    made.azure_request("jobs", 200, 0.1)
    made.notifications.labels(receiver="slack", outcome="delivered").inc()
    made.reports.labels(report="weekly", outcome="delivered").inc()
    return made


def samples(text: bytes, parser=parse) -> dict[str, dict[tuple[str, ...], float]]:
    """Name → values of the labels in the order of their names → value."""
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in parser(text.decode()):
        for one in family.samples:
            found.setdefault(one.name, {})[tuple(value for _, value in sorted(one.labels.items()))] = one.value
    return found


def counted(store, **more):
    return store.read_now(counts.counts, more.pop("now", NOW), **more)


def watched(store, *snapshots, judgement=RULES):
    store.write_now(scope.save_accounts, [one.account for one in snapshots], is_complete=True, now=NOW)
    for one in snapshots:
        store.write_now(record, one, judgement)


def idle(name="support-bot", age=12 * DAY, **changes):
    return make_deployment(name, created_at=NOW - age, **changes)


# The exposition


def test_each_metric_of_the_contract_is_there_with_its_labels() -> None:
    text, media_type = metrics(FULL).exposition()
    assert media_type.startswith("text/plain; version=0.0.4")
    labels = {one.name: one.labels.keys() for family in parse(text.decode()) for one in family.samples}
    found = {name: set(labels.get(name, labels.get(f"{name}_count", {"missing"}))) for name in FIXED}
    assert found == FIXED


def test_openmetrics_says_the_same_where_it_is_asked_for() -> None:
    made = metrics(FULL)
    text, media_type = made.exposition("application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5")
    assert media_type.startswith("application/openmetrics-text; version=1.0.0")
    assert text.endswith(b"# EOF\n")
    ours = {name: value for name, value in samples(text, openmetrics).items() if name.startswith("watcher_")}
    plain = {name: value for name, value in samples(made.exposition()[0]).items() if name.startswith("watcher_")}
    assert ours == plain != {}


def test_what_falls_is_called_no_counter() -> None:
    types = {family.name: family.type for family in parse(metrics(FULL).exposition()[0].decode())}
    assert types["watcher_idle_cost_total"] == "unknown"
    assert types["watcher_polls"] == types["watcher_reports"] == "counter"


def test_what_is_not_known_has_no_sample() -> None:
    found = samples(metrics(Figures()).exposition()[0])
    assert not {name for name in found if "clock_skew" in name or "cost" in name or "last_complete" in name}
    assert not {name for name in found if "disk" in name or "oldest" in name or "until_deletion" in name}
    assert found["watcher_database_up"] == {(): 1}


def test_a_database_out_of_reach_is_told_beside_what_the_process_counts() -> None:
    def unreadable() -> Figures:
        raise DatabaseUnavailableError("gone")

    made = Metrics(unreadable)
    made.polls.labels(outcome="failed").inc()
    found = samples(made.exposition()[0])
    assert found["watcher_database_up"] == {(): 0}
    assert found["watcher_polls_total"][("failed",)] == 1
    assert "watcher_accounts" not in found and "watcher_outbox_pending" not in found


def test_statuses_that_are_none_are_told_as_one() -> None:
    made = Metrics(Figures)
    for status in (0, 200, 429, 777, 1200):
        made.azure_request("arm", status, 0.1)
    assert samples(made.exposition()[0])["watcher_azure_requests_total"] == {
        ("arm", "0"): 1,
        ("arm", "200"): 1,
        ("arm", "429"): 1,
        ("arm", "other"): 2,
    }


async def test_a_blocked_loop_shows() -> None:
    made = Metrics(Figures)
    watching = asyncio.create_task(made.watch_loop(every_s=0.001))
    await asyncio.sleep(0)  # it has begun to wait
    time.sleep(0.3)  # what nobody may do in the loop
    while not samples(made.exposition()[0])["watcher_event_loop_lag_seconds_count"][()]:
        await asyncio.sleep(0)
    watching.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await watching
    found = samples(made.exposition()[0])
    assert found["watcher_event_loop_lag_seconds_count"][()] >= 1
    assert found["watcher_event_loop_lag_seconds_sum"][()] > 0.25


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed (Debian: prometheus)")
@pytest.mark.parametrize("figures", [FULL, Figures()], ids=["full", "empty"])
def test_promtool_finds_nothing_to_mend(figures) -> None:
    text, _ = metrics(figures).exposition()
    ours = b"\n".join(line for line in text.splitlines() if b"process_" not in line) + b"\n"
    judged = subprocess.run(["promtool", "check", "metrics"], input=ours, capture_output=True, timeout=60)
    assert (judged.returncode, judged.stdout, judged.stderr) == (0, b"", b"")


# What is counted


def test_hosting_and_idle_money_are_those_of_custom_deployments(store):
    watched(
        store,
        make_snapshot(
            deployments=[
                idle(),
                idle("busy"),
                idle("base", model="gpt-4o"),
                idle("dev", age=HOUR, sku="DeveloperTier"),
                idle("batch", sku="GlobalBatch"),
            ],
            usage=[make_usage(), make_usage("busy", last_success_at=NOW - HOUR), make_usage("batch")],
            jobs=[],
        ),
    )
    money = counted(store, book=BOOK).money
    assert (money.currency, money.per_hour, money.unpriced) == ("USD", {"contoso-ft": 4.0}, {"contoso-ft": 1})
    assert money.idle_so_far == {"contoso-ft": pytest.approx(12 * 24 * 2)}


def test_idle_money_grows_with_time_and_stops_where_nothing_is_seen_any_more(store):
    seen = make_snapshot(deployments=[idle()], usage=[make_usage()], jobs=[])
    watched(store, seen)
    assert counted(store, book=BOOK, now=NOW + HOUR).money.idle_so_far == {"contoso-ft": pytest.approx(12 * 48 + 2)}
    later = NOW + 6 * HOUR
    gap = make_gap(Section.METRICS, at=later)
    store.write_now(record, make_snapshot(at=later, deployments=[idle()], usage=None, jobs=[], gaps=(gap,)), RULES)
    found = counted(store, book=BOOK, now=NOW + 9 * DAY)
    assert found.unverified == 2
    assert found.money.idle_so_far == {"contoso-ft": pytest.approx(12 * 48)}


def test_a_deployment_whose_model_only_its_job_tells_counts_as_custom(store):
    made = make_job(status=JobStatus.SUCCEEDED, fine_tuned_model="gpt-plain")
    watched(store, make_snapshot(jobs=[made], deployments=[idle(model="gpt-plain")], usage=[make_usage()]))
    assert counted(store, book=BOOK).money.per_hour == {"contoso-ft": 2.0}


def test_without_prices_nothing_is_said_of_money(store):
    watched(store, make_snapshot(deployments=[idle()], usage=[make_usage()], jobs=[]))
    assert counted(store).money == counts.Money()
    silent = PriceBook(terms=Terms(currency="EUR"))  # the example price is in dollars
    money = counted(store, book=silent).money
    assert (money.per_hour, money.idle_so_far, money.unpriced) == ({}, {}, {"contoso-ft": 1})


def test_with_a_memory_each_scrape_says_what_one_without_says(store):
    """Whatever happened in between: a deployment called or gone, an alert told, raised or over, an account left."""
    memory = Memory()
    place, other = make_account(), make_account("contoso-west")
    store.write_now(scope.save_accounts, [place, other], is_complete=True, now=NOW - 20 * DAY)

    def polled(account, at, *names, idle=12, **more):
        made = [make_deployment(name, account=account, created_at=NOW - 30 * DAY) for name in names]
        usage = [
            make_usage(name, read_from=at - 16 * DAY, read_to=at, last_success_at=at - idle * DAY) for name in names
        ]
        store.write_now(record, make_snapshot(account=account, at=at, deployments=made, usage=usage, **more), RULES)

    def same(now):
        fresh = store.read_now(counts.counts, now, book=BOOK)
        assert store.read_now(counts.counts, now, book=BOOK, memory=memory) == replace(fresh, size=ANY)
        return fresh

    polled(place, NOW - DAY, "bot", "chat")
    polled(other, NOW - DAY, "bot")
    first = same(NOW - DAY)
    assert first.countdowns == 3 and first.money.idle_so_far
    polled(place, NOW - HOUR, "bot", "chat", idle=0.1)
    assert same(NOW - HOUR).countdowns == 1
    polled(other, NOW, "bot", idle=13.5)
    assert same(NOW).alerts != first.alerts
    (alert, *_) = store.read_now(alerts.listed, firing_only=True)
    store.write_now(alerts.save, [replace(alert, unverified_since=NOW, unverified_because="x")])
    assert same(NOW).unverified == 1
    store.write_now(scope.save_accounts, [place], is_complete=True, now=NOW)
    assert same(NOW + HOUR).deployments == {("Standard", "Succeeded"): 2}


def test_the_nearest_end_of_a_deployment_counts(store):
    def dated(rule, after, name="chat"):
        return make_alert(rule, name=name, values={"deletion_earliest": (NOW + after).isoformat()})

    put(store, make_notification(dated("deployment_idle", 2 * DAY), dated("deployment_expiring", HOUR)))
    put(store, make_notification(dated("deployment_idle", -HOUR, "late"), make_alert("deployment_paused", name="x")))
    put(store, make_notification(dated("deployment_idle", HOUR, "other"), dated("deployment_expiring", DAY, "other")))
    found = counted(store)
    seconds = {"chat": 3600, "late": -3600, "other": 3600}
    assert found.until_deletion == {("contoso-ft", name): left for name, left in seconds.items()}
    assert found.countdowns == 3


def test_of_very_many_countdowns_the_nearest_are_told_and_all_are_counted(store):
    many = [
        make_alert("deployment_idle", name=f"d{n}", values={"deletion_earliest": (NOW + n * HOUR).isoformat()})
        for n in range(MOST_COUNTDOWNS + 5)
    ]
    store.write_now(alerts.save, many)
    found = counted(store)
    assert (len(found.until_deletion), found.countdowns) == (MOST_COUNTDOWNS, MOST_COUNTDOWNS + 5)
    assert max(found.until_deletion.values()) == (MOST_COUNTDOWNS - 1) * 3600


def test_the_variety_of_skus_is_bounded(store):
    deployments = [make_deployment(f"d{n}", sku=f"Sku{n}") for n in range(40)]
    watched(store, make_snapshot(deployments=deployments, jobs=[]), judgement=QUIET)
    found = counted(store).deployments
    assert len(found) == 33 and sum(found.values()) == 40
    assert found["other", "Succeeded"] == 8


def test_a_state_that_nobody_knows_is_told_as_unknown(store):
    odd = make_deployment(provisioning_state="Unknown", raw_provisioning_state="Hibernating")
    watched(store, make_snapshot(deployments=[odd], jobs=[]), judgement=QUIET)
    assert counted(store).deployments == {("Standard", "Unknown"): 1}


def test_what_left_the_scope_is_not_counted(store):
    other = make_account("other")
    stays = make_snapshot(jobs=[make_job("ftjob-1")], deployments=[idle()], usage=[make_usage()])
    goes = make_snapshot(
        account=other, jobs=[make_job("ftjob-2", account=other.key)], deployments=[idle(account=other)]
    )
    watched(store, stays, replace(goes, gaps=(make_gap(Section.METRICS),)))
    before = counted(store, book=BOOK)
    assert (before.jobs, before.deployments) == ({"running": 2}, {("Standard", "Succeeded"): 2})
    assert before.gaps == {("metrics", "unreachable"): 1}
    store.write_now(scope.save_accounts, [stays.account], is_complete=True, now=NOW)
    after = counted(store, book=BOOK)
    assert (after.jobs, after.deployments) == ({"running": 1}, {("Standard", "Succeeded"): 1})
    assert after.money.per_hour == {"contoso-ft": 2.0}
    assert after.gaps == {} and after.accounts == {"ok": 1, "gaps": 0, "unread": 0}


def test_a_job_under_way_that_the_listing_lacks_is_unknown(store):
    ended = make_job("ftjob-2", status=JobStatus.FAILED)
    watched(store, make_snapshot(jobs=[make_job("ftjob-1"), ended], deployments=[]), judgement=QUIET)
    store.write_now(record, make_snapshot(at=NOW + HOUR, jobs=[], deployments=[]), QUIET)
    assert counted(store).jobs == {"unknown": 1, "failed": 1}


def test_the_oldest_reading_is_told_by_section(store):
    other = make_account("other")
    watched(
        store,
        make_snapshot(jobs=[], deployments=[], at=NOW),
        make_snapshot(account=other, jobs=[], deployments=None, at=NOW - HOUR),
        judgement=QUIET,
    )
    assert counted(store).oldest_reading == {"jobs": NOW - HOUR, "deployments": NOW}


def test_reports_wait_beside_notifications(store):
    put(store, make_notification(make_alert(), receiver="slack"), now=NOW)
    queue(store, make_issue(queued_at=NOW - HOUR))
    found = counted(store)
    assert (found.outbox, found.oldest_pending) == ({"pending": 2}, NOW - HOUR)
    (delivery,) = claim(store)
    mark(store, delivery, state="dead")
    assert counted(store).outbox == {"pending": 1, "dead": 1}


def test_only_configured_receivers_are_told_of(store):
    put(store, make_notification(make_alert(), receiver="slack"), now=NOW)
    (delivery,) = claim(store)
    mark(store, delivery, state="pending", due_at=NOW + HOUR)
    assert [one.receiver for one in counted(store).channels] == ["slack"]
    assert counted(store, receivers=["mail"]).channels == ()


def test_the_skew_of_this_machine_is_told(store):
    for host, seconds in (("here", 42), ("elsewhere", 7)):
        assert counted(store, host=host).skew is None
        store.write_now(state.put_clock, HostClock(host=host, skew=timedelta(seconds=seconds), at=NOW))
        assert counted(store, host=host).skew == timedelta(seconds=seconds)


def test_the_size_of_the_database_is_told(store):
    size = counted(store).size
    assert size is not None and size.used > 50_000
    is_file = store.engine.dialect.name == "sqlite"
    assert (size.disk_free is not None) == (size.disk_total is not None) == is_file


def test_it_takes_as_many_statements_however_much_there_is(store):
    def heard() -> int:
        with statements(store.engine) as said:
            counted(store, book=BOOK)
        return len(said)

    few = [make_account("a0")]
    watched(store, *(_busy(one) for one in few))
    before = heard()
    watched(store, *(_busy(make_account(f"a{n}")) for n in range(12)))
    assert heard() == before <= 30


def _busy(account):
    deployments = [idle(f"d{n}", account=account, model="base" if n else "gpt-4o.ft-1") for n in range(5)]
    jobs = [make_job(f"ftjob-{n}", account=account.key) for n in range(5)]
    usage = [make_usage(f"d{n}") for n in range(5)]
    return make_snapshot(account=account, deployments=deployments, jobs=jobs, usage=usage)
