"""What was known of an account at some time: the same as was read then."""

from dataclasses import replace
from datetime import timedelta
from functools import cache

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.factories import (
    ACCOUNT,
    DAY,
    HOUR,
    MINUTE,
    NOW,
    make_deployment,
    make_event,
    make_file,
    make_gap,
    make_job,
    make_snapshot,
    make_training,
    make_usage,
)
from watcher.cycles import Judgement, record
from watcher.resources.calls import Calls, HourOfCalls
from watcher.resources.deployment import ProvisioningState
from watcher.resources.file import FileStatus
from watcher.resources.fine_tuning import ENDED, JobStatus
from watcher.resources.merging import absorb
from watcher.resources.snapshot import Listing, Reading, Section
from watcher.store import as_of, observations, retention, schema, scope
from watcher.store.past import EVERYTHING
from watcher.store.scratch import Scratch

KEY = ACCOUNT.key
QUIET = Judgement(rules=())
ALL = Listing(digest="none is known by this", items=())
_READABLE = (Section.JOBS, Section.DEPLOYMENTS, Section.FILES)

statuses = st.sampled_from([JobStatus.PENDING, JobStatus.RUNNING, JobStatus.PAUSED, JobStatus.SUCCEEDED])
states = st.sampled_from([ProvisioningState.CREATING, ProvisioningState.SUCCEEDED, ProvisioningState.FAILED])
looks = st.lists(
    st.fixed_dictionaries(
        {
            "jobs": st.dictionaries(st.integers(0, 2), statuses, max_size=3),
            #: Name to the day of its creation, its state and its capacity.
            "deployments": st.dictionaries(
                st.sampled_from("ab"), st.tuples(st.integers(0, 1), states, st.integers(1, 2))
            ),
            "files": st.dictionaries(st.integers(0, 1), st.sampled_from([FileStatus.PENDING, FileStatus.ERROR])),
            "unread": st.none() | st.sampled_from(_READABLE),
        }
    ),
    min_size=1,
    max_size=7,
)


@cache
def scratch():
    """One for all: to make the tables costs more than to use them."""
    return Scratch()


def empty(tx):
    for table in schema.metadata.tables.values():
        tx.execute(table.delete())


def watched():
    store = scratch()
    store.write_now(empty)
    store.write_now(scope.save_accounts, [ACCOUNT], is_complete=True, now=NOW)
    return store


def snapshot_of(look, at, number):
    """One that Azure might send: with a digest of its own, and gone deployments known to be so."""
    unread = look["unread"]
    jobs = [make_job(f"ftjob-{n}", status, created_at=NOW) for n, status in sorted(look["jobs"].items())]
    deployments = [
        make_deployment(name, created_at=NOW - day * DAY, provisioning_state=state, capacity=capacity)
        for name, (day, state, capacity) in sorted(look["deployments"].items())
    ]
    files = tuple(
        make_file(f"file-{n}", status=status, raw_status=status.value) for n, status in sorted(look["files"].items())
    )
    keys = {make_deployment(name).key for name in "ab"}
    whole = make_snapshot(
        at=at,
        asked=EVERYTHING,
        jobs=None if unread is Section.JOBS else jobs,
        deployments=None if unread is Section.DEPLOYMENTS else deployments,
        files=None if unread is Section.FILES else Listing(digest=f"f{number}", items=files),
        gaps=() if unread is None else (make_gap(unread, at=at),),
    )
    if whole.deployments is None:
        return whole
    return replace(whole, absent=frozenset(keys - {one.key for one in deployments}))


def facts(reading):
    """What rules go by."""
    return {
        "jobs": sorted((job.id, job.raw_status, job.status) for job in reading.jobs or ()),
        "deployments": sorted(
            (one.key, one.incarnation, one.raw_provisioning_state, one.provisioning_state, one.capacity)
            for one in reading.deployments or ()
        ),
        "files": sorted((file.id, file.raw_status, file.status) for file in reading.files or ()),
        "gaps": {(gap.section, gap.reason, gap.at) for gap in reading.gaps},
    }


def without_returns(found):
    """What a list lost, or a life that ended, does not come back: how it was while it was away is not kept."""
    alive, over = set(), set()
    for look in found:
        if look["unread"] == "deployments":
            continue
        look["deployments"] = {name: one for name, one in look["deployments"].items() if (name, one[0]) not in over}
        lives = {(name, one[0]) for name, one in look["deployments"].items()}
        over |= alive - lives
        alive = lives
    for kind in ("jobs", "files"):
        seen, lost = set(), set()
        for look in found:
            if look["unread"] == kind:
                continue
            look[kind] = {number: one for number, one in look[kind].items() if number not in lost}
            lost |= seen - look[kind].keys()
            seen |= look[kind].keys()
    return found


