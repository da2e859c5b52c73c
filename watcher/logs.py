"""Structured logs, ours and every library's, through one handler on standard error; secrets are cut out last."""

import base64
import logging
import re
import sys
from collections.abc import Collection, Iterator, MutableMapping
from typing import Any, Literal, TextIO
from urllib.parse import quote

import structlog

#: Keys whose value is never printed, whoever logs them.
_SECRET_KEYS = frozenset(
    {
        "api_key",
        "api-key",
        "authorization",
        "token",
        "access_token",
        "password",
        "secret",
        "client_secret",
        "signing_secret",
    }
)

#: Secrets inside texts: signatures and keys in addresses, credentials before a host, bearer tokens, webhook paths.
_SECRET_TEXTS = (
    (re.compile(r"(?i)\b(sig|api-key|access_token)=[^&\s\"']+"), r"\1=***"),
    (re.compile(r"(?i)([?&](?:code|token|key|secret))=[^&\s\"']+"), r"\1=***"),
    (re.compile(r"://[^/\s:@]+:[^/\s@]+@"), "://***@"),
    (re.compile(r"(?i)\bbearer\s+[a-z0-9._~+/=-]+"), "Bearer ***"),
    (re.compile(r"(?i)(hooks\.slack\.com/)[^\s\"']+"), r"\1***"),
)


class _Known:
    """Secrets by their very text: known once the configuration is loaded."""

    texts: tuple[str, ...] = ()


def configure(
    *, format: Literal["auto", "json", "console"] = "auto", level: str = "info", stream: TextIO | None = None
) -> None:
    """Set up logging for the process. Called again after a reload, it replaces what was set before."""
    out = stream or sys.stderr
    as_json = format == "json" or (format == "auto" and not out.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    # Tracebacks without local variables: a password would stand among them.
    tracebacks = structlog.processors.ExceptionRenderer()
    if as_json:
        without_locals = structlog.tracebacks.ExceptionDictTransformer(show_locals=False, use_rich=False)
        tracebacks = structlog.processors.ExceptionRenderer(without_locals)
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer(default=str)
        if as_json
        else structlog.dev.ConsoleRenderer(colors=out.isatty(), exception_formatter=structlog.dev.plain_traceback)
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*shared, structlog.stdlib.PositionalArgumentsFormatter()],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, tracebacks, redact, renderer],
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # Their info lines print whole addresses, queries included, or one line for every job run.
    for name in ("httpx", "httpcore", "apscheduler", "azure", "asyncio", "uvicorn", "alembic", "apprise", "urllib3"):
        logging.getLogger(name).setLevel(logging.WARNING)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.processors.StackInfoRenderer(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def name_work(cycle: str, **more: str) -> None:
    """Whose work the lines of this task tell of from now on, in place of that of whoever started it.

    A task begins with its starter's names, and with those of whoever set the timer that started it.
    """
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(cycle=cycle, **more)


def hide(secrets: Collection[str]) -> None:
    """Cut these very texts out of every line from now on, besides what looks like a secret. Short ones are left."""
    texts = {form for text in secrets if len(text) >= 6 for form in (text, *_in_other_words(text))}
    _Known.texts = tuple(sorted(texts, key=len, reverse=True))


def _in_other_words(text: str) -> Iterator[str]:
    """A secret as it goes over the wire: in addresses, and in base64, at each place in what is encoded together."""
    yield quote(text, safe="")
    raw = text.encode()
    for before in range(3):
        whole = (before + len(raw)) * 8 // 6
        first = -(-before * 8 // 6)  # what stands before it has a share in the characters up to here
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            yield encode(bytes(before) + raw).decode()[first:whole]


def redact(
    logger: Any, method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:  # a structlog processor
    """Mask secrets by key, by shape and by their very text, wherever in the event they stand."""
    return {key: "***" if key.lower() in _SECRET_KEYS else _clean(value) for key, value in event.items()}


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {key: "***" if str(key).lower() in _SECRET_KEYS else _clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(item) for item in value]
    return value


def clean(text: str) -> str:
    """`text` with what looks like a secret, or is one of ours, masked."""
    for known in _Known.texts:
        text = text.replace(known, "***")
    for pattern, mask in _SECRET_TEXTS:
        text = pattern.sub(mask, text)
    return text
