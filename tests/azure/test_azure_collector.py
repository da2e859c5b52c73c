import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from azure_factories import (
    ACCOUNT_ID,
    KEY,
    NOW,
    FakeAzure,
    answer,
    make_account,
    make_client,
    make_collector,
    make_deployment,
    raw_account,
    raw_checkpoint,
    raw_deployment,
    raw_event,
    raw_file,
    raw_job,
    raw_metrics,
    raw_model,
    raw_series,
    static_credentials,
)

from watcher.azure.auth import Credentials
from watcher.azure.clouds import PUBLIC
from watcher.azure.collector import ALL_SECTIONS, Collector
from watcher.resources.changes import diff
from watcher.resources.fine_tuning import JobStatus
from watcher.resources.merging import absorb
from watcher.resources.snapshot import NAMELESS, NOT_OFFERED, GapReason, Known, Plane, Reading, Section
from watcher.transport import ConnectError

JOBS = "/openai/v1/fine_tuning/jobs"
METRICS = "/microsoft.insights/metrics"
D_KEY = make_deployment("d").key
FIRST = frozenset({Section.JOBS, Section.DEPLOYMENTS, Section.METRICS})


def jobs_page(*jobs, **more):
    return answer({"object": "list", "data": list(jobs), "has_more": False, **more})


def deployments_page(*deployments):
    return answer({"value": list(deployments)})


def healthy(**changes):
    replies = {
        JOBS: jobs_page(raw_job("ftjob-1", "running"), raw_job("ftjob-0", "failed")),
        "/events": answer({"data": [raw_event("e1", "Job started.")], "has_more": False}),
        "/checkpoints": answer({"data": [raw_checkpoint(80, train_loss=0.9)], "has_more": False}),
        "/openai/v1/files": answer({"data": [raw_file()], "has_more": False}),
        "/openai/models": answer({"data": [raw_model(), raw_model("gpt-4.1", fine_tune=None)]}),
        "/deployments": deployments_page(raw_deployment("d")),
        METRICS: answer(raw_metrics(raw_series("d", "200", ("2026-11-22T05:00:00Z", 1)))),
    }
    return FakeAzure({path: reply for path, reply in (replies | changes).items() if reply is not None})


def known_after(snapshot, **changes):
    given = {
        "jobs_digest": snapshot.jobs.digest,
        "deployments_digest": snapshot.deployments.digest,
        "statuses": {job.id: job.status for job in snapshot.jobs.items or ()},
        "deployments": snapshot.deployments.items,
        "usage": snapshot.usage or {},
        "dialect": snapshot.dialect,
        "files_digest": snapshot.files.digest if snapshot.files else "",
        "models_digest": snapshot.models.digest if snapshot.models else "",
        "training": {job: (one.read_at, one.is_final) for job, one in snapshot.training.items()},
        "deployments_at": snapshot.at,
    }
    return Known(**(given | changes))


async def collect(azure, known=None, **options):
    return await make_collector(azure).collect(make_account(), known or Known(), at=NOW, **options)


async def test_an_account_s_own_host_is_asked_one_thing_at_a_time():
    """Every connection to it is kept for the next poll, and there may be thousands of accounts."""
    azure, under_way, most = healthy(), 0, 0
    of_host = [path for path in azure.replies if path in (JOBS, "/openai/v1/files", "/openai/models")]

    def slow(reply):
        async def wait(_request):
            nonlocal under_way, most
            under_way += 1
            most = max(most, under_way)
            for _ in range(20):
                await asyncio.sleep(0)
            under_way -= 1
            return reply

        return wait

    azure.replies |= {path: [slow(azure.replies[path][0])] for path in of_host}
    snapshot = await collect(azure)
    assert (len(of_host), most, snapshot.gaps) == (3, 1, ())
    assert None not in (snapshot.jobs, snapshot.files, snapshot.models)


