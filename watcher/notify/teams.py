"""Microsoft Teams by a workflow ("Post to a channel when a webhook request is received"): one Adaptive Card.

The card is of version 1.4, since Power Automate refuses 1.5 (github.com/microsoft/AdaptiveCards, issue 8965). Every
text stands in a `RichTextBlock`, which knows no Markdown: links, emphasis, lists and mentions of names that come from
outside stay text, where a `TextBlock` or a fact would read them. A line of text has a block of its own, since a run
has no line breaks. A workflow answers 202 before it posts: what goes wrong after that shows in its own run history.

Source: Microsoft's "Types of cards", "Text features" of Adaptive Cards, "Create and send messages" (connectors are
retired, a workflow takes Adaptive Cards alone) and the Teams connector's limits (a message of about 28 KB); read
November 2026. Others measured 21 KB (rubydoc.info, msteams_hermes).
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlsplit

from watcher import __version__
from watcher.alerts.notification import Notification
from watcher.clock import Clock, system_clock
from watcher.notify.http import check, post, reach
from watcher.notify.message import Item, Link, Message, Tone, Voice, render
from watcher.notify.notifier import Receipt
from watcher.notify.report import ReportMessage
from watcher.notify.wording import fit, one_line, shorten, without_mentions
from watcher.transport import AsyncClient

CARD_VERSION = "1.4"
#: The request's body in bytes; below the 21 KB that were measured.
SIZE_LIMIT = 20_000
#: For so many alerts there is room in a list that somebody reads.
ITEMS_LIMIT = 40
URL_LIMIT = 1000
BUTTONS_LIMIT = 3

#: Characters for each of an alert's texts, tried one after the other until the card fits.
_ROOMS = (3000, 1500, 600, 250)
_STYLES: dict[Tone, str] = {"critical": "attention", "warning": "warning", "info": "accent", "resolved": "good"}
_MARKS: dict[Tone, str] = {"critical": "🔴", "warning": "🟠", "info": "🔵", "resolved": "🟢"}
#: `<at>` begins a mention, `{{DATE(…)}}` a time that the client writes.
_ACTIVE = re.compile(r"(?i)(?<=<)(?=/?at\b)|(?<=\{)(?=\{(?:DATE|TIME)\()")
#: Power Automate's names for what is wrong.
_CODE = re.compile(r"[A-Za-z]{3,60}")
_CURES = {
    "DirectApiAuthorizationRequired": "let anyone trigger the workflow, or copy its URL again: it lacks its signature",
    "DirectApiInvalidAuthorizationScheme": "let anyone trigger the workflow",
    "WorkflowNotFound": "the workflow was deleted; make it anew",
    "WorkflowTriggerIsNotEnabled": "turn the workflow on again",
}

Element = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamsNotifier:
    """POSTs a card to a workflow, whose URL is itself the secret."""

    name: str
    voice: Voice
    client: AsyncClient = field(repr=False)
    url: str = field(repr=False)
    clock: Clock = field(default=system_clock, repr=False)

    type = "teams"

    async def send(self, notification: Notification, *, now: datetime) -> Receipt:
        return await self._post(teams_payload(render(notification, self.voice, now=now)))

    async def send_report(self, message: ReportMessage, *, now: datetime) -> Receipt:
        return await self._post(report_payload(message))

    async def _post(self, payload: dict[str, object]) -> Receipt:
        headers = {
            "content-type": "application/json; charset=utf-8",
            "user-agent": f"watcher/{__version__}",
            "accept-encoding": "identity",  # the error's name is read
        }
        answer = await post(self.client, self.url, body=encode(payload), headers=headers)
        taken = "taken by the workflow" if answer.status == 202 else ""
        return check(answer, now=self.clock(), said=_said(answer.text) or taken)

    async def probe(self) -> Receipt:
        return await reach(self.client, self.url)

    async def aclose(self) -> None:
        pass


def is_retired(url: str) -> bool:
    """Whether an address is of the Office 365 connectors, which Microsoft has switched off."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    host = (parts.hostname or "").rstrip(".")
    return host.endswith(".webhook.office.com") or (
        host in ("outlook.office.com", "outlook.office365.com") and parts.path.startswith("/webhook")
    )


def encode(payload: dict[str, object]) -> bytes:
    """The request's body."""
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()


def teams_payload(message: Message) -> dict[str, object]:
    """`message` as a workflow takes it, within the limit of a message: all, else all in short, else the loudest. Pure.

    The same message gives the same payload.
    """
    count = min(len(message.items), ITEMS_LIMIT)
    for room in _ROOMS:
        if len(encode(payload := _payload(message, message.items[:count], room))) <= SIZE_LIMIT:
            return payload
    for kept in range(count, 0, -1):
        if len(encode(payload := _payload(message, message.items[:kept], 0))) <= SIZE_LIMIT:
            return payload
    return _payload(message, (), 0)


def report_payload(message: ReportMessage) -> dict[str, object]:
    """The short form of a report as a workflow takes it. Pure."""
    title = plain(one_line(message.title), 250)
    heading: Element = {"type": "Container", "style": "accent", "bleed": True}
    body: list[Element] = [heading | {"items": [_text(title, weight="Bolder", size="Medium")]}]
    body += [_text(plain(one_line(note), 300), italic=True) for note in message.notes[:5]]
    body += [_text(plain(one_line(line), 600)) for line in message.short[:ITEMS_LIMIT] if line.strip()]
    while len(body) > 1 and len(encode({"body": body})) > SIZE_LIMIT:
        body.pop()
    body.append(_text(message.id, size="Small", isSubtle=True))
    links = [Link("Open the report", message.link)] if message.link else []
    return _card(title, body, _usable(links))


