"""The records of a period at its edges: what happened at the very moment, and what was known at it."""

from datetime import timedelta

import pytest

from tests.factories import (
    ACCOUNT,
    DAY,
    HOUR,
    MODEL,
    NOW,
    SECOND,
    make_account,
    make_deployment,
    make_file,
    make_gap,
    make_job,
    make_snapshot,
)
from tests.store.test_period import QUIET, World
from watcher.alerts.keep import Keep
from watcher.azure.discovery import Discovery
from watcher.costs.hosting import Period
from watcher.cycles import record, save_discovery
from watcher.report.recorded import RecordedJob, RecordedLife
from watcher.resources.model import CustomModel
from watcher.resources.snapshot import NOT_OFFERED, GapReason, Listing, Section
from watcher.store import operators, period
from watcher.store.period_moves import Move, part_jobs, part_lives

OLD = NOW - 9 * DAY


def loaded(world, begin, as_of):
    return world.store.read_now(period.load, Period(begin=begin, end=as_of), as_of=as_of, owner_tag="owner")


def the_account(world, begin, as_of):
    (account,) = loaded(world, begin, as_of).accounts
    return account


def test_a_gap_opens_and_closes_to_the_moment():
    world, one = World(OLD), make_deployment(created_at=OLD)
    opened, closed = NOW - 6 * DAY, NOW - 4 * DAY
    world.poll(NOW - 8 * DAY, [one])
    world.poll(opened, [one], unread=Section.JOBS)
    world.poll(closed, [one])
    asked = {
        "before": the_account(world, OLD, opened - SECOND),
        "as it opens": the_account(world, OLD, opened),
        "while open": the_account(world, OLD, closed - SECOND),
        "as it closes": the_account(world, OLD, closed),
        "since": the_account(world, closed, NOW),
        "into the period": the_account(world, closed - SECOND, NOW),
    }
    assert {name: (len(one.holding.gaps), len(one.closed)) for name, one in asked.items()} == {
        "before": (0, 0),
        "as it opens": (1, 0),
        "while open": (1, 0),
        "as it closes": (0, 1),
        "since": (0, 0),
        "into the period": (0, 1),
    }


@pytest.mark.parametrize("section", [Section.DEPLOYMENTS, Section.JOBS, Section.FILES, Section.MODELS])
def test_what_was_first_read_later_had_never_been_read(section):
    world, first = World(OLD), NOW - 3 * DAY
    listed = CustomModel(id=MODEL, account=ACCOUNT.key, created_at=OLD)
    whole = [make_deployment(created_at=OLD)], [make_job(created_at=OLD)], [make_file()], [listed]
    world.poll(NOW - 6 * DAY, *whole, unread=section)
    world.poll(first, *whole)
    world.poll(NOW, *whole)
    names = {one: f"{one.value}_at" for one in (Section.DEPLOYMENTS, Section.JOBS, Section.FILES, Section.MODELS)}

    def read(as_of):
        holding = the_account(world, OLD, as_of).holding
        return {one: getattr(holding, name) for one, name in names.items()}, holding

    for at in (NOW - 5 * DAY, first - SECOND):
        before, holding = read(at)
        assert before.pop(section) is None
        assert set(before.values()) == {at}
        assert (holding.deployments is None) is (section is Section.DEPLOYMENTS)
        assert (holding.files is None) is (section is Section.FILES)
    assert read(first)[0] == dict.fromkeys(names, first)
    assert read(NOW)[0] == dict.fromkeys(names, NOW)


def test_of_several_gaps_of_a_section_the_first_dates_its_last_reading():
    world, read = World(OLD), NOW - 6 * DAY
    gaps = [
        make_gap(Section.JOBS, reason, at=read + days * DAY)
        for reason, days in ((GapReason.ROLE, 2), (GapReason.UNREACHABLE, 1), (GapReason.THROTTLED, 3))
    ]
    world.poll(read, [], [make_job(created_at=OLD)])
    world.poll(read + 3 * DAY, [], [make_job(created_at=OLD)], gaps=gaps)
    world.poll(NOW, [], [make_job(created_at=OLD)], gaps=gaps)
    assert the_account(world, OLD, NOW - DAY).holding.jobs_at == read + DAY


