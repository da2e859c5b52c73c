"""Secrets come from variables and files, can be renewed, and show up nowhere."""

import traceback
from pathlib import Path

import pytest

from watcher.config import Secret, parse
from watcher.config.values import Invalid
from watcher.errors import ConfigurationError

CANARY = "canary-7f3a"


def test_shows_nothing_of_its_value() -> None:
    secret = Secret(CANARY, source="$TOKEN")
    assert (repr(secret), str(secret), f"{secret}") == ("***", "***", "***")
    assert secret.reveal() == CANARY
    assert secret == Secret(CANARY)
    assert len({secret, Secret(CANARY), Secret("other")}) == 2


def test_is_read_from_a_file_without_its_last_newline_and_renewed(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text(f"{CANARY}\r\n")
    config = parse('[azure]\ncredential = "static"\ntoken_file = "token"', environ={}, origin=tmp_path / "config.toml")
    token = config.azure.token
    assert token is not None
    assert (token.reveal(), token.source) == (CANARY, str(path))

    path.write_text("rotated\n")
    assert token.reveal() == CANARY
    assert token.renewed().reveal() == "rotated"
    path.unlink()
    with pytest.raises(Invalid, match="cannot be read"):
        token.renewed()


def test_from_a_variable_it_is_renewed_as_it_is() -> None:
    secret = Secret(CANARY, source="$TOKEN")
    assert secret.renewed() is secret


EVERY_SECRET = """
[database]
url_env = "DB"
[azure]
credential = "static"
token_env = "T"
[[azure.accounts]]
resource_id = "/subscriptions/s/resourceGroups/r/providers/Microsoft.CognitiveServices/accounts/a"
api_key_env = "T"
[[receivers]]
name = "slack"
type = "slack"
url_env = "U"
[[receivers]]
name = "bot"
type = "slack"
bot_token_env = "T"
channel = "#x"
[[receivers]]
name = "mail"
type = "email"
smtp_host = "mail.example.com"
username = "u"
password_env = "T"
from = "a@example.com"
to = ["b@example.com"]
[[receivers]]
name = "teams"
type = "teams"
url_env = "U"
[[receivers]]
name = "apprise"
type = "apprise"
url_env = "T"
[[receivers]]
name = "pager"
type = "pagerduty"
routing_key_env = "T"
[[receivers]]
name = "hook"
type = "webhook"
url_env = "U"
signing_secret_env = "T"
signing_secret_previous_env = "T"
[route]
receiver = "slack"
[web]
token_env = "T"
[[web.tokens]]
name = "x"
token_env = "T"
[heartbeat]
url_env = "U"
"""
ENVIRON = {"T": CANARY, "U": f"https://h.example.com/{CANARY}", "DB": f"postgresql://u:{CANARY}@db/w"}


def test_no_configuration_prints_a_secret() -> None:
    config = parse(EVERY_SECRET, environ=ENVIRON)
    for text in (repr(config), str(config), config.model_dump_json(), str(config.model_dump())):
        assert CANARY not in text
    assert config.model_dump_json().count("***") == 15
    assert CANARY in config.database.address.reveal()


def test_every_secret_can_be_found_to_cut_it_out_of_logs() -> None:
    config = parse(EVERY_SECRET, environ=ENVIRON)
    secrets = list(config.secrets())
    assert len(secrets) == 15
    assert {secret.reveal() for secret in secrets} == set(ENVIRON.values())


@pytest.mark.parametrize("spoilt", ["T", "U", "DB"])
def test_no_error_prints_a_secret(spoilt: str) -> None:
    environ = {**ENVIRON, spoilt: f"ftp://{CANARY}" if spoilt != "T" else ""}
    with pytest.raises(ConfigurationError) as caught:
        parse(EVERY_SECRET + f'\n[logging]\nlevel = "{CANARY}"\n', environ=environ)
    assert CANARY not in str(caught.value)
    assert CANARY not in "".join(traceback.format_exception(caught.value))


def test_a_file_that_holds_nothing_is_refused(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("\n")
    with pytest.raises(ConfigurationError, match=r"token_file: .*/token is empty; write the secret into it"):
        parse('[azure]\ncredential = "static"\ntoken_file = "./token"', environ={}, origin=tmp_path / "config.toml")
