"""What `record` leaves in the store, read back. Rules are left out here: see `tests/test_cycles.py`."""

from dataclasses import replace

import pytest

from tests.factories import (
    ACCOUNT,
    DAY,
    HOUR,
    MINUTE,
    NOW,
    SECOND,
    make_account,
    make_deployment,
    make_event,
    make_gap,
    make_job,
    make_snapshot,
    make_usage,
)
from watcher.cycles import Judgement, record
from watcher.resources.changes import Change, ResourceKind
from watcher.resources.fine_tuning import JobStatus
from watcher.resources.snapshot import GapReason, Listing, Section
from watcher.store import history, listed, listings, observations, scope
from watcher.store.gaps import gaps as open_gaps

from .dumps import changed_tables, dump, statements

KEY = ACCOUNT.key
QUIET = Judgement(rules=())


@pytest.fixture
def watched(store):
    store.write_now(scope.save_accounts, [ACCOUNT], is_complete=True, now=NOW - DAY)
    return store


def save(store, **snapshot):
    return store.write_now(record, make_snapshot(**snapshot), QUIET)


def stored(store, **snapshot):
    """What is loaded to hold a snapshot against: all of the sections that bring items."""
    everything = {"jobs": [], "files": Listing(digest="f", items=()), "models": Listing(digest="m", items=())}
    return store.write_now(observations.stored, KEY, of=make_snapshot(**(snapshot or everything)))


def reading(store, **snapshot):
    return stored(store, **snapshot).reading


def jobs_of(store):
    return {one.job.id: one for one in store.read_now(listings.jobs)}


def lives_of(store, name="support-bot"):
    return store.read_now(listings.deployments, name=name)


# Accounts


def test_an_account_comes_back_as_it_was_found(store):
    account = make_account(
        tags={"Owner": "søk", "a": ""},
        labels={"environment": "prod"},
        created_at=NOW - 100 * DAY,
        local_auth_disabled=True,
        kind="AIServices",
    )
    store.write_now(scope.save_accounts, [account], is_complete=True, now=NOW)
    (due,) = store.read_now(scope.due_accounts)
    assert due.account == account
    assert due.at is None
    assert due.sections(NOW) == set(Section) - {Section.ACCOUNT, Section.TRAINING}


def test_what_is_read_of_all_accounts_holds_the_texts_that_they_share_once(watched):
    watched.write_now(scope.save_accounts, [make_account("other")], is_complete=False, now=NOW)
    for read in (scope.due_accounts, scope.account_states):
        one, other = (found.account for found in watched.read_now(read))
        assert one.subscription is other.subscription


def test_discovering_the_same_again_writes_nothing(watched):
    before = dump(watched.engine)
    watched.write_now(scope.save_accounts, [ACCOUNT], is_complete=True, now=NOW)
    assert dump(watched.engine) == before


def test_an_account_leaves_the_scope_only_by_a_complete_discovery_and_may_return(watched):
    other = make_account("other")
    watched.write_now(scope.save_accounts, [other], is_complete=False, now=NOW)
    assert len(watched.read_now(scope.due_accounts)) == 2
    watched.write_now(scope.save_accounts, [other], is_complete=True, now=NOW)
    assert [due.account for due in watched.read_now(scope.due_accounts)] == [other]
    assert watched.read_now(scope.due_account, KEY) is None
    assert [state.account for state in watched.read_now(scope.account_states)] == [other]
    watched.write_now(scope.save_accounts, [ACCOUNT], is_complete=False, now=NOW)
    assert watched.read_now(scope.due_account, KEY).account == ACCOUNT


def test_a_snapshot_of_an_unknown_account_changes_nothing(store):
    before = dump(store.engine)
    assert save(store, jobs=[make_job()]).is_stale
    assert dump(store.engine) == before


# Snapshots


