"""What is to come: deletions, expiries, retirements of base models, ends of silences and exceptions."""

import hashlib
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from watcher.report.hosted import Hosted
from watcher.report.recorded import Records
from watcher.report.statement import Date, DateKind, Exemption
from watcher.report.terms import ReportTerms
from watcher.resources.ends import End, Ends
from watcher.resources.model import Certainty
from watcher.rules import commands
from watcher.rules.retirement import trained_lately
from watcher.rules.text import counted, few, moment

#: How far ahead is looked.
AHEAD = timedelta(days=400)
#: So many names stand in a text.
_NAMED = 10


def dates(
    records: Records, terms: ReportTerms, hosted: Iterable[Hosted], exemptions: Iterable[Exemption], *, silences: bool
) -> tuple[Date, ...]:
    """The first first, of these deployments and exceptions.

    Args:
        silences: With the ends of silences, which are nobody's own.
    """
    standing = [one for one in hosted if one.line.end is None]
    found = [
        *_deletions(records, standing),
        *_retirements(records, terms, standing),
        *(_exception_end(one) for one in exemptions if not one.is_over),
        *(_silence_ends(records) if silences else ()),
    ]
    return tuple(sorted(found, key=lambda one: (one.at, one.uid)))


def _deletions(records: Records, hosted: Iterable[Hosted]) -> Iterator[Date]:
    """Of what nobody calls, and of Developer deployments: what is called ends at no date that means anything."""
    for one in hosted:
        line = one.line
        expires = one.expires
        if line.deletion is None or not (one.was_idle or expires):
            continue
        earliest, latest = line.deletion
        if latest is not None and latest < records.as_of:
            continue  # overdue: nothing that is to come
        name = f"{line.place.account}/{line.name}"
        verb = "expires" if expires else "is deleted if nobody calls it"
        keeping = "Nothing keeps it beyond that." if expires else "Only a call puts that off."
        if line.called_until is not None:
            keeping = (
                f"{keeping} Its calls were read until {moment(line.called_until)}; whether one came since is not known."
            )
        yield Date(
            uid=_uid("expiry" if expires else "deletion", one.deployment.key, one.deployment.incarnation),
            kind=DateKind.EXPIRY if expires else DateKind.DELETION,
            at=earliest,
            latest=None if latest == earliest else latest,
            is_certain=False,  # Azure promises no time
            title=f"{name} {verb}",
            text=f"Azure may delete it from then on: {line.deletion_why}. {keeping} To make it again as it was:\n"
            + (line.recipe.command if line.recipe else commands.show_deployment(one.account, one.deployment)),
            account=line.place.account,
            owner=line.place.owner,
        )


def _retirements(records: Records, terms: ReportTerms, hosted: Iterable[Hosted]) -> Iterator[Date]:
    """Of base models on which one of these was trained, once each and region."""
    inventory, ends = records.inventory, Ends(records.inventory.retirements, terms.documented)
    trained = trained_lately(inventory, inventory.lineage)
    users: dict[tuple[str, str, bool, datetime], tuple[End, list[Hosted]]] = {}
    known: dict[tuple[str, str, datetime | None], tuple[End | None, End | None]] = {}
    for one in hosted:
        base, model = one.line.base, one.model
        if not base:
            continue
        location = one.account.location
        own = model.inference_until if model else None
        if (base, location, own) not in known:
            serving = next(ends.of_serving(base, location, own=own), None)
            training = ends.of_training(base, location) if base.lower() in trained else None
            known[base, location, own] = serving, training
        for end, is_training in zip(known[base, location, own], (False, True), strict=True):
            if end is not None and end.at is not None and records.as_of <= end.at <= records.as_of + AHEAD:
                users.setdefault((base, location, is_training, end.at), (end, []))[1].append(one)
    for (base, location, is_training, at), (end, some) in users.items():
        yield _retirement(base, location, at, end, some, is_training=is_training)


def _retirement(base: str, location: str, at: datetime, end: End, users: list[Hosted], *, is_training: bool) -> Date:
    named = few([f"{one.line.place.account}/{one.line.name}" for one in users], _NAMED)
    serving = "Calls to what was trained on it are answered with 410 from then on"
    what = "Training on it ends" if is_training else serving
    accounts, owners = {one.line.place.account for one in users}, {one.line.place.owner for one in users}
    return Date(
        uid=_uid("retirement", base, location, "training" if is_training else "serving"),
        kind=DateKind.RETIREMENT,
        at=at,
        is_certain=end.certainty is Certainty.PLANNED,
        title=f"training on {base} ends in {location}" if is_training else f"{base} retires in {location}",
        text=f"{what}, by {end.source}. {counted(len(users), 'deployment')} of it: {named}.",
        plain="No model can be trained on it from then on."
        if is_training
        else "Calls to its models fail from then on.",
        subjects=tuple(f"{one.line.place.account}/{one.line.name}" for one in users),
        account=accounts.pop() if len(accounts) == 1 else "",
        owner=owners.pop() if len(owners) == 1 else "",
    )


def _exception_end(one: Exemption) -> Date:
    why = f": {one.reason}" if one.reason else ""
    return Date(
        uid=_uid("exception", one.place.account_id.lower(), one.name.lower()),
        kind=DateKind.EXCEPTION_END,
        at=one.until,
        title=f"{one.place.account}/{one.name} is kept no longer",
        text=f"Kept{f' by {one.by}' if one.by else ''} until {moment(one.until)}{why}. From then on advice about it is "
        "given again.",
        account=one.place.account,
        owner=one.place.owner,
    )


def _silence_ends(records: Records) -> Iterator[Date]:
    for silence in records.silences:
        matchers = " ".join(map(str, silence.matchers))
        then = "Alerts that it mutes are told again from then on."
        if silence.unread_because:
            then = f"It hides nothing, since it cannot be read: {silence.unread_because}."
        yield Date(
            uid=_uid("silence", silence.id),
            kind=DateKind.SILENCE_END,
            at=silence.ends_at,
            title=f"the silence of {matchers} ends",
            text=f"Silenced by {silence.author}: {silence.comment}. {then}",
        )


def _uid(kind: str, *parts: str) -> str:
    """The same for the same thing, whatever its date."""
    return f"{kind}-{hashlib.sha256(chr(31).join(parts).encode()).hexdigest()[:20]}"
