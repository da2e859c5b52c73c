"""The alertmanager receiver against a real Alertmanager where there is one (Debian: prometheus-alertmanager)."""

import asyncio
import contextlib
import json
import re
import shutil
import subprocess
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watcher.alerts.alert import end
from watcher.alerts.notification import NotificationAlert, NotifyReason
from watcher.errors import DeliveryError
from watcher.notify.alertmanager import (
    EVENT_FIRES_FOR,
    FIRES_FOR,
    AlertmanagerNotifier,
    api_address,
    label_set,
)
from watcher.notify.notifier import Receipt
from watcher.notify.sample import sample
from watcher.rules.finding import FindingKind, Severity
from watcher.transport import open_client

from .factories import HOSTILE, NOW, VOICE, make_alert, make_finding, make_flood, make_hostile, make_notification

PROGRAM = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
CONFIGURATION = """
route:
  receiver: hook
  group_by: ["..."]
  group_wait: 100ms
  group_interval: 200ms
  repeat_interval: 1h
receivers:
  - name: hook
    webhook_configs:
      - url: {url}
        send_resolved: true
"""


def make_notifier(client, url, **changes):
    options = {"name": "am", "voice": VOICE, "client": client, "url": api_address(url), "clock": lambda: NOW}
    return AlertmanagerNotifier(**(options | changes))


def resolved(alert, *, at=NOW, because="it was called again at 2026-11-22T07:58:00Z", **changes):
    ended = end(alert, now=at, because=because)
    return make_notification(NotificationAlert(alert=ended, reason=NotifyReason.RESOLVED, **changes))


def posted(hook):
    """The alerts of each request, by the order of the requests."""
    return [json.loads(body) for _, _, _, body in hook.requests]


# What is posted


async def test_posts_labels_texts_and_a_span_that_ends_by_itself(hook, client):
    alert = make_alert(starts_at=NOW - timedelta(hours=1))
    receipt = await make_notifier(client, hook.url).send(make_notification(alert), now=NOW)
    [(method, path, headers, body)] = hook.requests
    assert receipt == Receipt("200")
    assert (method, path) == ("POST", "/hooks/CANARY-path/api/v2/alerts")
    assert headers["content-type"] == "application/json"
    [one] = json.loads(body)
    assert one["labels"] == {
        "alertname": "deployment_idle",
        "watcher": "prod",
        "fingerprint": alert.fingerprint,
        "rule": "deployment_idle",
        "severity": "warning",
        **alert.finding.labels,
    }
    assert (one["startsAt"], one["endsAt"]) == ("2026-11-22T07:00:00Z", "2026-11-22T08:05:00Z")
    assert one["annotations"]["summary"] == "support-bot in contoso-ft is deleted in 2 d 23 h"
    assert "curl" in one["annotations"]["action"]
    assert one["annotations"]["id"] == alert.id
    assert one["generatorURL"] == "https://watcher.example.com/deployments/contoso-ft/support-bot"


async def test_no_label_holds_a_time(hook, client):
    for moment in (NOW, NOW + timedelta(hours=3)):
        await make_notifier(client, hook.url).send(make_notification(make_alert()), now=moment)
    first, second = (one[0]["labels"] for one in posted(hook))
    assert first == second
    assert not re.search(r"\d\d:\d\d", json.dumps(first))


async def test_an_event_has_a_bounded_life_and_is_not_refreshed(hook, client):
    alert = make_alert(make_finding(rule="job_failed", kind=FindingKind.EVENT))
    notifier = make_notifier(client, hook.url)
    await notifier.send(make_notification(alert), now=NOW)
    assert await notifier.refresh([alert], now=NOW) is False, "nothing is known of the channel"
    [[one]] = posted(hook)
    assert datetime.fromisoformat(one["endsAt"]) == NOW + EVENT_FIRES_FOR


async def test_a_resolve_ends_in_the_past_and_says_how_it_ended(hook, client):
    alert = make_alert(starts_at=NOW - timedelta(days=3))
    await make_notifier(client, hook.url).send(resolved(alert, at=NOW - timedelta(hours=2)), now=NOW)
    [[one]] = posted(hook)
    assert one["endsAt"] == "2026-11-22T06:00:00Z"
    assert "called again" in one["annotations"]["summary"]
    assert "action" not in one["annotations"]


async def test_what_was_never_told_is_not_resolved(hook, client):
    receipt = await make_notifier(client, hook.url).send(resolved(make_alert(), was_untold=True), now=NOW)
    assert receipt.detail.startswith("nothing to send")
    assert hook.requests == []


