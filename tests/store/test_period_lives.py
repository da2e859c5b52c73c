"""The lives of a period: when each was known to end, who had been told of it, and what was known of its calls."""

from dataclasses import replace

import pytest
from sqlalchemy import update

from tests.alerts.factories import ended, make_alert
from tests.factories import ACCOUNT, DAY, HOUR, MINUTE, NOW, SECOND, make_account, make_deployment, make_gap, make_job
from tests.store.test_outbox import make_notification, put
from tests.store.test_period import BEGAN, QUIET, World
from watcher.azure.discovery import Discovery
from watcher.costs.hosting import Period
from watcher.cycles import Judgement, save_discovery
from watcher.resources.changes import ResourceKind
from watcher.resources.departure import Departure
from watcher.resources.snapshot import Section
from watcher.rules.finding import Subject
from watcher.rules.idle import DeploymentIdle
from watcher.store import period, period_moves, schema, scope
from watcher.store.period_moves import Move

OLD = NOW - 9 * DAY


def loaded(world, as_of=NOW, begin=OLD):
    return world.store.read_now(period.load, Period(begin=begin, end=as_of), as_of=as_of, owner_tag="owner")


def lives(world, as_of=NOW, begin=OLD):
    (account,) = loaded(world, as_of, begin).accounts
    return sorted(account.lives, key=lambda one: one.first_seen_at)


# Ends


def test_one_that_came_back_had_ended_each_time_when_that_was_seen():
    world, one = World(OLD), make_deployment(created_at=OLD)
    for days in (8, 6, 4, 2):
        world.poll(NOW - days * DAY, [one])
        world.poll(NOW - (days - 1) * DAY, [])
    at = {days: [life.end and life.end[1] for life in lives(world, NOW - days * DAY)] for days in (7, 6, 5, 4.5, 3, 1)}
    gone = {days: [NOW - days * DAY] for days in (7, 5, 3, 1)}
    assert at == {7: gone[7], 6: [None], 5: gone[5], 4.5: gone[5], 3: gone[3], 1: gone[1]}


def test_of_each_end_the_activity_log_tells_by_itself():
    world, one = World(OLD), make_deployment(created_at=OLD)
    log = Departure(is_read=True, deleted_by="ann", deleted_at=NOW - 3 * DAY - MINUTE)
    for at, some, departure in ((8, [one], None), (6, [], None), (5, [one], None), (3, [], log)):
        world.poll(NOW - at * DAY, some, departure=departure)
    assert {days: lives(world, NOW - days * DAY)[0].departure for days in (5.5, 4, 0)} == {5.5: None, 4: None, 0: log}


def ends(world, as_of):
    return {life.deployment.created_at: (life.end and life.end[1], life.outcome) for life in lives(world, as_of)}


def test_the_end_of_another_life_under_its_name_is_not_its_own():
    """Azure brought back the first after the second had gone."""
    world = World(OLD)
    first, second = make_deployment(created_at=OLD), make_deployment(created_at=NOW - 6 * DAY)
    for days, some in ((8, [first]), (7, []), (6, [second]), (5, []), (4, [first])):
        world.poll(NOW - days * DAY, some)
    gone = {first.created_at: (NOW - 7 * DAY, "gone"), second.created_at: (NOW - 5 * DAY, "gone")}
    assert ends(world, NOW - 4.5 * DAY) == gone
    assert ends(world, NOW) == gone | {first.created_at: (None, "")}


def test_one_that_came_back_in_its_successors_place_had_been_replaced():
    world = World(OLD)
    first, second = make_deployment(created_at=OLD), make_deployment(created_at=NOW - 6 * DAY)
    for days, some in ((8, [first]), (6, [second]), (4, [first])):
        world.poll(NOW - days * DAY, some)
    assert ends(world, NOW - 5 * DAY) == {
        first.created_at: (NOW - 6 * DAY, "replaced"),
        second.created_at: (None, ""),
    }
    assert ends(world, NOW) == {first.created_at: (None, ""), second.created_at: (NOW - 4 * DAY, "replaced")}


