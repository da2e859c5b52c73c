"""The whole report in its order: what to do first, then why, and at the end whether to believe it."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from watcher.report.render import advice_sections as advice
from watcher.report.render import money_sections as money
from watcher.report.render import record_sections as records
from watcher.report.render.outline import Outline, Section, head, told_once
from watcher.report.statement import Audience, Statement
from watcher.rules.text import sentence

Make = Callable[[Statement], Iterator[Section]]

_TO_ACT: tuple[Make, ...] = (advice.actions, money.idle, records.unseen)
_WASTE: tuple[Make, ...] = (money.trickle, money.superseded)
_LEFT: tuple[Make, ...] = (money.ended, records.undeployed, records.orphans)
_TRAINING: tuple[Make, ...] = (records.training, records.failed, records.harms)
_TO_COME: tuple[Make, ...] = (records.dates, records.exceptions)
_TO_BELIEVE: tuple[Make, ...] = (money.realised, money.actuals, money.prices, records.assumptions)
_EVERYTHING = (*_TO_ACT, money.bills, *_WASTE, *_LEFT, *_TRAINING, *_TO_COME, *_TO_BELIEVE, money.hosted)
#: The money first; of jobs no more than they cost, and nothing that is done by hand.
_MONEY: tuple[Make, ...] = (
    *(money.bills, records.training_money, *_TO_BELIEVE[:-1]),
    *(*_TO_ACT, *_WASTE, *_TO_COME, records.assumptions, money.hosted),
)


def outline(statement: Statement) -> Outline:
    """The report; sections without content are left out."""
    is_finance = statement.edition.audience is Audience.FINANCE
    order = _MONEY if is_finance else _EVERYTHING
    made = (_without_commands(section) if is_finance else section for make in order for section in make(statement))
    return head(statement, tuple(_told_once(section) for section in made if section.rows or section.actions))


def _without_commands(section: Section) -> Section:
    """For those who pay and do not run them."""
    return replace(section, actions=tuple(replace(action, command="") for action in section.actions))


def _told_once(section: Section) -> Section:
    """The commonest small print below the table, in place of below each row that has it; other rows keep theirs.

    A row without any would seem to have it too: where there is one, all stay as they are.
    """
    notes = {row.note for row in section.rows}
    if "" in notes:
        return section
    rows, told = told_once(section.rows)
    whose = "For each of them" if len(notes) == 1 else "For each that has no remark of its own"
    return replace(section, rows=rows, closing=(f"{whose}: {sentence(told)}", *section.closing)) if told else section
