"""The store of the configuration: brought up to date for whoever records, left as it is for a rehearsal."""

from pathlib import Path

import sqlalchemy
import structlog
from sqlalchemy.pool import StaticPool

from watcher.config import Config
from watcher.store import engine
from watcher.store.engine import Store

log = structlog.get_logger()


def open_store(config: Config) -> Store:
    """The store of the configuration, its schema brought up to date.

    Raises:
        StoreError: it cannot be opened, or a newer watcher has written it.
    """
    database = engine.connect(config.database.address.reveal())
    if engine.upgrade(database):
        log.info("database.upgraded")
    return Store(database)


def open_for_rehearsal(config: Config) -> Store:
    """The store of the configuration as it is, or an empty one in memory where there is none yet."""
    url = sqlalchemy.make_url(config.database.address.reveal())
    if url.get_backend_name() != "sqlite" or (url.database and Path(url.database).exists()):
        database = engine.connect(config.database.address.reveal())
        engine.check_schema(database)
        return Store(database)
    in_memory = engine.connect("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    engine.upgrade(in_memory)
    return Store(in_memory)
