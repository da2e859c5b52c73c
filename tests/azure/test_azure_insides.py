"""The inside of jobs: what is read of them when, and what becomes of what cannot be read."""

from datetime import timedelta

import pytest
from azure_factories import (
    ACCOUNT_ID,
    KEY,
    NOW,
    FakeAzure,
    answer,
    make_account,
    make_collector,
    raw_checkpoint,
    raw_event,
    raw_file,
    raw_job,
)

from watcher.azure.openai import RESULT_MOST_BYTES
from watcher.resources.fine_tuning import JobStatus
from watcher.resources.snapshot import GapReason, Known, Plane, Section
from watcher.resources.training import CurveSource
from watcher.transport import ConnectError

JOBS = "/openai/v1/fine_tuning/jobs"
EVERY = timedelta(minutes=15)
DAY = timedelta(days=1)
RUNNING, SUCCEEDED = JobStatus.RUNNING, JobStatus.SUCCEEDED
ENDED_AT = int((NOW - timedelta(minutes=20)).timestamp())
CSV = "step,train_loss,valid_loss\n1,2.0,2.5\n2,1.5,2.25\n"
FORBIDDEN = {"error": {"code": "PermissionDenied", "message": "The principal lacks the required data action"}}
FIREWALL = {"error": {"code": "403", "message": "Access denied due to Virtual Network/Firewall rules."}}


def listed(*jobs):
    return answer({"data": list(jobs), "has_more": False})


def ended_job(job="j", status="succeeded", **more):
    return raw_job(job, status, finished_at=ENDED_AT, result_files=[f"file-{job}"], **more)


def checkpoints(*steps):
    return answer({"data": [raw_checkpoint(step, train_loss=step / 100) for step in steps], "has_more": False})


def azure_with(*jobs, **replies):
    given = {
        JOBS: listed(*jobs),
        "/events": listed(raw_event("e", "Job started.")),
        "/checkpoints": checkpoints(80, 40),
        "/content": answer(CSV),
    }
    return FakeAzure(given | replies)


def known_of(statuses, **more):
    return Known(statuses=statuses, dialect="v1", **more)


class Watched:
    """One collector over many polls of one account, which remembers what a store would."""

    def __init__(self, azure, **options):
        self.azure = azure
        self.collector = make_collector(azure, **{"training_every": EVERY} | options)
        self.known = Known(dialect="v1")

    async def poll(self, at=NOW, known=None):
        self.azure.requests.clear()
        snapshot = await self.collector.collect(
            make_account(), known or self.known, at=at, sections=frozenset({Section.JOBS})
        )
        return snapshot

    def asked(self, end):
        return [request.url.path.split("/")[-2] for request in self.azure.asked(end)]


async def test_the_checkpoints_of_a_job_under_way_are_read_as_often_as_was_asked_for():
    azure = Watched(azure_with(raw_job("j", "running")))
    first = await azure.poll()
    training = first.training["j"]
    assert [one.step for one in training.checkpoints] == [40, 80]
    assert [(point.step, point.metrics) for point in training.points] == [
        (40, {"train_loss": 0.4}),
        (80, {"train_loss": 0.8}),
    ]
    assert (training.source, training.is_final, training.read_at) == (CurveSource.CHECKPOINTS, False, NOW)
    assert not azure.azure.asked("/content")
    known = known_of({"j": RUNNING}, jobs_digest=first.jobs.digest, training={"j": (NOW, False)})
    soon = await azure.poll(NOW + EVERY - timedelta(seconds=1), known)
    assert (soon.training, soon.jobs.items, len(azure.azure.requests)) == ({}, None, 1)
    later = await azure.poll(NOW + EVERY, known)
    assert (list(later.training), later.jobs.items, len(azure.azure.requests)) == (["j"], None, 2)


@pytest.mark.parametrize("status", ["running", "pausing", "paused", "resuming"])
async def test_all_that_is_under_way_is_looked_into(status):
    assert list((await Watched(azure_with(raw_job("j", status))).poll()).training) == ["j"]


@pytest.mark.parametrize("status", ["pending", "queued", "validating_files", "succeeded", "failed", "odd"])
async def test_what_waits_or_was_over_at_first_sight_is_not(status):
    azure = Watched(azure_with(ended_job("j", status)))
    snapshot = await azure.poll()
    assert (snapshot.training, len(azure.azure.requests)) == ({}, 1)


