"""Generated account-months: the same seed gives the same month, none contradicts itself, and nothing is left out."""

import hashlib
import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from functools import cache
from itertools import pairwise

import pytest

from watcher.simulator import Account, Deployment, Fault, Job, Scenario, World
from watcher.simulator.chances import Chances
from watcher.simulator.deployments import lives
from watcher.simulator.generator import account_month
from watcher.simulator.jobs import ended_at, phase_at, timeline
from watcher.simulator.ledger import Ledger, ledger
from watcher.simulator.loading import inconsistencies
from watcher.simulator.training import checkpoint_payloads

M, H, D = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
ZERO = timedelta(0)
MONTHS = 300


@cache
def months() -> tuple[Scenario, ...]:
    return tuple(account_month(seed) for seed in range(MONTHS))


@cache
def truths() -> tuple[Ledger, ...]:
    return tuple(ledger(World(month)) for month in months())


# --------------------------------------------------------------------------------------------------------- the seed


def test_chance_is_the_same_on_every_python():
    """The draws themselves, so that another version of Python cannot change every month unseen."""
    chances = Chances("pinned", 7)
    drawn = [
        chances.number(0, 1000),
        chances.one_of("abcdef"),
        chances.weighted(((1, "x"), (98, "y"), (1, "z"))),
        chances.some(range(10), 3, 3),
        chances.moment(ZERO, D).total_seconds(),
        chances.length(M, 10 * D).total_seconds(),
        chances.happens(50),
        chances.fork("b").number(0, 10**9),
    ]
    assert drawn == [543, "f", "y", (2, 5, 9), 53466.0, 48918.0, False, 135163396]