def test_every_noun_comes_back_equal(watched):
    job = make_job(
        status=JobStatus.FAILED,
        finished_at=NOW,
        estimated_finish_at=NOW,
        result_files=("a", "b"),
        trained_tokens=10**12,
        hyperparameters={"n_epochs": "3"},
        metadata={"team": "søk 搜索 \N{PARTY POPPER}"},
        error="Training data contained \x00 odd\n\tbytes",
    )
    unknown = make_job("ftjob-2", status="dreaming", created_at=None)
    deployment = make_deployment(tags={"Owner": "me"}, modified_at=NOW, created_by="x@y", failure="no", capacity=None)
    undated = make_deployment("Undated", created_at=None, incarnation=f"seen {NOW.isoformat()}")
    usage = make_usage(
        last_success_at=NOW - HOUR, last_failure_at=NOW - DAY, last_unclear_at=NOW - 2 * HOUR, bucket_seconds=60
    )
    gap = make_gap(reason=GapReason.ROLE, subject="ftjob-2", status=403, request_id="r-1", at=NOW - HOUR)
    save(
        watched,
        jobs=[job, unknown],
        deployments=[deployment, undated],
        usage=[usage],
        gaps=(gap,),
    )
    found = reading(watched)
    assert found.jobs == (job, unknown)
    assert {d.name: d for d in found.deployments} == {"support-bot": deployment, "Undated": undated}
    assert found.usage == {"support-bot": usage}
    assert found.gaps == (gap,)
    assert (found.jobs_at, found.deployments_at, found.usage_at) == (NOW, NOW, NOW)


def test_a_section_that_was_never_read_is_unknown_and_not_empty(watched):
    save(watched, jobs=[])
    found = reading(watched)
    assert (found.jobs, found.deployments, found.usage) == ((), None, None)
    assert watched.read_now(observations.known, KEY, now=NOW).statuses == {}
    save(watched, at=NOW + SECOND, deployments=[], usage=[])
    found = reading(watched)
    assert (found.jobs, found.deployments, found.usage) == ((), (), {})


def test_an_unchanged_snapshot_writes_the_account_row_alone(watched):
    told = {
        "jobs": [make_job(), make_job("ftjob-2", status=JobStatus.SUCCEEDED)],
        "deployments": [make_deployment()],
        "usage": [make_usage()],
        "gaps": (make_gap(Section.ACCOUNT), make_gap(subject="x"), make_gap(subject="x", reason=GapReason.BROKEN)),
    }
    save(watched, **told)
    before = dump(watched.engine)
    revision = reading(watched).revision
    save(watched, at=NOW + MINUTE, **told)
    assert changed_tables(before, dump(watched.engine)) == {"accounts"}
    assert reading(watched).revision == revision


def test_an_answer_equal_byte_for_byte_writes_the_account_row_alone(watched):
    save(watched, jobs=[make_job()], deployments=[make_deployment()])
    before = dump(watched.engine)
    known = watched.read_now(observations.known, KEY, now=NOW)
    snapshot = replace(
        make_snapshot(at=NOW + MINUTE),
        jobs=Listing(digest=known.jobs_digest, items=None),
        deployments=Listing(digest=known.deployments_digest, items=None),
    )
    watched.write_now(record, snapshot, QUIET)
    assert changed_tables(before, dump(watched.engine)) == {"accounts"}
    found = reading(watched)
    assert (found.jobs, found.jobs_at, found.deployments_at) == ((make_job(),), NOW + MINUTE, NOW + MINUTE)


def test_a_digest_belongs_to_the_items_that_are_stored(watched):
    """Two processes may read an account at once: the one that found nothing new compared with older items."""
    save(watched, jobs=[make_job()])
    digest = watched.read_now(observations.known, KEY, now=NOW).jobs_digest
    late = replace(make_snapshot(at=NOW + MINUTE), jobs=Listing(digest="of older items", items=None))
    watched.write_now(record, late, QUIET)
    assert watched.read_now(observations.known, KEY, now=NOW).jobs_digest == digest


@pytest.mark.parametrize("at", [NOW - SECOND, NOW], ids=["older", "the same"])
def test_a_snapshot_not_newer_than_the_newest_changes_nothing(watched, at):
    save(watched, jobs=[make_job()])
    before = dump(watched.engine)
    assert save(watched, at=at, jobs=[], deployments=[]).is_stale
    assert dump(watched.engine) == before


def test_known_is_what_collect_may_take_for_granted(watched):
    assert watched.read_now(observations.known, "nobody", now=NOW).statuses is None
    assert watched.read_now(observations.known, KEY, now=NOW).statuses is None
    save(
        watched, jobs=[make_job(status="dreaming")], deployments=[make_deployment()], usage=[make_usage()], dialect="v1"
    )
    known = watched.read_now(observations.known, KEY, now=NOW)
    assert known.statuses == {"ftjob-1": JobStatus.UNKNOWN}
    assert known.deployments == (make_deployment(),)
    assert known.usage == {"support-bot": make_usage()}
    assert (known.dialect, known.deployments_digest, known.unexplained) == ("v1", "d", frozenset())
    save(watched, at=NOW + SECOND, deployments=[])  # the data plane was not read: what it speaks is still known
    assert watched.read_now(observations.known, KEY, now=NOW).dialect == "v1"


