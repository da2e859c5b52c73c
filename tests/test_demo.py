"""`watcher demo`, as its user meets it: the whole story once, what it leaves behind, and what the lines look like."""

import json
import re
import shlex
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.story import Told, watcher
from watcher.demo.timeline import WIDTH, _rows

pytestmark = pytest.mark.xdist_group("demo")  # one process tells the story, once


@pytest.fixture(scope="module")
def folder(story: Told) -> Path:
    return story.folder


def lines_of(story: Told, text: str) -> list[str]:
    """The lines that hold `text`, each with the row that goes on from it."""
    rows = re.sub(r"\n {13}(?! )", " ", story.out).splitlines()
    return [row for row in rows if text in row]


def test_the_story_is_told_without_a_complaint(story: Told) -> None:
    assert (story.code, story.err) == (0, "")


def test_the_story_is_short_and_fits_a_terminal(story: Told, folder: Path) -> None:
    rows = story.out.splitlines()
    assert 60 < len(rows) < 130
    assert [row for row in rows if len(row) > WIDTH and str(folder) not in row] == []


@pytest.mark.parametrize(
    ("text", "also"),
    [
        ("job_rai_data_failed", "hate_fairness, violence → hook"),
        ("job_rai_model_failed", "cannot be deployed"),
        ("job_overfitting", "validation loss was best at step"),
        ("job_failed", "internal error"),
        ("job_cancelled", '"winter"'),
        ("job_paused [resolved]", "it is now running"),
        ("end announced for", '"reward"'),
        ("job_stalled [warning]", '"reward"'),
        ("job_cost [warning 50 % of the cap: 25 h]", '"reward"'),
        ("file_failed", "review-broken.jsonl in contoso-lab was refused"),
        ("limit_near", "the size of all files"),
        ("file_orphaned", "no job names"),
        ("deployment_superseded", "support-bot in contoso-ft serves an older model"),
        ("model_undeployed", "Custom model gpt-4.1-2025-04-14.ft-"),
        ("account_unreachable [warning]", "contoso-west"),
        ("deployment_paused", "eval-paused"),
        ("deployment_expiring [4h]", "eval-dev"),
        ("deployment_gone", "its 24 h as a Developer deployment were over"),
        ("deployment_gone", "long-context-preview in contoso-lab is gone: deleted by operator@contoso.example"),
        ("deployment_gone [critical]", "assistant in contoso-west is gone: unexplained"),
        ("deployment_gone [warning]", "likely deleted by Azure after 15 d without a call"),
        ("deployment_gone", "its account was deleted by operator@contoso.example"),
        ("account contoso-poc gone", "deployment greeter gone"),
        ("deployment_idle [resolved]", "search-ranker: called again"),
    ],
)
def test_the_story_tells_of(story: Told, text: str, also: str) -> None:
    assert [row for row in lines_of(story, text) if also in row], lines_of(story, text)


def test_an_idle_deployment_is_counted_down_to_its_end(story: Told) -> None:
    told = [row for row in lines_of(story, "Deployment support-bot in contoso-ft may be deleted in") if "●" in row]
    steps = ["[7d]", "[warning 3d]", "[critical 1d]", "[critical 6h]"]
    assert [re.findall(r"\[.*?\]", row)[0] for row in told] == steps
    assert all(row.endswith("→ console, hook") for row in told[2:])


def test_nothing_is_told_twice(story: Told) -> None:
    told = re.findall(r"● (\S+(?: \[[^]]+\])?  .*?contoso-\w+)", "\n".join(lines_of(story, "● ")))
    assert sorted(set(told)) == sorted(told) and len(told) > 25


def test_every_message_arrives_signed(story: Told) -> None:
    found = re.search(r"(\d+) to hook; the hook received (\d+), (\d+) of them signed", story.out)
    assert found and len(set(found.groups())) == 1 and int(found[1]) > 20


def test_what_is_kept_answers_the_commands_that_the_end_names(story: Told, folder: Path) -> None:
    commands = [shlex.split(row) for row in story.out.splitlines() if row.startswith("  watcher ")]
    answers = [watcher(*words[1:]) for words in commands]
    assert [(answer.code, answer.err) for answer in answers] == [(0, "")] * 4
    status, job, deployment, alert = (answer.out for answer in answers)
    assert "3 of 3 accounts seen whole" in status and "eval-paused" in status
    assert 'Job "intent"' in job and "Train again with fewer epochs" in job
    assert "Deployment support-bot in contoso-ft" in deployment and "It served gpt-4.1-mini" in deployment
    assert "assistant in contoso-west is gone: unexplained" in alert
    assert "last complete cycle never" not in status


def test_what_is_kept_is_as_old_as_it_seems(story: Told, folder: Path) -> None:
    kept = json.loads(watcher("alerts", "--config", str(folder / "config.toml"), "--json").out)["alerts"]
    times = [datetime.fromisoformat(alert["starts_at"]) for alert in kept]
    now = datetime.now(UTC)
    assert times and all(now - timedelta(days=18) < at <= now for at in times)


def test_a_failed_job_of_the_story_names_the_checkpoints_that_are_left(story: Told, folder: Path) -> None:
    config = str(folder / "config.toml")
    jobs = json.loads(watcher("jobs", "--config", config, "--json").out)["jobs"]
    (failed,) = (job["id"] for job in jobs if job["suffix"] == "review")
    told = " ".join(watcher("explain", failed, "--config", config).out.split())
    assert "The service listed 3 checkpoints of it (steps 13, 26, 40" in told
    assert "review-step-40" in told


def test_the_messages_are_kept_too(story: Told, folder: Path) -> None:
    messages = (folder / "messages.txt").read_text(encoding="utf-8")
    assert messages.count("━━ [") == int(re.findall(r"(\d+) to console", story.out)[0])


def test_a_demo_writes_over_nothing(story: Told, folder: Path) -> None:
    before = (folder / "watcher.db").read_bytes()
    again = watcher("demo", "--no-web", "--keep", str(folder))
    assert again.code == 2 and "name another folder" in again.err and again.out == ""
    assert (folder / "watcher.db").read_bytes() == before


def test_a_folder_that_cannot_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    refused = watcher("demo", "--no-web", "--keep", str(tmp_path / "file" / "folder"))
    assert refused.code == 2 and "cannot be made a folder" in refused.err


def test_a_demo_ends_when_its_time_is_up_and_keeps_nothing() -> None:
    short = watcher("demo", "--duration", "2s", "--speed", "1h")
    assert short.code == 0 and short.err == ""
    assert "The time is up before the story is." in short.out and "Page at http://127.0.0.1:" in short.out
    assert "Nothing is kept" in short.out


@given(
    st.lists(st.text("ab-. ", min_size=1, max_size=40), min_size=1, max_size=12).map(" ".join),
    st.sampled_from(["", " → hook", " → console, hook"]),
    st.integers(40, 100),
    st.integers(1, 3),
)
def test_rows_fit_and_say_who_was_told(text: str, tail: str, width: int, most: int) -> None:
    rows = _rows(text, tail, width, most)
    assert len(rows) <= most and all(len(row) <= width for row in rows)
    assert " ".join(rows).endswith(tail.strip())