def test_what_stood_at_the_last_sight_of_others_is_known_where_it_ended_as_the_period_began():
    world, gone = World(OLD), NOW - 4 * DAY
    bot, other = make_deployment(created_at=OLD), make_deployment("other", created_at=OLD, capacity=1)
    for days, some in ((8, [bot, other]), (6, [bot, replace(other, capacity=2)]), (4, [replace(other, capacity=2)])):
        world.poll(NOW - days * DAY, some)
    (ended,) = (life for life in lives(world, begin=gone) if life.outcome)
    assert ended.end == (NOW - 6 * DAY, gone)


def test_that_its_calls_could_not_be_read_hides_no_sight_of_it():
    world, bot = World(OLD), make_deployment(created_at=OLD)
    gap = make_gap(Section.METRICS, at=NOW - 7 * DAY, subject=bot.key)
    for days, capacity in ((8, 1), (6, 2)):
        other = make_deployment("other", created_at=OLD, capacity=capacity)
        world.poll(NOW - days * DAY, [bot, other], gaps=(gap,))
    world.poll(NOW - 4 * DAY, [other])
    (ended,) = (life for life in lives(world) if life.outcome)
    assert ended.end == (NOW - 6 * DAY, NOW - 4 * DAY)


def test_what_a_job_has_made_is_custom_whatever_its_name():
    world = World(OLD)
    job = make_job(status="succeeded", created_at=OLD, finished_at=OLD, fine_tuned_model="house-style")
    here = [make_deployment(model, model=model, created_at=OLD) for model in ("house-style", "gpt-4o")]
    world.poll(NOW - 8 * DAY, here, [job])
    assert [life.deployment.name for life in lives(world)] == ["house-style"]


@pytest.mark.parametrize(
    ("deleted", "end"),
    [
        (NOW - 2 * DAY - HOUR, (NOW - 2 * DAY - HOUR, NOW - 2 * DAY - HOUR)),
        (NOW - 7 * DAY, (NOW - 7 * DAY, NOW - 7 * DAY)),
        (NOW - 7 * DAY - SECOND, (NOW - 6 * DAY, NOW - 2 * DAY)),
        (NOW - 2 * DAY, (NOW - 2 * DAY, NOW - 2 * DAY)),
        (NOW - 2 * DAY + SECOND, (NOW - 6 * DAY, NOW - 2 * DAY)),
    ],
    ids=["in between", "as it was made", "an earlier life", "as it was seen", "after it was seen"],
)
def test_the_activity_logs_end_is_believed_where_it_lies_in_the_life(deleted, end):
    world = World(OLD)
    world.poll(NOW - 6 * DAY, [make_deployment(created_at=NOW - 7 * DAY)])
    world.poll(NOW - 2 * DAY, [], departure=Departure(is_read=True, deleted_at=deleted))
    assert [life.end for life in lives(world)] == [end]


@pytest.mark.parametrize(
    ("born", "end"),
    [
        (NOW - 3 * DAY, (NOW - 4 * DAY, NOW - 3 * DAY)),
        (NOW - 5 * DAY, (NOW - 5 * DAY, NOW - 5 * DAY)),
        (NOW - 8 * DAY, (NOW - 7 * DAY, NOW - 7 * DAY)),
    ],
    ids=["after its last sight", "before that", "before its own birth"],
)
def test_no_life_ends_before_it_begins_or_goes_on_beside_its_successor(born, end):
    """Whatever the service dates the successor to."""
    world, other = World(OLD), make_deployment("other", created_at=NOW - 4 * DAY)
    world.poll(NOW - 6 * DAY, [make_deployment(created_at=NOW - 7 * DAY)])
    world.poll(NOW - 4 * DAY, [make_deployment(created_at=NOW - 7 * DAY), other])
    world.poll(NOW - 2 * DAY, [make_deployment(created_at=born), other])
    assert next(life.end for life in lives(world) if life.outcome == "replaced") == end


