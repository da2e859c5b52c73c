"""`[[receivers]]`: one table for each type, each with its own options. Sending is in `watcher.notify`."""

import re
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import entry_points
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, ConfigDict, Discriminator, Field, Tag
from pydantic.json_schema import SkipJsonSchema

from watcher.config.secret import Secret, SecretFromEnv, SecretFromFile
from watcher.config.table import Mistake, Table, has_secret, nearest
from watcher.config.times import RateLimit
from watcher.config.values import WHOLE, Invalid, MailAddress, Name, Url, check_url, is_loopback


def _web_secret(secret: Secret) -> Secret:
    if secret.is_missing:
        return secret
    try:
        check_url(secret.reveal())
    except Invalid as exc:
        raise Invalid(f"the secret in {secret.source} {exc.message}", exc.cure) from None
    return secret


UrlFromEnv = Annotated[SecretFromEnv, AfterValidator(_web_secret)]
UrlFromFile = Annotated[SecretFromFile, AfterValidator(_web_secret)]


class Receiver(Table):
    """What every type of receiver has."""

    name: Name
    #: None: what the service is known to take.
    rate_limit: RateLimit | None = None

    def options(self) -> dict[str, object]:
        """What its notifier is built from: the keys of the file but for those of every type, without those left out.

        A secret stands under its name without `_env` or `_file`.
        """
        given: dict[str, object] = {}
        for name, field in type(self).model_fields.items():
            value = getattr(self, name)
            if name not in ("name", "type", "rate_limit") and value is not None:
                key = field.alias or name
                given[re.sub("_(env|file)$", "", key) if isinstance(value, Secret) else key] = value
        return given


class AppriseReceiver(Receiver):
    """Any service that Apprise knows, by its URL."""

    needed_secrets: ClassVar[tuple[str, ...]] = ("url",)

    type: Literal["apprise"]
    url_env: SecretFromEnv | None = None
    url_file: SecretFromFile | None = None

    @property
    def url(self) -> Secret | None:
        return self.secret("url")


class SlackReceiver(Receiver):
    """Slack: an incoming webhook (`url`), or a bot (`bot_token` and `channel`), which can also thread and edit."""

    type: Literal["slack"]
    url_env: UrlFromEnv | None = None
    url_file: UrlFromFile | None = None
    bot_token_env: SecretFromEnv | None = None
    bot_token_file: SecretFromFile | None = None
    channel: Name | None = None
    #: None: Slack's public address. `https://slack-gov.com/api` for GovSlack.
    api_url: Url | None = None

    @property
    def url(self) -> Secret | None:
        return self.secret("url")

    @property
    def bot_token(self) -> Secret | None:
        return self.secret("bot_token")

    @classmethod
    def mistakes(cls, table: Mapping[str, Any]) -> Iterator[Mistake]:
        literal = "url" in table or "bot_token" in table  # told already
        webhook, bot = has_secret(table, "url"), has_secret(table, "bot_token")
        if webhook and bot:
            yield Mistake("bot_token_env", "stands beside a webhook's URL", "keep one of them")
        if not webhook and not bot and not literal:
            yield Mistake(
                "url_env", "is required", "name a variable here, a file in url_file, or use bot_token_env and channel"
            )
        if bot and "channel" not in table:
            yield Mistake("channel", "is required with a bot token", 'add channel = "#alerts"')
        if "api_url" in table and not bot and not literal:
            yield Mistake("api_url", "needs a bot token", "a webhook's URL is whole; drop it")
        if "channel" in table and not bot and not literal:
            yield Mistake(
                "channel", "needs a bot token", "a webhook has its channel already; add bot_token_env or drop channel"
            )


class EmailReceiver(Receiver):
    """Mail by SMTP."""

    type: Literal["email"]
    smtp_host: Name
    #: None: 587 with starttls, 465 with tls, 25 with none.
    smtp_port: Annotated[int, Field(ge=1, le=65535), WHOLE] | None = None
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: Name | None = None
    password_env: SecretFromEnv | None = None
    password_file: SecretFromFile | None = None
    sender: MailAddress = Field(alias="from")
    to: tuple[MailAddress, ...] = Field(min_length=1)

    @property
    def password(self) -> Secret | None:
        return self.secret("password")

    @property
    def port(self) -> int:
        return self.smtp_port or {"starttls": 587, "tls": 465, "none": 25}[self.security]

    @classmethod
    def mistakes(cls, table: Mapping[str, Any]) -> Iterator[Mistake]:
        if table.get("security") == "none" and not is_loopback(str(table.get("smtp_host"))):
            yield Mistake("security", 'may be "none" for a loopback host only', 'use "starttls" or "tls"')
        if has_secret(table, "password") and "username" not in table:
            yield Mistake("username", "is required with a password", "add it")
        if "username" in table and not has_secret(table, "password") and "password" not in table:
            yield Mistake(
                "password_env", "is required with a username", "name a variable here, or a file in password_file"
            )


