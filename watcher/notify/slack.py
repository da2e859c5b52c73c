"""Slack's Block Kit, and Slack by an incoming webhook; `slack_bot.py` sends the same blocks as a bot.

Nothing from outside is read as markup: `&`, `<` and `>` are escaped, mentions, emphasis and names of emoji are broken
by a zero-width character, commands stand in code blocks, and Slack is told to look for no links or names (`verbatim`).
What does not fit is left out in this order: evidence and description, then all but what happened and what to do, then
the quietest alerts, counted.

Source: Slack's reference of Block Kit (50 blocks a message, 150 characters in a header, 3,000 in a section's text, ten
fields of 2,000, 75 in a button's caption, 3,000 in its URL) and "Formatting text for app surfaces"; read November 2026.
Not in the reference: all blocks of a message together may hold some 12,000 characters, beyond which the answer is
`msg_blocks_too_long` (github.com/slackapi/bolt-js, issues 2509 and 2867).
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, auto

from watcher import __version__
from watcher.alerts.notification import Notification
from watcher.clock import Clock, system_clock
from watcher.notify.http import check, post, reach
from watcher.notify.message import Item, Link, Message, Voice, render
from watcher.notify.notifier import Receipt
from watcher.notify.report import ReportMessage
from watcher.notify.wording import clean, fit, one_line, shorten, without_mentions
from watcher.rules.text import counted
from watcher.transport import AsyncClient

#: All blocks, as JSON: well below what Slack was seen to take, since how it counts is not known.
BLOCKS_TOTAL = 10_000
HEADER_LIMIT = 150
TEXT_LIMIT = 3000
ACTION_LIMIT = 2300  # of a section, by the end of the action; the description has the rest
SUMMARY_LIMIT = 600
FIELD_LIMIT = 300
CONTEXT_LIMIT = 2000
URL_LIMIT = 1000  # Slack takes 3,000, but they count among the blocks
BUTTONS_LIMIT = 3
NAME_LIMIT = 64
RULES_LIMIT = 2  # of several alerts, in the header

_EMOJI = {"critical": "🔴", "warning": "🟠", "info": "🔵", "resolved": "🟢"}
#: Where and whose, at a glance; the other facts stand in the small print.
_FIELDS = ("Deployment", "Job", "Account", "Model", "Owner")
#: By which a header calls what an alert is about.
_NAMES = ("Deployment", "Job", "Account", "Location")
#: Where Slack would begin emphasis, code or a quote.
_EMPHASIS = re.compile(r"(?<!\w)(?=[*_~`])|(?<=[*_~`])(?!\w)|^(?=\s*>)", re.MULTILINE)
#: `:tada:`, of which Slack would make a picture.
_EMOJI_NAME = re.compile(r"(?<=:)(?=[\w+'-]{1,100}:)")
#: How the description of a resolved alert begins; what follows is no longer true and is struck.
_UNTIL_THEN = "Until then: "
#: Slack's own words for what is wrong: `no_service`, `channel_is_archived`.
SLACK_WORD = re.compile(r"[a-z_]{2,60}")

Block = dict[str, object]
#: Blocks and errors are read as they come: an answer that is packed would have to be unpacked.
HEADERS = {
    "content-type": "application/json; charset=utf-8",
    "user-agent": f"watcher/{__version__}",
    "accept-encoding": "identity",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackNotifier:
    """POSTs blocks to an incoming webhook, whose URL is itself the secret."""

    name: str
    voice: Voice
    client: AsyncClient = field(repr=False)
    url: str = field(repr=False)
    clock: Clock = field(default=system_clock, repr=False)

    type = "slack"

    async def send(self, notification: Notification, *, now: datetime) -> Receipt:
        return await self._post(slack_payload(render(notification, self.voice, now=now)))

    async def send_report(self, message: ReportMessage, *, now: datetime) -> Receipt:
        return await self._post(report_payload(message))

    async def _post(self, payload: Mapping[str, object]) -> Receipt:
        body = json.dumps(payload, ensure_ascii=False).encode()
        answer = await post(self.client, self.url, body=body, headers=HEADERS)
        said = answer.text.strip()
        return check(answer, now=self.clock(), said=said if SLACK_WORD.fullmatch(said) else "")

    async def probe(self) -> Receipt:
        return await reach(self.client, self.url)

    async def aclose(self) -> None:
        pass


class _Detail(Enum):
    """How much is said of each alert."""

    FULL = auto()
    SHORT = auto()  # without evidence and description
    BRIEF = auto()  # what happened and what to do


#: For so many alerts there are blocks: two for each, in brief one; the rest of the message takes up to five.
_MOST = {_Detail.FULL: 22, _Detail.SHORT: 22, _Detail.BRIEF: 45}


def slack_payload(message: Message) -> dict[str, object]:
    """`message` as an incoming webhook and `chat.postMessage` take it, within Slack's limits. Pure."""
    return {
        "text": cut(f"{_EMOJI[message.tone]} {message.title}", TEXT_LIMIT),  # what a phone shows
        "blocks": _fitting(message),
        "unfurl_links": False,
        "unfurl_media": False,
    }


