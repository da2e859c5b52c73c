"""Deletions whose date is not known: which, and why."""

from datetime import timedelta

import pytest

from tests.factories import DAY, HOUR, NOW, make_deployment, make_gap, make_usage
from tests.report.recorded import BEGAN, make_life, make_recorded, make_records, make_terms, stated
from watcher.costs.hosting import Period
from watcher.costs.idle import whole_hour
from watcher.report.statement import DateKind, Undated
from watcher.resources.calls import DELAY, Coverage
from watcher.resources.snapshot import GapReason, Section
from watcher.rules.lifetimes import Lifetimes


def idle(name="support-bot", *, days=10, read_to=NOW, **changes):
    """Called last so many days ago, as far as its calls were read."""
    usage = make_usage(name, read_from=BEGAN, read_to=read_to, last_success_at=NOW - days * DAY)
    return make_life(make_deployment(name, **changes), usage=usage)


def recorded(*lives, read_to=NOW, **more):
    return make_recorded(*lives, coverage=Coverage(spans=((BEGAN, read_to),)), **more)


def deletions(statement):
    return [one for one in statement.dates if one.kind in (DateKind.DELETION, DateKind.EXPIRY)]


def test_one_whose_calls_were_read_has_its_date():
    statement = stated(recorded(idle()))
    assert (len(deletions(statement)), statement.undated, statement.unseen) == (1, (), ())


@pytest.mark.parametrize("days", [10, 3], ids=["near its end", "far from it"])
def test_one_whose_calls_were_read_long_ago_has_none_and_that_is_said(days):
    read_to = NOW - 18 * HOUR
    statement = stated(recorded(idle(days=days, read_to=read_to), read_to=read_to, usage_at=read_to))
    assert deletions(statement) == []
    assert statement.undated == (
        Undated(
            because="the metrics read end 2026-11-21 14:00 UTC, which is too old", names=("contoso-ft/support-bot",)
        ),
    )
    assert (
        "When Azure deletes 1 deployment if nobody calls it is not known, as the metrics read end 2026-11-21 14:00 "
        "UTC, which is too old: contoso-ft/support-bot."
    ) in statement.unseen


def test_near_its_end_hours_do_already():
    """What is read by the hour there is missed sooner than elsewhere."""
    near, far = idle("near", read_to=NOW - 5 * HOUR), idle("far", days=3, read_to=NOW - 5 * HOUR)
    statement = stated(recorded(near, far, read_to=NOW - 5 * HOUR, usage_at=NOW - 5 * HOUR))
    assert [group.names for group in statement.undated] == [("contoso-ft/near",)]
    assert [one.title.partition(" ")[0] for one in deletions(statement)] == ["contoso-ft/far"]


def test_where_metrics_are_read_seldom_they_are_not_missed_near_an_end_either():
    """An interval of half a day is the operator's choice, as for the rule that warns."""
    read_to = NOW - 20 * HOUR
    account = recorded(idle(read_to=read_to), read_to=read_to, usage_at=read_to)
    patient = make_terms(metrics_stale_after=145 * HOUR, near_stale_after=24 * HOUR)
    assert (len(deletions(stated(account, terms=patient))), stated(account, terms=patient).undated) == (1, ())
    impatient = make_terms(metrics_stale_after=145 * HOUR, near_stale_after=18 * HOUR)
    assert len(stated(account, terms=impatient).undated) == 1


def test_what_was_read_long_ago_is_one_reason_however_long():
    first, last = idle("first", read_to=NOW - 30 * HOUR), idle("last", read_to=NOW - 18 * HOUR)
    statement = stated(recorded(first, last, read_to=NOW - 18 * HOUR))
    assert statement.undated == (
        Undated(
            because="the metrics read end 2026-11-21 14:00 UTC or earlier, which is too old",
            names=("contoso-ft/first", "contoso-ft/last"),
        ),
    )


def test_other_reasons_stand_each_for_itself_the_most_frequent_first():
    gap = make_gap(Section.METRICS, GapReason.ROLE, at=NOW - DAY, subject="b")
    undated = make_life(
        make_deployment("c", created_at=None), usage=make_usage("c", read_from=BEGAN), first_seen_at=BEGAN
    )
    never = make_life(make_deployment("d"), usage=None), make_life(make_deployment("e"), usage=None)
    found = stated(recorded(idle("a"), idle("b"), undated, *never, gaps=(gap,))).undated
    assert [(group.because, group.names) for group in found] == [
        ("the metrics have not been read for this deployment yet", ("contoso-ft/d", "contoso-ft/e")),
        ("its metrics could not be read: a role is missing", ("contoso-ft/b",)),
        ("neither its creation nor any call is known", ("contoso-ft/c",)),
    ]


def test_what_is_called_what_nothing_ends_and_what_has_ended_lack_no_date():
    busy = idle("busy", days=0)
    gone = make_life(make_deployment("gone"), end=(NOW - DAY, NOW - DAY), outcome="gone", usage=None)
    assert stated(recorded(busy, gone)).undated == ()
    endless = make_terms(lifetimes=Lifetimes(idle_by_sku={"standard": None}))
    assert stated(recorded(idle(read_to=NOW - 5 * DAY)), terms=endless).undated == ()


def test_one_that_is_deleted_for_its_age_needs_no_calls():
    one = make_life(make_deployment(sku="developer", created_at=NOW - 20 * HOUR), usage=None)
    statement = stated(recorded(one))
    assert (len(deletions(statement)), statement.undated) == (1, ())


@pytest.mark.parametrize("minutes", range(0, 60, 7))
def test_metrics_that_rest_as_long_as_they_may_are_no_failure_to_see_at_any_minute_of_an_hour(minutes):
    """They end with a whole hour, and so up to an hour earlier than when they were read."""
    as_of = NOW + timedelta(minutes=minutes)
    read_at = as_of - 12 * HOUR
    read_to = whole_hour(read_at - DELAY)
    called = NOW - 3 * DAY
    account = recorded(
        idle(days=3, read_to=read_to),
        read_to=read_to,
        usage_at=read_at,
        deployments_at=as_of,
        jobs_at=as_of,
        calls={"support-bot": {called: 3.0}},
    )
    statement = stated(make_records(account, as_of=as_of), period=Period(begin=as_of - 7 * DAY, end=as_of))
    assert statement.unseen == ()
    assert statement.hosted[0].calls == 3.0
