"""A notification as a mail: headers, text and HTML. Pure; `email.py` sends it.

Message-ID comes from the notification's id, so that a repeat is recognised; each alert has a thread whose invented root
all its mails name in `References`, so that notice, reminders and resolve stand together. `Auto-Submitted` keeps
out-of-office replies away (RFC 3834). No text from outside can begin a header: `one_line` has no line breaks, and
`EmailMessage` would refuse them.
"""

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
HTML_ITEMS_LIMIT = 50
TEXT_LIMIT = 200_000
REFERENCES_LIMIT = 20

_COLOURS = {"critical": "#b91c1c", "warning": "#b45309", "info": "#1d4ed8", "resolved": "#15803d"}
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
    built["Auto-Submitted"] = "auto-generated"
    built["X-Auto-Response-Suppress"] = "All"  # Exchange's word for the same
    if message.tone == "critical":
        built["Importance"] = "high"
    built.set_content(message.text(TEXT_LIMIT))
    built.add_alternative(html(message), subtype="html")
    return built


def html(message: Message) -> str:
    """The HTML part. Every text in it is escaped by Jinja."""
    return _templates.get_template("mail.html").render(
        message=message,
        items=message.items[:HTML_ITEMS_LIMIT],
        omitted=max(0, len(message.items) - HTML_ITEMS_LIMIT),
        preview=shorten(" — ".join((message.items[0].action.split("\n")[0],) if message.items else ()), 140),
        colours=_COLOURS,
        font=_FONT,
        indented=_indented,
    )


def _indented(line: str) -> Markup:
    """`line`, escaped, with its blanks at the beginning kept."""
    rest = line.lstrip(" ")
    return Markup("&nbsp;") * (len(line) - len(rest)) + escape(rest)
