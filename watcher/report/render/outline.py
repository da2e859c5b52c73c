"""A statement as headings, figures and tables of plain text, which text, Markdown, page and mail then only draw.

So they hold the same numbers and words. All texts are clean of what hides or reorders, and escaped for no format.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil, floor
from zoneinfo import ZoneInfo

from watcher.costs.advice import Advice, Move
from watcher.costs.money import Amount, Cost, Total, Unknown, together, total
from watcher.costs.prices import Price
from watcher.report.statement import Audience, Statement
from watcher.report.wording import local, money, not_known, one_line, period_words, short_period, within_words
from watcher.rules.text import called, counted

#: So many sentences of what was not seen stand at the top.
UNSEEN_AT_TOP = 3
_NO_ACCOUNT = "no account could be read"
#: So many of a list are read first.
_HEAD = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a table."""

    title: str
    is_number: bool = False
    is_minor: bool = False  #: left out where there is little room
    is_spare: bool = False  #: left out where the others would not fit otherwise
    is_whole: bool = False  #: says the wrong thing when it is cut, as numbers and times do


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of a table."""

    cells: tuple[str, ...]
    worth: Cost | Total | None = None  #: what those that are left out of a list are added up by
    note: str = ""  #: small print below it


def told_once(rows: Sequence[Row]) -> tuple[tuple[Row, ...], str]:
    """The rows without the note that is the commonest at the head of the list, and that note; "": each is told once."""
    notes = Counter(row.note for row in rows[:_HEAD] if row.note)
    commonest, count = notes.most_common(1)[0] if notes else ("", 0)
    if count < 2:
        return tuple(rows), ""
    return tuple(replace(row, note="") if row.note == commonest else row for row in rows), commonest


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """Something to do, with its command."""

    title: str
    gain: str  #: "saves 1,224.00 USD a month"; "" where nothing is saved
    facts: tuple[str, ...]  #: a sentence or less, each
    command: str  #: maybe several lines; "" where there is none
    worth: Cost | Total | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One heading with what stands below it: sentences, then a table or actions, then more sentences."""

    key: str  #: lower case, without blanks: anchors are made of it
    title: str
    lead: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ()
    rows: tuple[Row, ...] = ()
    total: Row | None = None  #: below the rows; of all of them, shown or not
    actions: tuple[Action, ...] = ()
    closing: tuple[str, ...] = ()
    is_appendix: bool = False  #: for where there is room without end
    worth_words: str = "together"  #: what the sum of those left out is

    def used_columns(self) -> tuple[int, ...]:
        """The columns in which anything stands."""
        return tuple(index for index in range(len(self.columns)) if any(row.cells[index] for row in self.rows))

    def narrow_columns(self) -> tuple[int, ...]:
        """Those of them that are shown where there is little room."""
        minor = {index for index, column in enumerate(self.columns) if column.is_minor or column.is_spare}
        return tuple(index for index in self.used_columns() if index not in minor)

    def rest_words(self, kept: int, currency: str) -> str:
        """`and 37 more, 12.30 USD together`; "" where nothing is left out of the first `kept`.

        Where a total stands beside it, it says that they are in it.
        """
        rest: tuple[Row | Action, ...] = (self.rows or self.actions)[kept:]
        if not rest:
            return ""
        worths = [each.worth for each in rest]
        is_told = any(worth is not None for worth in worths)
        sum_words = f", {money(together(worths, currency))} {self.worth_words}" if is_told else ""
        return f"and {len(rest):,} more{sum_words}{', in the total' if self.total else ''}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One of the three numbers."""

    caption: str
    total: Total
    unit: str = ""  #: "in a month"
    beside: str = ""  #: ", 1,136.74 USD not known": what may belong to it too
    notes: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """`1,224.00 USD in a month`."""
        return " ".join(part for part in (self.value, self.words) if part)

    @property
    def value(self) -> str:
        """`1,224.00`; with `words` behind it, which may be set smaller."""
        return "unknown" if self.total.is_unknown else money(self.total).rpartition(" ")[0]

    @property
    def words(self) -> str:
        """`USD in a month`."""
        return "" if self.total.is_unknown else f"{self.total.currency} {self.unit}".rstrip() + self.beside


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """All that a format draws."""

    title: str
    edition: str  #: "Search"; "" for all
    watcher: str
    days: str  #: "16 to 22 Nov 2026": the period in short
    period: str
    sentence: str
    figures: tuple[Figure, Figure, Figure]
    warning: str = ""  #: that not everything was seen; "" where it was
    unseen: tuple[str, ...] = ()  #: the first of what was not
    is_quiet: bool
    quiet: str  #: behind "Nothing to report:"
    currency: str
    price: str  #: "list price, not an invoice": beside every total
    sections: tuple[Section, ...]
    footer: tuple[str, ...]