class TeamsReceiver(Receiver):
    """Microsoft Teams, by the URL of a workflow."""

    needed_secrets: ClassVar[tuple[str, ...]] = ("url",)

    type: Literal["teams"]
    url_env: UrlFromEnv | None = None
    url_file: UrlFromFile | None = None

    @property
    def url(self) -> Secret | None:
        return self.secret("url")


class PagerDutyReceiver(Receiver):
    """PagerDuty's Events API: conditions open and resolve incidents; events are sent if `events`."""

    needed_secrets: ClassVar[tuple[str, ...]] = ("routing_key",)

    type: Literal["pagerduty"]
    routing_key_env: SecretFromEnv | None = None
    routing_key_file: SecretFromFile | None = None
    events: bool = False
    #: None: the public address. `https://events.eu.pagerduty.com` for the EU service region.
    url: Url | None = None

    @property
    def routing_key(self) -> Secret | None:
        return self.secret("routing_key")


class WebhookReceiver(Receiver):
    """watcher's own JSON, signed by Standard Webhooks where there is a `signing_secret`."""

    type: Literal["webhook"]
    url: Url | None = None
    url_env: UrlFromEnv | None = None
    url_file: UrlFromFile | None = None
    signing_secret_env: SecretFromEnv | None = None
    signing_secret_file: SecretFromFile | None = None
    signing_secret_previous_env: SecretFromEnv | None = None
    signing_secret_previous_file: SecretFromFile | None = None

    @property
    def address(self) -> Secret:
        """Where to send, however it was given."""
        return self.secret("url") or Secret(self.url or "")

    @property
    def signing_secret(self) -> Secret | None:
        return self.secret("signing_secret")

    @property
    def signing_secret_previous(self) -> Secret | None:
        """The one before it, by which everything is signed too while receivers learn the new one."""
        return self.secret("signing_secret_previous")

    @classmethod
    def mistakes(cls, table: Mapping[str, Any]) -> Iterator[Mistake]:
        if "url" not in table and not has_secret(table, "url"):
            yield Mistake("url", "is required", "add it, or url_env or url_file if it holds a secret")
        if "url" in table and has_secret(table, "url"):
            yield Mistake("url", "stands beside url_env or url_file", "keep one of them")
        present = has_secret(table, "signing_secret") or "signing_secret" in table  # a literal one was told already
        if has_secret(table, "signing_secret_previous") and not present:
            given = "env" if "signing_secret_previous_env" in table else "file"
            yield Mistake(
                f"signing_secret_previous_{given}",
                "stands without a signing_secret",
                f"name the present secret in signing_secret_{given}, or rename this key to that",
            )


class AlertmanagerReceiver(Receiver):
    """An Alertmanager, by its API v2."""

    type: Literal["alertmanager"]
    url: Url


class ConsoleReceiver(Receiver):
    """Standard output, for trying things out."""

    type: Literal["console"]


class PluginReceiver(Receiver):
    """A type from the entry point group `watcher.notifiers`, which parses its own options."""

    model_config = ConfigDict(extra="allow")

    type: str

    def options(self) -> dict[str, object]:
        """The keys of the file as they stand there; the plugin reads its secrets for itself."""
        return dict(self.model_extra or {})

    @classmethod
    def mistakes(cls, table: Mapping[str, Any]) -> Iterator[Mistake]:
        name = table.get("type")
        if isinstance(name, str) and name not in (plugins := entry_points(group="watcher.notifiers").names):
            yield Mistake("type", "is not a known type of receiver", nearest(name, (*TYPES, *sorted(plugins))))


TYPES: tuple[str, ...] = ("apprise", "slack", "email", "teams", "pagerduty", "webhook", "alertmanager", "console")


def _tag(value: Any) -> str:
    name = value.get("type") if isinstance(value, dict) else getattr(value, "type", None)
    return name if name in TYPES else "plugin"


_kind: Callable[[Any], str] = _tag
AnyReceiver = Annotated[
    Annotated[AppriseReceiver, Tag("apprise")]
    | Annotated[SlackReceiver, Tag("slack")]
    | Annotated[EmailReceiver, Tag("email")]
    | Annotated[TeamsReceiver, Tag("teams")]
    | Annotated[PagerDutyReceiver, Tag("pagerduty")]
    | Annotated[WebhookReceiver, Tag("webhook")]
    | Annotated[AlertmanagerReceiver, Tag("alertmanager")]
    | Annotated[ConsoleReceiver, Tag("console")]
    | SkipJsonSchema[Annotated[PluginReceiver, Tag("plugin")]],
    Discriminator(_kind),
]
