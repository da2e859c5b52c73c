"""`calendar`: dates to come, to standard output or a file."""

from icalendar import Calendar

from tests.cli.world import World
from tests.factories import DAY, NOW


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
    assert (done.code, done.err.count("\n")) == (3, 1)  # one account could not be read, so a date may be missing
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
    assert not events(world.watcher("calendar", "--owner", "nobody").out)


def test_it_leads_to_the_page_where_there_is_one(world: World) -> None:
    assert "URL" not in world.watcher("calendar").out
    text = world.config.read_text()
    world.config.write_text(text.replace('name = "prod"', 'name = "prod"\npublic_url = "https://pages.example.com"'))
    assert "https://pages.example.com" in world.watcher("calendar").out


def test_what_is_past_is_there_no_longer(world: World) -> None:
    assert any("support-bot" in title for title in events(world.watcher("calendar").out))
    world.now = NOW + 60 * DAY
    assert not any("support-bot" in title for title in events(world.watcher("calendar").out))


def test_without_a_database_it_says_what_to_do(empty_world: World) -> None:
    done = empty_world.watcher("calendar")
    assert (done.code, done.out) == (2, "")
    assert "watcher db upgrade" in done.err
