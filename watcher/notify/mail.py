"""A notification as a mail: headers, text and HTML. Pure; `email.py` sends it.

Message-ID comes from the notification's id, so that a repeat is recognised; each alert has a thread whose invented root
all its mails name in `References`, so that notice, reminders and resolve stand together. `List-Id` is what filters go
by (RFC 2919), `Auto-Submitted` keeps out-of-office replies away (RFC 3834). No text from outside can begin a header:
`one_line` has no line breaks, and `EmailMessage` would refuse them.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from watcher.notify.message import Message
from watcher.notify.wording import fit, one_line, shorten
from watcher.rules.text import called

SUBJECT_LIMIT = 150
#: Up to so many alerts are shown in full. Of more there is a list first, with the loudest in full behind it: Gmail cuts
#: a mail at 102 KB and keeps what is behind from its reader.
ITEMS_LIMIT = 10
LIST_LIMIT = 60
ITEMS_BEHIND_LIST = 5
#: Where a mail is longer than this, less is shown in full, and at last less listed.
BYTES_LIMIT = 100_000
TEXT_LIMIT = 40_000
REFERENCES_LIMIT = 20

#: Colours of text on white, by the class that turns them for dark screens.
_INKS = {
    "critical": "#b91c1c",
    "warning": "#b45309",
    "info": "#1d4ed8",
    "resolved": "#15803d",
    "mind": "#92400e",
    "ink": "#111827",
    "dim": "#4b5563",
}
_TIME = re.compile(r"\d{4}-\d\d-\d\d(?: \d\d:\d\d(?: [A-Z]{2,5}\b)?)?", re.ASCII)
_WHOLE = Markup('<span style="white-space:nowrap;">{}</span>')
_FONT = "font-family:'Segoe UI',Helvetica,Arial,sans-serif;"
_templates = Environment(
    loader=PackageLoader("watcher.notify"), autoescape=True, undefined=StrictUndefined, trim_blocks=False
)


def mail(message: Message, *, watcher: str, sender: str, to: tuple[str, ...], at: datetime) -> EmailMessage:
    """Build the mail.

    Args:
        sender: The address in From, with or without a name; without one it is "watcher NAME".
        at: By the wall clock, for the Date header.
    """
    for extent in _extents(len(message.items)):
        built = _mail(message, extent, watcher=watcher, sender=sender, to=to, at=at)
        if len(built.as_bytes()) <= BYTES_LIMIT:
            break
    return built


@dataclass(frozen=True, slots=True)
class Extent:
    """How much of a message is shown: the loudest so many in full, and so many in the list before them."""

    full: int
    listed: int


def _extents(count: int) -> Iterator[Extent]:
    """How much is tried to be shown, the most first. What a mail about one alert asks to do is never left out."""
    if count <= ITEMS_LIMIT:
        yield Extent(count, 0)
    if count <= 1:
        return
    for full in range(min(ITEMS_BEHIND_LIST, count), 0, -1):
        yield Extent(full, LIST_LIMIT)
    for listed in (LIST_LIMIT, LIST_LIMIT // 2, LIST_LIMIT // 6):
        yield Extent(0, listed)


def _mail(
    message: Message, extent: Extent, *, watcher: str, sender: str, to: tuple[str, ...], at: datetime
) -> EmailMessage:
    built, domain = addressed(message.id, message.title, watcher=watcher, sender=sender, to=to, at=at)
    if roots := [f"<{item.alert_id}@{domain}>" for item in message.items[:REFERENCES_LIMIT]]:
        built["In-Reply-To"] = roots[0]
        built["References"] = " ".join(roots)
    if message.tone == "critical":
        built["Importance"] = "high"
    built.set_content(text(message, extent))
    built.add_alternative(html(message, extent), subtype="html")
    return built


def addressed(
    id_: str, title: str, *, watcher: str, sender: str, to: tuple[str, ...], at: datetime
) -> tuple[EmailMessage, str]:
    """A mail without a body, and the domain of what it names."""
    display, address = parseaddr(sender)
    domain = address.rpartition("@")[2] or "watcher.invalid"
    built = EmailMessage(policy=SMTP)
    built["From"] = Address(one_line(display or called(watcher)), addr_spec=address)
    built["To"] = ", ".join(to)
    built["Subject"] = shorten(title, SUBJECT_LIMIT)
    built["Date"] = format_datetime(at)
    built["Message-ID"] = f"<{id_}@{domain}>"
    built["List-Id"] = f"<{_slug(watcher)}.watcher.{domain}>"
    built["Auto-Submitted"] = "auto-generated"
    built["X-Auto-Response-Suppress"] = "All"  # Exchange's word for the same
    return built, domain


def _slug(name: str) -> str:
    """`name` as a part of a domain."""
    return re.sub("[^a-z0-9]+", "-", name.lower())[:40].strip("-") or "unnamed"


def text(message: Message, extent: Extent) -> str:
    """The text part: the same alerts as in the HTML part."""
    listed = [f"{item.mark} · {item.summary}" for item in message.items[: extent.listed]]
    if listed and (left := len(message.items) - len(listed)):
        listed.append(_more(left))
    full = [item.text() for item in message.items[: extent.full]]
    rest = "" if not listed or len(full) == len(message.items) else _not_in_full(len(message.items) - len(full))
    parts = [*message.notes, "\n".join(listed), *full, rest, message.footer]
    more_at = message.link.url if message.link else ""
    return fit("\n\n".join(part for part in parts if part), TEXT_LIMIT, more_at=more_at)


def _more(count: int) -> str:
    return f"… {count} more: watcher alerts lists them all"


def _not_in_full(count: int) -> str:
    are = "alert is" if count == 1 else "alerts are"
    return f"{count} {are} not shown in full here: watcher alerts lists them, watcher explain ID tells all of one"


def html(message: Message, extent: Extent) -> str:
    """The HTML part. Every text in it is escaped by Jinja."""
    items, overview = message.items[: extent.full], message.items[: extent.listed]
    not_shown, not_listed = len(message.items) - len(items), len(message.items) - len(overview)
    return _templates.get_template("mail.html").render(
        message=message,
        items=items,
        not_shown=_not_in_full(not_shown) if not_shown else "",
        overview=overview,
        not_listed=_more(not_listed) if not_listed else "",
        preview=shorten(" — ".join((message.items[0].action.split("\n")[0],) if message.items else ()), 140),
        inks=_INKS,
        font=_FONT,
        indented=_indented,
        whole_times=_whole_times,
    )


def _whole_times(text: str) -> Markup:
    """`text`, escaped, with its times kept from being broken over two lines."""
    parts, at = [], 0
    for found in _TIME.finditer(text):
        parts += [escape(text[at : found.start()]), _WHOLE.format(found[0])]
        at = found.end()
    return Markup("").join((*parts, escape(text[at:])))


def _indented(line: str) -> Markup:
    """`line`, escaped, with its blanks at the beginning kept."""
    rest = line.lstrip(" ")
    return Markup("&nbsp;") * (len(line) - len(rest)) + escape(rest)
