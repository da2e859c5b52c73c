"""The text of a first configuration: what was found as comments, and a receiver. Pure."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from watcher.cli.table import printable
from watcher.resources.account import Account

#: Accounts that stand in the comments.
_MOST_NAMED = 20
#: Where remarks begin.
_REMARK = 37

#: The variable that holds the secret of a receiver, where nobody names another.
SECRET_VARIABLES: Mapping[str, str] = {
    "slack": "SLACK_WEBHOOK_URL",
    "webhook": "WEBHOOK_URL",
    "email": "SMTP_PASSWORD",
}
RECEIVERS = ("console", *SECRET_VARIABLES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """Who is to be told, and how."""

    type: str = "console"
    secret_env: str = ""  #: the variable of its secret; "": it has none
    smtp_host: str = ""
    username: str = ""
    sender: str = ""
    to: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """`[azure]`, as far as it is no default."""

    keys: Mapping[str, str] = field(default_factory=dict)  #: key and value, as they are to stand there


def azure_table(access: Access) -> str:
    """`[azure]` alone: enough to look around with."""
    lines = ["[azure]", *_pairs(access.keys)]
    if "credential" not in access.keys:
        text = "default | managed_identity | workload_identity | client_secret | azure_cli | static"
        lines.append(_line('#credential = "default"', text))
    if "cloud" not in access.keys:
        lines.append(_line('#cloud = "public"', "public | usgovernment | china | custom"))
    lines.append(_line("#read_results = true", "false: never downloads a result file"))
    return "\n".join(lines) + "\n"


def starter(access: Access, accounts: Sequence[Account], channel: Channel, *, at: datetime) -> str:
    """The whole text."""
    parts = [
        f"# Configuration of watcher, written by `watcher init` on {at:%Y-%m-%d}. What is not here has its default;\n"
        "# config.example.toml has every key. After a change: watcher check-config --online",
        "\n".join(
            [
                "[watcher]",
                _line('name = "watcher"', "shown in every message"),
                _line('#timezone = "Europe/Berlin"', "of schedules and human text; default UTC"),
            ]
        ),
        "\n".join(["[database]", _line('#url = "sqlite:///watcher.db"', "beside where watcher is started")]),
        azure_table(access).rstrip("\n"),
        "\n".join(_discovery(accounts)),
        "\n".join(_receiver(channel)),
        "\n".join(_route(channel.type)),
    ]
    return "\n\n".join(parts) + "\n"


def _discovery(accounts: Sequence[Account]) -> Iterator[str]:
    yield "[azure.discovery]"
    names = list(dict.fromkeys(account.subscription for account in accounts))
    if names:
        yield "# Left out, `subscriptions` means all that the credential sees; to look in these alone:"
        yield f"#subscriptions = {_quoted(names)}"
    yield _line('#exclude = ["sandbox-*"]', "globs of account names")
    yield _line('#owner_tag = "owner"', "of the deployment, then the account, then its resource group")
    found = "1 account was" if len(accounts) == 1 else f"{len(accounts)} accounts were"
    yield f"# {found} found:" if accounts else "# No account was found."
    for account in accounts[:_MOST_NAMED]:
        owner = f", owner {account.owner}" if account.owner else ""
        yield printable(f"#   {account.label} ({account.kind}, {account.location}, {account.resource_group}{owner})")
    if len(accounts) > _MOST_NAMED:
        yield f"#   … and {len(accounts) - _MOST_NAMED} more: watcher accounts"


def _receiver(channel: Channel) -> Iterator[str]:
    yield "[[receivers]]"
    keys: dict[str, str | tuple[str, ...]] = {"name": channel.type, "type": channel.type}
    if channel.type == "email":
        keys |= {"smtp_host": channel.smtp_host, "from": channel.sender, "to": channel.to}
        if channel.username:
            keys |= {"username": channel.username, "password_env": channel.secret_env}
    elif channel.type != "console":
        keys["url_env"] = channel.secret_env
    yield from _pairs(keys)
    if channel.type == "console":
        yield "# It writes to standard output, where a service's log takes it. For Slack, put a webhook's address into"
        yield "# the variable SLACK_WEBHOOK_URL, take the marks off these lines, and name this receiver in [route]:"
        yield "#[[receivers]]"
        yield '#name = "slack"'
        yield '#type = "slack"'
        yield '#url_env = "SLACK_WEBHOOK_URL"'
    if channel.type == "webhook":
        yield _line('#signing_secret_env = "HOOK_SECRET"', "signs by Standard Webhooks")


def _route(receiver: str) -> Iterator[str]:
    yield "[route]"
    yield f"receiver = {_quoted(receiver)}"
    yield _line('#group_by = ["rule", "owner"]', "what is told in one message")
    yield _line('#repeat_interval = "24h"', "of what goes on; a countdown repeats at its steps alone")


def _pairs(keys: Mapping[str, str | tuple[str, ...]]) -> Iterator[str]:
    for key, value in keys.items():
        yield f"{key} = {_quoted(value)}"


def _line(text: str, remark: str) -> str:
    return f"{text:<{_REMARK - 1}} # {remark}"


def _quoted(value: str | Sequence[str]) -> str:
    """As TOML writes it. JSON's escapes are TOML's too, but for pairs of surrogates and the delete character."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
