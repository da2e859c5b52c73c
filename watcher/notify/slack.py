"""Slack by an incoming webhook: Block Kit, one section an alert.

Nothing from outside is read as markup: `&`, `<` and `>` are escaped, mentions and emphasis are broken by a zero-width
character, commands stand in code blocks, and Slack is told to look for no links or names (`verbatim`).

Source: Slack's reference of Block Kit (50 blocks a message, 150 characters in a header, 3,000 in a section's text, ten
fields of 2,000, 75 in a button's caption, 3,000 in its URL) and "Formatting text for app surfaces"; read November 2026.
"""

import json
import re
from dataclasses import dataclass, field
from datetime import datetime

from watcher import __version__
from watcher.alerts.notification import Notification
from watcher.clock import Clock, system_clock
from watcher.notify.http import check, post, reach
from watcher.notify.message import Item, Link, Message, Voice, render
from watcher.notify.notifier import Receipt
from watcher.notify.wording import fit, shorten, without_mentions
from watcher.transport import AsyncClient

BLOCKS_LIMIT = 50
HEADER_LIMIT = 150
TEXT_LIMIT = 3000
ACTION_LIMIT = 2300  # of a section, by the end of the action; the description has the rest
FIELD_LIMIT = 2000
FIELDS_LIMIT = 10
URL_LIMIT = 3000
#: An alert takes two blocks; header, notes, "n more", footer and buttons take up to five.
ITEMS_LIMIT = 20

_EMOJI = {"critical": "🔴", "warning": "🟠", "info": "🔵", "resolved": "🟢"}
#: Where Slack would begin emphasis, code or a quote.
_EMPHASIS = re.compile(r"(?<!\w)(?=[*_~`])|(?<=[*_~`])(?!\w)|^(?=\s*>)", re.MULTILINE)
#: Slack's own words for what is wrong: `no_service`, `channel_is_archived`.
_SLACK_WORD = re.compile(r"[a-z_]{2,40}")

Block = dict[str, object]


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
        body = json.dumps(slack_payload(render(notification, self.voice, now=now)), ensure_ascii=False).encode()
        headers = {"content-type": "application/json; charset=utf-8", "user-agent": f"watcher/{__version__}"}
        answer = await post(self.client, self.url, body=body, headers=headers)
        said = answer.text.strip()
        return check(answer, now=self.clock(), said=said if _SLACK_WORD.fullmatch(said) else "")

    async def probe(self) -> Receipt:
        return await reach(self.client, self.url)

    async def aclose(self) -> None:
        pass


def slack_payload(message: Message) -> dict[str, object]:
    """`message` as an incoming webhook takes it, within Slack's limits. Pure."""
    blocks: list[Block] = [
        {"type": "header", "text": _plain(f"{_EMOJI[message.tone]} {message.title}", HEADER_LIMIT)},
    ]
    if message.notes:
        blocks.append(_context("\n".join(message.notes)))
    for item in message.items[:ITEMS_LIMIT]:
        blocks += _item_blocks(item)
    if len(message.items) > ITEMS_LIMIT:
        blocks.append(_context(f"… {len(message.items) - ITEMS_LIMIT} more alerts"))
    blocks.append(_context(message.footer))
    links = message.items[0].links if len(message.items) == 1 else (message.link,) if message.link else ()
    if buttons := [_button(link) for link in links if len(link.url) <= URL_LIMIT]:
        blocks.append({"type": "actions", "elements": buttons[:5]})
    return {
        "text": cut(message.title, TEXT_LIMIT),  # what a phone shows
        "blocks": blocks,
        "unfurl_links": False,
        "unfurl_media": False,
    }


def escape(text: str) -> str:
    """`text` that Slack shows as it is: no markup, no mention."""
    text = _EMPHASIS.sub("\u200b", without_mentions(text))
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def cut(text: str, limit: int) -> str:
    """`text`, escaped, in at most `limit` characters; never cut inside an escape."""
    size = limit
    while len(escaped := escape(fit(text, size))) > limit:
        size -= max(1, (len(escaped) - limit) // 5)  # a character becomes at most six of them
    return escaped


def _item_blocks(item: Item) -> list[Block]:
    text = f"{_EMOJI[item.tone]} *{item.mark}*  *{cut(item.summary, 600)}*"
    for place, (is_command, step) in enumerate(item.steps()):
        room = ACTION_LIMIT - len(text)
        if room < 100:
            text += "\n…"
            break
        arrow = "→ " if place == 0 else ""
        text += f"\n{arrow}" + (f"```{_code(step, room)}```" if is_command else cut(step, room))
    if item.note:
        text += "\n" + cut(item.note, TEXT_LIMIT - len(text) - 1)
    if item.description:
        text += "\n" + cut(item.description, TEXT_LIMIT - len(text) - 1)
    section: Block = {"type": "section", "text": _mrkdwn(text)}
    if item.facts:
        section["fields"] = [
            _mrkdwn(f"*{caption}*\n{cut(value, FIELD_LIMIT - 100)}") for caption, value in item.facts[:FIELDS_LIMIT]
        ]
    details = [item.evidence and f"Evidence: {item.evidence}", item.unverified, f"{item.since} · {item.reason}"]
    return [section, _context("\n".join(line for line in details if line))]


def _code(text: str, limit: int) -> str:
    """`text` for the inside of a code block: only Slack's three characters count there, and the closing ticks."""
    size = limit
    while True:
        code = without_mentions(fit(text, size).replace("```", "'''").rstrip("`"))
        code = code.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        if len(code) <= limit:
            return code
        size -= max(1, (len(code) - limit) // 5)


def _mrkdwn(text: str) -> Block:
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _plain(text: str, limit: int) -> Block:
    return {"type": "plain_text", "text": cut(text, limit), "emoji": False}


def _context(text: str) -> Block:
    return {"type": "context", "elements": [_mrkdwn(cut(text, TEXT_LIMIT))]}


def _button(link: Link) -> Block:
    return {"type": "button", "text": _plain(shorten(link.caption, 60), 75), "url": link.url}