@pytest.mark.parametrize("section", [Section.FILES, Section.MODELS])
def test_what_the_service_has_no_list_of_is_not_offered(section):
    world = World(OLD)
    snapshot = make_snapshot(at=NOW, **{section.value: Listing(digest=NOT_OFFERED, items=())})
    world.store.write_now(record, snapshot, QUIET)
    assert the_account(world, OLD, NOW).holding.not_offered == {section}


def test_the_record_begins_with_the_first_account_of_all():
    world = World(OLD)
    discovered(world, NOW - 4 * DAY, ACCOUNT, make_account("other"))
    assert {loaded(world, begin, NOW).begins for begin in (OLD, NOW - DAY)} == {OLD}


def test_a_keep_that_ran_out_in_the_period_is_among_those_of_its_end():
    world, until = World(OLD), NOW - 3 * DAY
    world.poll(NOW - 8 * DAY, [make_deployment()])
    keep = Keep(account=ACCOUNT.key, deployment="support-bot", until=until, author="ana", reason="launch")
    world.store.write_now(operators.save_keep, keep, now=NOW - 6 * DAY)
    assert [len(loaded(world, begin, NOW).keeps) for begin in (until - SECOND, until)] == [1, 0]


def test_a_gap_of_one_deployment_dates_no_reading_of_all():
    world, one, other = World(OLD), make_deployment(created_at=OLD), make_deployment("other", created_at=OLD)
    gap = make_gap(Section.DEPLOYMENTS, at=NOW - 6 * DAY, subject=one.key)
    world.poll(NOW - 8 * DAY, [one, other])
    world.poll(NOW - 6 * DAY, [one, other], gaps=(gap,))
    world.poll(NOW, [one, other], gaps=(gap,))
    assert the_account(world, OLD, NOW - 3 * DAY).holding.deployments_at == NOW - 3 * DAY


def test_a_silence_holds_from_its_beginning_to_its_end():
    world = World(OLD)
    world.poll(NOW - 8 * DAY, [make_deployment()])
    begin, end = NOW - 6 * DAY, NOW - 4 * DAY
    world.store.write_now(
        operators.add_silence, ["rule=deployment_idle"], ends_at=end, author="ann", comment="calm", now=begin
    )
    times = (begin - SECOND, begin, end - SECOND, end)
    assert [len(loaded(world, OLD, at).silences) for at in times] == [0, 1, 1, 0]


def discovered(world, at, *accounts):
    found = Discovery(accounts=tuple(accounts), is_complete=True)
    world.store.write_now(save_discovery, found, QUIET, at)


def test_an_account_is_in_scope_from_its_first_sight_and_out_with_its_leaving():
    other, seen, left = make_account("other"), NOW - 9 * DAY, NOW - 4 * DAY
    world = World(seen)
    discovered(world, left, other)
    assert [one.account.name for one in loaded(world, seen - DAY, seen).accounts] == [ACCOUNT.name]
    assert loaded(world, seen - DAY, seen - SECOND).accounts == ()
    assert {one.account.name for one in loaded(world, left - SECOND, NOW).accounts} == {ACCOUNT.name, "other"}
    assert {one.account.name for one in loaded(world, left, NOW).accounts} == {"other"}
    at_leaving = {one.account.name: one.removed_at for one in loaded(world, seen, left).accounts}
    assert at_leaving == {ACCOUNT.name: left, "other": None}
    before = {one.account.name: one.removed_at for one in loaded(world, seen, left - SECOND).accounts}
    assert before == {ACCOUNT.name: None}


