"""`/jobs` and the page of one job."""

import re
from typing import Any

from tests.factories import (
    DAY,
    HOUR,
    MINUTE,
    NOW,
    make_account,
    make_deployment,
    make_event,
    make_gap,
    make_job,
    make_snapshot,
    make_usage,
)
from tests.web.pages.house import Show, read
from tests.web.pages.test_overview import text_of
from watcher.resources.fine_tuning import Checkpoint
from watcher.resources.snapshot import GapReason, Section, Snapshot
from watcher.resources.training import CurvePoint, CurveSource, Training

MADE = "gpt-4o-mini-2024-07-18.ft-0123456789abcdef0123456789abcdef-support"
JOB = "/jobs/contoso-ft/ftjob-1"


def snapshot(**changes: Any) -> Snapshot:
    defaults: dict[str, Any] = {"at": NOW - MINUTE, "jobs": [], "deployments": [], "usage": []}
    return make_snapshot(**{**defaults, **changes})


def names(html: str) -> list[str]:
    return re.findall(r'href="/jobs/[^/"]+/([^"?]+)"', html)


async def test_those_under_way_are_shown_first_and_all_others_are_a_link_away(show: Show) -> None:
    jobs = [
        make_job("ftjob-old", "succeeded", created_at=NOW - 9 * DAY),
        make_job("ftjob-1", created_at=NOW - HOUR),
        make_job("ftjob-2", created_at=NOW - 2 * HOUR),
        make_job("ftjob-bad", "failed", created_at=NOW - 3 * DAY),
    ]
    html = await show(snapshot(jobs=jobs), path="/jobs")
    assert names(html) == ["ftjob-1", "ftjob-2"]
    assert 'aria-sort="descending"' in html
    links = read(html).links
    assert "/jobs?show=failed" in links
    assert names(await show(path="/jobs?show=all&sort=-created")) == ["ftjob-old", "ftjob-bad", "ftjob-2", "ftjob-1"]
    assert names(await show(path="/jobs?show=all&q=BAD")) == ["ftjob-bad"]


async def test_a_status_that_was_only_first_seen_is_said_to_last_at_least_so_long(show: Show) -> None:
    queued = make_job("ftjob-2", "queued", created_at=NOW - 3 * HOUR)
    list_ = text_of(await show(snapshot(at=NOW - 2 * HOUR, jobs=[make_job(), queued]), path="/jobs"))
    assert list_.count("at least 2 h ago") == 1 and "3 h ago" in list_ and "at least 3 h ago" not in list_
    assert "running since 2 h ago at least" in text_of(await show(path=JOB))
    assert "queued since 3 h ago" in (two := text_of(await show(path="/jobs/contoso-ft/ftjob-2")))
    assert "3 h ago at least" not in two
    overview = text_of(await show(path="/"))
    assert "at least 2 h" in overview and "at least 3 h" not in overview


async def test_an_address_that_asks_for_what_there_is_not_says_so(show: Show) -> None:
    assert "sort is one of" in await show(path="/jobs?sort=weight", status=400)


async def test_a_job_that_is_not_known_is_no_page(show: Show) -> None:
    await show(snapshot(deployments=[make_deployment("support-bot")]), path="/jobs/contoso-ft/ftjob-none", status=404)
    await show(path="/jobs/contoso-ft/support-bot", status=404)


async def test_a_refusal_is_told_with_its_harms_and_in_the_services_words(show: Show) -> None:
    words = "The provided training data failed RAI checks for harm types: [hate_fairness, <b>self_harm</b>]."
    html = await show(snapshot(jobs=[make_job("ftjob-1", "failed", error=words)]), path=JOB)
    assert "Refused by the RAI checks, because of its training data" in html
    assert '<span class="badge critical">hate fairness</span>' in html
    assert "failed RAI checks for harm types: [hate_fairness, &lt;b&gt;self_harm&lt;/b&gt;]." in html


