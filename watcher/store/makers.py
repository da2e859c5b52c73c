"""Which job made a checkpoint: a deployment may name nothing but its id."""

from sqlalchemy import Connection, select

from watcher.store import schema


def of_checkpoint(tx: Connection, name: str) -> tuple[tuple[str, str], ...]:
    """Accounts' keys and ids of the jobs among whose checkpoints, as far as they were read, is one of this id or name.

    Names compare without case.
    """
    c = schema.training.c
    wanted = name.lower()
    found = select(c.account, c.job, c.checkpoints).where(c.checkpoints.icontains(wanted, autoescape=True))
    return tuple(
        (account, job)
        for account, job, names in tx.execute(found.order_by(c.account, c.job))
        if wanted in names.lower().split("\n")
    )
