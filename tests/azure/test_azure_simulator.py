"""The room against the simulator, which was written from Azure's documents and shares no code with it."""

from dataclasses import replace
from datetime import timedelta

import pytest
from azure_factories import Sleeps, static_credentials

from watcher.azure.catalogue import retirements
from watcher.azure.client import AzureClient
from watcher.azure.clouds import PUBLIC
from watcher.azure.collector import ALL_SECTIONS, Collector
from watcher.azure.discovery import DiscoverySettings, discover
from watcher.resources.changes import Change, diff
from watcher.resources.fine_tuning import JobStatus
from watcher.resources.merging import absorb
from watcher.resources.retirements import DOCUMENTED
from watcher.resources.snapshot import GapReason, Known, Reading, Section
from watcher.resources.training import CurveSource
from watcher.simulator import (
    TOKEN,
    Account,
    Addresses,
    Calls,
    Deployment,
    Fault,
    File,
    Job,
    Scenario,
    SteppedClock,
    World,
    create_app,
    demo,
)
from watcher.transport import ASGITransport, client_over

DAY = timedelta(days=1)


def deployed(name: str, **more) -> Deployment:
    return Deployment(**{"name": name, "model": "gpt-4.1-2025-04-14", "created": -5 * DAY, **more})


class Watched:
    """A simulated Azure, and one who polls its account `ft` and remembers what it said."""

    def __init__(self, scenario: Scenario) -> None:
        self.world = World(scenario)
        self.clock = SteppedClock(self.world.start)
        self.app = create_app(self.world, self.clock, addresses=Addresses(azure=True))
        http = client_over(ASGITransport(self.app))
        client = AzureClient(
            http,
            timeout_s=1,
            sleep=Sleeps(),
            rand=lambda: 0.0,
            clock=self.clock,
            monotonic=lambda: self.clock().timestamp(),
        )
        self.collector = Collector(client, PUBLIC, static_credentials(TOKEN))
        self.reading = None
        self.known = Known()

    async def discover(self, **settings):
        return await discover(self.collector.management, DiscoverySettings(**settings), at=self.clock())

    async def poll(self, **ahead):
        """One poll, so much later; the snapshot and its transitions."""
        self.clock.advance(timedelta(**ahead))
        if self.reading is None:
            (account,) = (await self.discover()).accounts
            self.reading = Reading(account=account)
        snapshot = await self.collector.collect(self.reading.account, self.known, at=self.clock())
        transitions = diff(self.reading, snapshot)
        self.reading = absorb(self.reading, snapshot)
        jobs = self.reading.jobs
        self.known = Known(
            jobs_digest=snapshot.jobs.digest if snapshot.jobs else self.known.jobs_digest,
            deployments_digest=snapshot.deployments.digest if snapshot.deployments else self.known.deployments_digest,
            statuses=None if jobs is None else {job.id: job.status for job in jobs},
            deployments=self.reading.deployments or (),
            usage=self.reading.usage or {},
            dialect=snapshot.dialect or self.known.dialect,
            files_digest=snapshot.files.digest if snapshot.files else self.known.files_digest,
            models_digest=snapshot.models.digest if snapshot.models else self.known.models_digest,
            training={**self.known.training, **{job: (t.read_at, t.is_final) for job, t in snapshot.training.items()}},
            deployments_at=self.reading.deployments_at,
        )
        return snapshot, transitions


def watched(*, faults=(), **account) -> Watched:
    return Watched(Scenario(accounts=(Account(name="ft", **account),), faults=faults))


async def test_the_demo_is_read_without_a_gap_from_its_start_to_its_end():
    azure = Watched(replace(demo(), faults=()))
    for day in range(18):
        found = await azure.discover()
        assert found.is_complete
        for account in found.accounts:
            snapshot = await azure.collector.collect(account, Known(), at=azure.clock())
            assert snapshot.gaps == (), (day, account.name)
        azure.clock.advance(DAY)
    assert azure.app.state.requests.refused_writes == 0


