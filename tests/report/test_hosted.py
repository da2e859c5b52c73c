"""What a line counts: from when, at whose price, and with which calls."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from tests.costs.factories import make_book, own
from tests.factories import (
    DAY,
    HOUR,
    NOW,
    SECOND,
    make_account,
    make_deployment,
    make_job,
    make_model,
    make_transition,
    make_usage,
)
from tests.report.factories import make_actual
from tests.report.recorded import BEGAN, WEEK, every, make_life, make_recorded, make_records, make_terms, stated
from watcher.costs import obstacles
from watcher.costs.advice import Move
from watcher.costs.uses import State
from watcher.report.hosted import hosted
from watcher.report.recorded import RecordedJob
from watcher.resources.calls import Coverage
from watcher.resources.departure import Departure
from watcher.resources.lineage import Model

CHECKPOINT = "ftchkpt-0123456789abcdef0123456789abcdef"
MADE = "gpt-4o-2024-08-06.ft-0123456789abcdef0123456789abcdef"


def test_what_is_older_than_its_account_counts_from_when_it_came():
    """An account that was moved holds what was charged under its former id until then."""
    account = make_account(created_at=NOW - 2 * DAY)
    life = make_life(make_deployment("bot", created_at=NOW - 30 * DAY), first_seen_at=NOW - 2 * DAY)
    job = make_job(status="succeeded", finished_at=NOW - 3 * DAY)
    statement = stated(make_recorded(life, account=account, jobs=[RecordedJob(job=job, ended_at=job.finished_at)]))
    (line,) = statement.hosted
    assert (line.begin, line.stood) == (NOW - 2 * DAY, (2 * DAY, 2 * DAY))
    assert line.missing is None
    assert statement.trained == ()


def test_what_stood_in_an_account_that_was_deleted_is_charged_though_another_one_of_its_id_came():
    account = make_account(created_at=NOW - DAY)
    ended = NOW - 2 * DAY
    life = make_life(make_deployment("bot", created_at=NOW - 30 * DAY), end=(ended, ended), outcome="gone")
    job = make_job(status="succeeded", finished_at=NOW - 3 * DAY)
    seen = make_transition(job, None, observed_at=NOW - 4 * DAY)
    jobs = [RecordedJob(job=job, ended_at=job.finished_at, phases=(seen,))]
    statement = stated(make_recorded(life, account=account, jobs=jobs))
    assert [(line.begin, line.stood) for line in statement.hosted] == [(NOW - 30 * DAY, (5 * DAY, 5 * DAY))]
    assert [line.job for line in statement.trained] == [job.id]


def test_it_counts_from_when_its_account_was_found_under_another_id():
    life = make_life(make_deployment("bot", created_at=NOW - 30 * DAY), since=NOW - DAY)
    (line,) = stated(make_recorded(life)).hosted
    assert line.stood == (DAY, DAY)


@pytest.mark.parametrize("removed_at", [None, NOW - DAY], ids=["watched", "gone since"])
def test_a_checkpoint_costs_what_its_model_costs(removed_at):
    """Its own id names no model, so that a price for the model would not be found by it."""
    book = make_book(table=(own(model="gpt-4o*", hosting_per_hour=3), own(hosting_per_hour=1)))
    end = {"end": (removed_at, removed_at), "outcome": "gone"} if removed_at else {}
    life = make_life(make_deployment("bot", model=CHECKPOINT, created_at=BEGAN), **end)
    model = Model(
        id=MADE,
        account=make_account().key,
        base="gpt-4o-2024-08-06",
        job="ftjob-1",
        created_at=BEGAN,
        checkpoints=frozenset({CHECKPOINT}),
    )
    recorded = make_recorded(life, models=(model,), removed_at=removed_at)
    (line,) = stated(recorded, terms=make_terms(book=book)).hosted
    assert line.price.rate.most == Decimal("3.00")


def test_calls_of_hours_that_may_still_grow_are_not_counted():
    """So that a statement that is compiled again, when those hours are whole, says the same."""
    recorded = make_recorded(
        make_life(make_deployment("bot", created_at=BEGAN), called=NOW - HOUR),
        calls={"bot": {NOW - 5 * HOUR: 40.0, NOW - HOUR: 7.0}},
        coverage=Coverage(spans=((BEGAN, NOW - HOUR),)),
    )
    (line,) = stated(recorded, period=WEEK).hosted
    assert line.calls == 40.0
    assert sum(day.calls for day in line.days) == 40.0
    assert line.stood == (timedelta(days=7), timedelta(days=7))


def bot(called=None, **usage):
    """Created long ago."""
    one = make_deployment("bot", created_at=BEGAN)
    return make_life(one, usage=make_usage("bot", read_from=BEGAN, last_success_at=called, **usage))


def test_nameless_calls_every_hour_leave_its_use_unknown():
    """They may all be its own: nobody can say that it is idle, nor that it may be deleted."""
    unclear = {"": every(HOUR, NOW - 20 * DAY, NOW, 100.0)}
    statement = stated(make_recorded(bot(last_unclear_at=NOW - HOUR), unclear=unclear))
    (line,) = statement.hosted
    assert statement.advice == ()
    assert (line.calls, line.state, line.idle_since) == (None, State.UNKNOWN, None)
    assert set(line.by_state) == {State.UNKNOWN}
    assert any("without a deployment's name" in said and "/bot" in said for said in statement.unseen)
    assert not any("were not read in all" in said for said in statement.unseen)


def test_a_nameless_call_long_ago_makes_its_idleness_an_interval():
    statement = stated(make_recorded(bot(last_unclear_at=NOW - 5 * DAY), unclear={"": {NOW - 5 * DAY: 1.0}}))
    (line,) = statement.hosted
    assert line.by_state[State.UNKNOWN].text == "1.70 USD"
    assert (line.calls, line.state) == (None, State.IDLE)
    assert line.idle_since == (BEGAN, NOW - 5 * DAY)
    assert [one.move for one in statement.advice] == [Move.DELETE]


def test_what_is_called_all_the_time_keeps_its_calls_whatever_came_without_a_name():
    calls = {"bot": every(HOUR, NOW - 7 * DAY, NOW, 2.0)}
    life = bot(called=NOW - HOUR, last_unclear_at=NOW - 3 * DAY)
    (line,) = stated(make_recorded(life, calls=calls, unclear={"": {NOW - 3 * DAY: 1.0}})).hosted
    assert (line.calls, line.state) == (336.0, State.USED)


def test_who_is_refused_calls_it_all_the_same():
    statement = stated(make_recorded(bot(last_failure_at=NOW - HOUR)))
    (line,) = statement.hosted
    assert statement.advice == ()
    assert line.state is State.IDLE  # by Azure's clock, which only answered calls start anew
    assert any("somebody calls it" in said for said in line.remarks)
    assert stated(make_recorded(bot(last_failure_at=NOW - 3 * DAY))).advice[0].move is Move.DELETE


# Successors


OLD, HEIR = (f"{MADE[:-1]}{number}" for number in "12")


def lineage(*, called, heirs_owner="Ads"):
    """An old model's deployment of Search, and one of its heir, of somebody else."""
    ours, theirs = make_account("ours", owner="Search"), make_account("theirs", owner=heirs_owner)
    old = make_life(make_deployment("bot", account=ours, model=OLD, created_at=BEGAN), called=called)
    heir = make_life(make_deployment("secret-v2", account=theirs, model=HEIR, created_at=NOW - DAY), called=NOW - HOUR)
    models = (
        make_model(OLD, account=ours.key, created_at=BEGAN),
        make_model(HEIR, account=ours.key, created_at=NOW - 3 * DAY, base=OLD),
    )
    calls = {"bot": {called: 84_000.0}} if called else {}
    return make_records(
        make_recorded(old, account=ours, models=models, calls=calls),
        make_recorded(heir, account=theirs, calls={"secret-v2": {NOW - HOUR: 5.0}}),
    )