def test_due_times_move_for_what_was_asked_alone(watched):
    save(watched, jobs=[make_job()], asked=frozenset({Section.JOBS}))
    due = watched.read_now(scope.due_account, KEY)
    assert due.due == (NOW + MINUTE, None, None, None, None)
    assert due.at is None
    everything = frozenset(scope.NEXT_COLUMNS)
    save(watched, at=NOW + SECOND, jobs=[make_job(status=JobStatus.SUCCEEDED)], asked=everything)
    due = watched.read_now(scope.due_account, KEY)
    assert due.due == tuple(NOW + SECOND + wait for wait in (10 * MINUTE, 10 * MINUTE, HOUR, HOUR, 6 * HOUR))
    assert due.sections(NOW + 10 * MINUTE) == set()
    assert due.sections(NOW + SECOND + 10 * MINUTE) == {Section.JOBS, Section.DEPLOYMENTS}


# Jobs


def test_a_jobs_status_is_dated_by_the_services_word_else_by_ours(watched):
    save(watched, jobs=[make_job()])
    assert jobs_of(watched)["ftjob-1"].status_since == NOW
    assert not jobs_of(watched)["ftjob-1"].is_status_dated
    ended = make_job(status=JobStatus.SUCCEEDED, finished_at=NOW + SECOND)
    save(watched, at=NOW + MINUTE, jobs=[ended])
    one = jobs_of(watched)["ftjob-1"]
    assert (one.status_since, one.first_seen_at, one.job) == (NOW + SECOND, NOW, ended)
    assert one.is_status_dated
    save(watched, at=NOW + HOUR, jobs=[replace(ended, metadata={"a": "b"})])
    assert jobs_of(watched)["ftjob-1"].status_since == NOW + SECOND


@pytest.mark.parametrize(("line", "since"), [("Job started.", NOW - HOUR), ("Step 100", NOW)])
@pytest.mark.parametrize("at", [NOW, NOW + MINUTE], ids=["at first sight", "later"])
def test_what_was_first_seen_running_is_dated_by_its_own_log(watched, line, since, at):
    log = {"ftjob-1": [make_event(line, at=NOW - HOUR)]}
    save(watched, jobs=[make_job()], events=log if at == NOW else {})
    save(watched, at=NOW + MINUTE, jobs=[make_job()], events=log)
    one = jobs_of(watched)["ftjob-1"]
    assert (one.status_since, one.is_status_dated) == (since, since != NOW)


def test_a_log_that_could_not_be_read_at_first_sight_is_asked_for_again_and_dates_it_though_the_list_is_the_same(
    watched,
):
    first = NOW + SECOND
    ended = make_job("ftjob-2", JobStatus.FAILED)
    unread = [make_gap(Section.JOBS, at=first, subject=one) for one in ("ftjob-1", "ftjob-2")]
    save(watched, at=first, jobs=[make_job(), ended], gaps=unread)
    # What ended before it was seen is history, and nobody asks for it.
    assert watched.read_now(observations.known, KEY, now=first).unexplained == {"ftjob-1"}
    log = {"ftjob-1": (make_event("Job started.", at=NOW - HOUR),)}
    same = replace(make_snapshot(at=NOW + MINUTE, events=log), jobs=Listing(digest="", items=None))
    watched.write_now(record, same, QUIET)
    assert watched.read_now(observations.known, KEY, now=NOW + MINUTE).unexplained == set()
    one = jobs_of(watched)["ftjob-1"]
    assert (one.status_since, one.is_status_dated) == (NOW - HOUR, True)


def test_a_log_tells_of_no_job_since_when_it_runs_again_after_a_pause(watched):
    for minutes, status in enumerate((JobStatus.RUNNING, JobStatus.PAUSED, JobStatus.RUNNING)):
        log = {"ftjob-1": [make_event("Job started.", at=NOW - HOUR)]} if minutes == 2 else {}
        save(watched, at=NOW + minutes * MINUTE, jobs=[make_job(status=status)], events=log)
    one = jobs_of(watched)["ftjob-1"]
    assert (one.status_since, one.is_status_dated) == (NOW + 2 * MINUTE, False)


