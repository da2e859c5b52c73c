"""What is said of an idle deployment: to whoever is woken by it, and has a minute to understand it."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from watcher.resources.deployment import Deployment, SkuKind, Usage
from watcher.rules import commands
from watcher.rules.idle_clock import IdleClock
from watcher.rules.keep_words import keep_doubt
from watcher.rules.rule import View
from watcher.rules.sight import Unread, known_to, unread_deployment
from watcher.rules.text import ago, duration, moment


def idle_span(since: datetime, usage: Usage | None, now: datetime, *, is_bounded: bool = False) -> str:
    """`for 8 d 23 h, to 2026-11-22 20:00 UTC; its calls since then are not known`: what was not read is no idleness.

    Args:
        since: When its last call was, or its creation.
        is_bounded: It may have been called last long before that.
    """
    to, least = known_to(usage, now), "at least " if is_bounded else ""
    if to <= since and to < now:
        return "its calls since then are not known"
    text = f"for {least}{duration(to - since)}"
    return text if now - to < _PRESENT else f"{text}, to {moment(to)}; its calls since then are not known"


#: Calls that are known up to so shortly before now are known up to now.
_PRESENT = timedelta(minutes=1)


def is_rule_uncertain(deployment: Deployment) -> bool:
    """Azure states the idle rule without naming these kinds and this state."""
    return deployment.sku_kind is not SkuKind.STANDARD or deployment.is_paused


def doubts(deployment: Deployment, *, is_settled: bool = False) -> Iterator[str]:
    """Why the rule may not hold for it, in sentences.

    Args:
        is_settled: The operator says how long the like of it lasts.
    """
    if (doubt := doubt_of_sku(deployment)) and not is_settled:
        yield doubt
    if deployment.is_paused:
        yield "Rule uncertain: the deployment is paused; assumed that its idle clock runs on and its fee is charged."


def doubt_of_sku(deployment: Deployment) -> str:
    """Why the rule may not hold for the like of it, in a sentence; "" where Azure names that."""
    if deployment.sku_kind is SkuKind.STANDARD:
        return ""
    return f"Rule uncertain: Azure does not say whether it covers deployments of SKU {deployment.sku or 'unknown'}."


def summary(view: View, deployment: Deployment, clock: IdleClock) -> str:
    name, unread = f"Deployment {deployment.name} in {view.account.label}", unread_deployment(view, deployment)
    latest = clock.deletion_latest
    left = clock.left(view.now)
    uncertain = " (rule uncertain)" if is_rule_uncertain(deployment) else ""
    if latest is not None and view.now > latest:
        if unread is not None:
            return f"{name} was to be deleted by {moment(latest)}; {standing_unknown(unread)}{uncertain}"
        return f"{name} is overdue for deletion since {moment(latest)}, and still stands{uncertain}"
    if left <= timedelta():
        if unread is not None:
            earliest = moment(clock.deletion_earliest)
            return f"{name} may have been deleted since {earliest}; {standing_unknown(unread)}{uncertain}"
        until = f", at the latest {moment(latest)}," if latest is not None else ""
        return f"{name} may be deleted at any moment{until} unless it is called{uncertain}"
    is_certain = latest == clock.deletion_earliest and not uncertain
    when = f"will be deleted at {moment(latest)}" if latest and is_certain else ""
    return f"{name} {when or f'may be deleted from {moment(clock.deletion_earliest)}'} unless it is called{uncertain}"


def standing_unknown(unread: Unread) -> str:
    """That nobody can say whether a deployment still stands."""
    since = f" since {moment(unread.since)}" if unread.since else ""
    return f"whether it still stands is not known{since}"


def overdue(now: datetime, clock: IdleClock, unread: Unread | None) -> Iterator[str]:
    """What it means that it still stands, in sentences."""
    if unread is None and clock.deletion_latest is not None and now > clock.deletion_latest:
        yield (
            "By all that is known it should be gone by now. Whatever keeps it may end at any moment: check that it "
            "still exists, and do not count on it."
        )


def action(view: View, deployment: Deployment, clock: IdleClock) -> str:
    verify = ""
    if clock.deletion_latest is not None and view.now > clock.deletion_latest:
        verify = f"Check that it still exists:\n{commands.show_deployment(view.account, deployment)}\n"
    resume = ""
    if deployment.is_paused:
        resume = f"It is paused and refuses calls (423): resume it first.\n{commands.resume_deployment(deployment)}\n"
    return (
        f"{verify}{resume}"
        "To keep it, call it; only a real inference call resets the clock, and it costs a few tokens:\n"
        f"{commands.call_deployment(view.account, deployment)}\n"
        "If nobody needs it, delete it and end its fee; the model stays:\n"
        f"{commands.delete_deployment(view.account, deployment)}"
    )


def evidence(view: View, deployment: Deployment, clock: IdleClock, lifetime: timedelta) -> str:
    lines = [clock.basis]
    if view.reading.usage_at:
        lines.append(f"metrics read {ago(view.reading.usage_at, view.now)}")
    if view.reading.deployments_at:
        lines.append(f"it stood {moment(view.reading.deployments_at)} ({ago(view.reading.deployments_at, view.now)})")
    latest = f", latest {moment(clock.deletion_latest)}" if clock.deletion_latest else ""
    lines.append(
        f"rule: the later of creation and last successful call, and {duration(lifetime)}: earliest "
        f"{moment(clock.deletion_earliest)}{latest}"
    )
    lines.extend(clock.doubts)
    lines.extend(keep_doubt(deployment))
    lines.append("every answered call counts here, though Azure names some kinds of call alone")
    return "; ".join(lines)
