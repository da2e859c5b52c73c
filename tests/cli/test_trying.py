"""`notify test` and `routes test`."""

import http.server
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cli.world import World
from tests.factories import HOUR

ROUTES = """
[[receivers]]
name = "mail"
type = "console"
[[owners]]
match = ['owner="support"']
name = "Support"
receivers = ["mail", "screen"]
[[mute]]
name = "mornings"
times = ["08:00-10:00"]
except_severity = "critical"
"""

MUTED = """
[[route.routes]]
match = ['rule=~"job_.*"']
receiver = "hook"
mute = ["mornings"]
fallback = ["mail"]
escalate_after = "1h"
escalate_to = ["mail"]
"""


def test_a_sample_is_really_sent(world: World) -> None:
    done = world.watcher("notify", "test", "screen", "--rule", "job_failed")
    assert done.code == 0
    assert "job_failed" in done.out
    assert done.out.splitlines()[-1] == "screen (console): delivered: written"


def test_a_sample_has_the_links_that_real_messages_have(world: World) -> None:
    address = 'public_url = "https://pages.example.com"'
    world.config.write_text(world.config.read_text().replace('name = "prod"', f'name = "prod"\n{address}'))
    done = world.watcher("notify", "test", "screen")
    assert (done.code, "https://pages.example.com/deployments/" in done.out) == (0, True)
    assert "not acted on" not in world.watcher("check-config").out


def test_a_channel_that_fails_has_its_line_and_the_others_are_sent(world: World) -> None:
    text = world.config.read_text().replace("https://hooks.example.com/x", "http://127.0.0.1:9/x")
    world.config.write_text(text)
    done = world.watcher("notify", "test")
    assert done.code == 3
    assert done.err.startswith("hook (webhook): not delivered (")
    assert done.err.count("\n") == 1
    assert "screen (console): delivered" in done.out


@pytest.mark.parametrize(
    "args",
    [
        pytest.param(["nobody"], id="receiver"),
        pytest.param(["screen", "--rule", "no_such_rule"], id="rule"),
        pytest.param(["screen", "--rule", "job_failed", "--resolved"], id="the end of an event"),
    ],
)
def test_what_cannot_be_sent_is_wrong_usage(world: World, args: list[str]) -> None:
    done = world.watcher("notify", "test", *args)
    assert (done.code, done.out) == (2, "")


def test_a_receiver_that_cannot_be_used_is_told(world: World) -> None:
    world.environ["TEAMS"] = "https://contoso.webhook.office.com/webhookb2/x"
    world.config.write_text(world.config.read_text() + '[[receivers]]\nname="t"\ntype="teams"\nurl_env="TEAMS"\n')
    done = world.watcher("notify", "test", "t")
    assert (done.code, done.err.startswith("t (teams): cannot be used: ")) == (3, True)


class Hook(http.server.BaseHTTPRequestHandler):
    """A receiver that keeps what it gets, and refuses from some number on."""

    taken: list[dict[str, Any]]
    takes = 9

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.taken.append(body)
        answer = b'{"ok": true, "channel": "C1", "ts": "171.0001"}'  # as Slack's methods answer
        self.send_response(200 if len(self.taken) <= self.takes else 410)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def hook(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Any]]]:
    monkeypatch.setattr(Hook, "taken", [], raising=False)
    server = http.server.HTTPServer(("127.0.0.1", 0), Hook)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}/x"
    world.config.write_text(world.config.read_text().replace("https://hooks.example.com/x", url))
    yield Hook.taken
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_pair_shows_how_the_receiver_joins_beginning_and_end(world: World, hook: list[dict[str, Any]]) -> None:
    done = world.watcher("notify", "test", "hook", "--resolved")
    assert done.out == "hook (webhook): delivered: 200; its end delivered: 200\n"
    fired, over = hook
    assert (fired["reason"], over["reason"]) == ("firing", "resolved")
    assert fired["id"] != over["id"]
    assert all(one["id"].startswith("ntf_test_") and len(one["id"]) == len(fired["id"]) for one in hook)
    assert fired["alerts"][0]["fingerprint"] == over["alerts"][0]["fingerprint"]
    assert over["alerts"][0]["status"] == "resolved"