def report_payload(message: ReportMessage) -> dict[str, object]:
    """The short form of a report, as an incoming webhook and `chat.postMessage` take it. Pure."""
    lines = "\n".join(message.short)
    blocks: list[Block] = [{"type": "header", "text": _plain(one_line(message.title), HEADER_LIMIT)}]
    blocks += [_context(one_line(note), 600) for note in message.notes[:5]]
    if lines.strip():
        blocks.append(_section(cut(clean(lines), TEXT_LIMIT)))
    blocks.append(_context(message.id, 100))
    if message.link and len(message.link) <= URL_LIMIT:
        blocks.append({"type": "actions", "elements": [_button(Link("Open the report", message.link))]})
    text = cut(one_line(message.title), TEXT_LIMIT)
    return {"text": text, "blocks": blocks, "unfurl_links": False, "unfurl_media": False}


def _fitting(message: Message) -> list[Block]:
    count = len(message.items)
    for detail in _Detail:
        if count <= _MOST[detail] and _size(blocks := _blocks(message, message.items, detail)) <= BLOCKS_TOTAL:
            return blocks
    for kept in range(min(count, _MOST[_Detail.BRIEF]), 0, -1):
        if _size(blocks := _blocks(message, message.items[:kept], _Detail.BRIEF)) <= BLOCKS_TOTAL:
            return blocks
    return _blocks(message, (), _Detail.BRIEF)


def _size(blocks: Sequence[Block]) -> int:
    return len(json.dumps(blocks, ensure_ascii=False))


def _blocks(message: Message, items: Sequence[Item], detail: _Detail) -> list[Block]:
    blocks: list[Block] = [{"type": "header", "text": _plain(_header(message), HEADER_LIMIT)}]
    if message.notes:
        blocks.append(_context("\n".join(message.notes), 600))
    alone = len(message.items) == 1
    before = ""
    for item in items:
        if detail is _Detail.BRIEF:
            advice = "" if item.steps()[:1] and item.steps()[0][0] else item.advice()  # no command
            blocks.append(_brief(item, advice if advice != before else "", marked=not alone))
            before = advice
        else:
            blocks += _item_blocks(item, detail, alone=alone)
    if left := len(message.items) - len(items):
        blocks.append(_context(f"… {left} more {'alert' if left == 1 else 'alerts'}", 100))
    blocks.append(_context(message.footer, 300))
    if buttons := _buttons(message, alone=alone):
        blocks.append({"type": "actions", "elements": buttons})
    return blocks


def _header(message: Message) -> str:
    """How bad, which rule and whose name, short enough to be read at once; the summary stands below."""
    head, loudest = f"{_EMOJI[message.tone]} {message.head}", "" if message.tone == "resolved" else message.tone
    if len(message.items) == 1:
        item = message.items[0]
        facts = dict(item.facts)
        name = next((facts[caption] for caption in _NAMES if caption in facts), "")
        what = " · ".join(filter(None, (_words(item.rule), shorten(name, NAME_LIMIT))))
        return f"{head} {f'{loudest}: ' if loudest else ''}{what}"
    rules = list(dict.fromkeys(_words(item.rule) for item in message.items))
    more = f" and {counted(len(rules) - RULES_LIMIT, 'more rule')}" if len(rules) > RULES_LIMIT else ""
    count = f"{len(message.items)} alerts" if message.items else "no alerts"
    what = f": {', '.join(rules[:RULES_LIMIT])}{more}" if rules else ""
    return f"{head} {count}{f', up to {loudest}' if loudest and rules else ''}{what}"