async def test_an_end_is_read_at_once_with_its_results():
    azure = Watched(azure_with(ended_job("j"), ended_job("old")))
    known = known_of({"j": RUNNING, "old": SUCCEEDED}, training={"j": (NOW - timedelta(minutes=1), False)})
    snapshot = await azure.poll(known=known)
    training = snapshot.training["j"]
    assert [(point.step, point.metrics) for point in training.points] == [
        (1, {"train_loss": 2.0, "valid_loss": 2.5}),
        (2, {"train_loss": 1.5, "valid_loss": 2.25}),
    ]
    assert (training.source, training.is_final, training.remark) == (CurveSource.RESULTS, True, "")
    assert [one.step for one in training.checkpoints] == [40, 80]
    assert (list(snapshot.training), snapshot.gaps) == (["j"], ())
    assert azure.asked("/content") == ["file-j"]


async def test_what_is_left_unread_is_read_though_the_list_has_not_changed():
    azure = Watched(azure_with(ended_job("j")))
    first = await azure.poll()
    known = known_of({"j": SUCCEEDED}, jobs_digest=first.jobs.digest, unread_training={"j": NOW})
    second = await azure.poll(known=known)
    assert second.jobs.items is None
    assert second.training["j"].source is CurveSource.RESULTS
    final = known_of(
        {"j": SUCCEEDED},
        jobs_digest=first.jobs.digest,
        unread_training={"j": NOW},
        training={"j": (NOW, True)},
    )
    assert (await azure.poll(NOW + 2 * EVERY, final)).training == {}
    assert len(azure.azure.requests) == 1


async def test_without_leave_no_result_file_is_downloaded():
    azure = Watched(azure_with(ended_job("j")), read_results=False)
    training = (await azure.poll(known=known_of({"j": RUNNING}))).training["j"]
    assert (training.source, training.is_final, training.remark) == (CurveSource.CHECKPOINTS, True, "")
    assert not azure.azure.asked("/content")


async def test_only_files_that_the_job_lists_are_downloaded():
    job = ended_job("j", training_file="file-secret", validation_file="file-more")
    azure = Watched(azure_with(job, **{"/files": answer({"data": [raw_file("file-other")]})}))
    await azure.collector.collect(make_account(), known_of({"j": RUNNING}), at=NOW)
    assert azure.asked("/content") == ["file-j"]


@pytest.mark.parametrize(
    ("reply", "remark"),
    [
        (answer("", 404), "the result file file-j is not there any more"),
        (answer("{}"), "is of no use: the result file has no column `step`"),
        (answer("step,train_loss\n"), "holds no row with a number"),
        (answer("x" * (RESULT_MOST_BYTES + 1)), f"larger than {RESULT_MOST_BYTES} bytes"),
    ],
    ids=["404", "no csv", "empty", "huge"],
)
async def test_what_another_try_would_not_cure_is_final_and_says_why(reply, remark):
    azure = Watched(azure_with(ended_job("j"), **{"/content": reply}))
    snapshot = await azure.poll(known=known_of({"j": RUNNING}))
    training = snapshot.training["j"]
    assert (training.is_final, snapshot.gaps) == (True, ())
    assert remark in training.remark
    assert (training.source, len(training.points)) == (CurveSource.CHECKPOINTS, 2)


async def test_a_job_that_succeeded_without_a_result_file_says_so_and_a_failed_one_needs_none():
    jobs = [ended_job("a") | {"result_files": []}, ended_job("b", "failed") | {"result_files": None}]
    snapshot = await Watched(azure_with(*jobs)).poll(known=known_of({"a": RUNNING, "b": RUNNING}))
    assert {job: one.remark for job, one in snapshot.training.items()} == {
        "a": "the job lists no result file",
        "b": "",
    }


