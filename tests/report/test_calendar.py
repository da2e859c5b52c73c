"""The calendar, read back by a calendar's reader."""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from icalendar import Calendar

from tests.report.factories import make_quiet
from watcher.report.calendar import calendar, calendar_of, missing_from
from watcher.report.statement import Audience, Date, DateKind, Edition, Undated
from watcher.rules.text import clean, one_line

NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)
DAY = timedelta(days=1)


def make_date(**changes):
    usual = {
        "uid": "deletion-1",
        "kind": DateKind.DELETION,
        "at": NOW + 3 * DAY,
        "title": "contoso-ft/support-v3 will be deleted",
        "text": "15 d without a call",
        "account": "contoso-ft",
        "owner": "search-team",
    }
    return Date(**{**usual, **changes})


def read(dates, **options):
    made = calendar(dates, **{"watcher": "prod", "as_of": NOW, **options})
    return Calendar.from_ical(made)


def only(dates, **options):
    (event,) = read(dates, **options).events
    return event


def test_an_event_says_what_when_and_whose():
    event = only([make_date()], link="https://watcher.example.com/deployments")
    assert event["summary"] == "contoso-ft/support-v3 will be deleted"
    assert event["dtstart"].dt == NOW + 3 * DAY
    assert event["dtstamp"].dt == NOW
    assert event["description"] == "15 d without a call\n\nAccount: contoso-ft\nOwner: search-team"
    assert (event["status"], event["transp"]) == ("CONFIRMED", "TRANSPARENT")
    assert event["url"] == "https://watcher.example.com/deployments"


def test_one_is_reminded_a_day_before_what_is_lost_for_good():
    (alarm,) = only([make_date()]).walk("VALARM")
    assert alarm["trigger"].dt == -DAY
    assert not only([make_date(kind=DateKind.RETIREMENT)]).walk("VALARM")


def test_an_uncertain_date_says_so():
    event = only([make_date(is_certain=False)])
    assert event["status"] == "TENTATIVE"
    assert event["summary"].endswith("(at the earliest)")
    assert event["description"].startswith("Not before 2026-11-25 08:00 UTC; the latest time is not known.")


def test_an_interval_is_told_whole():
    event = only([make_date(is_certain=False, latest=NOW + 4 * DAY)])
    assert event["description"].startswith("Between 2026-11-25 08:00 UTC and 2026-11-26 08:00 UTC.")


def test_a_date_that_moves_keeps_its_event():
    before, after = only([make_date()]), only([make_date(at=NOW + 9 * DAY)], as_of=NOW + DAY)
    assert before["uid"] == after["uid"]
    assert before["dtstart"].dt < after["dtstart"].dt
    assert before["dtstamp"].dt < after["dtstamp"].dt


def test_nothing_to_come_is_a_calendar_all_the_same():
    found = read([])
    assert (found.events, str(found["version"])) == ([], "2.0")


def test_the_order_in_which_dates_come_changes_no_byte():
    dates = [make_date(uid=str(number), at=NOW + number * DAY) for number in (3, 1, 2)]
    assert calendar(dates, watcher="prod", as_of=NOW) == calendar(dates[::-1], watcher="prod", as_of=NOW)


def texts(made):
    """The values by name, read as RFC 5545 has it (3.1, 3.3.11); the library's reader takes an escaped backslash and
    an n for a line break."""
    found = {}
    for line in made.decode().replace("\r\n ", "").split("\r\n"):
        name, _, value = line.partition(":")
        found.setdefault(name, []).append(
            re.sub(r"\\(.)", lambda escape: "\n" if escape[1] in "nN" else escape[1], value)
        )
    return found


words = st.text(max_size=200)
escapes = st.text(alphabet="\\nN;,: \n", max_size=20)
either = words | escapes


@given(title=either, text=either, account=either, name=either, missing=either)
@example(title="\\N", text="C:\\new\\Name", account="\\", name="a\\Nb;c,d", missing="\\n\n\\\\N")
def test_no_text_leaves_its_place(title, text, account, name, missing):
    made = calendar([make_date(title=title, text=text, account=account)], watcher=name, as_of=NOW, missing=missing)
    assert all(len(line) <= 75 and b"\r" not in line for line in made.split(b"\r\n"))
    (event,) = Calendar.from_ical(made).events
    assert set(event) == {
        "UID", "DTSTAMP", "DTSTART", "SUMMARY", "DESCRIPTION", "CATEGORIES", "STATUS", "TRANSP"
    }  # fmt: skip
    found = texts(made)
    assert found["SUMMARY"] == [one_line(title)]
    assert found["X-WR-CALNAME"] == [f"watcher {one_line(name)}"]
    assert found.get("X-WR-CALDESC", [""]) == [clean(missing)]
    of_event, of_alarm = found["DESCRIPTION"][-2:]
    assert clean(text) in of_event
    assert of_event.endswith("Owner: search-team")
    assert of_alarm == one_line(title)


