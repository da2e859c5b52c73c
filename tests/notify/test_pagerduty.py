"""PagerDuty's Events API: what one alert asks of it, and that nothing is paged twice or left open."""

import json
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watcher.alerts.alert import end
from watcher.alerts.notification import NotificationAlert, NotifyReason
from watcher.errors import DeliveryError
from watcher.notify.pagerduty import BYTES_LIMIT, PUBLIC_URL, SUMMARY_LIMIT, PagerDutyNotifier, api_address
from watcher.notify.sample import sample
from watcher.rules.finding import FindingKind, Severity

from .factories import NOW, VOICE, make_alert, make_finding, make_flood, make_hostile, make_notification

KEY = "CANARYCANARYCANARYCANARYCANARY32"


@dataclass
class Service:
    """Incidents as the documentation says that events move them: state by dedup key, and who was paged how often."""

    incidents: dict = field(default_factory=dict)
    pages: list = field(default_factory=list)

    def take(self, event):
        assert set(event) <= {"routing_key", "event_action", "dedup_key", "payload", "links", "client", "client_url"}
        assert event["routing_key"] == KEY
        key, state = event["dedup_key"], self.incidents.get(event["dedup_key"])
        assert len(key) <= 255
        match event["event_action"]:
            case "trigger":
                payload = event["payload"]
                assert 0 < len(payload["summary"]) <= 1024
                assert payload["source"]
                assert payload["severity"] in ("critical", "error", "warning", "info")
                assert all(link["href"].startswith("http") for link in event["links"])
                if state in (None, "resolved"):
                    self.incidents[key] = "triggered"
                    self.pages.append(key)
            case "acknowledge" if state == "triggered":
                self.incidents[key] = "acknowledged"
            case "resolve" if state is not None:
                self.incidents[key] = "resolved"


def make_notifier(client, url="http://localhost:1/", **changes):
    options = {"name": "pager", "voice": VOICE, "client": client, "url": url, "routing_key": KEY, "clock": lambda: NOW}
    return PagerDutyNotifier(**(options | changes))


def events(hook):
    return [json.loads(body) for _, _, _, body in hook.requests]


def actions(hook):
    return [(event["event_action"], event["dedup_key"]) for event in events(hook)]


def told(alert, reason=NotifyReason.FIRING, **changes):
    return make_notification(NotificationAlert(alert=alert, reason=reason, **changes))


def acked(alert):
    return replace(alert, acked_at=NOW - timedelta(minutes=5), acked_by="sam")


def ended(alert):
    return end(alert, now=NOW, because="it was called again")


async def test_a_condition_opens_an_incident_under_the_alerts_id(hook, client):
    hook.status = 202
    alert = make_alert()
    receipt = await make_notifier(client, hook.url).send(make_notification(alert), now=NOW)
    [(method, _, headers, _)] = hook.requests
    [event] = events(hook)
    assert receipt.detail == "taken by PagerDuty: 1 trigger"
    assert (method, headers["content-type"]) == ("POST", "application/json")
    assert (event["event_action"], event["dedup_key"]) == ("trigger", alert.id)
    payload = event["payload"]
    details = payload.pop("custom_details")
    assert payload == {
        "summary": "support-bot in contoso-ft is deleted in 2 d 23 h",
        "source": "contoso-ft",
        "severity": "warning",
        "timestamp": "2026-11-22T08:00:00Z",
        "component": "support-bot",
        "group": "ml",
        "class": "deployment_idle",
    }
    assert "curl" in details["action"]
    assert details["evidence"].startswith("metrics of 5 min ago")
    assert details["labels"]["owner"] == "search-team"
    assert details["values"]["hosting_per_hour"] == 1.7
    assert event["links"][0] == {
        "href": "https://watcher.example.com/deployments/contoso-ft/support-bot",
        "text": "Open in watcher",
    }