async def test_the_next_result_file_is_tried_where_the_first_is_none():
    job = ended_job("j") | {"result_files": ["file-log", "file-j", "file-3"]}
    replies = {"/file-log/content": answer("{}"), "/file-3/content": answer("{}")}
    azure = Watched(azure_with(job, **replies))
    training = (await azure.poll(known=known_of({"j": RUNNING}))).training["j"]
    assert (training.source, training.remark) == (CurveSource.RESULTS, "")
    assert azure.asked("/content") == ["file-log", "file-j"]


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (answer("", 503), GapReason.BROKEN),
        (answer("", 429, retry_after="600"), GapReason.THROTTLED),
        (answer(FIREWALL, 403), GapReason.NETWORK),
        (answer(FORBIDDEN, 403), GapReason.ROLE),
        (answer(FORBIDDEN, 401), GapReason.ROLE),
        (answer({"error": {"message": "no"}}, 403), GapReason.FORBIDDEN),
        (ConnectError("x"), GapReason.UNREACHABLE),
    ],
    ids=["503", "429", "firewall", "403 role", "401 role", "403", "no answer"],
)
@pytest.mark.parametrize("place", ["/checkpoints", "/content"])
async def test_what_another_try_may_cure_is_a_gap_of_its_job_and_tried_again(reply, reason, place):
    azure = Watched(azure_with(ended_job("j"), **{place: reply}))
    known = known_of({"j": RUNNING})
    snapshot = await azure.poll(known=known)
    (gap,) = snapshot.gaps
    assert (gap.section, gap.plane, gap.reason, gap.subject) == (Section.TRAINING, Plane.DATA, reason, "j")
    assert snapshot.jobs is not None
    assert not any(one.is_final for one in snapshot.training.values())
    known = known_of({"j": SUCCEEDED}, jobs_digest=snapshot.jobs.digest, unread_training={"j": NOW})
    if reason is not GapReason.THROTTLED:  # that one closes the account's list too
        between = await azure.poll(NOW + EVERY / 2, known)
        assert (between.gaps, between.training, len(azure.azure.requests)) == ((gap,), {}, 1)
    azure.azure.replies[place] = azure_with().replies[place]
    azure.collector._openai._client._closed_until.clear()
    later = await azure.poll(NOW + EVERY, known)
    assert (later.gaps, later.training["j"].is_final) == ((), True)


@pytest.mark.parametrize(
    ("place", "reply", "remark"),
    [
        ("/content", answer("", 503), "could not be read, though tried for a day"),
        ("/content", answer(FORBIDDEN, 403), "the role Cognitive Services OpenAI User is missing"),
        ("/checkpoints", answer("", 503), "could not be read, though tried for a day"),
    ],
    ids=["503", "role", "checkpoints"],
)
async def test_a_day_after_its_end_was_seen_a_job_is_given_up(place, reply, remark):
    """However long ago it ended: `watcher` may have been down."""
    azure = azure_with(ended_job("j"), **{place: reply})
    known = known_of({"j": SUCCEEDED}, unread_training={"j": NOW + 2 * DAY})
    for at in (NOW + 2 * DAY, NOW + 3 * DAY - EVERY):
        snapshot = await Watched(azure).poll(at, known)
        assert [gap.subject for gap in snapshot.gaps] == ["j"]
        assert not any(one.is_final for one in snapshot.training.values())
    snapshot = await Watched(azure).poll(NOW + 3 * DAY, known)
    training = snapshot.training["j"]
    assert (snapshot.gaps, training.is_final) == ((), True)
    assert remark in training.remark


async def test_a_job_that_ended_while_nobody_looked_has_its_day_all_the_same():
    azure = Watched(azure_with(ended_job("j"), **{"/content": answer("", 500)}))
    snapshot = await azure.poll(NOW + 2 * DAY, known_of({"j": RUNNING}))
    assert ([gap.subject for gap in snapshot.gaps], snapshot.training["j"].is_final) == (["j"], False)


async def test_a_job_that_is_listed_no_more_is_given_up_and_one_that_is_unreadable_is_not():
    known = known_of({}, unread_training={"j": NOW})
    gone = await Watched(azure_with(raw_job("k", "pending"))).poll(known=known)
    assert (gone.training["j"].is_final, gone.training["j"].remark) == (True, "the job is not listed")
    spoilt = await Watched(azure_with({"id": "j", "status": None})).poll(known=known)
    assert {(gap.section, gap.subject) for gap in spoilt.gaps} == {(Section.JOBS, "j"), (Section.TRAINING, "j")}
    assert not spoilt.training["j"].is_final


async def test_an_account_without_checkpoints_to_offer_is_no_gap():
    azure = Watched(azure_with(raw_job("j", "running"), **{"/checkpoints": answer("", 404)}))
    snapshot = await azure.poll()
    assert (snapshot.gaps, snapshot.training["j"].points, snapshot.training["j"].source) == ((), (), None)


