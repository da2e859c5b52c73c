"""What each deployment stood for in a period: its cost by day and use, and how it stands now or came to its end.

The arithmetic is that of the rules and of `watcher.costs`; here it is put together, one life at a time.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import msgspec
from msgspec import structs

from watcher.alerts.keep import Keep
from watcher.costs import hosting
from watcher.costs.advice import Case
from watcher.costs.hosting import Period, Tenancy, tenancy_of
from watcher.costs.idle import DAY, whole_hour
from watcher.costs.savings import Deletion
from watcher.costs.uses import Answered, State, Use, doubtful, use_by_day
from watcher.report.ended import again, ended
from watcher.report.present import NO_CALLS, Around, Present
from watcher.report.recorded import RecordedAccount, RecordedLife, Records
from watcher.report.statement import HostedLine, Place
from watcher.report.terms import ReportTerms
from watcher.report.worth import Pricing, Worth, days
from watcher.resources.account import Account
from watcher.resources.calls import HOUR, Coverage
from watcher.resources.deployment import Deployment
from watcher.resources.lineage import Model
from watcher.resources.model import base_of, is_checkpoint_id
from watcher.rules.holdings import last_call
from watcher.rules.keep_words import keep_doubt
from watcher.rules.labels import deployment_labels, owner_of
from watcher.rules.sight import Unread, unread_deployment
from watcher.rules.superseded import Successor
from watcher.rules.text import moment


class Hosted(msgspec.Struct, frozen=True, kw_only=True):
    """A line, and what else is known of its deployment."""

    line: HostedLine
    account: Account
    deployment: Deployment
    tenancy: Tenancy
    model: Model | None  #: that it serves; `None`: no known job made it
    case: Case | None  #: `None`: nothing speaks for a change
    deletion: Deletion | None  #: it is gone, and somebody had been told of it
    successor: Successor | None = None  #: what could serve in its place
    is_resting: bool = False  #: none of its calls in the period were read yet, and none had to be
    is_unclear: bool = False  #: calls of the period may be its own: they bear no deployment's name, or no status
    expires: bool = False  #: it is deleted for its age, called or not
    keep: Keep | None = None
    read_to: datetime | None = None  #: until when its calls were read; `None`: never
    #: Why it cannot be said when Azure deletes it; `None`: that can be said, or nothing is known to end it.
    undated: Unread | None = None
    was_idle: bool = False  #: nobody had called it for a day when its calls were read last, however long ago that is


def hosted(records: Records, terms: ReportTerms, period: Period) -> Iterator[Hosted]:
    """The lives that stood at some time of the period, by account, name and beginning."""
    pricing, places = Pricing(terms), Places(terms)
    for recorded in records.accounts:
        if recorded.lives:
            lives = _Lives(recorded, records, terms, period, pricing, places)
            for life in sorted(recorded.lives, key=lambda one: (one.deployment.key, one.first_seen_at)):
                if (found := lives.of(life)) is not None:
                    yield found


class Places:
    """Where something is, and whose; the same for all of one owner in one account."""

    def __init__(self, terms: ReportTerms) -> None:
        self._terms = terms
        self._known: dict[tuple[str, ...], Place] = {}

    def of(self, account: Account, owner: str, tags: Mapping[str, str] | None = None) -> Place:
        """The deployment's own tags go before the account's labels."""
        if not tags and (known := self._known.get((account.id, owner))) is not None:
            return known
        own = {name.lower(): value for name, value in (tags or {}).items()}
        labels = {name: own.get(name.lower()) or account.labels.get(name, "") for name in self._terms.tag_labels}
        place = (account.id, owner, *labels.values()) if tags else (account.id, owner)
        if place not in self._known:
            self._known[place] = Place(
                account=account.label, account_id=account.id, location=account.location, owner=owner, labels=labels
            )
        return self._known[place]


def labels_of(account: Account, deployment: Deployment, terms: ReportTerms) -> Mapping[str, str]:
    """By which an edition would hold a deployment."""
    owner = owner_of(account, deployment=deployment, owner_tag=terms.owner_tag).name
    tags = Places(terms).of(account, owner, deployment.tags).labels
    shown = {name: value for name, value in tags.items() if value}
    return {**deployment_labels(account, deployment, terms.owner_tag), **shown}


class _Lives:
    """The lives of one account."""

    def __init__(
        self,
        recorded: RecordedAccount,
        records: Records,
        terms: ReportTerms,
        period: Period,
        pricing: Pricing,
        places: Places,
    ) -> None:
        self.around = Around(recorded, records, terms, period)
        self.recorded, self.account, self.coverage = recorded, self.around.account, self.around.coverage
        self.terms, self.period, self.now = terms, period, records.as_of
        # What has left is in no inventory: its own models alone tell what its deployments served.
        has_left = recorded.removed_at is not None
        inventory = replace(records.inventory, holdings=(recorded.holding,)) if has_left else records.inventory
        self.lineage, self.pricing, self.places = inventory.lineage, pricing, places
        #: The names of what stands: each of thousands that are gone would be held against all the others.
        self.taken = frozenset(life.deployment.key for life in recorded.lives if life.end is None)

    def of(self, life: RecordedLife) -> Hosted | None:
        """`None`: it did not stand in the period."""
        one = life.deployment
        last_sight = self._last_sight(life)
        owner = owner_of(self.account, deployment=one, owner_tag=self.terms.owner_tag).name
        place = self.places.of(self.account, owner, one.tags)
        tenancy = tenancy_of(
            one,
            account=self.account.label,
            location=self.account.location,
            first_seen=life.first_seen_at,
            end=life.end or last_sight,
            paused=life.paused,
        )
        came_at = self._came_at(life.first_seen_at)
        if life.since is not None and (came_at is None or came_at < life.since):
            came_at = life.since
        if came_at is not None and tenancy.begin < came_at:
            # It came with an account that was moved: what it cost before was charged under that one's former id.
            tenancy = structs.replace(tenancy, begin=came_at, is_created=True)
        model = self.lineage.model_behind(one)
        if model is not None and is_checkpoint_id(one.model):
            tenancy = structs.replace(tenancy, model=model.id)  # the checkpoint's own name tells no price
        answered = self.recorded.answered.get(one.name.lower(), NO_CALLS)
        coverage = self._coverage(life, answered)
        unclear = self._unclear(one)
        uses = use_by_day(
            tenancy,
            answered,
            coverage,
            self.period,
            self.terms.zone,
            trickle=self.terms.trickle_a_day,
            unclear=unclear,
        )
        if not uses:
            return None
        worth = self.pricing.of(tenancy)
        present = Present(self.around, life, model, worth.price) if life.end is None else None
        how = ended(self.around.view, self.recorded, life, self.terms.lifetimes) if life.end is not None else None
        line = self._line(life, model, tenancy, place, uses, worth, answered, unclear, coverage, present, last_sight)
        if how is not None:
            line = structs.replace(line, ended_by=how.words)
        return Hosted(
            line=line,
            account=self.account,
            deployment=one,
            tenancy=tenancy,
            model=model,
            case=None if present is None else present.case(line),
            deletion=None if how is None else _deletion(line, life, how.deadline, how.by),
            successor=present.successor if present else None,
            is_resting=line.calls is None
            and present is not None
            and present.unread is None
            and self._is_untold(tenancy, coverage),
            is_unclear=not _are_clear(uses),
            expires=present is not None and present.expires,
            keep=None if present is None else present.keep,
            read_to=coverage.spans[-1][1] if coverage.spans else None,
            undated=None if present is None else present.undated,
            was_idle=present is not None and present.idle_as_read is not None,
        )

    def _came_at(self, first_seen_at: datetime) -> datetime | None:
        """When its account was created; `None`: of what was seen before, an account of the same id was there before."""
        created_at = self.account.created_at
        return created_at if created_at is not None and created_at <= first_seen_at else None

    def _coverage(self, life: RecordedLife, answered: Answered) -> Coverage:
        """What is known of its calls by the hour: where a call is known that is not among them, nothing before it."""
        last = life.usage.last_success_at if life.usage else None
        if last is None or last < max(self.period.begin, life.deployment.created_at or life.first_seen_at):
            return self.coverage
        last = whole_hour(last)
        if answered.last_within(last, self.now) is not None:
            return self.coverage
        # Nor that it is idle, before a whole hour without a call has followed.
        spans = tuple((max(low, last), high) for low, high in self.coverage.spans if high >= last + 2 * HOUR)
        return Coverage(spans=spans)

    def _is_untold(self, tenancy: Tenancy, coverage: Coverage) -> bool:
        """Whether nothing was read of its calls in the period."""
        return not coverage.spans or coverage.spans[-1][1] <= max(self.period.begin, tenancy.begin)

    def _unclear(self, deployment: Deployment) -> Sequence[int]:
        """The hours with calls that may be answered ones of it: of unknown status, or of no name."""
        if not self.recorded.unclear:  # as nearly always
            return ()
        found = [each.hours for name in (deployment.name.lower(), "") if (each := self.recorded.unclear.get(name))]
        return found[0] if len(found) == 1 else sorted({hour for hours in found for hour in hours})

    def _last_sight(self, life: RecordedLife) -> tuple[datetime, datetime] | None:
        """Of one that may have ended unseen: when it was read last, and now; `None`: it was read lately."""
        read_at = self.recorded.holding.deployments_at
        if life.end is not None or read_at is None or read_at >= self.now:
            return None
        is_stale = self.now - read_at > self.terms.deployments_stale_after
        if not is_stale and unread_deployment(self.around.view, life.deployment) is None:
            return None
        return max(min(read_at, self.now), life.first_seen_at), self.now

    def _line(
        self,
        life: RecordedLife,
        model: Model | None,
        tenancy: Tenancy,
        place: Place,
        uses: tuple[Use, ...],
        worth: Worth,
        answered: Answered,
        unclear: Sequence[int],
        coverage: Coverage,
        present: Present | None,
        last_sight: tuple[datetime, datetime] | None,
    ) -> HostedLine:
        one, stood = life.deployment, worth.stood(uses)
        gone_at = tenancy.end[1] if tenancy.end else self.now
        window = max(self.period.begin, tenancy.begin), min(self.period.end, gone_at)
        # Metrics rest for hours. Of one that is gone, those of its last hours may never be read.
        is_known = _is_read(coverage, *window, until=whole_hour(gone_at - self.terms.metrics_stale_after))
        return HostedLine(
            place=place,
            id=one.id,
            name=one.name,
            model=one.model,
            base=(self.lineage.base(model) if model else "") or _base(one.model),
            sku=one.sku,
            capacity=one.capacity,
            begin=tenancy.begin,
            is_created=tenancy.is_created,
            end=life.end,
            stood=tenancy.stood(self.period),
            price=worth.price,
            cost=stood.cost,
            missing=hosting.unseen(tenancy, self.terms.book, self.period),
            by_state=stood.by_state,
            calls=sum([use.calls for use in uses], 0.0) if is_known and _are_clear(uses) else None,
            last_call_at=last_call(life.usage, one),
            state=self._state(answered, unclear, coverage, *window),
            called_until=present.called_until if present else None,
            idle_since=present.idle_since if present else None,
            idle=present.idle if present else None,
            deletion=present.deletion if present else None,
            deletion_why=present.deletion_why if present else "",
            cost_per_call=present.cost_per_call if present else None,
            trickle_calls=present.trickle.calls if present and present.trickle else None,
            successor=present.successor_place if present else "",
            is_paused=one.is_paused,
            kept_until=present.keep.until if present and present.keep else None,
            days=days(uses, stood),
            recipe=again(self.recorded, life, is_taken=life.end is not None and one.key in self.taken),
            is_account_gone=self.recorded.is_gone,
            remarks=tuple(self._remarks(life, tenancy, last_sight, present)),
        )

    def _state(
        self, answered: Answered, unclear: Sequence[int], coverage: Coverage, begin: datetime, end: datetime
    ) -> State:
        """The use that was made of it in the last day before `end` of which the calls were read."""
        read_to = (
            end if coverage.holds(begin, end) else max((to for _, to in coverage.clipped(begin, end)), default=None)
        )
        if read_to is None or end - read_to > max(self.terms.metrics_stale_after, DAY):
            return State.UNKNOWN
        since = max(read_to - DAY, begin)
        if not coverage.holds(since, read_to):
            return State.UNKNOWN
        calls = answered.within(since, read_to)
        if calls > self.terms.trickle_a_day:
            return State.USED
        if doubtful(unclear, since, read_to):
            return State.UNKNOWN
        return State.TRICKLE if calls else State.IDLE

    def _remarks(
        self,
        life: RecordedLife,
        tenancy: Tenancy,
        last_sight: tuple[datetime, datetime] | None,
        present: Present | None,
    ) -> Iterator[str]:
        if last_sight is not None:
            yield (
                f"It was last read {moment(last_sight[0])}: whether it has stood since is not known, so its cost is an "
                "interval."
            )
            tenancy = structs.replace(tenancy, end=None)
        yield from hosting.remarks(tenancy, self.period)
        if life.outcome == "left":
            yield "Its account left what is watched; its cost is counted to then."
        for doubt in keep_doubt(life.deployment) if life.deployment.tags else ():
            yield f"{doubt[:1].upper()}{doubt[1:]}."
        if present is not None:
            yield from present.remarks()


def _deletion(
    line: HostedLine, life: RecordedLife, deadline: tuple[datetime, datetime | None] | None, by: str | None
) -> Deletion | None:
    """`None`: nobody had been told of it, or Azure itself deleted it."""
    if life.outcome != "gone" or life.told_at is None or life.end is None or by is None:
        return None
    return Deletion(
        account=line.place.account,
        name=line.name,
        told_at=life.told_at,
        end=life.end,
        deadline=deadline,
        price=line.price,
        by=by,
    )


def _is_read(coverage: Coverage, begin: datetime, end: datetime, *, until: datetime) -> bool:
    """Whether all calls of that time were read; the newest, which come late, may be missing."""
    if begin >= end:
        return True
    return coverage.holds(begin, min(end, max(until, begin)))


def _are_clear(uses: tuple[Use, ...]) -> bool:
    return all([use.is_clear for use in uses])


def _base(model: str) -> str:
    found = base_of(model)
    return "" if found == model else found