def test_an_account_that_left_twice_had_left_by_then_the_last_time():
    other = make_account("other")
    world = World(OLD)
    for days, accounts in ((8, [other]), (7, [ACCOUNT, other]), (5, [other]), (2, [ACCOUNT, other]), (1, [other])):
        discovered(world, NOW - days * DAY, *accounts)
    at = {
        days: {one.account.name: one.removed_at for one in loaded(world, OLD, NOW - days * DAY).accounts}[ACCOUNT.name]
        for days in (7.5, 6, 4, 1.5, 1, 0)
    }
    left = {days: NOW - days * DAY for days in (8, 5, 1)}
    assert at == {7.5: left[8], 6: None, 4: left[5], 1.5: None, 1: left[1], 0: left[1]}


# Jobs and files


def jobs_of(world, begin, as_of):
    return {one.job.id: one.ended_at for one in the_account(world, begin, as_of).jobs}


def test_a_job_counts_to_the_period_that_holds_the_moment_of_its_end():
    world, end = World(OLD), NOW - 4 * DAY
    done = make_job(status="succeeded", created_at=OLD, finished_at=end, fine_tuned_model=MODEL)
    world.poll(NOW - 8 * DAY, [], [make_job(created_at=OLD)])
    world.poll(NOW - 3 * DAY, [], [done])
    assert jobs_of(world, end, NOW) == {"ftjob-1": end}
    assert jobs_of(world, end + SECOND, NOW) == {}
    # Before its end was seen it was under way, as far as was known, and had made nothing.
    then = the_account(world, OLD, NOW - 3 * DAY - SECOND)
    assert [(one.job.status.value, one.ended_at) for one in then.jobs] == [("running", None)]
    assert then.holding.models == ()
    assert [change.after for change in then.jobs[0].phases] == ["running"]
    assert [one.id for one in the_account(world, OLD, NOW - 3 * DAY).holding.models] == [MODEL]


def test_a_job_that_is_listed_no_longer_had_left_when_that_was_seen():
    world, left = World(OLD), NOW - 4 * DAY
    world.poll(NOW - 8 * DAY, [], [make_job(created_at=OLD)])
    world.poll(left, [], [])
    asked = {
        at: [one.left_at for one in the_account(world, begin, at).jobs]
        for begin, at in ((OLD, left - SECOND), (OLD, left), (left - SECOND, NOW), (left, NOW - SECOND))
    }
    assert asked == {left - SECOND: [None], left: [left], NOW: [left], NOW - SECOND: []}


def test_a_job_without_a_date_ended_when_that_was_seen_last():
    world = World(OLD)
    states = ("running", "paused", "running", "cancelled")
    for number, status in enumerate(states):
        world.poll(OLD + (number + 1) * DAY, [], [make_job(status=status, created_at=OLD, finished_at=None)])
    assert jobs_of(world, OLD, NOW) == {"ftjob-1": OLD + 4 * DAY}


def test_files_are_those_of_the_time_that_no_job_names():
    world, job = World(OLD), make_job(created_at=OLD, training_file="file-train", validation_file="file-valid")
    files = [make_file(f"file-{name}") for name in ("train", "valid", "old", "gone")]
    world.poll(NOW - 8 * DAY, [], [job], files)
    world.poll(NOW - 4 * DAY, [], [job], [*files[:3], make_file("file-new")])
    asked = {at: sorted(one.id for one in the_account(world, OLD, at).holding.files) for at in (NOW - 5 * DAY, NOW)}
    assert asked == {NOW - 5 * DAY: ["file-gone", "file-old"], NOW: ["file-new", "file-old"]}
    at_once = the_account(world, OLD, NOW - 4 * DAY).holding.files
    assert sorted(one.id for one in at_once) == ["file-new", "file-old"]


def test_the_owner_of_a_model_is_found_by_the_tag_in_whatever_case():
    world = World(OLD)
    tagged = make_job(
        status="succeeded", created_at=OLD, finished_at=OLD, fine_tuned_model=MODEL, metadata={"OWNER": "ads"}
    )
    world.poll(NOW - DAY, [], [tagged])
    assert [one.owner for one in the_account(world, OLD, NOW).holding.models] == ["ads"]


# Lives


def lives_of(world, begin, as_of):
    return {one.deployment.name: (one.end, one.outcome) for one in the_account(world, begin, as_of).lives}