async def test_reads_an_account_at_first_sight_without_asking_for_history():
    azure = healthy()
    snapshot = await collect(azure)
    assert snapshot.gaps == ()
    assert [job.id for job in snapshot.jobs.items] == ["ftjob-1", "ftjob-0"]
    assert [deployment.key for deployment in snapshot.deployments.items] == [D_KEY]
    assert list(snapshot.usage) == ["d"]
    assert (set(snapshot.events), snapshot.dialect) == ({"ftjob-1"}, "v1")  # it runs: its log alone tells since when
    assert [file.id for file in snapshot.files.items] == ["file-1"]
    assert [model.id for model in snapshot.models.items] == ["gpt-4.1.ft-1"]
    assert [one.step for one in snapshot.training["ftjob-1"].checkpoints] == [80]
    assert snapshot.requests == len(azure.requests) == 7
    assert all(request.method == "GET" for request in azure.requests)


async def test_an_unchanged_account_costs_a_request_a_section_and_no_decoding():
    first = await collect(healthy())
    azure = healthy()
    second = await collect(azure, known_after(first))
    sections = ("jobs", "deployments", "files", "models")
    assert [getattr(second, section).items for section in sections] == [None] * 4
    assert second.requests == len(azure.requests) == 5
    assert [getattr(second, one).digest for one in sections] == [getattr(first, one).digest for one in sections]


async def test_asks_only_for_the_sections_that_are_wanted():
    azure = healthy()
    snapshot = await collect(azure, sections=frozenset({Section.JOBS}))
    assert snapshot.asked == frozenset({Section.JOBS, Section.TRAINING})
    assert (snapshot.deployments, snapshot.usage, snapshot.files, snapshot.models) == (None, None, None, None)
    assert [request.url.path.rpartition("/")[2] for request in azure.requests] == ["jobs", "events", "checkpoints"]


async def test_reads_the_log_of_jobs_that_have_moved_and_of_no_other():
    first = await collect(healthy())
    moved = jobs_page(raw_job("ftjob-2", "pending"), raw_job("ftjob-1", "succeeded"), raw_job("ftjob-0", "failed"))
    azure = healthy(**{JOBS: moved})
    second = await collect(azure, known_after(first))
    assert set(second.events) == {"ftjob-1", "ftjob-2"}
    assert len(azure.asked("/events")) == 2


async def test_asks_again_for_the_log_of_an_unexplained_job_though_nothing_has_changed():
    first = await collect(healthy())
    azure = healthy()
    second = await collect(azure, known_after(first, unexplained=frozenset({"ftjob-0"})))
    assert second.jobs.items is None
    assert set(second.events) == {"ftjob-0"}


async def test_a_log_that_cannot_be_read_is_a_gap_of_its_job():
    first = await collect(healthy())
    azure = healthy(**{JOBS: jobs_page(raw_job("ftjob-1", "failed")), "/events": answer("", 403)})
    second = await collect(azure, known_after(first))
    assert [(gap.section, gap.subject) for gap in second.gaps] == [(Section.JOBS, "ftjob-1")]
    assert second.jobs.items is not None
    assert second.gap(Section.JOBS) is None


async def test_a_job_that_cannot_be_read_is_named_and_the_digest_stays_open():
    azure = healthy(**{JOBS: jobs_page(raw_job("a"), {"id": "b", "status": None})})
    snapshot = await collect(azure)
    assert [job.id for job in snapshot.jobs.items] == ["a"]
    assert [(gap.subject, gap.reason) for gap in snapshot.gaps] == [("b", GapReason.BROKEN)]
    again = await collect(azure, known_after(snapshot))
    assert again.jobs.items is not None
    assert again.gaps == snapshot.gaps


async def test_a_job_without_an_id_costs_that_job_and_leaves_the_digest_open():
    azure = healthy(**{JOBS: jobs_page(raw_job("a"), {"status": "running"}, {"status": "failed"})})
    snapshot = await collect(azure)
    assert [job.id for job in snapshot.jobs.items] == ["a"]
    assert [(gap.subject, gap.reason) for gap in snapshot.gaps] == [(NAMELESS, GapReason.BROKEN)]
    assert snapshot.gap(Section.JOBS) is None
    assert (await collect(azure, known_after(snapshot))).jobs.items is not None


async def test_no_job_is_missing_while_one_in_the_list_has_no_id():
    snapshot = await collect(healthy(**{JOBS: jobs_page(raw_job("a"), {"status": "running"})}))
    lost = replace(snapshot.jobs.items[0], id="lost")
    reading = Reading(account=make_account(), jobs=(lost,), jobs_at=NOW)
    assert {job.id for job in absorb(reading, snapshot).jobs} == {"a", "lost"}


