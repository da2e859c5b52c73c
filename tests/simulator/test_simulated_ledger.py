"""The ledger of truth: it agrees with what is served, and with itself."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watcher.simulator import (
    Account,
    Calls,
    Deployment,
    Fault,
    Job,
    Pause,
    Scenario,
    World,
    as_json,
    demo,
    ledger,
)
from watcher.simulator.generator import account_month

S, M, H, D = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
MODEL = "gpt-4.1.ft-0123456789abcdef0123456789abcdef"
V1_WORDS = {"validating": "validating_files", "waiting": "queued"}

SEEDS = st.integers(min_value=0, max_value=400)
FRACTIONS = st.floats(min_value=0, max_value=1)


def truth_of(**account: Any):
    return ledger(World(Scenario(accounts=(Account(name="ft", **account),))))


def life_of(**changes: Any):
    (life,) = truth_of(deployments=(Deployment(**({"name": "d", "model": MODEL} | changes)),)).lives
    return life


def without_troubles(seed: int) -> Scenario:
    month = account_month(seed)
    return type(month)(**{name: getattr(month, name) for name in month.__slots__} | {"faults": ()})


# ------------------------------------------------------------------------------------------- against what is served


@pytest.mark.parametrize("seed", [0, 1, 4, 7, 31])
async def test_lists_agree_with_the_ledger_at_every_turn(build, seed):
    azure = build(without_troubles(seed))
    truth = ledger(azure.world)
    turns = truth.moments()
    for turn in turns[:: max(1, len(turns) // 15)]:
        if turn - S > azure.clock():
            azure.clock.move_to(turn - S)
            await check_lists(azure, truth)
        azure.clock.move_to(turn)
        await check_lists(azure, truth)


async def check_lists(azure, truth):
    now = azure.clock()
    listed = set()
    for subscription in azure.world.scenario.subscriptions:
        path = f"/subscriptions/{subscription.id}/providers/Microsoft.CognitiveServices/accounts"
        listed |= {
            (row["id"].lower(), row["properties"]["customSubDomainName"])
            for row in await pages(azure, path)
            if row["kind"] in ("OpenAI", "AIServices")
        }
    assert {name for name, _ in listed} == {
        a.account for a in truth.accounts if a.created <= now and (a.deleted is None or now < a.deleted)
    }
    for account, key in sorted(listed):
        rows = {row["name"]: row for row in await pages(azure, f"{account}/deployments")}
        standing = {
            life.name: life
            for life in truth.lives
            if life.account == account and life.appears <= now and (life.ended is None or now < life.ended)
        }
        assert rows.keys() == standing.keys()
        for name, life in standing.items():
            row = rows[name]
            assert row["properties"]["model"]["name"] == life.model and row["sku"]["name"] == life.sku
            assert ("systemData" in row) == life.shows_created
            assert row.get("systemData", {}).get("createdAt", stamp(life.created)) == stamp(life.created)
            held = any(begins <= now and (ends is None or now < ends) for begins, ends in life.paused)
            assert (row["properties"].get("deploymentState") == "Paused") == held
        await check_jobs(azure, truth, account, key)


async def check_jobs(azure, truth, account, key):
    now = azure.clock()
    answer = await azure.v1("/fine_tuning/jobs", key, limit="100")
    if answer.status_code == 404:
        answer = await azure.dated("/fine_tuning/jobs", key, limit="100", version="2025-04-01-preview")
    rows = {row["id"]: row for row in answer.json()["data"]}
    known = {
        job.job: job
        for job in truth.jobs
        if job.account == account and job.appears <= now and (job.vanished is None or now < job.vanished)
    }
    assert rows.keys() == known.keys()
    for name, job in known.items():
        row, phase = rows[name], [word for begins, word in job.phases if begins <= now][-1]
        dated = {"validating": "pending", "waiting": "pending"}
        assert row["status"] in (phase, V1_WORDS.get(phase), dated.get(phase))
        over = job.ended is not None and job.ended <= now
        assert (row["status"] in ("succeeded", "failed", "cancelled")) == over
        if over:
            assert row["status"] == job.status and abs(row["finished_at"] - job.ended.timestamp()) < 1
            text = (row.get("error") or {}).get("message", "").lower().replace("/", "_").replace(" ", "_")
            if "harm_types" in text or "thresholds" in text:
                assert job.outcome in ("rai_data", "rai_model")
                assert all(harm in text for harm in job.harm_types)


@pytest.mark.parametrize("seed", [2, 9])
async def test_metrics_add_up_to_the_ledgers_calls(build, seed):
    azure = build(without_troubles(seed)).at(days=29)
    truth = ledger(azure.world)
    begin, end = azure.world.start + 2 * D, azure.world.start + 28 * D
    counted = 0
    for account in truth.accounts:
        if account.deleted is not None and account.deleted <= azure.clock():
            continue
        answer = await azure.get(
            f"{account.account}/providers/Microsoft.Insights/metrics",
            **{"api-version": "2024-02-01", "metricnames": "ModelRequests,AzureOpenAIRequests", "top": "1000"},
            timespan=f"{begin:%Y-%m-%dT%H:%M:%SZ}/{end:%Y-%m-%dT%H:%M:%SZ}",
            interval="P1D",
            **{"$filter": "ModelDeploymentName eq '*' and StatusCode eq '200'"},
        )
        served = [sum(map(total, metric["timeseries"])) for metric in answer.json()["value"]]
        # The service cuts bounds to whole minutes, and so must we.
        minute = begin.replace(second=0), end.replace(second=0)
        expected = sum(life.calls(*minute) for life in truth.lives if life.account == account.account)
        assert max(served) == expected
        counted += expected
    assert counted > 0


def total(series):
    return sum(point.get("total", 0) for point in series["data"])


async def pages(azure, path):
    rows, url = [], f"{path}?api-version=2024-10-01"
    while url:
        page = (await azure.client.get(url)).json()
        rows += page["value"]
        url = page.get("nextLink")
    return rows


def stamp(when: datetime) -> str:
    return f"{when:%Y-%m-%dT%H:%M:%SZ}"


# ------------------------------------------------------------------------------------------------------ with itself


@settings(max_examples=30, deadline=None)
@given(seed=SEEDS, fraction=FRACTIONS)
def test_a_life_that_ends_idle_ends_at_its_deadline_and_none_outlives_it(seed, fraction):
    truth = ledger(World(account_month(seed)))
    for life in truth.lives:
        if not life.dies_idle:
            assert life.deadline(truth.end) is None and life.cause != "idle"
            continue
        last = truth.end if life.ended is None else life.ended
        at = life.created + (last - life.created) * fraction
        deadline = life.deadline(at)
        assert deadline is not None and (at < deadline or at == life.ended)
        if life.cause == "idle":
            assert life.deadline(last - timedelta(microseconds=1)) == life.ended


@settings(max_examples=30, deadline=None)
@given(seed=SEEDS, fraction=FRACTIONS)
def test_calls_add_up_and_the_last_one_is_the_last(seed, fraction):
    truth = ledger(World(account_month(seed)))
    middle = truth.start + (truth.end - truth.start) * fraction
    for life in truth.lives:
        whole = life.calls(life.created, truth.end)
        assert life.calls(life.created, middle) + life.calls(middle, truth.end) == whole
        last = life.last_success(middle)
        assert (last is None) == (life.calls(life.created, middle + timedelta(microseconds=1)) == 0)
        if last is not None:
            assert life.calls(last, last + timedelta(microseconds=1)) >= 1
            assert life.calls(last + timedelta(microseconds=1), middle) == 0
            any_call = life.last_call(middle)
            assert any_call is not None and last <= any_call
        named = life.last_named_success(middle)
        assert named is None or (last is not None and named <= last)


@settings(max_examples=10, deadline=None)
@given(seed=SEEDS)
def test_between_two_moments_nothing_changes(seed):
    truth = ledger(World(account_month(seed)))
    moments = truth.moments()
    assert list(moments) == sorted(set(moments)) and truth.start <= moments[0] and moments[-1] <= truth.end
    for begin, end in pairwise(moments):
        assert state(truth, begin) == state(truth, begin + (end - begin) / 2)


def state(truth, now):
    accounts = [a.account for a in truth.accounts if a.created <= now and (a.deleted is None or now < a.deleted)]
    standing = [n for n, x in enumerate(truth.lives) if x.appears <= now and (x.ended is None or now < x.ended)]
    phases = [[word for begins, word in job.phases if begins <= now][-1:] for job in truth.jobs]
    steps = []
    for life in truth.lives:
        deadline = life.deadline(now)
        if deadline is not None and life.created <= now and (life.ended is None or now < life.ended):
            steps.append(sum(now >= deadline - timedelta(hours=left) for left in (168, 72, 24, 6)))
    blind = [n for n, x in enumerate(truth.blinds) if x.begins <= now < x.ends]
    return accounts, standing, phases, steps, blind


def test_jobs_are_told_by_what_was_served_last():
    times = {"validating_for": M, "queued_for": M, "running_for": 2 * H}
    jobs = (
        Job(name="well", **times),
        Job(name="data", outcome="rai_data", **times),
        Job(name="model", outcome="rai_model", harm_types=("sexual",), **times),
        Job(name="left", pauses=(Pause(after=H),), **times),
        Job(name="words", timeline=(("odd", 0 * H), ("failed", H))),
        Job(name="words that go on", timeline=(("odd", 0 * H),), outcome="failed"),
    )
    found = [(job.outcome, job.status, job.harm_types) for job in truth_of(jobs=jobs).jobs]
    assert sorted(found) == sorted(
        [
            ("succeeded", "succeeded", ()),
            ("rai_data", "failed", ("hate_fairness", "self_harm", "violence")),
            ("rai_model", "failed", ("sexual",)),
            ("none", "", ()),
            ("failed", "failed", ()),
            ("none", "", ()),
        ]
    )
    (well,) = truth_of(jobs=jobs[:1]).jobs
    assert (well.started, well.ended) == (well.created + 2 * M, well.created + 2 * M + 2 * H + 8 * S)


def test_what_its_account_did_not_live_to_see_did_not_happen():
    jobs = (Job(name="cut", running_for=9 * H), Job(name="never", created=5 * H))
    deployments = (Deployment(name="d", model=MODEL), Deployment(name="later", model=MODEL, created=6 * H))
    truth = truth_of(jobs=jobs, deployments=deployments, deleted=4 * H)
    (job,), (life,) = truth.jobs, truth.lives
    assert (job.outcome, job.ended, job.phases[-1][1]) == ("none", None, "running")
    assert (life.name, life.ended, life.cause, life.is_logged) == ("d", truth.start + 4 * H, "account", False)


@pytest.mark.parametrize(
    ("changes", "cause", "logged", "caller"),
    [
        ({}, "idle", False, None),
        ({"sku": "developerTIER"}, "expired", False, None),
        ({"deleted": D}, "user", False, None),
        ({"deleted": D, "deleted_by": "ci"}, "user", True, "ci"),
    ],
)
def test_lives_know_why_they_ended(changes, cause, logged, caller):
    life = life_of(**changes)
    assert (life.cause, life.is_logged, life.deleted_by) == (cause, logged, caller)
    assert life.lifetime == (24 * H if "sku" in changes else None)


def test_the_log_may_show_an_end_later():
    gone = Deployment(name="d", model=MODEL, deleted=D, deleted_by="ci")
    world = World(Scenario(accounts=(Account(name="ft", deployments=(gone,)),), activity_delay=9 * M))
    (life,) = ledger(world).lives
    assert life.ended == world.start + D and life.logged_at == world.start + D + 9 * M


def test_failed_and_unnamed_calls_are_kept_apart():
    calls = (
        Calls(from_=1 * H, count=1),
        Calls(from_=2 * H, count=1, status=429),
        Calls(from_=3 * H, count=1, dimension="__Empty"),
        Calls(from_=4 * H, count=1, status=404),
        Calls(from_=-9 * H, per_hour=0.5, until=-1 * H),  # before it was created
    )
    life = life_of(calls=calls)
    start = life.created
    assert [life.last_success(start + n * H) for n in (0, 1, 2, 9)] == [None, start + H, start + H, start + 3 * H]
    assert life.last_named_success(start + 9 * H) == start + H
    assert life.last_call(start + 9 * H) == start + 4 * H
    assert life.deadline(start + 9 * H) == start + 3 * H + 15 * D
    assert life.calls(start, start + 9 * H) == 2


def test_pauses_have_their_bounds():
    states = (("Running", 0 * H), ("Paused", 2 * H), ("Running", 5 * H), ("Paused", 9 * H))
    life = life_of(deployment_state=states)
    start = life.created
    assert life.paused == ((start + 2 * H, start + 5 * H), (start + 9 * H, None))


@pytest.mark.parametrize(
    ("effect", "kind"),
    [
        ({"status": 429}, "throttled"),
        ({"status": 503}, "broken"),
        ({"status": 401}, "credential"),
        ({"status": 403}, "forbidden"),
        ({"hang": True}, "hang"),
        ({"body": "garbage"}, "broken"),
        ({"truncate": True}, "broken"),
        ({"paging": "endless"}, "broken"),
        ({"paging": "short"}, "shrunk"),
        ({"hide": ("*",)}, "shrunk"),
        ({"metric_error": "Throttled"}, "partial"),
        ({"metrics_delay": H}, "delayed"),
        ({"gap": (0 * H, H)}, "gap"),
        ({"date_skew": H}, "skewed"),
        ({"delay": 0.1}, "slow"),
    ],
)
def test_troubles_are_named_by_what_they_do(effect, kind):
    accounts = (Account(name="ft"), Account(name="FT", subdomain="two", resource_group="b"), Account(name="other"))
    noise = Account(name="ft-speech", kind="SpeechServices")
    faults = (Fault(plane="arm", account="Ft", from_=H, until=2 * H, **effect), Fault(**effect))
    truth = ledger(World(Scenario(accounts=(*accounts, noise), faults=faults)))
    bounded, boundless = truth.blinds
    assert (bounded.kind, bounded.begins, bounded.ends) == (kind, truth.start + H, truth.start + 2 * H)
    assert len(bounded.accounts) == 2 and len(boundless.accounts) == 3
    assert boundless.begins == truth.start and boundless.ends > truth.end


def test_a_hidden_account_hides_no_other():
    accounts = (Account(name="ft"), Account(name="other"))
    hidden = Fault(plane="arm", api="account*", hide=("FT",))
    (blind,) = ledger(World(Scenario(accounts=accounts, faults=(hidden,)))).blinds
    assert [name.rpartition("/")[2] for name in blind.accounts] == ["ft"]
    (blind,) = ledger(World(Scenario(accounts=accounts, faults=(Fault(account="other", hide=("d",)),)))).blinds
    assert [name.rpartition("/")[2] for name in blind.accounts] == ["other"]


def test_a_ledger_can_be_printed():
    table = as_json(ledger(World(demo(), start=datetime(2026, 5, 1, tzinfo=UTC))))
    assert table["start"] == "2026-05-01T00:00:00Z"
    lives = {life["name"]: life for life in table["lives"]}
    assert lives["support-bot"]["cause"] == "idle" and lives["support-bot"]["idle_after"] == 15 * 86400
    assert table["blinds"][0]["kind"] == "broken" and isinstance(table["blinds"][0]["accounts"], list)
