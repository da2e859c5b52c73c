"""The records of a period: what polls recorded, and the same as it was known at an earlier time."""

from dataclasses import replace
from datetime import timedelta
from functools import cache

import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from tests.factories import (
    ACCOUNT,
    DAY,
    HOUR,
    MINUTE,
    MODEL,
    NOW,
    make_account,
    make_deployment,
    make_event,
    make_file,
    make_gap,
    make_job,
    make_snapshot,
)
from tests.report.recorded import make_terms
from watcher.alerts.keep import Keep
from watcher.answers.query import Frame
from watcher.answers.status import load as load_status
from watcher.azure.discovery import Discovery
from watcher.costs.hosting import Period
from watcher.cycles import Judgement, record, save_discovery
from watcher.report.compile import compile_statement
from watcher.resources.calls import DELAY, Calls, HourOfCalls
from watcher.resources.departure import Departure
from watcher.resources.deployment import ProvisioningState, Usage
from watcher.resources.fine_tuning import JobStatus
from watcher.resources.snapshot import Listing, Section
from watcher.rules.idle import DeploymentIdle
from watcher.store import operators, period, schema, scope
from watcher.store.past import EVERYTHING
from watcher.store.scratch import Scratch

KEY = ACCOUNT.key
QUIET = Judgement(rules=())
TERMS = make_terms()
#: Calls are known from here on.
BEGAN = NOW - 20 * DAY


@cache
def scratch():
    """One for all: to make the tables costs more than to use them."""
    return Scratch()


def empty(tx):
    for table in schema.metadata.tables.values():
        tx.execute(table.delete())


def made(count):
    """So many answered calls, or less than nothing: refused ones."""
    return HourOfCalls(ok=max(count, 0.0), other=max(-count, 0.0))


class World:
    """An account whose deployments, jobs and calls are as a test says, and polls that record it."""

    def __init__(self, began=NOW, store=None, judgement=QUIET):
        self.store = store or scratch()
        self.judgement = judgement
        self.store.write_now(empty)
        self.store.write_now(scope.save_accounts, [ACCOUNT], is_complete=True, now=began)
        self.calls = {}
        self.number = 0
        self.names = set()
        self.lists_models = False
        self.since = {}
        self.unclear_at = None

    def call(self, name, at, count=3.0):
        self.calls.setdefault(name.lower(), {})[at.replace(minute=0)] = count

    def poll(
        self,
        at,
        deployments=(),
        jobs=(),
        files=(),
        models=(),
        *,
        unread=None,
        deleted_by="",
        stood_at=None,
        events=None,
        gaps=(),
        departure=None,
        **more,
    ):
        """Everything is read, but for one section; deployments that are not named are gone."""
        self.number += 1
        self.lists_models = self.lists_models or bool(models)
        read_to = (at - DELAY).replace(minute=0, second=0, microsecond=0)
        read = {
            name: {hour: count for hour, count in hours.items() if BEGAN <= hour < read_to}
            for name, hours in self.calls.items()
        }
        for one in deployments:  # metrics of the time before one was seen first would be read late
            self.since.setdefault(one.name, BEGAN if self.number == 1 else read_to - HOUR)
        usage = [
            Usage(
                deployment=one.name.lower(),
                read_from=self.since[one.name],
                read_to=read_to,
                last_success_at=max(
                    (hour for hour, count in read.get(one.name.lower(), {}).items() if count > 0), default=None
                ),
                last_failure_at=max(
                    (hour for hour, count in read.get(one.name.lower(), {}).items() if count < 0), default=None
                ),
                last_unclear_at=self.unclear_at,
            )
            for one in deployments
        ]
        whole = make_snapshot(
            at=at,
            asked=EVERYTHING,
            jobs=None if unread is Section.JOBS else jobs,
            deployments=None if unread is Section.DEPLOYMENTS else deployments,
            usage=None if unread is Section.METRICS else usage,
            files=None if unread is Section.FILES else Listing(digest=f"f{self.number}", items=tuple(files)),
            models=Listing(digest=f"m{self.number}", items=tuple(models))
            if (models or self.lists_models) and unread is not Section.MODELS
            else None,
            gaps=gaps if unread is None else (make_gap(unread, at=at),),
            events=events,
            **more,
            calls={
                name: Calls(deployment=name, hours={hour: made(count) for hour, count in hours.items()})
                for name, hours in read.items()
                if hours and unread is not Section.METRICS
            },
        )
        gone = self.names - {one.key for one in deployments}
        if whole.deployments is not None:
            listing = Listing(digest=f"d{self.number}", items=whole.deployments.items)
            whole = replace(whole, deployments=listing, absent=frozenset(gone))
            if deleted_by and gone:
                departure = Departure(is_read=True, deleted_by=deleted_by, deleted_at=at - MINUTE)
            if stood_at is not None:
                departure = Departure(is_read=False, because="it was not asked", stood_at=stood_at)
            if departure is not None:
                whole = replace(whole, departures=dict.fromkeys(gone, departure))
            self.names = {one.key for one in deployments}
        if whole.jobs is not None:
            whole = replace(whole, jobs=Listing(digest=f"j{self.number}", items=whole.jobs.items))
        self.store.write_now(record, whole, self.judgement)

    def load(self, at, span=7 * DAY):
        return self.store.read_now(period.load, Period(begin=at - span, end=at), as_of=at, owner_tag="owner")

    def statement(self, at, span=7 * DAY):
        return compile_statement(
            self.load(at, span), period=Period(begin=at - span, end=at), period_name="7d", as_of=at, terms=TERMS
        )


