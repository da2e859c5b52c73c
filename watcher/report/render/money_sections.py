"""The sections about money: the bill, what is idle, what has ended, and where prices come from."""

from collections.abc import Iterator
from dataclasses import replace
from zoneinfo import ZoneInfo

from watcher.costs.idle import IdleMoney
from watcher.costs.money import Cost, Unknown, together
from watcher.costs.prices import Price
from watcher.costs.savings import METHOD
from watcher.report.render import cells
from watcher.report.render.outline import Action, Row, Section, percent_of, price_words
from watcher.report.statement import Audience, Bill, HostedLine, PriceUsed, Statement
from watcher.report.wording import interval, lines_of, money, one_line

#: It may name a model, two accounts, a content filter and another deployment.
_OBSTACLE_LIMIT = 2000


def idle(statement: Statement) -> Iterator[Section]:
    money_title = f"Idle cost, {statement.currency}"
    yield Section(
        key="idle",
        title="Idle: nobody calls them",
        columns=(
            *cells.texts("Deployment", "Account"),
            *cells.minor("Owner", "SKU"),
            *(replace(column, is_minor=True) for column in cells.times("Idle since")),
            *cells.numbers(money_title),
            *cells.times("Azure deletes it"),
            *(replace(column, is_spare=True) for column in cells.times("Left")),
            *cells.numbers("Until then"),
        ),
        rows=tuple(_idle_row(line, statement) for line in statement.idle_lines()),
        closing=(
            f"“{money_title}” counts from the last answered call, which may lie before the period, to where calls were "
            "read last; “Until then” is added to it if nobody acts. “Of which idle” in the bill counts the period "
            "alone, and in it each day without a call before the last one too. So they may differ, and both are right.",
        )
        if statement.idle_lines()
        else (),
    )


def _idle_row(line: HostedLine, statement: Statement) -> Row:
    idle = line.idle
    so_far: Cost | None = idle.so_far if isinstance(idle, IdleMoney) else idle
    notes = [] if not line.kept_until else [f"kept until {cells.minute(line.kept_until, statement)}"]
    if line.is_paused:
        notes.append("paused, so that calls are refused; that its fee is charged all the same is assumed")
    if line.deletion_why:
        notes.append(one_line(line.deletion_why))
    if line.called_until:
        notes.append(f"its calls were read until {cells.minute(line.called_until, statement)}, and none since is known")
    return Row(
        cells=(
            cells.name(line.name),
            cells.name(line.place.account),
            cells.name(line.place.owner),
            cells.name(line.sku),
            cells.day(line.idle_since[0] if line.idle_since else None, statement),
            cells.figure(so_far),
            cells.deletion(line, statement),
            cells.left(line.deletion, statement) if line.deletion else "",
            _until(idle),
        ),
        worth=so_far,
        note="; ".join(notes),
    )


def _until(idle: IdleMoney | Unknown | None) -> str:
    if idle is None or isinstance(idle, Unknown):
        return cells.figure(idle)
    return cells.figure(idle.rest) if idle.rest else f"{cells.figure(idle.per_day)} a day"


def bills(statement: Statement) -> Iterator[Section]:
    for number, bill in enumerate(statement.bills):
        if not bill.lines or (len(bill.lines) == 1 and _says_nothing(bill, statement)):
            continue
        by = "SKU" if bill.by == "sku" else cells.name(bill.by)
        rows = tuple(
            Row(
                cells=(
                    cells.name(line.value) or "not set",
                    f"{line.deployments:,}",
                    f"{line.jobs:,}",
                    cells.figure(line.hosting),
                    cells.figure(line.training),
                    cells.figure(line.total),
                    percent_of(line.total, statement.total),
                    cells.figure(line.idle),
                    cells.some(line.unread),
                ),
                worth=line.total,
            )
            for line in bill.lines
        )
        yield Section(
            key=f"bill-{number + 1}",
            title=f"Bill by {by}",
            lead=(_caption(statement),),
            columns=(
                *cells.texts(by[:1].upper() + by[1:]),
                *(replace(column, is_minor=True) for column in cells.numbers("Deployments", "Jobs")),
                *(replace(column, is_spare=True) for column in cells.numbers("Hosting", "Training")),
                *cells.numbers(f"Total, {statement.currency}"),
                *(replace(column, is_spare=True) for column in cells.numbers("Share")),
                *cells.numbers("Of which idle", "Use not known"),
            ),
            rows=rows,
            total=_total(bill, statement) if len(rows) > 1 else None,
        )


