"""Messages on a terminal: coloured there, plain text elsewhere."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import TextIO

from rich.console import Console
from rich.text import Text

from watcher.alerts.notification import Notification
from watcher.errors import DeliveryError
from watcher.notify.message import Item, Message, Voice, render
from watcher.notify.notifier import Receipt
from watcher.notify.report import ReportMessage
from watcher.notify.wording import clean, one_line

_STYLES = {"critical": "bold red", "warning": "bold yellow", "info": "bold blue", "resolved": "bold green"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleNotifier:
    """Writes to `stream`; colours where it is a terminal and `NO_COLOR` is not set."""

    name: str
    voice: Voice
    stream: TextIO = field(repr=False)

    type = "console"

    async def send(self, notification: Notification, *, now: datetime) -> Receipt:
        try:
            write(render(notification, self.voice, now=now), self.stream)
        except (OSError, ValueError) as exc:  # a closed pipe; a closed stream
            raise DeliveryError("the console cannot be written to", permanent=False, kind="refused") from exc
        return Receipt("written")

    async def send_report(self, message: ReportMessage, *, now: datetime) -> Receipt:
        try:
            write_report(message, self.stream)
        except (OSError, ValueError) as exc:
            raise DeliveryError("the console cannot be written to", permanent=False, kind="refused") from exc
        return Receipt("written")

    async def probe(self) -> Receipt:
        return Receipt("standard output")

    async def aclose(self) -> None:
        pass


def write(message: Message, stream: TextIO) -> None:
    """Write `message` as a block of lines; nothing in it is read as markup."""
    console = Console(file=stream, highlight=False, markup=False, emoji=False)
    console.print(*_lines(message), sep="\n", soft_wrap=True)
    stream.flush()


def write_report(message: ReportMessage, stream: TextIO) -> None:
    """Write a report as it is, under its title."""
    console = Console(file=stream, highlight=False, markup=False, emoji=False)
    head = Text().append("━━ ", "dim").append(one_line(message.title), "bold")
    foot = Text(f"   {message.id}", "dim")
    console.print(head, Text(clean(message.text)), foot, Text(), sep="\n", soft_wrap=True)
    stream.flush()


def _lines(message: Message) -> list[Text]:
    lines = [Text().append("━━ ", "dim").append(message.title, _STYLES[message.tone])]
    lines += [Text(f"   {note}", "italic") for note in message.notes]
    for item in message.items:
        parted = len(message.items) > 1
        lines += [Text()] * parted
        lines += _item_lines(item, headed=parted or not message.title.endswith(item.summary))
    lines += [Text(f"   {message.footer}", "dim"), Text()]
    return lines


def _item_lines(item: Item, *, headed: bool) -> list[Text]:
    """The lines of one alert; `headed` unless the title says the same already."""
    lines = [Text("   ").append(f"{item.mark:<9}", _STYLES[item.tone]).append(item.summary, "bold")] if headed else []
    if item.note:
        lines.append(Text(f"   {item.note}", "yellow"))
    for place, (is_command, step) in enumerate(item.steps()):
        lead = Text("   → " if place == 0 else "     ", "cyan")
        indent = "  " if is_command and place else ""
        for line in step.splitlines():
            lines.append(lead.copy().append(indent + line, "cyan" if is_command else "default"))
            lead = Text("     ")
    details = [*item.description.splitlines(), *(f"Evidence: {item.evidence}" if item.evidence else "").splitlines()]
    lines += [Text(f"   {line}") for line in details]
    if item.unverified:
        lines.append(Text(f"   {item.unverified}", "yellow"))
    lines.append(Text(f"   {item.since} · {item.reason}", "dim"))
    if item.facts:
        lines.append(Text("   " + " · ".join(f"{caption}: {value}" for caption, value in item.facts), "dim"))
    lines += [Text(f"   {link.caption}: {link.url}", "dim") for link in item.links]
    return lines
