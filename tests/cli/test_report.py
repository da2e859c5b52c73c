"""`report`: every format, to the terminal, a file or a receiver; of now and of the past."""

import csv
import http.server
import io
import json
import os
import stat
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.cli.world import SEEN_AT, World, good
from tests.factories import DAY, HOUR, MINUTE, NOW, make_deployment, make_job, make_snapshot, make_usage
from watcher.resources.calls import Calls, HourOfCalls
from watcher.resources.snapshot import Listing

OWNERS = """
[[owners]]
match = ['deployment=~".*-bot"', 'owner!="support"']
name = "Others"
receivers = ["screen"]
[[receivers]]
name = "pager"
type = "pagerduty"
routing_key_env = "PAGER_KEY"
"""


def report(world: World, *args: str) -> Any:
    """The statement, by the document that the command writes."""
    done = world.watcher("report", "--json", *args)
    assert done.code in (0, 3), done.err
    return json.loads(done.out)


def names(document: Any) -> list[str]:
    return sorted(one["name"] for one in document["deployments"])


@pytest.mark.parametrize("format_", ["text", "markdown", "html", "json", "csv"])
def test_each_format_tells_the_same_bill(world: World, format_: str) -> None:
    done = world.watcher("report", "--format", format_)
    assert done.code == 3
    assert done.err == "watcher: 6 things could not be seen; the report says which\n"
    least = report(world)["totals"]["bill"]["low"]
    assert f"{least:.2f}" in done.out.replace(",", "") if format_ != "json" else json.loads(done.out)
    assert done.out.endswith("\n")
    assert "support-bot" in done.out


def test_text_is_the_default_and_fits_a_terminal(world: World) -> None:
    done = world.watcher("report")
    assert done.out == world.watcher("report", "--format", "text").out
    assert done.out.startswith("Fine-tuning costs, 2026-11-15 09:00 CET to 2026-11-22 09:00 CET\n")


def test_a_file_is_written_whole_over_what_was_there_in_the_format_of_its_name(world: World) -> None:
    file = world.folder / "costs.csv"
    file.write_text("old")
    file.chmod(0o640)
    done = world.watcher("report", "--output", str(file))
    assert (done.code, done.out) == (3, "")
    rows = list(csv.DictReader(io.StringIO(file.read_text(), newline="")))
    assert {row["section"] for row in rows} >= {"total", "hosting"}
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert sorted(one.name for one in world.folder.iterdir() if "costs" in one.name) == ["costs.csv"]
    world.watcher("report", "--output", str(file), "--format", "markdown")
    assert file.read_text().startswith("#")


def test_what_cannot_be_written_leaves_nothing_half_written(world: World) -> None:
    missing = world.folder / "nowhere" / "costs.html"
    done = world.watcher("report", "--output", str(missing))
    assert done.code == 1
    assert done.err.startswith(f"watcher: {missing} cannot be written (No such file or directory)")
    kept = world.folder / "full"
    kept.mkdir()
    assert world.watcher("report", "--output", str(kept)).code == 1
    assert kept.is_dir() and not list(kept.iterdir())
    assert not [one for one in world.folder.rglob("*.part")]


def test_a_pipe_is_written_to_and_stays_one(world: World) -> None:
    pipe = world.folder / "pipe"
    os.mkfifo(pipe)
    got: list[str] = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_text()))
    reader.start()
    world.watcher("report", "--output", str(pipe), "--format", "json")
    reader.join()
    assert json.loads(got[0])["version"] == 1
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_link_is_followed(world: World) -> None:
    link, file = world.folder / "newest.md", world.folder / "of-today.md"
    file.touch()
    link.symlink_to(file)
    world.watcher("report", "--output", str(link))
    assert link.is_symlink()
    assert file.read_text()


def test_the_period_is_a_span_or_the_month(world: World) -> None:
    week, month, days = (report(world, "--period", span)["period"] for span in ("7d", "month", "30d"))
    assert (week["name"], week["begin"], week["end"]) == ("7d", "2026-11-15T08:00:00Z", "2026-11-22T08:00:00Z")
    assert (month["name"], month["begin"]) == ("month", "2026-10-31T23:00:00Z")
    assert days["begin"] == "2026-10-23T07:00:00Z"  # 09:00 in Berlin, then as now