def test_what_is_called_is_not_to_be_deleted_for_its_successor():
    statement = stated(lineage(called=NOW - HOUR))
    (advice,) = statement.advice
    assert (advice.move, advice.command, advice.saving_per_month) == (Move.CONSOLIDATE, "", None)
    assert "84,000 calls" in advice.because and "move its callers there first" in advice.because
    assert statement.saving_per_month.text == "0.00 USD"


def test_an_owner_is_not_told_the_names_of_others():
    records = lineage(called=NOW - HOUR)
    of = {"Search": lambda labels: labels.get("owner") == "Search"}
    whole, own = stated(records), stated(records, matches=of["Search"])
    assert "secret-v2" in str(whole.hosted) and "secret-v2" in str(whole.advice)
    assert len(own.hosted) == len(own.advice) == 1
    assert "secret-v2" not in str(own) and "theirs" not in str(own)
    assert "another owner's deployment" in own.advice[0].because
    both = stated(lineage(called=NOW - HOUR, heirs_owner="Search"), matches=of["Search"])
    assert "secret-v2 in theirs" in both.advice[0].because


def test_an_owner_is_not_shown_the_bill_of_a_whole_account():
    billed = make_actual("ours")
    records = lineage(called=NOW - HOUR)
    assert stated(records, actuals=(billed,)).actuals == (billed,)
    own = stated(records, actuals=(billed,), matches=lambda labels: labels.get("owner") == "Search")
    assert own.hosted and own.actuals == ()


