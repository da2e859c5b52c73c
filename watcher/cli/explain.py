"""`explain`: everything about one job, deployment or alert."""

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from watcher.cli.desk import Desk
from watcher.cli.options import ConfigOption, JsonOption
from watcher.cli.table import Line, wrap

if TYPE_CHECKING:
    from watcher.cli.dossier import AlertFile, Dossier
    from watcher.report.records import Record

#: Changes and lines of a job's log that the text shows; `--json` has them all.
_MOST = 15
#: Of the texts beside their captions.
_INDENT = 15


def explain(
    ctx: typer.Context,
    wanted: Annotated[str, typer.Argument(metavar="ID", help="A job's or alert's id, or [ACCOUNT/]DEPLOYMENT.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Everything about one job, deployment or alert.

    The inputs with their age, the rule and its arithmetic, the routes taken, who was told when, each attempt."""
    from watcher.assembly import routing_of
    from watcher.cli.dossier import find

    desk: Desk = ctx.obj
    settings = desk.config(config)
    desk.quieten()
    now = desk.now()
    routing = routing_of(settings)
    with desk.store(settings) as store:
        dossier = store.read_now(find, wanted, routing=routing, now=now)
    if as_json:
        from watcher.report.records import document

        desk.document(document("explanation", _record(dossier), now=now))
    else:
        desk.lines(_text(dossier, now, desk.width))


def _record(dossier: "Dossier") -> "Record":
    from watcher.cli.dossier_record import dossier_record

    return dossier_record(dossier)


def _text(dossier: "Dossier", now: datetime, width: int) -> Iterator[Line]:
    yield from _subject(dossier, now, width)
    yield from _inputs(dossier, now, width)
    if dossier.standing is not None:
        yield from _clock(dossier, now, width)
    if not dossier.alerts:
        yield (("Alerts: ", "bold"), ("none", ""))
        yield ()
    for file in dossier.alerts:
        yield from _alert(file, now, width)
    yield from _history(dossier, now, width)


def _fact(caption: str, text: str, width: int, style: str = "") -> list[Line]:
    """A caption, and its text beside it over as many lines as it needs."""
    lines = wrap(text, width, indent=_INDENT, style=style, breaks_words=False)
    first = ((f"  {caption:<12} ", "dim"), (lines[0][0][0][_INDENT:], style))
    return [first, *lines[1:]]


def _title(text: str) -> Iterator[Line]:
    from watcher.cli.table import printable

    yield ((printable(text), "bold"),)


def _subject(dossier: "Dossier", now: datetime, width: int) -> Iterator[Line]:
    from watcher.cli.wording import past

    if dossier.job is not None:
        job = dossier.job.job
        yield from _title(f"Job {job.id}")
        yield from _fact("account", dossier.account.label if dossier.account else job.account, width)
        yield from _fact("status", f"{job.raw_status}, {past(dossier.job.status_since, now)}", width)
        yield from _fact("model", job.model or "unknown", width)
        if job.fine_tuned_model:
            yield from _fact("made", job.fine_tuned_model, width)
        yield from _fact("created", past(job.created_at, now), width)
        if job.error is not None:
            yield from _fact("error", f"{job.error.code} {job.error.message}".strip(), width, "red")
    elif dossier.deployment is not None:
        one = dossier.deployment
        deployment = one.deployment
        yield from _title(f"Deployment {deployment.name}")
        yield from _fact("account", dossier.account.label if dossier.account else deployment.account, width)
        yield from _fact("id", deployment.id, width)
        yield from _fact("model", deployment.model, width)
        yield from _fact("sku", f"{deployment.sku} × {deployment.capacity}", width)
        state = " ".join(filter(None, (deployment.raw_provisioning_state, deployment.deployment_state)))
        yield from _fact("state", state, width)
        yield from _fact("created", past(deployment.created_at, now), width)
        if one.ended_at is not None:
            yield from _fact("ended", f"{one.outcome}, seen {past(one.ended_at, now)}", width, "red")
        if dossier.keep is not None:
            keep = dossier.keep
            text = f"until {_stamp(keep.until)} by {keep.author}: {keep.reason}"
            yield from _fact("kept", text, width)
    elif dossier.account is not None:
        yield from _title(f"Account {dossier.account.label}")
        yield from _fact("id", dossier.account.id, width)
    else:
        return
    yield ()


def _inputs(dossier: "Dossier", now: datetime, width: int) -> Iterator[Line]:
    from watcher.cli.wording import past
    from watcher.rules.sight import REASONS

    if dossier.reading is None:
        return
    yield from _title("Inputs")
    reading = dossier.reading
    ages = [("jobs", reading.jobs_at), ("deployments", reading.deployments_at), ("metrics", reading.usage_at)]
    for caption, at in ages if dossier.job is None else ages[:1]:
        yield from _fact(caption, f"read {past(at, now)}" if at else "never read", width)
    usage = dossier.standing.usage if dossier.standing else None
    if usage is not None:
        yield from _fact("calls", f"known from {_stamp(usage.read_from)} to {_stamp(usage.read_to)}", width)
        yield from _fact("last success", past(usage.last_success_at, now, missing="none in that span"), width)
        yield from _fact("last failure", past(usage.last_failure_at, now, missing="none in that span"), width)
    elif dossier.standing is not None:
        yield from _fact("calls", "unknown: not read", width, "yellow")
    for gap in dossier.gaps:
        text = f"{gap.section.value} since {past(gap.at, now)}: {REASONS[gap.reason]}: {gap.message}"
        yield from _fact("not seen", text, width, "yellow")
    yield ()


def _clock(dossier: "Dossier", now: datetime, width: int) -> Iterator[Line]:
    from watcher.cli.wording import remaining
    from watcher.report.standing import Risk

    standing = dossier.standing
    assert standing is not None
    yield from _title(f"Risk: {standing.risk.value.replace('_', ' ')}")
    if standing.risk is Risk.EXEMPT:
        yield from wrap("a base model: Azure deletes no deployment of one for idleness", width, indent=2)
    if standing.basis:
        yield from _fact("basis", standing.basis, width)
    if standing.idle_since is not None:
        yield from _fact("idle since", _stamp(standing.idle_since), width)
    if standing.deletion_earliest is not None:
        text, style = remaining(standing, now)
        yield from _fact("earliest", f"{_stamp(standing.deletion_earliest)} ({text})", width, style)
    if standing.deletion_latest is not None:
        yield from _fact("latest", _stamp(standing.deletion_latest), width)
    if standing.unknown_because:
        yield from _fact("unknown", standing.unknown_because, width, "yellow")
    yield ()


def _alert(file: "AlertFile", now: datetime, width: int) -> Iterator[Line]:
    from watcher.cli.wording import SEVERITY_STYLES, past

    alert, finding = file.alert, file.alert.finding
    status = "happened" if alert.is_event else alert.status.value
    yield (
        (f"Alert {alert.id}", "bold"),
        (f"  {finding.rule} ", ""),
        (alert.severity.value, SEVERITY_STYLES[alert.severity]),
        (f" {status}", ""),
    )
    yield from _fact("summary", finding.summary, width)
    yield from _fact("since", f"{_stamp(alert.starts_at)} ({past(alert.starts_at, now)})", width)
    if alert.ends_at is not None:
        yield from _fact("ended", f"{_stamp(alert.ends_at)} {alert.ended_because}".rstrip(), width)
    if finding.step:
        yield from _fact("step", finding.step, width)
    if alert.unverified_since is not None or alert.unverified_because:
        text = f"since {past(alert.unverified_since, now)}: {alert.unverified_because}"
        yield from _fact("not verified", text, width, "yellow")
    for caption, text in (("what", finding.description), ("do", finding.action), ("evidence", finding.evidence)):
        if text:
            yield from _fact(caption, text, width)
    for name, value in finding.values.items():
        if value != "":
            yield from _fact("value", f"{name} = {'unknown' if value is None else value}", width)
    if alert.acked_at is not None:
        yield from _fact("acked", f"by {alert.acked_by} {past(alert.acked_at, now)}", width)
    yield from _telling(file, now, width)
    for entry in file.audit:
        yield from _fact("audit", f"{_stamp(entry.at)} {entry.action} by {entry.author}: {entry.comment}", width)
    yield ()


def _telling(file: "AlertFile", now: datetime, width: int) -> Iterator[Line]:
    if not file.routes:
        yield from _fact("route", "none takes it", width)
    for path, receiver, group in file.routes:
        shown = ", ".join(f"{name}={value}" for name, value in group.items())
        yield from _fact("route", f"{path} → {receiver}, grouped by {shown or 'nothing'}", width)
    for silence in file.silences:
        text = f"until {_stamp(silence.ends_at)} by {silence.author}: {silence.comment} ({silence.id})"
        yield from _fact("silenced", text, width)
    for held in file.held:
        yield from _fact("not told now", f"{held.receiver or 'nobody'}: {held}", width)
    for told in file.told:
        step = f" {told.step}" if told.step else ""
        yield from _fact("told", f"{_stamp(told.at)} {told.receiver}: {told.status}, {told.severity}{step}", width)
    if not file.told:
        yield from _fact("told", "nobody yet", width)
    for delivery, attempts in file.deliveries:
        notification = delivery.notification
        text = f"{notification.id} to {notification.receiver}: {notification.reason.value}, {delivery.state}"
        yield from _fact("delivery", text, width)
        for attempt in attempts:
            kind = "" if attempt.detail.startswith(attempt.kind) else attempt.kind
            detail = ": ".join(filter(None, (attempt.outcome, kind, attempt.detail)))
            yield from _fact("  attempt", f"{_stamp(attempt.at)} after {attempt.duration_s:.1f} s, {detail}", width)


def _history(dossier: "Dossier", now: datetime, width: int) -> Iterator[Line]:
    if dossier.transitions:
        yield from _title("Changes, the newest first")
    for one in dossier.transitions[:_MOST]:
        change = one.change.value
        if one.attribute:
            change = f"{one.attribute}: {one.before if one.before is not None else '(none)'} → {one.after}"
        yield from wrap(f"{_stamp(one.occurred_at or one.observed_at)}  {change}", width, indent=2)
    yield from _rest(len(dossier.transitions))
    if dossier.events:
        yield from _title("The job's own log, the newest first")
    for event in reversed(dossier.events[-_MOST:]):
        yield from wrap(f"{_stamp(event.created_at)}  {event.level}: {event.message}", width, indent=2)
    yield from _rest(len(dossier.events))
    for entry in dossier.audit:
        yield from _fact("audit", f"{_stamp(entry.at)} {entry.action} by {entry.author}: {entry.comment}", width)


def _rest(count: int) -> Iterator[Line]:
    if count > _MOST:
        yield ((f"  … and {count - _MOST} more: --json has them", "dim"),)
    if count:
        yield ()


def _stamp(at: Any) -> str:
    from watcher.rules.text import moment

    return moment(at)