@pytest.mark.parametrize(
    "args",
    [
        pytest.param(["--format", "pdf"], id="format"),
        pytest.param(["--json", "--format", "csv"], id="two formats"),
        pytest.param(["--period", "week"], id="period"),
        pytest.param(["--period", "0d"], id="no length"),
        pytest.param(["--as-of", "yesterday"], id="no time"),
        pytest.param(["--as-of", "2026-11-22T09:01"], id="a minute ahead"),
        pytest.param(["--as-of", "9000d"], id="longer ago than the record"),
        pytest.param(["--output", "costs.pdf"], id="no format of ours"),
        pytest.param(["--owner", "suport"], id="no owner"),
        pytest.param(["--as-of", "2026-11-01"], id="before the record"),
        pytest.param(["--send", "nobody"], id="receiver"),
        pytest.param(["--edition", "ours"], id="edition"),
        pytest.param(["--edition", "finance", "--owner", "support"], id="two editions"),
    ],
)
def test_what_cannot_be_told_is_wrong_usage(world: World, args: list[str]) -> None:
    done = world.watcher("report", *args)
    assert (done.code, done.out) == (2, "")
    assert done.err.count("\n") == 1


def test_a_span_of_the_past_is_a_time_too(world: World) -> None:
    """As everywhere else, and as the message says of what cannot be read."""
    assert report(world, "--as-of", "30m") == report(world, "--as-of", "2026-11-22T07:30:00Z")
    assert 'write "12h"' in world.watcher("report", "--as-of", "soon").err


def test_what_is_no_period_is_told_what_is_one(world: World) -> None:
    done = world.watcher("report", "--period", "week")
    assert '"7d"' in done.err and '"month"' in done.err


def test_a_file_whose_name_tells_no_format_is_refused_unless_one_is_said(world: World) -> None:
    file = world.folder / "costs.pdf"
    done = world.watcher("report", "--output", str(file))
    assert (done.code, done.out, file.exists()) == (2, "", False)
    for known in (".txt", ".md", ".html", ".json", ".csv", "text|markdown|html|json|csv"):
        assert known in done.err
    assert world.watcher("report", "--output", str(file), "--format", "text").code == 3
    assert file.read_text().startswith("Fine-tuning costs")
    plain = world.folder / "costs"  # as a device or a pipe is named
    world.watcher("report", "--output", str(plain))
    assert plain.read_text() == file.read_text()


def test_where_the_record_begins_is_said(world: World) -> None:
    done = world.watcher("report", "--as-of", "2026-11-01")
    assert done.err.endswith("the record begins at 2026-11-22 07:00 UTC\n")


def test_a_past_one_is_what_was_told_then(world: World) -> None:
    world.now = NOW + HOUR  # metrics end before that, as they do wherever they are read
    told = report(world)
    later = make_deployment("later-bot", created_at=NOW + DAY)
    ended = make_job("ftjob-that-ends", "failed", error="the file is no JSON", finished_at=SEEN_AT)
    world.record(good(at=NOW + DAY + HOUR, jobs=[ended], deployments=[later]))
    world.now = NOW + 2 * DAY
    assert names(report(world)) != names(told)
    for text in ("2026-11-22T09:00:00Z", "2026-11-22T10:00:00", "2026-11-22T04:00:00-05:00"):
        assert report(world, "--as-of", text) == told
    assert report(world, "--as-of", "2026-11-23")["period"]["end"] == "2026-11-22T23:00:00Z"  # its beginning, in Berlin


def test_an_owner_is_a_label_or_a_table_of_the_configuration(world: World) -> None:
    assert names(report(world)) == ["busy-bot", "night-bot", "support-bot"]
    assert names(report(world, "--owner", "support")) == ["support-bot"]
    world.config.write_text(world.config.read_text() + OWNERS)
    found = report(world, "--owner", "Others")
    assert names(found) == ["busy-bot", "night-bot"]
    assert found["edition"] == {"audience": "owner", "owner": "Others"}


def test_a_name_that_nobody_bears_is_refused_with_the_nearest(world: World) -> None:
    """Read as an owner of nothing, a slip in a name would be an all-clear."""
    for command in (["report"], ["calendar"]):
        done = world.watcher(*command, "--owner", "Suport")
        assert (done.code, done.out) == (2, "")
        assert "no owner is named Suport" in done.err
        assert done.err.endswith("did you mean support?\n")
        far = world.watcher(*command, "--owner", "xyz")
        assert far.code == 2
        assert "known are " in far.err and "support" in far.err