async def test_another_failure_is_told_in_the_services_words(show: Show) -> None:
    html = await show(snapshot(jobs=[make_job("ftjob-1", "failed", error="line 7 <is> no JSON")]), path=JOB)
    assert "Refused by the RAI" not in html
    assert "line 7 &lt;is&gt; no JSON" in html


async def test_each_step_is_dated_by_the_service_or_said_to_be_seen(show: Show) -> None:
    begun = NOW - 5 * HOUR
    waiting = make_job("ftjob-1", "pending", created_at=begun)
    running = make_job("ftjob-1", "running", created_at=begun)
    done = make_job("ftjob-1", "succeeded", created_at=begun, finished_at=NOW - HOUR, fine_tuned_model=MADE)
    html = await show(
        snapshot(at=NOW - 4 * HOUR, jobs=[waiting]),
        snapshot(
            at=NOW - 3 * HOUR, jobs=[running], events={"ftjob-1": [make_event("Job started.", at=NOW - 3.5 * HOUR)]}
        ),
        snapshot(jobs=[done]),
        path=JOB,
    )
    went = text_of(html[html.index('id="went"') : html.index('id="what"')])
    steps = [went.index(word) for word in ("created", "pending → running", "running → succeeded")]
    assert steps == sorted(steps)
    assert "pending → running after 1 h 30 min" in went, "by the service's own time"
    assert "running → succeeded after 2 h 30 min" in went
    assert "Its own log" in html and "Job started." in html


async def test_the_hours_of_reinforcement_count_from_their_order_even_where_steps_were_seen_at_once(show: Show) -> None:
    begun = NOW - 20 * HOUR
    job = {"created_at": begun, "method": "reinforcement", "model": "o4-mini-2025-04-16"}
    waiting = make_job("ftjob-1", "pending", **job)
    done = make_job("ftjob-1", "succeeded", **job, finished_at=NOW - 2 * HOUR, fine_tuned_model="o4-mini.ft-x")
    events = [make_event("Job started.", at=NOW - 12 * HOUR), make_event("Job succeeded.", at=NOW - 2 * HOUR)]
    html = await show(
        snapshot(at=NOW - 19 * HOUR, jobs=[waiting]), snapshot(jobs=[done], events={"ftjob-1": events}), path=JOB
    )
    assert "1,000.00 USD" in html, "ten hours at 100 USD"


async def test_the_curve_marks_the_best_step_and_what_follows_it(show: Show) -> None:
    points = tuple(
        CurvePoint(
            step=step,
            metrics={
                "train_loss": 2.0 - step * 0.025,
                "full_valid_loss": 1.0 + abs(step - 20) * 0.03,
                "train_accuracy": 0.5 + step * 0.005,
            },
        )
        for step in range(0, 61, 5)
    )
    kept = tuple(
        Checkpoint(id=f"c{step}", job_id="ftjob-1", model=f"{MADE}:ckpt-step-{step}", step=step, created_at=NOW - DAY)
        for step in (20, 60)
    )
    inside = Training(
        job="ftjob-1", read_at=NOW, is_final=True, checkpoints=kept, points=points, source=CurveSource.RESULTS
    )
    job = make_job("ftjob-1", "succeeded", finished_at=NOW - HOUR, fine_tuned_model=MADE)
    html = await show(snapshot(jobs=[job], training={"ftjob-1": inside}), path=JOB)
    assert "Validation loss was best at step 20 (1, over the whole validation set)" in html
    assert html.count('class="worse"') == 2, "the stretch, and its legend"
    assert "best, step 20" in html
    assert 'id="accuracy-title"' in html
    assert "ckpt-step-20" in html[html.index('class="command"') :], "the one that validated best is the one to deploy"
    assert "To deploy the checkpoint of step 20" in html