def test_what_an_alert_counts_down_to_is_dated_after_the_polls_have_stopped_as_status_dates_it():
    world, one = World(judgement=Judgement(rules=(DeploymentIdle(),))), make_deployment()
    world.call("support-bot", NOW - 10 * DAY)
    world.poll(NOW, [one])
    later = NOW + 30 * HOUR
    (at_risk,) = world.store.read_now(load_status, Frame(now=later)).at_risk
    (date,) = world.statement(later).dates
    assert date.at == at_risk.standing.deletion_earliest == NOW + 5 * DAY
    world.call("support-bot", NOW + 31 * HOUR)
    world.poll(NOW + 40 * HOUR, [one])
    assert [life.is_counted_down for life in world.load(NOW + 41 * HOUR).accounts[0].lives] == [False]
    assert [life.is_counted_down for life in world.load(later).accounts[0].lives] == [True]  # as it was known then


def test_what_was_polled_is_in_the_records():
    world = World()
    one, job = make_deployment(), make_job(status="succeeded", fine_tuned_model=MODEL, finished_at=NOW - DAY)
    world.call("support-bot", NOW - 3 * DAY)
    billed = {"ftjob-1": [make_event("Training tokens billed: 5000000", at=NOW - DAY)]}
    world.poll(NOW, [one], [job], [make_file("file-old"), make_file("file-train")], events=billed)
    records = world.load(NOW)
    (account,) = records.accounts
    (life,) = account.lives
    assert (life.deployment, life.end) == (one, None)
    assert account.answered["support-bot"].within(NOW - 7 * DAY, NOW) == 3
    assert account.holding.coverage.spans == ((BEGAN, NOW - HOUR),)
    assert life.usage.last_success_at == NOW - 3 * DAY
    (trained,) = account.jobs
    assert (trained.job.id, trained.ended_at) == ("ftjob-1", NOW - DAY)
    assert [line.message for line in trained.events] == ["Training tokens billed: 5000000"]
    assert [file.id for file in account.holding.files] == ["file-old"]  # the other is named by a job
    assert [model.id for model in account.holding.models] == [MODEL]


def test_base_models_are_no_part_of_it():
    world = World()
    world.poll(NOW, [make_deployment(model="gpt-4o"), make_deployment("tuned")])
    assert [life.deployment.name for life in world.load(NOW).accounts[0].lives] == ["tuned"]