@pytest.mark.parametrize("dialects", [("v1",), ("dated",), ("v1", "dated")])
async def test_follows_a_job_to_its_end_in_either_dialect(dialects):
    azure = watched(dialects=dialects, jobs=(Job(name="j", created=timedelta(hours=1)),))
    await azure.poll()
    seen = []
    for _ in range(10):
        snapshot, transitions = await azure.poll(minutes=30)
        assert snapshot.gaps == ()
        seen += [transition.after for transition in transitions if transition.is_job_status]
    assert seen[-1] == "succeeded"
    assert "running" in seen
    assert snapshot.dialect == dialects[0]


@pytest.mark.parametrize("place", ["error", "events", "both"])
async def test_a_refusal_between_two_polls_is_explained(place):
    job = Job(name="j", created=timedelta(hours=1), outcome="rai_data", harm_types=("violence",), text_in=place)
    azure = watched(jobs=(job,))
    await azure.poll()
    snapshot, transitions = await azure.poll(hours=9)
    (listed,) = snapshot.jobs.items
    assert listed.status is JobStatus.FAILED
    texts = [event.message for event in snapshot.events[listed.id]] + [listed.error.message if listed.error else ""]
    assert any("failed RAI checks for harm types: [violence]" in text for text in texts)
    assert [one.after for one in transitions if one.is_job_status][-1] == "failed"


async def test_an_unchanged_account_costs_a_request_a_section():
    azure = watched(jobs=tuple(Job(name=f"j{n}", created=-30 * DAY) for n in range(5)), deployments=(deployed("d"),))
    await azure.poll()
    snapshot, transitions = await azure.poll(minutes=10)
    assert (snapshot.requests, snapshot.jobs.items, transitions) == (5, None, ())


async def test_more_jobs_than_a_page_holds_are_all_read():
    azure = watched(jobs=tuple(Job(name=f"j{n}", created=-30 * DAY) for n in range(130)))
    snapshot, _ = await azure.poll()
    assert len(snapshot.jobs.items) == 130


async def test_dates_the_last_good_call_and_claims_silence_only_for_what_was_read():
    calls = (Calls(from_=-10 * DAY, until=-2 * DAY, per_hour=5),)
    azure = watched(deployments=(deployed("Bot", created=-20 * DAY, calls=calls), deployed("mute")))
    snapshot, _ = await azure.poll()
    bot = snapshot.usage["bot"]
    last = azure.world.start - 2 * DAY
    assert last - timedelta(hours=2) <= bot.last_success_at <= last
    assert snapshot.usage["mute"].last_success_at is None
    _, _ = await azure.poll(hours=5)
    assert azure.reading.usage["bot"].last_success_at == bot.last_success_at
    assert azure.reading.usage["bot"].read_from == bot.read_from


async def test_gone_takes_two_signs():
    azure = watched(deployments=(deployed("a"), deployed("b")))
    await azure.poll()
    hidden = Fault(hide=("a",), hidden_status=403)
    azure.world.faults.add(hidden)
    snapshot, transitions = await azure.poll(minutes=10)
    assert transitions == ()
    assert [(gap.section, gap.reason) for gap in snapshot.gaps if gap.subject] == [
        (Section.DEPLOYMENTS, GapReason.ROLE)
    ]
    azure.world.faults.remove(hidden)
    azure.world.faults.add(Fault(hide=("a",), hidden_status=404))
    snapshot, transitions = await azure.poll(minutes=10)
    assert [(transition.change, transition.name) for transition in transitions] == [(Change.GONE, "a")]


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Fault(status=401), GapReason.CREDENTIAL),
        (Fault(status=429, retry_after=600), GapReason.THROTTLED),
        (Fault(status=429, retry_after_date=600), GapReason.THROTTLED),
        (Fault(status=503), GapReason.BROKEN),
        (Fault(status=502, body="html"), GapReason.BROKEN),
        (Fault(body="garbage"), GapReason.BROKEN),
        (Fault(body="cut"), GapReason.BROKEN),
        (Fault(body="empty"), GapReason.BROKEN),
        (Fault(body="html"), GapReason.BROKEN),
        (Fault(hang=True), GapReason.UNREACHABLE),
    ],
    ids=["401", "429", "429 date", "503", "html 502", "garbage", "cut", "empty", "html", "hang"],
)
async def test_every_fault_is_a_gap_in_each_section_and_passes(fault, reason):
    azure = watched(jobs=(Job(name="j", created=-9 * DAY),), deployments=(deployed("d"),))
    await azure.poll()
    before = azure.reading
    azure.world.faults.add(fault)
    snapshot, transitions = await azure.poll(minutes=10)
    whole = {gap.section: gap.reason for gap in snapshot.gaps if not gap.subject}
    assert whole == dict.fromkeys(ALL_SECTIONS, reason)
    assert transitions == ()
    assert (azure.reading.jobs, azure.reading.deployments) == (before.jobs, before.deployments)
    azure.world.faults.clear()
    snapshot, transitions = await azure.poll(minutes=20)
    assert (snapshot.gaps, transitions) == ((), ())


