"""A notification in words: whoever is woken reads two lines and knows."""

import time
from dataclasses import replace
from datetime import UTC, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watcher.alerts.notification import NotificationAlert, NotifyReason
from watcher.notify.message import Voice, outcome, render
from watcher.rules.finding import Severity

from .factories import (
    BERLIN,
    NOW,
    VOICE,
    make_alert,
    make_event,
    make_finding,
    make_flood,
    make_hostile,
    make_notification,
    make_resolved,
)


def words(notification, *, voice=VOICE, now=NOW):
    return render(notification, voice, now=now)


IDLE = "deployment_idle · warning · support-bot in contoso-ft is deleted in 2 d 23 h"


@pytest.mark.parametrize(
    ("notification", "title"),
    [
        (make_notification(), f"[FIRING] {IDLE}"),
        (make_notification(reason=NotifyReason.SEVERITY_RAISED), f"[SEVERITY RAISED] {IDLE}"),
        (make_notification(reason=NotifyReason.REMINDER), f"[REMINDER] {IDLE}"),
        (
            make_resolved(),
            "[RESOLVED] deployment_idle · warning · support-bot in contoso-ft:"
            " it was called again at 2026-11-22 08:58 CET (07:58 UTC)",
        ),
        (
            make_notification(make_alert(make_event())),
            "[EVENT] job_failed · warning · ftjob-1 has failed: invalid file",
        ),
        (make_flood(3), "[FIRING] 3 alerts: deployment_idle · bot-0 in contoso-ft is deleted in 2 d 23 h, and 2 more"),
        (
            make_notification(make_alert(), make_alert(make_event())),
            "[FIRING] 2 alerts: support-bot in contoso-ft is deleted in 2 d 23 h, and 1 more",
        ),
        (make_notification(id="ntf_test_1"), f"[TEST · FIRING] {IDLE}"),
    ],
    ids=["firing", "raised", "reminder", "resolved", "event", "one rule", "two rules", "sample"],
)
def test_titles(notification, title):
    assert words(notification).title == title


def test_two_lines_say_what_happened_and_what_to_do():
    first, second = words(make_notification()).text().splitlines()[:2]
    assert first == "WARNING · support-bot in contoso-ft is deleted in 2 d 23 h"
    assert second == "→ To keep it, send it one request."


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ((make_alert(), NotifyReason.FIRING), "first notice"),
        ((make_alert(make_event()), NotifyReason.FIRING), "told once"),
        ((make_alert(), NotifyReason.SEVERITY_RAISED), "severity raised to warning at the 3d step"),
        ((make_alert(make_finding(step="")), NotifyReason.SEVERITY_RAISED), "severity raised to warning"),
        ((make_alert(), NotifyReason.REMINDER), "reminder at the 3d step"),
        ((make_alert(make_finding(step="")), NotifyReason.REMINDER), "reminder"),
    ],
)
def test_reasons(told, reason):
    alert, why = told
    assert words(make_notification(NotificationAlert(alert=alert, reason=why))).items[0].reason == reason


@pytest.mark.parametrize(
    ("action", "steps"),
    [
        ("", []),
        ("Wait.", [(False, "Wait.")]),
        ("Do:\naz a b\nOr:\ncurl c", [(False, "Do:"), (True, "az a b"), (False, "Or:"), (True, "curl c")]),
        ("Deploy it: az a b\nMind it.", [(False, "Deploy it:"), (True, "az a b"), (False, "Mind it.")]),
        (
            "Do:\ncurl x \\\n  -H y \\\n  -d z\nDone.",
            [(False, "Do:"), (True, "curl x \\\n  -H y \\\n  -d z"), (False, "Done.")],
        ),
        ("az a\naz b", [(True, "az a\naz b")]),
        ("Call the azure team: watch out.", [(False, "Call the azure team: watch out.")]),
    ],
)
def test_commands_stand_apart_from_prose(action, steps):
    message = words(make_notification(make_alert(make_finding(action=action))))
    assert message.items[0].steps() == steps


def test_a_resolve_tells_how_it_ended_and_repeats_no_warning_as_if_it_held():
    [item] = words(make_resolved()).items
    assert item.mark == "RESOLVED"
    assert item.reason == "resolved after 3 d 2 h because it was called again at 2026-11-22 08:58 CET (07:58 UTC)"
    assert item.action == item.evidence == ""
    assert item.description == "Until then: support-bot in contoso-ft is deleted in 2 d 23 h"


def test_an_unverified_alert_says_so():
    alert = make_alert(unverified_since=NOW - timedelta(hours=3), unverified_because="metrics answer 403")
    text = words(make_notification(alert)).text()
    assert "Not verified since 2026-11-22 06:00 CET (05:00 UTC): metrics answer 403" in text


def test_events_count_from_when_they_happened():
    alert = make_alert(make_event(occurred_at=NOW - timedelta(hours=1)))
    assert words(make_notification(alert)).items[0].since == "At 2026-11-22 08:00 CET (07:00 UTC)"


@pytest.mark.parametrize("is_older", [False, True])
def test_what_was_only_first_seen_then_is_said_to_last_at_least_so_long(is_older):
    finding = replace(make_alert().finding, occurred_at=NOW - timedelta(hours=1), is_older=is_older)
    since = words(make_notification(make_alert(finding))).items[0].since
    assert since == f"Since 2026-11-22 08:00 CET (07:00 UTC){' at least' if is_older else ''}"


