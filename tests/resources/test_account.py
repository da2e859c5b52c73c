from dataclasses import fields

import msgspec

from tests.factories import make_account
from watcher.resources.account import Account, compact

#: Texts that are an account's own, or that none needs to have.
OWN = {"id", "name", "label", "endpoint"}


def as_read(account: Account) -> Account:
    """With texts of its own, as every reading of Azure or of the store brings them."""
    return msgspec.json.decode(msgspec.json.encode(account), type=Account)


def test_a_compact_account_says_the_same():
    account = make_account(owner_source="configuration", tags={"owner": "ml"}, labels={"team": "search"})
    assert compact(as_read(account)) == account


def test_compact_accounts_hold_what_they_have_in_common_once():
    one, other = (compact(as_read(make_account(name, owner_source="configuration"))) for name in ("a", "b"))
    texts = {field.name for field in fields(Account) if isinstance(getattr(one, field.name), str)} - OWN
    assert {name for name in texts if getattr(one, name) is not getattr(other, name)} == set()


def test_a_key_is_held_once_wherever_it_is_kept():
    one, other = (as_read(make_account("Contoso-FT")) for _ in range(2))
    assert one.key == one.id.lower()
    assert one.key is other.key