async def test_items_of_wrong_types_never_make_anything_gone():
    azure = watched(jobs=(Job(name="j", created=-9 * DAY),), deployments=(deployed("d"),))
    await azure.poll()
    azure.world.faults.add(Fault(body="wrong_types"))
    snapshot, transitions = await azure.poll(minutes=10)
    assert snapshot.gaps
    assert snapshot.absent == frozenset()
    assert not [transition for transition in transitions if transition.change is Change.GONE]


async def test_a_metric_in_error_is_unread_and_not_zero():
    azure = watched(deployments=(deployed("d"),), faults=(Fault(plane="metrics", metric_error="InternalError"),))
    snapshot, _ = await azure.poll()
    assert snapshot.usage is None
    assert snapshot.gap(Section.METRICS).reason is GapReason.BROKEN


async def test_what_passes_on_a_second_try_is_no_gap():
    azure = watched(faults=(Fault(status=503, times=1), Fault(plane="data", status=429, retry_after=1, times=1)))
    snapshot, _ = await azure.poll()
    assert snapshot.gaps == ()


async def test_the_inside_of_a_job_is_followed_to_its_results():
    job = Job(name="j", created=timedelta(hours=1), overfits=True, skipped_images=4)
    azure = watched(jobs=(job,))
    await azure.poll()
    read = []
    for _ in range(20):
        snapshot, _ = await azure.poll(minutes=15)
        assert (snapshot.gaps, snapshot.requests <= 12) == ((), True)
        read += snapshot.training.values()
    assert [one.is_final for one in read] == [False] * (len(read) - 1) + [True]
    assert len(read) > 5
    final = read[-1]
    assert (final.source, final.skipped, final.remark) == (CurveSource.RESULTS, 4, "")
    assert [point.step for point in final.points] == list(range(1, 121))
    losses = [point.metrics["valid_loss"] for point in final.points]
    assert min(losses[:70]) < losses[-1]
    assert {"train_accuracy", "valid_accuracy", "full_valid_loss"} <= final.points[-1].metrics.keys()
    assert [one.step for one in final.checkpoints] == [40, 80, 120]


@pytest.mark.parametrize("older", [False, True])
async def test_results_of_any_age_are_read(older):
    azure = watched(jobs=(Job(name="j", created=timedelta(hours=1), older_results=older, method="dpo"),))
    await azure.poll()
    snapshot, _ = await azure.poll(hours=12)
    (training,) = snapshot.training.values()
    assert (training.source, len(training.points)) == (CurveSource.RESULTS, 120)
    assert {"train_loss", "train_accuracy", "valid_loss", "valid_accuracy"} <= training.points[-1].metrics.keys()