def test_what_was_changed_later_had_not_been():
    world, made = World(OLD), NOW - 8 * DAY
    world.poll(NOW - 7 * DAY, [make_deployment(created_at=made, modified_at=made)])
    world.poll(NOW - 3 * DAY, [make_deployment(created_at=made, modified_at=NOW - 4 * DAY)])
    at = {days: lives(world, NOW - days * DAY)[0].deployment.modified_at for days in (5, 3, 0)}
    assert at == {5: None, 3: NOW - 4 * DAY, 0: NOW - 4 * DAY}


def test_a_pause_that_is_spelt_anew_goes_on():
    world = World(OLD)
    for days, state in ((8, "Running"), (7, "Paused"), (5, "PAUSED"), (3, "Running")):
        world.poll(NOW - days * DAY, [make_deployment(created_at=OLD, deployment_state=state)])
    assert lives(world)[0].paused == ((NOW - 7 * DAY, NOW - 3 * DAY),)


# Who was told


GONE = NOW - 2 * DAY


def told_of(rule="deployment_idle", *, life=None, ended_at=None, sent=((NOW - 3 * DAY, "delivered"),), as_of=NOW):
    """When somebody was first told of a deployment that was seen to be gone."""
    world, one = World(OLD), make_deployment(created_at=OLD)
    world.poll(NOW - 8 * DAY, [one])
    world.poll(GONE, [])
    subject = Subject(id=one.key, kind=ResourceKind.DEPLOYMENT, incarnation=life or one.incarnation)
    alert = make_alert(rule, at=NOW - 7 * DAY, account=ACCOUNT.key, subject=subject)
    if ended_at is not None:
        alert = ended(alert, ended_at)
    for number, (at, state) in enumerate(sent):
        notification = make_notification(alert, receiver=f"r{number}", at=at)
        put(world.store, notification)
        n = schema.notifications
        values = update(n).where(n.c.id == notification.id).values(state=state, ended_at=at)
        world.store.write_now(lambda tx, values=values: tx.execute(values))
    return lives(world, as_of, begin=GONE)[0].told_at


@pytest.mark.parametrize("sent", [(6, 4), (4, 6), (5, 4, 6)], ids=str)
def test_who_was_told_first_counts(sent):
    assert told_of(sent=[(NOW - days * DAY, "delivered") for days in sent]) == NOW - 6 * DAY


def test_what_did_not_arrive_told_nobody():
    assert told_of(sent=[(NOW - 6 * DAY, "dead"), (NOW - 5 * DAY, "merged"), (NOW - 3 * DAY, "delivered")]) == (
        NOW - 3 * DAY
    )
    assert told_of(sent=[(NOW - 6 * DAY, "dead")]) is None


def test_what_arrives_later_had_told_nobody_yet():
    late = NOW - DAY
    at = {at: told_of(sent=[(late, "delivered")], as_of=at) for at in (late - SECOND, late)}
    assert at == {late - SECOND: None, late: late}


def test_an_alert_counts_that_ended_with_what_it_was_about_and_only_while_it_fires():
    assert told_of() == NOW - 3 * DAY
    assert told_of("deployment_wasting") == NOW - 3 * DAY
    assert told_of("deployment_failed") is None
    assert told_of(life="another") is None
    # What is told of an alert that has ended is that it has.
    assert told_of(ended_at=GONE) is None


