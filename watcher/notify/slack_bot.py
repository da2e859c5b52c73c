"""Slack as a bot: a thread for each first message, which is marked resolved when all that it told of is over.

What it told of an alert first is the head of a thread; steps and the resolve of the alert go there. An alert that the
channel has not heard of is never hidden in a thread. `Receipt.reference` names the head: channel, timestamp and a hash
of the alerts that it told of; which of these have ended, the outbox says with each notification (`Notification.under`).
`chat.postMessage` knows no key by which a repeat is dropped.

Source: docs.slack.dev, "chat.postMessage", "chat.update", "auth.test" and their lists of errors; read November 2026.
Not there: a reply to a deleted message may be taken and shown outside of any thread; its answer then has no
`message.thread_ts` (github.com/slack-go/slack, issue 1571).
"""

import hashlib
import json
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from watcher.alerts.alert import AlertStatus
from watcher.alerts.notification import Notification, NotificationAlert, NotifyReason
from watcher.clock import Clock, system_clock
from watcher.errors import DeliveryError
from watcher.notify.http import check, post
from watcher.notify.message import Voice, render
from watcher.notify.notifier import SEND_TIMEOUT, Receipt
from watcher.notify.report import ReportMessage
from watcher.notify.slack import HEADERS, report_payload, slack_payload
from watcher.notify.slack_errors import THREAD_IS_LOST, Said, read, refusal
from watcher.notify.wording import one_line, shorten
from watcher.rules.finding import Severity
from watcher.transport import AsyncClient

API = "https://slack.com/api"
#: An answer repeats the message.
ANSWER_LIMIT = 262_144
#: An edit is left out rather than begun with less time than this.
SHORTEST = timedelta(seconds=2)