def test_a_daily_call_in_an_hour_that_was_not_read_yet_is_no_idleness():
    """Its idleness, and what that has cost, run to where its calls were read."""
    read_to = NOW - 12 * HOUR
    lines = {}
    for hours in (24, 25):
        usage = make_usage(read_to=read_to, last_success_at=read_to - hours * HOUR)
        (lines[hours],) = stated(make_recorded(make_life(usage=usage))).hosted
    assert (lines[24].idle_since, lines[24].idle) == (None, None)
    assert lines[25].idle.so_far.text == "42.50 USD"


ENDED = {"end": (NOW - 2 * DAY, NOW - 2 * DAY + HOUR), "outcome": "gone"}


def in_the_way(*lives, name="bot", **recorded):
    """What the line of the first life under a name says is in the way of its recipe."""
    line = next(one for one in stated(make_recorded(*lives, **recorded)).hosted if one.name == name)
    return None if line.recipe is None else line.recipe.obstacle


def test_a_recipe_says_what_is_in_its_way():
    bot = make_deployment("bot", created_at=NOW - 30 * DAY)
    again = make_life(replace(bot, created_at=NOW - DAY, incarnation="2"), first_seen_at=NOW - DAY)
    log = Departure(is_read=True, deleted_by="ann", account_deleted=True)
    assert in_the_way(make_life(bot)) == in_the_way(make_life(bot, **ENDED)) == ""
    assert in_the_way(make_life(bot, **ENDED), again) == obstacles.NAME_TAKEN
    assert in_the_way(make_life(bot, end=ENDED["end"], outcome="replaced"), again) == obstacles.NAME_TAKEN
    assert in_the_way(make_life(bot, end=ENDED["end"], outcome="replaced")) == obstacles.REPLACED
    assert in_the_way(make_life(bot, end=ENDED["end"], outcome="left"), removed_at=NOW - DAY) == obstacles.OUT_OF_SIGHT
    assert "is gone, so the command" in in_the_way(make_life(bot, **ENDED), removed_at=NOW - DAY, is_gone=True)
    assert "one of the same name is there now" in in_the_way(make_life(bot, **ENDED, departure=log))
    assert in_the_way(make_life(bot, end=ENDED["end"], outcome="moved"), removed_at=NOW - DAY, is_gone=True) is None


class _Walked(tuple):
    """Lives that count how often somebody goes through all of them."""

    walks = 0

    def __iter__(self):
        type(self).walks += 1
        return super().__iter__()


@pytest.mark.parametrize("ended", [{}, ENDED], ids=["they stand", "they are gone"])
def test_the_lives_of_an_account_are_not_each_held_against_all_others(ended):
    lives = [make_life(make_deployment(f"bot-{n}", created_at=NOW - 30 * DAY), **ended) for n in range(60)]
    recorded = make_recorded(*lives)
    _Walked.walks = 0
    assert len(stated(replace(recorded, lives=_Walked(recorded.lives))).hosted) == 60
    assert 0 < _Walked.walks < 10


@pytest.mark.parametrize("log", [None, Departure(is_read=False, because="the role Monitoring Reader is missing")])
def test_what_went_with_its_account_is_said_to_have_gone_so_whatever_the_log_says(log):
    life = make_life(make_deployment("bot", created_at=NOW - 3 * DAY), **ENDED, departure=log)
    seen_gone = {"removed_at": ENDED["end"][1], "is_gone": True}
    (line,) = stated(make_recorded(life, **seen_gone)).hosted
    assert line.ended_by == "its account is gone"
    later = {**seen_gone, "removed_at": NOW - HOUR}
    (line,) = stated(make_recorded(life, **later)).hosted
    assert "account" not in line.ended_by, "it had gone before"