def test_an_owner_who_is_known_and_has_nothing_has_nothing(tmp_path: Path) -> None:
    """One of the configuration, one whose things are gone since long, and nobody, who is always one."""
    world = World(tmp_path)
    nothing: Listing[Any] = Listing(digest="", items=())
    gone = make_deployment("old-bot", created_at=NOW - 80 * DAY, tags={"owner": "veteran"})
    for at, some in ((NOW - 70 * DAY, [gone]), (NOW - 60 * DAY, []), (NOW, [])):
        left = frozenset() if some else frozenset({gone.key})
        snapshot = make_snapshot(account=good().account, at=at, jobs=[], deployments=some, usage=[], absent=left)
        world.record(replace(snapshot, files=nothing, models=nothing))
    world.config.write_text(world.config.read_text() + OWNERS)
    for owner in ("Others", "veteran", "unowned"):
        done = world.watcher("report", "--owner", owner)
        assert (done.code, "Nothing to report" in done.out) == (0, True), owner
        assert done.err == f"watcher: nothing of an owner {owner!r} is known in this period; `watcher deployments` " + (
            "shows the owners\n"
        )
        assert world.watcher("calendar", "--owner", owner).code == 0
    assert world.watcher("report", "--owner", "veterans").err.endswith("did you mean veteran?\n")


def test_an_owner_s_job_makes_a_name_known(tmp_path: Path) -> None:
    world = World(tmp_path)
    job = make_job("ftjob-1", "cancelled", metadata={"Owner": "trainer"}, finished_at=NOW - 40 * DAY)
    world.record(make_snapshot(account=good().account, at=NOW, jobs=[job], deployments=[], usage=[]))
    assert world.watcher("report", "--owner", "trainer").code in (0, 3)
    assert world.watcher("report", "--owner", "trainr").err.endswith("did you mean trainer?\n")


def test_no_secret_but_the_database_s_is_needed(world: World) -> None:
    world.environ.clear()
    assert world.watcher("report").code == 3
    done = world.watcher("report", "--send", "hook")
    assert (done.code, done.out) == (2, "")
    assert "CANARY_SIGNING is not set" in done.err


#: Of the time before the first sight, with when that was.
_BEFORE = (
    "The record begins {} UTC, and not with the period: deployments that had ended before, and jobs that Azure listed "
    "no longer, are missing from every total."
)


def test_where_all_was_seen_it_is_done(tmp_path: Path) -> None:
    """The watcher has read the calls of all the time of which it tells, and nothing is missing."""
    world = World(tmp_path)
    born = make_deployment("fresh-bot", created_at=NOW - 3 * HOUR)
    called = make_usage("fresh-bot", read_from=NOW - DAY, read_to=NOW, last_success_at=NOW - HOUR)
    hours = Calls(deployment="fresh-bot", hours={NOW - HOUR: HourOfCalls(ok=3.0)})
    seen = make_snapshot(
        account=good().account, at=NOW, jobs=[], deployments=[born], usage=[called], calls={"fresh-bot": hours}
    )
    world.record(replace(seen, files=Listing(digest="", items=()), models=Listing(digest="", items=())))
    done = world.watcher("report", "--period", "2h")
    assert report(world, "--period", "2h")["unseen"] == [_BEFORE.format("2026-11-22 08:00")]
    assert (done.code, done.err) == (0, "")


def test_where_the_daemon_is_stopped_it_says_since_when_nothing_was_read(tmp_path: Path) -> None:
    """No gap is on record, as nothing was tried: what was last read is a whole account."""
    world = World(tmp_path)
    nothing: Listing[Any] = Listing(digest="", items=())
    for at in (NOW - HOUR, NOW):
        snapshot = make_snapshot(account=good().account, at=at, jobs=[], deployments=[], usage=[])
        world.record(replace(snapshot, files=nothing, models=nothing))
    told = report(world)
    assert told["unseen"] == [before := _BEFORE.format("2026-11-22 07:00")]
    world.now = NOW + 18 * HOUR
    done = world.watcher("report")
    assert done.code == 3
    assert "Not everything was seen: 0 of 1 account" in " ".join(done.out.split())
    said = (
        "Nothing of 1 account was read since 2026-11-22 08:00 UTC (18 h before this report): what has been deployed, "
        "deleted, trained or called since is not known: contoso-ft."
    )
    assert report(world)["unseen"] == [said, before]
    assert report(world, "--as-of", "2026-11-22T08:00:00Z") == told  # it was fresh then
    assert report(world, "--as-of", "2026-11-22T12:00:00Z")["unseen"] == [
        said.replace("(18 h before", "(4 h before"),
        before,
    ]  # as was known then, while nothing else is on record of that time