@pytest.mark.parametrize(
    ("one", "reason", "changes", "asked"),
    [
        (make_alert(), NotifyReason.FIRING, {}, ["trigger"]),
        (make_alert(), NotifyReason.REMINDER, {}, ["trigger"]),
        (make_alert(), NotifyReason.SEVERITY_RAISED, {}, ["trigger"]),
        (acked(make_alert()), NotifyReason.FIRING, {}, ["trigger", "acknowledge"]),
        (acked(make_alert(make_finding(step=""))), NotifyReason.REMINDER, {}, ["acknowledge"]),
        (acked(make_alert(raised_at=NOW - timedelta(hours=1))), NotifyReason.REMINDER, {}, ["acknowledge"]),
        (acked(make_alert()), NotifyReason.REMINDER, {}, ["resolve :step", "trigger :step"]),
        (
            acked(make_alert(raised_at=NOW - timedelta(hours=1))),
            NotifyReason.SEVERITY_RAISED,
            {},
            ["acknowledge", "trigger"],
        ),
        (acked(make_alert()), NotifyReason.SEVERITY_RAISED, {}, ["trigger :warning"]),
        (ended(make_alert()), NotifyReason.RESOLVED, {}, ["resolve"]),
        (
            ended(acked(make_alert())),
            NotifyReason.RESOLVED,
            {},
            ["resolve", "resolve :warning", "resolve :critical", "resolve :step"],
        ),
        (
            ended(acked(make_alert(make_finding(step="")))),
            NotifyReason.RESOLVED,
            {},
            ["resolve", "resolve :warning", "resolve :critical"],
        ),
        (ended(make_alert()), NotifyReason.RESOLVED, {"was_untold": True}, []),
        (make_alert(make_finding(kind=FindingKind.EVENT)), NotifyReason.FIRING, {}, []),
    ],
)
async def test_what_an_alert_asks_for(hook, client, one, reason, changes, asked):
    receipt = await make_notifier(client, hook.url).send(told(one, reason, **changes), now=NOW)
    asked_of = [action.partition(" ") for action in asked]
    assert actions(hook) == [(action, one.id + rank) for action, _, rank in asked_of]
    assert receipt.detail.startswith("taken by PagerDuty" if asked else "nothing to send: ")


async def test_events_are_sent_when_asked_for(hook, client):
    event = make_alert(make_finding(rule="job_failed", kind=FindingKind.EVENT))
    receipt = await make_notifier(client, hook.url).send(told(event), now=NOW)
    assert "events = true" in receipt.detail
    await make_notifier(client, hook.url, events=True).send(told(event), now=NOW)
    assert actions(hook) == [("trigger", event.id)]


async def test_what_an_event_stands_for_is_resolved_even_if_events_are_off(hook, client):
    idle = ended(make_alert())
    gone = make_alert(make_finding(rule="deployment_gone", kind=FindingKind.EVENT))
    await make_notifier(client, hook.url).send(make_notification(gone, covers=(idle,)), now=NOW)
    assert actions(hook) == [("resolve", idle.id)]


async def test_one_life_is_one_incident_and_the_next_life_another(hook, client):
    notifier, service = make_notifier(client, hook.url), Service()
    first = make_alert()
    worse = replace(first, finding=replace(first.finding, severity=Severity.CRITICAL))
    for notification in (
        told(first),
        told(first, NotifyReason.REMINDER),
        told(worse, NotifyReason.SEVERITY_RAISED),
        told(ended(worse), NotifyReason.RESOLVED),
    ):
        await notifier.send(notification, now=NOW)
    second = make_alert(starts_at=NOW + timedelta(days=1))
    await notifier.send(told(second), now=NOW + timedelta(days=1))
    for event in events(hook):
        service.take(event)
    assert service.pages == [first.id, second.id]
    assert service.incidents == {first.id: "resolved", second.id: "triggered"}


def raised(alert, severity, *, at):
    finding = replace(alert.finding, severity=severity)
    return replace(alert, finding=finding, raised_at=at, updated_at=at)


