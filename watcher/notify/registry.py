"""Receivers' types and what builds them: ours in one literal dict, other people's by the entry point group
`watcher.notifiers`.

A builder takes the receiver's name, its options (the keys of the configuration; secrets as plain text under the name
without `_env` or `_file`) and the `Context`, and returns a `Notifier`. It refuses bad options by `OptionError`. Nothing
is imported before a receiver of the type is built.
"""

import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta, tzinfo
from importlib.metadata import EntryPoint, entry_points
from ipaddress import ip_address
from ssl import SSLContext
from typing import TextIO, cast

from watcher.alerts.pace import STEADY, Pace, Rate
from watcher.errors import ConfigurationError, Problem
from watcher.notify.message import Voice
from watcher.notify.notifier import Notifier
from watcher.transport import AsyncClient

GROUP = "watcher.notifiers"

Options = Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What notifiers share."""

    watcher_name: str  #: in every message
    zone: tzinfo  #: of times in texts for people; payloads are UTC
    public_url: str = ""  #: base of links to the page; "": no such links
    client: AsyncClient = field(repr=False)
    stream: TextIO | None = field(default=None, repr=False)  #: for `console`; `None`: standard output
    smtp_tls: SSLContext | None = field(default=None, repr=False)  #: for `email`; `None`: the default context

    @property
    def voice(self) -> Voice:
        """How messages speak."""
        return Voice(watcher=self.watcher_name, zone=self.zone, public_url=self.public_url)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverSpec:
    """One receiver as configured."""

    path: str  #: in the configuration: "receivers[1]"
    name: str
    type: str
    options: Options = field(repr=False)


class OptionError(ValueError):
    """An option of a receiver cannot be used. Its texts hold no secret."""

    def __init__(self, option: str, message: str, cure: str = "") -> None:
        super().__init__(f"{option} {message}")
        self.option = option
        self.message = message
        self.cure = cure


Builder = Callable[[str, Options, Context], Notifier]


def _console(name: str, options: Options, context: Context) -> Notifier:
    from watcher.notify.console import ConsoleNotifier

    return ConsoleNotifier(name=name, voice=context.voice, stream=context.stream or sys.stdout)


def _webhook(name: str, options: Options, context: Context) -> Notifier:
    from watcher.notify.webhook import WebhookNotifier, signer

    signers = []
    for option in ("signing_secret", "signing_secret_previous"):
        if secret := _optional(options, option):
            try:
                signers.append(signer(secret))
            except ValueError as exc:
                raise OptionError(
                    option, str(exc), 'write "whsec_" and the key in base64, or any text without that beginning'
                ) from None
    if _optional(options, "signing_secret_previous") and not _optional(options, "signing_secret"):
        raise OptionError("signing_secret_previous", "stands without a signing_secret", "add the present secret")
    url = _text(options, "url")
    return WebhookNotifier(name=name, voice=context.voice, client=context.client, url=url, signers=tuple(signers))


def _slack(name: str, options: Options, context: Context) -> Notifier:
    from watcher.notify.slack import SlackNotifier
    from watcher.notify.slack_bot import API, SlackBotNotifier

    if (token := _optional(options, "bot_token")) is None:
        return SlackNotifier(name=name, voice=context.voice, client=context.client, url=_text(options, "url"))
    if not token.isascii() or not token.isprintable() or " " in token:
        raise OptionError("bot_token", "holds characters that no token has", "copy it again; it begins with xoxb-")
    api = _optional(options, "api_url") or API
    channel = _text(options, "channel")
    return SlackBotNotifier(
        name=name, voice=context.voice, client=context.client, token=token, channel=channel, api=api.rstrip("/")
    )


def _teams(name: str, options: Options, context: Context) -> Notifier:
    from watcher.notify.teams import TeamsNotifier, is_retired

    url = _text(options, "url")
    if is_retired(url):
        raise OptionError(
            "url",
            "is of an Office 365 connector, which Microsoft has switched off",
            'make a workflow in the channel ("Send webhook alerts to a channel") and take its URL',
        )
    return TeamsNotifier(name=name, voice=context.voice, client=context.client, url=url)


def _email(name: str, options: Options, context: Context) -> Notifier:
    from watcher.notify.email import EmailNotifier, Security

    security = _optional(options, "security") or "starttls"
    if security not in ("starttls", "tls", "none"):
        raise OptionError("security", "is not known", 'use "starttls" or "tls"')
    host = _text(options, "smtp_host")
    if security == "none" and not _is_loopback(host):
        raise OptionError("security", 'may be "none" for a loopback host only', 'use "starttls" or "tls"')
    port = options.get("smtp_port") or {"starttls": 587, "tls": 465, "none": 25}[security]
    to = options.get("to")
    if not isinstance(port, int) or isinstance(port, bool):
        raise OptionError("smtp_port", "is not a number")
    if isinstance(to, str) or not isinstance(to, Iterable) or not (addresses := tuple(str(one) for one in to)):
        raise OptionError("to", "names no address", 'write to = ["team@example.com"]')
    for option, address in (("from", _text(options, "from")), *(("to", address) for address in addresses)):
        if "@" not in address or any(not character.isprintable() for character in address):
            raise OptionError(option, "is not a mail address")
    return EmailNotifier(
        name=name,
        voice=context.voice,
        host=host,
        port=port,
        security=cast(Security, security),
        sender=_text(options, "from"),
        to=addresses,
        username=_optional(options, "username"),
        password=_optional(options, "password"),
        tls=context.smtp_tls,
    )


def _pagerduty(name: str, options: Options, context: Context) -> Notifier:
    from watcher.notify.pagerduty import PUBLIC_URL, PagerDutyNotifier, api_address

    return PagerDutyNotifier(
        name=name,
        voice=context.voice,
        client=context.client,
        routing_key=_text(options, "routing_key"),
        events=options.get("events") is True,
        url=api_address(_optional(options, "url") or PUBLIC_URL),
    )


def _alertmanager(name: str, options: Options, context: Context) -> Notifier:
    from watcher.notify.alertmanager import AlertmanagerNotifier, api_address

    url = api_address(_text(options, "url"))
    return AlertmanagerNotifier(name=name, voice=context.voice, client=context.client, url=url)


def _apprise(name: str, options: Options, context: Context) -> Notifier:
    from watcher.notify.apprise import AppriseNotifier, load, words_of

    url = _text(options, "url")
    try:
        service = load(url)
    except ValueError as exc:
        raise OptionError("url", str(exc)) from None
    return AppriseNotifier(name=name, voice=context.voice, service=service, words=words_of(url))


NOTIFIERS: Mapping[str, Builder] = {
    "alertmanager": _alertmanager,
    "apprise": _apprise,
    "console": _console,
    "email": _email,
    "pagerduty": _pagerduty,
    "slack": _slack,
    "teams": _teams,
    "webhook": _webhook,
}


#: How fast each type is told where the configuration says nothing else; other people's types one by one. What is more
#: than the rate allows goes as one message, so a rate on the safe side costs nobody a message.
#:
#: Sources: Slack, "Rate limits" (posting messages and incoming webhooks: 1 per second, short bursts allowed); Exchange
#: Online, "SMTP AUTH" throttling (30 messages per minute); Teams, "Optimize your bot with rate limiting" (1,800
#: operations an hour in one conversation, by which the flow bot posts, too); PagerDuty, Events API (at least 120 events
#: per minute and integration key: half of it, as one message may be several events); apprise has services of all
#: kinds: Telegram, "Bots FAQ" (20 messages per minute in one group) is among the strictest.
PACES: Mapping[str, Pace] = {
    "alertmanager": Pace(at_once=8),
    "apprise": Pace(rate=Rate(messages=20, per=timedelta(minutes=1))),
    "email": Pace(rate=Rate(messages=30, per=timedelta(minutes=1))),
    "pagerduty": Pace(rate=Rate(messages=60, per=timedelta(minutes=1))),
    "slack": Pace(rate=Rate(messages=10, per=timedelta(seconds=10))),
    "teams": Pace(rate=Rate(messages=10, per=timedelta(seconds=20))),
    "webhook": Pace(at_once=32),
}


def pace_of(type_: str, rate: Rate | None) -> Pace:
    """How fast a receiver of a type is told; `rate` is the operator's, if any."""
    pace = PACES.get(type_, STEADY)
    return pace if rate is None else Pace(rate=rate)


