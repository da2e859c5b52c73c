"""What Azure and the channels answered, told: for `check-config --online`, `permissions` and `init`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from watcher.azure.rights import Holder, How, Right
from watcher.cli.rights import cure_of, is_lacking, why
from watcher.cli.table import Line, wrap
from watcher.cycles import Discovery
from watcher.rules.text import counted, few

#: Of what is said of one action.
_INDENT = 11
#: Accounts named in one line.
_MOST_NAMED = 5
_BY_ARM = (
    "(as ARM tells of the roles held; whether the network lets watcher through, `watcher check-config --online` tries"
)
_HOW = {
    frozenset({How.TRIED}): "(each read was tried)",
    frozenset({How.PERMISSIONS}): f"{_BY_ARM})",
    frozenset({How.TRIED, How.PERMISSIONS}): f"{_BY_ARM}; what ARM's word does not settle was tried)",
    frozenset(): "",
}
_STYLES = {"yes": "green", "no": "red", "unknown": "yellow"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelAnswer:
    """Whether a receiver would take a message."""

    name: str
    takes: bool
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """All that was asked, with nothing sent."""

    found: Discovery | None = None  #: `None`: Azure could not be asked at all, see `problem`
    holders: tuple[Holder, ...] = ()
    channels: tuple[ChannelAnswer, ...] = ()
    problem: str = ""

    @property
    def is_whole(self) -> bool:
        """Whether everything can be seen and everybody told."""
        lacking = any(is_lacking(right) for holder in self.holders for right in holder.rights)
        is_found = self.found is not None and self.found.is_complete
        return is_found and not lacking and all(channel.takes for channel in self.channels)

    def lines(self, width: int) -> Iterator[Line]:
        """For people."""
        if self.found is None:
            yield from wrap(f"azure: {self.problem}", width, style="red")
        else:
            for gap in self.found.gaps:
                what = f" of {gap.subject}" if gap.subject else ""
                yield from wrap(f"discovery{what}: {gap.reason.value}: {gap.message}", width, style="red")
            style = "green" if self.found.is_complete else "yellow"
            yield ((f"discovery: {counted(len(self.found.accounts), 'account')}", style),)
            yield ()
            yield from rights_text(self.holders, width)
        for channel in self.channels:
            text = f"receiver {channel.name}: {channel.detail}"
            yield from wrap(text, width, style="green" if channel.takes else "red")

    def record(self) -> dict[str, Any]:
        """For programs."""
        found = self.found
        return {
            "problem": self.problem or None,
            "accounts": None if found is None else len(found.accounts),
            "is_complete": found is not None and found.is_complete,
            "scopes": [holder_record(holder) for holder in self.holders],
            "receivers": [{"name": one.name, "takes": one.takes, "detail": one.detail} for one in self.channels],
        }


def holder_record(holder: Holder) -> dict[str, Any]:
    """One subscription or account, for programs."""
    return {
        "id": holder.id,
        "label": holder.label,
        "kind": "subscription" if holder.account is None else "account",
        "actions": [
            {
                "action": right.need.action,
                "is_data": right.need.is_data,
                "is_inferred": right.need.is_inferred,
                "has": right.has.value,
                "how": right.how.value,
                "what_for": right.need.what_for,
                "without": right.need.without,
                "reason": right.reason.value if right.reason else None,
                "because": why(right) or None,
                "cure": cure_of(right, holder) or None,
            }
            for right in holder.rights
        ],
    }


def rights_text(holders: Sequence[Holder], width: int) -> Iterator[Line]:
    """Each action with yes, no or unknown, and what would mend what is amiss."""
    for group in _groups(holders):
        yield from _group(group, width)


def _groups(holders: Sequence[Holder]) -> list[list[Holder]]:
    """Those of one kind whose answers are the same stand together: a thousand accounts are a few lines."""
    groups: dict[Any, list[Holder]] = {}
    for holder in holders:
        answers = tuple((right.need, right.has, right.how, right.reason) for right in holder.rights)
        groups.setdefault((holder.account is None, answers), []).append(holder)
    return list(groups.values())


def _group(group: Sequence[Holder], width: int) -> Iterator[Line]:
    first = group[0]
    noun = "Subscription" if first.account is None else "Account"
    names = few([holder.label for holder in group], _MOST_NAMED)
    yield from wrap(f"{noun}{'s' if len(group) > 1 else ''} {names}", width, style="bold")
    yield from wrap(_HOW[frozenset(right.how for right in first.rights)], width, indent=2, style="dim")
    for right in first.rights:
        yield from _right(right, _said(group, right), width)
    yield from _cures(group, width)
    yield ()


def _said(group: Sequence[Holder], right: Right) -> str:
    """Why, in Azure's words; where it found other words for others of the group, whose these are."""
    text = why(right)
    others = (why(other) for holder in group for other in holder.rights if other.need == right.need)
    return text if all(other == text for other in others) else f"for one, {group[0].label}: {text}"


def _right(right: Right, said: str, width: int) -> Iterator[Line]:
    answer = right.has.value
    first, *rest = wrap(right.need.action, width, indent=_INDENT)
    yield ((f"  {answer:<{_INDENT - 2}}", _STYLES[answer]), (first[0][0][_INDENT:], ""))
    yield from rest
    yield from wrap(f"for {right.need.what_for}", width, indent=_INDENT, style="dim")
    if answer != "yes":
        yield from wrap(said, width, indent=_INDENT, style=_STYLES[answer])
        yield from wrap(f"Without it {right.need.without}.", width, indent=_INDENT)


def _cures(group: Sequence[Holder], width: int) -> Iterator[Line]:
    """What would mend it, each thing once; of more holders than one, all their commands up to a number."""
    told: set[str] = set()
    for holder in group[:_MOST_NAMED]:
        for right in holder.rights:
            for text in cure_of(right, holder).splitlines():
                if text not in told:
                    told.add(text)
                    yield from wrap(text, width, indent=2, breaks_words=False)
    if told and len(group) > _MOST_NAMED:
        yield from wrap(f"… and so for {len(group) - _MOST_NAMED} more.", width, indent=2)
