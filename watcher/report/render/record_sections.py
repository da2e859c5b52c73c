"""The sections about what happened, lies about, is to come or could not be seen."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, timedelta

from watcher.costs.money import Unknown
from watcher.costs.savings import METHOD
from watcher.report.render import cells
from watcher.report.render.outline import UNSEEN_AT_TOP, Row, Section, told_once
from watcher.report.statement import Date, DateKind, Leftover, Statement, TrainingLine
from watcher.report.wording import one_line
from watcher.rules.text import counted, few, size

#: A command in a date's text is too long for a table; the advice and the page of the deployment have it.
_COMMAND = re.compile(r"\s*[^.]*:\s+az .*", re.DOTALL)
_DAY = timedelta(days=1)
#: A retirement further ahead than this is told in one line.
_FAR = timedelta(days=90)
#: So many of the deployments that one concerns are named.
_NAMED = 5
_HARMS = {"hate_fairness": "hate and fairness", "self_harm": "self-harm"}
_KINDS = {
    DateKind.DELETION: "deletion",
    DateKind.EXPIRY: "Developer expiry",
    DateKind.RETIREMENT: "retirement",
    DateKind.SILENCE_END: "end of a silence",
    DateKind.EXCEPTION_END: "end of an exception",
}


def unseen(statement: Statement) -> Iterator[Section]:
    rows = tuple(Row(cells=(one_line(said),)) for said in statement.unseen)
    if len(rows) <= UNSEEN_AT_TOP:
        return  # all of it stands at the top
    yield Section(key="unseen", title="What could not be seen", columns=cells.texts("What is missing"), rows=rows)


def _leftovers(
    key: str, title: str, what: str, began: str, lines: tuple[Leftover, ...], statement: Statement
) -> Section:
    """
    Args:
        began: How its first day is called: a model may have been deployed until yesterday.
    """
    rows = tuple(
        Row(
            cells=(
                cells.name(each.name or each.id),
                cells.name(each.place.account),
                cells.name(each.place.owner),
                cells.day(each.since, statement) or "not known",
                "" if each.bytes is None else size(each.bytes),
            ),
            note=one_line(each.note),
        )
        for each in lines
    )
    columns = (*cells.texts(what, "Account"), *cells.minor("Owner"), *cells.times(began), *cells.numbers("Size"))
    return Section(key=key, title=title, columns=columns, rows=rows)


def undeployed(statement: Statement) -> Iterator[Section]:
    yield _leftovers("undeployed", "Models that are deployed nowhere", "Model", "Made", statement.undeployed, statement)


def orphans(statement: Statement) -> Iterator[Section]:
    yield _leftovers("orphans", "Files that no job uses", "File", "Uploaded", statement.orphans, statement)


def training(statement: Statement) -> Iterator[Section]:
    yield _training(statement, [line for line in statement.trained if not _is_failed(line)])


def training_money(statement: Statement) -> Iterator[Section]:
    """Of what was paid for alone."""
    paid = [line for line in statement.trained if isinstance(line.cost, Unknown) or line.cost.high]
    yield _training(statement, paid, is_for_finance=True)


def _training(statement: Statement, lines: Iterable[TrainingLine], *, is_for_finance: bool = False) -> Section:
    """For finance the model, which makes the price, goes before what became of the job."""
    model, status = cells.texts("Model", "Status")
    if is_for_finance:
        status = replace(status, is_minor=True)
    else:
        model = replace(model, is_spare=True)
    return Section(
        key="training",
        title="Training",
        columns=(
            *cells.texts("Suffix"),
            *(replace(column, is_spare=True) for column in cells.texts("Account")),
            *(*cells.texts("Owner"), model, status),
            *cells.minor("Finished"),
            *cells.numbers(f"Cost, {statement.currency}"),
        ),
        rows=tuple(_training_row(line, statement) for line in lines),
    )


def _is_failed(line: TrainingLine) -> bool:
    return line.is_refused or line.status.lower() == "failed"


def _training_row(line: TrainingLine, statement: Statement) -> Row:
    return Row(
        cells=(
            *cells.names(line.suffix or "none", line.place.account, line.place.owner, line.model, line.status),
            cells.minute(line.finished_at, statement),
            _cost(line),
        ),
        worth=line.cost,
        note=f"{cells.name(line.job)}: {one_line(line.basis)}",  # whole: `watcher explain` takes it
    )


def _cost(line: TrainingLine) -> str:
    """What is billed at its end is no 0.00."""
    if not line.is_under_way:
        return cells.figure(line.cost)
    return f"{cells.figure(line.so_far)} so far" if line.so_far is not None and line.so_far.most else "not yet"


def failed(statement: Statement) -> Iterator[Section]:
    lines = [line for line in statement.trained if _is_failed(line)]
    yield Section(
        key="failed",
        title="Training that failed",
        columns=(
            *cells.texts("Suffix"),
            *(replace(column, is_spare=True) for column in cells.texts("Account")),
            *cells.texts("Owner"),
            *cells.minor("Model"),
            *cells.times("Failed"),
            *cells.texts("Refused for"),
        ),
        rows=tuple(
            Row(
                cells=(
                    *cells.names(line.suffix or "none", line.place.account, line.place.owner, line.model),
                    cells.minute(line.finished_at, statement),
                    _harm(line),
                ),
                note=": ".join(filter(None, (cells.name(line.job), one_line(line.failure)))),
            )
            for line in lines
        ),
    )


def _harm(line: TrainingLine) -> str:
    return ", ".join(_harm_words(each) for each in line.harm_types) or ("not named" if line.is_refused else "")


def _harm_words(harm: str) -> str:
    return _HARMS.get(harm) or cells.name(harm.replace("_", " "))


def harms(statement: Statement) -> Iterator[Section]:
    found = Counter(harm for line in statement.trained if line.is_refused for harm in line.harm_types or ("not named",))
    rows = tuple(
        Row(cells=(_harm_words(harm), f"{count:,}"))
        for harm, count in sorted(found.items(), key=lambda one: (-one[1], one[0]))
    )
    refused = sum(line.is_refused for line in statement.trained)
    closing = (f"{counted(refused, 'job')} refused by the RAI checks; one may count under several types.",)
    columns = (*cells.texts("Harm type"), *cells.numbers("Jobs"))
    yield Section(
        key="refusals",
        title="Refusals by harm type",
        columns=columns,
        rows=rows,
        closing=closing if rows else (),
    )


def dates(statement: Statement) -> Iterator[Section]:
    rows = [_date_row(date, statement) for date in statement.dates]
    deletions = [date.kind is DateKind.DELETION for date in statement.dates]
    without, told = told_once([row for row, is_deletion in zip(rows, deletions, strict=True) if is_deletion])
    after = iter(without)
    yield Section(
        key="calendar",
        title="What is to come",
        columns=(*cells.times("When"), *cells.texts("What"), *cells.minor("Kind", "Owner")),
        rows=tuple(next(after) if is_deletion else row for row, is_deletion in zip(rows, deletions, strict=True)),
        closing=(f"For each deletion without a remark of its own: {told}",) if told else (),
    )


def _date_row(date: Date, statement: Statement) -> Row:
    note = date.plain or _COMMAND.sub("", date.text)
    if date.subjects:
        note = f"{note} {counted(len(date.subjects), 'deployment')}: {few(date.subjects, _NAMED)}."
    if date.kind is DateKind.RETIREMENT and date.at - statement.as_of > _FAR:
        note = ""
    return Row(
        cells=(_when(date, statement), one_line(date.title, 200), _KINDS[date.kind], cells.name(date.owner)),
        note=one_line(note),
    )


def _when(date: Date, statement: Statement) -> str:
    if date.kind is DateKind.RETIREMENT:  # a day of Azure's; elsewhere its midnight may lie in the day before
        when = f"{date.at.astimezone(UTC):%Y-%m-%d}"
    elif date.latest is not None and date.latest - date.at > _DAY:
        return cells.deadline((date.at, date.latest), statement)
    else:
        when = cells.minute(date.at, statement)
    return when if date.is_certain else f"from {when}"


def exceptions(statement: Statement) -> Iterator[Section]:
    yield Section(
        key="exceptions",
        title="Exceptions: kept on purpose",
        columns=(
            *cells.texts("Deployment", "Account"),
            *cells.minor("Owner"),
            *cells.times("Until"),
            *cells.texts("By"),
        ),
        rows=tuple(
            Row(
                cells=(
                    *cells.names(one.name, one.place.account, one.place.owner),
                    # The end of a day is the beginning of the next, which without its time would be read as a day more.
                    cells.minute(one.until, statement) + (" (over)" if one.is_over else ""),
                    cells.name(one.by) or "not named",
                ),
                note=one_line(one.reason),
            )
            for one in statement.exceptions
        ),
    )


def assumptions(statement: Statement) -> Iterator[Section]:
    rows = tuple(Row(cells=(one_line(said),)) for said in statement.remarks if said != METHOD or not statement.realised)
    yield Section(key="assumptions", title="What is assumed", columns=cells.texts("Assumption"), rows=rows)