@pytest.mark.parametrize(
    ("log", "words"),
    [
        ({}, "deleted by ann"),
        ({"account_deleted": True}, "its account was deleted by ann"),
        ({"deleted_by": ""}, "deleted by a caller whom the log does not name"),
    ],
)
def test_the_time_of_an_end_that_the_log_tells_is_said_once(log, words):
    at = NOW - 2 * DAY
    departure = Departure(**{"is_read": True, "deleted_by": "ann", "deleted_at": at, **log})
    bot = make_deployment("bot", created_at=NOW - 3 * DAY)
    (line,) = stated(make_recorded(make_life(bot, end=(at, at), outcome="gone", departure=departure))).hosted
    assert (line.end, line.ended_by) == ((at, at), words)
    early = replace(departure, deleted_at=ENDED["end"][0] - HOUR)  # before it was last seen: not when it ended
    (line,) = stated(make_recorded(make_life(bot, **ENDED, departure=early))).hosted
    assert line.ended_by == f"{words} at 2026-11-20 07:00 UTC"


# At the edges


def test_the_later_of_two_arrivals_counts_and_nothing_is_missing_before_it():
    """Its account came, and then was found under another id; what came with it is charged from then on."""
    account = make_account(created_at=NOW - 5 * DAY)
    undated = make_deployment("bot", created_at=None)
    for since, begin in ((NOW - 2 * DAY, NOW - 2 * DAY), (NOW - 6 * DAY, NOW - 5 * DAY), (None, NOW - 5 * DAY)):
        life = make_life(make_deployment("bot", created_at=BEGAN), first_seen_at=NOW - 4 * DAY, since=since)
        (line,) = stated(make_recorded(life, account=account)).hosted
        assert (line.begin, line.missing) == (begin, None)
    moved = make_life(undated, first_seen_at=NOW - 3 * DAY, since=NOW - 2 * DAY)
    (line,) = stated(make_recorded(moved)).hosted
    assert (line.begin, line.is_created, line.missing) == (NOW - 2 * DAY, True, None)


def test_what_was_seen_at_the_very_creation_of_its_account_came_with_it():
    at = NOW - 3 * DAY
    life = make_life(make_deployment("bot", created_at=BEGAN), first_seen_at=at)
    (line,) = stated(make_recorded(life, account=make_account(created_at=at))).hosted
    assert line.begin == at


@pytest.mark.parametrize(
    ("age", "is_open"),
    [pytest.param(3 * HOUR, False, id="in time"), pytest.param(3 * HOUR + SECOND, True, id="too long ago")],
)
def test_what_was_read_long_ago_may_have_ended_since(age, is_open):
    (line,) = stated(make_recorded(bot(called=NOW - HOUR), deployments_at=NOW - age)).hosted
    assert (line.cost.low < line.cost.high) is is_open


def test_what_was_seen_after_the_last_whole_listing_stood_then():
    """It may be known from elsewhere than the listing, and its least is no less than nothing."""
    one = make_deployment("bot", created_at=NOW - 6 * HOUR)
    life = make_life(one, first_seen_at=NOW - 4 * HOUR, called=NOW - HOUR)
    (line,) = stated(make_recorded(life, deployments_at=NOW - 5 * HOUR)).hosted
    assert line.stood == (2 * HOUR, 6 * HOUR)


@pytest.mark.parametrize(
    ("calls", "state"),
    [({}, State.IDLE), ({5: 1.0}, State.TRICKLE), ({5: 1.0, 6: 0.5}, State.USED), ({24: 9.0}, State.IDLE)],
    ids=["none", "one", "more than one", "in the hour before that day"],
)
def test_the_state_is_that_of_the_last_day(calls, state):
    hours = {NOW - DAY + number * HOUR if number < 24 else NOW - DAY - HOUR: n for number, n in calls.items()}
    called = max(hours, default=None)
    (line,) = stated(make_recorded(bot(called=called), calls={"bot": hours})).hosted
    assert line.state is state