def test_the_same_seed_gives_the_same_month_in_every_process():
    script = (
        "import hashlib; from watcher.simulator.generator import account_month as m;"
        "print(hashlib.sha256(repr([m(seed) for seed in range(20)]).encode()).hexdigest())"
    )
    here = hashlib.sha256(repr([account_month(seed) for seed in range(20)]).encode()).hexdigest()
    for number in ("1", "77"):
        environment = os.environ | {"PYTHONHASHSEED": number}
        done = subprocess.run(
            [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True, timeout=60
        )
        assert done.stdout.strip() == here


def test_a_month_can_be_printed():
    command = [sys.executable, "-W", "error", "-m", "watcher.simulator.generator", "3"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    table = json.loads(done.stdout)
    assert done.stderr == "" and len(table["lives"]) == len(truths()[3].lives)


def test_other_seeds_give_other_months():
    assert len({repr(month) for month in months()}) == MONTHS


def test_streams_of_chance_do_not_disturb_one_another():
    one, two = Chances("x"), Chances("x")
    one.fork("a").number(0, 9)
    assert one.number(0, 10**9) == two.number(0, 10**9)
    assert one.fork("a").number(0, 10**9) != one.fork("b").number(0, 10**9)


def test_a_span_the_wrong_way_round_is_its_beginning():
    assert Chances("x").moment(D, H) == D


# ------------------------------------------------------------------------------------------------------- its promises


def test_no_month_contradicts_itself():
    assert [found for month in months() if (found := inconsistencies(month))] == []


@pytest.mark.parametrize("number", [1, 9])
def test_so_many_accounts_as_asked_for(number):
    for seed in range(30):
        month = account_month(seed, accounts=number)
        assert inconsistencies(month) == []
        watched = [account for account in month.accounts if account.kind in ("OpenAI", "AIServices")]
        assert len({account.key for account in watched}) == number


def test_no_two_accounts_bear_one_id_at_one_time():
    for month in months():
        world, seen = World(month), []
        for account in month.accounts:
            seen.append((world.account_id(account).lower(), account.created, account.deleted))
        for index, (name, created, deleted) in enumerate(seen):
            for other, begun, ended in seen[index + 1 :]:
                apart = (deleted is not None and begun >= deleted) or (ended is not None and created >= ended)
                assert name != other or apart


def test_a_month_is_a_month():
    assert {month.length // D for month in months()} == {30, 31, 32}
    assert all(month.start is not None and month.start.microsecond == 0 for month in months())


def test_half_of_the_months_are_calm():
    assert 0.4 < sum(not month.faults for month in months()) / MONTHS < 0.62


def test_models_and_checkpoints_are_deployed_only_while_they_are_there():
    for month in months():
        for account in month.accounts:
            jobs = {job.name: job for job in account.jobs}
            for deployment in account.deployments:
                if deployment.job is None:
                    continue
                job, at = jobs[deployment.job], deployment.created
                assert phase_at(job, at) == "succeeded"
                listed = {one["step_number"] for one in checkpoint_payloads(account, job, at, epoch=0)}
                assert deployment.checkpoint is None or deployment.checkpoint in listed


def test_paused_deployments_refuse_their_calls():
    refused = 0
    for truth in truths():
        for life in truth.lives:
            for begins, ends in life.paused:
                assert life.calls(begins, ends or truth.end + 90 * D) == 0
                refused += any(calls.status == 423 for calls in life.traffic)
    assert refused >= 30


def test_no_trouble_lasts_longer_than_two_days():
    for fault in all_faults():
        assert fault.from_ is not None and fault.until is not None
        assert ZERO < fault.until - fault.from_ <= 2 * D or fault.gap is not None
        assert not (fault.hang or fault.drip) or fault.times is not None  # they cost real time


def test_timelines_run_forward():
    for month in months():
        for account in month.accounts:
            for job in account.jobs:
                moments = [at for at, _ in timeline(job)]
                assert moments == sorted(moments) and moments[0] == job.created


# --------------------------------------------------------------------------------------------------------- the census


def all_faults() -> Iterator[Fault]:
    return (fault for month in months() for fault in month.faults)


def accounts() -> Iterator[tuple[Scenario, Account]]:
    return ((m, a) for m in months() for a in m.accounts if a.kind in ("OpenAI", "AIServices"))


def of_scenario(month: Scenario) -> Iterator[str]:
    yield f"{len(month.subscriptions)} subscriptions"
    yield f"page size {month.page_size}"
    yield from (f"noise {account.kind}" for account in month.accounts if account.kind not in ("OpenAI", "AIServices"))
    names = Counter(account.name for account in month.accounts if account.deleted is None)
    if any(number > 1 for number in names.values()):
        yield "a name repeats"
    if month.failed_calls_keep_alive:
        yield "failed calls count"
    if month.activity_delay:
        yield "the log comes late"
    if month.models:
        yield "a model retires"
    if month.resource_groups:
        yield "groups with tags"
    for index, account in enumerate(month.accounts):
        for later in month.accounts[index + 1 :]:
            if later.key == account.key:
                same = later.resource_group == account.resource_group
                yield "an account is made again" if same else "an account moves"


def of_account(account: Account) -> Iterator[str]:
    yield account.kind
    yield f"speaks {'+'.join(account.dialects)}"
    yield f"jobs {account.job_order}"
    yield f"emits {'+'.join(account.metrics)}"
    yield f"in {account.location}"
    if account.logs_platform_deletions:
        yield "logs platform deletions"
    if account.disable_local_auth:
        yield "no keys"
    if account.provisioning:
        yield f"account {account.provisioning[-2][0]}, then {account.provisioning[-1][0]}"
    if account.deleted is not None:
        yield "account deleted, " + ("logged" if account.deleted_by else "not logged")
    for file in account.files:
        yield f"file {file.status[-1][0]}" + (" with details" if file.status_details else "")
    ended = lives(account)
    for moment in range(0, 28, 7):
        if sum(life.stands(moment * D) for life in ended) > 10:
            yield "more than ten deployments"
            break
    spans: dict[str, list[tuple[timedelta, timedelta | None]]] = {}
    for life in ended:
        spans.setdefault(life.deployment.name, []).append((life.deployment.created, life.end and life.end.at))
    for name, sequence in spans.items():
        for (_, over), (begun, _) in pairwise(sequence):
            assert over is not None, name
            yield "redeployed " + ("in its place" if begun == over else "at once" if begun - over < 2 * M else "later")


def of_job(job: Job) -> Iterator[str]:
    yield f"outcome {job.outcome}"
    yield f"method {job.method}"
    yield f"id {job.id_form}"
    yield f"training {job.training_type}"
    yield f"blanks {job.blanks}"
    if job.outcome in ("rai_data", "rai_model"):
        yield f"{job.outcome} in {job.text_in}"
        yield from (f"{job.outcome} for {harm}" for harm in job.harm_types)
    yield from (f"pause by {pause.reason}" + ("" if pause.lasts else " for good") for pause in job.pauses)
    if job.outcome == "cancelled":
        yield "cancelled " + ("in training" if job.running_for else "before training")
    if job.outcome == "failed":
        yield "an unknown code" if job.error_code == "E4711" else "a known code" if job.error_code else "no code"
    yield from (f"word {word}" for word, _ in job.timeline)
    ended = ended_at(job)
    if job.created < ZERO:
        yield "ended before" if ended is not None and ended < ZERO else "under way at the start"
    if job.queued_for >= 6 * H:
        yield "a long queue"
    if job.queued_for == ZERO:
        yield "no queue"
    told = {
        "an estimate that slips": job.estimates,
        "older results": job.older_results,
        "skipped images": job.skipped_images,
        "overfits": job.overfits,
        "no validation": not job.validation,
        "metadata": job.metadata,
        "paused without finished_at": job.pauses and not job.paused_finished_at,
    }
    yield from (name for name, holds in told.items() if holds)


MODEL_FORMS = {
    "plain": r"\.ft-[0-9a-f]{32}$",
    "plain with suffix": r"\.ft-[0-9a-f]{32}-prod$",
    "plain checkpoint": r":ckpt-step-\d+$",
    "of the platform": r"^ft:",
    "open": r"^gpt-oss-20b\.ft-",
    "base": r"^(?!.*ft[:-]).",
}


def of_deployment(deployment: Deployment) -> Iterator[str]:
    yield f"sku {deployment.sku}"
    if deployment.job is not None:
        form = "job" if deployment.checkpoint is None else f"checkpoint {deployment.checkpoint_form}"
        yield f"model by {form}"
    else:
        yield from (f"model {k}" for k, form in MODEL_FORMS.items() if re.search(form, deployment.model or ""))
    words = [word for word, _ in deployment.deployment_state]
    told = {
        "no systemData": not deployment.system_data,
        "edited": deployment.modified,
        "paused": words and words[-1] == "Paused",
        "resumed": len(words) > 2,
        "provisioning failed": deployment.provisioning[-1][0] == "Failed",
        "deleted, logged": deployment.deleted and deployment.deleted_by,
        "deleted, not logged": deployment.deleted and not deployment.deleted_by,
        "never called": not deployment.calls,
        "trickle of 10 d": any(abs(H / D * 24 / c.per_hour - 240) < 1e-6 for c in deployment.calls),
        "trickle of 14.9 d": any(abs(1 / c.per_hour - 357.6) < 1e-6 for c in deployment.calls),
        "bursts": len([c for c in deployment.calls if c.count]) > 1,
        "stops": any(c.until for c in deployment.calls),
        "only failing calls": deployment.calls and all(c.status >= 400 for c in deployment.calls),
        "failing calls too": len({c.status for c in deployment.calls}) > 1,
        "unnamed calls": any(c.dimension for c in deployment.calls),
    }
    yield from (name for name, holds in told.items() if holds)


def of_fault(fault: Fault) -> Iterator[str]:
    yield f"fault on {fault.plane}"
    yield "fault for " + ("all" if fault.account == "*" else "one")
    if fault.status is not None:
        yield f"status {fault.status}" + (" a few times" if fault.times else "")
        if fault.status == 403:
            yield f"403 on {fault.plane}"
    if fault.body:
        yield f"body {fault.body}"
    told = {
        "Retry-After": fault.retry_after,
        "Retry-After as a date": fault.retry_after_date,
        "retry-after-ms": fault.retry_after_ms,
        "hang": fault.hang,
        "drip": fault.drip,
        "truncate": fault.truncate,
        "reset": fault.reset,
        "skew": fault.date_skew,
        "late metrics": fault.metrics_delay,
        "all metrics in error": fault.metric_error and fault.metric == "*",
        "one metric in error": fault.metric_error and fault.metric != "*",
    }
    yield from (name for name, holds in told.items() if holds)
    if fault.gap:
        yield f"gap of {fault.gap_points} points"
    if fault.paging:
        yield f"{fault.paging} pages"
    if fault.hide:
        what = "accounts" if fault.api == "account*" else "deployments"
        yield f"{what} hidden, {fault.hidden_status}"


LEAST = {
    # scenarios and accounts
    **{f"{number} subscriptions": 50 for number in (1, 2, 3)},
    **{f"page size {size}": 20 for size in (2, 5, 100)},
    **{f"noise {kind}": 20 for kind in ("SpeechServices", "FormRecognizer", "TextAnalytics", "CognitiveServices")},
    **{name: 10 for name in ("a name repeats", "failed calls count", "the log comes late", "a model retires")},
    **{name: 10 for name in ("groups with tags", "an account is made again", "an account moves", "the log comes late")},
    **{name: 10 for name in ("account deleted, logged", "account deleted, not logged", "more than ten deployments")},
    **{name: 50 for name in ("OpenAI", "AIServices", "speaks v1+dated", "speaks v1", "speaks dated", "no keys")},
    **{f"jobs {order}": 50 for order in ("newest", "oldest", "shuffled")},
    **{f"emits {name}": 50 for name in ("AzureOpenAIRequests", "ModelRequests", "AzureOpenAIRequests+ModelRequests")},
    **{f"in {region}": 50 for region in ("eastus2", "swedencentral", "northcentralus", "westus3")},
    **{name: 30 for name in ("logs platform deletions", "file processed", "file error with details", "file pending")},
    **{name: 20 for name in ("redeployed in its place", "redeployed at once", "redeployed later")},
    **{f"account Succeeded, then {word}": 10 for word in ("Moving", "Deleting")},
    "account Creating, then Succeeded": 10,
    # jobs
    **{f"outcome {word}": 30 for word in ("succeeded", "failed", "rai_data", "rai_model", "cancelled", "none")},
    **{f"method {word}": 30 for word in ("supervised", "dpo", "reinforcement")},
    **{f"id {form}": 30 for form in ("ftjob-hex", "ft-hex", "ftjob-short")},
    **{f"training {word}": 30 for word in (None, "globalStandard", "globalstandard", "standard")},
    **{f"training {word}": 30 for word in ("developerTier", "developertier")},
    **{f"blanks {word}": 30 for word in (None, "absent", "null", "empty")},
    **{f"{rai} in {place}": 20 for rai in ("rai_data", "rai_model") for place in ("error", "events", "both")},
    **{f"{rai} for {harm}": 20 for rai in ("rai_data", "rai_model") for harm in ("sexual", "violence")},
    **{f"{rai} for {harm}": 20 for rai in ("rai_data", "rai_model") for harm in ("hate_fairness", "self_harm")},
    **{f"pause by {name}": 15 for name in ("user", "user for good", "preempted", "cap", "cap for good")},
    **{name: 15 for name in ("cancelled in training", "cancelled before training", "ended before")},
    **{name: 15 for name in ("an unknown code", "a known code", "no code", "a long queue", "no queue")},
    **{name: 15 for name in ("under way at the start", "an estimate that slips", "older results", "skipped images")},
    **{name: 15 for name in ("overfits", "no validation", "metadata", "paused without finished_at")},
    **{f"word {word}": 10 for word in ("pending", "created", "notRunning", "evaluating", "queued", "validating_files")},
    # deployments
    **{f"sku {sku}": 30 for sku in ("Standard", "standard", "GlobalStandard", "globalstandard", "DataZoneStandard")},
    **{f"sku {sku}": 30 for sku in ("DeveloperTier", "developertier", "Developer", "ProvisionedManaged")},
    **{f"sku {sku}": 30 for sku in ("GlobalProvisionedManaged", "DataZoneProvisionedManaged", "GlobalBatch")},
    "sku DataZoneBatch": 30,
    **{f"model by {form}": 30 for form in ("job", "checkpoint name", "checkpoint id")},
    **{f"model {form}": 30 for form in MODEL_FORMS},
    **{name: 30 for name in ("no systemData", "edited", "paused", "resumed", "provisioning failed")},
    **{name: 30 for name in ("deleted, logged", "deleted, not logged", "never called", "trickle of 10 d")},
    **{name: 30 for name in ("trickle of 14.9 d", "bursts", "stops", "only failing calls", "failing calls too")},
    "unnamed calls": 30,
    # faults
    **{f"fault on {plane}": 10 for plane in ("arm", "data", "metrics", "activity", "*")},
    **{f"fault for {whom}": 30 for whom in ("all", "one")},
    **{f"status {status}": 3 for status in (401, 403, 429, 500, 502, 503, 504, 529)},
    **{f"status {status} a few times": 3 for status in (429, 500, 502, 503, 504)},
    **{f"403 on {plane}": 3 for plane in ("arm", "data", "metrics", "activity")},
    **{f"body {body}": 3 for body in ("html", "empty", "garbage", "wrong_types", "cut")},
    **{name: 4 for name in ("Retry-After", "Retry-After as a date", "retry-after-ms", "hang", "drip", "truncate")},
    **{name: 4 for name in ("reset", "skew", "late metrics", "all metrics in error", "one metric in error")},
    **{f"gap of {points} points": 3 for points in ("absent", "blank")},
    **{name: 3 for name in ("short pages", "endless pages", "accounts hidden, 403", "accounts hidden, 200")},
    **{name: 3 for name in ("deployments hidden, 403", "deployments hidden, 200")},
}


@cache
def census() -> Counter[str]:
    found: Counter[str] = Counter()
    for month in months():
        found.update(of_scenario(month))
    for _, account in accounts():
        found.update(of_account(account))
        found.update(name for job in account.jobs for name in of_job(job))
        found.update(name for deployment in account.deployments for name in of_deployment(deployment))
    found.update(name for fault in all_faults() for name in of_fault(fault))
    return found


@pytest.mark.parametrize(("feature", "least"), LEAST.items())
def test_over_many_months_everything_happens(feature, least):
    assert census()[feature] >= least


@pytest.mark.parametrize(
    ("cause", "least"), [("idle", 500), ("expired", 200), ("user", 300), ("replaced", 60), ("account", 100)]
)
def test_fine_tuned_deployments_end_in_the_month_for_every_cause(cause, least):
    ended = [
        life.cause
        for truth in truths()
        for life in truth.lives
        if life.is_fine_tuned and life.ended is not None and truth.start <= life.ended <= truth.end
    ]
    assert ended.count(cause) >= least


def test_some_deployments_are_called_again_in_their_last_hours():
    close = 0
    for truth in truths():
        for life in truth.lives:
            for calls in life.traffic[1:]:
                at = life.start + calls.from_
                deadline = life.deadline(at - timedelta(seconds=1))
                close += calls.status == 200 and deadline is not None and ZERO < deadline - at < 6 * H
    assert close >= 50