def head(statement: Statement, sections: tuple[Section, ...]) -> Outline:
    """The outline with these sections."""
    zone = ZoneInfo(statement.zone)
    period = period_words(statement.period, zone)
    edition = one_line(statement.edition.title, 80)
    watcher = one_line(statement.watcher, 80)
    return Outline(
        title=f"Fine-tuning costs, {period}" + (f": {edition}" if edition else ""),
        edition=edition,
        watcher=watcher,
        days=short_period(statement.period, zone),
        period=period,
        sentence=sentence(statement, zone),
        figures=figures(statement),
        warning=warning(statement),
        unseen=_unseen_at_top(statement),
        is_quiet=is_quiet(statement),
        quiet=_quiet(statement),
        currency=statement.currency,
        price=price_words(statement),
        sections=sections,
        footer=(
            f"All amounts are {price_words(statement)}, in {statement.currency}. Each is rounded to cents by "
            "itself, so that a column may differ from its total by some cents.",
            f"Times and days are those of {statement.zone}. As of {local(statement.as_of, zone)}; {called(watcher)}.",
        ),
    )


def sentence(statement: Statement, zone: ZoneInfo) -> str:
    """The period in one sentence."""
    span = within_words(statement.period, zone)
    bill = totals(statement)[0]
    # What is gone by now counts where it cost something: the bill by account has it too.
    held = {line.place.account_id.lower() for line in statement.hosted}
    held |= {job.place.account_id.lower() for job in statement.trained}
    accounts = _counted(len(held) or statement.accounts, "account")
    price = price_words(statement)
    if not statement.accounts and bill.is_unknown:
        return f"{span} no account was read, so what fine-tuned models cost is unknown."
    beside = _before_record(statement, zone)
    if holds_nothing(statement):
        return f"{span} nothing of theirs was seen in what is watched, {_counted(statement.watched, 'account')}."
    if not statement.hosted and not statement.trained:
        cost = "what it cost is unknown" if bill.is_unknown else f"the bill is {money(bill)} ({price}){beside}"
        return f"{span} no deployment of a fine-tuned model and no training was seen in {accounts}; {cost}."
    what = " and ".join(
        _counted(count, noun)
        for count, noun in ((len(statement.hosted), "deployment"), (len(statement.trained), "training job"))
        if count
    )
    if bill.is_unknown:
        return f"{span} what {what} in {accounts} cost is unknown."
    guessed = _estimate(statement, bill)
    return f"{span} {what} in {accounts} cost {money(bill)} ({price}){beside}.{guessed and f' {guessed}'}"


def holds_nothing(statement: Statement) -> bool:
    """Whether it is the edition of an owner of whom nothing was seen, nor an account that is theirs."""
    is_owners = statement.edition.audience is Audience.OWNER
    return is_owners and not (statement.accounts or statement.hosted or statement.trained)


def _estimate(statement: Statement, bill: Total) -> str:
    """That most of the money rests on prices that nobody has to pay; "" where it does not."""
    costs: list[Cost] = [line.cost for line in statement.hosted if _is_guess(line.price)]
    costs += [job.cost for job in statement.trained if job.is_estimate]
    guessed = total((cost for cost in costs if isinstance(cost, Amount)), statement.currency).known
    if 2 * guessed.high <= bill.known.high:
        return ""
    much = "All of this" if guessed == bill.known else f"Of this, {money(guessed)}"
    return f"{much} rests on estimated prices."


def _is_guess(price: Price | Unknown) -> bool:
    return isinstance(price, Price) and price.is_estimate


def _before_record(statement: Statement, zone: ZoneInfo) -> str:
    """What no total holds; "" where the record reaches back to the period's beginning."""
    if statement.begins is None:
        return ""
    return f", not counting what had ended before {local(statement.begins, zone)}, when the record begins"


def _counted(count: int, noun: str) -> str:
    return counted(count, noun) if count < 1000 else f"{count:,} {noun}s"


def totals(statement: Statement) -> tuple[Total, Total, Total]:
    """The bill, of which idle, and the saving possible in a month; unknown where no account at all could be read."""
    bill, idle, saving = statement.total, statement.idle, statement.saving_per_month
    nobody_knows = Total(known=bill.known, parts=1, reasons=((_NO_ACCOUNT, 1),))
    if statement.accounts and not statement.accounts_seen and not any(each.parts for each in (bill, idle, saving)):
        return nobody_knows, nobody_knows, nobody_knows
    if bill.is_unknown and not (statement.hosted or statement.trained):
        return bill, nobody_knows, nobody_knows
    return bill, idle, saving


def figures(statement: Statement) -> tuple[Figure, Figure, Figure]:
    """The three numbers."""
    bill, idle, saving = totals(statement)
    beside = not_known(statement.unread)
    made = (
        Figure(caption="Bill", total=bill, notes=tuple(_bill_notes(statement, bill))),
        Figure(caption="Of which idle", total=idle, beside=beside, notes=tuple(_idle_notes(statement, bill, idle))),
        Figure(
            caption="Saving possible",
            total=saving,
            unit="in a month",
            notes=tuple(_saving_notes(statement, saving)),
        ),
    )
    first, second, third = (
        figure if figure.total.is_unknown else replace(figure, notes=(*figure.notes, price_words(statement)))
        for figure in made
    )
    return first, second, third


def price_words(statement: Statement) -> str:
    """`list price, not an invoice`: beside every total."""
    return one_line(statement.price_words)