@pytest.mark.parametrize("hostile", ["a\r\nATTENDEE:mailto:x@example.com", "a\nEND:VEVENT\nBEGIN:VEVENT", "a\rb", "\0"])
def test_no_text_begins_a_line_of_its_own(hostile):
    made = calendar([make_date(title=hostile, text=hostile, uid="1")], watcher=hostile, as_of=NOW)
    assert made.count(b"\r\nBEGIN:VEVENT\r\n") == 1
    assert not any(line.startswith((b"ATTENDEE", b"b")) for line in made.split(b"\r\n"))


# What has no date that is known


def make_undated(because="the metrics could not be read: a role is missing", *names):
    return Undated(because=because, names=names or ("contoso-ft/support-bot",))


def test_where_all_is_known_nothing_is_missing():
    assert missing_from(make_quiet()) == []
    found = texts(calendar_of(make_quiet()))
    assert "X-WR-CALDESC" not in found and "DESCRIPTION" not in found


def test_deletions_without_a_date_are_counted_with_their_reasons():
    one, two = make_undated(), make_undated("the metrics read end too long ago", "a/b", "a/c")
    assert missing_from(make_quiet(undated=(one,), unseen=("of it",))) == [
        "When Azure deletes 1 deployment is not known, so it is not in the calendar: the metrics could not be read: "
        "a role is missing."
    ]
    statement = make_quiet(undated=(two, one), unseen=("of two", "of one", "of jobs"), lacks_dates=True)
    assert missing_from(statement) == [
        "When Azure deletes 3 deployments is not known, so they are not in the calendar: of 2 the metrics read end too "
        "long ago; of 1 the metrics could not be read: a role is missing.",
        "More could not be seen, so other dates may be missing or have moved.",
    ]


def test_the_calendar_s_own_description_names_them():
    many = make_undated("the metrics were not read", *(f"a/{number}" for number in range(12)))
    found = texts(calendar_of(make_quiet(undated=(many,), unseen=("of it",))))
    assert found["DESCRIPTION"] == found["X-WR-CALDESC"]
    assert found["X-WR-CALDESC"] == [
        "When Azure deletes 12 deployments is not known, so they are not in the calendar: the metrics were not read "
        "(a/0, a/1, a/2, a/3, a/4, a/5, a/6, a/7 and 4 more)."
    ]


def test_what_else_was_not_seen_is_said_too():
    said = ["Something could not be seen, so other dates may be missing or have moved."]
    assert missing_from(make_quiet(unseen=("The jobs of 1 account could not be read.",), lacks_dates=True)) == said
    assert missing_from(make_quiet(unseen=("The calls of 1 deployment were not read in all of the period.",))) == []
    assert missing_from(make_quiet(accounts=0)) == ["No account is known, so the calendar has no dates of deployments."]
    owners = Edition(audience=Audience.OWNER, owner="Search")
    assert missing_from(make_quiet(accounts=0, edition=owners)) == []


def test_a_statement_s_calendar_holds_its_dates():
    statement = make_quiet(dates=(make_date(),))
    made = calendar_of(statement, link="https://watcher.example.com")
    assert made == calendar(
        statement.dates, watcher=statement.watcher, as_of=statement.as_of, link="https://watcher.example.com"
    )


def test_a_time_that_is_known_lies_between_no_two():
    when = NOW + 3 * DAY
    texts = {latest: only([make_date(latest=latest)])["description"] for latest in (None, when, when + DAY)}
    assert texts[None] == texts[when]
    assert texts[when + DAY].startswith("Between 2026-11-25 08:00 UTC and 2026-11-26 08:00 UTC.")


def test_where_no_account_is_known_nothing_else_is_said_to_be_missing():
    said = missing_from(make_quiet(accounts=0, lacks_dates=True))
    assert said == ["No account is known, so the calendar has no dates of deployments."]


def test_times_are_written_in_utc():
    """A zone would have to be described in the calendar itself."""
    made = calendar([make_date(at=datetime(2026, 11, 25, 9, tzinfo=ZoneInfo("Europe/Berlin")))], watcher="w", as_of=NOW)
    assert b"DTSTART:20261125T080000Z" in made


def test_what_comes_at_one_time_stands_in_the_same_order_whatever_that_of_the_dates():
    dates = [make_date(uid=uid) for uid in ("b", "c", "a")]
    assert [str(event["uid"]) for event in read(dates).events] == ["a@watcher", "b@watcher", "c@watcher"]
    assert calendar(dates, watcher="w", as_of=NOW) == calendar(dates[::-1], watcher="w", as_of=NOW)