def _caption(statement: Statement) -> str:
    """Of what holds a total."""
    words = price_words(statement)
    return f"{words[:1].upper()}{words[1:]}."


def _says_nothing(bill: Bill, statement: Statement) -> bool:
    """Whether a bill of one line repeats the total alone; in whose account it is, is worth a line."""
    is_owners = statement.edition.audience is Audience.OWNER and bill.by != "account"
    return is_owners or bill.lines[0].value in ("", "unowned")


def _total(bill: Bill, statement: Statement) -> Row:
    """What the lines of a bill add up to; a deployment or a job that is in two of them counts once."""
    deployments = {line.id.lower() for line in statement.hosted}
    hosting = together((line.hosting for line in bill.lines), statement.currency)
    training = together((line.training for line in bill.lines), statement.currency)
    idle = together((line.idle for line in bill.lines), statement.currency)
    unread = together((line.unread for line in bill.lines), statement.currency)
    whole = hosting + training
    return Row(
        cells=(
            "Total",
            f"{len(deployments):,}",
            f"{len(statement.trained):,}",
            cells.figure(hosting),
            cells.figure(training),
            cells.figure(whole),
            percent_of(whole, whole),
            cells.figure(idle),
            cells.some(unread),
        ),
        worth=whole,
    )


def trickle(statement: Statement) -> Iterator[Section]:
    lines = statement.trickle_lines()
    yield Section(
        key="trickle",
        title="Kept alive by a trickle of calls",
        columns=(
            *cells.texts("Deployment", "Account"),
            *cells.minor("Owner", "SKU"),
            *cells.numbers("Calls", f"A call, {statement.currency}", f"Cost in the period, {statement.currency}"),
        ),
        rows=tuple(
            Row(
                cells=(
                    *cells.names(line.name, line.place.account, line.place.owner, line.sku),
                    cells.number(line.trickle_calls),
                    cells.figure(line.cost_per_call),
                    cells.figure(line.cost),
                ),
                worth=line.cost,
            )
            for line in lines
        ),
        closing=(
            "“Calls” are the answered ones of the rule's window, which may be longer than the period; “A call” is the "
            "hosting fee of that whole window, and not the cost in the period, divided by them.",
        )
        if lines
        else (),
    )


def superseded(statement: Statement) -> Iterator[Section]:
    yield Section(
        key="superseded",
        title="Superseded by a newer model of their line",
        columns=(
            *cells.texts("Deployment", "Account"),
            *cells.minor("Owner"),
            *cells.texts("Newer"),
            *cells.numbers(f"Cost, {statement.currency}"),
        ),
        rows=tuple(
            Row(
                cells=(
                    *cells.names(line.name, line.place.account, line.place.owner, line.successor),
                    cells.figure(line.cost),
                ),
                worth=line.cost,
            )
            for line in statement.superseded_lines()
        ),
    )


