"""What people do by command, on the page and through the API: silence, acknowledge, keep. All of it is audited.

Each act is one transaction, and returns what is to be said of it; a warning is a sentence.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from watcher.alerts.alert import Alert, AlertStatus
from watcher.alerts.keep import Keep
from watcher.alerts.lint import Known, odd_matchers
from watcher.alerts.matcher import Matcher, parse_matchers
from watcher.alerts.silence import Silence, hushed
from watcher.answers.listings import DeploymentRow
from watcher.answers.listings import living as living_of
from watcher.answers.query import Frame
from watcher.errors import Refused
from watcher.resources.deployment import KEEP_TAG
from watcher.rules.text import duration, moment
from watcher.store import alerts, listings, operators
from watcher.store.operators import AuditEntry

#: A longer silence outlasts the memory of who made it.
_LONG = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Silenced:
    """A new silence, and what of that which fires now it touches, the loudest first."""

    silence: Silence
    quiets: tuple[Alert, ...]
    comes_through: tuple[Alert, ...]  #: their deletion is less than a day away
    warnings: tuple[str, ...]


def matchers_of(texts: Sequence[str]) -> tuple[Matcher, ...]:
    """The matchers of a silence.

    Raises:
        Refused: One cannot be read, or all alerts would be matched.
    """
    try:
        parsed = tuple(parse_matchers(texts))
    except ValueError as exc:
        raise Refused(str(exc), code=2) from None
    if all(matcher.matches({}) for matcher in parsed):
        message = "these match every alert, also those without labels; name what is to be quiet"
        raise Refused(message, code=2)
    return parsed


def silence(
    tx: Connection,
    texts: Sequence[str],
    *,
    ends_at: datetime,
    author: str,
    comment: str,
    is_forced: bool = False,
    known: Known,
    now: datetime,
) -> Silenced:
    """Keep quiet what all the matchers match.

    Args:
        known: What alerts can be like, for warnings.

    Raises:
        Refused: The matchers cannot be used.
    """
    parsed = matchers_of(texts)
    made = operators.add_silence(
        tx,
        [str(matcher) for matcher in parsed],
        ends_at=ends_at,
        author=author,
        comment=comment,
        is_forced=is_forced,
        now=now,
    )
    matched = [alert for alert in alerts.listed(tx, firing_only=True) if made.matches(alert.labels)]
    matched.sort(key=lambda alert: (-alert.severity.rank, alert.starts_at, alert.id))
    through = tuple(alert for alert in matched if hushed(alert, [made], now).by is None)
    warnings = [str(problem) for problem in odd_matchers(parsed, known, path="")]
    warnings += [warning for alert in matched if (warning := _deadline_warning(alert, made))]
    if ends_at - now > _LONG:
        warnings.append(f"it lasts {duration(ends_at - now)}: whatever it matches is quiet so long, also what is new")
    return Silenced(
        silence=made,
        quiets=tuple(alert for alert in matched if alert not in through),
        comes_through=through,
        warnings=tuple(warnings),
    )


def _deadline_warning(alert: Alert, silence: Silence) -> str:
    """That a deletion may come while the silence lasts, and what of its countdown is hidden; "": it does not."""
    deadline = _deadline(alert.finding.values.get("deletion_earliest"))
    if deadline is None or deadline >= silence.ends_at:
        return ""
    about = f"{alert.id} ({alert.finding.summary})"
    if silence.is_forced:
        cure = f"to be told after all: watcher silence expire {silence.id}"
        return f"the deletion may come at {moment(deadline)}, and nobody is warned any more of {about}; {cure}"
    return (
        f"the deletion may come at {moment(deadline)}, before the silence ends: of {about} the last 24 h are told all "
        "the same, earlier steps are not"
    )


def _deadline(value: object) -> datetime | None:
    try:
        return datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None


def expire(tx: Connection, wanted: Sequence[str], *, author: str, comment: str, now: datetime) -> tuple[Silence, ...]:
    """End silences now, each named by its id or the beginning of it. What they kept quiet and still fires is told.

    Raises:
        Refused: One is not active, or a beginning is that of several; then none is ended.
    """
    active = [silence.id for silence in operators.silences(tx, since=now)]
    meant = list(dict.fromkeys(_one_of(active, id_) for id_ in wanted))
    ended = [operators.expire_silence(tx, id_, author=author, comment=comment, now=now) for id_ in meant]
    return tuple(silence for silence in ended if silence is not None)


def _one_of(active: Sequence[str], wanted: str) -> str:
    found = [id_ for id_ in active if id_ == wanted] or [id_ for id_ in active if wanted and id_.startswith(wanted)]
    if not found:
        raise Refused(f"no silence {wanted} is active: see `watcher silence list`")
    if len(found) > 1:
        raise Refused(f"{wanted} is the beginning of {' and '.join(found[:3])}: write more of it", code=2)
    return found[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledged:
    """An alert that somebody looks after."""

    alert: Alert  #: as it was before
    earlier: AuditEntry | None  #: who had said so before


def acknowledge(
    tx: Connection, wanted: Sequence[str], *, author: str, comment: str, now: datetime
) -> tuple[Acknowledged, ...]:
    """Say that somebody looks after alerts, each named by its id or the beginning of it.

    Raises:
        Refused: One is unknown or over, or a beginning is that of several; then none is acknowledged.
    """
    found = {alert.id: alert for alert in (_to_acknowledge(tx, id_) for id_ in wanted)}
    done = []
    for alert in found.values():
        earlier = next((one for one in operators.audit(tx, subject=alert.id) if one.action == "ack"), None)
        operators.acknowledge(tx, alert, author=author, comment=comment, now=now)
        done.append(Acknowledged(alert=alert, earlier=earlier if alert.acked_at is not None else None))
    return tuple(done)


def _to_acknowledge(tx: Connection, wanted: str) -> Alert:
    """The alert that is meant: of several that begin so, the one that is not over."""
    alert = alerts.find(tx, wanted) if wanted else None
    if alert is None:
        like = alerts.named(tx, wanted) if wanted else ()
        standing = [one for one in like if not one.is_over]
        if len(standing) == 1:
            return alerts.of_ids(tx, [standing[0].id])[0]
        if not like:
            raise Refused(f"no alert has an id that begins with {wanted or 'nothing'}: see `watcher alerts`")
        names = ", ".join(one.id for one in (standing or like)[:3]) + (", …" if len(standing or like) > 3 else "")
        raise Refused(f"{wanted} is the beginning of {names}: write more of it", code=2)
    if alert.status is AlertStatus.RESOLVED:
        raise Refused(f"{alert.id} is resolved: there is nothing to acknowledge")
    return alert


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A deployment that is kept from now on."""

    row: DeploymentRow
    keep: Keep
    earlier: Keep | None  #: whose word it replaces
    warnings: tuple[str, ...]