def _words(rule: str) -> str:
    return shorten(rule.replace("_", " "), 40)


def _buttons(message: Message, *, alone: bool) -> list[Block]:
    links = _usable(message.items[0].links) if alone else []
    return [_button(link) for link in (links or _usable((message.link,) if message.link else ()))[:BUTTONS_LIMIT]]


def _usable(links: Sequence[Link]) -> list[Link]:
    return [link for link in links if len(link.url) <= URL_LIMIT]


def escape(text: str) -> str:
    """`text` that Slack shows as it is: no markup, no mention."""
    text = _EMOJI_NAME.sub("\u200b", _EMPHASIS.sub("\u200b", without_mentions(text)))
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def cut(text: str, limit: int) -> str:
    """`text`, escaped, in at most `limit` characters; never cut inside an escape."""
    size = limit
    while len(escaped := escape(fit(text, size))) > limit:
        size -= max(1, (len(escaped) - limit) // 5)  # a character becomes at most six of them
    return escaped


def _item_blocks(item: Item, detail: _Detail, *, alone: bool) -> list[Block]:
    """The blocks of one alert; of one among several also how loud it is, and a button to its own page."""
    lines = [_heading(item, marked=not alone)]
    _add_steps(lines, item)
    unverified = f"⚠️ {item.unverified}" if item.unverified else ""
    for text in (unverified, item.note, item.description if detail is _Detail.FULL else ""):
        room = TEXT_LIMIT - len("\n".join(lines)) - 5
        if text and room > 0:
            is_over = item.tone == "resolved" and text.startswith(_UNTIL_THEN)
            lines.append(f"{_UNTIL_THEN}~{cut(text[len(_UNTIL_THEN) :], room - 20)}~" if is_over else cut(text, room))
    section = _section("\n".join(lines))
    if fields := [(caption, value) for caption, value in item.facts if caption in _FIELDS]:
        section["fields"] = [_mrkdwn(f"*{caption}*\n{cut(value, FIELD_LIMIT)}") for caption, value in fields]
    if not alone and (links := _usable(item.links[:1])):
        section["accessory"] = _button(links[0])
    rest = " · ".join(f"{caption}: {value}" for caption, value in item.facts if caption not in _FIELDS)
    evidence = f"Evidence: {item.evidence}" if item.evidence and detail is _Detail.FULL else ""
    details = [f"{item.since} · {item.reason}", rest, evidence]
    return [section, _context("\n".join(line for line in details if line), CONTEXT_LIMIT)]


def _brief(item: Item, advice: str, *, marked: bool) -> Block:
    """One alert in two lines."""
    return _section("\n".join([_heading(item, marked=marked), *([f"→ {cut(advice, 300)}"] if advice else [])]))


def _heading(item: Item, *, marked: bool) -> str:
    mark = f"{_EMOJI[item.tone]} *{item.mark}*  " if marked else ""
    return f"{mark}*{cut(item.summary, SUMMARY_LIMIT) or item.mark}*"


def _add_steps(lines: list[str], item: Item) -> None:
    for place, (is_command, step) in enumerate(item.steps()):
        room = ACTION_LIMIT - len("\n".join(lines))
        if room < 100:
            lines.append("…")
            return
        arrow = "→ " if place == 0 else ""
        lines.append(arrow + (f"```{_code(step, room)}```" if is_command else cut(step, room)))


def _code(text: str, limit: int) -> str:
    """`text` for the inside of a code block: only Slack's three characters count there, and the closing ticks."""
    size = limit
    while True:
        code = without_mentions(fit(text, size).replace("```", "'''").rstrip("`"))
        code = code.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        if len(code) <= limit:
            return code
        size -= max(1, (len(code) - limit) // 5)


def _section(text: str) -> Block:
    return {"type": "section", "text": _mrkdwn(text)}


def _mrkdwn(text: str) -> Block:
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _plain(text: str, limit: int) -> Block:
    return {"type": "plain_text", "text": cut(text, limit), "emoji": False}


def _context(text: str, limit: int) -> Block:
    return {"type": "context", "elements": [_mrkdwn(cut(text, limit))]}


def _button(link: Link) -> Block:
    return {"type": "button", "text": _plain(shorten(link.caption, 60), 75), "url": link.url}
