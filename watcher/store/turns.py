"""Turns: what only one process may do at a time, where there is no row to lock for it."""

from sqlalchemy import Connection, func, select


def take_turns(tx: Connection, purpose: str) -> None:
    """Wait for other processes' transactions with the same purpose, and keep them waiting until the end of this one.

    Call it before the first read: what was read before the wait is out of date. SQLite's writers take turns anyway.
    """
    if tx.dialect.name == "postgresql":
        tx.execute(select(func.pg_advisory_xact_lock(func.hashtext(f"watcher.{purpose}"))))
