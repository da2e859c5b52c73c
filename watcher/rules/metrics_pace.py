"""How long the calls of an account need not be read again: hours decide near a deletion, days before it.

A call can but put a deletion off. So what was read of a deployment's calls holds until its earliest deletion comes near
the first warning, and until then they need no more than a look now and then.
"""

from collections.abc import Iterator, Mapping
from datetime import timedelta

from watcher.resources.deployment import ProvisioningState, is_fine_tuned
from watcher.resources.snapshot import Section
from watcher.rules.idle_clock import idle_clock
from watcher.rules.lifetimes import IDLE_LIFETIME, Lifetimes
from watcher.rules.rule import View
from watcher.rules.sight import usage_of

#: Of the configured interval: how long metrics are left alone at most.
SELDOM = 12
#: Near a deletion, metrics that end longer ago than this (and one bucket) say nothing of the present.
STALE_AFTER = timedelta(hours=3)
#: Metrics are read at their full pace this long before the first warning, so that it comes on fresh evidence.
MARGIN = timedelta(days=1)


def stale_after(every: timedelta) -> timedelta:
    """The same where metrics are read every so often: what the last poll but one read is never too old."""
    return max(STALE_AFTER, 2 * every)


def metrics_wait(
    view: View,
    *,
    every: timedelta,
    warn_before: tuple[timedelta, ...],
    lifetime: timedelta = IDLE_LIFETIME,
    lifetimes: Mapping[str, timedelta | None] | None = None,
) -> timedelta:
    """How long the account's metrics may rest from their last reading on: between `every` and `SELDOM` times as long.

    Args:
        view: The account as it stands, at whatever time; the same reading gives the same wait.
        every: The configured interval: the pace near a deletion, and where calls are not known.
        warn_before, lifetime, lifetimes: The options of `deployment_idle`.
    """
    if view.gap(Section.METRICS) is not None:
        return every
    table = Lifetimes(idle=lifetime, idle_by_sku=lifetimes or {})
    zone = max(warn_before, default=timedelta()) + MARGIN
    rest = min((left - zone for left in _time_left(view, table)), default=SELDOM * every)
    return max(every, min(SELDOM * every, rest))


def _time_left(view: View, lifetimes: Lifetimes) -> Iterator[timedelta]:
    """Until the earliest deletion of each deployment that can go idle; nothing is left where calls are not known."""
    unread = {gap.subject.lower() for gap in view.reading.gaps if gap.section is Section.METRICS}
    for deployment in view.deployments:
        lifetime = lifetimes.idle_of(deployment)
        if lifetime is None or not is_fine_tuned(deployment.model, view.custom_models):
            continue
        if deployment.provisioning_state is ProvisioningState.DELETING:
            continue
        usage = usage_of(view, deployment)
        clock = idle_clock(deployment, usage, lifetime)
        if usage is None or clock is None or unread & {deployment.key, deployment.name.lower()}:
            yield timedelta()
        else:
            yield clock.left(view.reading.usage_at or view.now)