async def test_what_only_a_refresh_posted_ends_too(hook, client):
    notifier = make_notifier(client, hook.url)
    alert = make_alert()
    assert await notifier.refresh([alert], now=NOW) is True
    await notifier.send(resolved(alert, was_untold=True), now=NOW)
    assert posted(hook)[1][0]["endsAt"] == "2026-11-22T08:00:00Z"


async def test_what_an_event_stands_for_ends_too(hook, client):
    idle = end(make_alert(starts_at=NOW - timedelta(days=3)), now=NOW, because="deleted")
    gone = make_alert(make_finding(rule="deployment_gone", kind=FindingKind.EVENT))
    await make_notifier(client, hook.url).send(make_notification(gone, covers=(idle,)), now=NOW)
    [[first, second]] = posted(hook)
    assert (first["labels"]["alertname"], second["labels"]["alertname"]) == ("deployment_gone", "deployment_idle")
    assert second["endsAt"] == "2026-11-22T08:00:00Z"


async def test_a_raised_severity_ends_what_stood_under_the_lower_one(hook, client):
    notifier = make_notifier(client, hook.url)
    alert = make_alert(starts_at=NOW - timedelta(hours=1))
    worse = replace(alert, finding=replace(alert.finding, severity=Severity.CRITICAL))
    await notifier.send(make_notification(alert), now=NOW)
    await notifier.send(make_notification(worse, reason=NotifyReason.SEVERITY_RAISED), now=NOW)
    old, new = posted(hook)[1]
    assert (old["labels"]["severity"], old["endsAt"]) == ("warning", "2026-11-22T08:00:00Z")
    assert (new["labels"]["severity"], new["endsAt"]) == ("critical", "2026-11-22T08:05:00Z")
    await notifier.refresh([worse], now=NOW)
    assert [one["labels"]["severity"] for one in posted(hook)[2]] == ["critical"]


async def test_old_labels_end_even_if_the_first_request_that_says_so_is_lost(hook, client):
    notifier = make_notifier(client, hook.url)
    alert = make_alert()
    worse = replace(alert, finding=replace(alert.finding, severity=Severity.CRITICAL))
    await notifier.send(make_notification(alert), now=NOW)
    hook.status = 503
    with pytest.raises(DeliveryError):
        await notifier.send(make_notification(worse), now=NOW)
    hook.status = 200
    await notifier.send(make_notification(worse), now=NOW)
    assert [one["labels"]["severity"] for one in posted(hook)[2]] == ["warning", "critical"]


async def test_a_refresh_does_not_light_again_what_has_ended(hook, client):
    """The refresh read it as firing before it ended."""
    notifier = make_notifier(client, hook.url)
    alert = make_alert()
    await notifier.send(resolved(alert), now=NOW)
    await notifier.refresh([alert], now=NOW)
    assert len(hook.requests) == 1


