"""The timeline: what happens in a step, a line or two each, and what it all came to.

A line waits for the end of its step, so that an alert can say who was told of it.
"""

import re
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from rich.console import Console
from rich.text import Text

from watcher import cycles
from watcher.alerts.alert import Alert, AlertStatus
from watcher.alerts.summary import summary_at
from watcher.resources.changes import ESTIMATED_FINISH, Change, ResourceKind, Transition
from watcher.rules.finding import Severity
from watcher.rules.step_words import step_name
from watcher.rules.text import counted

#: Cells of a line, on a wide terminal too: eyes do not follow longer ones.
WIDTH = 100

_LEAST_WIDTH = 60

_STYLES = {"info": "blue", "warning": "yellow", "critical": "bold red"}
#: Under which the second line of something begins.
_INDENT = " " * len("  0 00:00  ● ")
#: Rules whose summaries say last what one wants to know first.
_TOLD_WHOLE = frozenset({"deployment_gone", "job_overfitting"})
_SEEN, _FIRED, _RESOLVED = "·", "●", "✓"
_TIME = re.compile(r"\d{4}-(\d\d-\d\d)T(\d\d:\d\d)\S*")


@dataclass(slots=True)
class Tally:
    """What the summary counts."""

    requests: int = 0
    transitions: int = 0
    alerts: dict[str, Alert] = field(default_factory=dict)  #: by id, as last told, in the order in which they fired
    delivered: Counter[str] = field(default_factory=Counter)
    received: int = 0  #: by the webhook sink
    signed: int = 0  #: of these


@dataclass(slots=True, kw_only=True)
class _Line:
    """One thing that happened in this step."""

    at: datetime
    mark: str  #: `_SEEN`, `_FIRED` or `_RESOLVED`
    style: str
    what: str  #: in bold
    text: str
    most_rows: int = 1
    told: list[str] = field(default_factory=list)  #: names of receivers