async def test_a_severity_that_rises_after_an_ack_pages_again_and_the_end_leaves_nothing_open(hook, client):
    notifier, service = make_notifier(client, hook.url), Service()
    alert = make_alert(make_finding(severity=Severity.INFO), starts_at=NOW - timedelta(days=3))

    async def take(work):
        await work
        for event in events(hook):
            service.take(event)
        hook.requests.clear()

    known = replace(alert, acked_at=NOW - timedelta(minutes=9), acked_by="sam")
    await take(notifier.send(told(alert), now=NOW))
    await take(notifier.refresh([known], now=NOW))
    assert service.incidents == {alert.id: "acknowledged"}
    worse = raised(known, Severity.WARNING, at=NOW - timedelta(minutes=7))
    await take(notifier.send(told(worse, NotifyReason.SEVERITY_RAISED), now=NOW))
    await take(notifier.refresh([worse], now=NOW))
    assert service.pages == [alert.id, f"{alert.id}:warning"]
    assert service.incidents[f"{alert.id}:warning"] == "triggered", "what nobody acknowledged goes on paging"
    worse = replace(worse, acked_at=NOW - timedelta(minutes=5))
    await take(notifier.refresh([worse], now=NOW))
    assert service.incidents[f"{alert.id}:warning"] == "acknowledged"
    worst = raised(worse, Severity.CRITICAL, at=NOW - timedelta(minutes=3))
    await take(notifier.send(told(worst, NotifyReason.SEVERITY_RAISED), now=NOW))
    assert service.pages == [alert.id, f"{alert.id}:warning", f"{alert.id}:critical"]
    put_off = raised(worst, Severity.INFO, at=worst.starts_at)
    await take(notifier.send(told(ended(put_off), NotifyReason.RESOLVED), now=NOW))
    assert set(service.incidents.values()) == {"resolved"} and len(service.incidents) == 3
    assert len(service.pages) == 3


async def test_each_step_after_an_acknowledgement_pages_though_the_last_one_was_acknowledged(hook, client):
    notifier, service = make_notifier(client, hook.url), Service()
    alert = make_alert(make_finding(severity=Severity.CRITICAL, step="1d"), starts_at=NOW - timedelta(days=1))
    await notifier.send(told(alert), now=NOW)
    known = replace(alert, acked_at=NOW - timedelta(minutes=50), acked_by="sam")
    for minutes, step in ((40, "12h"), (30, "6h"), (20, "overdue")):
        moved = replace(known.finding, step=step, summary=f"deleted in {step}")
        known = replace(known, finding=moved, raised_at=NOW - timedelta(minutes=minutes))
        await notifier.send(told(known, NotifyReason.REMINDER), now=NOW)
        await notifier.refresh([known], now=NOW)
        known = replace(known, acked_at=NOW - timedelta(minutes=minutes - 5))
        await notifier.refresh([known], now=NOW)
    for event in events(hook):
        service.take(event)
    assert service.pages == [alert.id, *[f"{alert.id}:step"] * 3]
    assert service.incidents == {alert.id: "acknowledged", f"{alert.id}:step": "acknowledged"}
    said = [event["payload"]["summary"] for event in events(hook) if event["event_action"] == "trigger"]
    assert said[1:] == ["deleted in 12h", "deleted in 6h", "deleted in overdue"]
    await notifier.send(told(ended(known), NotifyReason.RESOLVED), now=NOW)
    for event in events(hook):
        service.take(event)
    assert set(service.incidents.values()) == {"resolved"}


async def test_an_ack_that_overtakes_the_raise_is_sent_again(hook, client):
    notifier, service = make_notifier(client, hook.url), Service()
    alert = acked(make_alert(make_finding(severity=Severity.INFO), starts_at=NOW - timedelta(days=3)))
    worse = raised(alert, Severity.CRITICAL, at=NOW - timedelta(minutes=2))
    again = replace(worse, acked_at=NOW - timedelta(minutes=1))
    await notifier.refresh([again], now=NOW)
    await notifier.send(told(worse, NotifyReason.SEVERITY_RAISED), now=NOW)  # decided on before
    await notifier.refresh([again], now=NOW)
    for event in events(hook):
        service.take(event)
    assert service.incidents == {f"{alert.id}:critical": "acknowledged"}