def test_an_end_that_is_refused_is_told_in_the_one_line(
    world: World, hook: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Hook, "takes", 1)
    done = world.watcher("notify", "test", "hook", "--resolved")
    assert (done.code, done.out) == (3, "")
    assert done.err.startswith("hook (webhook): delivered: 200; its end not delivered (")
    assert len(hook) == 2


def test_the_end_of_a_pair_goes_where_the_beginning_went(world: World, hook: list[dict[str, Any]]) -> None:
    """As a bot of Slack threads it."""
    (url,) = (line for line in world.config.read_text().splitlines() if line.startswith('url = "http://127'))
    world.environ["BOT_TOKEN"] = "xoxb-0123456789"
    bot = '[[receivers]]\nname = "bot"\ntype = "slack"\nbot_token_env = "BOT_TOKEN"\nchannel = "#x"\n'
    world.config.write_text(world.config.read_text() + bot + f"api_{url}\n")
    done = world.watcher("notify", "test", "bot", "--resolved")
    assert (done.code, done.err) == (0, "")
    first, *rest = hook
    assert "thread_ts" not in first
    assert any("171.0001" in (one.get("thread_ts"), one.get("ts")) for one in rest)


@pytest.mark.parametrize(
    ("labels", "receivers"),
    [
        pytest.param(["rule=deployment_idle", "severity=info"], ["hook"], id="child"),
        pytest.param(["rule=job_failed"], ["screen"], id="root"),
        pytest.param(["rule=deployment_wasting"], [], id="for reports only"),
    ],
)
def test_routes_are_tried(world: World, labels: list[str], receivers: list[str]) -> None:
    routes = world.watcher("routes", "test", *labels, "--json").json["routes"]
    assert [route["receiver"] for route in routes] == receivers
    assert world.watcher("routes", "test", *labels).code == 0


def test_owners_mutes_escalation_and_fallback_stand_beside_the_route(world: World) -> None:
    world.config.write_text(world.config.read_text() + MUTED + ROUTES)
    labels = ("rule=job_failed", "severity=warning", "owner=support")
    first, *owners = world.watcher("routes", "test", *labels, "--json").json["routes"]
    assert first == {
        "route": "route.routes[1]",
        "receiver": "hook",
        "group": {"rule": "job_failed"},
        "owner": None,
        "mute": ["mornings"],
        "muted_until": "2026-11-22T09:00:00Z",  # it is nine o'clock in Berlin
        "escalate_after_seconds": 3600,
        "escalate_to": ["mail"],
        "fallback": ["mail"],
    }
    assert [(one["route"], one["owner"], one["receiver"]) for one in owners] == [
        ("owners[0]", "Support", "mail"),
        ("owners[0]", "Support", "screen"),
    ]
    lines = world.watcher("routes", "test", *labels).out.splitlines()
    assert lines[1:6] == [
        "route.routes[1]      hook      rule=job_failed",
        "  mute mornings: quiet now; critical and louder pass",
        "  it would be told at 2026-11-22 09:00 UTC, when the quiet ends",
        "  escalates to mail 1 h after it was told, unless acknowledged",
        "  falls back on mail where hook stays dead",
    ]
    assert lines[6] == "owners[0] (Support)  mail      rule=job_failed"


def test_what_passes_a_mute_is_told_at_once(world: World) -> None:
    world.config.write_text(world.config.read_text() + MUTED + ROUTES)
    out = world.watcher("routes", "test", "rule=job_failed", "severity=critical").out
    assert "mute mornings: quiet now; critical passes" in out
    assert "it would be told at" not in out
    world.environ["COLUMNS"] = "120"
    assert "when the quiet ends, if it does not pass" in world.watcher("routes", "test", "rule=job_failed").out
    world.now += HOUR
    assert "mute mornings: not quiet now" in world.watcher("routes", "test", "rule=job_failed").out


def test_a_label_without_a_value_is_wrong_usage(world: World) -> None:
    assert world.watcher("routes", "test", "rule").code == 2
