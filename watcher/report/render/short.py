"""A statement in a chat: three numbers, what to do first, what was not seen, and where the rest is."""

import re
from dataclasses import dataclass

from watcher.report.render.outline import Outline
from watcher.report.render.sections import outline
from watcher.report.statement import Statement
from watcher.report.wording import one_line

ACTIONS = 5
LINE_LIMIT = 300
_BREAK = "\u200b"
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
#: What some service takes for a call to everybody: `@here`, `<!channel>`.
_MENTION = re.compile(r"(?<=@)(?=\w)|(?<=<)(?=[!@#&])")
#: Where Slack would begin or end emphasis, code, a quote or a picture.
_EMPHASIS = re.compile(r"(?<!\w)(?=[*_~`])|(?<=[*_~`])(?!\w)|^(?=\s*>)|(?<=:)(?=[\w+'-]{1,100}:)")


@dataclass(frozen=True, slots=True, kw_only=True)
class ShortForm:
    """A few lines of plain text, in which no name calls anybody; `mrkdwn` is for Slack."""

    title: str
    lines: tuple[str, ...]
    link: str = ""  #: address of the whole report; "": there is none

    @property
    def text(self) -> str:
        """All of it, with the link."""
        return "\n".join((self.title, *self.lines, *((f"The whole report: {self.link}",) if self.link else ())))

    @property
    def mrkdwn(self) -> str:
        """The same in Slack's markup."""
        shown = [f"*{mrkdwn(self.title)}*", *map(mrkdwn, self.lines)]
        return "\n".join((*shown, *((f"<{_address(self.link)}|The whole report>",) if self.link else ())))


def short_form(statement: Statement, *, link: str) -> ShortForm:
    """The short form; `link` "" where there is no page."""
    report = outline(statement)
    lines = [report.sentence, *_figures(report)]
    if report.warning:
        lines.append(f"⚠ {report.warning}")
        lines += [f"  • {said}" for said in report.unseen[:2]]
        if (left := len(statement.unseen) - 2) > 0:
            lines.append(f"  • and {left:,} more")
    lines += _actions(report)
    if report.is_quiet:
        lines.append(f"Nothing to report: {report.quiet}")
    return ShortForm(
        title=_plain(f"[{report.watcher}] {report.title} ({report.price})"),
        lines=tuple(_plain(line) for line in lines),
        link=_address(link) if link.startswith(("https://", "http://")) else "",
    )


def _figures(report: Outline) -> list[str]:
    return [f"{figure.caption}: {figure.text}" for figure in report.figures]


def _actions(report: Outline) -> list[str]:
    section = next((section for section in report.sections if section.key == "recommendations"), None)
    if section is None:
        return []
    lines = [
        f"{number}. {action.title}" + (f" · {action.gain}" if action.gain else "")
        for number, action in enumerate(section.actions[:ACTIONS], start=1)
    ]
    rest = section.rest_words(ACTIONS, report.currency)
    return [*lines, *((f"… {rest}",) if rest else ())]


def _plain(line: str) -> str:
    """`line` as text in which no service sees a call to anybody; its blanks at the beginning are kept."""
    cut = one_line(line, LINE_LIMIT)
    return " " * (len(line) - len(line.lstrip(" "))) + _MENTION.sub(_BREAK, cut)


def mrkdwn(line: str) -> str:
    """`line` so that Slack shows just that."""
    return re.sub("[&<>]", lambda found: _ESCAPES[found[0]], _EMPHASIS.sub(_BREAK, line))


def _address(link: str) -> str:
    """`link` without what could end it in Slack's markup."""
    return re.sub(r"[\s<>|\"]", "", link)