async def test_files_and_models_are_read_as_they_come():
    files = (File(filename="bad.jsonl", created=timedelta(hours=1), status=(("error", timedelta()),)),)
    azure = watched(jobs=(Job(name="j", created=timedelta(hours=1), suffix="x"),), files=files)
    first, _ = await azure.poll()
    assert first.models.items == ()
    snapshot, _ = await azure.poll(hours=12)
    by_name = {file.filename: file for file in snapshot.files.items}
    assert by_name["bad.jsonl"].raw_status == "error"
    assert {"j-training.jsonl", "results.csv"} <= by_name.keys()
    (model,) = snapshot.models.items
    (job,) = snapshot.jobs.items
    assert (model.id, model.job, model.base) == (job.fine_tuned_model, job.id, job.model)
    again, _ = await azure.poll(minutes=10)
    assert (again.files.items, again.models.items, again.gaps) == (None, None, ())


@pytest.mark.parametrize("deleted_by", ["ann@contoso.example", None])
async def test_the_log_names_who_deleted_a_deployment_or_nobody(deleted_by):
    going = deployed("a", deleted=timedelta(minutes=5), deleted_by=deleted_by)
    azure = watched(deployments=(going, deployed("b")))
    await azure.poll()
    snapshot, _ = await azure.poll(minutes=10)
    (departure,) = snapshot.departures.values()
    assert (departure.is_read, departure.deleted_by) == (True, deleted_by or "")
    if deleted_by:
        assert departure.deleted_at == azure.world.start + timedelta(minutes=5)


async def test_a_log_that_is_late_is_read_in_the_end():
    gone = tuple(deployed(name, deleted=timedelta(minutes=5), deleted_by="ann@contoso.example") for name in "ab")
    account = Account(name="ft", deployments=gone)
    azure = Watched(Scenario(accounts=(account,), activity_delay=timedelta(minutes=8)))
    await azure.poll()
    before = azure.known.deployments
    snapshot, _ = await azure.poll(minutes=10)
    assert {(one.is_read, one.deleted_by) for one in snapshot.departures.values()} == {(True, "")}
    azure.known = replace(azure.known, departed=before)
    snapshot, _ = await azure.poll(minutes=10)
    assert {one.deleted_by for one in snapshot.departures.values()} == {"ann@contoso.example"}
    assert len(snapshot.departures) == 2


@pytest.mark.parametrize("status", [200, 403, 529])
async def test_metrics_by_the_batch_say_what_single_ones_say(status):
    calls = (Calls(from_=-10 * DAY, until=-2 * DAY, per_hour=5),)
    accounts = tuple(Account(name=name, deployments=(deployed("d", calls=calls), deployed("e"))) for name in "ab")
    faults = () if status == 200 else (Fault(api="metrics_batch", status=status),)
    azure = Watched(Scenario(accounts=accounts, faults=faults))
    single = azure.collector
    client = single._openai._client
    batched = Collector(client, PUBLIC, static_credentials(TOKEN), batch=True)
    found = (await azure.discover()).accounts
    for account in found:
        read = [await one.collect(account, Known(), at=azure.clock()) for one in (single, batched)]
        assert (read[0].usage, read[0].gaps) == (read[1].usage, read[1].gaps)
        assert read[0].usage["d"].last_success_at is not None


async def test_when_models_retire_is_read_from_each_region():
    azure = watched(location="swedencentral")
    account = (await azure.discover()).accounts
    found, regions = await retirements(azure.collector.management, account)
    assert regions == {"swedencentral"}
    told = {one.model: one for one in found}
    for documented in DOCUMENTED:
        one = told[documented.model]
        assert (one.fine_tune_until, one.inference_until) == (documented.fine_tune_until, documented.inference_until)


@pytest.mark.parametrize("ahead", [timedelta(minutes=7), -timedelta(hours=2)])
async def test_the_skew_of_the_clocks_is_measured(ahead):
    azure = watched(faults=(Fault(date_skew=-ahead),))
    await azure.poll()
    client = azure.collector._openai._client
    assert abs(client.skew - ahead) <= timedelta(seconds=1)