async def test_a_reminder_of_what_is_acknowledged_opens_nothing_that_was_closed_by_hand(hook, client):
    alert = acked(make_alert(make_finding(step="")))
    service = Service(incidents={alert.id: "resolved"})
    await make_notifier(client, hook.url).send(told(alert, NotifyReason.REMINDER), now=NOW)
    for event in events(hook):
        service.take(event)
    assert service.pages == []


async def test_several_alerts_are_a_request_each(hook, client):
    flood = make_flood(9)
    receipt = await make_notifier(client, hook.url).send(flood, now=NOW)
    assert sorted(actions(hook)) == sorted(("trigger", one.alert.id) for one in flood.alerts)
    assert receipt.detail == "taken by PagerDuty: 9 trigger"


async def test_a_retry_sends_only_what_was_not_taken(hook, client):
    hook.statuses, hook.status = [202] * 5, 500
    flood, notifier = make_flood(9), make_notifier(client, hook.url)
    with pytest.raises(DeliveryError) as caught:
        await notifier.send(flood, now=NOW)
    error = caught.value
    assert (error.kind, error.permanent, error.maybe_delivered) == ("server", False, True)
    assert "5 of 9 events were taken" in error.message
    failed = len(hook.requests) - 5
    assert failed <= 4, "once it fails, no more are begun"
    hook.status = 202
    await notifier.send(flood, now=NOW)
    keys = [key for _, key in actions(hook)]
    assert len(keys) == 9 + failed
    assert set(keys) == {one.alert.id for one in flood.alerts}
    await notifier.send(flood, now=NOW)
    assert len(hook.requests) == 18 + failed, "what is done is forgotten"


@pytest.mark.parametrize(
    ("status", "headers", "body", "kind", "permanent", "wait", "text"),
    [
        (
            400,
            {},
            '{"message": "Event object is invalid", "errors": ["x is missing"]}',
            "bad_request",
            True,
            None,
            "x is",
        ),
        (400, {}, '{"errors": ["Length of \'routing_key\' is incorrect"]}', "auth", True, None, "service region"),
        (400, {}, f'{{"message": "bad {KEY}"}}', "bad_request", True, None, "bad ***"),
        (400, {}, f"<p>{KEY}</p>", "bad_request", True, None, "(400)"),
        (403, {}, "", "auth", True, None, "(403)"),
        (413, {}, "", "bad_request", True, None, "(413)"),
        (429, {}, "", "rate_limited", False, timedelta(minutes=2), "(429)"),
        (429, {"retry-after": "7"}, "", "rate_limited", False, timedelta(seconds=7), "(429)"),
        (500, {}, KEY, "server", False, None, "(500)"),
        (503, {"retry-after": "60"}, "[]", "server", False, timedelta(minutes=1), "(503)"),
    ],
)
async def test_judges_the_answer(hook, client, status, headers, body, kind, permanent, wait, text):
    hook.status, hook.headers, hook.body = status, headers, body
    with pytest.raises(DeliveryError) as caught:
        await make_notifier(client, hook.url).send(make_notification(), now=NOW)
    error = caught.value
    assert (error.kind, error.permanent, error.retry_after) == (kind, permanent, wait)
    assert error.maybe_delivered is False
    assert text in error.message
    assert "CANARY" not in f"{error!r}{error.__cause__!r}{error.__context__!r}"


async def test_one_that_is_refused_for_good_does_not_hold_up_the_others(hook, client):
    hook.statuses = [202, 400]
    with pytest.raises(DeliveryError) as caught:
        await make_notifier(client, hook.url).send(make_flood(9), now=NOW)
    assert (caught.value.permanent, caught.value.kind) == (True, "bad_request")
    assert "8 of 9 events were taken" in caught.value.message
    assert len(hook.requests) == 9


