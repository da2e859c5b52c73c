"""Who is told of what, and by which channel: routes, receivers and their pace, and the heartbeat."""

from collections.abc import Awaitable, Callable, Mapping
from typing import TextIO

import structlog

from watcher import config as configuration
from watcher.alerts.inhibition import DEFAULT_INHIBITIONS, InhibitRule
from watcher.alerts.interval import WHOLE_DAY, MuteInterval, TimeRange
from watcher.alerts.matcher import parse_matchers
from watcher.alerts.pace import Pace, Rate
from watcher.alerts.route import RouteSpec, build_route
from watcher.alerts.routing import Routing, owner_routes
from watcher.config import Config
from watcher.notify.notifier import Notifier
from watcher.notify.registry import Context, ReceiverSpec, build_notifiers, pace_of
from watcher.rules.finding import Severity
from watcher.transport import AsyncClient, HTTPError, system_trust

log = structlog.get_logger()

#: The heartbeat is a courtesy: it may hold up nothing.
_PING_TIMEOUT_S = 10.0


def routing_of(config: Config) -> Routing | None:
    """Who is told of what."""
    if config.route is None:
        return None
    mutes = {
        mute.name: MuteInterval(
            name=mute.name,
            times=tuple(TimeRange(start=time.start, end=time.end) for time in mute.times) or (WHOLE_DAY,),
            weekdays=frozenset(mute.weekdays),
            timezone=config.watcher.timezone,
            except_severity=Severity(mute.except_severity) if mute.except_severity else None,
        )
        for mute in config.mute
    }
    inhibitions = tuple(
        InhibitRule(source=parse_matchers(rule.source), target=parse_matchers(rule.target), equal=rule.equal)
        for rule in config.inhibit
    )
    root = build_route(_spec(config.route))
    owners = [
        owner_routes(root, f"owners[{number}]", parse_matchers(owner.match), owner.receivers)
        for number, owner in enumerate(config.owners)
    ]
    return Routing(
        root=root,
        inhibitions=inhibitions or DEFAULT_INHIBITIONS,
        mutes=mutes,
        owners=tuple(route for routes in owners for route in routes),
        receivers=tuple(receiver.name for receiver in config.receivers),
    )


def _spec(route: configuration.Route) -> RouteSpec:
    return RouteSpec(
        receiver=route.receiver,
        matchers=parse_matchers(route.match),
        group_by=route.group_by,
        group_wait=route.group_wait,
        group_interval=route.group_interval,
        repeat_interval=route.repeat_interval,
        mute=route.mute,
        continue_=route.continue_,
        fallback=route.fallback,
        escalate_after=route.escalate_after,
        escalate_to=route.escalate_to,
        routes=tuple(_spec(child) for child in route.routes),
    )


def notifiers_of(config: Config, http: AsyncClient, stream: TextIO | None = None) -> Mapping[str, Notifier]:
    """The receivers by name."""
    specs = []
    for number, receiver in enumerate(config.receivers):
        options = receiver_options(receiver)
        specs.append(ReceiverSpec(path=f"receivers[{number}]", name=receiver.name, type=receiver.type, options=options))
    return build_notifiers(specs, context_of(config, http, stream))


def context_of(config: Config, http: AsyncClient, stream: TextIO | None = None) -> Context:
    """What receivers share."""
    return Context(
        watcher_name=config.watcher.name,
        zone=config.watcher.timezone,
        public_url=config.watcher.public_url or "",
        client=http,
        stream=stream,
        smtp_tls=system_trust(),
    )


def paces_of(config: Config) -> Mapping[str, Pace]:
    """How fast each receiver is told: as configured, else as its service publishes."""
    given = {
        one.name: Rate(messages=one.rate_limit.messages, per=one.rate_limit.per)
        for one in config.receivers
        if one.rate_limit is not None
    }
    return {one.name: pace_of(one.type, given.get(one.name)) for one in config.receivers}


def receiver_options(receiver: configuration.AnyReceiver) -> dict[str, object]:
    """A receiver's options as plain values, secrets in the open under the name without `_env` or `_file`."""
    return {
        key: value.reveal() if isinstance(value, configuration.Secret) else value
        for key, value in receiver.options().items()
    }


def heartbeat_of(config: Config, http: AsyncClient) -> Callable[[], Awaitable[None]] | None:
    """What pings the heartbeat's address; a failure is logged and harms nothing."""
    if config.heartbeat is None or config.heartbeat.url is None:
        return None
    url = config.heartbeat.url.reveal()

    async def ping() -> None:
        try:
            answer = await http.get(url, timeout=_PING_TIMEOUT_S)
            if answer.status_code >= 400:
                log.warning("heartbeat.failed", status=answer.status_code)
        except HTTPError as exc:
            log.warning("heartbeat.failed", error=type(exc).__name__)

    return ping
