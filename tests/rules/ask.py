"""Asks a rule, and sorts what it answers."""

from typing import Any

from watcher.rules.finding import Cleared, Finding, Undecided


def ask(rule: Any, view: Any) -> list[Any]:
    return list(rule.evaluate(view))


def found(rule: Any, view: Any) -> list[Finding]:
    """The findings alone."""
    return [answer for answer in ask(rule, view) if isinstance(answer, Finding)]


def the_finding(rule: Any, view: Any) -> Finding:
    """The one finding that there must be."""
    (finding,) = found(rule, view)
    return finding


def doubts(rule: Any, view: Any) -> list[Undecided]:
    return [answer for answer in ask(rule, view) if isinstance(answer, Undecided)]


def the_doubt(rule: Any, view: Any) -> Undecided:
    (doubt,) = doubts(rule, view)
    return doubt


def cleared(rule: Any, view: Any) -> list[Cleared]:
    return [answer for answer in ask(rule, view) if isinstance(answer, Cleared)]


def verdict(rule: Any, view: Any) -> str:
    """`found`, `undecided` or `none`; each must stand alone for one subject."""
    kinds = {type(answer) for answer in ask(rule, view)}
    if Finding in kinds:
        assert Undecided not in kinds
        return "found"
    return "undecided" if Undecided in kinds else "none"


__all__ = ["ask", "cleared", "doubts", "found", "the_doubt", "the_finding", "verdict"]
