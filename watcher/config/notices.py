"""What a configuration asks for that this version reads and does not do yet; `check-config` prints it."""

from __future__ import annotations

from collections.abc import Callable

from watcher.config.models import Config

#: One line for each thing not done yet; the version that does it deletes its line.
_NOT_YET: tuple[tuple[str, Callable[[Config], bool]], ...] = (
    ("[watcher] public_url", lambda config: config.watcher.public_url is not None),
    (
        '[pricing] source = "retail"',
        lambda config: "pricing" in config.model_fields_set and config.pricing.source == "retail",
    ),
    ("[[reports]]", lambda config: bool(config.reports)),
)


def warnings(config: Config) -> list[str]:
    """One line for each table or key in use that this version does not act on."""
    return [f"{what}: read, but not acted on by this version of watcher yet" for what, used in _NOT_YET if used(config)]
