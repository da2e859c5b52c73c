"""`explain` of what goes deeper: a job's inside, its pace and estimates; a model's deployments; how things ended."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from tests.alerts.factories import ended as ended_alert
from tests.alerts.factories import make_alert
from tests.cli.world import World
from tests.factories import (
    ACCOUNT,
    DAY,
    HOUR,
    MINUTE,
    NOW,
    make_account,
    make_checkpoint,
    make_deployment,
    make_event,
    make_gap,
    make_holding,
    make_inventory,
    make_job,
    make_model,
    make_snapshot,
    make_training,
    make_usage,
)
from tests.rules.ask import the_finding
from watcher import cycles
from watcher.alerts.alert import Alert, AlertStatus, open_alert
from watcher.alerts.notification import Told
from watcher.answers.alert_file import AlertFile
from watcher.azure.discovery import Discovery
from watcher.cli.telling_alert import alert_text
from watcher.cli.telling_job import _span
from watcher.cycles import Judgement
from watcher.resources.departure import Departure
from watcher.resources.snapshot import GapReason, Section
from watcher.resources.training import CurveSource
from watcher.rules.registry import build_rules
from watcher.rules.retirement import ModelRetiring
from watcher.store import alerts, scope

MODEL = "gpt-4o-mini-2024-07-18.ft-0123456789abcdef0123456789abcdef-support"


def words(text: str) -> str:
    """Without regard to where the lines break."""
    return " ".join(text.split())


def explained(world: World, wanted: str) -> str:
    done = world.watcher("explain", wanted)
    assert (done.code, done.err) == (0, "")
    return words(done.out)


def polls(world: World, *snapshots: Any) -> World:
    for snapshot in snapshots:
        world.record(snapshot)
    return world


def running(at: Any, **more: Any) -> Any:
    job = make_job("ftjob-now", created_at=NOW - 3 * HOUR, **more.pop("job", {}))
    return make_snapshot(at=at, jobs=[job, *more.pop("others", [])], **more)


def test_a_job_s_estimate_is_told_with_how_often_it_moved(tmp_path: Path) -> None:
    world = polls(
        World(tmp_path),
        running(NOW - 2 * HOUR, job={"estimated_finish_at": NOW - HOUR}),
        running(NOW - HOUR, job={"estimated_finish_at": NOW}),
        running(NOW - MINUTE, job={"estimated_finish_at": NOW + 2 * HOUR}),
    )
    out = explained(world, "ftjob-now")
    assert "The service estimates its end for 2026-11-22 10:00 UTC, in 2 h; it may be wrong." in out
    assert "It has moved that estimate 2 times; the first was 2026-11-22 07:00 UTC, so it is now 3 h later." in out
    told = world.watcher("explain", "ftjob-now", "--json").json["explanation"]
    assert [one["end_at"] for one in told["estimates"]] == [
        "2026-11-22T07:00:00Z",
        "2026-11-22T08:00:00Z",
        "2026-11-22T10:00:00Z",
    ]


def test_the_first_estimate_is_told_though_the_end_crept_away(tmp_path: Path) -> None:
    """Each look moves it by less than is news; together they are."""
    ends = [NOW + 10 * number * MINUTE for number in range(7)]
    times = [NOW - (70 - 10 * number) * MINUTE for number in range(7)]
    world = polls(
        World(tmp_path),
        *(running(at, job={"estimated_finish_at": end}) for at, end in zip(times, ends, strict=True)),
    )
    out = explained(world, "ftjob-now")
    assert "It has moved that estimate 3 times; the first was 2026-11-22 08:00 UTC, so it is now 1 h later." in out


def test_a_status_that_only_watcher_dates_is_told_as_seen(tmp_path: Path) -> None:
    """The service does not say when a job began to run, but in its log, which may not have been read."""
    world = polls(World(tmp_path), running(NOW - 5 * MINUTE))
    assert "It is running, and watcher has seen it so since 2026-11-22 07:55 UTC" in explained(world, "ftjob-now")
    started = {"ftjob-now": [make_event("Job started.", at=NOW - HOUR)]}
    world.record(running(NOW - 4 * MINUTE, events=started))
    assert "It has been running since 2026-11-22 07:00 UTC (1 h ago)." in explained(world, "ftjob-now")
    failed = make_job("ftjob-now", "failed", finished_at=NOW - 2 * MINUTE, error="bad data")
    world.record(make_snapshot(at=NOW, jobs=[failed]))
    assert "It failed on 2026-11-22 07:58 UTC (2 min ago)." in explained(world, "ftjob-now")


@pytest.mark.parametrize(
    ("epochs", "told"), [("3", ", 3 epochs)"), ("²", ", n_epochs ²)"), ("9" * 5000, ", n_epochs 999")]
)
def test_a_number_of_epochs_is_whatever_the_service_says(tmp_path: Path, epochs: str, told: str) -> None:
    job = {"hyperparameters": {"n_epochs": epochs}}
    assert told in explained(polls(World(tmp_path), running(NOW - MINUTE, job=job)), "ftjob-now")


def test_an_estimate_that_has_passed_is_not_told_as_ahead(tmp_path: Path) -> None:
    out = explained(polls(World(tmp_path), running(NOW - MINUTE, job={"estimated_finish_at": NOW - HOUR})), "ftjob-now")
    assert "had estimated its end for 2026-11-22 07:00 UTC, which has passed" in out


def test_a_job_is_compared_with_such_jobs(tmp_path: Path) -> None:
    waiting = [make_job(f"ftjob-{n}", "pending", created_at=NOW - (n + 1) * HOUR) for n in range(3)]
    begun = [make_job(one.id, "running", created_at=one.created_at) for one in waiting]
    started = {
        one.id: [make_event("Job started.", at=one.created_at + (20 + 5 * n) * MINUTE)] for n, one in enumerate(begun)
    }
    world = polls(
        World(tmp_path),
        running(NOW - 50 * MINUTE, others=waiting),
        running(NOW - MINUTE, others=begun, events=started),
    )
    out = explained(world, "ftjob-now")
    assert "Such jobs (gpt-4o-mini-2024-07-18, swedencentral, standard, supervised) waited" in out
    assert "(n = 3), by what watcher has seen." in out


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        ((1200.0,), "20 min"),
        ((1200.0, 2700.0), "20–45 min"),
        ((1200.0, 5400.0), "20 min – 1 h 30 min"),
        ((0.0, *[600.0] * 10, 86_400.0), "10 min"),
        ((3600.0, 7200.0), "1–2 h"),
    ],
)
def test_a_span_reads_as_people_say_it(seconds: tuple[float, ...], said: str) -> None:
    """Of many, a tenth at either end is left out."""
    assert _span(seconds) == said


def test_of_a_first_job_the_pace_is_unknown(tmp_path: Path) -> None:
    assert "How long such jobs usually take is unknown" in explained(
        polls(World(tmp_path), running(NOW - MINUTE)), "ftjob-now"
    )


def ended(**more: Any) -> Any:
    job = make_job("ftjob-now", "succeeded", finished_at=NOW - HOUR, fine_tuned_model=MODEL)
    return make_snapshot(at=NOW - 30 * MINUTE, jobs=[job], **more)


CURVE = {
    1: {"train_loss": 2.5, "valid_loss": 2.6},
    80: {"train_loss": 1.1, "valid_loss": 1.2},
    120: {"train_loss": 0.8, "valid_loss": 1.5},
}


def test_a_job_s_inside_is_one_line_and_one_command(tmp_path: Path) -> None:
    inside = make_training(
        make_checkpoint(80, "ftjob-now"),
        make_checkpoint(120, "ftjob-now"),
        curve=CURVE,
        job="ftjob-now",
        source=CurveSource.RESULTS,
        is_final=True,
        skipped=12,
    )
    world = polls(World(tmp_path), running(NOW - 2 * HOUR), ended(training={"ftjob-now": inside}))
    out = explained(world, "ftjob-now")
    assert "By results.csv: training loss 2.5 → 0.8 over steps 1 to 120; validation loss 2.6 → 1.5" in out
    assert "Validation loss was best at step 80 (1.2, by the smoothed curve)." in out
    assert "left out 12 examples or images" in out
    assert "step 120" in out
    assert "To deploy that of step 80, the best: validation loss was best at step 80 (1.2, by the smoothed" in out
    lines = world.watcher("explain", "ftjob-now").out.splitlines()
    (command,) = [line.strip() for line in lines if line.strip().startswith("az ") and "ckpt-step-80" in line]
    assert command.startswith("az cognitiveservices account deployment create ")
    told = world.watcher("explain", "ftjob-now", "--json").json["explanation"]["training"]
    assert ([one["step"] for one in told["checkpoints"]], len(told["points"])) == ([80, 120], 3)


@pytest.mark.parametrize(
    ("lines", "began", "ended"),
    [
        (
            [make_event("Job started.", at=NOW - 4 * HOUR)],
            "2026-11-22 04:00 UTC running after",
            "running → succeeded after 3 h",
        ),
        ([], "2026-11-22 06:00 UTC running", "running → succeeded after at least 1 h"),
    ],
    ids=["its log tells when it began", "nothing tells when it began"],
)
def test_a_job_that_was_first_seen_running_has_not_begun_only_then(
    tmp_path: Path, lines: Any, began: str, ended: str
) -> None:
    first = make_snapshot(at=NOW - 2 * HOUR, jobs=[make_job("ftjob-now", "running", created_at=NOW - 5 * HOUR)])
    done = make_job("ftjob-now", "succeeded", created_at=NOW - 5 * HOUR, finished_at=NOW - HOUR)
    last = make_snapshot(at=NOW - 30 * MINUTE, jobs=[done], events={"ftjob-now": lines})
    out = explained(polls(World(tmp_path), first, last), "ftjob-now")
    assert began in out
    assert ended in out


def test_the_tokens_that_are_billed_are_told_where_its_log_counts_them(tmp_path: Path) -> None:
    events = {"ftjob-now": (make_event("Training tokens billed: 480000"),)}
    job = make_job("ftjob-now", "succeeded", finished_at=NOW - HOUR, fine_tuned_model=MODEL, trained_tokens=640_000)
    snapshot = make_snapshot(at=NOW - 30 * MINUTE, jobs=[job], events=events)
    out = explained(polls(World(tmp_path), running(NOW - 2 * HOUR), snapshot), "ftjob-now")
    assert "640,000 tokens were trained; by its own log 480,000 are billed." in out


def test_what_was_not_read_of_the_inside_is_told(tmp_path: Path) -> None:
    world = polls(World(tmp_path), running(NOW - MINUTE))
    assert "Its checkpoints and loss curve have not been read: that is done while" in explained(world, "ftjob-now")
    remark = make_training(job="ftjob-now", remark="the role Cognitive Services OpenAI User is missing")
    world = polls(world, running(NOW, training={"ftjob-now": remark}))
    assert "There is no loss curve: the role Cognitive Services OpenAI User is missing." in explained(
        world, "ftjob-now"
    )


def test_results_that_are_not_read_yet_are_told_as_such(tmp_path: Path) -> None:
    """A poll reads the inside of few jobs, so of many that end together most wait."""
    others = [make_job(f"ftjob-{n}", created_at=NOW - 3 * HOUR) for n in range(3)]
    done = [make_job(one.id, "succeeded", finished_at=NOW - HOUR, created_at=one.created_at) for one in others]
    job = make_job("ftjob-now", "succeeded", finished_at=NOW - HOUR, fine_tuned_model=MODEL)
    read = {f"ftjob-{n}": make_training(job=f"ftjob-{n}", is_final=True) for n in (0, 1)}
    first = make_snapshot(at=NOW - 30 * MINUTE, jobs=[job, *done], training=read)
    world = polls(World(tmp_path), running(NOW - HOUR, others=others), first)
    out = explained(world, "ftjob-now")
    assert "Its results have not been read yet: there is another job of this account whose results wait too" in out
    (waiting,) = [world.watcher("explain", "ftjob-now", "--json").json["explanation"]["results_waiting"]]
    assert waiting == {"other_jobs": 1}

    while_it_ran = make_training(job="ftjob-now", curve=CURVE, read_at=NOW - 2 * HOUR)
    gap = make_gap(Section.TRAINING, GapReason.BROKEN, at=NOW, subject="ftjob-now")
    last = {"ftjob-2": make_training(job="ftjob-2", is_final=True), "ftjob-now": while_it_ran}
    world.record(make_snapshot(at=NOW - 20 * MINUTE, jobs=[job, *done], training=last))
    out = explained(world, "ftjob-now")
    assert "training loss 2.5 → 0.8" in out
    assert "have not been read yet: the next poll does; the above was read 2026-11-22 06:00 UTC, while it ran." in out
    world.record(make_snapshot(at=NOW - 10 * MINUTE, jobs=[job, *done], gaps=(gap,)))
    assert "could not be read so far (Azure answered with an error), and are asked for again" in explained(
        world, "ftjob-now"
    )
    world.record(make_snapshot(at=NOW, jobs=[job, *done], training={"ftjob-now": replace(while_it_ran, is_final=True)}))
    assert "results" not in explained(world, "ftjob-now")
    assert "have not been read" not in explained(world, "ftjob-0")


def test_a_job_is_told_with_where_its_model_is_deployed(tmp_path: Path) -> None:
    there = make_account("contoso-west")
    blind = make_account("fabrikam")
    world = polls(
        World(tmp_path),
        ended(
            deployments=[
                make_deployment("bot", model=f"{MODEL}:ckpt-step-80"),
                make_deployment("other", model="x.ft-1"),
            ]
        ),
        make_snapshot(account=there, at=NOW - HOUR, deployments=[make_deployment("west", account=there)]),
    )
    assert (
        "Its model is deployed as contoso-ft/bot (Standard), contoso-west/west (Standard), by readings of which the "
        "oldest is from 2026-11-22 07:00 UTC."
    ) in explained(world, "ftjob-now")
    world.record(make_snapshot(account=blind, at=NOW, gaps=(make_gap(Section.DEPLOYMENTS, GapReason.NETWORK),)))
    assert "The deployments of fabrikam were not all read: there may be more." in explained(world, "ftjob-now")


def test_a_model_that_is_deployed_nowhere_is_not_claimed_so_where_something_is_unseen(tmp_path: Path) -> None:
    world = polls(World(tmp_path), ended(deployments=[]))
    assert "Its model is deployed nowhere, by readings of which the oldest is from" in explained(world, "ftjob-now")
    world.record(make_snapshot(account=make_account("new"), at=NOW, jobs=[]))
    out = explained(world, "ftjob-now")
    assert "deployed nowhere that watcher can see, by" in out
    assert "The deployments of new were not all read" in out


def test_a_deployment_is_told_with_the_job_that_made_its_model(tmp_path: Path) -> None:
    there = make_account("contoso-west")
    bot = make_deployment("bot", account=there, model=f"{MODEL}:ckpt-step-80", created_by="ana@x.example")
    world = polls(
        World(tmp_path),
        ended(deployments=[]),
        make_snapshot(
            account=there,
            at=NOW - HOUR,
            deployments=[bot],
            usage=[make_usage("bot", last_success_at=NOW - 2 * DAY, last_failure_at=NOW - DAY)],
        ),
    )
    out = explained(world, "bot")
    assert 'made by job "support" (ftjob-now) from gpt-4o-mini-2024-07-18' in out
    assert "by ana@x.example" in out
    assert "even if nobody calls it again, Azure's rules let it stand until 2026-12-05 08:00 UTC at least." in out
    assert "but the latest time counts a refused or failed call" in out
    told = world.watcher("explain", "bot", "--json").json["explanation"]
    assert told["made_by"]["job"] == "ftjob-now"


def test_a_deployment_of_a_bare_checkpoint_is_told_with_its_job(tmp_path: Path) -> None:
    """Its model's name is the checkpoint's id, and says nothing of job or base."""
    inside = make_training(make_checkpoint(80, "ftjob-now"), job="ftjob-now", is_final=True)
    bare, twin = make_deployment("bot", model="ftchkpt-80"), make_deployment("twin")
    lost = make_deployment("lost", model="ftchkpt-8")
    snapshot = ended(training={"ftjob-now": inside}, deployments=[bare, lost, twin])
    world = polls(World(tmp_path), running(NOW - 2 * HOUR), snapshot)
    out = explained(world, "bot")
    assert 'serves the checkpoint ftchkpt-80 (step 80), made by job "support" (ftjob-now) from gpt-4o-mini' in out
    assert "The model of that job, or a checkpoint of it, is deployed as contoso-ft/twin too." in out
    assert world.watcher("explain", "bot", "--json").json["explanation"]["made_by"]["job"] == "ftjob-now"
    assert "ftchkpt-8, an id that names no model; no job of which watcher has read the checkpoints has it." in (
        explained(world, "lost")
    )


def test_a_job_is_not_compared_with_itself(tmp_path: Path) -> None:
    begun = {"ftjob-now": [make_event("Job started.", at=NOW - 2 * HOUR)]}
    pending = make_job("ftjob-now", "pending", created_at=NOW - 3 * HOUR)
    world = polls(
        World(tmp_path),
        make_snapshot(at=NOW - 150 * MINUTE, jobs=[pending]),
        running(NOW - MINUTE, events=begun),
    )
    assert "How long such jobs usually take is unknown" in explained(world, "ftjob-now")


#: Its calls were never read.
_UNREAD = "the cause could not be read, and somebody may have deleted it. "


def gone(departure: Departure | None, tmp_path: Path) -> World:
    bot = make_deployment("bot")
    departures = {} if departure is None else {bot.key: departure}
    return polls(
        World(tmp_path),
        make_snapshot(at=NOW - 2 * HOUR, deployments=[bot]),
        make_snapshot(at=NOW - HOUR, deployments=[], absent=frozenset({bot.key}), departures=departures),
    )


@pytest.mark.parametrize(
    ("departure", "cause", "said"),
    [
        pytest.param(
            Departure(is_read=True, deleted_by="ana@x.example", deleted_at=NOW - 90 * MINUTE),
            "deleted by ana@x.example at 2026-11-22 06:30 UTC, says the activity log.",
            "By the activity log ana@x.example deleted it on 2026-11-22 06:30 UTC.",
            id="by somebody",
        ),
        pytest.param(
            Departure(is_read=True, deleted_by="ana@x.example", deleted_at=NOW - HOUR),
            "deleted by ana@x.example, says the activity log.",
            "By the activity log ana@x.example deleted it on 2026-11-22 07:00 UTC.",
            id="by somebody, seen at once",
        ),
        pytest.param(
            Departure(is_read=True, deleted_by="Microsoft.CognitiveServices", deleted_at=NOW - 90 * MINUTE),
            "deleted by Azure itself at 2026-11-22 06:30 UTC, likely for idleness. SKU",  # the log says nothing of why
            "By the activity log Microsoft.CognitiveServices deleted it on 2026-11-22 06:30 UTC.",
            id="by Azure",
        ),
        pytest.param(
            Departure(is_read=True, deleted_by="ana@x.example", account_deleted=True),
            "its account was deleted by ana@x.example, says the activity log.",
            "By the activity log ana@x.example deleted the account with all that was in it.",
            id="with the account",
        ),
        pytest.param(
            Departure(is_read=False, because="the role Monitoring Reader is missing"),
            _UNREAD + "Who deleted it is unknown: the role Monitoring Reader is missing.",
            "Who deleted it is unknown: the role Monitoring Reader is missing.",
            id="not readable",
        ),
        pytest.param(
            Departure(is_read=True),
            _UNREAD + "The activity log names nobody; whether Azure logs its own deletions is not documented.",
            "The activity log names nobody; whether Azure logs its own deletions is not documented.",
            id="silent",
        ),
        pytest.param(
            None,
            _UNREAD + "Who deleted it is unknown: the activity log was not asked.",
            "Who deleted it is unknown: the activity log was not asked.",
            id="not asked",
        ),
    ],
)
def test_a_deployment_that_is_gone_is_told_with_its_cause_and_what_the_log_says(
    tmp_path: Path, departure: Departure | None, cause: str, said: str
) -> None:
    world = gone(departure, tmp_path)
    assert f"It is gone, seen 2026-11-22 07:00 UTC (1 h ago): {cause}" in explained(world, "bot")
    told = world.watcher("explain", "bot", "--json").json["explanation"]["alerts"]
    (alert,) = (one for one in told if one["rule"] == "deployment_gone")
    under_the_alert = explained(world, alert["id"])
    assert f"It is gone, seen 2026-11-22 07:00 UTC (1 h ago). {said}" in under_the_alert, "the cause stands above"


def test_a_developer_deployment_is_not_said_to_be_saved_by_calls(tmp_path: Path) -> None:
    trial = make_deployment("trial", sku="DeveloperTier", created_at=NOW - 20 * HOUR)
    out = explained(polls(World(tmp_path), make_snapshot(at=NOW, deployments=[trial], usage=[])), "trial")
    assert "At risk: Azure may delete it in 4 h, from 2026-11-22 12:00 UTC on; calls do not change that." in out
    assert "adds 24 h after which such a deployment may be removed, called or not" in out


def test_lifetimes_are_those_of_the_configuration(tmp_path: Path) -> None:
    """The listing, `status` and `explain` reckon as the rules do."""
    bot = make_deployment("bot")
    world = polls(
        World(tmp_path),
        make_snapshot(at=NOW, deployments=[bot], usage=[make_usage("bot", last_success_at=NOW - 2 * DAY)]),
    )
    assert "2026-12-05 08:00 UTC" in explained(world, "bot")
    rule = '[rules.deployment_idle]\nlifetimes = { "Standard" = "20d" }\n'
    world.config.write_text(world.config.read_text() + rule)
    assert "2026-12-10 08:00 UTC" in explained(world, "bot")
    (record,) = world.watcher("deployments", "--json").json["deployments"]
    assert record["deletion_earliest"] == "2026-12-10T08:00:00Z"
    world.config.write_text(world.config.read_text().replace('"20d"', '"never"'))
    assert "never deletes deployments of SKU Standard" in explained(world, "bot")


@pytest.mark.parametrize("columns", ["60", "80"])
@pytest.mark.parametrize("wanted", ["support-bot", "ftjob-that-ends", "night-bot", "chat"])
def test_the_text_fits_but_for_what_is_to_be_copied(world: World, wanted: str, columns: str) -> None:
    world.environ["COLUMNS"] = columns
    lines = world.watcher("explain", wanted).out.splitlines()
    assert lines[-1].strip()
    text = [line for line in lines if not line.lstrip().startswith(("az ", "curl "))]
    longest = [line for line in text if cell_len(line) > int(columns) and len(line.split()) > 1]
    assert longest == []


def test_a_state_that_is_no_longer_named_is_not_told_as_an_end(tmp_path: Path) -> None:
    one = make_deployment()
    world = polls(
        World(tmp_path),
        *(
            make_snapshot(at=NOW - hours * HOUR, deployments=[replace(one, deployment_state=state)])
            for hours, state in ((2, "Paused"), (1, ""))
        ),
    )
    text = explained(world, "support-bot")
    assert "deployment state: Paused → none" in text
    assert "gone" not in text


def test_an_alert_over_all_accounts_is_told_with_what_it_is_about(tmp_path: Path) -> None:
    one = make_deployment()
    world = polls(World(tmp_path), make_snapshot(at=NOW - HOUR, deployments=[one]))
    inventory = make_inventory(
        make_holding(deployments=[one], models=[make_model(inference_until=NOW + 10 * DAY)]),
    )
    finding = the_finding(ModelRetiring(), inventory)
    alert = open_alert(finding, account="", now=NOW)
    with closing(world.open()) as store:
        store.write_now(alerts.save, [alert])
    told = world.watcher("explain", alert.id, "--json").json["explanation"]
    assert told["deployment"]["name"] == "support-bot"
    assert f"Alert {alert.id}: model_retiring" in explained(world, "support-bot")


def told_of(alert: Alert, *told: Told) -> str:
    routes = (("route", "hook", {"rule": alert.finding.rule}),)
    file = AlertFile(alert=alert, routes=routes, held=(), silences=(), told=told, deliveries=(), audit=())
    return words("\n".join("".join(text for text, _ in line) for line in alert_text(file, NOW, 80)))


@pytest.mark.parametrize(
    ("rule", "step", "said", "said_at_its_end"),
    [
        (
            "deployment_idle",
            "6h",
            "The last step that it crossed is 6h before its deletion.",
            "The last step that it crossed was 6h before its deletion.",
        ),
        ("deployment_idle", "overdue", "", "By then its deletion was overdue."),
        (
            "model_retiring",
            "30d",
            "The last step that it crossed is 30d before the retirement.",
            "The last step that it crossed was 30d before the retirement.",
        ),
        (
            "job_cost",
            "25h",
            "It has passed 50 % of the cap: 25 h of training.",
            "It had passed 50 % of the cap: 25 h of training.",
        ),
        ("job_cost", "0h", "It has passed 100 % of the cap: 50 h of", "It had passed 100 % of the cap: 50 h of"),
        ("job_cost", "overdue", "It was resumed beyond the cap.", "It had been resumed beyond the cap by then."),
        ("job_paused", "3d", "The reminder was due after 3d of pause.", "The reminder was due after 3d of pause."),
        ("made_elsewhere", "4", "The step reached is 4.", "The step reached is 4."),
        ("job_stalled", "", "", ""),
    ],
)
def test_how_far_a_countdown_has_come_is_told(rule: str, step: str, said: str, said_at_its_end: str) -> None:
    alert = make_alert(rule, at=NOW - HOUR, step=step)
    for text, expected in ((told_of(alert), said), (told_of(ended_alert(alert, NOW)), said_at_its_end)):
        assert expected in text
        assert ("step" in text, "overdue" in text) == ("step" in expected, "overdue" in expected)


def test_what_was_recorded_of_an_alert_that_is_over_is_not_dated_by_its_end() -> None:
    """Its figures are those of its last step, which may be long ago."""
    alert = make_alert(
        "deployment_wasting", at=NOW - 9 * DAY, values={"cost_until_deletion": 528.7}, evidence="metrics read"
    )
    ongoing, over = told_of(alert), told_of(ended_alert(alert, NOW))
    assert "In figures, as of 2026-11-13 08:00 UTC: cost until deletion 528.70" in ongoing
    assert "The grounds, as last recorded: metrics read. In figures, as last recorded: cost" in over
    assert "as of" not in over


def test_that_nobody_calls_something_is_said_up_to_where_its_calls_were_read(tmp_path: Path) -> None:
    """Far from its deletion they are read seldom, and its alert is verified all the same."""
    world = World(tmp_path)
    usage = make_usage("bot", read_to=NOW - 11 * HOUR, last_success_at=NOW - 4 * DAY)
    snapshot = make_snapshot(at=NOW, jobs=[], deployments=[make_deployment("bot")], usage=[usage])
    with closing(world.open()) as store:
        store.write_now(scope.save_accounts, [snapshot.account], is_complete=False, now=NOW)
        store.write_now(cycles.record, snapshot, Judgement(rules=build_rules({}, ()).rules))
    (alert,) = world.watcher("alerts", "--json").json["alerts"]
    assert (alert["rule"], alert["unverified_since"]) == ("deployment_wasting", None)
    said = "has had no call for 3 d 13 h, since 2026-11-18 08:00 UTC (known to 2026-11-21 21:00 UTC), and its fee runs"
    assert said in explained(world, alert["id"])
    world.environ["COLUMNS"] = "250"
    assert said in words(world.watcher("alerts").out)
    assert "for 3 d 13 h, to 2026-11-21 21:00 UTC" in explained(world, "bot"), "the same arithmetic"


def test_a_resolve_for_which_the_news_of_the_end_stood_is_told_as_such() -> None:
    alert = ended_alert(make_alert("deployment_idle", at=NOW - HOUR, step="6h"), NOW)
    told = Told(
        alert_id=alert.id,
        receiver="hook",
        status=AlertStatus.RESOLVED,
        severity=alert.severity,
        step="6h",
        at=NOW,
        notification_id="",
        group_key="route:{}",
        route="route",
    )
    assert told_of(alert, told).endswith("2026-11-22 08:00 UTC hook: resolved, by the message that it is gone")
    assert told_of(alert, replace(told, notification_id="ntf_1")).endswith("hook: resolved, warning, 6h")


def test_an_ended_job_trained_and_one_under_way_trains(tmp_path: Path) -> None:
    world = polls(World(tmp_path), running(NOW - MINUTE))
    assert "It trains gpt-4o-mini" in explained(world, "ftjob-now")
    world.record(make_snapshot(at=NOW, jobs=[make_job("ftjob-now", "succeeded", finished_at=NOW)]))
    assert "It trained gpt-4o-mini" in explained(world, "ftjob-now")


def test_past_its_latest_time_a_deletion_is_told_as_due_and_not_as_ahead(tmp_path: Path) -> None:
    bot = make_deployment("bot")
    calls = make_usage("bot", read_from=NOW - 40 * DAY, last_success_at=NOW - 16 * DAY)
    idle = make_snapshot(at=NOW, jobs=[], deployments=[bot], usage=[calls])
    out = explained(polls(World(tmp_path), idle), "bot")
    assert (
        "At risk: its deletion is overdue by 23 h, and it still stands: it was to go by 2026-11-21 09:00 UTC. SKU"
    ) in out


def test_what_is_in_the_way_of_making_it_again_stands_before_the_command(tmp_path: Path) -> None:
    """Its account was found to be gone, whatever the activity log says of that."""
    world = gone(None, tmp_path)
    found = Discovery(accounts=(), is_complete=False, gone=frozenset({ACCOUNT.key}))
    store = world.open()
    store.write_now(cycles.save_discovery, found, Judgement(rules=()), NOW - MINUTE)
    store.close()
    out = world.watcher("explain", "bot").out
    said = " ".join(out.split())
    assert f"The account {ACCOUNT.label} is gone, so the command as it stands leads nowhere." in said
    assert out.index("leads nowhere") < out.index("az rest --method put")
    recipe = world.watcher("explain", "bot", "--json").json["explanation"]["recipe"]
    assert recipe["obstacle"].startswith(f"The account {ACCOUNT.label} is gone")


def test_where_its_account_left_the_scope_nothing_is_claimed_of_it(tmp_path: Path) -> None:
    world = polls(World(tmp_path), make_snapshot(at=NOW - HOUR, deployments=[make_deployment("bot")]))
    store = world.open()
    found = Discovery(accounts=(make_account("other"),), is_complete=True)
    store.write_now(cycles.save_discovery, found, Judgement(rules=()), NOW - MINUTE)
    store.close()
    assert "Its account is watched no longer." in world.watcher("explain", "bot").out
    told = world.watcher("explain", ACCOUNT.label).err
    assert f"{ACCOUNT.label} is an account that is watched no longer" in told
    assert "--account" not in told  # listings know it no longer


def test_nothing_is_in_the_way_of_one_that_stands_or_is_gone_alone(tmp_path: Path) -> None:
    world = gone(Departure(is_read=True, deleted_by="ana@x.example"), tmp_path)
    assert world.watcher("explain", "bot", "--json").json["explanation"]["recipe"]["obstacle"] is None


def test_of_a_job_that_the_service_refused_no_checkpoint_is_offered(tmp_path: Path) -> None:
    words = "This model is unable to be deployed. It scores above acceptable thresholds for: [Violence]."
    inside = make_training(make_checkpoint(80, "ftjob-now"), curve=CURVE, job="ftjob-now", is_final=True)
    failed = make_job("ftjob-now", "failed", finished_at=NOW - HOUR, error=words)
    seen = make_snapshot(at=NOW - 30 * MINUTE, jobs=[failed], training={"ftjob-now": inside})
    out = explained(polls(World(tmp_path), running(NOW - 2 * HOUR), seen), "ftjob-now")
    assert "step 80" in out and "To deploy" not in out and "deployment create" not in out
    assert "Nothing of this training is offered for deployment: the service's RAI checks have refused the job" in out


def test_idleness_is_counted_to_where_calls_are_known(tmp_path: Path) -> None:
    """A day after the watcher stopped nobody knows whether it was called since."""
    usage = [make_usage("bot", last_success_at=NOW - 10 * DAY)]
    seen = make_snapshot(at=NOW, jobs=[], deployments=[make_deployment("bot")], usage=usage)
    world = polls(World(tmp_path), seen)
    assert "since 2026-11-12 08:00 UTC, for 10 d" in explained(world, "bot")
    world.now += 30 * HOUR
    out = explained(world, "bot")
    assert "for 10 d, to 2026-11-22 08:00 UTC; its calls since then are not known" in out
    assert "for 11 d 6 h" not in out
    assert "the metrics read end 1 d 6 h ago, which is too old." in out and "last read 1 d 6 h ago" not in out


def test_nothing_is_called_idle_from_the_end_of_what_was_read_on(tmp_path: Path) -> None:
    """Called in the very last hour of the metrics that were read."""
    last = NOW - 30 * HOUR
    usage = [make_usage("bot", last_success_at=last, read_to=last)]
    world = polls(World(tmp_path), make_snapshot(jobs=[], deployments=[make_deployment("bot")], usage=usage))
    out = explained(world, "bot")
    assert "calls not known since 2026-11-21 02:00 UTC" in out and "idle since" not in out
    assert "none since" not in out
