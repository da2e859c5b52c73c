"""Deployments that were said to appear, to be replaced and to be gone, held against their lives."""

import re
from collections.abc import Iterator
from datetime import timedelta

from watcher.alerts.alert import Alert
from watcher.resources.changes import Change, ResourceKind, Transition
from watcher.simulator.ledger import AccountTruth, LifeTruth

from .idle import DEVELOPER_LIFETIME, LIFETIME, is_developer, knowable
from .record import Record, Step, Violation, first, is_blurred, life_of, stands, when

RULE = "deployment_gone"

#: Words for a cause that could not be read, or that nothing explains.
_UNEXPLAINED = frozenset({"unexplained", "not_readable"})
#: How the log names an application.
_APPLICATION = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
#: Idleness is inferred from calls that were read up to shortly before the end.
_CALLS_KNOWN = timedelta(hours=2)


def check(record: Record) -> Iterator[Violation]:
    yield from false_events(record)
    yield from missed_events(record)
    yield from known_lives(record)


def false_events(record: Record) -> Iterator[Violation]:
    """What is called gone is gone, is told once, and for its true cause as far as that could be known."""
    told: set[tuple[str, str]] = set()
    for step, alert in record.said(RULE):
        subject = alert.finding.subject
        name = f"{RULE} for {alert.labels.get('deployment')} in {alert.labels.get('account')}"
        life = life_of(record, alert, step.at)
        if life is None or not life.is_fine_tuned:
            yield record.violation(step.at, f"{name}: there was no such fine-tuned deployment")
            continue
        seen = _seen_gone(record, alert) or step  # it may have been deployed again before its cause was looked up
        if _standing(record, life.deployment, seen) is not None or (life.ended or seen.at) > seen.at:
            yield record.violation(step.at, f"{name}: it stands")
        if (subject.id, subject.incarnation) in told:
            yield record.violation(step.at, f"{name}: told before")
        told.add((subject.id, subject.incarnation))
        if life.ended is not None and not is_blurred(record, life):  # of what lives on, no cause can be true
            for what in _claim(record, step, alert, life):
                yield record.violation(step.at, f"{name}: {what}")


def _standing(record: Record, deployment: str, step: Step) -> LifeTruth | None:
    lives = record.lives.get(deployment, ())
    return next((life for life in lives if stands(life, step.at) and record.exists(life.account, step.at)), None)


def _claim(record: Record, step: Step, alert: Alert, life: LifeTruth) -> Iterator[str]:
    values, word = alert.finding.values, str(alert.labels.get("cause"))
    seen = _seen_gone(record, alert)
    if seen is None or when(values["seen_gone_at"]) != seen.at:
        yield f"seen_gone_at {values['seen_gone_at']}, it was {seen.at if seen else 'never seen'}"
        return
    expected = _causes(record, step, seen, life)
    if word not in expected:
        logged = f"logged at {life.logged_at}" if life.is_logged else "not logged"
        yield f"cause {word!r}, not one of {sorted(expected)}: it ended {life.ended} by {life.cause!r} ({logged})"
    yield from _names(record, step, seen, alert, life)
    earliest, latest = when(values.get("deletion_earliest")), when(values.get("deletion_latest"))
    if life.cause == "idle" and life.ended is not None and life.idle_after == LIFETIME:
        if earliest is not None and earliest > life.ended:
            yield f"deletion_earliest {earliest}, it was deleted {life.ended}"
        if word == "idle" and latest is not None and latest < knowable(record, life, step).latest:
            yield f"deletion_latest {latest}, it was deleted {life.ended}"


