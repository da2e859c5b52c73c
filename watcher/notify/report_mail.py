"""A report as a mail: plain text, and HTML with its charts inside the mail. Pure; `email.py` sends it."""

from datetime import datetime
from email.message import EmailMessage

from watcher.notify.mail import addressed
from watcher.notify.report import ReportMessage
from watcher.notify.wording import clean, one_line


def report_mail(
    message: ReportMessage, *, watcher: str, sender: str, to: tuple[str, ...], at: datetime
) -> EmailMessage:
    """Build the mail.

    Args:
        sender: The address in From, with or without a name; without one it is "watcher NAME".
        at: By the wall clock, for the Date header.
    """
    built, _ = addressed(message.id, one_line(message.title), watcher=watcher, sender=sender, to=to, at=at)
    built.set_content(f"{clean(message.text)}\n\n{message.id}\n")
    built.add_alternative(message.html, subtype="html")
    if message.pictures:
        page = built.get_body(("html",))
        assert isinstance(page, EmailMessage)
        for picture in message.pictures:
            name = f"{picture.cid.partition('@')[0]}.png"
            page.add_related(picture.png, "image", "png", cid=f"<{picture.cid}>", filename=name, disposition="inline")
    return built