async def test_pages_go_on_after_a_job_without_an_id():
    pages = [jobs_page(raw_job("b"), {"status": "running"}, has_more=True), jobs_page(raw_job("a"))]
    snapshot = await collect(healthy(**{JOBS: pages}))
    assert [job.id for job in snapshot.jobs.items] == ["b", "a"]


@pytest.mark.parametrize(
    ("reply", "listed"),
    [(answer("", 404), {D_KEY}), (answer(raw_deployment("gone")), {D_KEY, make_deployment("gone").key})],
    ids=["404", "still there"],
)
async def test_no_deployment_is_gone_while_one_in_the_list_has_no_id(reply, listed):
    gone = make_deployment("gone")
    known = Known(deployments=(make_deployment("d"), gone))
    replies = {"/deployments": deployments_page(raw_deployment("d"), {"name": "x"}), GONE: reply}
    snapshot = await collect(healthy(**replies), known)
    assert {deployment.key for deployment in snapshot.deployments.items} == listed
    assert snapshot.absent == frozenset()
    assert {gap.subject for gap in snapshot.gaps} == {NAMELESS} | ({gone.key} - listed)
    assert snapshot.deployments.digest.endswith("~")
    reading = Reading(account=make_account(), deployments=known.deployments, deployments_at=NOW)
    assert {deployment.key for deployment in absorb(reading, snapshot).deployments} == {D_KEY, gone.key}


GONE = "/deployments/gone"


@pytest.mark.parametrize(
    ("reply", "absent", "reason"),
    [
        (answer({"error": {"code": "DeploymentNotFound", "message": "x"}}, 404), True, None),
        (answer({"error": {"code": "AuthorizationFailed", "message": "x"}}, 403), False, GapReason.ROLE),
        (answer("", 429, retry_after="900"), False, GapReason.THROTTLED),
        (answer("", 500), False, GapReason.BROKEN),
        (answer("?"), False, GapReason.BROKEN),
        (ConnectError("x"), False, GapReason.UNREACHABLE),
        (answer(raw_deployment("gone")), False, None),
    ],
    ids=["404", "403", "429", "500", "garbage", "no answer", "still there"],
)
async def test_a_missing_deployment_is_asked_for_by_its_own_address(reply, absent, reason):
    first = await collect(healthy())
    gone = make_deployment("gone")
    known = known_after(first, deployments=(*first.deployments.items, gone), deployments_digest="older")
    azure = healthy(**{GONE: reply})
    second = await collect(azure, known)
    assert second.absent == (frozenset({gone.key}) if absent else frozenset())
    assert [(gap.reason, gap.subject) for gap in second.gaps] == ([(reason, gone.key)] if reason else [])
    lives = reason is None and not absent
    assert (gone.key in {deployment.key for deployment in second.deployments.items}) is lives


@pytest.mark.parametrize("reply", [answer("", 403), answer(raw_deployment("gone"))], ids=["403", "still there"])
async def test_what_stays_open_is_asked_again_though_the_listing_is_the_same(reply):
    first = await collect(healthy())
    known = known_after(
        first, deployments=(*first.deployments.items, make_deployment("gone")), deployments_digest="old"
    )
    azure = healthy(**{GONE: reply})
    second = await collect(azure, known)
    third = await collect(azure, known_after(second, deployments=known.deployments))
    assert len(azure.asked(GONE)) == 2
    assert third.deployments.items is not None
    assert third.gaps == second.gaps


async def test_once_gone_it_is_not_asked_for_again():
    first = await collect(healthy())
    known = known_after(
        first, deployments=(*first.deployments.items, make_deployment("gone")), deployments_digest="old"
    )
    second = await collect(healthy(), known)
    assert second.absent
    azure = healthy()
    third = await collect(azure, known_after(second))
    assert (third.deployments.items, third.requests) == (None, 5)