def test_what_was_told_while_it_fired_counts_when_it_has_ended():
    world, one = World(OLD), make_deployment(created_at=OLD)
    world.poll(NOW - 8 * DAY, [one])
    world.poll(GONE, [])
    subject = Subject(id=one.key, kind=ResourceKind.DEPLOYMENT, incarnation=one.incarnation)
    alert = make_alert("deployment_idle", at=NOW - 7 * DAY, account=ACCOUNT.key, subject=subject)
    put(world.store, make_notification(alert, at=NOW - 6 * DAY))
    n, a = schema.notifications, schema.alerts
    arrived = update(n).values(state="delivered", ended_at=NOW - 6 * DAY)
    found = {}
    for name, ends_at in (("with it", GONE), ("before the period", GONE - SECOND)):
        over = update(a).values(ends_at=ends_at)
        world.store.write_now(lambda tx, over=over: (tx.execute(arrived), tx.execute(over)))
        found[name] = lives(world, begin=GONE)[0].told_at
    assert found == {"with it": NOW - 6 * DAY, "before the period": None}


def test_of_one_that_was_replaced_nobody_was_told_that_it_is_a_waste():
    """Somebody wanted it, if anew."""
    world, one = World(OLD), make_deployment(created_at=OLD)
    world.poll(NOW - 8 * DAY, [one])
    world.poll(GONE, [make_deployment(created_at=GONE)])
    subject = Subject(id=one.key, kind=ResourceKind.DEPLOYMENT, incarnation=one.incarnation)
    put(world.store, make_notification(make_alert("deployment_idle", account=ACCOUNT.key, subject=subject)))
    arrived = update(schema.notifications).values(state="delivered", ended_at=NOW - 6 * DAY)
    world.store.write_now(lambda tx: tx.execute(arrived))
    assert [(life.outcome, life.told_at) for life in lives(world)] == [("replaced", None), ("", None)]


def test_nothing_was_counted_down_before_its_alert_began():
    world = World(BEGAN, judgement=Judgement(rules=(DeploymentIdle(),)))
    world.call("support-bot", NOW - 10 * DAY)
    world.poll(NOW - 9 * DAY, [make_deployment()])
    world.poll(NOW, [make_deployment()])
    at = {at: [one.is_counted_down for one in lives(world, at, begin=BEGAN)] for at in (NOW - SECOND, NOW)}
    assert at == {NOW - SECOND: [False], NOW: [True]}


def test_nothing_is_counted_down_of_what_has_left_with_its_account():
    world = World(BEGAN, judgement=Judgement(rules=(DeploymentIdle(),)))
    world.call("support-bot", NOW - 10 * DAY)
    world.poll(NOW, [make_deployment()])
    assert [one.is_counted_down for one in lives(world)] == [True]
    world.store.write_now(scope.save_accounts, [make_account("other")], is_complete=True, now=NOW + HOUR)
    left = next(one for one in loaded(world, NOW + 2 * HOUR).accounts if one.account == ACCOUNT)
    assert [(one.outcome, one.is_counted_down) for one in left.lives] == [("left", False)]


# The calls of what has ended


def test_the_calls_of_a_former_life_end_with_it():
    """Whatever the case of its name."""
    world, gone = World(OLD), NOW - 4 * DAY
    for days, count in ((6, 3.0), (5.5, -1.0), (2, 3.0), (1, -1.0)):
        world.call("Bot", NOW - days * DAY, count)
    world.poll(NOW - 5 * DAY, [make_deployment("Bot", created_at=OLD)])
    world.poll(gone, [])
    world.poll(NOW, [make_deployment("Bot", created_at=NOW - 3 * DAY)])
    former, new = (life.usage for life in lives(world))
    assert (former.read_to, former.last_success_at, former.last_failure_at) == (gone, NOW - 6 * DAY, None)
    assert (new.read_to, new.last_success_at, new.last_failure_at) == (NOW - HOUR, NOW - 2 * DAY, NOW - DAY)