def test_what_came_later_is_hidden():
    world = World(NOW - 5 * DAY)
    one = make_deployment(created_at=NOW - 9 * DAY, capacity=1)
    job = make_job(status="running", created_at=NOW - 4 * DAY)
    world.poll(NOW - 4 * DAY, [one], [job])
    other = make_deployment("later", created_at=NOW - 3 * DAY)
    done = make_job(
        status="succeeded",
        created_at=NOW - 4 * DAY,
        finished_at=NOW - 2 * DAY,
        fine_tuned_model=MODEL,
        trained_tokens=9,
    )
    world.call("support-bot", NOW - 3 * DAY)
    world.poll(NOW - 2 * DAY, [replace(one, capacity=7), other], [done], [make_file()])
    world.poll(NOW, [other], [done], deleted_by="ana@contoso.com")

    (account,) = world.load(NOW - 3 * DAY).accounts
    (life,) = account.lives
    assert (life.deployment.name, life.deployment.capacity, life.end) == ("support-bot", 1, None)
    assert life.deployment.incarnation == one.incarnation
    assert account.jobs[0].job.status is JobStatus.RUNNING
    assert (account.jobs[0].ended_at, account.jobs[0].job.trained_tokens) == (None, None)
    assert account.holding.files == ()
    assert account.holding.models == ()
    assert not account.answered["support-bot"].hours

    (account,) = world.load(NOW).accounts
    ended = next(life for life in account.lives if life.deployment.name == "support-bot")
    assert (ended.outcome, ended.end) == ("gone", (NOW - MINUTE, NOW - MINUTE))
    assert ended.deployment.capacity == 7


def test_a_time_before_anything_was_seen_has_nothing():
    world = World()
    world.poll(NOW, [make_deployment()])
    records = world.load(NOW - DAY)
    assert records.accounts == ()
    assert records.begins == NOW


def test_a_replaced_one_ended_between_its_last_sight_and_the_birth_of_the_next():
    world = World(NOW - 5 * DAY)
    old, new = make_deployment(created_at=NOW - 9 * DAY), make_deployment(created_at=NOW - 2 * DAY)
    world.poll(NOW - 5 * DAY, [old])
    world.poll(NOW - 4 * DAY, [old, make_deployment("other", created_at=NOW - 4 * DAY)])  # so the listing was read
    world.poll(NOW, [new, make_deployment("other", created_at=NOW - 4 * DAY)])
    (account,) = world.load(NOW).accounts
    first, second = sorted(
        (life for life in account.lives if life.deployment.name == "support-bot"), key=lambda one: one.first_seen_at
    )
    assert (first.outcome, first.end) == ("replaced", (NOW - 4 * DAY, NOW - 2 * DAY))
    assert second.end is None
    lines = [line for line in world.statement(NOW).hosted if line.name == "support-bot"]
    assert sorted(line.cost.text for line in lines) == ["122.40 to 204.00 USD", "81.60 USD"]


def test_one_that_is_gone_ended_between_two_sights():
    world = World(NOW - 5 * DAY)
    world.poll(NOW - 5 * DAY, [make_deployment()])
    world.poll(NOW - DAY, [], stood_at=NOW - 2 * DAY)
    assert world.load(NOW).accounts[0].lives[0].end == (NOW - 2 * DAY, NOW - DAY)


def test_a_sight_of_others_says_nothing_of_one_that_could_not_be_read():
    """Its list shrank without a word, and its own address refused: it may have been deleted long since."""
    world = World(NOW - 9 * DAY)
    bot, other = make_deployment(), make_deployment("other-bot")
    world.poll(NOW - 5 * DAY, [bot, other])
    gap = make_gap(Section.DEPLOYMENTS, at=NOW - 4 * DAY, subject=bot.key)
    for days in (4, 3):
        raw = f"Succeeded {days}"
        seen = [bot, replace(other, raw_provisioning_state=raw, provisioning_state=ProvisioningState.FAILED)]
        world.poll(NOW - days * DAY, seen, gaps=(gap,))
    world.poll(NOW - 2 * DAY, [other])
    line = next(one for one in world.statement(NOW - DAY).hosted if one.name == bot.name)
    assert line.end == (NOW - 5 * DAY, NOW - 2 * DAY)