async def test_an_unreadable_deployment_is_not_taken_for_gone():
    azure = healthy(**{"/deployments": deployments_page(raw_deployment("e"), {"id": f"{ACCOUNT_ID}/deployments/D"})})
    known = Known(deployments=(make_deployment("d"),))
    snapshot = await collect(azure, known)
    assert [(gap.subject, gap.section) for gap in snapshot.gaps] == [(D_KEY, Section.DEPLOYMENTS)]
    assert snapshot.absent == frozenset()
    assert not azure.asked("/deployments/d")


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (answer("", 401), GapReason.CREDENTIAL),
        (answer({"error": {"message": "Public access is disabled."}}, 403), GapReason.NETWORK),
        (answer({"error": {"code": "AuthenticationTypeDisabled"}}, 403), GapReason.KEYS_DISABLED),
        (answer({"error": {"message": "temporarily blocked"}}, 403), GapReason.BLOCKED),
        (answer({"error": {"message": "no"}}, 403), GapReason.FORBIDDEN),
        (answer("", 404), GapReason.NOT_FOUND),
        (answer("", 429, retry_after="100"), GapReason.THROTTLED),
        (answer("", 503), GapReason.BROKEN),
        (answer("", 400), GapReason.BROKEN),
        (answer("<html>"), GapReason.BROKEN),
        (ConnectError("x"), GapReason.UNREACHABLE),
        (answer({"data": [], "has_more": True, "value": "x"}), GapReason.INCOMPLETE),
    ],
)
async def test_each_fault_is_a_gap_of_its_section_and_spoils_no_other(reply, reason):
    snapshot = await collect(healthy(**{JOBS: reply}), sections=FIRST)
    (gap,) = snapshot.gaps
    assert (gap.section, gap.plane, gap.reason, gap.at, gap.subject) == (Section.JOBS, Plane.DATA, reason, NOW, "")
    assert snapshot.jobs is None
    assert snapshot.deployments is not None
    assert snapshot.usage is not None
    other = await collect(healthy(**{METRICS: answer("", 403), "/deployments": answer("", 500)}), sections=FIRST)
    assert {gap.section for gap in other.gaps} == {Section.METRICS, Section.DEPLOYMENTS}
    assert other.jobs is not None


async def test_a_gap_tells_how_long_to_wait_and_under_which_request():
    gap = (await collect(healthy(**{JOBS: answer("", 429, retry_after="100", apim_request_id="r-1")}))).gaps[0]
    assert "wait 100 s" in gap.message
    assert (gap.status, gap.request_id) == (429, "r-1")


async def test_without_a_credential_every_section_says_so_and_nothing_is_asked():
    def build():
        raise RuntimeError("no managed identity here")

    azure = healthy()
    collector = Collector(make_client(azure), PUBLIC, Credentials(build))
    snapshot = await collector.collect(make_account(), Known(), at=NOW)
    assert {gap.section for gap in snapshot.gaps} == ALL_SECTIONS
    assert {gap.reason for gap in snapshot.gaps} == {GapReason.CREDENTIAL}
    assert azure.requests == []


async def test_an_account_with_a_key_needs_no_token_for_its_jobs():
    azure = healthy()
    await make_collector(azure, keys={ACCOUNT_ID: "k3y"}).collect(make_account(), Known(), at=NOW)
    by_key = {request.url.host: "api-key" in request.headers for request in azure.requests}
    assert by_key == {"ft.openai.azure.com": True, "management.azure.com": False}


async def test_a_refused_key_is_told_apart_from_a_refused_credential():
    refused = {"code": "401", "message": "Access denied due to invalid subscription key or wrong API endpoint."}
    azure = healthy(**{JOBS: answer({"error": refused}, 401)})
    by_key = await make_collector(azure, keys={ACCOUNT_ID: "k3y"}).collect(make_account(), Known(), at=NOW)
    assert by_key.gap(Section.JOBS).reason is GapReason.KEY
    assert (await collect(azure)).gap(Section.JOBS).reason is GapReason.CREDENTIAL


async def test_an_account_without_an_address_is_no_outage():
    account = make_account(endpoint="")
    snapshot = await make_collector(healthy()).collect(account, Known(), at=NOW)
    assert snapshot.gap(Section.JOBS).reason is GapReason.NO_ENDPOINT


