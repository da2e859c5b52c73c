"""Alertmanager by its API v2: conditions fire there for as long as watcher says so, events for a quarter of an hour.

What fires is posted with an end a few minutes ahead and again every minute (`refresh`), so that the alerts of a watcher
that died end by themselves. A resolve is an end in the past. Alertmanager knows an alert by its labels: they hold no
time, and when they change (a severity that rose, an owner), what was posted under the old ones is ended in the same
request. Which those were is known to this process alone; after a restart the old ones run out instead.

All times posted are by the wall clock, by which Alertmanager judges them; a demo's simulated ones may be years away.

Source: Alertmanager's `api/v2/openapi.yaml` (`postableAlerts`) and its documentation, "Sending alerts".
"""

import json
import re
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from watcher import __version__
from watcher.alerts.alert import Alert, AlertStatus
from watcher.alerts.notification import Notification
from watcher.alerts.summary import summary_at
from watcher.clock import Clock, system_clock
from watcher.notify.http import Answer, check, post
from watcher.notify.message import Voice, is_sample, links_of, outcome
from watcher.notify.notifier import SEND_TIMEOUT, Receipt
from watcher.notify.wording import clean, fit, localise, one_line, rfc3339, shorten
from watcher.transport import AsyncClient

PATH = "/api/v2/alerts"
#: How far ahead the end of what fires is set: some lost refreshes, and a restart of watcher, end nothing.
FIRES_FOR = timedelta(minutes=5)
#: How long an event fires there: long enough for any `group_wait`, short enough not to be repeated.
EVENT_FIRES_FOR = timedelta(minutes=15)
BATCH = 200
REMEMBERED_ENDS = 1000
LABEL_LIMIT = 500
TEXT_LIMIT = 4000
SAID_LIMIT = 300

_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9_]")

