"""watcher's own JSON to any address, with the headers of Standard Webhooks.

`webhook-id` is the notification's id and stays the same over retries; `webhook-timestamp` is of this attempt, by the
wall clock. With a secret there is `webhook-signature`, with two of them (while one replaces the other) two signatures,
the new one first.

Source: Standard Webhooks, "Webhook headers (sending metadata to consumers)" and "Zero downtime secret rotation".
"""

import base64
import binascii
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from standardwebhooks import Webhook

from watcher import __version__
from watcher.alerts.notification import Notification
from watcher.clock import Clock, system_clock
from watcher.notify import report
from watcher.notify.http import check, post, reach
from watcher.notify.message import Voice
from watcher.notify.notifier import SEND_TIMEOUT, Receipt
from watcher.notify.payload import encode
from watcher.notify.report import ReportMessage
from watcher.transport import AsyncClient


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookNotifier:
    """POSTs the payload; any 2xx is a receipt."""

    name: str
    voice: Voice
    client: AsyncClient = field(repr=False)
    url: str = field(repr=False)
    signers: tuple[Webhook, ...] = field(default=(), repr=False)  #: the present secret, then the one before it
    clock: Clock = field(default=system_clock, repr=False)
    timeout: timedelta = SEND_TIMEOUT

    type = "webhook"

    async def send(self, notification: Notification, *, now: datetime) -> Receipt:
        body = encode(notification, watcher=self.voice.watcher, public_url=self.voice.public_url, now=now)
        return await self._post(notification.id, body)

    async def send_report(self, message: ReportMessage, *, now: datetime) -> Receipt:
        body = report.payload(message, watcher=self.voice.watcher, receiver=self.name, now=now)
        return await self._post(message.id, body)

    async def _post(self, id_: str, body: bytes) -> Receipt:
        headers = self._headers(id_, body)
        answer = await post(self.client, self.url, body=body, headers=headers, timeout=self.timeout)
        return check(answer, now=self.clock())

    async def probe(self) -> Receipt:
        return await reach(self.client, self.url)

    async def aclose(self) -> None:
        pass

    def _headers(self, notification_id: str, body: bytes) -> dict[str, str]:
        at = self.clock()
        headers = {
            "content-type": "application/json",
            "user-agent": f"watcher/{__version__}",
            "webhook-id": notification_id,
            "webhook-timestamp": str(int(at.timestamp())),
        }
        if self.signers:
            signatures = (signer.sign(notification_id, at, body.decode()) for signer in self.signers)
            headers["webhook-signature"] = " ".join(signatures)
        return headers


def signer(secret: str) -> Webhook:
    """What signs with `secret`: after `whsec_` the key in base64, as Standard Webhooks writes it; otherwise the text
    itself, in UTF-8, is the key.

    Raises:
        ValueError: it is empty, or not base64 after `whsec_`; the text does not hold the secret.
    """
    key = secret.encode()
    if secret.startswith("whsec_"):
        text = secret.removeprefix("whsec_").rstrip("=")
        try:
            key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
        except (binascii.Error, ValueError):
            raise ValueError("is not base64 after whsec_") from None
    if not key:
        raise ValueError("is empty")
    return Webhook(key)
