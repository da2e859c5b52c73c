"""When a replay looks: at what was recorded, just before what changed, and by the hour where time alone may tell."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest

from tests.factories import ACCOUNT, DAY, HOUR, MINUTE, MODEL, NOW, make_deployment, make_gap, make_job, make_transition
from watcher.replay.steps import steps
from watcher.resources.calls import Calls, Coverage, HourOfCalls
from watcher.resources.changes import Change
from watcher.resources.departure import Departure
from watcher.resources.fine_tuning import JobStatus
from watcher.store.past import Past, Seen
from watcher.store.then import Life

BEGIN, END = NOW - 4 * DAY, NOW
TEN = 10 * MINUTE
SECOND = timedelta(seconds=1)

#: A job that has ended: its model is what a deployment is known by as fine-tuned.
TRAINED = make_job("ftjob-0", JobStatus.SUCCEEDED, fine_tuned_model=MODEL, finished_at=NOW - 40 * DAY)


def past(*, lives=(), jobs=(TRAINED,), called=(), first_seen_at=NOW - 50 * DAY, **changes):
    hours = {hour: HourOfCalls(ok=1.0) for hour in called}
    defaults = {
        "account": ACCOUNT,
        "first_seen_at": first_seen_at,
        "removed_at": None,
        "read": {},
        "dialect": "v1",
        "transitions": (),
        "jobs": tuple(Seen(noun=job, first_seen_at=NOW - 2 * DAY, left_at=None) for job in jobs),
        "files": (),
        "models": (),
        "lives": tuple(lives),
        "events": {},
        "training": {},
        "gaps": (),
        "calls": {"support-bot": Calls(deployment="support-bot", hours=hours)},
        "coverage": Coverage(),
    }
    return Past(**(defaults | changes))


def life(**changes):
    defaults = {"noun": make_deployment(), "first_seen_at": NOW - 30 * DAY, "ended_at": None, "departure": None}
    return Life(**(defaults | changes))


def looks(one, *, wakes=()):
    """When the account is polled."""
    found = steps([one], (), wakes, begin=BEGIN, end=END, before=TEN)
    assert [step.at for step in found] == sorted({step.at for step in found})
    return [step.at for step in found if one.account.key in step.accounts]


def test_where_nothing_happens_it_looks_once_a_day():
    assert looks(past()) == [BEGIN + number * DAY for number in range(5)]


def test_what_operators_did_is_no_reason_to_poll():
    at = NOW - 30 * HOUR
    assert at not in looks(past(), wakes=[at])
    assert at in [step.at for step in steps([past()], (), [at], begin=BEGIN, end=END, before=TEN)]


def test_before_an_account_was_seen_nobody_looks_at_it():
    found = looks(past(first_seen_at=NOW - DAY - HOUR))
    assert found[:2] == [BEGIN, NOW - DAY - HOUR]  # the beginning is a look at all, whatever comes of it


@pytest.mark.parametrize("change", [Change.CHANGED, Change.REPLACED, Change.GONE, Change.DISCOVERED])
def test_a_change_has_a_look_just_before_it_and_an_end_has_one_after_it(change):
    at = NOW - 30 * HOUR
    seen = replace(make_transition(TRAINED), change=change, observed_at=at)
    found = looks(past(transitions=(seen,), moments=(at,)))
    assert at in found
    assert (at - TEN in found) is (change is not Change.DISCOVERED)  # the first sight has nothing before it
    assert (at + TEN in found) is (change is Change.GONE)  # the activity log is asked once more


def test_a_gap_has_a_look_just_before_it():
    at = NOW - 30 * HOUR
    found = looks(past(gaps=((make_gap(at=at), at + HOUR),), moments=(at, at + HOUR)))
    assert [one for one in found if abs(one - at) <= HOUR] == [at - SECOND, at, at + HOUR]


def test_nobody_saw_it_between_its_last_listing_and_its_end():
    stood_at, ended_at = NOW - 3 * DAY, NOW - 2 * DAY
    departure = Departure(is_read=True, stood_at=stood_at)
    found = looks(past(lives=[life(ended_at=ended_at, departure=departure)], moments=(ended_at,)))
    assert [one for one in found if stood_at <= one <= ended_at] == [stood_at, ended_at]
    unknown = looks(past(lives=[life(ended_at=ended_at, departure=replace(departure, stood_at=None))]))
    assert any(stood_at < one < ended_at for one in unknown)


@pytest.mark.parametrize(
    ("one", "hours"),
    [
        pytest.param(past(lives=[life()]), 24 * 4, id="a deployment that was never called"),
        pytest.param(past(lives=[life()], called=[END - HOUR * n for n in range(24 * 6)]), 0, id="one that always is"),
        pytest.param(past(lives=[life()], called=[NOW - 2 * DAY]), 24 * 3, id="called two days ago, and not for a day"),
        pytest.param(past(lives=[life(first_seen_at=NOW - DAY)]), 24, id="a new one"),
        pytest.param(past(lives=[life(ended_at=NOW - 3 * DAY)]), 24, id="one that is gone"),
        pytest.param(past(lives=[life(noun=make_deployment(model="gpt-4o"))]), 0, id="one of a base model"),
        pytest.param(past(jobs=[make_job()]), 24 * 2, id="a job under way, seen two days ago"),
        pytest.param(past(jobs=[make_job(status=JobStatus.FAILED)]), 0, id="one that has ended"),
    ],
)
def test_time_alone_may_tell_of_the_quiet_and_of_jobs_under_way(one, hours):
    found = looks(one)
    by_the_hour = sum(later - earlier == HOUR for earlier, later in pairwise(found))
    assert abs(by_the_hour - hours) <= 2, by_the_hour
    assert all(later - earlier <= DAY for earlier, later in pairwise(found))
