"""Mail by SMTP: one connection a mail, and every refusal told apart. What the mail looks like is in `mail.py`.

Source: RFC 5321 section 4.2.1 (4yz may pass, 5yz will not), RFC 4954 sections 4 and 6 (530, 534, 535 and 538 are about
authentication).
"""

import asyncio
import ssl
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.utils import parseaddr
from typing import Literal

import aiosmtplib
import structlog

from watcher.alerts.notification import Notification
from watcher.clock import Clock, system_clock
from watcher.errors import DeliveryError, DeliveryFailure
from watcher.notify.http import failure_of
from watcher.notify.mail import mail
from watcher.notify.message import Voice, render
from watcher.notify.notifier import SEND_TIMEOUT, Receipt
from watcher.notify.report import ReportMessage
from watcher.notify.report_mail import report_mail
from watcher.notify.wording import one_line, shorten

Security = Literal["starttls", "tls", "none"]

#: Mails that some recipients have accepted and others are to be tried with again. Beyond these the oldest is forgotten,
#: and its recipients may get a second copy under the same Message-ID.
REMEMBERED_MAILS = 256
QUIT_TIMEOUT_S = 2.0
REPLY_LIMIT = 200

_ANSWERED = (aiosmtplib.SMTPResponseException, aiosmtplib.SMTPRecipientsRefused, ValueError)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class EmailNotifier:
    """Sends each notification as one mail to all recipients.

    A recipient who accepted is not sent the same mail again while others are retried. One who is refused for good does
    not hold up the rest: that is told in the receipt and logged. Only if nobody accepts has the delivery failed.
    """

    name: str
    voice: Voice
    host: str
    port: int
    security: Security
    sender: str  #: the address in From, with or without a name
    to: tuple[str, ...]
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: ssl.SSLContext | None = field(default=None, repr=False)  #: `None`: the default context
    clock: Clock = field(default=system_clock, repr=False)
    timeout: timedelta = SEND_TIMEOUT
    _accepted: OrderedDict[str, frozenset[str]] = field(default_factory=OrderedDict, repr=False, compare=False)

    type = "email"
    wants_pictures = True

    async def send(self, notification: Notification, *, now: datetime) -> Receipt:
        message = render(notification, self.voice, now=now)
        built = mail(message, watcher=self.voice.watcher, sender=self.sender, to=self.to, at=self.clock())
        return await self._post(notification.id, built)

    async def send_report(self, message: ReportMessage, *, now: datetime) -> Receipt:
        built = report_mail(message, watcher=self.voice.watcher, sender=self.sender, to=self.to, at=self.clock())
        return await self._post(message.id, built)

    async def _post(self, id_: str, built: EmailMessage) -> Receipt:
        before = self._accepted.get(id_, frozenset())
        asked = [address for address in self.to if address not in before]
        async with self._connection() as smtp:
            refused, _ = await smtp.send_message(built, sender=parseaddr(self.sender)[1], recipients=asked)
        self._settle(id_, before | {address for address in asked if address not in refused}, refused)
        if not refused:
            return Receipt(f"accepted for {_recipients(len(self.to))}")
        reply = next(iter(refused.values()))
        return Receipt(
            f"accepted for {len(self.to) - len(refused)} of {_recipients(len(self.to))};"
            f" refused: {', '.join(refused)} ({self._reply(reply.code, reply.message)})"
        )

    async def probe(self) -> Receipt:
        async with self._connection():
            return Receipt("connected" if self.username is None else "connected and authenticated")

    async def aclose(self) -> None:
        self._accepted.clear()

    def _settle(
        self, notification_id: str, accepted: frozenset[str], refused: Mapping[str, aiosmtplib.SMTPResponse]
    ) -> None:
        """Remember who accepted while somebody is to be tried again; forget them once the mail is done.

        Raises:
            DeliveryError: some were refused for now.
        """
        later = {address: reply for address, reply in refused.items() if reply.code < 500}
        if later:
            self._accepted[notification_id] = accepted
            self._accepted.move_to_end(notification_id)
            while len(self._accepted) > REMEMBERED_MAILS:
                self._accepted.popitem(last=False)
            reply = next(iter(later.values()))
            failure = self._refusal(reply.code, reply.message, ", ".join(later))
            failure.maybe_delivered = bool(accepted)
            raise failure
        self._accepted.pop(notification_id, None)
        if refused:
            log.warning("delivery.refused_in_part", receiver=self.name, recipients=sorted(refused))

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[aiosmtplib.SMTP]:
        """An open, secured and authenticated connection; whatever fails inside becomes a `DeliveryError`."""
        seconds = self.timeout.total_seconds()
        smtp = aiosmtplib.SMTP(
            hostname=self.host,
            port=self.port,
            use_tls=self.security == "tls",
            start_tls=self.security == "starttls",
            tls_context=self.tls,
            timeout=seconds,
        )
        doing: DeliveryFailure = "tls"  # what an error without a reply of the server means, by the stage
        try:
            async with asyncio.timeout(seconds):
                await smtp.connect()
                doing = "auth"
                if self.username is not None:
                    await smtp.login(self.username, self.password or "")
                doing = "bad_request"
                yield smtp
        except (aiosmtplib.SMTPException, TimeoutError, OSError, ValueError) as exc:
            failure = self._failure(exc, doing)
            # From the greeting on, a lost connection leaves it open whether the mail was taken; an answer does not.
            failure.maybe_delivered = doing == "bad_request" and not isinstance(exc, _ANSWERED)
            raise failure from None  # the cause's text may quote what was sent
        finally:
            await _hang_up(smtp)

    def _failure(self, exc: Exception, doing: DeliveryFailure) -> DeliveryError:
        match exc:
            case aiosmtplib.SMTPRecipientsRefused():
                # All of them: for now if that holds for any.
                worst = min(exc.recipients, key=lambda one: one.code)
                return self._refusal(worst.code, worst.message, ", ".join(one.recipient for one in exc.recipients))
            case aiosmtplib.SMTPAuthenticationError():
                said = self._reply(exc.code, exc.message)
                text = f"the mail server refused the login ({said}); check username and password"
                return DeliveryError(text, permanent=exc.code >= 500, kind="auth")
            case aiosmtplib.SMTPResponseException() if exc.code > 0:
                return self._refusal(exc.code, exc.message, "")
            case aiosmtplib.SMTPResponseException():
                text = "what answers there speaks no SMTP; check host, port and security"
                return DeliveryError(text, permanent=False, kind="server")
            case aiosmtplib.SMTPServerDisconnected():
                return DeliveryError("the mail server closed the connection", permanent=False, kind="server")
            case aiosmtplib.SMTPConnectError() | aiosmtplib.SMTPTimeoutError():
                return failure_of(exc)
            case aiosmtplib.SMTPException() if doing == "tls":
                return DeliveryError(
                    "the mail server offers no STARTTLS; check port and security", permanent=True, kind="tls"
                )
            case aiosmtplib.SMTPException() if doing == "auth":
                return DeliveryError(
                    "the mail server offers no login that we know; check port and username", permanent=True, kind="auth"
                )
            case aiosmtplib.SMTPException():
                return DeliveryError("the mail server cannot take this mail", permanent=True, kind="bad_request")
            case OSError():  # before ValueError: an untrusted certificate is both
                return failure_of(exc)
            case _:
                return DeliveryError("the mail server cannot be given this mail", permanent=True, kind="bad_request")

    def _refusal(self, code: int, reply: str, who: str) -> DeliveryError:
        what = f"the mail server refused {who}" if who else "the mail server refused the mail"
        kind: DeliveryFailure = "server"
        if code in (530, 534, 535, 538):
            kind = "auth"
        elif code >= 500:
            kind = "bad_request"
        return DeliveryError(f"{what} ({self._reply(code, reply)})", permanent=code >= 500, kind=kind)

    def _reply(self, code: int, reply: str) -> str:
        """The server's words on one line; should it quote the password, without that."""
        if self.password:
            reply = reply.replace(self.password, "***")
        return f"{code} {shorten(one_line(reply), REPLY_LIMIT)}".rstrip()


def _recipients(count: int) -> str:
    return "1 recipient" if count == 1 else f"{count} recipients"


async def _hang_up(smtp: aiosmtplib.SMTP) -> None:
    """Say goodbye if there is somebody to hear it; by now the mail is accepted or not, so no failure counts."""
    try:
        if smtp.is_connected:
            async with asyncio.timeout(QUIT_TIMEOUT_S):
                await smtp.quit()
    except (aiosmtplib.SMTPException, TimeoutError, OSError):
        pass
    finally:
        smtp.close()