async def test_no_wait_is_told_where_none_is_left():
    snapshot = await collect(healthy(**{JOBS: answer("", 429, retry_after="0")}))
    assert "wait" not in snapshot.gap(Section.JOBS).message


async def test_metrics_follow_the_deployments_that_were_just_listed():
    azure = healthy(**{"/deployments": deployments_page(raw_deployment("New"), raw_deployment("d"))})
    assert set((await collect(azure)).usage) == {"d", "new"}


async def test_metrics_go_by_what_is_known_where_the_listing_fails():
    azure = healthy(**{"/deployments": answer("", 503)})
    snapshot = await collect(azure, Known(deployments=(make_deployment("old"),)))
    assert set(snapshot.usage) == {"d", "old"}


async def test_an_account_without_deployments_is_not_asked_for_metrics():
    azure = healthy(**{"/deployments": deployments_page()})
    snapshot = await collect(azure)
    assert (snapshot.usage, snapshot.gap(Section.METRICS)) == ({}, None)
    assert not azure.asked(METRICS)


async def test_metrics_are_continued_and_join_what_is_known():
    first = await collect(healthy())
    azure = healthy(**{METRICS: answer(raw_metrics())})
    known = known_after(first)
    second = await make_collector(azure).collect(make_account(), known, at=NOW + timedelta(hours=3))
    assert "timespan=2026-11-21T07%3A00%3A00Z%2F2026-11-22T11%3A10%3A00Z" in str(azure.asked(METRICS)[0].url)
    read = second.usage["d"]
    assert read.read_from <= first.usage["d"].read_to <= read.read_to


async def test_a_cloud_without_the_newer_metric_is_asked_for_the_older():
    refusal = "Failed to find metric configuration for ModelRequests. Valid metrics: AzureOpenAIRequests"
    older = raw_metrics()
    del older["value"][1]
    azure = healthy(**{METRICS: [answer({"code": "BadRequest", "message": refusal}, 400), answer(older)]})
    snapshot = await collect(azure)
    assert snapshot.gaps == ()
    assert [("ModelRequests" in str(request.url)) for request in azure.asked(METRICS)] == [True, False]
    other = "Invalid timespan. Valid metrics: AzureOpenAIRequests,ModelRequests"
    snapshot = await collect(healthy(**{METRICS: answer({"code": "BadRequest", "message": other}, 400)}))
    assert snapshot.gap(Section.METRICS).reason is GapReason.BROKEN


async def test_an_answer_that_leaves_out_a_metric_is_no_reading_of_calls():
    half = raw_metrics()
    del half["value"][1]
    snapshot = await collect(healthy(**{METRICS: answer(half)}))
    assert (snapshot.usage, snapshot.gap(Section.METRICS).reason) == (None, GapReason.INCOMPLETE)


async def test_calls_are_read_back_as_far_as_the_longest_lifetime_asks():
    old = raw_deployment("d")
    old["systemData"] = {"createdAt": "2026-06-01T00:00:00Z"}
    azure = healthy(**{"/deployments": deployments_page(old)})
    collector = Collector(make_client(azure), PUBLIC, static_credentials(), first_span=timedelta(days=61))
    await collector.collect(make_account(), Known(), at=NOW, sections=FIRST)
    assert "timespan=2026-09-22T08%3A00%3A00Z" in str(azure.asked(METRICS)[0].url)


async def test_reads_the_account_itself_and_keeps_what_discovery_said():
    raw = raw_account(tags={"a": "b"})
    raw["properties"] |= {
        "disableLocalAuth": True,
        "provisioningState": "Deleting",
        "endpoint": "https://x.example.com",
    }
    azure = healthy(**{"/accounts/ft": answer(raw)})
    account = make_account(owner="me", label="ft@rg", labels={"x": "y"})
    snapshot = await make_collector(azure).collect(account, Known(), at=NOW, sections=frozenset({Section.ACCOUNT}))
    seen = snapshot.account
    assert (seen.owner, seen.label, seen.labels, seen.endpoint) == ("me", "ft@rg", {"x": "y"}, account.endpoint)
    assert (seen.tags, seen.local_auth_disabled, seen.provisioning_state) == ({"a": "b"}, True, "Deleting")


