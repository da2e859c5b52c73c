"""Migrations, run from inside the package: there is no `alembic.ini`."""

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, text


def configuration() -> Config:
    """Alembic's configuration for the scripts in `watcher/migrations`."""
    config = Config()
    config.set_main_option("script_location", "watcher:migrations")
    return config


def to_head(engine: Engine) -> None:
    """Run what is missing, in one transaction. Two processes that start at once take turns."""
    config = configuration()
    with engine.begin() as tx:  # SQLite: BEGIN IMMEDIATE is the turn
        if engine.dialect.name == "postgresql":
            tx.execute(text("SELECT pg_advisory_xact_lock(hashtext('watcher.migrations'))"))
        config.attributes["connection"] = tx
        command.upgrade(config, "head")
