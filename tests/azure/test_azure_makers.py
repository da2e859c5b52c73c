"""Which jobs of the past are asked for their checkpoints, how often, and what is kept of it."""

from datetime import timedelta

import pytest
from azure_factories import NOW, FakeAzure, answer, make_account, make_collector, raw_checkpoint, raw_event, raw_job

from watcher.resources.fine_tuning import JobStatus
from watcher.resources.snapshot import GapReason, Known, Section
from watcher.transport import ConnectError

JOBS = "/openai/v1/fine_tuning/jobs"
EVERY = timedelta(minutes=15)
DAY = timedelta(days=1)
SUCCEEDED = JobStatus.SUCCEEDED
WANTED = "ftchkpt-of-b-80"


def checkpoints_of(job, step=80):
    made = raw_checkpoint(step, job, train_loss=0.5) | {"id": f"FtChkpt-of-{job}-{step}"}
    return answer({"data": [made], "has_more": False})


def azure_with(*jobs, **replies):
    """Jobs that have ended, the first the oldest."""
    listed = [raw_job(job, "succeeded", created_at=1_756_000_000 + place) for place, job in enumerate(jobs)]
    given = {
        JOBS: answer({"data": listed, "has_more": False}),
        "/events": answer({"data": [raw_event("e", "Job started.")], "has_more": False}),
        "/content": answer("step,train_loss\n1,2.0\n"),
        **{f"/jobs/{job}/checkpoints": checkpoints_of(job) for job in jobs},
    }
    return FakeAzure(given | replies)


def known_of(jobs, **more):
    return Known(statuses=dict.fromkeys(jobs, SUCCEEDED), dialect="v1", **{"unplaced": frozenset({WANTED})} | more)


class Watched:
    """One collector over many polls, which is told of what it has read as a store would."""

    def __init__(self, azure, known):
        self.azure, self.known = azure, known
        self.collector = make_collector(azure, training_every=EVERY)

    async def poll(self, at=NOW):
        """The jobs asked, and the snapshot."""
        self.azure.requests.clear()
        jobs_only = frozenset({Section.JOBS})
        snapshot = await self.collector.collect(make_account(), self.known, at=at, sections=jobs_only)
        self.collector._openai._client._closed_until.clear()
        read = {job: (one.read_at, one.is_final) for job, one in snapshot.training.items()}
        self.known = Known(
            statuses=self.known.statuses,
            dialect="v1",
            jobs_digest=snapshot.jobs.digest if snapshot.jobs else self.known.jobs_digest,
            training={**self.known.training, **read},
            unread_training=self.known.unread_training,
            unplaced=self.known.unplaced - {c.id.lower() for t in snapshot.training.values() for c in t.checkpoints},
        )
        asked = [request.url.path.split("/")[-2] for request in self.azure.asked("/checkpoints")]
        return asked, snapshot


async def test_nothing_is_asked_where_no_checkpoint_is_without_its_job():
    watched = Watched(azure_with("a", "b"), known_of("ab", unplaced=frozenset()))
    asked, snapshot = await watched.poll()
    assert (asked, snapshot.training, len(watched.azure.requests)) == ([], {}, 1)


async def test_the_newest_jobs_are_asked_first_and_none_once_the_maker_is_found():
    watched = Watched(azure_with("a", "b", "c"), known_of("abc"))
    asked, snapshot = await watched.poll()
    assert asked == ["c", "b"]
    assert [one.id for one in snapshot.training["b"].checkpoints] == ["FtChkpt-of-b-80"]
    assert snapshot.gaps == ()
    asked, snapshot = await watched.poll(NOW + DAY)
    assert (asked, snapshot.training, len(watched.azure.requests)) == ([], {}, 1)


async def test_of_a_job_of_the_past_no_curve_is_kept_and_neither_log_nor_results_are_read():
    watched = Watched(azure_with("b"), known_of("b"))
    _, snapshot = await watched.poll()
    training = snapshot.training["b"]
    assert (training.is_final, training.points, training.source) == (True, (), None)
    assert "was asked for its checkpoints alone" in training.remark
    assert not watched.azure.asked("/events") + watched.azure.asked("/content")