async def test_a_cancelled_collect_ends_at_once():
    async def hang(_):
        await asyncio.sleep(60)
        raise AssertionError

    azure = healthy(**{JOBS: hang, "/deployments": hang})
    task = asyncio.create_task(collect(azure))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_an_account_that_hangs_page_after_page_comes_to_its_end():
    """Each page comes within its limit; together they would take for ever."""
    numbers = iter(range(9999))

    async def slow(_):
        await asyncio.sleep(0.03)
        return jobs_page(raw_job(f"j{next(numbers)}"), has_more=True)

    client = make_client(healthy(**{JOBS: slow}), timeout_s=0.05)
    snapshot = await Collector(client, PUBLIC, static_credentials()).collect(make_account(), Known(), at=NOW)
    assert snapshot.gap(Section.JOBS).reason is GapReason.UNREACHABLE
    assert next(numbers) < 10


async def test_what_is_read_twice_is_absorbed_without_a_change():
    first = await collect(healthy())
    reading = absorb(Reading(account=make_account()), first)
    second = await collect(healthy(), known_after(first))
    assert diff(reading, second) == ()
    assert absorb(reading, second).jobs == reading.jobs
    assert reading.jobs[0].status is JobStatus.RUNNING
    assert first.account.key == KEY


MODELS = "/openai/models"
FILES = "/openai/v1/files"
BOTH = frozenset({Section.FILES, Section.MODELS})


async def test_files_and_models_that_are_not_offered_are_none_and_no_gap():
    azure = healthy(**{FILES: None, MODELS: None})
    first = await collect(azure)
    assert (first.files.items, first.models.items, first.gaps) == ((), (), ())
    assert (first.files.digest, first.models.digest) == (NOT_OFFERED, NOT_OFFERED)
    second = await collect(azure, known_after(first))
    assert (second.files.items, second.models.items, second.gaps) == (None, None, ())


async def test_an_empty_list_is_another_thing_than_none():
    empty = await collect(healthy(**{FILES: answer({"data": []}), MODELS: answer({"data": []})}))
    assert (empty.files.items, empty.models.items) == ((), ())
    assert NOT_OFFERED not in (empty.files.digest, empty.models.digest)
    later = await collect(healthy(**{FILES: None, MODELS: None}), known_after(empty), sections=BOTH)
    assert later.gap(Section.FILES).reason is GapReason.NOT_FOUND
    again = await collect(healthy(), Known(files_digest=NOT_OFFERED, models_digest=NOT_OFFERED), sections=BOTH)
    assert again.files.items and again.gaps == ()


@pytest.mark.parametrize("section", sorted(BOTH))
async def test_what_was_offered_once_and_answers_404_now_is_no_empty_list(section):
    first = await collect(healthy())
    snapshot = await collect(healthy(**{FILES: None, MODELS: None}), known_after(first), sections=frozenset({section}))
    assert getattr(snapshot, section) is None
    assert snapshot.gap(section).reason is GapReason.NOT_FOUND


async def test_files_are_asked_in_the_dialect_that_is_known_and_models_in_the_dated_one():
    dated = {"/openai/files": answer({"data": [raw_file()]}), FILES: None}
    azure = healthy(**dated)
    snapshot = await collect(azure, Known(dialect="dated"), sections=BOTH)
    assert ([file.id for file in snapshot.files.items], snapshot.requests) == (["file-1"], 2)
    assert {request.url.query for request in azure.requests} == {b"api-version=2024-10-21"}
    v1 = healthy(**{MODELS: None, "/openai/v1/models": answer({"data": [{"id": "gpt.ft-1", "created": 1756781454}]})})
    snapshot = await collect(v1, Known(dialect="v1"), sections=BOTH)
    assert ([model.id for model in snapshot.models.items], snapshot.requests) == (["gpt.ft-1"], 3)


async def test_a_configured_dialect_is_the_only_one_asked():
    azure = healthy()
    await make_collector(azure, api="v1").collect(make_account(), Known(), at=NOW, sections=BOTH)
    assert {request.url.path for request in azure.requests} == {FILES, "/openai/v1/models"}


