"""`check-config`, `schema` and `health`."""

import http.server
import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.world import World
from watcher.demo import keeping


def test_a_good_configuration(empty_world: World) -> None:
    done = empty_world.watcher("check-config")
    assert (done.code, done.err) == (0, "")
    assert done.out == f"{empty_world.config}: no mistakes found\n"


def test_every_mistake_is_told_with_its_path_and_its_cure(empty_world: World) -> None:
    empty_world.config.write_text('[pol]\n[poll]\nactive = "soon"\n[[receivers]]\nname = "x"\ntype = "slak"\n')
    done = empty_world.watcher("check-config")
    assert (done.code, done.out) == (2, "")
    lines = done.err.splitlines()
    assert any(line.startswith("pol: is not a known key; did you mean poll?") for line in lines)
    assert any(line.startswith("poll.active: ") for line in lines)
    assert any(line.startswith("receivers[0].type: ") for line in lines)
    found = json.loads(empty_world.watcher("check-config", "--json").out)
    assert len(found["mistakes"]) == len(lines)


ODD = """
[[receivers]]
name = "idle-mail"
type = "console"
[[route.routes]]
match = ['rule="deployment_idle"', 'owner="support"']
receiver = "screen"
continue = true
"""


def test_routes_that_cannot_be_meant_are_warnings_with_their_place_and_cure(empty_world: World) -> None:
    empty_world.config.write_text(empty_world.config.read_text() + ODD)
    done = empty_world.watcher("check-config")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        "warning: receivers[2]: idle-mail is never used: no route, owner or report names it; name it in a route, or "
        "remove it",
        "warning: route.routes[1].continue: continue = true has no effect: no route beside it comes after; remove it, "
        "or move the route up",
        "warning: route.routes[1]: matches nothing: route.routes[0] takes all of it before; move it above "
        "route.routes[0], or write continue = true there",
        f"{empty_world.config}: no mistakes found",
    ]
    assert len(empty_world.watcher("check-config", "--json").json["warnings"]) == 3


def test_labels_from_tags_rules_and_accounts_are_known(empty_world: World) -> None:
    routes = "".join(
        f'[[route.routes]]\nmatch = [\'{label}="x"\']\nreceiver = "screen"\n'
        for label in ("cost-center", "team", "tier", "stage")
    )
    text = empty_world.config.read_text() + routes
    text += '[azure.discovery]\ntag_labels = ["cost-center"]\n[rules.job_failed]\nlabels = { team = "x" }\n'
    text += '[[azure.accounts]]\nresource_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/ml/'
    text += 'providers/Microsoft.CognitiveServices/accounts/contoso-ft"\nlabels = { tier = "x" }\n'
    empty_world.config.write_text(text)
    (warning,) = empty_world.watcher("check-config", "--json").json["warnings"]
    assert warning.startswith('route.routes[4].match: stage="x" names a label that no alert bears')


def test_which_rules_may_be_critical_is_known_from_the_configuration(empty_world: World) -> None:
    """A mute that hides critical alerts is warned of where there can be any."""
    text = empty_world.config.read_text() + '[[mute]]\nname = "nights"\ntimes = ["22:00-07:00"]\n'

    def warned(rule: str, severity: str = "") -> list[str]:
        route = f'[[route.routes]]\nmatch = [\'rule="{rule}"\']\nmute = ["nights"]\n'
        options = f'[rules.{rule}]\nseverity = "{severity}"\n' if severity else ""
        empty_world.config.write_text(text + route + options)
        warnings: list[str] = empty_world.watcher("check-config", "--json").json["warnings"]
        return [one.partition(" holds back critical alerts too")[0] for one in warnings]

    assert warned("job_failed") == []
    assert warned("job_failed", "critical") == ["route.routes[1].mute: nights"]
    assert warned("credential_failing") == ["route.routes[1].mute: nights"]
    assert warned("credential_failing", "warning") == []


ROOT = Path(__file__).parents[2]


def test_the_example_and_the_demo_are_warned_of_nothing(empty_world: World, tmp_path: Path) -> None:
    example = (ROOT / "config.example.toml").read_text()
    demo = keeping.configuration(tmp_path, azure="http://127.0.0.1:9", hook="http://127.0.0.1:9/alerts")
    for text in (example, demo):
        empty_world.config.write_text(text)
        empty_world.environ |= {
            name: "https://hooks.slack.com/services/T0/B0/x" if "SLACK" in name else "a-secret-of-some-length"
            for name in re.findall(r'^\w+_env = "(\w+)"', text, re.MULTILINE)
        }
        empty_world.environ["AZURE_TOKEN_CREDENTIALS"] = "prod"
        found = json.loads(empty_world.watcher("check-config", "--json").out)
        assert found["warnings"] == []
        assert [one for one in found["mistakes"] if one["path"] != "azure.credential"] == []


def test_checking_touches_no_database(empty_world: World) -> None:
    empty_world.watcher("check-config")
    assert not empty_world.database.exists()


def test_online_names_what_does_not_answer_and_touches_no_database(empty_world: World) -> None:
    done = empty_world.watcher("check-config", "--online")
    assert done.code == 3
    assert "discovery:" in done.out
    assert not empty_world.database.exists()


def test_the_schema_is_one_document(empty_world: World) -> None:
    done = empty_world.watcher("schema", with_config=False)
    assert done.code == 0
    assert json.loads(done.out)["$schema"].startswith("https://json-schema.org/")


class Answering(http.server.BaseHTTPRequestHandler):
    """A daemon that answers `/healthz`."""

    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status if self.path == "/healthz" else 404)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def daemon() -> Iterator[http.server.HTTPServer]:
    server = http.server.HTTPServer(("127.0.0.1", 0), Answering)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1)])
def test_health_asks_the_daemon(
    empty_world: World, daemon: http.server.HTTPServer, monkeypatch: pytest.MonkeyPatch, status: int, code: int
) -> None:
    monkeypatch.setattr(Answering, "status", status)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # a proxy is not asked for this machine
    empty_world.environ["WATCHER_WEB__LISTEN"] = f"127.0.0.1:{daemon.server_port}"
    assert empty_world.watcher("health").code == code


def test_health_without_a_daemon(empty_world: World) -> None:
    empty_world.environ["WATCHER_WEB__LISTEN"] = "127.0.0.1:9"
    done = empty_world.watcher("health")
    assert (done.code, "does not answer" in done.err) == (1, True)


def test_looking_needs_no_secret_but_the_database_s_while_acting_needs_all(empty_world: World) -> None:
    empty_world.open().close()
    empty_world.environ.clear()
    assert empty_world.watcher("jobs").code == 0
    assert empty_world.watcher("status").code == 0
    for command in (("run", "--once"), ("check-config",), ("notify", "test")):
        done = empty_world.watcher(*command)
        assert (done.code, "is not set" in done.err) == (2, True), command