def test_a_job_that_leaves_the_list_stays_on_record_and_is_listed_again_when_it_returns(watched):
    running, other = make_job(), make_job("ftjob-2")
    save(watched, jobs=[running, other])
    save(watched, at=NOW + MINUTE, jobs=[other])
    assert {id: one.is_listed for id, one in jobs_of(watched).items()} == {"ftjob-1": False, "ftjob-2": True}
    assert reading(watched, deployments=[]).jobs == (other,)
    revision = reading(watched).revision
    save(watched, at=NOW + HOUR, jobs=[running, other])
    assert all(one.is_listed for one in jobs_of(watched).values())
    assert reading(watched, deployments=[]).jobs == (running, other)
    assert reading(watched).revision > revision


def test_only_jobs_under_way_are_loaded_where_the_list_is_unchanged(watched):
    save(watched, jobs=[make_job(), make_job("ftjob-2", status=JobStatus.SUCCEEDED)])
    assert [job.id for job in reading(watched, deployments=[]).jobs] == ["ftjob-1"]
    assert len(reading(watched).jobs) == 2


def test_the_same_job_id_in_two_accounts_is_two_jobs(watched):
    far = make_account("far-away")
    watched.write_now(scope.save_accounts, [far], is_complete=False, now=NOW)
    save(watched, jobs=[make_job()])
    save(watched, account=far, jobs=[make_job(account=far.key, status=JobStatus.FAILED)])
    assert [one.job.status for one in watched.read_now(listings.jobs, account_keys=[KEY])] == [JobStatus.RUNNING]
    assert len(watched.read_now(listings.jobs)) == 2


def test_a_jobs_log_is_kept_without_its_metrics_and_each_line_once(watched):
    lines = [
        make_event("Job started.", at=NOW - HOUR),
        make_event("Step 1: loss 0.5", at=NOW - MINUTE, type="metrics"),
        make_event("Training \x00 halted", at=NOW, level="error"),
    ]
    save(watched, jobs=[make_job()], events={"ftjob-1": lines[:2]})
    save(watched, at=NOW + SECOND, jobs=[make_job()], events={"ftjob-1": lines})
    kept = watched.read_now(history.events, KEY, "ftjob-1")
    assert [(event.level, event.created_at) for event in kept] == [("info", NOW - HOUR), ("error", NOW)]
    assert kept[0] == lines[0]


def test_texts_that_no_database_takes_do_not_stop_a_poll(watched):
    """PostgreSQL has no place for a NUL in a text, and JSON has."""
    job = make_job(status="dre\x00aming", metadata={"a": "\x00"})
    gap = make_gap(message="bad \x00 gateway")
    save(watched, jobs=[job], gaps=(gap,), events={"ftjob-1": [make_event("a\x00b")]})
    assert jobs_of(watched)["ftjob-1"].job == job
    (found,) = watched.read_now(open_gaps, KEY)
    assert found.message == "bad \N{REPLACEMENT CHARACTER} gateway"


# Deployments


def test_the_lives_of_a_deployment_follow_each_other(watched):
    first = make_deployment()
    second = make_deployment(created_at=NOW)
    save(watched, deployments=[first])
    save(watched, at=NOW + HOUR, deployments=[second])
    assert reading(watched).deployments == (second,)
    newer, older = lives_of(watched)
    assert (newer.deployment, newer.ended_at, newer.outcome) == (second, None, "")
    assert (older.deployment, older.ended_at, older.outcome) == (first, NOW + HOUR, "replaced")
    recorded = save(watched, at=NOW + 2 * HOUR, deployments=[], absent=frozenset({second.key}))
    assert [t.change for t in recorded.transitions] == [Change.GONE]
    assert [life.outcome for life in lives_of(watched)] == ["gone", "replaced"]
    assert reading(watched).deployments == ()
    assert watched.read_now(listings.deployments) == ()
    assert len(watched.read_now(listings.deployments, ended_since=NOW + 2 * HOUR)) == 1


def test_a_life_that_was_declared_gone_and_is_listed_again_goes_on(watched):
    life = make_deployment()
    save(watched, deployments=[life])
    save(watched, at=NOW + HOUR, deployments=[], absent=frozenset({life.key}))
    save(watched, at=NOW + 2 * HOUR, deployments=[life])
    (one,) = lives_of(watched)
    assert (one.deployment, one.first_seen_at, one.ended_at, one.outcome) == (life, NOW, None, "")