async def test_files_that_come_in_pages_are_read_to_the_end():
    pages = [answer({"data": [raw_file("a")], "has_more": True}), answer({"data": [raw_file("b")], "has_more": False})]
    azure = healthy(**{FILES: pages})
    snapshot = await collect(azure, sections=frozenset({Section.FILES}))
    assert [file.id for file in snapshot.files.items] == ["a", "b"]
    assert [request.url.query for request in azure.requests] == [b"", b"after=a"]


@pytest.mark.parametrize(
    ("section", "path", "bad"),
    [(Section.FILES, FILES, {"id": "b", "status": []}), (Section.MODELS, MODELS, {"object": "model"})],
)
async def test_an_unreadable_file_or_model_leaves_the_digest_open_where_it_may_matter(section, path, bad):
    azure = healthy(**{path: answer({"data": [raw_file("a") | raw_model("a"), bad]})})
    snapshot = await collect(azure, sections=frozenset({section}))
    items = getattr(snapshot, section).items
    if section is Section.FILES:  # a status of the wrong type costs the status alone
        assert ([item.id for item in items], snapshot.gaps) == (["a", "b"], ())
        return
    assert ([item.id for item in items], [gap.subject for gap in snapshot.gaps]) == (["a"], [NAMELESS])
    assert getattr(snapshot, section).digest.endswith("~")
    assert getattr(await collect(azure, known_after_models(snapshot), sections=frozenset({section})), section).items


def known_after_models(snapshot):
    return Known(models_digest=snapshot.models.digest)


@pytest.mark.parametrize("section", sorted(BOTH))
@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (answer("", 500), GapReason.BROKEN),
        (answer("?"), GapReason.BROKEN),
        (answer({"error": {"code": "PermissionDenied"}}, 403), GapReason.ROLE),
        (ConnectError("x"), GapReason.UNREACHABLE),
    ],
)
async def test_files_and_models_fail_each_on_their_own(section, reply, reason):
    path = FILES if section is Section.FILES else MODELS
    snapshot = await collect(healthy(**{path: reply}))
    (gap,) = snapshot.gaps
    assert (gap.section, gap.plane, gap.reason) == (section, Plane.DATA, reason)
    assert getattr(snapshot, section) is None


def base(name="gpt-4o", **more):
    raw = raw_deployment(name, **more)
    raw["properties"]["model"] = {"format": "OpenAI", "name": name, "version": "2024-08-06"}
    return raw


@pytest.mark.parametrize(
    ("deployments", "custom_models", "is_asked"),
    [
        ([base()], frozenset(), False),
        ([base(), base("o4-mini")], frozenset({"gpt.ft-1"}), False),
        ([base()], None, True),
        ([base(), raw_deployment("d")], frozenset(), True),
        ([base("mine")], frozenset({"mine"}), True),
    ],
    ids=["base", "two of base", "not told", "one fine-tuned", "a custom name"],
)
async def test_base_models_are_not_asked_about_where_that_is_all_there_is(deployments, custom_models, is_asked):
    azure = healthy(**{"/deployments": deployments_page(*deployments)})
    snapshot = await collect(azure, Known(custom_models=custom_models), sections=FIRST)
    assert bool(azure.asked(METRICS)) is is_asked
    assert (snapshot.usage is not None, snapshot.gap(Section.METRICS)) == (True, None)


async def test_a_model_from_another_account_may_be_customised():
    raw = base()
    raw["properties"]["model"]["source"] = "/subscriptions/x/…/accounts/other"
    azure = healthy(**{"/deployments": deployments_page(raw)})
    await collect(azure, Known(custom_models=frozenset()), sections=FIRST)
    assert azure.asked(METRICS)


async def test_after_the_first_reading_each_account_is_asked_only_for_what_is_new():
    first = await collect(healthy())
    for minutes, start in ((0, "21T07"), (60, "21T08"), (720, "21T19")):  # a day before: metrics may come late
        azure = healthy()
        at = NOW + timedelta(minutes=minutes)
        known = known_after(first, usage={"d": replace(first.usage["d"], read_to=at - timedelta(minutes=70))})
        await make_collector(azure).collect(make_account(), known, at=at, sections=FIRST)
        assert f"timespan=2026-11-{start}%3A00%3A00Z" in str(azure.asked(METRICS)[0].url)