class Timeline:
    """Is told what happens, and prints it at the end of each step, with the simulated time."""

    def __init__(self, out: Console, start: datetime, tally: Tally, *, jobs: Mapping[str, str]) -> None:
        """`jobs`: what to call each job, by its id."""
        self._out, self._start, self._tally, self._jobs = out, start, tally, jobs
        self._width = max(min(out.width, WIDTH), _LEAST_WIDTH) if out.is_terminal else WIDTH
        self._lines: list[_Line] = []
        self._alerts: dict[str, _Line] = {}
        self._files: Counter[str] = Counter()  #: that appeared, by account, and await its next line

    def __call__(self, news: object) -> None:
        if isinstance(news, cycles.Recorded):
            fresh = [transition for transition in news.transitions if not transition.is_history]
            if fresh:
                self._tally.transitions += len(fresh)
                self._seen(news.account.label, fresh)
            self._note(news.alerts)
        elif isinstance(news, cycles.Delivered):
            self._delivery(news)
        elif isinstance(news, tuple):
            self._note(news)

    def end_step(self) -> None:
        """Print what happened since the last one."""
        for line in self._lines:
            self._print(line)
        self._lines.clear()
        self._alerts.clear()

    # Changes

    def _seen(self, account: str, transitions: Sequence[Transition]) -> None:
        """A line for what changed in an account; files that were only uploaded wait for something worth a line."""
        worth = [one for one in transitions if not _is_upload(one)]
        self._files[account] += len(transitions) - len(worth)
        if not worth:
            return
        text = "; ".join(self._changes(worth))
        if files := self._files.pop(account, 0):
            text += f"; {files} file{'s' if files > 1 else ''} appeared"
        at = max(one.observed_at for one in worth)
        self._lines.append(_Line(at=at, mark=_SEEN, style="dim", what="", text=f"{account}: {text}"))

    def _changes(self, transitions: Iterable[Transition]) -> Iterator[str]:
        """Each resource once, with all that it went through."""
        steps: dict[tuple[str, str], list[str]] = {}
        for one in transitions:
            named = f'"{self._jobs[one.resource]}"' if one.resource in self._jobs else one.name
            key = f"{one.kind.value} {named}", one.attribute
            match one.change:
                case Change.DISCOVERED:
                    steps[key] = [f"appeared: {_short(one.after)}"]
                case Change.GONE | Change.REPLACED:
                    steps[key] = [one.change.value]
                case _ if key in steps:
                    steps[key].append(f"→ {_short(one.after)}")
                case _:
                    before = f" {_short(one.before)}" if one.before else ""
                    noun = "end announced for" if one.attribute == ESTIMATED_FINISH else ""
                    steps[key] = [f"{noun}{before} → {_short(one.after)}".strip()]
        for (name, _), went in steps.items():
            yield f"{name} {' '.join(went)}"

    # Alerts

    def _note(self, alerts: Iterable[Alert]) -> None:
        for alert in alerts:
            before = self._tally.alerts.get(alert.id)
            self._tally.alerts[alert.id] = alert
            if alert.status is AlertStatus.RESOLVED or before is None or before.raised_at < alert.raised_at:
                self._add(alert)

    def _delivery(self, delivered: cycles.Delivered) -> None:
        notification = delivered.delivery.notification
        if delivered.state != "delivered":
            return  # it is tried again, or stands among the undelivered
        self._tally.delivered[notification.receiver] += 1
        for one in notification.alerts:
            line = self._alerts.get(one.alert.id)
            if line is None:  # it fired in an earlier step, or ended with its account
                self._tally.alerts[one.alert.id] = one.alert
                line = self._add(one.alert)
            line.told.append(notification.receiver)

    def _add(self, alert: Alert) -> _Line:
        finding, labels = alert.finding, alert.finding.labels
        is_whole = finding.severity is not Severity.INFO or finding.rule in _TOLD_WHOLE
        if alert.status is AlertStatus.RESOLVED:
            is_whole = False
            about = labels.get("deployment") or self._jobs.get(labels.get("job", "")) or labels.get("account", "")
            because = alert.ended_because
            text = because if because.startswith(f"{about} ") else f"{about}: {because}"
            mark, style, state = _RESOLVED, "green", "resolved"
        else:
            mark, style, text = _FIRED, _STYLES[finding.severity.value], summary_at(alert, alert.updated_at)
            word = "" if finding.severity is Severity.INFO else finding.severity.value
            state = f"{word} {step_name(finding.rule, finding.step)}".strip()
        line = _Line(
            at=alert.updated_at,
            mark=mark,
            style=style,
            what=f"{finding.rule} [{state}]" if state else finding.rule,
            text=text,
            most_rows=2 if is_whole else 1,
        )
        self._lines.append(line)
        self._alerts[alert.id] = line
        return line

    # Lines

    def _print(self, line: _Line) -> None:
        passed = line.at - self._start
        hours, minutes = divmod(passed.seconds // 60, 60)
        told = f" → {', '.join(sorted(line.told))}" if line.told else ""
        whole = f"{line.what}  {line.text}" if line.what else line.text
        rows = _rows(whole, told, self._width - len(_INDENT), line.most_rows)
        text = Text(f"{passed.days:>3} {hours:02}:{minutes:02}  ", "dim").append(f"{line.mark} ", line.style)
        if line.mark == _SEEN:
            text.append(f"\n{_INDENT}".join(rows), "dim")
        else:
            text.append(line.what, f"bold {line.style}")
            text.append(f"\n{_INDENT}".join(rows).removeprefix(line.what))
        self._out.print(text)


def _rows(text: str, tail: str, width: int, most: int) -> list[str]:
    """`text` in at most so many rows, cut where it is longer; `tail` stands at the end either way."""
    rows = textwrap.wrap(text + tail, width, break_on_hyphens=False)
    if len(rows) <= most:
        return rows
    rows = textwrap.wrap(text, width, break_on_hyphens=False)
    rest = " ".join(rows[most - 1 :])
    return [*rows[: most - 1], f"{rest[: width - len(tail) - 1].rstrip()}…{tail}"]


def _is_upload(transition: Transition) -> bool:
    is_file = transition.kind is ResourceKind.FILE and transition.change is Change.DISCOVERED
    return is_file and transition.after == "processed"


def summarise(out: Console, tally: Tally, length: timedelta) -> None:
    """What it all came to."""
    rules = {alert.finding.rule for alert in tally.alerts.values()}
    resolved = sum(alert.status is AlertStatus.RESOLVED for alert in tally.alerts.values())
    delivered = ", ".join(f"{count} to {receiver}" for receiver, count in sorted(tally.delivered.items())) or "none"
    out.print()
    out.print(Text(f"Summary of {counted(round(length / timedelta(days=1)), 'simulated day')}", "bold"))
    rows = {
        "requests to Azure": f"{tally.requests:,}",
        "transitions": f"{tally.transitions}",
        "alerts": f"{len(tally.alerts)} by {counted(len(rules), 'rule')}, {resolved} of them resolved since",
        "messages delivered": f"{delivered}; the hook received {tally.received}, {tally.signed} of them signed",
    }
    for caption, value in rows.items():
        out.print(Text(f"  {caption:<20}{value}"))


def show_message(out: Console, messages: str) -> None:
    """One of the messages that a receiver got, the first about an idle deployment; long lines are cut."""
    titles = (message for message in messages.split("\n\n") if "deployment_idle" in message.strip().split("\n")[0])
    message = next(titles, None)
    if message is None:
        return
    out.print(Text("\nOne of the messages, as the receiver console got it (long lines cut)", "bold"))
    for line in message.strip("\n").splitlines():
        out.print(Text(line if len(line) <= WIDTH else f"{line[: WIDTH - 1]}…"))


def _short(value: str | None) -> str:
    """As Azure has it, but times without year and seconds."""
    return _TIME.sub(r"\1 \2", value or "none")