async def test_few_jobs_are_looked_into_at_a_time_and_ended_ones_first():
    names = [f"j{number}" for number in range(5)]
    jobs = [raw_job(name, "running") for name in names] + [ended_job("e")]
    azure = Watched(azure_with(*jobs))
    known = known_of(dict.fromkeys([*names, "e"], RUNNING), training={"j0": (NOW - EVERY * 2, False)})
    snapshot = await azure.poll(known=known)
    assert list(snapshot.training) == ["e", "j1"]
    seen = {}
    read = {}
    for number in range(1, 9):
        known = known_of(
            dict.fromkeys(names, RUNNING) | {"e": SUCCEEDED},
            training={"j0": (NOW - EVERY * 2, False), "e": (NOW, True)} | read,
        )
        at = NOW + timedelta(minutes=number)
        snapshot = await azure.poll(at, known)
        assert len(azure.azure.requests) <= 7
        read |= {job: (at, False) for job in snapshot.training}
        seen[number] = list(snapshot.training)
    assert seen[1] + seen[2] == ["j2", "j3", "j4", "j0"]
    assert seen[3] == []


async def test_an_expensive_job_leaves_the_next_for_the_next_poll():
    jobs = [ended_job(name) | {"result_files": ["file-log", f"file-{name}"]} for name in ("a", "b")]
    azure = Watched(azure_with(*jobs, **{"/file-log/content": answer("{}")}))
    snapshot = await azure.poll(known=known_of({"a": RUNNING, "b": RUNNING}))
    assert list(snapshot.training) == ["a"]


async def test_many_things_at_once_stay_within_twelve_requests():
    jobs = [ended_job(name) for name in ("a", "b", "c")] + [raw_job(f"r{n}", "running") for n in range(3)]
    replies = {
        "/openai/v1/files": listed(raw_file()),
        "/openai/models": listed(),
        "/deployments": answer({"value": []}),
    }
    azure = azure_with(*jobs, **replies)
    collector = make_collector(azure, training_every=EVERY)
    unread = dict.fromkeys(("a", "b", "c"), NOW)
    known = known_of(dict.fromkeys(unread, SUCCEEDED) | {f"r{n}": RUNNING for n in range(3)}, unread_training=unread)
    snapshot = await collector.collect(make_account(), known, at=NOW)
    assert snapshot.gaps == ()
    assert snapshot.requests == len(azure.requests) <= 12


async def test_what_the_log_said_early_is_told_with_the_training():
    skipped = listed(raw_event("e", "3 images were skipped."))
    azure = Watched(azure_with(raw_job("j", "running"), **{"/events": skipped}))
    running = await azure.poll(known=known_of({"j": JobStatus.QUEUED}))
    assert running.training["j"].skipped == 3
    azure.azure.replies["/events"] = azure_with().replies["/events"]
    azure.azure.replies[JOBS] = [listed(ended_job("j"))]
    ended = await azure.poll(known=known_of({"j": RUNNING}))
    assert ended.training["j"].skipped == 3


async def test_a_log_that_was_not_read_is_asked_for_once_when_a_job_has_ended():
    azure = Watched(azure_with(ended_job("j"), **{"/events": listed(raw_event("e", "3 images were skipped."))}))
    known = known_of({"j": SUCCEEDED}, unread_training={"j": NOW})
    assert (await azure.poll(known=known)).training["j"].skipped == 3
    assert len(azure.azure.asked("/events")) == 1
    azure.azure.replies["/events"] = [answer("", 500)]
    snapshot = await Watched(azure.azure).poll(known=known)
    assert (snapshot.training["j"].skipped, snapshot.gaps) == (None, ())


async def test_with_a_key_the_key_is_what_is_refused():
    azure = azure_with(raw_job("j", "running"), **{"/checkpoints": answer("", 401)})
    collector = make_collector(azure, keys={ACCOUNT_ID: "k3y"})
    snapshot = await collector.collect(make_account(), Known(), at=NOW, sections=frozenset({Section.JOBS}))
    assert [(gap.section, gap.reason) for gap in snapshot.gaps] == [(Section.TRAINING, GapReason.KEY)]
    assert {"api-key" in request.headers for request in azure.requests} == {True}


async def test_what_is_over_is_forgotten():
    azure = Watched(azure_with(raw_job("j", "running"), **{"/checkpoints": answer("", 503)}))
    await azure.poll()
    insides = azure.collector._insides
    assert insides._tries[KEY]
    azure.azure.replies[JOBS] = [listed()]
    snapshot = await azure.poll()
    assert (snapshot.gaps, insides._tries, insides._skipped) == ((), {}, {})


async def test_where_the_list_was_not_read_the_insides_stay_as_they_were():
    azure = Watched(azure_with(**{JOBS: answer("", 500)}))
    snapshot = await azure.poll(known=known_of({"j": RUNNING}))
    assert snapshot.asked == frozenset({Section.JOBS})
    assert len(azure.azure.requests) == 3  # the list, three times
