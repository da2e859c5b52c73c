"""A report on its way to a receiver: what of it a medium may need, and what a notifier that takes reports can do.

Not every medium takes them: an incident is no place for a page of figures. Texts are rendered already and say the same
in each form; names in them come from outside, and each notifier guards them by its own markup's rules.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, TypeGuard

from watcher.notify.notifier import Receipt
from watcher.notify.wording import clean, rfc3339

VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A chart that the HTML names by `cid:`."""

    cid: str
    png: bytes = field(repr=False)
    title: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportMessage:
    """One edition of a report, in every form."""

    id: str  #: "rpt_…", the same over all tries
    title: str  #: one line
    text: str  #: all of it, as plain lines
    html: str  #: all of it, for mail
    short: tuple[str, ...]  #: what matters most, in plain lines
    statement: Mapping[str, object] = field(repr=False)  #: all of it, as values that JSON knows
    notes: tuple[str, ...] = ()  #: about the message as a whole: that it is late; `text` and `html` hold them already
    pictures: tuple[Picture, ...] = ()
    link: str = ""  #: address of the page that shows all of it; "": there is none
    made_at: datetime


class ReportNotifier(Protocol):
    """What a notifier that takes reports has beside `Notifier`'s own. Where `wants_pictures` is true, it gets them."""

    @property
    def name(self) -> str:
        """The receiver's name."""
        ...

    async def send_report(self, message: ReportMessage, *, now: datetime) -> Receipt:
        """Send once, within `SEND_TIMEOUT`. Safe to repeat: the receiver can tell repeats by the message's id.

        Raises:
            DeliveryError: it was not delivered, or not for certain.
        """
        ...


def takes_reports(notifier: object) -> TypeGuard[ReportNotifier]:
    """Whether reports can be sent by it."""
    return callable(getattr(notifier, "send_report", None))


def payload(message: ReportMessage, *, watcher: str, receiver: str, now: datetime) -> bytes:
    """The body of a webhook: the keys of every notification, and the statement under `report`."""
    return json.dumps(
        {
            "version": VERSION,
            "id": message.id,
            "watcher": watcher,
            "receiver": receiver,
            "sent_at": rfc3339(now),
            "test": False,
            "reason": "report",
            "title": clean(message.title),
            "notes": list(message.notes),
            "group": {},
            "alerts": [],
            "covers": [],
            "omitted": 0,
            "report": message.statement,
        },
        ensure_ascii=False,
        allow_nan=False,
        separators=(",", ":"),
    ).encode()