def test_one_that_ended_before_the_period_is_left_out():
    world = World(NOW - 15 * DAY)
    world.poll(NOW - 15 * DAY, [make_deployment()])
    world.poll(NOW - 10 * DAY, [])
    assert world.load(NOW).accounts[0].lives == ()


@pytest.mark.parametrize("unread", [Section.METRICS, Section.DEPLOYMENTS, Section.JOBS])
def test_a_gap_is_open_in_its_time_alone(unread):
    world = World(NOW - 6 * DAY)
    one = make_deployment(created_at=NOW - 9 * DAY)
    for days, is_unread in ((6, False), (4, True), (2, False), (0, False)):
        world.poll(NOW - days * DAY, [one], [], unread=unread if is_unread else None)
    open_gaps = {days: world.load(NOW - days * DAY).accounts[0].holding.gaps for days in (5, 3, 1)}
    assert {days: [gap.section for gap in gaps] for days, gaps in open_gaps.items()} == {5: [], 3: [unread], 1: []}
    assert [(gap.section, at) for gap, at in world.load(NOW).accounts[0].closed] == [(unread, NOW - 2 * DAY)]


def test_keeps_are_those_of_the_time():
    world = World(NOW - 9 * DAY)
    world.poll(NOW - 8 * DAY, [make_deployment()])

    def keep(at, until):
        one = Keep(account=KEY, deployment="support-bot", until=until, author="ana", reason="launch")
        world.store.write_now(operators.save_keep, one, now=at)

    keep(NOW - 6 * DAY, NOW + DAY)
    keep(NOW - 2 * DAY, NOW + 9 * DAY)
    world.store.write_now(
        operators.record, author="bo", action="keep.drop", subject=f"{KEY}/support-bot", comment="", now=NOW - HOUR
    )
    world.store.write_now(operators.drop_keep, KEY, "support-bot")
    untils = {days: [one.until for one in world.load(NOW - days * DAY).keeps] for days in (7, 5, 1, 0)}
    assert untils == {7: [], 5: [NOW + DAY], 1: [NOW + 9 * DAY], 0: []}


def test_an_account_that_left_the_scope_counts_to_then():
    world = World(NOW - 9 * DAY)
    world.poll(NOW - 8 * DAY, [make_deployment()])
    world.store.write_now(scope.save_accounts, [make_account("other")], is_complete=True, now=NOW - 2 * DAY)
    (line,) = world.statement(NOW).hosted
    assert line.cost.text == "204.00 USD"
    assert line.ended_by == "its account left what is watched"
    assert world.statement(NOW).accounts == 1  # the other one
    assert [one.account.name for one in world.load(NOW).inventory.holdings] == ["other"]


def test_an_account_that_came_back_had_left_in_the_meantime():
    world = World(NOW - 9 * DAY)
    for days, accounts in ((9, [ACCOUNT]), (6, [make_account("other")]), (2, [ACCOUNT, make_account("other")])):
        found = Discovery(accounts=tuple(accounts), is_complete=True)
        world.store.write_now(save_discovery, found, QUIET, NOW - days * DAY)
        if ACCOUNT in accounts:
            world.poll(NOW - days * DAY + HOUR, [make_deployment()])
    seen = {
        (days, span): [(one.account.name, one.removed_at) for one in world.load(NOW - days * DAY, span * DAY).accounts]
        for days, span in ((7, 1), (4, 3), (3, 1), (0, 1), (0, 7))
    }
    here, other, left_at = ACCOUNT.name, ("other", None), NOW - 6 * DAY
    assert seen == {
        (7, 1): [(here, None)],
        (4, 3): [(here, left_at), other],
        (3, 1): [other],
        (0, 1): [(here, None), other],
        (0, 7): [(here, None), other],
    }
    assert world.statement(NOW - 4 * DAY).hosted[0].ended_by == "its account left what is watched"