def test_a_deployment_that_a_listing_lacks_lives_until_its_own_address_says_otherwise(watched):
    save(watched, deployments=[make_deployment()])
    save(watched, at=NOW + HOUR, deployments=[])
    assert reading(watched).deployments == (make_deployment(),)


def test_what_is_known_of_calls_outlives_the_deployment(watched):
    save(watched, deployments=[make_deployment()], usage=[make_usage(last_success_at=NOW - DAY)])
    save(watched, at=NOW + HOUR, deployments=[], absent=frozenset({make_deployment().key}), usage=[])
    assert reading(watched).usage["support-bot"].last_success_at == NOW - DAY


# Gaps and history


def test_a_gap_keeps_the_time_it_was_met_first_and_closes(watched):
    save(watched, gaps=(make_gap(),))
    save(watched, at=NOW + HOUR, gaps=(make_gap(at=NOW + HOUR, message="still"),))
    (gap,) = watched.read_now(open_gaps)
    assert (gap.at, gap.message) == (NOW, "still")
    (state,) = watched.read_now(scope.account_states)
    assert (state.gaps, state.polled_at) == ((gap,), NOW + HOUR)
    save(watched, at=NOW + 2 * HOUR, jobs=[])
    assert watched.read_now(open_gaps) == ()


def test_two_gaps_of_one_name_are_one(watched):
    save(watched, gaps=(make_gap(message="first"), make_gap(message="second")))
    assert len(watched.read_now(open_gaps, KEY)) == 1


def test_gaps_come_back_in_the_order_in_which_they_are_compared(watched):
    subjects = ["a-b", "aB", "ab", "a_c", "Z"]
    gaps = [make_gap(subject=subject, reason=reason) for subject in subjects for reason in list(GapReason)[:3]]
    save(watched, gaps=tuple(gaps))
    before = dump(watched.engine)
    assert reading(watched).gaps == tuple(sorted(gaps, key=lambda g: (g.section, g.subject, g.reason)))
    save(watched, at=NOW + MINUTE, gaps=tuple(reversed(gaps)))
    assert changed_tables(before, dump(watched.engine)) == {"accounts"}


def test_transitions_come_back_newest_first(watched):
    first = save(watched, jobs=[make_job()], deployments=[make_deployment()]).transitions
    later = save(watched, at=NOW + MINUTE, jobs=[make_job(status=JobStatus.PAUSED)]).transitions
    assert all(transition.is_history for transition in first)
    assert watched.read_now(history.transitions) == (*later, *reversed(first))
    assert watched.read_now(history.transitions, since=NOW + SECOND) == later
    assert watched.read_now(history.transitions, name="support-bot") == first[:1]
    assert watched.read_now(history.transitions, account="nobody") == ()
    assert watched.read_now(history.transitions, limit=1) == later


def test_what_no_rule_could_judge_is_kept_until_one_has(watched):
    save(watched, jobs=[make_job()])
    (ended,) = save(watched, at=NOW + MINUTE, jobs=[make_job(status=JobStatus.FAILED)]).transitions
    watched.write_now(history.mark_undecided, KEY, {ended.key}, set())
    loaded = stored(watched, deployments=[])
    assert loaded.undecided == (ended,)
    assert [job.id for job in loaded.reading.jobs] == ["ftjob-1"]  # with the job that it is about
    assert watched.read_now(observations.known, KEY, now=NOW).unexplained == {"ftjob-1"}
    watched.write_now(history.mark_undecided, KEY, set(), {ended.key})
    assert watched.read_now(observations.known, KEY, now=NOW).unexplained == set()


def test_a_deployment_that_could_not_be_read_is_doubted_from_then_on(watched):
    deployment = make_deployment()
    save(watched, deployments=[deployment])
    for minutes in (1, 2):
        at = NOW + minutes * MINUTE
        gap = make_gap(Section.DEPLOYMENTS, at=at, subject=deployment.key, stood_at=at - MINUTE)
        save(watched, at=at, deployments=[deployment], gaps=[gap])
        known = watched.read_now(observations.known, KEY, now=NOW)
        assert (known.deployments_at, known.doubted) == (at, {deployment.key: NOW})
    save(watched, at=NOW + 3 * MINUTE, deployments=[deployment])
    assert watched.read_now(observations.known, KEY, now=NOW).doubted == {}