def _names(record: Record, step: Step, seen: Step, alert: Alert, life: LifeTruth) -> Iterator[str]:
    """Whom the activity log has for it is named, with the time, once the log has it; and nobody else is."""
    said, at = alert.finding.summary, when(alert.finding.values.get("deleted_at"))
    account = _account_end(record, life)
    is_account = "its account was deleted by " in said
    deleter = account.deleted_by if is_account and account else None if is_account else life.deleted_by
    ends = {account.deleted if account else None} if is_account else {life.ended, account and account.deleted}
    if at is not None and at not in ends:
        yield f"deleted_at {at}, it was {life.ended}"
    if (
        "deleted by " in said
        and "deleted by Azure" not in said
        and not (deleter and f"deleted by {_who(deleter)}" in said)
    ):
        yield f"{said}: it was {deleter or 'nobody that the log has'}"
    if account is None or account.deleted_by is None or alert.labels["cause"] != "account_gone":
        return
    assert account.deleted is not None
    is_read = not any(True for _ in record.blinds("activity", None, seen.at, step.at))
    in_log = account.deleted + record.world.scenario.activity_delay <= step.at
    if is_read and in_log and account.deleted_by not in said:
        yield f"{said}: its account was deleted by {account.deleted_by}, which the log has"


def _who(deleter: str) -> str:
    return f"the application {deleter}" if _APPLICATION.fullmatch(deleter) else deleter


def _account_end(record: Record, life: LifeTruth) -> AccountTruth | None:
    """The account's deletion that took the life with it, or that came next."""
    assert life.ended is not None
    ends = [one for one in record.accounts[life.account] if one.deleted is not None and one.deleted >= life.ended]
    return min(ends, key=lambda one: one.deleted or life.ended, default=None)


def _seen_gone(record: Record, alert: Alert) -> Step | None:
    """The step at which the end of the alert's deployment was recorded."""
    subject = alert.finding.subject
    for step in record.steps:
        for transition in step.transitions:
            is_its = transition.resource.lower() == subject.id and transition.incarnation == subject.incarnation
            if is_its and transition.change is Change.GONE:
                return step
    return None


def _causes(record: Record, step: Step, seen: Step, life: LifeTruth) -> set[str]:
    """What may be said of why it is gone.

    Args:
        step: When it is told, after the activity log was asked again where it named nothing at first.
        seen: When it was seen to be gone.
    """
    if not record.exists(life.account, step.at):
        return {"account_gone"}
    if life.cause == "account":  # another account has its id now
        return {"account_gone", *_UNEXPLAINED, *_by_dates(record, step, life)}
    is_read = not any(True for _ in record.blinds("activity", None, seen.at, step.at))
    in_log = life.logged_at is not None and life.logged_at <= step.at
    by_dates = _by_dates(record, step, life)
    if life.cause == "user" and is_read and in_log:
        # An application may be Azure's own, so that a clock of Azure's which has run out explains more.
        return {"deleted", *by_dates} if _is_application(life) else {"deleted"}
    match life.cause:
        case "expired" if life.shows_created:
            return {"developer_expiry"}
        case "idle" if life.shows_created and _was_metered(record, seen, life):
            return {"idle"}
        case "idle" | "expired":
            return {*by_dates, *_UNEXPLAINED, "idle"}
        case _ if is_read and not life.is_logged:
            # Where its dates cannot tell, because they are not shown, that is not readable rather than unexplained.
            doubt = set() if life.shows_created and _was_metered(record, seen, life) else {"not_readable"}
            return {*by_dates, "unexplained", *doubt}
        case _:
            return {*by_dates, *_UNEXPLAINED, "deleted"}


def _is_application(life: LifeTruth) -> bool:
    return _APPLICATION.fullmatch(life.deleted_by or "") is not None


def _by_dates(record: Record, step: Step, life: LifeTruth) -> set[str]:
    """What its age and its calls may be taken to explain."""
    if is_developer(life):
        is_over = life.shows_created and life.created + DEVELOPER_LIFETIME <= step.at
        return {"developer_expiry"} if is_over else set()
    return {"idle"} if step.at >= knowable(record, life, step).earliest else set()


def _was_metered(record: Record, step: Step, life: LifeTruth) -> bool:
    """Whether its calls were read in its time and shortly before a step, without doubt."""
    steps = record.clear_steps(life.account, "metrics", "arm")
    return any(
        step.at - _CALLS_KNOWN <= s.at < step.at and stands(life, s.at) and life.account in s.metered for s in steps
    )


