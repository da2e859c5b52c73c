"""Who owns anything that is on record, or ever was: what a name that somebody asks for is held against."""

import msgspec
from sqlalchemy import Connection, Text, select, type_coerce

from watcher.rules.labels import owner_of
from watcher.store import schema

_BATCH = 2000


class _Job(msgspec.Struct):
    """What of a job tells of its owner."""

    metadata: dict[str, str] = {}


def owners(tx: Connection, owner_tag: str) -> frozenset[str]:
    """The owners of all accounts, deployments and jobs that are recorded, with what is gone; models are their jobs'."""
    a, d, j = schema.accounts.c, schema.deployments.c, schema.jobs.c
    accounts = {key: noun for key, noun in tx.execute(select(a.key, a.noun))}
    found = {owner_of(account).name for account in accounts.values()}
    for key, noun in tx.execute(select(d.account, d.noun)):
        found.add(owner_of(accounts[key], deployment=noun, owner_tag=owner_tag).name)
    decode, tag = msgspec.json.Decoder(_Job).decode, owner_tag.lower()
    jobs = select(type_coerce(j.noun, Text)).execution_options(yield_per=_BATCH)
    for (text,) in tx.execute(jobs):
        found.update(value.strip() for name, value in decode(text).metadata.items() if name.lower() == tag)
    return frozenset(found - {""})