def test_one_as_of_a_schedule_s_time_calls_nothing_stale_that_was_polled(tmp_path: Path) -> None:
    """However long after that time it is made, and whatever was read since."""
    world = World(tmp_path)
    nothing: Listing[Any] = Listing(digest="", items=())
    for hours in (-2, 0, 2, 4):
        at = NOW + hours * HOUR - MINUTE
        snapshot = make_snapshot(account=good().account, at=at, jobs=[], deployments=[], usage=[])
        world.record(replace(snapshot, files=nothing, models=nothing))
    world.now = NOW + 60 * HOUR
    assert len(report(world, "--as-of", "2026-11-22T08:00:00Z")["unseen"]) == 1
    assert len(report(world)["unseen"]) == 2


def test_where_no_account_is_known_it_says_so(tmp_path: Path) -> None:
    world = World(tmp_path)
    assert world.watcher("report").code == 2  # there is no database
    world.open().close()
    done = world.watcher("report")
    assert done.code == 3
    assert done.err.startswith("watcher: no account has been read, so")
    for format_ in ("text", "markdown", "html", "json", "csv"):
        for edition in ("all", "finance"):
            told = world.watcher("report", "--format", format_, "--edition", edition)
            assert "No account has been read yet" in " ".join(told.out.split())
            assert "everything was seen, and" not in told.out
            assert told.code == 3
    assert report(world)["is_quiet"] is False
    dates = world.watcher("calendar")
    assert dates.code == 3
    assert "no account is known" in dates.err
    assert "nothing has been recorded yet" in world.watcher("report", "--owner", "anyone").err


# Sending it


class Hook(http.server.BaseHTTPRequestHandler):
    """A receiver that keeps what it gets, and answers as told."""

    taken: list[dict[str, Any]]
    status = 200

    def do_POST(self) -> None:
        self.taken.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        self.send_response(self.status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def hook(world: World) -> Iterator[type[Hook]]:
    Hook.taken, Hook.status = [], 200
    server = http.server.HTTPServer(("127.0.0.1", 0), Hook)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}/x"
    world.config.write_text(world.config.read_text().replace("https://hooks.example.com/x", url))
    yield Hook
    server.shutdown()
    thread.join()
    server.server_close()


def test_it_is_really_sent_and_what_came_back_is_said(world: World, hook: type[Hook]) -> None:
    done = world.watcher("report", "--send", "hook", "--send", "hook", "--owner", "support")
    assert done.out == "hook (webhook): delivered: 200\n"
    [taken] = hook.taken
    assert (taken["reason"], taken["version"], taken["watcher"]) == ("report", 1, "prod")
    assert taken["report"] == report(world, "--owner", "support")
    world.now += MINUTE
    world.watcher("report", "--send", "hook", "--owner", "support")
    assert hook.taken[1]["id"] != taken["id"]


def test_a_document_stays_one_beside_what_is_sent(world: World, hook: type[Hook]) -> None:
    done = world.watcher("report", "--send", "hook", "--json")
    assert json.loads(done.out)["version"] == 1
    assert done.err.splitlines()[0] == "hook (webhook): delivered: 200"
    file = world.folder / "costs.html"
    done = world.watcher("report", "--send", "hook", "--output", str(file))
    assert done.out == "hook (webhook): delivered: 200\n"
    assert file.read_text().startswith("<!DOCTYPE html>")


def test_what_was_not_taken_is_said(world: World, hook: type[Hook]) -> None:
    hook.status = 410
    done = world.watcher("report", "--send", "hook", "--send", "screen")
    assert done.code == 3
    assert done.err.startswith("hook (webhook): not delivered (bad_request, a retry cannot help): ")
    assert done.out.endswith("screen (console): delivered: written\n")


def test_an_incident_is_no_place_for_a_report(world: World) -> None:
    world.config.write_text(world.config.read_text() + OWNERS)
    done = world.watcher("report", "--send", "pager")
    assert (done.code, done.out) == (2, "")
    assert "pager is of type pagerduty, which takes no reports" in done.err