def build_notifiers(receivers: Iterable[ReceiverSpec], context: Context) -> dict[str, Notifier]:
    """Build all receivers, by name.

    The first receiver of type `apprise` loads its plugins, which takes about a second: inside a running loop, call this
    in a thread.

    Raises:
        ConfigurationError: with every receiver that cannot be built.
    """
    built: dict[str, Notifier] = {}
    problems: list[Problem] = []
    for spec in receivers:
        try:
            built[spec.name] = build_notifier(spec.type, spec.name, spec.options, context, path=spec.path)
        except ConfigurationError as exc:
            problems += exc.problems
    if problems:
        raise ConfigurationError(problems)
    return built


def build_notifier(type_: str, name: str, options: Options, context: Context, *, path: str = "") -> Notifier:
    """Build one receiver; opens no connection.

    Args:
        path: Where it stands in the configuration, for errors; by default `receivers.NAME`.

    Raises:
        ConfigurationError: its type is not known or not available, an option cannot be used, or a plugin is broken.
    """
    path = path or f"receivers.{name}"
    if (builder := NOTIFIERS.get(type_)) is not None:
        try:
            return builder(name, options, context)
        except OptionError as exc:
            raise _problem(path, exc) from None
    plugins = [point for point in entry_points(group=GROUP) if point.name == type_]
    if not plugins:
        known = ", ".join(sorted(NOTIFIERS))
        raise ConfigurationError([(f"{path}.type", f'"{type_}" is not a known type', f"use one of {known}")])
    return _from_plugin(plugins[0], name, options, context, path)


def _from_plugin(plugin: EntryPoint, name: str, options: Options, context: Context, path: str) -> Notifier:
    try:
        notifier = cast(Builder, plugin.load())(name, options, context)
    except OptionError as exc:
        raise _problem(path, exc) from exc
    except Exception as exc:  # anything may go wrong in other people's code; its text may hold a secret
        raise ConfigurationError(
            [
                (
                    f"{path}.type",
                    f"the plugin {plugin.name} ({plugin.value}) failed: {type(exc).__name__}",
                    "repair or uninstall it, or remove the receiver",
                )
            ]
        ) from exc
    if missing := [part for part in ("send", "probe", "aclose") if not callable(getattr(notifier, part, None))]:
        message = f"the plugin {plugin.name} ({plugin.value}) gave no notifier: it has no {', '.join(missing)}"
        raise ConfigurationError([(f"{path}.type", message, "repair or uninstall it")])
    return notifier


def _problem(path: str, exc: OptionError) -> ConfigurationError:
    return ConfigurationError([(f"{path}.{exc.option}", exc.message, exc.cure)])


def _text(options: Options, option: str) -> str:
    if not (value := _optional(options, option)):
        raise OptionError(option, "is required")
    return value


def _optional(options: Options, option: str) -> str | None:
    value = options.get(option)
    if value is not None and not isinstance(value, str):
        raise OptionError(option, "is not a text")
    return value or None


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.rstrip(".").lower() == "localhost"
