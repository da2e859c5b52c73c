"""A statement as GitHub's Markdown: for tickets, wikis and chats.

Nothing from outside is read as markup: what could begin any is escaped. No backslash helps against mentions and numbers
of issues, which are looked for in what is shown: these are broken by a zero-width character, and addresses never are,
so that they can be copied. Commands stand in code blocks, whose fences are longer than any within.
"""

import re
from collections.abc import Iterator

from watcher.report.render.outline import Action, Outline, Section
from watcher.report.render.sections import outline
from watcher.report.statement import Statement

#: So many of a list are shown.
ROWS = 25
ACTIONS = 25
_HTML = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_ALWAYS = re.compile(r"[\\`*_\[\]|~<>&$]|:(?=//)|(?<=www)\.", re.IGNORECASE)
#: These begin a heading, a list or a rule, at the beginning of a line alone.
_AT_START = re.compile(r"^(\d{0,9})([.)#+=:-])(?=[\s#+=:-]|$)")
#: Mentions and numbers of issues; an `@` within a word is one of a mail address.
_CALLS = re.compile(r"(?<![\w.+-])@(?=\w)|#(?=\d)")
_BREAK = "\u200b"


def render(statement: Statement) -> str:
    """The whole report; of very long lists their head, and what the rest comes to."""
    return "\n".join(_lines(outline(statement))) + "\n"


def _lines(report: Outline) -> Iterator[str]:
    yield f"# {escaped(report.title)}"
    yield ""
    yield escaped(report.sentence)
    yield ""
    yield "| | | |"
    yield "| --- | ---: | --- |"
    for figure in report.figures:
        yield f"| {figure.caption} | **{escaped(figure.text)}** | {escaped('; '.join(figure.notes))} |"
    if report.warning:
        yield ""
        yield f"> **{escaped(report.warning)}**"
        for said in report.unseen:
            yield f"> - {escaped(said)}"
    if report.is_quiet:
        yield ""
        yield f"**Nothing to report:** {report.quiet}"
    for section in report.sections:
        if not section.is_appendix:
            yield ""
            yield from _section(section, report.currency)
    yield ""
    yield "---"
    yield ""
    yield "  \n".join(escaped(said) for said in report.footer)


def _section(section: Section, currency: str) -> Iterator[str]:
    yield f"## {escaped(section.title)}"
    for said in section.lead:
        yield ""
        yield escaped(said)
    yield ""
    if section.actions:
        for number, action in enumerate(section.actions[:ACTIONS], start=1):
            yield from _action(number, action)
        rest = section.rest_words(ACTIONS, currency)
    elif len(section.columns) == 1:
        for row in section.rows[:ROWS]:
            yield f"- {escaped(row.cells[0])}"
        rest = section.rest_words(ROWS, currency)
    else:
        yield from _table(section)
        rest = section.rest_words(ROWS, currency)
    if rest:
        yield ""
        yield f"… {escaped(rest)}"
    for said in section.closing:
        yield ""
        yield escaped(said)


def _action(number: int, action: Action) -> Iterator[str]:
    gain = f" · {escaped(action.gain)}" if action.gain else ""
    indent = " " * len(f"{number}. ")
    yield f"{number}. **{escaped(action.title)}**{gain}"
    if action.facts:
        yield f"{indent}{escaped(' '.join(action.facts))}"
    if action.command:
        fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", action.command)), default=0))
        yield ""
        yield f"{indent}{fence}sh"
        for line in action.command.splitlines():
            yield f"{indent}{line}".rstrip()
        yield f"{indent}{fence}"
    yield ""


def _table(section: Section) -> Iterator[str]:
    rows = section.rows[:ROWS]
    used = [index for index in range(len(section.columns)) if any(row.cells[index] for row in rows)]
    has_notes = any(row.note for row in rows)
    titles = [escaped(section.columns[index].title) for index in used] + ["Remarks"] * has_notes
    rules = ["---:" if section.columns[index].is_number else "---" for index in used] + ["---"] * has_notes
    yield f"| {' | '.join(titles)} |"
    yield f"| {' | '.join(rules)} |"
    for row in rows:
        cells = [row.cells[index] for index in used] + [row.note] * has_notes
        yield f"| {' | '.join(map(escaped, cells))} |"
    if section.total:
        cells = [section.total.cells[index] for index in used]
        bold = [f"**{escaped(cell)}**" if cell else "" for cell in cells] + [""] * has_notes
        yield f"| {' | '.join(bold)} |"


def escaped(text: str) -> str:
    """`text`, which is one line, as Markdown that shows just that."""
    broken = _CALLS.sub(lambda found: f"{found[0]}{_BREAK}", text)
    shown = _ALWAYS.sub(lambda found: _HTML.get(found[0], f"\\{found[0]}"), broken)
    return _AT_START.sub(r"\1\\\2", shown)