def test_an_account_that_is_gone_is_told_from_one_that_left_as_was_known_at_each_time():
    other = make_account("other")
    world = World(NOW - 9 * DAY)
    steps = ((9, [ACCOUNT, other], ()), (6, [], (KEY,)), (3, [ACCOUNT], ()), (1, [], ()))
    for days, accounts, gone in steps:
        found = Discovery(accounts=tuple(accounts), is_complete=True, gone=frozenset(gone))
        world.store.write_now(save_discovery, found, QUIET, NOW - days * DAY)
    seen = {
        days: {one.account.name: one.is_gone for one in world.load(NOW - days * DAY, 7 * DAY).accounts}
        for days in (7, 5, 2, 0)
    }
    here, there = ACCOUNT.name, other.name
    assert seen == {
        7: {here: False, there: False},
        5: {here: True, there: False},
        2: {here: False, there: False},
        0: {here: False, there: False},
    }


# At any time


names = st.sampled_from(["a", "b"])
states = st.sampled_from([ProvisioningState.SUCCEEDED, ProvisioningState.FAILED])
statuses = st.sampled_from(["pending", "running", "succeeded", "failed"])
steps = st.lists(
    st.fixed_dictionaries(
        {
            "after": st.integers(1, 60),
            "deployments": st.dictionaries(names, st.tuples(states, st.integers(1, 2)), max_size=2),
            "jobs": st.dictionaries(st.integers(0, 1), statuses, max_size=2),
            "called": st.dictionaries(names, st.integers(1, 12), max_size=2),
            "unread": st.none() | st.sampled_from([Section.JOBS]),
            "keep": st.booleans(),
        }
    ),
    min_size=2,
    max_size=6,
)


def truthful(found):
    """What a list lost does not come back, and what ended goes on no more."""
    ended, gone, alive, lost, listed = {}, set(), set(), set(), set()
    found[0]["unread"] = None  # when an empty list was first read, the record does not tell
    for step in found:
        step["deployments"] = {name: one for name, one in step["deployments"].items() if name not in gone}
        gone |= alive - step["deployments"].keys()
        alive = set(step["deployments"])
        for number, status in list(step["jobs"].items()):
            step["jobs"][number] = ended.get(number, status)
        for number in ended:
            step["jobs"].setdefault(number, ended[number])
        step["jobs"] = {number: status for number, status in step["jobs"].items() if number not in lost}
        if step["unread"] is None:
            lost |= listed - step["jobs"].keys()
            listed = set(step["jobs"])
            ended |= {number: status for number, status in step["jobs"].items() if status in ("succeeded", "failed")}
    return found


def played(world, step, at):
    deployments = [
        make_deployment(
            name,
            created_at=NOW - 2 * DAY,
            provisioning_state=state,
            capacity=capacity,
            raw_provisioning_state=str(state),
        )
        for name, (state, capacity) in sorted(step["deployments"].items())
    ]
    jobs = [
        make_job(
            f"ftjob-{number}",
            status,
            created_at=NOW,
            finished_at=NOW + HOUR if status in ("succeeded", "failed") else None,
            fine_tuned_model=f"gpt-4o.ft-{number:032x}" if status == "succeeded" else "",
            trained_tokens=1000 if status == "succeeded" else None,
        )
        for number, status in sorted(step["jobs"].items())
    ]
    for name, ago in step["called"].items():
        world.call(name, at - ago * HOUR)
    world.poll(at, deployments, jobs, unread=step["unread"], deleted_by="ana@contoso.com")
    if step["keep"] and deployments:
        until = at.replace(second=0) + 3 * DAY
        one = Keep(account=KEY, deployment=deployments[0].name, until=until, author="ana", reason="launch")
        world.store.write_now(operators.save_keep, one, now=at)