Labels = Mapping[str, str]
Posted = Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertmanagerNotifier:
    """Posts alerts, and keeps those that fire fresh; any 2xx is a receipt."""

    name: str
    voice: Voice
    client: AsyncClient = field(repr=False)
    url: str  #: see `api_address`
    clock: Clock = field(default=system_clock, repr=False)
    timeout: timedelta = SEND_TIMEOUT
    #: Under which labels conditions were posted last, by alert id.
    _standing: dict[str, Labels] = field(default_factory=dict, repr=False, compare=False)
    #: Alerts whose end was posted, by id: a refresh that read them before they ended must not light them again.
    _over: OrderedDict[str, Alert] = field(default_factory=OrderedDict, repr=False, compare=False)

    type = "alertmanager"
    refresh_every = timedelta(minutes=1)

    async def send(self, notification: Notification, *, now: datetime) -> Receipt:
        at, test = self.clock(), is_sample(notification)
        posted: list[Posted] = []
        self._end((*(told.alert for told in notification.alerts), *notification.covers))
        for told in notification.alerts:
            if told.alert.status is AlertStatus.RESOLVED:
                if not told.was_untold or told.alert.id in self._standing:  # a refresh may have been first
                    posted += self._ended(told.alert, at=at, test=test)
            else:
                posted += self._firing(told.alert, now=now, at=at, test=test)
        for alert in notification.covers:
            if not alert.is_event:
                posted += self._ended(alert, at=at)
        if not posted:
            return Receipt("nothing to send: it was over before Alertmanager heard of it")
        receipt = await self._post(posted)
        if not test:
            self._settle(told.alert for told in notification.alerts)
            self._settle(notification.covers)
        return receipt

    async def refresh(self, alerts: Sequence[Alert], *, now: datetime) -> bool:
        """Post the conditions that still fire once more, with their present texts and a later end; and the end of those
        that have ended meanwhile, whoever told of it.

        Returns:
            Whether there was any.

        Raises:
            DeliveryError: not all of them were taken.
        """
        is_sent = False
        self._end(alerts)
        for start in range(0, len(alerts), BATCH):
            at = self.clock()
            if over := [alert for alert in alerts[start : start + BATCH] if alert.status is AlertStatus.RESOLVED]:
                await self._post([one for alert in over for one in self._ended(alert, at=at)])
                self._settle(over)
                is_sent = True
            firing = [alert for alert in alerts[start : start + BATCH] if self._goes_on(alert)]
            if firing:
                await self._post([one for alert in firing for one in self._firing(alert, now=now, at=at)])
                self._settle(firing)
                is_sent = True
            if ended := [self._over[alert.id] for alert in firing if alert.id in self._over]:
                # Their end was posted while this was under way, and may have come first.
                await self._post([one for alert in ended for one in self._ended(alert, at=self.clock())])
                self._settle(ended)
        return is_sent

    async def probe(self) -> Receipt:
        """Post an empty list: the whole way is tried, and Alertmanager gets no alert."""
        await self._post(())
        return Receipt("Alertmanager answers and takes alerts")

    async def aclose(self) -> None:
        self._standing.clear()

    def _end(self, alerts: Iterable[Alert]) -> None:
        for alert in alerts:
            if alert.status is AlertStatus.RESOLVED:
                self._over[alert.id] = alert
        while len(self._over) > REMEMBERED_ENDS:
            self._over.popitem(last=False)

    def _goes_on(self, alert: Alert) -> bool:
        return not alert.is_event and alert.status is AlertStatus.FIRING and alert.id not in self._over

    def _firing(self, alert: Alert, *, now: datetime, at: datetime, test: bool = False) -> Iterator[Posted]:
        labels = self._labels(alert, test=test)
        yield from self._under_old_labels(alert, labels, at=at)
        yield {
            "labels": labels,
            "annotations": self._annotations(alert, summary_at(alert, now), test=test),
            "startsAt": rfc3339(min(alert.starts_at, at)),
            "endsAt": rfc3339(at + (EVENT_FIRES_FOR if alert.is_event else FIRES_FOR)),
            **self._generator(alert),
        }

    def _ended(self, alert: Alert, *, at: datetime, test: bool = False) -> Iterator[Posted]:
        labels = self._labels(alert, test=test)
        yield from self._under_old_labels(alert, labels, at=at)
        yield {
            "labels": labels,
            "annotations": self._annotations(alert, outcome(alert, self.voice.zone), test=test),
            **_span(alert, at),
            **self._generator(alert),
        }

    def _under_old_labels(self, alert: Alert, labels: Labels, *, at: datetime) -> Iterator[Posted]:
        """The end of what was posted under labels that the alert has no longer."""
        before = self._standing.get(alert.id)
        if before is not None and before != labels:
            yield {"labels": before, **_span(alert, at), **self._generator(alert)}

    def _settle(self, alerts: Iterable[Alert]) -> None:
        """Remember the labels under which conditions stand at Alertmanager now."""
        for alert in alerts:
            if alert.status is AlertStatus.RESOLVED:
                self._standing.pop(alert.id, None)
            elif not alert.is_event:
                self._standing[alert.id] = self._labels(alert)

    def _labels(self, alert: Alert, *, test: bool = False) -> Labels:
        own = {"alertname": alert.finding.rule, "watcher": self.voice.watcher, "fingerprint": alert.fingerprint}
        return label_set(own | ({"test": "true"} if test else {}), alert.labels)

    def _annotations(self, alert: Alert, summary: str, *, test: bool = False) -> Labels:
        """The texts; of what is over only how it ended: what was said while it fired is true no longer."""
        finding, zone = alert.finding, self.voice.zone
        texts = {"summary": one_line(f"[TEST] {summary}" if test else summary), "id": alert.id}
        if alert.status is AlertStatus.FIRING:
            texts |= {
                "description": clean(finding.description),
                "action": clean(finding.action),
                "evidence": clean(finding.evidence),
            }
            if alert.unverified_since is not None:
                texts["unverified_since"] = f"{rfc3339(alert.unverified_since)} {one_line(alert.unverified_because)}"
        texts = {name: fit(localise(text, zone), TEXT_LIMIT) for name, text in texts.items() if text.strip()}
        links = links_of(alert, self.voice.public_url)
        return texts | {name: links[name] for name in ("watcher", "portal") if name in links}

    def _generator(self, alert: Alert) -> dict[str, str]:
        links = links_of(alert, self.voice.public_url)
        address = links.get("watcher") or links.get("portal")
        return {"generatorURL": address} if address else {}

    async def _post(self, alerts: Sequence[Posted]) -> Receipt:
        body = json.dumps(alerts, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
        headers = {"content-type": "application/json", "user-agent": f"watcher/{__version__}"}
        answer = await post(self.client, self.url, body=body, headers=headers, timeout=self.timeout)
        return check(answer, now=self.clock(), said=_said(answer))


def label_set(own: Labels, others: Labels) -> dict[str, str]:
    """Both in one set as Alertmanager takes it; `own` stand as they are. Pure.

    Names get `_` for what Alertmanager does not allow in them; where two become one, or one that is taken, the later by
    its true name gets one more `_` behind it. Empty values are left out, as Alertmanager would.
    """
    labels = {name: _value(text) for name, text in own.items()}
    taken = set(labels)
    for name in sorted(others, key=lambda name: (_NOT_IN_NAMES.search(name) is not None, name)):
        plain = _NOT_IN_NAMES.sub("_", name)
        plain = f"_{plain}" if not plain or plain[0].isdigit() else plain
        while plain in taken:
            plain += "_"
        taken.add(plain)
        labels[plain] = _value(others[name])
    return {name: text for name, text in labels.items() if text}


def api_address(url: str) -> str:
    """Where to post, for the address of an Alertmanager with or without the API's path."""
    return url if urlsplit(url).path.endswith(PATH) else url.rstrip("/") + PATH


def _value(text: str) -> str:
    return shorten(one_line(text), LABEL_LIMIT)


def _span(alert: Alert, at: datetime) -> dict[str, str]:
    """From its start to its end, or to now; neither lies ahead, and the end is not before the start."""
    ends_at = min(alert.ends_at or at, at)
    return {"startsAt": rfc3339(min(alert.starts_at, ends_at)), "endsAt": rfc3339(ends_at)}


def _said(answer: Answer) -> str:
    """Why it refused: a text in JSON, or an object with a message; whatever else answers there is not quoted."""
    if answer.status < 400:
        return ""
    try:
        value = json.loads(answer.text)
    except ValueError:
        return ""
    text = value.get("message") if isinstance(value, dict) else value
    return shorten(one_line(text), SAID_LIMIT) if isinstance(text, str) else ""
