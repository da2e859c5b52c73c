"""When base models retire, as each region last said."""

from collections.abc import Collection, Iterable
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select

from watcher.resources.model import Retirement
from watcher.store import schema


def save(tx: Connection, found: Iterable[Retirement], *, regions: Collection[str], now: datetime) -> None:
    """Replace what is known of the regions that were read; of the others it stays."""
    c = schema.retirements.c
    read = {region.lower() for region in regions}
    if not read:
        return
    tx.execute(delete(schema.retirements).where(c.location.in_(sorted(read))))
    rows = {(one.location.lower(), one.model): one for one in found if one.location.lower() in read}
    if rows:
        values = [{"location": key[0], "model": key[1], "at": now, "noun": noun} for key, noun in rows.items()]
        tx.execute(insert(schema.retirements), values)


def load(tx: Connection) -> tuple[Retirement, ...]:
    """All that is known, by region and model."""
    c = schema.retirements.c
    return tuple(tx.execute(select(c.noun).order_by(c.location, c.model)).scalars())
