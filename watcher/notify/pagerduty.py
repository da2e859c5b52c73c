"""PagerDuty by its Events API v2: a condition opens an incident, its end resolves it, an acknowledgement goes along.

The dedup key is the alert's id, which is of one life of a condition: repeats and steps fold into the one incident, and
a condition that comes back opens a new one, even if the end of the life before never arrived. One alert is one request.
Those that were accepted are not sent again while the rest of their notification is retried; after a restart they are,
and PagerDuty folds them.

An acknowledged incident makes no noise, whatever is sent to it, and a `trigger` would open a new one if it was closed
by hand. So an alert that somebody acknowledged at watcher is told by `acknowledge` alone where nothing is new. Where
its severity rose after that, it pages by an incident of its own, whose key names the severity; where it came to another
step of its countdown, by one for steps, which is closed first if it is open, since it may be acknowledged as well. The
end resolves all that there may be. Where it was acknowledged as it is now, `acknowledge` goes before the `trigger`.

Source: PagerDuty developer documentation, "Events API v2 Overview" (response codes, 512 KB) and "Send an Alert Event"
(fields, lengths, what each action does to an incident in each state); support documentation, "Service Regions".
"""

import asyncio
import json
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal, NoReturn
from urllib.parse import urlsplit

from watcher import __version__
from watcher.alerts.alert import Alert, AlertStatus
from watcher.alerts.notification import Notification, NotificationAlert, NotifyReason
from watcher.clock import Clock, system_clock
from watcher.errors import DeliveryError
from watcher.notify.http import Answer, check, post, reach
from watcher.notify.message import Item, Voice, is_sample, render
from watcher.notify.notifier import SEND_TIMEOUT, Receipt
from watcher.notify.payload import plain_value
from watcher.notify.wording import fit, one_line, rfc3339, shorten
from watcher.rules.finding import Severity
from watcher.rules.text import called
from watcher.transport import AsyncClient

PUBLIC_URL = "https://events.pagerduty.com/v2/enqueue"
SUMMARY_LIMIT = 1024
#: Fields whose length PagerDuty does not state; names are cut here, so that the whole stays far below 512 KB.
WORD_LIMIT = 500
TEXT_LIMIT = 8000
BYTES_LIMIT = 512 * 1000
LINKS_LIMIT = 10
SAID_LIMIT = 300
#: PagerDuty asks for "a few minutes" after a 429 and names no time.
RATE_LIMIT_WAIT = timedelta(minutes=2)
AT_ONCE = 4
#: Notifications of which some alerts were accepted and others are to be tried again. Beyond these the oldest is
#: forgotten, and what it had accepted is sent twice, into the same incidents.
REMEMBERED = 256
#: An acknowledgement older than this is not sent by itself: whoever started watcher since does not want it repeated.
ACKED_WITHIN = timedelta(hours=1)