@settings(max_examples=12, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(found=looks)
def test_each_time_is_known_again_as_it_was_read(found):
    store, read, jobs = watched(), [], frozenset()
    for number, look in enumerate(without_returns(found)):
        at = NOW + number * HOUR
        store.write_now(record, snapshot_of(look, at, number), QUIET)
        everything = make_snapshot(at=at, jobs=[], files=ALL)
        reading = store.write_now(observations.stored, KEY, of=everything).reading
        if look["unread"] is not Section.JOBS:
            jobs = frozenset(f"ftjob-{number}" for number in look["jobs"])
        listed = tuple(job for job in reading.jobs or () if job.id in jobs)  # the store remembers others too
        read.append((at, look["unread"], replace(reading, jobs=listed)))
    (past,) = store.read_now(as_of.load)
    for at, unread, reading in read:
        for moment in (at, at + 59 * MINUTE):
            told = absorb(Reading(account=ACCOUNT), past.snapshot(moment))
            expected, seen = facts(reading), facts(told)
            if unread is not None:
                assert getattr(told, unread.value) is None
                expected[unread.value] = seen[unread.value] = []
            assert seen == expected


def recorded(*snapshots):
    store = watched()
    for one in snapshots:
        store.write_now(record, one, QUIET)
    (past,) = store.read_now(as_of.load)
    return past


def test_what_came_with_an_end_is_hidden_before_it():
    ended = make_job(
        status=JobStatus.FAILED,
        error="it broke",
        finished_at=NOW + HOUR,
        fine_tuned_model="m.ft-1",
        result_files=("file-9",),
        trained_tokens=9,
    )
    lines = {"ftjob-1": [make_event("Job started.", at=NOW), make_event("late", at=NOW + HOUR)]}
    past = recorded(make_snapshot(jobs=[make_job()]), make_snapshot(at=NOW + HOUR, jobs=[ended], events=lines))
    (before,) = past.snapshot(NOW + 30 * MINUTE).jobs.items
    assert before.status is JobStatus.RUNNING
    assert (before.error, before.finished_at, before.fine_tuned_model) == (None, None, "")
    assert (before.result_files, before.trained_tokens) == ((), None)
    (after,) = past.snapshot(NOW + HOUR).jobs.items
    assert after == ended
    assert [line.message for line in past.snapshot(NOW + 30 * MINUTE).events["ftjob-1"]] == ["Job started."]


def test_an_end_that_the_service_announced_anew_is_known_as_it_was():
    times = (NOW + DAY, NOW + 2 * DAY)
    past = recorded(
        *(
            make_snapshot(at=NOW + n * HOUR, jobs=[make_job(estimated_finish_at=finish)])
            for n, finish in enumerate(times)
        )
    )
    assert [past.snapshot(NOW + n * HOUR).jobs.items[0].estimated_finish_at for n in range(2)] == list(times)


def test_calls_are_known_from_when_they_were_read():
    def metered(at, *hours):
        calls = Calls(deployment="support-bot", hours={hour: HourOfCalls(ok=1) for hour in hours})
        usage = [make_usage(read_to=at, last_success_at=max(hours, default=None))]
        return make_snapshot(at=at, deployments=[make_deployment()], usage=usage, calls={"support-bot": calls})

    early, late = NOW - 9 * HOUR, NOW - 3 * HOUR
    past = recorded(metered(NOW, early), metered(NOW + 2 * HOUR, early, late))
    usage = past.snapshot(NOW + HOUR).usage["support-bot"]
    assert usage.last_success_at == early
    assert usage.read_to == NOW  # fifteen minutes less than now, and only whole hours
    assert past.snapshot(NOW + 2 * HOUR).usage["support-bot"].last_success_at == late
    assert past.snapshot(NOW + 2 * HOUR).usage["support-bot"].read_to == NOW + HOUR
    assert past.metered == (NOW,)  # the later ones follow so closely that they end nothing


def test_calls_without_a_name_leave_every_deployment_in_doubt():
    nameless = Calls(deployment="", hours={NOW - HOUR: HourOfCalls(ok=1)})
    snapshot = make_snapshot(deployments=[make_deployment()], usage=[make_usage()], calls={"": nameless})
    assert recorded(snapshot).snapshot(NOW).usage["support-bot"].last_unclear_at == NOW - HOUR


def test_the_inside_of_a_job_is_known_from_when_it_was_read_last():
    training = make_training(read_at=NOW + HOUR)
    snapshots = [make_snapshot(at=NOW + n * HOUR, jobs=[make_job()]) for n in range(2)]
    past = recorded(snapshots[0], replace(snapshots[1], training={"ftjob-1": training}))
    assert past.snapshot(NOW + 30 * MINUTE).training == {}
    assert past.snapshot(NOW + HOUR).training == {"ftjob-1": training}


def test_before_it_was_first_read_nothing_is_known_and_nothing_is_missing():
    past = recorded(make_snapshot(at=NOW + HOUR, jobs=[make_job(status=status) for status in ENDED][:1]))
    assert past.snapshot(NOW + HOUR - timedelta(seconds=1)).jobs is None
    assert not past.was_read(NOW)
    assert past.is_watched(NOW)
    assert not past.is_watched(NOW - HOUR)


def test_a_gap_that_closed_is_kept_and_goes_in_its_time():
    gap = make_gap(Section.JOBS, at=NOW)
    past = recorded(make_snapshot(gaps=(gap,)), make_snapshot(at=NOW + HOUR, jobs=[make_job()]))
    assert past.gaps == ((gap, NOW + HOUR),)
    assert past.snapshot(NOW + 30 * MINUTE).gaps == (gap,)
    assert past.snapshot(NOW + HOUR).gaps == ()
    assert scratch().write_now(retention.prune, before=NOW + HOUR).gaps == 0
    assert scratch().write_now(retention.prune, before=NOW + 2 * HOUR).gaps == 1
    (past,) = scratch().read_now(as_of.load)
    assert past.gaps == ()
