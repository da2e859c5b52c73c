"""The calendar, read back by a calendar's reader."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from icalendar import Calendar

from watcher.report.calendar import calendar
from watcher.report.statement import Date, DateKind
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


words = st.text(max_size=200)


@given(title=words, text=words, account=words, name=words)
def test_no_text_leaves_its_place(title, text, account, name):
    made = calendar([make_date(title=title, text=text, account=account)], watcher=name, as_of=NOW)
    assert all(len(line) <= 75 and b"\r" not in line for line in made.split(b"\r\n"))
    (event,) = Calendar.from_ical(made).events
    assert event["summary"] == one_line(title)
    assert clean(text) in event["description"]
    assert set(event) == {
        "UID", "DTSTAMP", "DTSTART", "SUMMARY", "DESCRIPTION", "CATEGORIES", "STATUS", "TRANSP"
    }  # fmt: skip


@pytest.mark.parametrize("hostile", ["a\r\nATTENDEE:mailto:x@example.com", "a\nEND:VEVENT\nBEGIN:VEVENT", "a\rb", "\0"])
def test_no_text_begins_a_line_of_its_own(hostile):
    made = calendar([make_date(title=hostile, text=hostile, uid="1")], watcher=hostile, as_of=NOW)
    assert made.count(b"\r\nBEGIN:VEVENT\r\n") == 1
    assert not any(line.startswith((b"ATTENDEE", b"b")) for line in made.split(b"\r\n"))
