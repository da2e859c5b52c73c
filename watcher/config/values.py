"""Kinds of single values in the configuration: addresses, labels, matchers, names; times and spans are in `times`.

Each has a function that turns the text of the file into a value and raises `Invalid` with a message and a cure; below
them stand the annotated types that the tables use. Whatever concerns two keys at once is in the tables themselves.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from types import MappingProxyType
from typing import Annotated, Any, Literal
from urllib.parse import parse_qs, urlsplit

from pydantic import AfterValidator, BeforeValidator, PlainSerializer, PlainValidator, WithJsonSchema

from watcher.patterns import compiled

Severity = Literal["info", "warning", "critical"]


class Invalid(ValueError):
    """A value that cannot be used. `message` never holds a value that may be secret."""

    def __init__(self, message: str, cure: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.cure = cure


def text_schema(pattern: str, **more: Any) -> WithJsonSchema:
    """What the JSON Schema says of a value that is written as a text."""
    return WithJsonSchema({"type": "string", "pattern": pattern, **more})


# Addresses


def is_loopback(host: str) -> bool:
    """Whether `host` can only be this machine; names are not looked up, but for `localhost`."""
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def check_url(url: str) -> None:
    """Refuse what is not https, nor plain http to loopback; the text is not repeated in the error."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise Invalid("is not an address", 'write "https://host/path"') from None
    if parts.scheme not in ("http", "https") or not host or re.search(r"[\s\x00-\x1f]", url):
        raise Invalid("is not an address", 'write "https://host/path"')
    if parts.scheme == "http" and not is_loopback(host):
        raise Invalid("is plain http to another machine", "use https; plain http is for loopback only")


def _url(url: str) -> str:
    check_url(url)
    if urlsplit(url).password is not None:
        raise Invalid("holds a password", "leave user and password out of the address")
    return url


def _base_url(url: str) -> str:
    parts = urlsplit(_url(url))
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise Invalid("is not a base address", 'write scheme, host and port only, as "https://host"')
    return url.rstrip("/")


def check_database_url(url: str) -> None:
    """Refuse all but SQLite and PostgreSQL; the text is not repeated in the error."""
    if not re.match(r"(sqlite|postgresql|postgresql\+psycopg)://", url):
        raise Invalid("is no database that watcher knows", 'write "sqlite:///watcher.db" or "postgresql+psycopg://…"')


def _database_url(url: str) -> str:
    check_database_url(url)
    try:
        parts = urlsplit(url)
        secret = parts.password is not None or "password" in parse_qs(parts.query)
    except ValueError:
        raise Invalid("is not an address", 'write "sqlite:///watcher.db" or "postgresql+psycopg://…"') from None
    if secret:
        raise Invalid("holds a password", "put the whole address into url_env or url_file")
    return url


class Listen(str):
    """`host:port`, with the host in brackets if it is an IPv6 address; an empty host is every interface."""

    __slots__ = ()

    @property
    def host(self) -> str:
        return self.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        return int(self.rpartition(":")[2])

    @property
    def is_loopback(self) -> bool:
        return is_loopback(self.host)


def _peer(text: str) -> str:
    """An address, or a network of them; it stays a text, which the page reads for itself."""
    try:
        ip_network(text)
    except ValueError:
        raise Invalid("is no address", 'write "10.1.2.3", "::1" or a whole network: "10.1.2.0/24"') from None
    return text


def _header_name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]{0,63}", text) or text.lower() in _HEADERS_OF_OTHERS:
        raise Invalid("is no header for a user's name", 'write what the proxy sets: "X-Forwarded-User"')
    return text


#: Any client sends these for itself.
_HEADERS_OF_OTHERS = ("authorization", "cookie", "host", "origin", "referer", "user-agent", "x-csrf-token")


def parse_listen(text: object) -> Listen:
    match = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[^\s\[\]:/]*):([0-9]{1,5})", text) if isinstance(text, str) else None
    if match is None or int(match[2]) > 65535:
        raise Invalid("is not host:port", 'write "127.0.0.1:8787" or "[::1]:8787"')
    return Listen(match[0])


def _mail_address(text: str) -> str:
    # Header injection and plain typos; whether the mailbox exists only its server can say.
    if not re.fullmatch(r"([^<>\r\n]*<[^@\s<>]+@[^@\s<>]+>|[^@\s<>]+@[^@\s<>]+)", text):
        raise Invalid("is not a mail address", 'write "name@example.com"')
    return text


# Labels and matchers