Action = Literal["trigger", "acknowledge", "resolve"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One event about one alert."""

    action: Action
    alert: Alert
    key: str  #: by which PagerDuty knows the incident
    item: Item | None = None  #: what a trigger says


@dataclass(frozen=True, slots=True, kw_only=True)
class PagerDutyNotifier:
    """Opens, acknowledges and resolves incidents; any 2xx means that PagerDuty took the event over."""

    name: str
    voice: Voice
    client: AsyncClient = field(repr=False)
    routing_key: str = field(repr=False)
    events: bool = False  #: whether what is told once and never resolved opens incidents too
    url: str = PUBLIC_URL
    clock: Clock = field(default=system_clock, repr=False)
    timeout: timedelta = SEND_TIMEOUT
    _accepted: OrderedDict[str, set[str]] = field(default_factory=OrderedDict, repr=False, compare=False)
    _acknowledged: OrderedDict[str, datetime] = field(default_factory=OrderedDict, repr=False, compare=False)

    type = "pagerduty"
    refresh_every = timedelta(minutes=1)

    async def send(self, notification: Notification, *, now: datetime) -> Receipt:
        steps = self._steps(notification, now)
        if not steps:
            return Receipt(self._why_nothing(notification))
        accepted = self._accepted.pop(notification.id, set())
        try:
            await self._send_all(notification, steps, accepted)
        except DeliveryError:
            self._accepted[notification.id] = accepted
            while len(self._accepted) > REMEMBERED:
                self._accepted.popitem(last=False)
            raise
        opened = is_sample(notification) and any(step.action == "trigger" for step in steps)
        return Receipt(_told(steps) + ("; the incident stays open until it is resolved" if opened else ""))

    async def refresh(self, alerts: Sequence[Alert], *, now: datetime) -> bool:
        """Acknowledge at PagerDuty what was acknowledged at watcher since it was told, each once.

        Returns:
            Whether there was any.

        Raises:
            DeliveryError: PagerDuty took not all of it; the next call goes on.
        """
        is_sent = False
        for alert in alerts:
            if alert.acked_at is None or alert.is_event or alert.ends_at is not None:
                continue
            if self._acknowledged.get(alert.id) == alert.acked_at:
                continue
            if now - alert.acked_at <= ACKED_WITHIN:
                for key in (alert.id, *_raised_keys(alert)) if _is_of_now(alert) else (alert.id,):
                    await self._post(_follow_up("acknowledge", key, self.routing_key))
                is_sent = True
            self._remember(alert)
        return is_sent

    async def probe(self) -> Receipt:
        return await reach(self.client, self.url)

    async def aclose(self) -> None:
        self._accepted.clear()
        self._acknowledged.clear()

    def _steps(self, notification: Notification, now: datetime) -> tuple[Step, ...]:
        """What to send, those about one alert in their order."""
        message = render(notification, self.voice, now=now)
        told = zip(notification.alerts, message.items, strict=True)
        steps = [step for one, item in told if self.events or not one.alert.is_event for step in _actions(one, item)]
        # An event may stand for the end of conditions that it does not name; their incidents end all the same.
        ended = [step for alert in notification.covers if not alert.is_event for step in _ends(alert)]
        return (*steps, *ended)

    def _why_nothing(self, notification: Notification) -> str:
        if any(told.alert.is_event for told in notification.alerts):
            return "nothing to send: events are off for this receiver (events = true sends them)"
        return "nothing to send: it was over before PagerDuty heard of it"

    async def _send_all(self, notification: Notification, steps: Sequence[Step], accepted: set[str]) -> None:
        """Send what is not in `accepted`, and add to it what PagerDuty takes.

        Raises:
            DeliveryError: it took not all; temporary where any of the failures is.
        """
        lanes: dict[str, list[Step]] = {}
        for step in steps:
            lanes.setdefault(step.alert.id, []).append(step)
        failures: list[DeliveryError] = []
        gate = asyncio.Semaphore(AT_ONCE)

        async def work(lane: Sequence[Step]) -> None:
            async with gate:
                for step in lane:
                    action, alert = step.action, step.alert
                    if f"{action} {step.key}" in accepted:
                        continue
                    if any(not failure.permanent or failure.kind == "auth" for failure in failures):
                        return  # the rest would fare no better
                    body = _follow_up(action, step.key, self.routing_key)
                    if step.item is not None:
                        body = self._trigger(notification, alert, step.item, key=step.key)
                    try:
                        await self._post(body)
                    except DeliveryError as failure:
                        failures.append(failure)
                        return
                    accepted.add(f"{action} {step.key}")
                    if action == "acknowledge":
                        self._remember(alert)
                    elif alert.acked_at is None or step.key != alert.id:
                        # What was sent before the incident was open, PagerDuty has dropped.
                        self._acknowledged.pop(alert.id, None)

        try:
            async with asyncio.timeout(self.timeout.total_seconds()):
                await asyncio.gather(*(work(lane) for lane in lanes.values()))
        except TimeoutError:
            failures.append(
                DeliveryError(
                    "PagerDuty did not take all events in time", permanent=False, kind="timeout", maybe_delivered=True
                )
            )
        if failures:
            _raise_for(failures, accepted=len(accepted), of=len(steps))

    async def _post(self, body: bytes) -> None:
        headers = {"content-type": "application/json", "user-agent": f"watcher/{__version__}"}
        answer = await post(self.client, self.url, body=body, headers=headers, timeout=self.timeout)
        said = _said(answer, secret=self.routing_key)
        try:
            check(answer, now=self.clock(), said=said)
        except DeliveryError as failure:
            if answer.status == 429 and failure.retry_after is None:
                failure.retry_after = RATE_LIMIT_WAIT
            if answer.status == 400 and "routing" in said.lower():
                text = f"PagerDuty refused the integration key; check it and the service region (400 {said})"
                raise DeliveryError(text, permanent=True, kind="auth") from None
            raise

    def _trigger(self, notification: Notification, alert: Alert, item: Item, *, key: str) -> bytes:
        labels = alert.labels
        summary = f"[TEST] {item.summary}" if is_sample(notification) else item.summary
        details: dict[str, object] = {
            "action": fit(item.action, TEXT_LIMIT),
            "description": fit(item.description, TEXT_LIMIT),
            "evidence": fit(item.evidence, TEXT_LIMIT),
            "unverified": item.unverified,
            "since": item.since,
            "reason": item.reason,
            "note": " · ".join((*notification.notes, item.note) if item.note else notification.notes),
            "alert": alert.id,
            "notification": notification.id,
        }
        details = {name: text for name, text in details.items() if text}
        more = {
            "labels": {name: _word(value) for name, value in labels.items()},
            "values": {name: plain_value(value) for name, value in alert.finding.values.items()},
        }
        payload: dict[str, object] = {
            "summary": shorten(summary, SUMMARY_LIMIT),
            "source": _word(labels.get("account") or labels.get("host") or self.voice.watcher) or "watcher",
            "severity": alert.severity.value,  # PagerDuty's words, but for `error`, are ours
            "timestamp": rfc3339(alert.finding.occurred_at or alert.starts_at),
            "component": _word(labels.get("deployment") or labels.get("job") or ""),
            "group": _word(labels.get("resource_group", "")),
            "class": alert.finding.rule,
        }
        payload = {name: text for name, text in payload.items() if text}
        event: dict[str, object] = {
            "routing_key": self.routing_key,
            "event_action": "trigger",
            "dedup_key": key,
            "payload": {**payload, "custom_details": {**details, **more}},
            "links": [{"href": link.url, "text": link.caption} for link in item.links[:LINKS_LIMIT]],
            "client": called(one_line(self.voice.watcher)),
        }
        if self.voice.public_url:
            event["client_url"] = self.voice.public_url
        body = _json(event)
        if len(body) > BYTES_LIMIT:  # only labels and values have no bound of their own
            body = _json({**event, "payload": {**payload, "custom_details": details}})
        return body

    def _remember(self, alert: Alert) -> None:
        if alert.acked_at is not None:
            self._acknowledged[alert.id] = alert.acked_at
            while len(self._acknowledged) > 10 * REMEMBERED:
                self._acknowledged.popitem(last=False)


def api_address(url: str) -> str:
    """Where to post, for a region's address with or without the API's path."""
    return url if urlsplit(url).path.strip("/") else url.rstrip("/") + "/v2/enqueue"


def _actions(told: NotificationAlert, item: Item) -> Iterator[Step]:
    """What one alert of a notification asks of PagerDuty."""
    alert = told.alert
    if alert.status is AlertStatus.RESOLVED:
        if not told.was_untold:
            yield from _ends(alert)
        return
    trigger = Step(action="trigger", alert=alert, key=alert.id, item=item)
    acknowledge = Step(action="acknowledge", alert=alert, key=alert.id)
    if alert.acked_at is None or alert.is_event:
        yield trigger
    elif told.reason is NotifyReason.FIRING:
        yield trigger
        yield acknowledge
    elif told.reason is NotifyReason.REMINDER:
        if alert.finding.step and not _is_of_now(alert):
            # In this order, and the second once the first is taken: one that is open would take it without a sound.
            yield Step(action="resolve", alert=alert, key=_step_key(alert))
            yield replace(trigger, key=_step_key(alert))
        else:
            yield acknowledge
    elif _is_of_now(alert):
        yield acknowledge
        yield trigger
    else:
        yield replace(trigger, key=_raised_key(alert, alert.severity))


def _is_of_now(alert: Alert) -> bool:
    """Whether whoever acknowledged it knew how bad it is now, and at which step."""
    return alert.acked_at is not None and alert.acked_at >= alert.raised_at


def _ends(alert: Alert) -> Iterator[Step]:
    """How bad it was meanwhile is not known any more; PagerDuty drops what ends no incident."""
    keys = [alert.id]
    if alert.acked_at is not None:
        keys += [_raised_key(alert, severity) for severity in _RAISED]
        keys += [_step_key(alert)] if alert.finding.step else []
    for key in keys:
        yield Step(action="resolve", alert=alert, key=key)


def _raised_keys(alert: Alert) -> list[str]:
    """The incidents that may have been opened since it was first acknowledged."""
    if alert.raised_at == alert.starts_at:
        return []
    keys = [_raised_key(alert, severity) for severity in _RAISED if severity.rank <= alert.severity.rank]
    return [*keys, _step_key(alert)] if alert.finding.step else keys


def _raised_key(alert: Alert, severity: Severity) -> str:
    return f"{alert.id}:{severity.value}"


def _step_key(alert: Alert) -> str:
    return f"{alert.id}:step"


#: To which a severity can rise.
_RAISED = (Severity.WARNING, Severity.CRITICAL)


def _follow_up(action: Action, key: str, routing_key: str) -> bytes:
    return _json({"routing_key": routing_key, "event_action": action, "dedup_key": key})


def _raise_for(failures: Sequence[DeliveryError], *, accepted: int, of: int) -> NoReturn:
    worst = next((failure for failure in failures if not failure.permanent), failures[0])
    text = worst.message if of == 1 else f"{worst.message}; {accepted} of {of} events were taken"
    raise DeliveryError(
        text,
        permanent=worst.permanent,
        kind=worst.kind,
        retry_after=worst.retry_after,
        maybe_delivered=accepted > 0 or any(failure.maybe_delivered for failure in failures),
    ) from None


def _told(steps: Sequence[Step]) -> str:
    """What PagerDuty was told, for the receipt: it works on events later, so more than "taken" is not known."""
    actions = [step.action for step in steps]
    counts = [f"{actions.count(action)} {action}" for action in dict.fromkeys(actions)]
    return f"taken by PagerDuty: {', '.join(counts)}"


def _said(answer: Answer, *, secret: str) -> str:
    """What PagerDuty says about a refusal: its `message` and `errors`, without the key should it quote that."""
    if answer.status < 400:
        return ""
    try:
        value = json.loads(answer.text)
    except ValueError:
        return ""
    if not isinstance(value, dict):
        return ""
    errors = value.get("errors")
    parts = [value.get("message"), *(errors if isinstance(errors, list) else ())]
    text = one_line("; ".join(part for part in parts if isinstance(part, str)))
    return shorten(text.replace(secret, "***"), SAID_LIMIT)


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _word(text: str) -> str:
    return shorten(one_line(text), WORD_LIMIT)
