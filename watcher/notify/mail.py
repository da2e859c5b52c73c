"""A notification as a mail: headers, text and HTML. Pure; `email.py` sends it.

Message-ID comes from the notification's id, so that a repeat is recognised; each alert has a thread whose invented root
all its mails name in `References`, so that notice, reminders and resolve stand together. `List-Id` is what filters go
by (RFC 2919), `Auto-Submitted` keeps out-of-office replies away (RFC 3834). No text from outside can begin a header:
`one_line` has no line breaks, and `EmailMessage` would refuse them.
"""

import re
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from watcher.notify.message import Message
from watcher.notify.wording import one_line, shorten

SUBJECT_LIMIT = 150
#: Up to so many alerts are shown in full. Of more there is a list first, with the loudest in full behind it: Gmail cuts
#: a mail at 102 KB and keeps what is behind from its reader.
HTML_ITEMS_LIMIT = 10
HTML_LIST_LIMIT = 60
HTML_ITEMS_BEHIND_LIST = 5
TEXT_LIMIT = 200_000
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
    display, address = parseaddr(sender)
    domain = address.rpartition("@")[2] or "watcher.invalid"
    built = EmailMessage(policy=SMTP)
    built["From"] = Address(one_line(display or f"watcher {watcher}"), addr_spec=address)
    built["To"] = ", ".join(to)
    built["Subject"] = shorten(message.title, SUBJECT_LIMIT)
    built["Date"] = format_datetime(at)
    built["Message-ID"] = f"<{message.id}@{domain}>"
    if roots := [f"<{item.alert_id}@{domain}>" for item in message.items[:REFERENCES_LIMIT]]:
        built["In-Reply-To"] = roots[0]
        built["References"] = " ".join(roots)
    built["List-Id"] = f"<{_slug(watcher)}.watcher.{domain}>"
    built["Auto-Submitted"] = "auto-generated"
    built["X-Auto-Response-Suppress"] = "All"  # Exchange's word for the same
    if message.tone == "critical":
        built["Importance"] = "high"
    built.set_content(message.text(TEXT_LIMIT))
    built.add_alternative(html(message), subtype="html")
    return built


def _slug(name: str) -> str:
    """`name` as a part of a domain."""
    return re.sub("[^a-z0-9]+", "-", name.lower())[:40].strip("-") or "unnamed"


def html(message: Message) -> str:
    """The HTML part. Every text in it is escaped by Jinja."""
    items, overview = message.items, message.items[:0]
    if len(items) > HTML_ITEMS_LIMIT:
        items, overview = items[:HTML_ITEMS_BEHIND_LIST], items[:HTML_LIST_LIMIT]
    return _templates.get_template("mail.html").render(
        message=message,
        items=items,
        not_shown=len(message.items) - len(items),
        overview=overview,
        not_listed=len(message.items) - len(overview) if overview else 0,
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
