"""Accounts that came, went, moved or left the scope, by what one discovery found. Pure."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from watcher.resources.account import Account
from watcher.resources.changes import Change, ResourceKind, Transition

#: Attributes of transitions of accounts; before and after `SCOPE` stand `INCLUDED` and `EXCLUDED`.
STATE = "provisioning_state"
SCOPE = "scope"
MOVED_TO = "moved_to"  #: to which id: the same name and endpoint are found under another one
INCLUDED, EXCLUDED = "included", "excluded"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedAccount:
    """An account as it was recorded before."""

    account: Account
    is_watched: bool  #: `False`: it has left the scope
    was_gone: bool = False  #: the last that was heard of it: its own address answered 404


def account_transitions(
    known: Mapping[str, RecordedAccount],
    found: Sequence[Account],
    *,
    left: Collection[str],
    gone: Collection[str],
    at: datetime,
    is_first: bool,
) -> tuple[Transition, ...]:
    """What a discovery says has changed, in the order of the accounts' keys.

    Args:
        known: By key, all accounts recorded before it.
        left: Keys of those that it takes out of the scope; where they are in `gone`, since they are no more.
        is_first: No discovery came before: what it finds is history.
    """
    new = [account for account in found if account.key not in known or not known[account.key].is_watched]
    changes: list[Transition] = []
    for account in new:
        before = known.get(account.key)
        if before is None or before.was_gone:
            changes.append(
                _transition(
                    account,
                    Change.DISCOVERED,
                    STATE,
                    after=account.provisioning_state,
                    at=at,
                    occurred_at=account.created_at if before is None else None,
                    is_history=is_first,
                )
            )
        else:
            changes.append(_transition(account, Change.CHANGED, SCOPE, before=EXCLUDED, after=INCLUDED, at=at))
    everyone = [one.account for one in known.values() if one.is_watched] + list(new)
    for key in left:
        account = known[key].account
        if key not in gone:
            changes.append(_transition(account, Change.CHANGED, SCOPE, before=INCLUDED, after=EXCLUDED, at=at))
            continue
        if moved := _moved_to(account, new, everyone):
            changes.append(_transition(account, Change.CHANGED, MOVED_TO, before=account.id, after=moved.id, at=at))
        changes.append(_transition(account, Change.GONE, STATE, before=account.provisioning_state, at=at))
    return tuple(sorted(changes, key=lambda transition: transition.account))


def _moved_to(account: Account, new: Sequence[Account], everyone: Sequence[Account]) -> Account | None:
    """The new account that bears the name of one that is gone, and answers under its endpoint.

    An endpoint that others share is a region's, and names nobody; one of another age was created anew.
    """
    wanted = _address(account)
    shared = Counter(_address(one) for one in everyone)[wanted]
    heirs = [one for one in new if _address(one) == wanted and _is_same(account, one)]
    return heirs[0] if wanted and shared == 2 and len(heirs) == 1 else None


def _is_same(before: Account, after: Account) -> bool:
    is_of_age = None in (before.created_at, after.created_at) or before.created_at == after.created_at
    return before.name.lower() == after.name.lower() and is_of_age


def _address(account: Account) -> str:
    return account.endpoint.rstrip("/").lower()


def _transition(
    account: Account,
    change: Change,
    attribute: str,
    *,
    at: datetime,
    before: str | None = None,
    after: str | None = None,
    occurred_at: datetime | None = None,
    is_history: bool = False,
) -> Transition:
    return Transition(
        account=account.key,
        kind=ResourceKind.ACCOUNT,
        resource=account.id,
        name=account.label,
        incarnation="",
        change=change,
        attribute=attribute,
        before=before,
        after=after,
        observed_at=at,
        occurred_at=occurred_at,
        is_history=is_history,
    )