def missed_events(record: Record) -> Iterator[Violation]:
    """Every fine-tuned life that ended, and was not replaced, is told at the first poll that could see it.

    Where nothing explains its end, the activity log is asked again, by the next poll: then that one tells.
    """
    told: dict[tuple[str, str], Step] = {}
    for step, alert in record.said(RULE):
        told.setdefault((alert.finding.subject.id, alert.finding.subject.incarnation), step)
    for life in record.ledger.lives:
        if not life.is_fine_tuned or life.ended is None or is_blurred(record, life):
            continue
        due = _due(record, life)
        if due is None or _standing(record, life.deployment, due) is not None:
            continue
        said = [
            step
            for (deployment, incarnation), step in told.items()
            if deployment == life.deployment
            and (incarnation == life.created.isoformat() if life.shows_created else step.at >= life.ended)
        ]
        later = _after(record, life, due)
        if later is None or _standing(record, life.deployment, later) is not None:
            continue  # watching ended before it had to be told, or the name lives again: it was replaced after all
        if not said or min(step.at for step in said) > later.at:
            late = "never" if not said else f"not before {said[0].at}"
            what = f"the end of {life.name} in {life.label} ({life.cause}, {life.ended}) was told {late}"
            yield record.violation(due.at, what)


def _after(record: Record, life: LifeTruth, due: Step) -> Step | None:
    """The next step that could read more of it; `None`: there was none."""
    clear = {step.at for step in record.clear_steps(life.account, "arm", "activity")}
    return first(
        step
        for step in record.steps
        if step.at > due.at and (step.at in clear or (step.has_discovered and not record.exists(life.account, step.at)))
    )


def _due(record: Record, life: LifeTruth) -> Step | None:
    """The first step at which the end of a life that was seen could be seen; `None`: none."""
    assert life.ended is not None
    clear = record.clear_steps(life.account, "arm")
    if not any(stands(life, step.at) for step in clear):
        return None
    seen = first(step for step in clear if step.at >= life.ended)
    deleted = [one.deleted for one in record.accounts[life.account] if one.deleted and one.deleted >= life.ended]
    if not deleted:
        return seen
    if seen is not None and seen.at < min(deleted):
        return seen
    return first(
        step
        for step in record.steps
        if step.has_discovered
        and step.at >= min(deleted)
        and not any(True for _ in record.blinds("arm", None, step.at))
    )


def known_lives(record: Record) -> Iterator[Violation]:
    """The history of deployments agrees with their lives; after each clear poll what is known to live does."""
    known: dict[str, set[str]] = {}
    for step in record.steps:
        for transition in step.transitions:
            if transition.kind is not ResourceKind.DEPLOYMENT:
                continue
            yield from _transition(record, step, transition)
            of_account = known.setdefault(transition.account, set())
            if transition.change is Change.GONE:
                of_account.discard(transition.resource.lower())
            elif transition.change is Change.DISCOVERED:
                of_account.add(transition.resource.lower())
        for account in sorted(step.polled):
            if record.is_clear(step, account, "arm"):
                lives = [life for life in record.ledger.lives if life.account == account]
                standing = {life.deployment for life in lives if stands(life, step.at)}
                for deployment in sorted(standing ^ known.get(account, set())):
                    what = "is not known" if deployment in standing else "is still known"
                    yield record.violation(step.at, f"{deployment} {what}")


def _transition(record: Record, step: Step, transition: Transition) -> Iterator[Violation]:
    deployment = transition.resource.lower()
    life = _standing(record, deployment, step)
    what = f"{transition.name} {transition.change} ({transition.before} → {transition.after})"
    if transition.change is Change.GONE:
        if life is not None:
            yield record.violation(step.at, f"{what}: it stands")
        return
    if life is None:
        yield record.violation(step.at, f"{what}: no such deployment stands")
        return
    if transition.change is Change.REPLACED:
        former = [one for one in record.lives[deployment] if one.created.isoformat() == transition.before]
        if not former or former[0] is life:
            yield record.violation(step.at, f"{what}: it was not replaced")
    at = transition.occurred_at
    if transition.change in (Change.REPLACED, Change.DISCOVERED) and at is not None and at != life.created:
        yield record.violation(step.at, f"{what}: dated {at}, it was created {life.created}")