@pytest.mark.parametrize(
    ("age", "state"), [(DAY, State.IDLE), (DAY + SECOND, State.UNKNOWN)], ids=["a day ago", "longer ago"]
)
def test_what_was_read_within_a_day_tells_its_state(age, state):
    """Metrics rest for half a day, and one that was read a day ago was seen through that day."""
    (line,) = stated(make_recorded(bot(), coverage=Coverage(spans=((BEGAN, NOW - age),)))).hosted
    assert line.state is state


def test_of_a_young_one_no_call_of_the_time_before_it_is_missed():
    created = NOW - 2 * DAY
    life = make_life(make_deployment("bot", created_at=created), called=NOW - HOUR)
    recorded = make_recorded(life, calls={"bot": {NOW - HOUR: 4.0}}, coverage=Coverage(spans=((created, NOW),)))
    (line,) = stated(recorded).hosted
    assert (line.calls, line.state) == (4.0, State.USED)


def test_no_call_in_a_period_that_was_read_is_nothing_and_no_gap():
    (line,) = stated(make_recorded(bot(called=NOW - 9 * DAY), calls={"bot": {NOW - 9 * DAY: 3.0}})).hosted
    assert line.calls == 0.0
    assert line.last_call_at == NOW - 9 * DAY


def test_lives_come_by_account_name_and_beginning():
    made = [
        make_life(make_deployment(name, created_at=NOW - age * DAY), **(ENDED if age > 5 else {}))
        for name, age in (("b", 3), ("a", 2), ("b", 9))
    ]
    records, terms = make_records(make_recorded(*made)), make_terms()
    found = [(one.line.name, one.line.begin) for one in hosted(records, terms, WEEK)]
    assert found == [("a", NOW - 2 * DAY), ("b", NOW - 9 * DAY), ("b", NOW - 3 * DAY)]


def test_the_deployments_own_tag_goes_before_its_accounts_label_whatever_its_case():
    account = make_account(labels={"environment": "production", "team": "one"})
    tagged = make_deployment("tagged", created_at=BEGAN, tags={"Environment": "lab", "TEAM": ""})
    plain = make_deployment("plain", created_at=BEGAN)
    terms = make_terms(tag_labels=("environment", "team", "absent"))
    for order in ((tagged, plain), (plain, tagged)):
        statement = stated(make_recorded(*map(make_life, order), account=account), terms=terms)
        labels = {line.name: dict(line.place.labels) for line in statement.hosted}
        assert labels == {
            "tagged": {"environment": "lab", "team": "one", "absent": ""},
            "plain": {"environment": "production", "team": "one", "absent": ""},
        }


@pytest.mark.parametrize("outcome", ["left", "moved", "replaced", "gone"])
def test_only_what_is_gone_was_saved(outcome):
    log = Departure(is_read=True, deleted_by="ann", deleted_at=ENDED["end"][0])
    ended = {"end": ENDED["end"], "outcome": outcome, "departure": log, "told_at": NOW - 5 * DAY}
    statement = stated(
        make_recorded(make_life(make_deployment("bot", created_at=BEGAN), called=NOW - 9 * DAY, **ended))
    )
    assert [(one.by, one.ended_at) for one in statement.realised] == (
        [("ann", ENDED["end"][1])] if outcome == "gone" else []
    )


def test_a_deployment_of_an_account_that_left_is_known_by_its_own_models_alone():
    """Another account's model of the same name may be another's."""
    account = make_account("left")
    other = make_model(MADE, account=make_account().key, base="gpt-4.1-2025-04-14", created_at=BEGAN)
    life = make_life(
        make_deployment("bot", account=account, model=MADE, created_at=BEGAN),
        end=(NOW - DAY, NOW - DAY),
        outcome="left",
    )
    statement = stated(
        make_recorded(account=make_account(), models=(other,)),
        make_recorded(life, account=account, removed_at=NOW - DAY),
    )
    (line,) = statement.hosted
    assert line.base == "gpt-4o-2024-08-06"


def test_calls_and_tags_are_found_whatever_the_case_of_a_name():
    """Metrics tell names in lower case, and a label may be configured in any."""
    one = make_deployment("Bot", created_at=BEGAN, tags={"environment": "lab"})
    recorded = make_recorded(make_life(one, called=NOW - HOUR), calls={"bot": {NOW - HOUR: 4.0}})
    (line,) = stated(recorded, terms=make_terms(tag_labels=("Environment",))).hosted
    assert (line.calls, line.state, dict(line.place.labels)) == (4.0, State.USED, {"Environment": "lab"})
