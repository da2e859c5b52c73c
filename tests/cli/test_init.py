"""`init`: what it writes parses, is checked, and never takes the place of anything."""

import io
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cli.azure import Azure, serve_azure
from tests.factories import NOW, make_account
from watcher.cli.app import run
from watcher.cli.desk import Desk
from watcher.cli.starter import Access, Channel, starter
from watcher.config import parse
from watcher.simulator import TOKEN, Account, Fault, Scenario
from watcher.simulator.scenario import SUBSCRIPTION

SCENARIO = Scenario(
    accounts=(
        Account(name="contoso-ft", tags={"owner": "search-team"}),
        Account(name="contoso-west", kind="AIServices", location="westus3"),
        Account(name="faces", kind="Face"),
    )
)


@pytest.fixture
def azure() -> Iterator[Azure]:
    with serve_azure(SCENARIO) as served:
        yield served


class Terminal(io.StringIO):
    """Somebody sits there and types."""

    def isatty(self) -> bool:
        return True


@dataclass
class Done:
    code: int
    out: str
    err: str


def init(url: str, output: Path, *args: str, typed: str | None = None, **environ: str) -> Done:
    out, err = io.StringIO(), io.StringIO()
    desk = Desk(
        clock=lambda: NOW,
        environ={"AZURE_TOKEN": TOKEN, "COLUMNS": "80", **environ},
        out=out,
        err=err,
        stdin=io.StringIO() if typed is None else Terminal(typed),
    )
    simulated = ["--management-url", url, "--credential", "static", "--token-env", "AZURE_TOKEN"]
    code = run(["init", "--output", str(output), *simulated, *args], desk)
    return Done(code, out.getvalue(), err.getvalue())