async def test_a_refresh_under_way_ends_what_ended_meanwhile(client):
    """Its own request may come after the one with the end."""
    alert = make_alert()
    arrived, go_on = asyncio.Event(), asyncio.Event()
    bodies = []

    async def talk(reader, writer):
        with contextlib.suppress(asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(re.search(rb"(?i)content-length: (\d+)", head)[1])
            bodies.append(json.loads(await reader.readexactly(length)))
            if len(bodies) == 1:
                arrived.set()
                await go_on.wait()
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            await writer.drain()
        writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        notifier = make_notifier(client, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        refreshing = asyncio.create_task(notifier.refresh([alert], now=NOW))
        await arrived.wait()
        await notifier.send(resolved(alert), now=NOW)
        go_on.set()
        await refreshing
    assert [body[0]["endsAt"] for body in bodies] == ["2026-11-22T08:05:00Z"] + ["2026-11-22T08:00:00Z"] * 2


async def test_a_refresh_of_very_many_goes_in_parts(hook, client):
    alerts = [told.alert for told in make_flood(450).alerts]
    await make_notifier(client, hook.url).refresh(alerts, now=NOW)
    assert [len(one) for one in posted(hook)] == [200, 200, 50]


async def test_simulated_times_do_not_lie_ahead(hook, client):
    notifier = make_notifier(client, hook.url)
    alert = make_alert(starts_at=NOW + timedelta(days=400))
    await notifier.send(make_notification(alert), now=NOW + timedelta(days=400))
    await notifier.send(resolved(alert, at=NOW + timedelta(days=401)), now=NOW + timedelta(days=401))
    fired, ended = (one[0] for one in posted(hook))
    assert (fired["startsAt"], fired["endsAt"]) == ("2026-11-22T08:00:00Z", "2026-11-22T08:05:00Z")
    assert ended["startsAt"] == ended["endsAt"] == "2026-11-22T08:00:00Z"


async def test_a_sample_is_marked_and_no_real_alert(hook, client):
    await make_notifier(client, hook.url).send(sample(receiver="am", now=NOW), now=NOW)
    [[one]] = posted(hook)
    assert one["labels"]["test"] == "true"
    assert one["annotations"]["summary"].startswith("[TEST] ")


async def test_the_end_of_a_sample_ends_that_sample(hook, client):
    fired = sample(receiver="am", now=NOW)
    over = end(fired.alerts[0].alert, now=NOW, because="the test is over")
    told = NotificationAlert(alert=over, reason=NotifyReason.RESOLVED)
    notifier = make_notifier(client, hook.url)
    await notifier.send(fired, now=NOW)
    await notifier.send(replace(fired, alerts=(told,), reason=NotifyReason.RESOLVED), now=NOW)
    first, second = (one[0] for one in posted(hook))
    assert first["labels"] == second["labels"]
    assert second["endsAt"] == "2026-11-22T08:00:00Z"


@pytest.mark.parametrize(
    ("status", "body", "kind", "permanent", "text"),
    [
        (400, '"invalid label set"', "bad_request", True, "(400 invalid label set)"),
        (422, '{"code": 601, "message": "labels in body is required"}', "bad_request", True, "labels in body is req"),
        (502, "<html>CANARY-path</html>", "server", False, "(502)"),
        (401, "CANARY-path", "auth", True, "(401)"),
    ],
)
async def test_judges_the_answer(hook, client, status, body, kind, permanent, text):
    hook.status, hook.body = status, body
    with pytest.raises(DeliveryError) as caught:
        await make_notifier(client, hook.url).send(make_notification(), now=NOW)
    assert (caught.value.kind, caught.value.permanent) == (kind, permanent)
    assert text in caught.value.message
    assert "CANARY" not in repr(caught.value)


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("https://am.example.com", "https://am.example.com/api/v2/alerts"),
        ("https://am.example.com/", "https://am.example.com/api/v2/alerts"),
        ("https://x.example.com/alertmanager/", "https://x.example.com/alertmanager/api/v2/alerts"),
        ("https://am.example.com/api/v2/alerts", "https://am.example.com/api/v2/alerts"),
    ],
)
def test_finds_the_apis_address(url, address):
    assert api_address(url) == address


def test_names_that_become_one_stay_apart():
    got = label_set({"alertname": "x"}, {"cost-center": "a", "cost.center": "b", "cost_center": "c", "alertname": "d"})
    assert got == {"alertname": "x", "alertname_": "d", "cost_center": "c", "cost_center_": "a", "cost_center__": "b"}


@settings(deadline=None)
@given(st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=8))
def test_any_labels_become_valid_ones_and_none_is_lost(labels):
    got = label_set({"alertname": "x", "watcher": "y"}, labels)
    assert all(re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_]*", name, re.ASCII) for name in got)
    kept = [value for value in labels.values() if value.isprintable() and value.strip()]
    assert len(got) >= 2 + len(kept)
    assert got["alertname"] == "x"


# A real one


class Alertmanager:
    """A real Alertmanager on loopback."""

    def __init__(self, client, url, hook):
        self.client, self.url, self.hook = client, url, hook

    async def alerts(self):
        return (await self.client.get(f"{self.url}/api/v2/alerts")).json()

    async def told(self):
        """What it told its own receiver: (status, alertname) of each alert, in order."""
        return [(one["status"], one["labels"]["alertname"]) for hook in posted(self.hook) for one in hook["alerts"]]

    async def until(self, holds, within=10):
        deadline = time.monotonic() + within
        while not (found := await holds()):
            assert time.monotonic() < deadline, await self.alerts()
            await asyncio.sleep(0.02)
        return found


@pytest.fixture
async def alertmanager(hook, unused_port, tmp_path):
    if PROGRAM is None:
        pytest.skip("no Alertmanager here; on Debian: apt-get install prometheus-alertmanager")
    config = tmp_path / "alertmanager.yml"
    config.write_text(CONFIGURATION.format(url=hook.url))
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                PROGRAM,
                f"--config.file={config}",
                f"--storage.path={tmp_path / 'data'}",
                f"--web.listen-address=127.0.0.1:{unused_port}",
                "--cluster.listen-address=",
            ],
            stdout=log,
            stderr=log,
        )
    client = open_client(trust_env=False)
    try:
        url = f"http://127.0.0.1:{unused_port}"
        deadline = time.monotonic() + 20
        while True:
            assert process.poll() is None, (tmp_path / "log").read_text()
            with contextlib.suppress(Exception):
                if (await client.get(f"{url}/-/ready")).status_code == 200:
                    break
            assert time.monotonic() < deadline, (tmp_path / "log").read_text()
            await asyncio.sleep(0.02)
        yield Alertmanager(client, url, hook)
    finally:
        await client.aclose()
        process.terminate()
        process.wait(10)