def test_a_life_is_one_of_the_period_from_its_first_sight_to_its_end():
    world, seen, gone = World(OLD), NOW - 8 * DAY, NOW - 4 * DAY
    world.poll(seen, [make_deployment("Bot", created_at=OLD)])
    world.poll(gone, [])
    assert lives_of(world, OLD, seen) == {"Bot": (None, "")}
    assert lives_of(world, OLD, seen - SECOND) == {}
    assert lives_of(world, OLD, gone - SECOND) == {"Bot": (None, "")}
    assert lives_of(world, OLD, gone) == {"Bot": ((seen, gone), "gone")}
    assert lives_of(world, gone, NOW) == {"Bot": ((seen, gone), "gone")}
    assert lives_of(world, gone + SECOND, NOW) == {}


def test_lives_of_two_names_are_nobodys_successors():
    """Only of its own name the birth of the next tells when a life had ended at the latest."""
    world = World(OLD)
    world.poll(NOW - 8 * DAY, [make_deployment("a", created_at=OLD), make_deployment("b", created_at=OLD)])
    world.poll(NOW - 2 * DAY, [make_deployment("b", created_at=OLD), make_deployment("c", created_at=NOW - 5 * DAY)])
    found = lives_of(world, OLD, NOW)
    assert found["a"] == ((NOW - 8 * DAY, NOW - 2 * DAY), "gone")
    assert found["b"] == found["c"] == (None, "")


def paused(world, as_of):
    (life,) = the_account(world, OLD, as_of).lives
    return life.paused, life.running_since


def test_pauses_are_those_that_had_been_seen():
    world = World(OLD)
    for days, state in ((8, "Running"), (7, "Paused"), (6, "Running"), (4, "Paused"), (2, "Running")):
        world.poll(NOW - days * DAY, [make_deployment(created_at=OLD, deployment_state=state)])
    first, second = (NOW - 7 * DAY, NOW - 6 * DAY), (NOW - 4 * DAY, NOW - 2 * DAY)
    assert paused(world, NOW) == ((first, second), NOW - 2 * DAY)
    assert paused(world, NOW - 3 * DAY) == ((first, (NOW - 4 * DAY, None)), None)
    assert paused(world, NOW - 5 * DAY) == ((first,), NOW - 6 * DAY)
    assert paused(world, NOW - 7 * DAY) == (((NOW - 7 * DAY, None),), None)
    assert paused(world, NOW - 7 * DAY - SECOND) == ((), None)


def test_what_was_paused_at_first_sight_was_so_since_then():
    world = World(OLD)
    world.poll(NOW - 8 * DAY, [make_deployment(created_at=OLD, deployment_state="Paused")])
    world.poll(NOW - 6 * DAY, [make_deployment(created_at=OLD, deployment_state="Running")])
    assert paused(world, NOW) == (((NOW - 8 * DAY, NOW - 6 * DAY),), NOW - 6 * DAY)


def test_what_never_paused_runs_since_no_pause():
    """Another change of its state is none."""
    world = World(OLD)
    world.poll(NOW - 8 * DAY, [make_deployment(created_at=OLD, deployment_state="Starting")])
    world.poll(NOW - 6 * DAY, [make_deployment(created_at=OLD, deployment_state="Running")])
    assert paused(world, NOW) == ((), None)


def test_the_pauses_of_a_former_life_are_its_own():
    world = World(OLD)
    world.poll(NOW - 8 * DAY, [make_deployment(created_at=OLD, deployment_state="Running")])
    world.poll(NOW - 7 * DAY, [make_deployment(created_at=OLD, deployment_state="Paused")])
    world.poll(NOW - 6 * DAY, [make_deployment(created_at=OLD, deployment_state="Running")])
    world.poll(NOW - 2 * DAY, [make_deployment(created_at=NOW - 3 * DAY, deployment_state="Running")])
    former, new = sorted(the_account(world, OLD, NOW).lives, key=lambda one: one.first_seen_at)
    assert former.paused == ((NOW - 7 * DAY, NOW - 6 * DAY),)
    assert (new.paused, new.running_since) == ((), None)