async def test_a_few_are_asked_in_one_poll_and_each_once_though_none_made_it():
    jobs = "cdefghijk"
    watched = Watched(azure_with(*jobs), known_of(jobs))
    polls = [(await watched.poll(NOW + number * EVERY))[0] for number in range(6)]
    assert polls == [list("kjih"), list("gfed"), ["c"], [], [], []]
    again = Watched(watched.azure, watched.known)  # after a restart
    assert (await again.poll(NOW + DAY))[0] == []


async def test_jobs_whose_end_is_news_and_those_under_way_are_left_to_others():
    listed = [raw_job("b", "running"), raw_job("news", "succeeded"), raw_job("new", "failed")]
    replies = {f"/jobs/{job['id']}/checkpoints": checkpoints_of("x") for job in listed}
    azure = azure_with(**{JOBS: answer({"data": listed, "has_more": False})}, **replies)
    known = Known(
        statuses={"b": JobStatus.RUNNING, "news": SUCCEEDED},
        dialect="v1",
        unread_training={"news": NOW},
        unplaced=frozenset({WANTED}),
    )
    watched = Watched(azure, known)
    asked, snapshot = await watched.poll()
    assert sorted(asked) == ["new", "news"], "each once, and the running one when they are done"
    assert not any("alone" in training.remark for training in snapshot.training.values())


@pytest.mark.parametrize("reply", [answer("", 404), answer({"data": [], "has_more": False})], ids=["404", "none"])
async def test_a_job_without_checkpoints_is_not_asked_again(reply):
    watched = Watched(azure_with("b", **{"/jobs/b/checkpoints": reply}), known_of("b"))
    _, snapshot = await watched.poll()
    assert (snapshot.training["b"].is_final, snapshot.gaps) == (True, ())
    assert (await watched.poll(NOW + DAY))[0] == []


@pytest.mark.parametrize(
    ("reply", "reason"),
    [(answer("", 503), GapReason.BROKEN), (ConnectError("x"), GapReason.UNREACHABLE)],
    ids=["503", "no answer"],
)
async def test_what_fails_is_a_gap_and_the_others_wait_with_it(reply, reason):
    watched = Watched(azure_with("a", "b", "c", **{"/jobs/c/checkpoints": reply}), known_of("abc"))
    asked, snapshot = await watched.poll()
    (gap,) = snapshot.gaps
    assert (set(asked), snapshot.training, gap.section, gap.subject) == ({"c"}, {}, Section.TRAINING, "c")
    assert gap.reason is reason
    between, still = await watched.poll(NOW + EVERY / 2)
    assert (between, still.gaps) == ([], (gap,))
    later, found = await watched.poll(NOW + EVERY)
    assert later == ["b"], "one that fails for good must not keep the others from being asked"
    assert list(found.training) == ["b"]


async def test_an_outage_leaves_one_gap_and_one_request_at_a_time():
    jobs = "abcd"
    azure = azure_with(*jobs, **{f"/jobs/{job}/checkpoints": answer("", 503) for job in jobs})
    watched = Watched(azure, known_of(jobs))
    for number, job in enumerate("dcba"):
        asked, snapshot = await watched.poll(NOW + number * EVERY)
        assert (set(asked), [gap.subject for gap in snapshot.gaps]) == ({job}, [job])


async def test_one_that_fails_for_a_day_is_given_up():
    watched = Watched(azure_with("b", **{"/jobs/b/checkpoints": answer("", 503)}), known_of("b"))
    for at in (NOW, NOW + DAY - EVERY):
        asked, snapshot = await watched.poll(at)
        assert (set(asked), snapshot.training) == ({"b"}, {})
    _, snapshot = await watched.poll(NOW + DAY)
    assert (snapshot.gaps, snapshot.training["b"].is_final) == ((), True)
    assert "though tried for a day" in snapshot.training["b"].remark
    assert (await watched.poll(NOW + 2 * DAY))[0] == []


async def test_a_failure_is_forgotten_once_the_checkpoint_has_its_job():
    watched = Watched(azure_with("b", **{"/jobs/b/checkpoints": answer("", 503)}), known_of("b"))
    assert (await watched.poll())[1].gaps
    watched.known = known_of("b", unplaced=frozenset())
    assert (await watched.poll(NOW + EVERY))[1].gaps == ()