_CHANNEL_ID = re.compile(r"[A-Z][A-Z0-9]{1,31}")
_TIMESTAMP = re.compile(r"[0-9]{1,16}\.[0-9]{1,16}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The first message of a thread, as its reference names it."""

    channel: str  #: the channel's id
    ts: str  #: the message's timestamp, by which Slack knows it
    alerts: str  #: hash of the alerts that it told of first; "-" for none

    def reference(self) -> str:
        return f"{self.channel} {self.ts} {self.alerts}"


def head_of(reference: str) -> Head | None:
    """The head that a reference names; `None` where it is not of this form."""
    match reference.split(" "):
        case [channel, ts, alerts] if _CHANNEL_ID.fullmatch(channel) and _TIMESTAMP.fullmatch(ts):
            return Head(channel=channel, ts=ts, alerts=alerts)
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a notification goes."""

    head: Head | None  #: into its thread; `None`: into the channel
    is_broadcast: bool = False  #: shown in the channel as well


def place_of(notification: Notification) -> Place:
    """Into the thread of what it goes on with; into the channel where any of it is news there. Pure.

    Of several threads it takes the loudest alert's, and shows itself in the channel too: whoever follows another thread
    would miss it.
    """
    heads = [head_of(notification.earlier.get(told.alert.id, "")) for told in notification.alerts]
    known = [head for head in heads if head is not None]
    if not known or len(known) < len(heads):
        return Place(head=None)
    is_urgent = any(_is_urgent(told) for told in notification.alerts)
    return Place(head=known[0], is_broadcast=is_urgent or len({head.ts for head in known}) > 1)


def _is_urgent(told: NotificationAlert) -> bool:
    """Whether a channel must see it: an alert that is critical, and more than told once again."""
    alert = told.alert
    is_again = told.reason is NotifyReason.REMINDER and not alert.finding.step
    return alert.status is AlertStatus.FIRING and alert.severity is Severity.CRITICAL and not is_again


def hash_of(alert_ids: Iterable[str]) -> str:
    """Sixteen hex digits, the same for the same alerts in any order; "-" for none."""
    text = " ".join(sorted(alert_ids))
    return hashlib.sha256(text.encode()).hexdigest()[:16] if text else "-"


def _news(notification: Notification) -> str:
    """The hash of what has its head here. An event never ends, so a head that tells of one never turns green."""
    alerts = [told.alert for told in notification.alerts]
    firing = [alert.id for alert in alerts if alert.status is AlertStatus.FIRING]
    return hash_of(id_ for id_ in firing if head_of(notification.earlier.get(id_, "")) is None)


def _ended_heads(notification: Notification) -> list[tuple[Head, Sequence[NotificationAlert]]]:
    """Heads of which it tells the last end, with all that was told first there."""
    ends: dict[str, dict[str, NotificationAlert]] = {}
    for told in notification.alerts:
        if told.alert.status is AlertStatus.RESOLVED:
            ends.setdefault(notification.earlier.get(told.alert.id, ""), {})[told.alert.id] = told
    found: list[tuple[Head, Sequence[NotificationAlert]]] = []
    for reference, ended in ends.items():
        for alert in notification.under.get(reference, ()):
            ended.setdefault(alert.id, NotificationAlert(alert=alert, reason=NotifyReason.RESOLVED))
        head = head_of(reference)
        if head is not None and head.alerts == hash_of(ended):
            found.append((head, tuple(ended.values())))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackBotNotifier:
    """Posts blocks into one channel, by a bot's token."""

    name: str
    voice: Voice
    client: AsyncClient = field(repr=False)
    token: str = field(repr=False)
    channel: str  #: as configured: "#ml-alerts", or an id
    api: str = API
    clock: Clock = field(default=system_clock, repr=False)
    timeout: timedelta = SEND_TIMEOUT  #: of a post and its edits together

    type = "slack"

    async def send(self, notification: Notification, *, now: datetime) -> Receipt:
        until = time.monotonic() + self.timeout.total_seconds()
        place = place_of(notification)
        posted = await self._post(slack_payload(render(notification, self.voice, now=now)), place, until)
        threaded = _is_in(posted, place.head)
        details = [f"posted in {one_line(self.channel)}" + (", in the thread of the first message" if threaded else "")]
        gone = None if threaded else place.head
        if gone is not None:
            details.append("the first message is gone, so outside of its thread")
        details += await self._mark_ended(notification, now, until, but=gone)
        head = place.head if threaded else _head(posted, notification)
        return Receipt("; ".join(details), reference=head.reference() if head else "")

    async def send_report(self, message: ReportMessage, *, now: datetime) -> Receipt:
        until = time.monotonic() + self.timeout.total_seconds()
        await self._post(report_payload(message), Place(head=None), until)
        return Receipt(f"posted in {one_line(self.channel)}")

    async def probe(self) -> Receipt:
        said = await self._call("auth.test", {}, self.timeout)
        scopes = said.headers.get("x-oauth-scopes")
        if scopes is not None and "chat:write" not in (scope.strip() for scope in scopes.split(",")):
            raise DeliveryError("the token lacks the scope chat:write; add it to the app and install it again",
                                permanent=True, kind="auth")  # fmt: skip
        user, team = (shorten(one_line(str(said.body.get(key) or "unknown")), 80) for key in ("user", "team"))
        return Receipt(
            f"the token is {user}'s in the workspace {team}; whether it may post in {one_line(self.channel)}"
            " is known only once it does"
        )

    async def aclose(self) -> None:
        """Holds nothing."""

    async def _post(self, payload: Mapping[str, object], place: Place, until: float) -> Said:
        message: dict[str, object] = {"channel": self.channel, **payload}
        if place.head is None:
            return await self._call("chat.postMessage", message, _left(until))
        reply = {**message, "thread_ts": place.head.ts, "reply_broadcast": place.is_broadcast}
        try:
            return await self._call("chat.postMessage", reply, _left(until), unless=THREAD_IS_LOST)
        except _ThreadIsLost:
            return await self._call("chat.postMessage", message, _left(until))

    async def _mark_ended(
        self, notification: Notification, now: datetime, until: float, *, but: Head | None
    ) -> list[str]:
        """Edit the heads of which no alert fires any more, `but` one; returns what to say of it.

        The message itself has been delivered: whatever goes wrong here is told and not tried again.
        """
        edited, failed = 0, []
        for head, ended in _ended_heads(notification):
            if head == but:
                continue
            over = replace(notification, alerts=tuple(ended), reason=NotifyReason.RESOLVED, notes=())
            payload = slack_payload(render(over, self.voice, now=now))
            # Unlike `chat.postMessage`, it looks for names and links in `text` unless told not to; it unfurls nothing.
            edit: dict[str, object] = {"channel": head.channel, "ts": head.ts, "parse": "none", "link_names": False}
            edit |= {"text": payload["text"], "blocks": payload["blocks"]}
            try:
                if _left(until) < SHORTEST:
                    raise DeliveryError("there was no time left", permanent=False, kind="timeout")
                await self._call("chat.update", edit, _left(until))
                edited += 1
            except DeliveryError as exc:
                failed.append(exc.message)
        said = [f"{_first_messages(edited)} marked resolved"] if edited else []
        return said + ([f"{_first_messages(len(failed))} could not be marked resolved: {failed[0]}"] if failed else [])

    async def _call(
        self, method: str, arguments: Mapping[str, object], timeout: timedelta, *, unless: frozenset[str] = frozenset()
    ) -> Said:
        """Call one method of the Web API.

        Raises:
            DeliveryError: it did not answer, or refused.
            _ThreadIsLost: it refused with a word of `unless`.
        """
        answer = await post(
            self.client,
            f"{self.api}/{method}",
            body=json.dumps(arguments, ensure_ascii=False).encode(),
            headers={**HEADERS, "authorization": f"Bearer {self.token}"},
            timeout=timeout,
            most=ANSWER_LIMIT,
        )
        said = read(answer)
        if said is not None and said.error in unless:
            raise _ThreadIsLost
        if not 200 <= answer.status < 300:
            check(answer, now=self.clock(), said=said.error if said else "")
        if said is None or said.error:
            raise refusal(said, answer, channel=one_line(self.channel), now=self.clock())
        return said


class _ThreadIsLost(Exception):
    """There is no message any more to which this would be a reply."""


def _left(until: float) -> timedelta:
    return timedelta(seconds=max(0.1, until - time.monotonic()))


def _is_in(posted: Said, head: Head | None) -> bool:
    """Whether Slack put a message into the thread that it was for; it need not. Unless it shows otherwise, it did."""
    message = posted.body.get("message")
    return head is not None and (not isinstance(message, dict) or message.get("thread_ts") == head.ts)


def _head(posted: Said, notification: Notification) -> Head | None:
    """What later messages refer to; `None` where the answer does not name it."""
    channel, ts = str(posted.body.get("channel")), str(posted.body.get("ts"))
    return head_of(Head(channel=channel, ts=ts, alerts=_news(notification)).reference())


def _first_messages(count: int) -> str:
    return "the first message" if count == 1 else f"{count} first messages"