async def test_a_refused_connection_is_tried_again(client, unused_port):
    with pytest.raises(DeliveryError) as caught:
        await make_notifier(client, f"http://127.0.0.1:{unused_port}/").send(make_notification(), now=NOW)
    assert (caught.value.kind, caught.value.permanent, caught.value.maybe_delivered) == ("refused", False, False)


async def test_an_acknowledgement_at_watcher_goes_along_once(hook, client):
    notifier = make_notifier(client, hook.url)
    alert = make_alert()
    event = acked(make_alert(make_finding(rule="job_failed", kind=FindingKind.EVENT)))
    assert await notifier.refresh([alert, event], now=NOW) is False, "nothing is known of the channel"
    assert hook.requests == []
    hook.status = 500
    with pytest.raises(DeliveryError):
        await notifier.refresh([acked(alert)], now=NOW)
    hook.status = 202
    assert [await notifier.refresh([acked(alert)], now=NOW) for _ in range(3)] == [True, False, False]
    assert actions(hook) == [("acknowledge", alert.id)] * 2


async def test_an_acknowledgement_that_came_before_its_incident_is_sent_again(hook, client):
    notifier, service = make_notifier(client, hook.url), Service()
    alert = make_alert()
    await notifier.refresh([acked(alert)], now=NOW)
    await notifier.send(told(alert), now=NOW)  # decided on before it was acknowledged
    await notifier.refresh([acked(alert)], now=NOW)
    for event in events(hook):
        service.take(event)
    assert service.incidents == {alert.id: "acknowledged"}


async def test_an_old_acknowledgement_is_not_repeated_after_a_restart(hook, client):
    alert = acked(make_alert())
    await make_notifier(client, hook.url).refresh([alert], now=NOW + timedelta(hours=2))
    assert hook.requests == []


async def test_a_sample_is_marked_and_names_what_to_do(hook, client):
    receipt = await make_notifier(client, hook.url).send(sample(receiver="pager", now=NOW), now=NOW)
    assert events(hook)[0]["payload"]["summary"].startswith("[TEST] ")
    assert receipt.detail == "taken by PagerDuty: 1 trigger; the incident stays open until it is resolved"


async def test_probe_opens_nothing(hook, client):
    await make_notifier(client, hook.url).probe()
    assert [(method, path) for method, path, _, _ in hook.requests] == [("HEAD", "/")]


@pytest.mark.parametrize(
    ("url", "address"),
    [
        (PUBLIC_URL, "https://events.pagerduty.com/v2/enqueue"),
        ("https://events.eu.pagerduty.com", "https://events.eu.pagerduty.com/v2/enqueue"),
        ("https://events.eu.pagerduty.com/", "https://events.eu.pagerduty.com/v2/enqueue"),
        ("https://proxy.example.com/pd/v2/enqueue", "https://proxy.example.com/pd/v2/enqueue"),
    ],
)
def test_finds_the_apis_address(url, address):
    assert api_address(url) == address


def test_repr_holds_no_key():
    assert KEY not in repr(make_notifier(None))


def trigger(notification):
    notifier = make_notifier(None)
    steps = notifier._steps(notification, NOW)
    return [notifier._trigger(notification, step.alert, step.item, key=step.key) for step in steps]


def test_stays_within_the_limits():
    alert = make_alert(make_finding(summary="s" * 3000, description="ä" * 100_000, action="😀" * 100_000))
    alert = replace(alert, finding=replace(alert.finding, labels={f"tag{n}": "ä" * 5000 for n in range(2000)}))
    [body] = trigger(make_notification(alert))
    assert len(body) <= BYTES_LIMIT
    Service().take(json.loads(body))


@settings(deadline=None, max_examples=60)
@given(st.text(max_size=3000))
def test_any_text_makes_an_event_that_pagerduty_takes(text):
    [body] = trigger(make_hostile(text))
    event = json.loads(body)
    Service().take(event)
    assert len(event["payload"]["summary"]) <= SUMMARY_LIMIT
    assert not any(ord(character) < 32 for character in event["payload"]["summary"])
    assert {link["href"].split(":")[0] for link in event["links"]} <= {"https", "http"}