#: A tag that becomes a label keeps its name, hence the hyphen, which Prometheus would not allow.
LABEL_NAME = r"[a-zA-Z_][a-zA-Z0-9_.-]*"
#: What watcher itself says of an alert; a label from the configuration or a tag would make it say something else.
_OWN_LABELS = {
    *("rule", "severity", "cloud", "account", "subscription", "resource_group", "location"),
    *("job", "deployment", "model", "sku", "plane", "cause", "harm_types"),
}
_MATCHER = re.compile(
    rf'\s*(?P<name>{LABEL_NAME})\s*(?P<operator>=~|!~|!=|=)\s*(?P<value>"(?:[^"\\]|\\.)*"|[^\s"{{}},]*)\s*'
)


def _matcher(text: str) -> str:
    """Check one of Alertmanager's matchers; it stays a text, which the room that matches parses for itself."""
    match = _MATCHER.fullmatch(text)
    if match is None:
        raise Invalid("is not a matcher", """write 'label="value"', with one of = != =~ !~""")
    if match["operator"] in ("=~", "!~"):
        value = match["value"]
        pattern = (
            re.sub(r'\\(["\\n])', lambda m: "\n" if m[1] == "n" else m[1], value[1:-1]) if value[:1] == '"' else value
        )
        try:
            compiled(pattern)
        except ValueError as exc:
            raise Invalid(f"has a faulty regular expression ({exc})", "mend the expression") from None
    return text


def _label_name(text: str) -> str:
    if not re.fullmatch(LABEL_NAME, text):
        raise Invalid("is not a label's name", "use letters, digits, _, - and .")
    return text


def _group_label(text: str) -> str:
    return text if text == "..." else _label_name(text)  # Alertmanager's "...": each alert is a group of its own


def _free_label(name: str) -> str:
    if _label_name(name) in _OWN_LABELS:
        raise Invalid("is a label that watcher sets itself", "choose another name")
    return name


def _frozen_mapping(value: Mapping[str, str]) -> Mapping[str, str]:
    return MappingProxyType(dict(value))


# Texts and numbers


def _whole(value: object) -> object:
    if isinstance(value, bool):  # which Python takes for 0 or 1
        raise Invalid("must be a whole number", "write it in digits")
    return value


def _currency(text: str) -> str:
    if not re.fullmatch(r"[A-Z]{3}", text):
        raise Invalid("is not a currency's code", 'write "USD" or "EUR"')
    return text


def _name(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise Invalid("is empty or holds control characters", "write a plain name")
    return text


_RESOURCE_ID = re.compile(
    r"/subscriptions/[^/\s]+/resourceGroups/[^/\s]+/providers/Microsoft\.CognitiveServices/accounts/[^/\s]+",
    re.IGNORECASE,
)


def _resource_id(text: str) -> str:
    if not _RESOURCE_ID.fullmatch(text):
        raise Invalid(
            "is not the ARM id of an Azure OpenAI account",
            "copy it from `az cognitiveservices account show --query id`",
        )
    return text


# The types that the tables use.

Url = Annotated[str, AfterValidator(_url)]
#: Scheme, host and port; no slash at the end.
BaseUrl = Annotated[str, AfterValidator(_base_url)]
DatabaseUrl = Annotated[str, AfterValidator(_database_url)]
ListenAddress = Annotated[Listen, PlainValidator(parse_listen), text_schema(r"^.*:[0-9]{1,5}$")]
HeaderName = Annotated[str, AfterValidator(_header_name)]
#: An address, or a network in its short form.
Peer = Annotated[str, AfterValidator(_peer)]
MailAddress = Annotated[str, AfterValidator(_mail_address)]
Matcher = Annotated[str, AfterValidator(_matcher)]
Matchers = tuple[Matcher, ...]
LabelName = Annotated[str, AfterValidator(_label_name)]
#: A label that the configuration may add.
FreeLabel = Annotated[str, AfterValidator(_free_label)]
GroupLabel = Annotated[str, AfterValidator(_group_label)]
Labels = Annotated[
    Mapping[FreeLabel, str], AfterValidator(_frozen_mapping), PlainSerializer(dict, return_type=dict[str, str])
]
Name = Annotated[str, AfterValidator(_name)]
#: For an int; last of its annotations, so that the limits before it reach the JSON Schema.
WHOLE = BeforeValidator(_whole)
Currency = Annotated[str, AfterValidator(_currency)]
ResourceId = Annotated[str, AfterValidator(_resource_id)]
