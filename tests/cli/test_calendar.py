"""`calendar`: dates to come, to standard output or a file."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from icalendar import Calendar

from tests.cli.world import World, good
from tests.factories import DAY, HOUR, NOW, make_deployment, make_snapshot, make_usage
from watcher.resources.calls import Calls, HourOfCalls
from watcher.resources.snapshot import Listing


def events(text: str | bytes) -> dict[str, str]:
    """Summaries, with their categories."""
    return {str(one["summary"]): str(one["categories"].to_ical().decode()) for one in Calendar.from_ical(text).events}


def test_deletions_and_ends_of_exceptions_are_in_it(world: World) -> None:
    world.watcher("keep", "contoso-ft/busy-bot", "--until", "2026-12-31", "--reason", "demo")
    world.watcher("silence", "add", "rule=metrics_stale", "--for", "3d", "--comment", "known")
    done = world.watcher("calendar")
    found = events(done.out)
    assert set(found.values()) >= {"Deletion", "End of an exception", "End of a silence"}
    assert any("support-bot" in title for title in found)
    assert done.code == 3
    assert done.err == (
        "watcher: when Azure deletes 1 deployment is not known, so it is not in the calendar: the metrics could not "
        "be read: a role is missing. More could not be seen, so other dates may be missing or have moved; `watcher "
        "report` says more\n"
    )
    assert "\r\n" in done.out


def test_a_file_is_written_whole(world: World) -> None:
    file = world.folder / "dates.ics"
    file.write_text("old")
    done = world.watcher("calendar", "--output", str(file))
    assert (done.code, done.out) == (3, "")
    assert file.read_bytes().decode() == world.watcher("calendar").out
    assert [one.name for one in world.folder.iterdir() if "dates" in one.name] == ["dates.ics"]
    missing = world.watcher("calendar", "--output", str(world.folder / "nowhere" / "x.ics"))
    assert missing.code == 1
    assert "cannot be written" in missing.err


def test_an_owner_gets_what_is_theirs(world: World) -> None:
    world.watcher("silence", "add", "rule=metrics_stale", "--for", "3d", "--comment", "known")
    found = events(world.watcher("calendar", "--owner", "support").out)
    assert any("support-bot" in title for title in found)
    assert set(found.values()) == {"Deletion", "Retirement"}  # a silence is nobody's own


def test_it_leads_to_the_page_where_there_is_one(world: World) -> None:
    assert "URL" not in world.watcher("calendar").out
    text = world.config.read_text()
    world.config.write_text(text.replace('name = "prod"', 'name = "prod"\npublic_url = "https://pages.example.com"'))
    assert "https://pages.example.com" in world.watcher("calendar").out


def test_what_is_past_is_there_no_longer(world: World) -> None:
    assert any("support-bot" in title for title in events(world.watcher("calendar").out))
    world.now = NOW + 60 * DAY
    assert not any("support-bot" in title for title in events(world.watcher("calendar").out))


def test_what_was_known_stays_in_it_when_nothing_is_read_any_more_and_says_as_of_when(world: World) -> None:
    """The daemon was stopped: two days before a deletion that `status` still counts down to."""
    before = events(world.watcher("calendar").out)
    world.now = NOW + 18 * HOUR
    done = world.watcher("calendar")
    after = events(done.out)
    assert [title for title in after if "support-bot" in title] == [title for title in before if "support-bot" in title]
    (text,) = [
        str(one["description"]) for one in Calendar.from_ical(done.out).events if "support-bot" in one["summary"]
    ]
    assert "Its calls were read until 2026-11-22 08:00 UTC; whether one came since is not known." in text
    assert done.code == 3
    assert "when Azure deletes 1 deployment is not known" in done.err  # its metrics were never read
    assert "other dates may be missing or have moved" in done.err
    owned = world.watcher("calendar", "--owner", "support")
    assert owned.err.startswith("watcher: something could not be seen, so other dates may be missing or have moved")


def test_where_all_dates_are_known_nothing_is_said(tmp_path: Path) -> None:
    world = World(tmp_path)
    born = make_deployment("fresh-bot", created_at=NOW - 3 * DAY)
    read = make_usage("fresh-bot", read_from=NOW - 4 * DAY, read_to=NOW, last_success_at=NOW - 2 * DAY)
    calls = {"fresh-bot": Calls(deployment="fresh-bot", hours={NOW - 2 * DAY: HourOfCalls(ok=3.0)})}
    nothing: Listing[Any] = Listing(digest="", items=())
    seen = make_snapshot(account=good().account, at=NOW, jobs=[], deployments=[born], usage=[read], calls=calls)
    world.record(replace(seen, files=nothing, models=nothing))
    done = world.watcher("calendar")
    assert (done.code, done.err) == (0, "")
    assert any("fresh-bot" in title for title in events(done.out))
    assert "X-WR-CALDESC" not in done.out


def test_without_a_database_it_says_what_to_do(empty_world: World) -> None:
    done = empty_world.watcher("calendar")
    assert (done.code, done.out) == (2, "")
    assert "watcher db upgrade" in done.err
