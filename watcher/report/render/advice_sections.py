"""What to do, and what it saves: each piece of advice with its reason, its risk and its command."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from watcher.costs.advice import Advice, Move
from watcher.costs.money import Total, Unknown
from watcher.report.render import cells
from watcher.report.render.outline import Action, Section, saving_words, to_do
from watcher.report.statement import Statement
from watcher.report.wording import lines_of, money, one_line

#: A reason of more letters than these that so many of the first have is told once.
_LONG, _OFTEN, _HEAD = 40, 4, 10
_VERBS = {
    Move.DELETE: "Delete",
    Move.CONSOLIDATE: "Consolidate: delete",
    Move.ASK: "Ask the owner about:",
    Move.DEVELOPER: "Redeploy as Developer:",
}


def actions(statement: Statement) -> Iterator[Section]:
    todo = to_do(statement)
    moves = Counter(advice.move for advice in todo)
    # What most of one move have in common: what half of them have would seem to be told of all.
    told = Counter((advice.move, advice.risk) for advice in todo)
    risks = {move: risk for (move, risk), count in told.items() if 2 * count > moves[move]}
    common = _common_reasons(todo)
    actions = []
    for advice in todo:
        facts = [] if advice.because == common.get(advice.move) else [f"Because {one_line(advice.because)}."]
        facts.append(f"Owner: {cells.name(advice.owner) or 'unowned'}.")
        if _is_saved_otherwise(advice):
            facts.append(f"Until Azure deletes it by itself: {money(advice.saving_until_deletion)}.")
        if advice.risk != risks.get(advice.move):
            facts.append(f"Risk: {one_line(advice.risk)}")
        actions.append(
            Action(
                title=f"{_verb(advice)} {cells.name(advice.name)} in {cells.name(advice.account)}",
                gain=saving_words(advice),
                facts=tuple(facts),
                command=lines_of(advice.command),
                worth=advice.saving_per_month,
            )
        )
    lead = [
        f"Risk: {one_line(risk)}"
        if len(risks) == len(moves) and len(set(risks.values())) == 1
        else f"Risk of “{' or '.join(map(_move_words, its))}”: {one_line(risk)}"
        for risk, its in _turned(risks).items()
    ]
    lead += [
        f"Why, where “{_move_words(move)}” has no reason beside it: {one_line(because)}."
        for move, because in common.items()
    ]
    if actions:
        yield Section(
            key="recommendations",
            title="What to do",
            lead=tuple(lead),
            actions=tuple(actions),
            worth_words="in a month",
        )


def _common_reasons(todo: Sequence[Advice]) -> dict[Move, str]:
    """Of each move the reason at the head of the list that is long, and told so often that others are lost among it."""
    found: dict[Move, str] = {}
    for move in dict.fromkeys(advice.move for advice in todo):
        counts = Counter(advice.because for advice in todo[:_HEAD] if advice.move is move)
        often = [because for because, count in counts.most_common() if count >= _OFTEN and len(because) > _LONG]
        if often:
            found[move] = often[0]
    return found


def _move_words(move: Move) -> str:
    return _VERBS.get(move, "Look at").partition(":")[0]


def _is_saved_otherwise(advice: Advice) -> bool:
    """Whether something is known of what is saved until Azure deletes it by itself, beside what is in a month."""
    until = advice.saving_until_deletion
    is_unknown = isinstance(until, Unknown) or (isinstance(until, Total) and until.is_unknown)
    return until is not None and not is_unknown and until != advice.saving_per_month


def _verb(advice: Advice) -> str:
    if advice.move is Move.CONSOLIDATE and not advice.command:
        return "Consolidate: first move the callers of"
    return _VERBS.get(advice.move, "Look at")


def _turned(risks: Mapping[Move, str]) -> dict[str, list[Move]]:
    """The moves by their risk."""
    turned: dict[str, list[Move]] = {}
    for move, risk in risks.items():
        turned.setdefault(risk, []).append(move)
    return turned
