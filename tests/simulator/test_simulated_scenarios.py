"""Scenario files, the demo's story, clocks, and the control addresses."""

from datetime import UTC, datetime, timedelta

import pytest

from watcher.simulator import (
    Deployment,
    FastClock,
    Fault,
    ScenarioError,
    SteppedClock,
    World,
    demo,
    load,
    parse,
    parse_duration,
)
from watcher.simulator.jobs import phase_at, timeline

D, H, M = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)

WHOLE = """
title = "t"
start = 2026-05-01T00:00:00Z
length = "3d"
tokens = ["x"]
[[subscriptions]]
id = "s"
[[resource_groups]]
name = "rg"
tags = { owner = "o" }
[[accounts]]
name = "a"
resource_group = "rg"
api_keys = ["k"]
[[accounts.jobs]]
name = "j"
created = "-1d12h"
pauses = [{ after = "1h", lasts = "30m", reason = "cap" }]
timeline = [["running", "0s"], ["failed", "2h"]]
[[accounts.deployments]]
name = "d"
job = "j"
calls = [{ from = "-20d", until = "2h", per_hour = 3 }]
provisioning = [["Accepted", "0s"], ["Failed", "1m"]]
[[accounts.files]]
filename = "f"
[[prices]]
meter = "m"
price = 2
[[models]]
name = "gpt"
version = "1"
inference_until = 2027-01-01T00:00:00Z
[[faults]]
plane = "data"
from = "1h"
status = 429
retry_after = 3
drip = { bytes = 4 }
"""


def test_reads_every_kind_of_table(tmp_path):
    path = tmp_path / "s.toml"
    path.write_text(WHOLE)
    scenario = load(path)
    (account,) = scenario.accounts
    (job,), (deployment,) = account.jobs, account.deployments
    assert scenario.start == datetime(2026, 5, 1, tzinfo=UTC)
    assert job.created == -36 * H and job.pauses[0].reason == "cap"
    assert job.timeline == (("running", 0 * H), ("failed", 2 * H))
    assert deployment.calls[0].from_ == -20 * D and deployment.calls[0].per_hour == 3.0
    assert scenario.prices[0].price == 2.0
    (fault,) = scenario.faults
    assert (fault.from_, fault.status, fault.retry_after) == (H, 429, 3.0)
    assert fault.drip is not None and fault.drip.bytes == 4


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("title = ", "not valid TOML"),
        ("titel = 'x'", "titel: unknown key; did you mean `title`?"),
        ("title = 7", "title: expected str, not 7"),
        ("page_size = true", "page_size: expected int, not True"),
        ("length = 7", "length: '7' is not a duration"),
        ("length = 'soon'", "length: 'soon' is not a duration"),
        ("start = 2026-05-01T00:00:00", "start: expected a time with its zone"),
        ("tokens = 'x'", "tokens: expected a list"),
        ("accounts = 'x'", "accounts: expected a list"),
        ("accounts = ['x']", "accounts[0]: expected a table"),
        ("[[accounts]]\nkind = 'OpenAI'", "accounts[0]: `name` is missing"),
        ("[[accounts]]\nname = 'a'\ntags = { a = 1 }", "accounts[0].tags: expected a table of strings"),
        ("[[accounts]]\nname = 'a'\ndialects = ['v2']", "accounts[0].dialects[0]: 'v2' is not one of dated, v1"),
        (
            "[[accounts]]\nname = 'a'\n[[accounts.jobs]]\nname = 'j'\noutcome = 'rai'",
            "accounts[0].jobs[0].outcome: 'rai' is not one of",
        ),
        (
            "[[accounts]]\nname = 'a'\n[[accounts.jobs]]\nname = 'j'\ntimeline = [['running']]",
            "accounts[0].jobs[0].timeline[0]: expected 2 values",
        ),
        ("[[accounts]]\nname = 'a'\n[[accounts]]\nname = 'A'", "the subdomain A is taken"),
        ("[[accounts]]\nname = 'a'\nsubscription = 'x'", "no [[subscriptions]] has the id x"),
        ("[[resource_groups]]\nname = 'a'\nsubscription = 'x'", "no [[subscriptions]] has the id x"),
        ("[[accounts]]\nname = 'a'\n[[accounts.deployments]]\nname = 'd'", "give either `model` or `job`"),
        ("[[accounts]]\nname = 'a'\n[[accounts.deployments]]\nname = 'd'\njob = 'j'", "there is no job 'j'"),
        (
            "[[accounts]]\nname = 'a'\n[[accounts.deployments]]\nname = 'd'\nmodel = 'm'\n"
            "calls = [{ from = '0s', per_hour = 0 }]",
            "`per_hour` must be above 0",
        ),
        ("[[faults]]\nplane = 'moon'", "faults[0].plane: 'moon' is not one of"),
    ],
)
def test_names_each_mistake_with_its_place(text, mistake):
    with pytest.raises(ScenarioError) as caught:
        parse(text, source="s.toml")
    assert mistake in str(caught.value)
    assert str(caught.value).startswith("s.toml: ")


def test_reports_all_mistakes_at_once():
    with pytest.raises(ScenarioError) as caught:
        parse("titel = 'x'\nlength = 'soon'\n[[accounts]]\nnam = 'a'")
    assert len(caught.value.mistakes) == 4  # with the name that is missing


