"""A notification in words: a title, and for each alert what happened, what to do, and on what evidence. Pure.

The first two lines of an alert say what happened and what to do; whoever is woken at night needs no third. All text is
plain, cleaned of control characters and not escaped: each notifier knows its own markup.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Literal
from urllib.parse import quote, urlsplit

from watcher.alerts.alert import Alert, AlertStatus
from watcher.alerts.notification import Notification, NotificationAlert, NotifyReason
from watcher.alerts.summary import summary_at
from watcher.notify.wording import clean, fit, localise, one_line, shorten, spell_duration, spell_time
from watcher.rules.step_words import step_name
from watcher.rules.text import called

#: How loud an alert looks: its severity, or that it has ended, or that it merely happened.
Tone = Literal["critical", "warning", "info", "resolved"]

TITLE_LIMIT = 200
SUMMARY_LIMIT = 300
TEXT_LIMIT = 4000  # description, action and evidence of one alert, each
#: Of a longer text no more than this is read: a message about hundreds of alerts is not to cost what nobody is shown.
READ_LIMIT = TEXT_LIMIT + 1000
LINE_READ_LIMIT = 1000
#: Later than this after the decision a message says so: its texts speak of then ("deleted in 2 d 23 h").
LATE_AFTER = timedelta(minutes=10)
#: Ids of samples start with this; a sample is marked as a test wherever it appears.
SAMPLE_PREFIX = "ntf_test_"

_HEADS = {
    NotifyReason.FIRING: "FIRING",
    NotifyReason.SEVERITY_RAISED: "SEVERITY RAISED",
    NotifyReason.REMINDER: "REMINDER",
    NotifyReason.RESOLVED: "RESOLVED",
}
_TONE_RANKS: Mapping[Tone, int] = {"resolved": 0, "info": 1, "warning": 2, "critical": 3}
#: Labels that say where and whose, in the order in which they are shown, with their captions.
_FACTS = (
    ("deployment", "Deployment"),
    ("job", "Job"),
    ("model", "Model"),
    ("sku", "SKU"),
    ("account", "Account"),
    ("plane", "Plane"),
    ("resource_group", "Resource group"),
    ("location", "Location"),
    ("owner", "Owner"),
)
#: What a line to be pasted into a shell begins with.
_COMMAND = re.compile(r"\s*(?:\$ |(?:az|curl|watcher|export|python3?)\s)")
#: A command behind its prose in one line; it gets a line of its own.
_INLINE_COMMAND = re.compile(r"(?<=[a-z)]): (?=(?:az|curl|watcher) [-a-z])")
_LINK_NAMES = {"watcher": "Open in watcher", "portal": "Azure portal"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """Who speaks, and how times and links are written."""

    watcher: str  #: the name of this watcher, in every message
    zone: tzinfo
    public_url: str = ""  #: base of links to the page; "": no such links


@dataclass(frozen=True, slots=True)
class Link:
    """An http(s) address with its caption."""

    caption: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One alert in words."""

    alert_id: str
    rule: str
    tone: Tone
    mark: str  #: "CRITICAL", "WARNING", "INFO" or "RESOLVED"
    summary: str  #: one line
    action: str  #: what to do; its first line says it, commands stand on lines of their own; "" once resolved
    description: str
    evidence: str
    note: str  #: one line about this telling: that it escalates, that the alert comes and goes; else ""
    reason: str  #: "first notice", "severity raised to warning", "resolved after 3 d 2 h because …"
    since: str
    unverified: str  #: "not verified since …", else ""
    facts: tuple[tuple[str, str], ...]  #: caption and value
    links: tuple[Link, ...]

    def steps(self) -> list[tuple[bool, str]]:
        """The action in parts, each prose (one line) or a command (True; maybe several lines), in their order."""
        return _parted(self.action)

    def brief(self) -> str:
        """At most two lines: what happened, what to do."""
        lines = [f"{self.mark} · {self.summary}"]
        if advice := self.advice():
            lines.append(f"→ {advice}")
        return "\n".join(lines)

    def advice(self) -> str:
        """The first thing to do, for where no command follows it: nothing is announced that does not come."""
        return next((step.removesuffix(":") + "." * step.endswith(":") for _, step in self.steps()[:1]), "")

    def text(self) -> str:
        """Everything, as plain lines."""
        lines = [f"{self.mark} · {self.summary}"]
        for place, (is_command, step) in enumerate(self.steps()):
            if place == 0:
                lines.append(f"→ {step}")
            else:
                lines += [f"  {line}" for line in step.splitlines()] if is_command else [step]
        evidence = self.evidence and f"Evidence: {self.evidence}"
        for part in (self.note, self.description, evidence, self.unverified):
            lines += part.splitlines()
        lines.append(f"{self.since} · {self.reason}")
        if self.facts:
            lines.append(" · ".join(f"{caption}: {value}" for caption, value in self.facts))
        lines += [f"{link.caption}: {link.url}" for link in self.links]
        return "\n".join(lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A notification rendered."""

    id: str
    head: str  #: what the title begins with: "[FIRING]", "[TEST · RESOLVED]"
    title: str
    tone: Tone  #: the loudest of its items
    notes: tuple[str, ...]  #: about the message as a whole: a test, delivered late
    items: tuple[Item, ...]
    footer: str  #: who sends this
    link: Link | None  #: the page that shows all of it

    def text(self, limit: int = 100_000) -> str:
        """The body as plain lines in at most `limit` characters: all, else two lines an alert, else cut at a line."""
        whole = self._body([item.text() for item in self.items])
        if len(whole) > limit and len(self.items) > 1:
            whole = self._body([item.brief() for item in self.items])
        return fit(whole, limit, more_at=self.link.url if self.link else "")

    def _body(self, items: list[str]) -> str:
        parts = [*self.notes, *items, self.footer]
        return "\n\n".join(part for part in parts if part)


def render(notification: Notification, voice: Voice, *, now: datetime) -> Message:
    """Put `notification` into words, as of `now`."""
    items = tuple(_item(told, voice, now) for told in notification.alerts)
    sample = is_sample(notification)
    head = _head(notification, sample=sample)
    return Message(
        id=notification.id,
        head=head,
        title=_title(head, notification, items),
        tone=max((item.tone for item in items), key=_TONE_RANKS.__getitem__, default="info"),
        notes=tuple(_notes(notification, voice, sample=sample, now=now)),
        items=items,
        footer=f"{called(one_line(voice.watcher))} · {notification.id}",
        link=Link("All alerts", f"{voice.public_url.rstrip('/')}/alerts") if voice.public_url else None,
    )


def steps_of(action: str) -> list[tuple[bool, str]]:
    """A finding's action in parts, as `Item.steps`."""
    return _parted(_advice(action))


def _parted(action: str) -> list[tuple[bool, str]]:
    parts: list[tuple[bool, str]] = []
    for line in action.splitlines():
        goes_on = bool(parts) and parts[-1][0] and parts[-1][1].endswith("\\")
        if not line.strip() and not goes_on:
            continue
        is_command = goes_on or _COMMAND.match(line) is not None
        if is_command and parts and parts[-1][0]:
            parts[-1] = (True, f"{parts[-1][1]}\n{line}")
        else:
            parts.append((is_command, line))
    return parts


def is_sample(notification: Notification) -> bool:
    """Whether it is a test that no rule asked for."""
    return notification.id.startswith(SAMPLE_PREFIX)


def links_of(alert: Alert, public_url: str) -> dict[str, str]:
    """The alert's http(s) addresses by name: the rule's own, and its page in watcher where there is one."""
    links = {name: url for name, url in alert.finding.links.items() if name != "watcher" and _is_web(url)}
    if public_url:
        links = {"watcher": public_url.rstrip("/") + _path(alert), **links}
    return links


def _path(alert: Alert) -> str:
    """Of the page of what it is about; of the alert's own where it is about neither a deployment nor a job."""
    labels = alert.finding.labels
    for label, page in (("deployment", "deployments"), ("job", "jobs")):
        if labels.get("account") and labels.get(label):
            return f"/{page}/{quote(labels['account'], safe='@')}/{quote(labels[label], safe='')}"
    return f"/alerts/{quote(alert.id, safe='')}"


def _is_web(url: str) -> bool:
    """Whether it may stand in a message as a link: http(s), and nothing in it that could end one."""
    if any(c.isspace() or c in "<>\"'|\\^`{}" or not c.isprintable() for c in url):
        return False
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def _head(notification: Notification, *, sample: bool) -> str:
    alerts = [told.alert for told in notification.alerts]
    head = _HEADS[notification.reason]
    if notification.reason is NotifyReason.FIRING and alerts and all(alert.is_event for alert in alerts):
        head = "EVENT"  # nothing goes on firing
    return f"[TEST · {head}]" if sample else f"[{head}]"


def _title(head: str, notification: Notification, items: tuple[Item, ...]) -> str:
    if not items:
        return f"{head} no alerts"
    first = items[0]
    if len(items) == 1:
        body = f"{first.rule} · {notification.alerts[0].alert.severity} · {first.summary}"
    else:
        body = f"{len(items)} alerts: {first.summary}, and {len(items) - 1} more"
        rules = {item.rule for item in items}
        if len(rules) == 1:
            body = f"{len(items)} alerts: {first.rule} · {first.summary}, and {len(items) - 1} more"
    return shorten(f"{head} {body}", TITLE_LIMIT)


def _notes(notification: Notification, voice: Voice, *, sample: bool, now: datetime) -> list[str]:
    notes = []
    if sample:
        notes.append("This is a test: nothing happened, and there is nothing to do.")
    late = now - notification.created_at
    if late > LATE_AFTER:
        as_of = spell_time(notification.created_at, voice.zone)
        notes.append(f"Delivered {spell_duration(late)} late: judged at {as_of}; times left are as of now.")
    return notes + [localise(one_line(note), voice.zone) for note in notification.notes]


def _item(told: NotificationAlert, voice: Voice, now: datetime) -> Item:
    alert, finding = told.alert, told.alert.finding
    resolved = alert.status is AlertStatus.RESOLVED
    labels = alert.labels
    said = finding.summary if resolved else summary_at(alert, now)
    summary = localise(one_line(_beginning(said, LINE_READ_LIMIT)), voice.zone)
    description, evidence = (_prose(text, voice.zone) for text in (finding.description, finding.evidence))
    if resolved:  # what was said while it fired is no longer true, and must not read as if it were
        summary, description, evidence = outcome(alert, voice.zone), shorten(f"Until then: {summary}", TEXT_LIMIT), ""
    facts = tuple(
        (caption, one_line(_beginning(labels[label], LINE_READ_LIMIT)))
        for label, caption in _FACTS
        if labels.get(label)
    )
    return Item(
        alert_id=alert.id,
        rule=one_line(finding.rule),
        tone="resolved" if resolved else _TONES[alert.severity],
        mark="RESOLVED" if resolved else alert.severity.upper(),
        summary=shorten(summary, SUMMARY_LIMIT),
        action="" if resolved else _advice(finding.action),  # what to do about a past thing misleads
        description=description,
        evidence=evidence,
        note=localise(one_line(told.note), voice.zone),
        reason=_reason(told, voice.zone),
        since=_since(alert, voice.zone),
        unverified="" if resolved else _unverified(alert, voice.zone),
        facts=facts,
        links=tuple(
            Link(_LINK_NAMES.get(name, one_line(name)), url) for name, url in links_of(alert, voice.public_url).items()
        ),
    )


def _beginning(text: str, limit: int = READ_LIMIT) -> str:
    """As much of `text` as is read."""
    return text if len(text) <= limit else text[:limit] + "…"


def _lines_left_out(text: str) -> int:
    """How many lines begin behind what is read."""
    count = text.count
    return count("\n", READ_LIMIT) + count("\r", READ_LIMIT) - count("\r\n", READ_LIMIT)


def _prose(text: str, zone: tzinfo) -> str:
    return fit(localise(clean(_beginning(text)), zone), TEXT_LIMIT, further=_lines_left_out(text))


def _advice(text: str) -> str:
    told = _INLINE_COMMAND.sub(":\n", clean(_beginning(text)))
    return fit(told, TEXT_LIMIT, further=_lines_left_out(text))


_TONES: Mapping[str, Tone] = {"critical": "critical", "warning": "warning", "info": "info"}


def outcome(alert: Alert, zone: tzinfo) -> str:
    """What a resolved alert is about, and how it ended."""
    labels = alert.finding.labels
    name, account = labels.get("deployment") or labels.get("job"), labels.get("account")
    elsewhere = labels.get("receiver") or labels.get("location") or ""
    about = f"{name} in {account}" if name and account else name or account or elsewhere
    because = alert.ended_because or "this is over"
    # What became of a deployment is told as it was told of itself, and begins with its name.
    says_so = not about or because.removeprefix("Deployment ").startswith(f"{about} ")
    return localise(one_line(because if says_so else f"{about}: {because}"), zone)


def _reason(told: NotificationAlert, zone: tzinfo) -> str:
    alert = told.alert
    step = step_name(alert.finding.rule, alert.finding.step)
    at_step = "" if not step else f" at the {step} step" if step == alert.finding.step else f" at {step}"
    match told.reason:
        case NotifyReason.FIRING:
            return "first notice" if not alert.is_event else "told once"
        case NotifyReason.SEVERITY_RAISED:
            return f"severity raised to {alert.severity}" + at_step
        case NotifyReason.REMINDER:
            return "reminder" + at_step
        case NotifyReason.RESOLVED:
            lasted = "" if alert.ends_at is None else f" after {spell_duration(alert.ends_at - alert.starts_at)}"
            because = localise(one_line(alert.ended_because), zone)
            untold = ", before this could be told" if told.was_untold else ""
            return f"resolved{lasted}{untold}" + (f" because {because}" if because else "")


def _since(alert: Alert, zone: tzinfo) -> str:
    at = spell_time(alert.finding.occurred_at or alert.starts_at, zone)
    return f"At {at}" if alert.is_event else f"Since {at}{' at least' if alert.finding.is_older else ''}"


def _unverified(alert: Alert, zone: tzinfo) -> str:
    if alert.unverified_since is None:
        return ""
    because = localise(one_line(alert.unverified_because), zone)
    return f"Not verified since {spell_time(alert.unverified_since, zone)}" + (f": {because}" if because else "")
