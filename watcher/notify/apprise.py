"""Any service that Apprise knows, by its URL.

Each receiver has one Apprise object with one service in it: a send that succeeds in part could only be repeated whole.
`url(privacy=True)` may hold secrets (custom headers do), and Apprise's own texts may: of a failure is kept what its log
says, without any word of the URL. Throttling stays as each service's plugin has it.

Source: apprise 2.2, `apprise/result.py`, `apprise/plugins/base.py`.
"""

import asyncio
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import unquote, unquote_plus

from apprise import Apprise, AppriseAsset
from apprise.common import NotifyFormat, NotifyType
from apprise.result import AppriseResult, AppriseResultStatus

from watcher.alerts.notification import Notification
from watcher.errors import DeliveryError
from watcher.notify.http import Answer, check
from watcher.notify.message import Message, Voice, render
from watcher.notify.notifier import SEND_TIMEOUT, Receipt
from watcher.notify.report import ReportMessage
from watcher.notify.wording import clean, fit, one_line, shorten, without_mentions

#: Services that name a smaller one get that; more than this nobody reads.
BODY_LIMIT = 10_000
SAID_LIMIT = 300
_STATUS = re.compile(r"error\s*=\s*([1-5]\d\d)\b")
_TYPES = {
    "critical": NotifyType.FAILURE,
    "warning": NotifyType.WARNING,
    "info": NotifyType.INFO,
    "resolved": NotifyType.SUCCESS,
}

# Its lines may show URLs and what a server answered. Warnings are still made, since results hold them, but go nowhere.
_logger = logging.getLogger("apprise")
_logger.setLevel(logging.WARNING)
_logger.propagate = False
logging.getLogger("urllib3").setLevel(logging.WARNING)  # by which most plugins send, and which shows paths


@dataclass(frozen=True, slots=True, kw_only=True)
class AppriseNotifier:
    """Sends plain text by one Apprise service."""

    name: str
    voice: Voice
    service: Apprise = field(repr=False)
    words: tuple[str, ...] = field(repr=False)  #: of its URL, see `words_of`

    type = "apprise"

    async def send(self, notification: Notification, *, now: datetime) -> Receipt:
        message = render(notification, self.voice, now=now)
        title, body = texts(message, body_limit=self.service[0].body_maxlen, title_limit=self.service[0].title_maxlen)
        return await self._post(title, body, _TYPES[message.tone])

    async def send_report(self, message: ReportMessage, *, now: datetime) -> Receipt:
        service = self.service[0]
        title, body = report_texts(message, body_limit=service.body_maxlen, title_limit=service.title_maxlen)
        return await self._post(title, body, NotifyType.INFO)

    async def _post(self, title: str, body: str, type_: NotifyType) -> Receipt:
        try:
            # Apprise has its own limit, but a thread of its pool may be late to report it.
            async with asyncio.timeout(SEND_TIMEOUT.total_seconds() + 2):
                result = await self.service.async_notify(
                    body=body, title=title, notify_type=type_, body_format=NotifyFormat.TEXT
                )
        except TimeoutError:
            raise _too_slow() from None
        return self._receipt(result)

    def _receipt(self, result: AppriseResult) -> Receipt:
        match result.status:
            case AppriseResultStatus.SUCCESS:
                return Receipt("accepted")
            case AppriseResultStatus.TIMEOUT:
                raise _too_slow()
            case AppriseResultStatus.NOMATCH:
                raise DeliveryError("Apprise had no service to send by", permanent=True, kind="bad_request")
            case _:  # FAILURE, and PARTIAL, which one service does not give
                logged = [entry.message for one in result.results for entry in one.logs()]
                said = shorten(" ".join(one_line(without_words(text, self.words)) for text in logged), SAID_LIMIT)
                for text in logged:
                    if status := _STATUS.search(text):
                        return check(Answer(int(status[1]), {}, ""), now=result.end_time, said=said)
                raise DeliveryError(
                    f"the service could not be reached or refused the message ({said or 'Apprise gives no reason'})",
                    permanent=False,
                    kind="server",
                    maybe_delivered=True,  # a lost answer is one of the things that this may be
                )

    async def probe(self) -> Receipt:
        return Receipt("the URL is well formed; Apprise offers no way to try it without sending")

    async def aclose(self) -> None:
        pass


def load(url: str) -> Apprise:
    """The Apprise object for `url`. The first call loads every plugin: about a second.

    Raises:
        ValueError: no service knows the URL, or it is several; the text does not hold it.
    """
    # Nothing is kept on disk, no plugin is loaded from files, and `{{…}}` in a text stays as it is.
    asset = AppriseAsset(
        app_id="watcher",
        app_desc="watcher",
        service_timeout=SEND_TIMEOUT.total_seconds(),
        storage_mode="memory",
        allow_templates=False,
    )
    service = Apprise(asset=asset)
    if not service.add(url) or len(service) == 0:
        raise ValueError("is not an Apprise URL; see Apprise's documentation of the service")
    if len(service) > 1:
        raise ValueError("holds several URLs; give each a receiver of its own")
    return service


def words_of(url: str) -> tuple[str, ...]:
    """Every word of an Apprise URL behind its scheme, as written and decoded; the longest first. Pure."""
    rest = url.partition("://")[2]
    parts = {rest, *re.split(r"[/:@?&=,;#\s]", rest)}
    words = parts | {part.lstrip("+-") for part in parts}
    words |= {unquote(word) for word in words} | {unquote_plus(word) for word in words}
    return tuple(sorted((word for word in words if word), key=len, reverse=True))


def without_words(text: str, words: tuple[str, ...]) -> str:
    """`text` with `***` for each of `words`; short ones only where they stand by themselves. Pure."""
    for word in words:
        pattern = re.escape(word) if len(word) >= 6 else rf"(?<!\w){re.escape(word)}(?!\w)"
        text = re.sub(pattern, "***", text, flags=re.IGNORECASE)
    return text


def texts(message: Message, *, body_limit: int, title_limit: int) -> tuple[str, str]:
    """Title and body within the service's limits; where it knows no titles, Apprise puts ours above the body. Pure."""
    return _texts(message.title, message.text, body_limit=body_limit, title_limit=title_limit)


def report_texts(message: ReportMessage, *, body_limit: int, title_limit: int) -> tuple[str, str]:
    """Title and short form of a report, within the same limits. Pure."""
    lines = [*message.notes, *message.short, *([message.link] if message.link else [])]
    text = clean("\n".join(lines)) or one_line(message.title)

    def body(size: int) -> str:
        return fit(text, size, more_at=message.link)

    return _texts(one_line(message.title), body, body_limit=body_limit, title_limit=title_limit)


def _texts(title: str, text: Callable[[int], str], *, body_limit: int, title_limit: int) -> tuple[str, str]:
    title = without_mentions(title)
    limit = min(body_limit, BODY_LIMIT)
    if title_limit <= 0:
        title = shorten(title, limit // 2)
        limit -= len(title) + 2
    else:
        title = shorten(title, title_limit)
    size = limit
    while len(body := without_mentions(text(size))) > limit:
        size -= len(body) - limit
    return title, body


def _too_slow() -> DeliveryError:
    return DeliveryError("the service did not answer in time", permanent=False, kind="timeout", maybe_delivered=True)