def _bill_notes(statement: Statement, bill: Total) -> Iterator[str]:
    if bill.parts and not bill.is_unknown:
        yield f"hosting {money(statement.hosting)}, training {money(statement.training)}"
    yield from _why(bill)


def _idle_notes(statement: Statement, bill: Total, idle: Total) -> Iterator[str]:
    share = _idle_share(idle, statement.unread, bill)
    if share:
        yield f"{share} of the bill"
    until = statement.idle_until_deletion
    if until.is_unknown:
        yield "how much more until Azure deletes them, if nobody acts, is unknown"
    elif until.known.high or until.reasons:
        yield f"{money(until)} more until Azure deletes them, if nobody acts"
    if not_known(statement.unread):
        yield "of what is not known, calls were not read: it may be idle too"
    yield from _why(idle)


def _idle_share(idle: Total, unread: Total, bill: Total) -> str:
    """`27 %`; `27 to 48 %` where some time was not read, all of which may be idle too; `at least 27 %` where even its
    cost is unknown; "" as `percent_of` has it."""
    if not not_known(unread):
        return percent_of(idle, bill)
    if not all(_is_exact(cost) for cost in (idle, bill)) or not bill.known.low:
        return ""
    least = floor(100 * Fraction(idle.known.low) / Fraction(bill.known.low))
    if not unread.is_known:
        return f"at least {least} %" if least else ""
    most = ceil(100 * Fraction(idle.known.low + unread.known.high) / Fraction(bill.known.low))
    return f"{least} to {min(most, 100)} %"


def _is_exact(cost: Total) -> bool:
    return cost.is_known and cost.known.is_exact


def _why(cost: Total) -> Iterator[str]:
    """What is missing."""
    if cost.is_unknown and len(cost.reasons) == 1:
        yield one_line(cost.reasons[0][0])
    elif cost.why:
        yield one_line(cost.why)


def percent_of(part: Total, whole: Total) -> str:
    """`13 %`; "" where one of them is uncertain or there is no whole."""
    if not (_is_exact(part) and _is_exact(whole)) or not whole.known.low or not part.known.low:
        return ""
    share = Fraction(100) * part.known.low / whole.known.low
    return f"{round(share)} %" if share >= 1 else "less than 1 %"


def _saving_notes(statement: Statement, saving: Total) -> Iterator[str]:
    todo = to_do(statement)
    count = sum(advice.saving_per_month is not None for advice in todo)
    if count:
        yield f"by {_counted(count, 'recommendation')}" + (_ENDS if any(_is_idle(advice) for advice in todo) else "")
    elif todo:
        moves = {advice.move for advice in todo}
        yield "before callers have moved" if Move.CONSOLIDATE in moves else "before owners have been asked"
    elif not saving.is_unknown:
        yield "nothing to recommend" + (" in what was seen" if warning(statement) else "")
    yield from _why(saving)


_ENDS = "; for what is idle only until Azure deletes it by itself"


def _is_idle(advice: Advice) -> bool:
    return advice.saving_until_deletion is not None


def to_do(statement: Statement) -> tuple[Advice, ...]:
    """The recommendations that change something."""
    return tuple(advice for advice in statement.advice if advice.move is not Move.KEEP)


def saving_words(advice: Advice) -> str:
    """`saves 1,224.00 USD a month`, or `saves 408.00 USD until Azure deletes it by itself`."""
    match advice.saving_per_month:
        case None:
            return ""
        case Amount() as saving:
            ends = advice.saving_until_deletion == saving
            is_sure = saving.least or not saving.most
            told = money(saving) if is_sure else f"up to {saving.most:,} {saving.currency}"
            return f"saves {told} {'until Azure deletes it by itself' if ends else 'a month'}"
        case unknown:
            return f"saves an unknown amount: {one_line(unknown.because)}"


def warning(statement: Statement) -> str:
    """That the figures lack something; "" where everything was seen."""
    if not statement.unseen and statement.accounts_seen >= statement.accounts:
        return ""
    if statement.accounts_seen >= statement.accounts:
        return "Not everything was seen. The figures hold only what was seen."
    of_accounts = f"{statement.accounts_seen:,} of {_counted(statement.accounts, 'account')}"
    were = "was" if statement.accounts_seen == 1 else "were"
    return f"Not everything was seen: {of_accounts} {were} read whole. The figures hold only what was seen."


def is_quiet(statement: Statement) -> bool:
    """Whether there is nothing to act upon, and everything was seen."""
    return statement.is_quiet and not warning(statement)


def _quiet(statement: Statement) -> str:
    if holds_nothing(statement):  # where others' things could not be read, theirs may be among them
        return "nothing of theirs was seen."
    return "everything was seen, and nothing calls for action."


def _unseen_at_top(statement: Statement) -> tuple[str, ...]:
    shown = [one_line(said) for said in statement.unseen[:UNSEEN_AT_TOP]]
    left = len(statement.unseen) - len(shown)
    if left:
        shown.append(f"And {left:,} more: see “What could not be seen”.")
    return tuple(shown)