def plain(text: str, limit: int) -> str:
    """`text`, cut, with whatever a client could act on broken by a zero-width character."""
    return _ACTIVE.sub("\u200b", without_mentions(fit(text, limit)))


def _payload(message: Message, items: Sequence[Item], room: int) -> dict[str, object]:
    title = plain(f"{_MARKS[message.tone]} {message.title}", 250)
    body: list[Element] = [
        {
            "type": "Container",
            "style": _STYLES[message.tone],
            "bleed": True,
            "items": [_text(title, weight="Bolder", size="Medium")],
        }
    ]
    body += [_text(plain(note, 300), italic=True) for note in message.notes[:5]]
    alone = len(message.items) == 1
    before: Sequence[tuple[bool, str]] = ()
    for item in items:
        headed, acted = not (alone and title.endswith(item.summary)), bool(room) or item.steps() != before
        body.append(_item(item, room, headed=headed, linked=not alone, acted=acted))
        before = item.steps()
    if left := len(message.items) - len(items):
        body.append(_text(f"… {left} more {'alert' if left == 1 else 'alerts'}", weight="Bolder"))
    body.append(_text(plain(message.footer, 200), size="Small", isSubtle=True))
    return _card(title, body, _links(message))


def _card(title: str, body: Sequence[Element], links: Sequence[Link]) -> dict[str, object]:
    card: Element = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": CARD_VERSION,
        "msteams": {"width": "Full"},
        "fallbackText": title,
        "body": body,
    }
    if links:
        card["actions"] = [_open(link) for link in links]
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


def _links(message: Message) -> list[Link]:
    own = message.items[0].links if len(message.items) == 1 else ()
    everything = (message.link,) if message.link else ()
    return (_usable(own) or _usable(everything))[:BUTTONS_LIMIT]


def _usable(links: Sequence[Link]) -> list[Link]:
    return [link for link in links if len(link.url) <= URL_LIMIT]


def _open(link: Link) -> Element:
    return {"type": "Action.OpenUrl", "title": plain(shorten(link.caption, 60), 70), "url": link.url}


def _item(item: Item, room: int, *, headed: bool, linked: bool, acted: bool) -> Element:
    """One alert: what happened, what to do, why, where. With no `room`, what happened and what to do alone.

    Args:
        room: Characters that each of its texts may have.
        headed: Say what happened; `False` where the card's title has said it.
        linked: With the address of the alert's page behind its heading.
        acted: Say what to do.
    """
    parts: list[Element] = []
    if headed:
        heading = plain(f"{_MARKS[item.tone]} {item.mark} · {item.summary}", 320)
        links = _usable(item.links[:1]) if linked and room else []
        parts.append(_text(heading, weight="Bolder", **({"selectAction": _open(links[0])} if links else {})))
    parts += _steps(item, room) if acted else []
    if room:
        is_over = item.tone == "resolved"
        unverified = f"⚠️ {item.unverified}" if item.unverified else ""
        for line in plain("\n".join(filter(None, (unverified, item.note))), room).splitlines():
            parts.append(_text(line))
        for line in plain(item.description, room).splitlines():
            parts.append(_text(line, strikethrough=True) if is_over else _text(line))
        if item.facts:
            parts.append(_facts(item, min(room, 300)))
        for detail in (f"{item.since} · {item.reason}", item.evidence and f"Evidence: {item.evidence}"):
            parts += [_text(line, size="Small", isSubtle=True) for line in plain(detail, room).splitlines()]
    return {"type": "Container", "separator": True, "items": parts or [_text(item.mark, weight="Bolder")]}


def _steps(item: Item, room: int) -> list[Element]:
    parts, left = [], room or 250
    for place, (is_command, step) in enumerate(item.steps()):
        if left < 50 or (not room and (place or is_command)):
            break
        text = plain(step, left)
        left -= len(text)
        lead = "→ " if place == 0 else ""
        for line in filter(str.strip, text.splitlines()):
            parts.append(_text(lead + line, fontType="Monospace") if is_command else _text(lead + line))
            lead = ""
    return parts


def _facts(item: Item, room: int) -> Element:
    """Where and whose, on one line that wraps: a `FactSet` would read Markdown in its values."""
    runs: list[Element] = []
    for caption, value in item.facts:
        runs.append(_run(f"{' · ' if runs else ''}{caption}: ", weight="Bolder"))
        runs.append(_run(plain(value, room)))
    return {"type": "RichTextBlock", "spacing": "Small", "inlines": runs}


def _text(text: str, **look: object) -> Element:
    return {"type": "RichTextBlock", "spacing": "Small", "inlines": [_run(text, **look)]}


def _run(text: str, **look: object) -> Element:
    return {"type": "TextRun", "text": text or " ", **look}


def _said(text: str) -> str:
    """Power Automate's name for an error, with its cure where there is one; its messages may hold the address."""
    try:
        code = json.loads(text)["error"]["code"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
    if not isinstance(code, str) or not _CODE.fullmatch(code):
        return ""
    return f"{code}: {_CURES[code]}" if code in _CURES else code