# Calls


def test_calls_of_the_first_and_the_last_day_of_a_period_count():
    world, one = World(OLD), make_deployment(created_at=OLD)
    begin, end = (NOW - 7 * DAY).replace(hour=0), NOW
    for at in (begin, begin + 23 * HOUR, end - 3 * HOUR):
        world.call("support-bot", at, 2.0)
    world.poll(end, [one])
    answered = the_account(world, begin, end).answered["support-bot"]
    assert answered.within(begin, end) == 6
    assert answered.within(begin, begin + HOUR) == answered.within(end - 3 * HOUR, end) == 2


# Accounts that were moved

MOVE = Move(old="old", new="new", at=NOW - 3 * DAY)


def parted(old=(), new=()):
    lives = {"old": list(old), "new": list(new)}
    part_lives((MOVE,), lives)
    return lives


@pytest.mark.parametrize(
    ("seen_gone", "outcome"),
    [(MOVE.at - SECOND, "gone"), (MOVE.at, "moved"), (MOVE.at + HOUR, "moved")],
    ids=["before", "as it was found", "after"],
)
def test_what_was_seen_gone_before_the_move_had_not_moved(seen_gone, outcome):
    life = RecordedLife(
        deployment=make_deployment(), first_seen_at=OLD, end=(seen_gone - HOUR, seen_gone), outcome="gone"
    )
    (found,) = parted([life])["old"]
    assert (found.outcome, found.end) == (
        outcome,
        (MOVE.at, MOVE.at) if outcome == "moved" else (seen_gone - HOUR, seen_gone),
    )


@pytest.mark.parametrize(
    ("created", "since"), [(MOVE.at - SECOND, MOVE.at), (MOVE.at, MOVE.at), (MOVE.at + SECOND, None)]
)
def test_what_was_created_since_the_move_did_not_come_with_it(created, since):
    life = RecordedLife(deployment=make_deployment(created_at=created), first_seen_at=NOW)
    (found,) = parted(new=[life])["new"]
    assert found.since == since


def test_one_of_unknown_age_came_with_the_account_if_its_name_left_with_it():
    gone = RecordedLife(
        deployment=make_deployment("Bot", created_at=None),
        first_seen_at=OLD,
        end=(MOVE.at - HOUR, MOVE.at),
        outcome="gone",
    )
    here = [
        RecordedLife(deployment=make_deployment(name, created_at=created), first_seen_at=MOVE.at)
        for name, created in (("bot", None), ("other", None), ("bot", MOVE.at + SECOND))
    ]
    assert [one.since for one in parted([gone], here)["new"]] == [MOVE.at, None, None]


def test_of_two_moves_the_later_counts():
    life = RecordedLife(deployment=make_deployment(created_at=OLD), first_seen_at=NOW - DAY, since=NOW - DAY)
    assert parted(new=[life])["new"][0].since == NOW - DAY


def test_a_job_is_counted_once_under_one_id():
    def one(id_, status, ended_at=None):
        return RecordedJob(job=make_job(id_, status), ended_at=ended_at)

    end = NOW - timedelta(days=4)
    jobs = {
        "old": [one("ended", "succeeded", end), one("trains", "running"), one("alone", "running")],
        "new": [one("ended", "succeeded", end), one("trains", "running"), one("fresh", "running")],
    }
    part_jobs((MOVE,), jobs)
    assert {key: [each.job.id for each in some] for key, some in jobs.items()} == {
        "old": ["ended", "alone"],
        "new": ["trains", "fresh"],
    }


def test_a_gap_that_opened_later_and_is_open_still_was_none_then():
    world, one = World(OLD), make_deployment(created_at=OLD)
    opened = NOW - 4 * DAY
    world.poll(NOW - 8 * DAY, [one])
    world.poll(opened, [one], unread=Section.JOBS)
    asked = {at: len(the_account(world, OLD, at).holding.gaps) for at in (opened - SECOND, opened, NOW)}
    assert asked == {opened - SECOND: 0, opened: 1, NOW: 1}