async def test_words_mark_and_checkpoint_agree_on_the_best_step_of_a_noisy_curve(show: Show) -> None:
    """One wild batch is lower than all others, and is not the best."""
    losses = {step: 1.0 + abs(step - 60) * 0.01 + (0.05 if step % 2 else 0.0) for step in range(1, 101)} | {15: 0.2}
    kept = tuple(
        Checkpoint(id=f"c{step}", job_id="ftjob-1", model=f"{MADE}:ckpt-step-{step}", step=step, metrics=metrics)
        for step, metrics in ((15, {"valid_loss": 0.2}), (55, {"valid_loss": 1.1}), (100, {"valid_loss": 1.4}))
    )
    inside = Training(
        job="ftjob-1",
        read_at=NOW,
        is_final=True,
        checkpoints=kept,
        points=tuple(
            CurvePoint(step=step, metrics={"valid_loss": loss, "train_loss": 2.0 - step * 0.01})
            for step, loss in losses.items()
        ),
        source=CurveSource.RESULTS,
    )
    job = make_job("ftjob-1", "succeeded", finished_at=NOW - HOUR, fine_tuned_model=MADE)
    html = await show(snapshot(jobs=[job], training={"ftjob-1": inside}), path=JOB)
    assert set(re.findall(r"best at step (\d+)", html)) == set(re.findall(r"best, step (\d+)", html)) == {"60"}
    assert "Step 55: the nearest to the best: validation loss was best at step 60" in html
    assert "To deploy the checkpoint of step 55" in html


async def test_a_job_leads_to_where_its_model_is_deployed(show: Show) -> None:
    west = make_account("contoso-west")
    job = make_job("ftjob-1", "succeeded", fine_tuned_model=MADE)
    html = await show(
        snapshot(
            jobs=[job], deployments=[make_deployment("support-bot", model=MADE)], usage=[make_usage("support-bot")]
        ),
        snapshot(account=west, deployments=[make_deployment("mirror", account=west, model=MADE)]),
        path=JOB,
    )
    assert {"/deployments/contoso-ft/support-bot", "/deployments/contoso-west/mirror"} <= set(read(html).links)


async def test_foreign_words_of_a_job_are_text(show: Show) -> None:
    hostile = '"><script>alert(1)</script>'
    job = make_job(
        "ftjob-1",
        suffix=hostile,
        model=hostile,
        training_file=hostile,
        hyperparameters={hostile: hostile},
        metadata={hostile: hostile},
    )
    event = make_event(hostile, at=NOW - HOUR)
    for path in (JOB, "/jobs"):
        html = await show(snapshot(jobs=[job], events={"ftjob-1": [event]}), path=path)
        assert "<script>alert" not in html and "&lt;script&gt;" in html
        assert " style=" not in html


async def test_of_a_job_that_the_service_refused_nothing_is_offered_for_deployment(show: Show) -> None:
    kept = Checkpoint(id="c9", job_id="ftjob-1", model=f"{MADE}:ckpt-step-9", step=9, created_at=NOW - DAY)
    inside = Training(job="ftjob-1", read_at=NOW, is_final=True, checkpoints=(kept,), points=())
    job = make_job("ftjob-1", "succeeded", finished_at=NOW - HOUR, fine_tuned_model=MADE)
    words = "This model is unable to be deployed. It scores above acceptable thresholds for: [Violence]."
    refused = {"ftjob-1": [make_event(words)]}
    html = await show(snapshot(jobs=[job], training={"ftjob-1": inside}, events=refused), path=JOB)
    assert "ckpt-step-9" in html and "Nothing of this training is offered for deployment" in html
    assert "the one to deploy" not in html and "To deploy" not in html and "deployment create" not in html


async def test_what_of_a_job_was_not_seen_is_told_with_its_cure_and_its_alert(show: Show) -> None:
    gap = make_gap(Section.JOBS, GapReason.ROLE, at=NOW - MINUTE, message="needs a role")
    html = await show(snapshot(at=NOW - HOUR, jobs=[make_job()]), snapshot(jobs=None, gaps=(gap,)), path=JOB)
    note = text_of(html[html.index('class="note"') : html.index('id="went"')])
    assert "a role is missing" in note and "az role assignment create" in note and "needs a role" in note
    assert "Told by account forbidden" in note and "which explains" not in note