def test_custom_models_are_known_across_accounts(watched):
    save(watched, jobs=[make_job(fine_tuned_model="mine", status=JobStatus.SUCCEEDED)])
    assert watched.read_now(listed.custom_models, {"mine", "base"}) == {"mine"}
    assert watched.read_now(listed.custom_models, set()) == set()
    served = [make_deployment(name, model=name) for name in ("mine", "base")]
    assert watched.read_now(listings.custom_models, served) == {"mine"}


# Unchanged polls, noted together


def touch_of(store, *, at=NOW + MINUTE, revision=None, asked=frozenset({Section.JOBS})):
    if revision is None:
        revision = store.read_now(scope.due_account, KEY).revision
    return scope.Touch(
        account=KEY, revision=revision, at=at, asked=asked, due=tuple((section, at + HOUR) for section in asked)
    )


def test_a_touch_moves_times_alone(watched):
    save(watched, jobs=[make_job()], deployments=[make_deployment()])
    before = dump(watched.engine)
    touch = touch_of(watched)
    assert watched.write_now(scope.touch, [touch]) == {touch: True}
    assert changed_tables(before, dump(watched.engine)) == {"accounts"}
    found = reading(watched)
    assert (found.jobs_at, found.deployments_at) == (NOW + MINUTE, NOW)
    assert watched.read_now(scope.due_account, KEY).due[0] == NOW + MINUTE + HOUR
    assert save(watched, at=NOW + MINUTE, jobs=[]).is_stale


@pytest.mark.parametrize("change", [{"at": NOW}, {"revision": 99}], ids=["not newer", "of another revision"])
def test_a_touch_that_comes_too_late_changes_nothing(watched, change):
    save(watched, jobs=[make_job()])
    before = dump(watched.engine)
    touch = touch_of(watched, **change)
    assert watched.write_now(scope.touch, [touch]) == {touch: False}
    assert dump(watched.engine) == before


def test_a_touch_dates_every_section_that_was_asked(watched):
    nothing = Listing(digest="x", items=())
    save(watched, jobs=[], deployments=[], usage=[], files=nothing, models=nothing)
    touch = touch_of(watched, asked=frozenset(scope.NEXT_COLUMNS))
    assert watched.write_now(scope.touch, [touch]) == {touch: True}
    found = reading(watched)
    times = (found.jobs_at, found.deployments_at, found.usage_at, found.files_at, found.models_at)
    assert times == (NOW + MINUTE,) * 5
    assert watched.read_now(scope.due_account, KEY).due == (NOW + MINUTE + HOUR,) * 5


# Thrift


def test_a_log_that_is_told_again_is_no_news(watched):
    lines = {"ftjob-1": [make_event("Job started.", at=NOW)]}
    save(watched, jobs=[make_job()], events=lines)
    before, revision = dump(watched.engine), reading(watched).revision
    save(watched, at=NOW + MINUTE, jobs=[make_job()], events=lines)
    assert changed_tables(before, dump(watched.engine)) == {"accounts"}
    assert reading(watched).revision == revision


def test_many_lines_and_calls_take_as_many_statements_as_few(watched):
    def asked(at, count):
        lines = [make_event(f"Line {n} of {at}", at=at) for n in range(count)]
        calls = [make_usage(f"d-{n}", read_to=at) for n in range(count)]
        with statements(watched.engine) as heard:
            save(watched, at=at, jobs=[make_job()], events={"ftjob-1": lines}, usage=calls)
        return len(heard)

    asked(NOW, 1)
    few = asked(NOW + MINUTE, 1)
    assert asked(NOW + 2 * MINUTE, 40) == few
    assert len(watched.read_now(history.events, KEY, "ftjob-1")) == 42
    assert len(reading(watched).usage) == 40


def test_the_history_of_one_resource_is_found_without_reading_that_of_all(watched):
    if watched.engine.dialect.name != "sqlite":
        pytest.skip("PostgreSQL reads a small table whole")
    names = {"a", "b"}
    with statements(watched.engine) as heard:
        watched.read_now(history.of_attribute, KEY, ResourceKind.JOB, "estimated_finish", names)
        watched.read_now(observations.known, KEY, now=NOW)
    with watched.engine.connect() as tx:
        plans = [
            str(tx.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all())
            for statement, parameters in heard
            if "FROM transitions" in statement
        ]
    assert "ix_transitions_account_name_attribute (account=? AND name=? AND attribute=?)" in plans[0]
    assert "ix_transitions_account_observed_at (account=? AND observed_at>?)" in plans[-1]  # lately ended jobs