@pytest.mark.parametrize(("late", "told"), [(timedelta(minutes=5), False), (timedelta(hours=10), True)])
def test_a_late_message_says_of_when_it_speaks(late, told):
    notes = words(make_notification(), now=NOW + late).notes
    said = "Delivered 10 h late: judged at 2026-11-22 09:00 CET (08:00 UTC); times left are as of now."
    assert notes == ((said,) if told else ())


def test_names_the_watcher_and_the_notification():
    message = words(make_notification())
    assert message.text().splitlines()[-1] == f"watcher prod · {message.id}"


def test_the_loudest_alert_gives_the_tone():
    critical = make_alert(make_finding(severity=Severity.CRITICAL))
    assert words(make_notification(make_alert(make_event()), critical)).tone == "critical"
    assert words(make_resolved()).tone == "resolved"


@pytest.mark.parametrize(
    ("labels", "url"),
    [
        ({"deployment": "a/b?c", "account": "x@rg"}, "https://watcher.example.com/deployments/x@rg/a%2Fb%3Fc"),
        ({"job": "ftjob-1", "account": "x"}, "https://watcher.example.com/jobs/x/ftjob-1"),
        ({"account": "x"}, "https://watcher.example.com/alerts/alr_"),
    ],
)
def test_links_to_the_page(labels, url):
    alert = make_alert(make_finding(labels=labels))
    message = words(make_notification(alert))
    own = url.replace("alr_", alert.id)
    assert [link.url for link in message.items[0].links] == [own, "https://portal.azure.com/#@/resource/x"]


def test_without_a_page_there_are_no_links_to_it():
    message = words(make_notification(), voice=Voice(watcher="prod", zone=BERLIN))
    assert message.link is None
    assert [link.caption for link in message.items[0].links] == ["Azure portal"]


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "https://", "https://a b", "https://a/<b>", "http://[x", "ftp://a/"]
)
def test_only_web_addresses_become_links(url):
    message = words(make_notification(make_alert(make_finding(links={"portal": url}))))
    assert [link.caption for link in message.items[0].links] == ["Open in watcher"]


def test_a_flood_is_told_by_two_lines_each_and_then_cut_with_a_count():
    message = words(make_flood(40))
    brief = message.text(6000)
    assert len(brief) <= 6000
    assert brief.count("→ To keep it") == 40
    assert "Evidence" not in brief
    cut = message.text(1000)
    assert len(cut) <= 1000
    assert cut.splitlines()[-1].endswith("more lines: https://watcher.example.com/alerts")


@settings(deadline=None)
@given(st.text(max_size=500), st.integers(0, 600))
def test_fits_whatever_the_names_are(text, limit):
    message = words(make_hostile(text))
    assert len(message.text(limit)) <= limit
    assert len(message.title.splitlines()) == 1
    assert len(message.title) <= 200
    assert all(len(item.summary.splitlines()) <= 1 for item in message.items)


@pytest.mark.parametrize(
    ("because", "expected"),
    [
        (
            "support-bot in contoso-ft is gone: deleted by somebody",
            "support-bot in contoso-ft is gone: deleted by somebody",
        ),
        ("called again", "support-bot in contoso-ft: called again"),
        ("support-bot in contoso-ft2 is gone", "support-bot in contoso-ft: support-bot in contoso-ft2 is gone"),
        ("", "support-bot in contoso-ft: this is over"),
    ],
)
def test_how_it_ended_names_what_it_is_about_once(because, expected):
    over = replace(make_alert(), ends_at=NOW, ended_because=because)
    assert outcome(over, UTC) == expected


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({"location": "eastus2", "plane": "data"}, "eastus2: two can be read"),
        ({"receiver": "mail"}, "mail: two can be read"),
        ({"plane": "data"}, "two can be read"),  # the rule is named beside it by every medium
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else None,
)
def test_how_something_ended_that_is_about_no_account_names_its_place(labels, expected):
    finding = make_finding(rule="azure_unreachable", labels=labels)
    over = replace(make_alert(finding), ends_at=NOW, ended_because="two can be read")
    assert outcome(over, UTC) == expected


HUGE = "a line of 2026-11-22T07:58:00Z\r\n" * 5000


def test_a_huge_text_says_how_many_lines_it_leaves_out():
    [item] = words(make_notification(make_alert(make_finding(description=HUGE, action="", evidence="e" * 10**6)))).items
    *shown, last = item.description.splitlines()
    assert set(shown) == {"a line of 2026-11-22 08:58 CET (07:58 UTC)"}
    assert last == f"… {5001 - len(shown)} more lines"  # the last one is empty
    assert 3900 < len(item.description) <= 4000
    assert item.evidence == "e" * 3999 + "…"


def test_huge_texts_cost_no_more_than_what_is_shown_of_them():
    told = make_flood(100, description=HUGE, action="az a b\n" * 20_000, evidence="\n" * 150_000, summary=HUGE)
    began = time.process_time()
    words(told)
    assert time.process_time() - began < 2.5  # some 0.3 s; it was 16 s