def keep(tx: Connection, frame: Frame, wanted: str, *, until: datetime, author: str, reason: str) -> Kept:
    """Keep [ACCOUNT/]DEPLOYMENT until a time. Azure knows nothing of it.

    Raises:
        Refused: No deployment of that name lives, or several do.
    """
    place, _, name = wanted.rpartition("/")
    living = [
        row
        for row in living_of(tx, frame, name)
        if row.one.deployment.key == wanted.lower()
        or place.lower() in ("", row.seen.account.label.lower(), row.seen.account.name.lower())
    ]
    if not living:
        raise Refused(f"{wanted} is no living deployment: see `watcher deployments`")
    if len(living) > 1:
        places = ", ".join(f"{row.seen.account.label}/{row.one.deployment.name}" for row in living)
        raise Refused(f"{wanted} is ambiguous: say which of {places}", code=2)
    (row,) = living
    deployment = row.one.deployment
    same = (deployment.account, deployment.name.lower())
    before = (one for one in operators.keeps(tx, since=frame.now) if (one.account, one.deployment.lower()) == same)
    earlier = next(before, None)
    made = Keep(account=deployment.account, deployment=deployment.name, until=until, author=author, reason=reason)
    operators.save_keep(tx, made, now=frame.now)
    return Kept(row=row, keep=made, earlier=earlier, warnings=tuple(_keep_warnings(row, until, frame.now)))


def _keep_warnings(row: DeploymentRow, until: datetime, now: datetime) -> list[str]:
    name, standing = row.one.deployment.name, row.standing
    if standing is None or not (standing.is_fine_tuned or standing.deletion_earliest):
        return []
    earliest = standing.deletion_earliest
    if earliest is None:
        if not standing.unknown_because:
            return []
        return [f"when Azure may delete {name} is unknown: {standing.unknown_because}"]
    if earliest >= until:
        return []
    when = f"in {duration(earliest - now)}" if earliest > now else "at any moment"
    text = f"Azure may delete {name} before that, {when} ({moment(earliest)})"
    return [f"{text}, unless it is called: keep does not stop it"]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepRow:
    """A keep, with the names of what it keeps."""

    keep: Keep
    label: str  #: of the account
    places: tuple[str, ...]  #: what else the account is called, in lower case
    name: str  #: of the deployment, as Azure writes it where it stands


def keeps(tx: Connection, now: datetime) -> tuple[KeepRow, ...]:
    """What is kept, the next to end first."""
    kept = operators.keeps(tx, since=now)
    keys = {each.account for each in kept}
    watched = listings.places(tx, with_removed=True, keys=keys)
    names = {
        one.deployment.key: one.deployment.name for one in (listings.deployments(tx, account_keys=keys) if keys else ())
    }
    rows = []
    for each in kept:
        found = watched.get(each.account)
        label = found.account.label if found else each.account
        places = (label.lower(), each.account.lower(), *((found.account.name.lower(),) if found else ()))
        name = names.get(f"{each.account}/deployments/{each.deployment}".lower(), each.deployment)
        rows.append(KeepRow(keep=each, label=label, places=places, name=name))
    return tuple(rows)


def drop(tx: Connection, wanted: str, *, author: str, reason: str, now: datetime) -> tuple[KeepRow, tuple[str, ...]]:
    """End an exception, also one of a deployment that is gone: it would carry over to a new life of the name.

    Returns what it was, and warnings.

    Raises:
        Refused: It is not kept, or several are meant.
    """
    place, _, name = wanted.rpartition("/")
    found = [one for one in keeps(tx, now) if one.name.lower() == name.lower() and place.lower() in ("", *one.places)]
    if not found:
        raise Refused(f"{wanted} is not kept: see `watcher keep --list`")
    if len(found) > 1:
        raise Refused(f"{wanted} is ambiguous: {', '.join(f'{one.label}/{one.name}' for one in found)}", code=2)
    one = found[0]
    operators.drop_keep(tx, one.keep.account, one.keep.deployment)
    subject = f"{one.keep.account}/{one.name}"
    operators.record(tx, author=author, action="keep.drop", subject=subject, comment=reason, now=now)
    warnings = (f"its tag {KEEP_TAG} still stands in Azure, and counts again once it is changed",)
    return one, warnings if KEEP_TAG in one.keep.author else ()