def wall():
    return datetime.now(UTC)


async def test_real_fires_stays_and_goes(alertmanager, client):
    notifier = make_notifier(client, alertmanager.url, clock=wall)
    alert = make_alert(starts_at=wall() - timedelta(hours=2))
    await notifier.send(make_notification(alert), now=wall())
    [seen] = await alertmanager.alerts()
    assert seen["labels"] == notifier._labels(alert)
    assert seen["annotations"]["summary"] == "support-bot in contoso-ft is deleted in 2 d 23 h"
    first_end = datetime.fromisoformat(seen["endsAt"])
    assert timedelta() < first_end - wall() <= FIRES_FOR
    await alertmanager.until(alertmanager.told)

    later = make_notifier(client, alertmanager.url, clock=lambda: wall() + timedelta(minutes=1))
    await later.refresh([alert], now=wall())
    [seen] = await alertmanager.alerts()
    assert datetime.fromisoformat(seen["endsAt"]) >= first_end + timedelta(seconds=59)
    assert datetime.fromisoformat(seen["startsAt"]) < wall() - timedelta(hours=1)

    await notifier.send(resolved(alert, at=wall() - timedelta(minutes=30)), now=wall())

    async def is_gone():
        return await alertmanager.alerts() == []

    await alertmanager.until(is_gone)

    async def is_told():
        return len(await alertmanager.told()) == 2

    await alertmanager.until(is_told)
    assert await alertmanager.told() == [("firing", "deployment_idle"), ("resolved", "deployment_idle")]


async def test_real_a_dead_watchers_alert_ends_by_itself(alertmanager, client):
    past = wall() - FIRES_FOR + timedelta(seconds=2)
    await make_notifier(client, alertmanager.url, clock=lambda: past).send(
        make_notification(make_alert(starts_at=past)), now=past
    )
    assert len(await alertmanager.alerts()) == 1

    async def is_told():
        return ("resolved", "deployment_idle") in await alertmanager.told()

    await alertmanager.until(is_told)


async def test_real_a_severity_that_rises_is_two_alerts_of_which_one_ends(alertmanager, client):
    notifier = make_notifier(client, alertmanager.url, clock=wall)
    alert = make_alert(starts_at=wall() - timedelta(hours=2))
    worse = replace(alert, finding=replace(alert.finding, severity=Severity.CRITICAL))
    await notifier.send(make_notification(alert), now=wall())
    await notifier.send(make_notification(worse), now=wall())
    assert [one["labels"]["severity"] for one in await alertmanager.alerts()] == ["critical"]


async def test_real_takes_hostile_names_and_many(alertmanager, client):
    notifier = make_notifier(client, alertmanager.url, clock=wall)
    flood = make_flood(300, description="ä" * 500)
    await notifier.send(flood, now=wall())
    await notifier.send(make_hostile(), now=wall())
    await notifier.send(make_hostile("\x00{{ .Labels }} \u202e " + "x" * 20_000), now=wall())
    seen = await alertmanager.alerts()
    assert len(seen) == 302
    texts = [one["labels"].get("deployment", "") for one in seen]
    assert any(text.startswith("<!channel> *bold* <script>") for text in texts)
    assert HOSTILE not in texts


async def test_real_takes_labels_of_any_name(alertmanager, client):
    alert = make_alert()
    odd = {"cost-center": "4711", "1st": "x", "ümlaut": "y", "__name__": "z", "alertname": "w", "": "v"}
    alert = replace(alert, finding=replace(alert.finding, labels={**alert.finding.labels, **odd}))
    await make_notifier(client, alertmanager.url, clock=wall).send(make_notification(alert), now=wall())
    [seen] = await alertmanager.alerts()
    assert seen["labels"]["cost_center"] == "4711"
    assert seen["labels"]["alertname"] == "deployment_idle"


async def test_real_probe_leaves_nothing(alertmanager, client):
    receipt = await make_notifier(client, alertmanager.url).probe()
    assert receipt.detail == "Alertmanager answers and takes alerts"
    assert await alertmanager.alerts() == []


async def test_real_refusal_is_told_with_its_reason(alertmanager, client):
    notifier = make_notifier(client, alertmanager.url)
    with pytest.raises(DeliveryError) as caught:
        await notifier._post([{"labels": {}}])
    assert (caught.value.kind, caught.value.permanent) == ("bad_request", True)
    assert "label" in caught.value.message