@pytest.mark.parametrize(("days", "is_its"), [(6, True), (4, False), (1, False)])
def test_an_unclear_call_after_its_end_is_none_of_a_life(days, is_its):
    world = World(OLD)
    world.poll(NOW - 5 * DAY, [make_deployment(created_at=OLD)])
    world.poll(NOW - 4 * DAY, [])
    world.unclear_at = NOW - days * DAY
    world.poll(NOW, [make_deployment(created_at=NOW - 4 * DAY)])
    former, new = (life.usage.last_unclear_at for life in lives(world))
    assert (former, new) == (world.unclear_at if is_its else None, world.unclear_at)


@pytest.mark.parametrize("called", [True, False])
def test_where_metrics_were_read_anew_the_calls_of_a_former_life_are_those_that_are_kept(called):
    world, gone = World(OLD), NOW - 4 * DAY
    if called:
        world.call("support-bot", NOW - 6 * DAY)
    world.poll(NOW - 5 * DAY, [make_deployment(created_at=OLD)])
    world.poll(gone, [])
    world.since["support-bot"] = NOW - 2 * DAY
    world.poll(NOW, [make_deployment(created_at=NOW - 3 * DAY)])
    former, _ = lives(world)
    if called:
        assert (former.usage.read_from, former.usage.read_to) == (BEGAN, NOW - 5 * DAY - HOUR)
        assert former.usage.last_success_at == NOW - 6 * DAY
    else:
        assert former.usage is None  # no hour tells that it was never called


# Accounts


HERE = make_account(resource_group="rg-Old")
THERE = make_account(resource_group="rg-New")


def discovered(world, at, *accounts, gone=(), gaps=()):
    found = Discovery(
        accounts=accounts, is_complete=not gaps, gone=frozenset(one.key for one in gone), gaps=tuple(gaps)
    )
    world.store.write_now(save_discovery, found, QUIET, at)


def test_moves_are_those_that_had_been_found_the_first_first():
    world = World(OLD)
    discovered(world, NOW - 8 * DAY, HERE)
    discovered(world, NOW - 6 * DAY, THERE, gone=[HERE])
    third = make_account(resource_group="rg-Third")
    discovered(world, NOW - 3 * DAY, third, gone=[THERE])
    first = Move(old=HERE.key, new=THERE.key, at=NOW - 6 * DAY)
    second = Move(old=THERE.key, new=third.key, at=NOW - 3 * DAY)
    known = {at: world.store.read_now(period_moves.load, at) for at in (first.at - SECOND, first.at, second.at, NOW)}
    assert known == {
        first.at - SECOND: (),
        first.at: (first,),
        second.at: (first, second),
        NOW: (first, second),
    }


def test_what_moved_did_not_depart():
    """Whatever the activity log of the account that it left says of it."""
    world, at = World(OLD), NOW - 3 * DAY
    departure = Departure(is_read=True, deleted_by="ann", deleted_at=at + MINUTE)
    discovered(world, NOW - 8 * DAY, ACCOUNT)
    world.poll(NOW - 7 * DAY, [make_deployment(created_at=OLD)])
    world.poll(at + HOUR, [], departure=departure)
    assert lives(world)[0].departure == departure
    there = replace(THERE, endpoint=ACCOUNT.endpoint, name=ACCOUNT.name)
    discovered(world, at, there, gone=[ACCOUNT])
    left = next(one for one in loaded(world).accounts if one.account.key == ACCOUNT.key)
    assert [(one.outcome, one.end, one.departure) for one in left.lives] == [("moved", (at, at), None)]


def test_what_discovery_could_not_read_later_is_no_gap_of_an_earlier_time():
    world, at = World(OLD), NOW - 3 * DAY
    discovered(world, at, ACCOUNT, gaps=[make_gap(Section.ACCOUNT, at=at, subject="/subscriptions/sub-9")])
    found = {when: [gap.subject for gap in loaded(world, when).undiscovered] for when in (at - SECOND, at, NOW)}
    assert found == {at - SECOND: [], at: ["/subscriptions/sub-9"], NOW: ["/subscriptions/sub-9"]}