def test_without_a_terminal_messages_go_to_standard_output(azure: Azure, tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    done = init(azure.url, file)
    assert (done.code, done.err) == (0, "")
    text = file.read_text()
    config = parse(text, environ={"AZURE_TOKEN": TOKEN}, origin=file)
    assert [(one.name, one.type) for one in config.receivers] == [("console", "console")]
    assert config.route is not None and config.route.receiver == "console"
    assert "#   contoso-ft (OpenAI, eastus2, rg-ml, owner search-team)" in text
    assert f'#subscriptions = ["{SUBSCRIPTION}"]' in text
    assert "faces" not in text
    assert "2 accounts with Azure OpenAI: contoso-ft, contoso-west" in done.out


def test_what_it_wrote_passes_the_checks(azure: Azure, tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    init(azure.url, file)
    out = io.StringIO()
    desk = Desk(clock=lambda: NOW, environ={"AZURE_TOKEN": TOKEN}, out=out, err=out)
    assert run(["check-config", "--online", "--config", str(file)], desk) == 0, out.getvalue()


def test_every_remark_that_is_a_key_may_be_used(azure: Azure, tmp_path: Path) -> None:
    """A line `#key = value` is a promise that it works without its mark."""
    file = tmp_path / "config.toml"
    init(azure.url, file)
    text = re.sub(r"^#(?=[a-z_]+ = |\[\[)", "", file.read_text(), flags=re.M)
    environ = {"AZURE_TOKEN": TOKEN, "SLACK_WEBHOOK_URL": "https://hooks.example.com/x"}
    config = parse(text, environ=environ, origin=file)
    assert [one.type for one in config.receivers] == ["console", "slack"]
    assert config.azure.discovery.subscriptions == (SUBSCRIPTION,)


@pytest.mark.parametrize("kind", ["file", "link", "broken link"])
def test_nothing_is_ever_overwritten(azure: Azure, tmp_path: Path, kind: str) -> None:
    file, other = tmp_path / "config.toml", tmp_path / "other"
    if kind == "file":
        file.write_text("mine")
    else:
        if kind == "link":
            other.write_text("mine")
        file.symlink_to(other)
    done = init(azure.url, file)
    assert (done.code, done.out) == (2, "")
    assert "not overwritten" in done.err
    assert (other if kind != "file" else file).exists() is (kind != "broken link")
    assert kind == "broken link" or file.read_text() == "mine"
    assert not azure.asked


def test_a_receiver_of_the_options(azure: Azure, tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    done = init(azure.url, file, "--receiver", "slack", "--url-env", "ML_SLACK")
    assert done.code == 3  # its variable is not set yet
    assert "not set yet" in done.out
    environ = {"AZURE_TOKEN": TOKEN, "ML_SLACK": "https://hooks.example.com/x"}
    (receiver,) = parse(file.read_text(), environ=environ, origin=file).receivers
    assert receiver.type == "slack"


def test_mail_wants_to_know_where(azure: Azure, tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    done = init(azure.url, file, "--receiver", "email", "--from", "watcher@example.com")
    assert (done.code, file.exists()) == (2, False)
    assert "--smtp-host, --to" in done.err
    mail = ["--receiver", "email", "--from", "watcher@example.com", "--smtp-host", "mail.example.com"]
    init(azure.url, file, *mail, "--to", "ml@example.com", "--to", "ops@example.com", "--username", "watcher")
    environ = {"AZURE_TOKEN": TOKEN, "SMTP_PASSWORD": "p"}
    (receiver,) = parse(file.read_text(), environ=environ, origin=file).receivers
    assert receiver.options()["to"] == ("ml@example.com", "ops@example.com")


def test_an_unknown_receiver_is_refused(azure: Azure, tmp_path: Path) -> None:
    done = init(azure.url, tmp_path / "config.toml", "--receiver", "pigeon")
    assert done.code == 2
    assert "'pigeon' is none of console, slack, webhook, email" in done.err


@pytest.mark.parametrize(
    ("typed", "type_", "env"),
    [
        pytest.param("\n", "console", None, id="nothing said"),
        pytest.param("slack\n\n", "slack", "SLACK_WEBHOOK_URL", id="the usual variable"),
        pytest.param("Webhook\nHOOK_URL\n", "webhook", "HOOK_URL", id="another variable"),
        pytest.param(
            "email\nmail.example.com\nw@example.com\na@example.com, b@example.com\n\n", "email", None, id="mail"
        ),
    ],
)
def test_at_a_terminal_it_asks(azure: Azure, tmp_path: Path, typed: str, type_: str, env: str | None) -> None:
    file = tmp_path / "config.toml"
    done = init(azure.url, file, typed=typed)
    assert "Who is to be told?" in done.out
    (receiver,) = tomllib.loads(file.read_text())["receivers"]
    assert (receiver["type"], receiver.get("url_env")) == (type_, env)


def test_whoever_walks_away_leaves_nothing(azure: Azure, tmp_path: Path) -> None:
    done = init(azure.url, tmp_path / "config.toml", typed="slack\n")
    assert done.code == 130
    assert not (tmp_path / "config.toml").exists()


def test_azure_that_cannot_be_asked_leaves_nothing(azure: Azure, tmp_path: Path) -> None:
    done = init(azure.url, tmp_path / "config.toml", AZURE_TOKEN="another-token")
    assert (done.code, (tmp_path / "config.toml").exists()) == (1, False)
    assert "az login" in done.err
    assert "another-token" not in done.err


def test_a_folder_that_is_not_there_is_told(azure: Azure, tmp_path: Path) -> None:
    done = init(azure.url, tmp_path / "nowhere" / "config.toml")
    assert done.code == 1
    assert "cannot be written" in done.err


def test_what_cannot_be_seen_is_told_but_written_all_the_same(tmp_path: Path) -> None:
    fault = Fault(plane="metrics", status=403, code="AuthorizationFailed", message="no authorization")
    with serve_azure(Scenario(accounts=SCENARIO.accounts, faults=(fault,))) as azure:
        done = init(azure.url, tmp_path / "config.toml")
    assert done.code == 3
    assert "--role 'Monitoring Reader'" in done.out
    assert (tmp_path / "config.toml").exists()


@given(
    label=st.text(max_size=20),
    owner=st.text(max_size=20),
    subscription=st.text(min_size=1, max_size=12),
    sender=st.text(min_size=1, max_size=12),
)
def test_nothing_that_a_name_holds_spoils_the_file(label: str, owner: str, subscription: str, sender: str) -> None:
    account = make_account(label=label, owner=owner, subscription=subscription)
    channel = Channel(type="email", smtp_host=subscription, sender=sender, to=(owner,), username=label)
    document = tomllib.loads(starter(Access(), [account], channel, at=NOW).encode("utf-8", "replace").decode())
    (receiver,) = document["receivers"]
    assert receiver["from"] == sender.encode("utf-8", "replace").decode()
    assert document["route"] == {"receiver": "email"}
    assert document["azure"]["discovery"] == {}