def a_step(after, jobs, **changes):
    return {"after": after, "jobs": jobs, "deployments": {}, "called": {}, "unread": None, "keep": False, **changes}


@settings(max_examples=40, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(found=steps)
@example(found=[a_step(1, {1: "running"}), a_step(240, {1: "running"}), a_step(13, {1: "failed"})])  # ended long before
def test_a_time_in_the_past_is_stated_as_it_was_stated_then(found):
    world, at, told = World(), NOW, []
    for step in truthful(found):
        at += timedelta(hours=step["after"], minutes=20)
        # Only what had not been read yet is called: metrics that come late are another test's.
        newest = told[-1][0] if told else NOW
        hours = (at - newest) // HOUR
        step["called"] = {name: ago for name, ago in step["called"].items() if 2 <= ago < hours - 1}
        played(world, step, at)
        told.append((at, world.statement(at)))
    for then, statement in told:
        assert world.statement(then) == statement


def lived_in(world):
    """Two deployments over a month, one of which is called until it is replaced; and the times at which it was read."""
    quiet, busy = make_deployment("quiet-bot"), make_deployment("busy-bot")
    renewed = replace(busy, incarnation="2", created_at=NOW + 20 * HOUR)
    world.call("quiet-bot", NOW - 18 * DAY)
    for hours in range(2, 19 * 24, 3):
        world.call("busy-bot", NOW - hours * HOUR, 7.0)
    job = make_job(status="succeeded", fine_tuned_model=MODEL, finished_at=NOW - DAY, trained_tokens=1000)
    world.poll(NOW, [quiet, busy], [job], [make_file("file-old")])
    world.poll(NOW + DAY, [quiet, renewed], [job], [make_file("file-old")])
    return NOW, NOW + DAY


def test_every_database_gives_the_same_statement(store):
    """Rows come from the driver in SQLite and by SQLAlchemy elsewhere."""
    world = World(store=store)
    then, now = lived_in(world)
    here = world.statement(then), world.statement(now)
    other = World()
    lived_in(other)
    assert here == (other.statement(then), other.statement(now))
    assert {line.name: line.calls for line in here[0].hosted} == {"quiet-bot": 0, "busy-bot": 56 * 7.0}


def test_calls_of_the_time_before_the_period_are_loaded_of_what_is_quiet_alone():
    world = World()
    then, _ = lived_in(world)
    (account,) = world.load(NOW + DAY - HOUR, 7 * DAY).accounts  # a time in the past needs all of them
    assert account.answered["busy-bot"].within(NOW - 18 * DAY, NOW - 8 * DAY)
    world = World()
    world.call("quiet-bot", then - 16 * DAY)
    for hours in range(2, 19 * 24, 3):
        world.call("busy-bot", then - hours * HOUR, 7.0)
    world.poll(then, [make_deployment("quiet-bot"), make_deployment("busy-bot")])
    (account,) = world.load(then).accounts
    assert account.answered["quiet-bot"].within(then - 17 * DAY, then) == 3
    assert not account.answered["busy-bot"].within(then - 18 * DAY, then - 8 * DAY)


def test_a_life_ended_after_the_last_sight_of_its_account():
    """Something else of its account's deployments changed when it was still there."""
    world, one, other = World(NOW - 6 * DAY), make_deployment(), make_deployment("other-bot")
    world.poll(NOW - 5 * DAY, [one])
    world.poll(NOW - 4 * DAY, [one, other])
    world.poll(NOW - 2 * DAY, [other])
    (account,) = world.load(NOW - 2 * DAY).accounts
    assert {life.deployment.name: life.end for life in account.lives} == {
        "support-bot": (NOW - 4 * DAY, NOW - 2 * DAY),
        "other-bot": None,
    }
