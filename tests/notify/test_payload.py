"""The payload: the contract's keys, exactly, and what was added to them."""

import json
import re
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from watcher.alerts.notification import NotificationAlert, NotifyReason
from watcher.notify.payload import BYTES_LIMIT, encode, payload
from watcher.notify.sample import sample

from .factories import NOW, make_alert, make_finding, make_flood, make_hostile, make_notification, make_resolved

URL = "https://watcher.example.com"


def of(notification):
    return payload(notification, watcher="prod", public_url=URL, now=NOW)


def test_is_the_contracts_example():
    alert = make_alert()
    notification = make_notification(alert)
    assert of(notification) == {
        "version": 1,
        "id": notification.id,
        "watcher": "prod",
        "receiver": "hook",
        "sent_at": "2026-11-22T08:00:00Z",
        "test": False,
        "reason": "firing",
        "notes": [],
        "group": {"rule": "deployment_idle", "account": "contoso-ft"},
        "alerts": [
            {
                "id": alert.id,
                "fingerprint": alert.fingerprint,
                "status": "firing",
                "reason": "firing",
                "note": "",
                "was_untold": False,
                "rule": "deployment_idle",
                "kind": "condition",
                "severity": "warning",
                "starts_at": "2026-11-22T08:00:00Z",
                "ends_at": None,
                "ended_because": "",
                "occurred_at": None,
                "unverified_since": None,
                "labels": alert.labels,
                "annotations": {
                    "summary": "support-bot in contoso-ft is deleted in 2 d 23 h",
                    "description": alert.finding.description,
                    "action": alert.finding.action,
                    "evidence": alert.finding.evidence,
                },
                "values": {"deletion_earliest": "2026-11-25T07:00:00Z", "hosting_per_hour": 1.7},
                "links": {
                    "watcher": f"{URL}/deployments/contoso-ft/support-bot",
                    "portal": "https://portal.azure.com/#@/resource/x",
                },
            }
        ],
        "covers": [],
        "omitted": 0,
    }


def test_a_resolve_has_its_end():
    [alert] = of(make_resolved())["alerts"]
    assert (alert["status"], alert["reason"], alert["ends_at"]) == ("resolved", "resolved", "2026-11-22T08:00:00Z")
    texts = alert["annotations"]
    assert "called again at 2026-11-22 07:58 UTC" in texts["summary"], "how it ended, not what was true while it fired"
    assert texts["description"].startswith("Until then: ")
    assert (texts["action"], texts["evidence"]) == ("", "")


def test_says_what_is_special_about_this_telling():
    over = make_resolved().alerts[0]
    value = of(make_notification(replace(over, was_untold=True, note="it came and went"), notes=("2 messages in one",)))
    assert value["notes"] == ["2 messages in one"]
    assert [(alert["note"], alert["was_untold"]) for alert in value["alerts"]] == [("it came and went", True)]


def test_each_alert_has_its_own_reason():
    told = (
        NotificationAlert(alert=make_alert(), reason=NotifyReason.REMINDER),
        NotificationAlert(alert=make_alert(make_finding(name="other")), reason=NotifyReason.FIRING),
    )
    value = of(make_notification(*told))
    assert value["reason"] == "firing"
    assert [alert["reason"] for alert in value["alerts"]] == ["reminder", "firing"]


def test_names_the_resolved_alerts_that_it_stands_for():
    ended = make_resolved().alerts[0].alert
    [covered] = of(make_notification(covers=(ended,)))["covers"]
    assert covered == {
        "id": ended.id,
        "fingerprint": ended.fingerprint,
        "status": "resolved",
        "rule": "deployment_idle",
        "ends_at": "2026-11-22T08:00:00Z",
    }


def test_a_sample_is_marked():
    assert of(sample("job_failed", receiver="hook", now=NOW))["test"] is True


def test_a_flood_is_cut_at_a_hundred_alerts():
    value = of(make_flood(250))
    assert (len(value["alerts"]), value["omitted"]) == (100, 150)


def test_a_body_stays_below_its_limit():
    body = encode(make_flood(250, description="ä" * 8000), watcher="prod", public_url=URL, now=NOW)
    value = json.loads(body)
    assert len(body) <= BYTES_LIMIT
    assert 10 < len(value["alerts"]) < 100
    assert len(value["alerts"]) + value["omitted"] == 250


def test_no_number_that_json_does_not_know():
    finding = make_finding(values={"a": float("nan"), "b": float("inf"), "c": None, "d": 1})
    [alert] = of(make_notification(make_alert(finding)))["alerts"]
    assert alert["values"] == {"a": None, "b": None, "c": None, "d": 1}


@settings(deadline=None)
@given(st.text(max_size=200))
def test_any_text_makes_json_without_control_characters(text):
    body = encode(make_hostile(text), watcher="prod", public_url=URL, now=NOW)
    json.loads(body)
    assert not re.search(rb"\\u00[01]", body)
