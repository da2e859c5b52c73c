"""`check-config`, `schema` and `health`."""

import http.server
import json
import threading
from collections.abc import Iterator

import pytest

from tests.cli.world import World


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


def test_what_this_version_does_not_do_is_a_warning(empty_world: World) -> None:
    text = '[[reports]]\nname = "weekly"\nschedule = "mon 08:00"\nreceivers = ["screen"]\n'
    empty_world.config.write_text(empty_world.config.read_text() + text)
    done = empty_world.watcher("check-config")
    assert done.code == 0
    assert "warning: [[reports]]" in done.out


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