def ended(statement: Statement) -> Iterator[Section]:
    """What ended, with what makes it again."""
    actions = []
    for line in statement.hosted:
        if line.end is None:
            continue
        facts = [
            f"Gone {interval(line.end, ZoneInfo(statement.zone))}: {one_line(line.ended_by) or 'cause not known'}."
        ]
        facts.append(f"Cost in the period: {money(line.cost)}.")
        if line.recipe is None:
            facts.append("There is no command to make it again.")
        else:
            if line.recipe.missing:
                facts.append(f"Not known, and left to Azure: {one_line(', '.join(line.recipe.missing))}.")
            if line.recipe.obstacle:
                facts.append(one_line(line.recipe.obstacle, _OBSTACLE_LIMIT))
            if line.is_account_gone:
                whole = f"{cells.name(line.place.account)}/{cells.name(line.name)}"
                facts.append(f"“watcher explain {whole}” prints the recipe with its command.")
        actions.append(
            Action(
                title=f"{cells.name(line.name)} in {cells.name(line.place.account)}",
                gain="",
                facts=tuple(facts),
                command=lines_of(line.recipe.command) if line.recipe and not line.is_account_gone else "",
                worth=line.cost,
            )
        )
    if actions:
        lead = (
            "A command makes its deployment again as it was, where nothing is said to be in its way; hosting is billed "
            "from then on.",
        )
        yield Section(key="ended", title="Ended, and how to make them again", lead=lead, actions=tuple(actions))


def realised(statement: Statement) -> Iterator[Section]:
    if not statement.realised:
        return
    yield Section(
        key="realised",
        title=f"Saved: {money(statement.saved)}",
        lead=(_caption(statement), METHOD),
        columns=(
            *cells.texts("Deployment", "Account"),
            *cells.minor("Owner"),
            *cells.times("Ended"),
            *cells.texts("By"),
            *cells.numbers(f"Saved, {statement.currency}"),
        ),
        rows=tuple(
            Row(
                cells=(
                    *cells.names(one.name, one.account, one.owner),
                    cells.minute(one.ended_at, statement),
                    cells.name(one.by) or "not named",
                    cells.figure(one.saving),
                ),
                worth=one.saving,
            )
            for one in statement.realised
        ),
    )


def actuals(statement: Statement) -> Iterator[Section]:
    yield Section(
        key="actuals",
        title="What Azure billed",
        lead=("Beside our estimate of the same days, and added to nothing.",) if statement.actuals else (),
        columns=(*cells.texts("Account"), *cells.numbers("Days", "Estimate", f"Billed, {statement.currency}", "Drift")),
        rows=tuple(
            Row(
                cells=(
                    cells.name(one.account),
                    f"{one.days:,}",
                    cells.figure(one.estimate),
                    cells.figure(one.actual),
                    "unknown" if one.drift_percent is None else f"{one.drift_percent:+.1f} %",
                ),
                note=one_line(one.note),
            )
            for one in statement.actuals
        ),
    )


def hosted(statement: Statement) -> Iterator[Section]:
    yield Section(
        key="deployments",
        title="Every deployment of the period",
        columns=(
            *cells.texts("Deployment", "Account", "Owner", "Model", "SKU", "State"),
            *cells.numbers("Calls", "An hour", f"Cost, {statement.currency}"),
        ),
        rows=tuple(
            Row(
                cells=(
                    *cells.names(line.name, line.place.account, line.place.owner, line.model, line.sku),
                    "ended" if line.end else "paused" if line.is_paused else line.state.value,
                    cells.number(line.calls),
                    "unknown" if isinstance(line.price, Unknown) else cells.figure(line.price.rate),
                    cells.figure(line.cost),
                ),
                worth=line.cost,
                note=one_line(" ".join(line.remarks)),
            )
            for line in statement.hosted
        ),
        is_appendix=True,
    )


def prices(statement: Statement) -> Iterator[Section]:
    yield Section(
        key="prices",
        title="Where the prices come from",
        columns=(*cells.texts("For", "Price"), *cells.numbers("Uses")),
        rows=tuple(
            Row(
                cells=(
                    one_line(used.what, 200),
                    "unknown" if isinstance(used.price, Unknown) else used.price.text(),
                    f"{used.uses:,}",
                ),
                note=one_line(("Stale: " if used.is_stale else "") + used.origin),
            )
            # Where not all are shown, those that nobody can rely upon are.
            for used in sorted(statement.prices, key=_is_firm)
        ),
    )


def _is_firm(used: PriceUsed) -> bool:
    return isinstance(used.price, Price) and not (used.is_stale or (used.price.is_estimate and used.price.rate.high))
