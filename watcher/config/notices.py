"""What a configuration asks for that this version reads and does not do yet; `check-config` prints it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from watcher.config.models import Config, Route
from watcher.config.receivers import SlackReceiver


def _routes(config: Config) -> Iterator[Route]:
    waiting: list[Route] = [config.route] if config.route else []
    while waiting:
        route = waiting.pop()
        yield route
        waiting.extend(route.routes)


def _has_type(name: str) -> Callable[[Config], bool]:
    return lambda config: any(receiver.type == name for receiver in config.receivers)


def _has_slack_bot(config: Config) -> bool:
    return any(isinstance(receiver, SlackReceiver) and receiver.bot_token for receiver in config.receivers)


#: One line for each thing not done yet; the version that does it deletes its line.
_NOT_YET: tuple[tuple[str, Callable[[Config], bool]], ...] = (
    ("[watcher] public_url", lambda config: config.watcher.public_url is not None),
    (
        '[pricing] source = "retail"',
        lambda config: "pricing" in config.model_fields_set and config.pricing.source == "retail",
    ),
    ('[[receivers]] type = "slack" with bot_token_*', _has_slack_bot),
    ('[[receivers]] type = "teams"', _has_type("teams")),
    ('[[receivers]] type = "pagerduty"', _has_type("pagerduty")),
    ('[[receivers]] type = "alertmanager"', _has_type("alertmanager")),
    ("[[owners]]", lambda config: bool(config.owners)),
    ("[route] fallback", lambda config: any(route.fallback for route in _routes(config))),
    ("[route] escalate_after, escalate_to", lambda config: any(route.escalate_to for route in _routes(config))),
    ("[[reports]]", lambda config: bool(config.reports)),
)


def warnings(config: Config) -> list[str]:
    """One line for each table or key in use that this version does not act on."""
    return [f"{what}: read, but not acted on by this version of watcher yet" for what, used in _NOT_YET if used(config)]