@pytest.mark.parametrize(
    ("text", "expected"),
    [("7d", 7 * D), ("1d12h", 36 * H), ("-20d", -20 * D), ("90m", 90 * M), ("0s", 0 * H), ("1.5h", 90 * M)],
)
def test_durations(text, expected):
    assert parse_duration(text) == expected


def test_a_world_refuses_a_scenario_that_contradicts_itself():
    scenario = parse(WHOLE)
    with pytest.raises(ScenarioError):
        World(scenario.__class__(accounts=(*scenario.accounts, *scenario.accounts)))


def test_the_start_is_the_callers_then_the_scenarios():
    other = datetime(2026, 7, 1, tzinfo=UTC)
    assert World(parse(WHOLE)).start == datetime(2026, 5, 1, tzinfo=UTC)
    assert World(parse(WHOLE), start=other).start == other


def demo_job(name):
    return next(job for account in demo().accounts for job in account.jobs if job.name == name)


@pytest.mark.parametrize(
    ("name", "outcome", "last"),
    [
        ("support-tone-v2", "succeeded", "succeeded"),
        ("glossary", "succeeded", "succeeded"),
        ("reward-shaping", "succeeded", "succeeded"),
        ("forum-moderation", "rai_data", "failed"),
        ("game-dialogue", "rai_model", "failed"),
        ("assistant-winter", "cancelled", "cancelled"),
        ("long-context", "succeeded", "succeeded"),
        ("code-review", "failed", "failed"),
    ],
)
def test_the_demo_tells_of_each_outcome_while_somebody_watches(name, outcome, last):
    job = demo_job(name)
    assert job.outcome == outcome and job.created > timedelta(0)
    ended, phase = timeline(job)[-1]
    assert phase == last and ended < demo().length


def test_the_demos_deployments_meet_their_ends():
    world = World(demo())
    ends = {
        life.deployment.name: life.end and (life.end.cause, round(life.end.at / D, 1))
        for account in world.scenario.accounts
        for life in world.lives(account)
    }
    assert ends == {
        "support-bot": ("idle", 14.0),
        "search-ranker": None,
        "support-bot-v2": None,
        "gpt-41": None,
        "embeddings": None,
        "assistant": ("user", 12.4),
        "eval-dev": ("expired", 10.0),
        "long-context-preview": ("user", 11.1),
        "eval-paused": ("idle", 23.0),
        "greeter": ("account", 15.2),
    }


def test_every_demo_deployment_of_a_job_comes_after_its_end():
    for account in demo().accounts:
        for deployment in account.deployments:
            if deployment.job is not None:
                job = next(job for job in account.jobs if job.name == deployment.job)
                assert phase_at(job, deployment.created) == "succeeded", deployment.name


def test_the_demo_has_no_other_work_under_way_at_its_start():
    moving = [
        job.name
        for account in demo().accounts
        for job in account.jobs
        if phase_at(job, timedelta(0)) not in (None, "succeeded", "failed", "cancelled")
    ]
    assert moving == []


def test_a_stepped_clock_moves_only_when_told():
    clock = SteppedClock(datetime(2026, 1, 1, tzinfo=UTC))
    assert clock() == clock()
    assert clock.advance(H) == clock() == datetime(2026, 1, 1, 1, tzinfo=UTC)
    with pytest.raises(ValueError, match="backwards"):
        clock.move_to(datetime(2026, 1, 1, tzinfo=UTC))
    with pytest.raises(ValueError, match="aware"):
        SteppedClock(datetime(2026, 1, 1))  # noqa: DTZ001 - naive on purpose: it must be refused


def test_a_fast_clock_runs_at_its_speed():
    wall = [100.0]
    clock = FastClock(datetime(2026, 1, 1, tzinfo=UTC), speed=86400, monotonic=lambda: wall[0])
    wall[0] = 102.0
    assert clock() == datetime(2026, 1, 3, tzinfo=UTC)


async def test_control_addresses_are_closed_unless_asked_for(build):
    assert (await build().client.get("/_simulator/state")).status_code == 404


async def test_a_running_simulator_can_be_driven_from_outside(build):
    model = "gpt-4.1.ft-0123456789abcdef0123456789abcdef"
    azure = build(deployments=(Deployment(name="d", model=model),), with_control=True)
    client = azure.client
    fault = {"plane": "data", "status": 503, "from": "1d", "until": "3d"}
    assert (await client.post("/_simulator/faults", json=[fault])).json() == {"added": 1}
    assert list(azure.world.faults) == [Fault(plane="data", status=503, from_=D, until=3 * D)]
    assert (await client.post("/_simulator/advance", json={"by": "2d"})).status_code == 200
    assert (await azure.v1("/models")).status_code == 503
    assert (await client.post("/_simulator/calls", json={"account": "ft", "deployment": "d"})).status_code == 200
    state = (await client.get("/_simulator/state")).json()
    assert state["requests"] == 1 and state["by_api"] == {"data/models/503": 1}
    assert (await client.get("/_simulator/requests")).json()["requests"][0]["status"] == 503
    await client.delete("/_simulator/faults")
    assert (await azure.v1("/models")).status_code == 200
    await client.delete("/_simulator/requests")
    assert azure.app.state.requests.total == 0
    azure.at(days=16)
    assert set(await azure.deployments()) == {"d"}
    for path, body in (("faults", {"staus": 1}), ("advance", {}), ("calls", {"account": "x", "deployment": "d"})):
        assert (await client.post(f"/_simulator/{path}", json=body)).status_code == 400
