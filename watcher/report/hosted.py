"""What each deployment stood for in a period: its cost by day and use, its idleness, and what speaks for a change.

The arithmetic is that of the rules and of `watcher.costs`; here it is put together, one life at a time.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property

from watcher.alerts.keep import Keep
from watcher.costs import hosting
from watcher.costs.advice import Case, Wish
from watcher.costs.hosting import Answered, Period, State, Tenancy, Use, doubtful, tenancy_of, use_by_day
from watcher.costs.idle import DAY, FoundTrickle, IdleMoney, cost_per_call, idle_money, trickle_of, whole_hour
from watcher.costs.money import Cost, Unknown
from watcher.costs.recipe import as_developer, recipe
from watcher.costs.savings import Deletion
from watcher.report.ended import ended
from watcher.report.recorded import RecordedAccount, RecordedLife, Records
from watcher.report.standing import Standing, stand
from watcher.report.statement import HostedLine, Place
from watcher.report.terms import ReportTerms
from watcher.report.worth import Pricing, Worth
from watcher.resources.account import Account
from watcher.resources.calls import Coverage
from watcher.resources.deployment import Deployment, SkuKind, keep_until
from watcher.resources.lineage import Lineage, Model
from watcher.resources.model import base_of, is_checkpoint_id
from watcher.resources.snapshot import Reading
from watcher.rules import commands, superseded, trickle, wasting
from watcher.rules.holdings import last_call, unread_item
from watcher.rules.idle_clock import IdleClock, idle_clock
from watcher.rules.keep_words import keep_doubt
from watcher.rules.labels import deployment_labels, owner_of
from watcher.rules.rule import View
from watcher.rules.sight import Unread, unread_deployment, unread_usage
from watcher.rules.text import duration, hours, moment

_NO_CALLS = Answered()


@dataclass(frozen=True, slots=True, kw_only=True)
class Hosted:
    """A line, and what else is known of its deployment."""

    line: HostedLine
    account: Account
    deployment: Deployment
    model: Model | None  #: that it serves; `None`: no known job made it
    case: Case | None  #: `None`: nothing speaks for a change
    deletion: Deletion | None  #: it is gone, and somebody had been told of it
    successor_labels: Mapping[str, str] = field(default_factory=dict)  #: of what could serve in its place
    is_unclear: bool = False  #: calls of the period may be its own: they bear no deployment's name, or no status
    expires: bool = False  #: it is deleted for its age, called or not
    keep: Keep | None = None
    read_to: datetime | None = None  #: until when its calls were read; `None`: never


def hosted(records: Records, terms: ReportTerms, period: Period) -> Iterator[Hosted]:
    """The lives that stood at some time of the period, by account, name and beginning."""
    worth, places = Pricing(terms), Places(terms)
    lineage = records.inventory.lineage
    for recorded in records.accounts:
        if recorded.lives:
            lives = _Lives(recorded, records, terms, period, lineage, worth, places)
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
        if not tags and (known := self._known.get((account.key, owner))) is not None:
            return known
        own = {name.lower(): value for name, value in (tags or {}).items()}
        labels = {name: own.get(name.lower()) or account.labels.get(name, "") for name in self._terms.tag_labels}
        place = (account.key, owner, *labels.values()) if tags else (account.key, owner)
        if place not in self._known:
            self._known[place] = Place(
                account=account.label, account_id=account.id, location=account.location, owner=owner, labels=labels
            )
        return self._known[place]


class _Lives:
    """The lives of one account."""

    def __init__(
        self,
        recorded: RecordedAccount,
        records: Records,
        terms: ReportTerms,
        period: Period,
        lineage: Lineage,
        pricing: Pricing,
        places: Places,
    ) -> None:
        self.recorded, self.records, self.terms, self.period = recorded, records, terms, period
        self.now = records.as_of
        self.lineage, self.pricing, self.places = lineage, pricing, places
        holding = recorded.holding
        self.account, self.coverage = holding.account, holding.coverage
        names = self.account.key, self.account.label.lower()
        self.keeps = [keep for keep in records.keeps if keep.account.lower() in names]
        self.view = View(
            now=self.now,
            reading=Reading(
                account=holding.account,
                deployments=holding.deployments,
                deployments_at=holding.deployments_at,
                usage=None if recorded.usage_at is None else holding.usage,
                usage_at=recorded.usage_at,
                gaps=holding.gaps,
            ),
            owner_tag=terms.owner_tag,
            is_single_pass=True,
        )

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
        came_at = max(filter(None, (life.since, self.account.created_at)), default=None)
        if came_at is not None and tenancy.begin < came_at:
            # It came with an account that was moved: what it cost before was charged under that one's former id.
            tenancy = replace(tenancy, begin=came_at, is_created=True)
        model = self.lineage.model_behind(one)
        if model is not None and is_checkpoint_id(one.model):
            tenancy = replace(tenancy, model=model.id)  # the checkpoint's own name tells no price
        answered = self.recorded.answered.get(one.name.lower(), _NO_CALLS)
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
        present = _Present(self, life, model, worth) if life.end is None else None
        how = ended(self.view, life, self.terms.lifetimes) if life.end is not None else None
        line = self._line(life, model, tenancy, place, uses, worth, answered, unclear, coverage, present, last_sight)
        if how is not None:
            line = replace(line, ended_by=how.words)
        return Hosted(
            line=line,
            account=self.account,
            deployment=one,
            model=model,
            case=None if present is None else present.case(line),
            deletion=None if how is None else _deletion(line, life, how.deadline, how.by),
            successor_labels=present.successor_labels if present else {},
            is_unclear=not _are_clear(uses),
            expires=present is not None and present.standing.expires,
            keep=None if present is None else present.keep,
            read_to=max((high for _, high in coverage.spans), default=None),
        )

    def _coverage(self, life: RecordedLife, answered: Answered) -> Coverage:
        """What is known of its calls by the hour: where a call is known that is not among them, nothing before it."""
        last = life.usage.last_success_at if life.usage else None
        if last is None or last < max(self.period.begin, life.deployment.created_at or life.first_seen_at):
            return self.coverage
        last = whole_hour(last)
        if answered.last_within(last, self.now) is not None:
            return self.coverage
        return Coverage(spans=tuple((max(low, last), high) for low, high in self.coverage.spans if high > last))

    def labels(self, account: Account, deployment: Deployment) -> Mapping[str, str]:
        """By which an edition would hold a deployment."""
        owner = owner_of(account, deployment=deployment, owner_tag=self.terms.owner_tag).name
        tags = self.places.of(account, owner, deployment.tags).labels
        shown = {name: value for name, value in tags.items() if value}
        return {**deployment_labels(account, deployment, self.terms.owner_tag), **shown}

    def _unclear(self, deployment: Deployment) -> Sequence[int]:
        """The hours with calls that may be answered ones of it: of unknown status, or of no name."""
        found = [each.hours for name in (deployment.name.lower(), "") if (each := self.recorded.unclear.get(name))]
        return found[0] if len(found) == 1 else sorted({hour for hours in found for hour in hours})

    def _last_sight(self, life: RecordedLife) -> tuple[datetime, datetime] | None:
        """Of one that may have ended unseen: when it was read last, and now; `None`: it was read lately."""
        read_at = self.recorded.holding.deployments_at
        if life.end is not None or read_at is None or read_at >= self.now:
            return None
        is_stale = self.now - read_at > self.terms.deployments_stale_after
        if not is_stale and unread_deployment(self.view, life.deployment) is None:
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
        present: "_Present | None",
        last_sight: tuple[datetime, datetime] | None,
    ) -> HostedLine:
        one, spent = life.deployment, _summed(uses)
        stood = tenancy.stood(self.period)
        gone_at = tenancy.end[1] if tenancy.end else self.now
        window = max(self.period.begin, tenancy.begin), min(self.period.end, gone_at)
        # Metrics rest for hours. Of one that is gone, those of its last hours may never be read.
        is_known = _is_read(coverage, *window, until=gone_at - self.terms.metrics_stale_after)
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
            stood=stood,
            price=worth.price,
            cost=worth.of(sum(least for least, _ in spent.values()), sum(most for _, most in spent.values())),
            missing=hosting.unseen(tenancy, self.terms.book, self.period),
            by_state={state: worth.of(*spent[state]) for state in State if state in spent},
            calls=sum((use.calls for use in uses), 0.0) if is_known and _are_clear(uses) else None,
            last_call_at=last_call(life.usage, one),
            state=self._state(answered, unclear, coverage, *window),
            idle_since=present.idle_since if present else None,
            idle=present.idle if present else None,
            deletion=present.deletion if present else None,
            deletion_why=present.deletion_why if present else "",
            cost_per_call=present.cost_per_call if present else None,
            trickle_calls=present.trickle.calls if present and present.trickle else None,
            successor=present.successor if present else "",
            is_paused=one.is_paused,
            kept_until=present.keep.until if present and present.keep else None,
            days=tuple(worth.day(use) for use in uses),
            recipe=recipe(one),
            remarks=tuple(self._remarks(life, tenancy, last_sight, present)),
        )

    def _state(
        self, answered: Answered, unclear: Sequence[int], coverage: Coverage, begin: datetime, end: datetime
    ) -> State:
        """The use that was made of it in the last day before `end` of which the calls were read."""
        read_to = max((high for _, high in coverage.clipped(begin, end)), default=None)
        if read_to is None or end - read_to > max(self.terms.metrics_stale_after, DAY):
            return State.UNKNOWN
        since = max(read_to - DAY, begin)
        if not any(low <= since and read_to <= high for low, high in coverage.spans):
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
        present: "_Present | None",
    ) -> Iterator[str]:
        if last_sight is not None:
            yield (
                f"It was last read {moment(last_sight[0])}: whether it has stood since is not known, so its cost is an "
                "interval."
            )
            tenancy = replace(tenancy, end=None)
        yield from hosting.remarks(tenancy, self.period)
        if life.outcome == "left":
            yield "Its account left what is watched; its cost is counted to then."
        for doubt in keep_doubt(life.deployment):
            yield f"{doubt[:1].upper()}{doubt[1:]}."
        if present is not None:
            yield from present.remarks()


class _Present:
    """How one that stands, stands now: idle, kept alive by a trickle, superseded, wanted."""

    def __init__(self, lives: _Lives, life: RecordedLife, model: Model | None, worth: Worth) -> None:
        self.lives, self.life, self.model, self.price = lives, life, model, worth.price
        self.deployment = life.deployment
        self.keep = self._keep()
        self.standing = self._standing()
        self.unread = self._unread()
        self.clock = self._clock()
        # By what was read: what is called all the time may have been called in the hours since.
        read_to = life.usage.read_to + timedelta(seconds=life.usage.bucket_seconds) if life.usage else lives.now
        self.known_at = min(read_to, lives.now)
        is_called = self.clock is None or self.known_at - self.clock.idle_since < DAY
        self.idle_since = None if is_called or self.clock is None else self._idle_since(self.clock)
        if self.idle_since is not None and self.known_at - self.idle_since[1] < DAY:
            self.idle_since = None  # calls of the last day may be its own
        self.trickle = self._trickle()
        self.successor_labels: Mapping[str, str] = {}
        self.successor, self.is_successor_called = self._successor()
        self.idle: IdleMoney | Unknown | None = None
        if self.idle_since is not None:
            self.idle = idle_money(self.price, now=lives.now, since=self.idle_since, deletion=self.deletion)

    def _keep(self) -> Keep | None:
        """The longest wish of anybody to keep it; its own tag is one."""
        one, lives = self.deployment, self.lives
        found = [keep for keep in lives.keeps if keep.deployment.lower() == one.name.lower()]
        if (until := keep_until(one)) is not None and all(keep.until != until for keep in found):
            found.append(
                Keep(
                    account=lives.account.key,
                    deployment=one.name,
                    until=until,
                    author="the deployment's own tag",
                    reason="",
                )
            )
        active = [keep for keep in found if keep.is_active(lives.now)]
        return max(active, key=lambda keep: keep.until, default=None)

    def _standing(self) -> Standing:
        """Whatever its name looks like: what is loaded is custom."""
        return stand(
            self.deployment,
            self.lives.view.reading,
            alert=None,
            custom_models=(self.deployment.model,),
            now=self.lives.now,
            lifetimes=self.lives.terms.lifetimes,
            running_since=self.life.running_since,
            view=self.lives.view,
        )

    def _unread(self) -> Unread | None:
        view, terms = self.lives.view, self.lives.terms
        return unread_deployment(view, self.deployment) or unread_usage(
            view, self.deployment, terms.metrics_stale_after
        )

    def _clock(self) -> IdleClock | None:
        """`None`: nothing dates it, or what its idleness rests on was not read."""
        if self.unread is not None:
            return None
        lifetimes = self.lives.terms.lifetimes
        if self.standing.clock is not None:
            return self.standing.clock
        running_since = None if self.deployment.is_paused else self.life.running_since
        lifetime = lifetimes.idle_of(self.deployment) or lifetimes.idle
        return idle_clock(self.deployment, self.life.usage, lifetime, running_since=running_since)

    def _idle_since(self, clock: IdleClock) -> tuple[datetime, datetime]:
        created = self.deployment.created_at
        unclear = self.life.usage.last_unclear_at if self.life.usage else None
        latest = clock.idle_since if unclear is None else max(clock.idle_since, unclear)
        return (created or clock.idle_since) if clock.is_bounded else clock.idle_since, latest

    @property
    def deletion(self) -> tuple[datetime, datetime | None] | None:
        earliest = self.standing.deletion_earliest
        if earliest is None:
            return None
        return earliest, earliest if self.standing.expires else self.standing.deletion_latest

    @property
    def deletion_why(self) -> str:
        if self.standing.deletion_earliest is None or self.standing.lifetime is None:
            return ""
        if self.standing.expires:
            kind = "Developer" if self.deployment.sku_kind is SkuKind.DEVELOPER else self.deployment.sku
            return f"a {kind} deployment lasts {hours(self.standing.lifetime)}"
        return f"{duration(self.standing.lifetime)} without a call"

    @cached_property
    def is_wasting(self) -> bool:
        """As the rule has it, but for the hours that were not read yet: nobody is told to delete what may be in use."""
        return (
            self.clock is not None
            and self.known_at - self.clock.idle_since > self.lives.terms.wasting_after
            and self._is_charged
            and not self.doubtful_call
        )

    @cached_property
    def doubtful_call(self) -> str:
        """Why it cannot be said that nobody needs it; "" where nothing speaks against that."""
        after = self.lives.terms.wasting_after
        return wasting.doubtful_call(self.life.usage, now=self.known_at, after=after)

    @cached_property
    def _is_charged(self) -> bool:
        is_serving = self.deployment.provisioning_state not in wasting.NOT_STANDING
        is_trial = self.deployment.sku_kind is SkuKind.DEVELOPER
        return is_serving and not is_trial and wasting.is_charged(self.deployment, self.price)

    def _trickle(self) -> FoundTrickle | None:
        one, lives = self.deployment, self.lives
        limits = lives.terms.trickle
        answered = lives.recorded.answered.get(one.name.lower(), _NO_CALLS)
        if not answered.hours:
            return None
        if not self._is_charged or self.is_wasting or one.provisioning_state in trickle.NOT_STANDING:
            return None
        if one.created_at is None or lives.now - one.created_at < limits.window:
            return None
        if (
            lives.now - limits.window - 2 * DAY < lives.records.calls_begin
            or limits.max_calls > lives.records.most_calls
        ):
            return None  # it is not known how often all were called in that time
        if unread_item(lives.recorded.holding, one):
            return None
        doubtful = [each for name in (one.name.lower(), "") if (each := lives.recorded.unclear.get(name)) is not None]
        found = trickle_of(
            one,
            lives.coverage,
            lives.now,
            limits,
            answered=answered.within,
            unclear=lambda begin, end: sum((each.within(begin, end) for each in doubtful), 0.0),
        )
        return found if isinstance(found, FoundTrickle) else None

    @property
    def cost_per_call(self) -> Cost | None:
        if self.trickle is None:
            return None
        window = self.lives.terms.trickle.window
        fee: Cost = self.price if isinstance(self.price, Unknown) else self.price.over(window)
        return cost_per_call(fee, self.trickle.calls)

    def _successor(self) -> tuple[str, bool | None]:
        """Where a newer model of its line is deployed, as far as both were read; and whether that is called."""
        one, lineage = self.deployment, self.lives.lineage
        if one.sku_kind is SkuKind.DEVELOPER or one.provisioning_state in superseded.NOT_STANDING:
            return "", None
        newer = superseded.successor_of(lineage, self.model) if self.model is not None else None
        if newer is None or unread_item(self.lives.recorded.holding, one):
            return "", None
        if unread_item(newer.holding, newer.deployment):
            return "", None
        usage = newer.holding.usage.get(newer.deployment.name.lower())
        is_called = None if usage is None else last_call(usage, newer.deployment) is not None
        self.successor_labels = self.lives.labels(newer.holding.account, newer.deployment)
        return f"{newer.deployment.name} in {newer.holding.account.label}", is_called

    def case(self, line: HostedLine) -> Case | None:
        """`None`: nothing speaks for a change, and nobody wants it kept."""
        if not (self.is_wasting or self.trickle or self.successor or self.keep):
            return None
        account, keep = self.lives.account, self.keep
        return Case(
            account=account.label,
            name=self.deployment.name,
            owner=line.place.owner,
            price=self.price,
            idle=self.idle,
            calls=self._calls(line),
            is_wasting=self.is_wasting,
            trickle_calls=self.trickle.calls if self.trickle else None,
            trickle_days=self.lives.terms.trickle.window // DAY,
            successor=self.successor,
            is_successor_called=self.is_successor_called,
            wish=Wish(until=keep.until, by=keep.author, reason=keep.reason) if keep else None,
            delete=commands.delete_deployment(account, self.deployment),
            developer=as_developer(self.deployment).command if self.trickle else "",
        )

    def _calls(self, line: HostedLine) -> float | None:
        """In a period that goes to the present; `None` too where none was answered, and some may have been sent."""
        if self.lives.period.end < self.lives.now or (not line.calls and (self.unread or self.doubtful_call)):
            return None
        return line.calls

    def remarks(self) -> Iterator[str]:
        if self.unread is not None:
            yield f"Whether it is called is not known: {self.unread.because}."
        elif self.idle_since is not None and (doubt := self.doubtful_call):
            yield f"Whether anybody needs it is not known: {doubt}."
        for doubt in self.standing.doubts:
            yield f"{doubt[:1].upper()}{doubt[1:]}."


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
    return any(low <= begin and min(end, max(until, begin)) <= high for low, high in coverage.spans)


def _are_clear(uses: tuple[Use, ...]) -> bool:
    return all([use.is_clear for use in uses])


def _summed(uses: tuple[Use, ...]) -> dict[State, tuple[int, int]]:
    """The time in each state, at least and at most, in microseconds."""
    lows: dict[State, int] = {}
    highs: dict[State, int] = {}
    for use in uses:
        for state, least, most in use.spent:
            lows[state] = lows.get(state, 0) + least
            highs[state] = highs.get(state, 0) + most
    return {state: (low, highs[state]) for state, low in lows.items()}


def _base(model: str) -> str:
    found = base_of(model)
    return "" if found == model else found
