"""What `explain` says of a deployment."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from watcher.cli.table import Line
from watcher.cli.told import listed, paragraph, title
from watcher.resources.changes import Change
from watcher.resources.model import base_of, is_checkpoint_id
from watcher.rules.idle_words import idle_span
from watcher.rules.keep_words import keep_doubt
from watcher.rules.text import ago, duration, hours, moment

if TYPE_CHECKING:
    from watcher.answers.dossier import Dossier
    from watcher.report.standing import Standing

#: Changes that are shown; `--json` has them all.
_MOST_CHANGES = 12


def deployment_text(dossier: "Dossier", now: datetime, width: int) -> Iterator[Line]:
    """All that is known of a deployment, what matters first."""
    assert dossier.deployment is not None and dossier.account is not None
    deployment = dossier.deployment.deployment
    yield from title(f"Deployment {deployment.name} in {dossier.account.label}", width)
    if dossier.standing is not None:
        yield from paragraph(_standing(dossier.standing, now), width)
    else:
        yield from paragraph(_end(dossier, now), width)
    yield from paragraph(_kept(dossier, now), width)
    yield from paragraph(_what(dossier, now), width)
    yield from paragraph(_lineage(dossier, now), width)
    if dossier.standing is not None and dossier.standing.basis:
        yield from _arithmetic(dossier.standing, now, width)
    yield from _recipe(dossier, width)
    yield from _changes(dossier, width)


def _recipe(dossier: "Dossier", width: int) -> Iterator[Line]:
    """How to make it again; a command is one line, however long, so that it can be copied."""
    again = dossier.recipe
    if again is None:
        return
    yield from title(
        "To deploy it again as it was" if dossier.standing is None else "To deploy it again as it is", width
    )
    if again.missing:
        yield from paragraph(f"Not known of it: {', '.join(again.missing)}. Azure's default is taken.", width)
    if again.obstacle:
        yield from paragraph(again.obstacle, width, style="yellow")
    yield ((again.command, ""),)
    yield ()


def _standing(standing: "Standing", now: datetime) -> str:
    """Whether it will be deleted, in the first sentence."""
    from watcher.report.standing import Risk

    stands = "" if standing.unknown_because else ", and it still stands"
    earliest, latest, left = standing.deletion_earliest, standing.deletion_latest, standing.left
    how = "; calls do not change that" if standing.expires else " unless it is called"
    match standing.risk:
        case Risk.EXEMPT if not standing.is_fine_tuned:
            return "Not at risk: it serves a base model, and Azure deletes no deployment of one for idleness."
        case Risk.EXEMPT:
            return f"Not at risk: {standing.basis}."
        case Risk.UNKNOWN:
            known = _last_known(standing, now)
            since = f" It was last known {known}." if known else ""
            return f"Risk unknown: {standing.unknown_because or 'nothing dates its clock'}.{since}"
        case Risk.SAFE if earliest is not None:
            until = moment(earliest)
            return f"Safe for now: even if nobody calls it again, Azure's rules let it stand until {until} at least."
    if earliest is None or left is None:
        return "At risk: an alert says so, and what it rests on can no longer be read."
    if left.total_seconds() < 0:
        due = f": it was to go by {moment(latest)}" if latest is not None else ""
        return f"At risk: its deletion is overdue by {duration(-left)}{stands}{due}.{_doubt_of(standing, now)}"
    if not left:
        text = f"At risk: Azure may delete it at any moment{how}."
    else:
        text = f"At risk: Azure may delete it in {duration(left)}, from {moment(earliest)} on{how}."
    if latest is not None and latest != earliest:
        text += f" By Azure's rule it goes {moment(latest)} at the latest."
    return text + _doubt_of(standing, now)


def _doubt_of(standing: "Standing", now: datetime) -> str:
    """What keeps its standing from being certain; "": nothing."""
    if not standing.unknown_because:
        return ""
    known = _last_known(standing, now)
    since = f", last read {known}" if known else ""
    return f" That rests on its last evidence: {standing.unknown_because}{since}."


def _last_known(standing: "Standing", now: datetime) -> str:
    """How long ago it was known; "" where nothing tells, or the reason says so itself."""
    known = ago(standing.unknown_since, now) if standing.unknown_since else ""
    return "" if known in standing.unknown_because else known


def _end(dossier: "Dossier", now: datetime) -> str:
    """How it ended, as far as anybody says."""
    assert dossier.deployment is not None
    one, log = dossier.deployment, dossier.departure
    if one.ended_at is None:
        return ""
    if one.outcome == Change.REPLACED.value:
        return f"It was replaced by another of its name, seen {moment(one.ended_at)} ({ago(one.ended_at, now)})."
    cause = "" if dossier.is_of_alert else dossier.cause  # that stands above
    text = f"It is gone, seen {moment(one.ended_at)} ({ago(one.ended_at, now)}){cause and f': {cause}'}."
    if log is None:
        return f"{text} Who deleted it is unknown: the activity log was not asked."
    if cause and dossier.is_cause_logged:
        # What it says of Azure itself comes with our own guess at the reason.
        return text if " by Azure itself" in cause else f"{text.removesuffix('.')}, says the activity log."
    if log.deleted_by or log.deleted_at:
        what = "the account with all that was in it" if log.account_deleted else "it"
        at = f" on {moment(log.deleted_at)}" if log.deleted_at else ""
        return f"{text} By the activity log {log.deleted_by or 'a caller whom it does not name'} deleted {what}{at}."
    if not log.is_read:
        return f"{text} Who deleted it is unknown: {log.because or 'the activity log could not be read'}."
    if cause.endswith("the activity log names nobody"):
        return f"{text} Whether Azure logs its own deletions is not documented."
    return f"{text} The activity log names nobody; whether Azure logs its own deletions is not documented."


def _kept(dossier: "Dossier", now: datetime) -> str:
    assert dossier.deployment is not None
    deployment, keep = dossier.deployment.deployment, dossier.keep
    doubt = "".join(f"{text[0].upper()}{text[1:]}." for text in keep_doubt(deployment))
    if keep is None:
        return doubt
    left = f", for {duration(keep.until - now)} more" if keep.until > now else ""
    said = f"{keep.author} keeps it until {moment(keep.until)}{left}: {keep.reason}"
    return f"{said.removesuffix('.')}. {doubt}" if doubt else said


def _what(dossier: "Dossier", now: datetime) -> str:
    assert dossier.deployment is not None
    deployment = dossier.deployment.deployment
    state = deployment.raw_provisioning_state
    if deployment.deployment_state:
        state += f", {deployment.deployment_state.lower()}"
    capacity = "" if deployment.capacity is None else f" × {deployment.capacity}"
    created = "when is unknown"
    if deployment.created_at is not None:
        created = f"{moment(deployment.created_at)} ({ago(deployment.created_at, now)})"
    by = f" by {deployment.created_by}" if deployment.created_by else ""
    owner = dossier.owner
    whose = f"Its owner is {owner.name} ({owner.source})." if owner.source else "Nobody is named as its owner."
    text = f"SKU {deployment.sku or 'unknown'}{capacity}, {state}; created {created}{by}. {whose}"
    return f"{text} The service says of its failure: {deployment.failure}" if deployment.failure else text


def _lineage(dossier: "Dossier", now: datetime) -> str:
    """What it serves, who made that, and where else it is served."""
    assert dossier.deployment is not None
    deployment, maker = dossier.deployment.deployment, dossier.maker
    serves = "serves" if dossier.deployment.ended_at is None else "served"
    step = f" (step {dossier.checkpoint.step})" if dossier.checkpoint else ""
    text = f"It {serves} {'the checkpoint ' if is_checkpoint_id(deployment.model) else ''}{deployment.model}{step}"
    if maker is not None:
        name = f'"{maker.job.suffix}" ({maker.job.id})' if maker.job.suffix else maker.job.id
        text += f", made by job {name} from {maker.job.model or 'an unknown base'} {ago(maker.status_since, now)}."
    elif is_checkpoint_id(deployment.model):
        text += ", an id that names no model; no job of which watcher has read the checkpoints has it."
    elif base_of(deployment.model) not in ("", deployment.model):
        text += f", by its name trained from {base_of(deployment.model)}; no job that watcher knows made it."
    else:
        text += "."
    if dossier.standing is not None and not dossier.standing.is_fine_tuned:
        return text
    others = [f"{one.label}/{one.deployment.name}" for one in dossier.served]
    if others:
        what = "The same model" if dossier.checkpoint is None else "The model of that job, or a checkpoint of it,"
        text += f" {what} is deployed as {', '.join(others)} too."
    return text


def _arithmetic(standing: "Standing", now: datetime, width: int) -> Iterator[Line]:
    from watcher.report.standing import Risk

    if standing.risk is Risk.EXEMPT:
        return
    if standing.risk is not Risk.UNKNOWN:  # what was not read dates nothing
        yield from title("How that is reckoned", width)
        yield from listed(((f"{left:<6}", text) for left, text in _sum(standing, now)), width)
        yield ()
    usage = standing.usage
    if usage is None:
        yield from paragraph("Its calls are unknown: they were not read.", width, style="yellow")
        return
    span = f"from {moment(usage.read_from)} to {moment(usage.read_to)}"
    good = f"the last successful one {ago(usage.last_success_at, now)}" if usage.last_success_at else "none successful"
    bad = f"the last failed one {ago(usage.last_failure_at, now)}" if usage.last_failure_at else "none failed"
    yield from paragraph(f"Calls under its name are known {span}: {good}, {bad}.", width)


def _sum(standing: "Standing", now: datetime) -> Iterator[tuple[str, str]]:
    """What is added to what."""
    from watcher.answers.money import is_idle

    yield "starts", standing.basis
    if standing.lifetime is not None:
        what = "after which such a deployment may be removed, called or not" if standing.expires else "without a call"
        span = hours(standing.lifetime) if standing.lifetime < timedelta(days=2) else duration(standing.lifetime)
        yield "adds", f"{span} {what}"
    if standing.idle_since is not None:
        span = idle_span(standing.idle_since, standing.usage, now, is_bounded=standing.is_bounded)
        since = moment(standing.idle_since)
        if is_idle(standing, now):
            yield "idle", f"since {since}, {span}"
        else:
            yield "calls", f"none since {since}, {span}" if span.startswith("for ") else f"not known since {since}"
    if standing.deletion_earliest is not None:
        yield "gives", f"{moment(standing.deletion_earliest)} at the earliest"
    if standing.deletion_latest is not None:
        yield "", f"{moment(standing.deletion_latest)} at the latest"
    for doubt in standing.doubts:
        yield "but", doubt


def _changes(dossier: "Dossier", width: int) -> Iterator[Line]:
    if not dossier.transitions:
        return
    yield from title("What changed, the newest first", width)
    rows = []
    for one in dossier.transitions[:_MOST_CHANGES]:
        text = one.change.value
        if one.change is Change.DISCOVERED and one.after:
            made = "created" if one.occurred_at else "first seen"
            text = (
                f"{made}, {one.after}; first seen {moment(one.observed_at)}"
                if one.occurred_at
                else f"{made}, {one.after}"
            )
        elif one.attribute:
            what = one.attribute.replace("_", " ")
            missing = "gone" if one.change is Change.GONE else "none"
            text = f"{what}: {one.before or 'none'} → {one.after or missing}"
        rows.append((moment(one.occurred_at or one.observed_at), text))
    yield from listed(rows, width)
    if len(dossier.transitions) > _MOST_CHANGES:
        yield ((f"  … and {len(dossier.transitions) - _MOST_CHANGES} more: --json has them", "dim"),)
    yield ()
