"""How a deployment that stands, stands now: idle, kept alive by a trickle, superseded, wanted; and what to do about it.

The arithmetic is that of the rules and of `watcher.costs`.
"""

from collections.abc import Iterator
from datetime import datetime
from functools import cached_property

from watcher.alerts.keep import Keep
from watcher.costs.advice import Case, Wish
from watcher.costs.hosting import Period
from watcher.costs.idle import DAY, FoundTrickle, IdleMoney, cost_per_call, idle_money, trickle_of
from watcher.costs.money import Cost, Unknown
from watcher.costs.prices import Price
from watcher.costs.recipe import as_developer
from watcher.costs.uses import Answered
from watcher.report.recorded import RecordedAccount, RecordedLife, Records
from watcher.report.standing import UNDATED, Deadline, deadlines, nearest
from watcher.report.statement import HostedLine
from watcher.report.terms import ReportTerms
from watcher.report.trial import may_be_trial
from watcher.resources.deployment import SkuKind, keep_until
from watcher.resources.lineage import Model
from watcher.resources.snapshot import Reading
from watcher.rules import commands, idle_words, superseded, trickle, wasting
from watcher.rules.holdings import last_call, unread_item
from watcher.rules.idle_clock import IdleClock, idle_clock
from watcher.rules.rule import View
from watcher.rules.sight import Unread, known_to, unread_deployment, unread_usage, usage_of
from watcher.rules.superseded import Successor
from watcher.rules.text import duration, hours, moment

NO_CALLS = Answered()


class Around:
    """One account, and whatever else the lives in it are judged by."""

    def __init__(self, recorded: RecordedAccount, records: Records, terms: ReportTerms, period: Period) -> None:
        self.recorded, self.records, self.terms, self.period = recorded, records, terms, period
        self.now, self.lineage = records.as_of, records.inventory.lineage
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


class Present:
    """How one that stands, stands now: idle, kept alive by a trickle, superseded, wanted."""

    def __init__(self, around: Around, life: RecordedLife, model: Model | None, price: Price | Unknown) -> None:
        self.around, self.life, self.model, self.price = around, life, model, price
        self.deployment = life.deployment
        self.keep = self._keep()
        self.deadline, clock = self._deadline()
        #: As far as its end is known: what was not read dates nothing.
        self.is_dated = self.deadline is not None and self.deadline.is_dated(
            around.view, self.deployment, around.terms.near_stale_after, is_counted_down=life.is_counted_down
        )
        self.unread = self._unread()
        self.known_to = known_to(life.usage, around.now)
        clock = clock or self._undeadly_clock()
        #: Since when nobody had called it when its calls were read last, however long ago that is.
        self.idle_as_read = self._idle_since(clock)
        self.clock = clock if self.unread is None else None
        self.idle_since = self.idle_as_read if self.unread is None else None
        self.deletion = self._deletion()
        self.is_charged = self._is_charged()
        self.is_wasting = self._is_wasting()
        self.trickle = self._trickle()
        self.successor = self._successor()
        self.idle: IdleMoney | Unknown | None = None
        if self.idle_since is not None:
            self.idle = idle_money(
                self.price,
                now=around.now,
                known_to=self.known_to,
                since=self.idle_since,
                deletion=self.deletion,
                is_assumed=bool(self.rule_doubt),
            )

    def _keep(self) -> Keep | None:
        """The longest wish of anybody to keep it; its own tag is one."""
        one, around = self.deployment, self.around
        if not around.keeps and not one.tags:  # as nearly always
            return None
        found = [keep for keep in around.keeps if keep.deployment.lower() == one.name.lower()]
        if (until := keep_until(one)) is not None and all(keep.until != until for keep in found):
            found.append(
                Keep(
                    account=around.account.key,
                    deployment=one.name,
                    until=until,
                    author="the deployment's own tag",
                    reason="",
                )
            )
        active = [keep for keep in found if keep.is_active(around.now)]
        return max(active, key=lambda keep: keep.until, default=None)

    def _deadline(self) -> tuple[Deadline | None, IdleClock | None]:
        """The nearest, and what its idleness is counted by; `None`: no rule is known to end it, or it is not counted.

        Whatever its name looks like: what is loaded is custom.
        """
        one, view = self.deployment, self.around.view
        found = deadlines(one, usage_of(view, one), self.around.terms.lifetimes, running_since=self.life.running_since)
        return (nearest(found), found[-1].clock) if found else (None, None)

    def _unread(self) -> Unread | None:
        view, terms = self.around.view, self.around.terms
        return unread_deployment(view, self.deployment) or unread_usage(
            view, self.deployment, terms.metrics_stale_after
        )

    @property
    def undated(self) -> Unread | None:
        """Why it cannot be said when it ends; `None`: that can be said, or nothing is known to end it."""
        if self.deadline is None:
            return None
        if not self.is_dated:
            return self._late or Unread(because=UNDATED)
        is_told = self.expires or self.life.usage is not None  # of what was read, however long ago, its date is told
        return None if is_told else self.unread

    @cached_property
    def _late(self) -> Unread | None:
        """Why what its end rests on does not count as present; near that end hours do already."""
        if self.deadline is None:
            return self.unread
        return self.deadline.unread(self.around.view, self.deployment, self.around.terms.near_stale_after)

    @cached_property
    def called_until(self) -> datetime | None:
        """Until when its calls were read, where that is too long ago to tell of the present; `None`: it is not."""
        if self.expires or self.life.usage is None:
            return None
        is_near = self.deadline is not None and self.deadline.is_near(self.around.now)
        is_old = self.unread is not None or (is_near and self._late is not None)
        return self.known_to if is_old else None

    def _undeadly_clock(self) -> IdleClock | None:
        """The clock of one that nothing ends for idleness; `None`: nothing dates it."""
        lifetimes = self.around.terms.lifetimes
        running_since = None if self.deployment.is_paused else self.life.running_since
        lifetime = lifetimes.idle_of(self.deployment) or lifetimes.idle
        return idle_clock(self.deployment, self.life.usage, lifetime, running_since=running_since)

    def _idle_since(self, clock: IdleClock | None) -> tuple[datetime, datetime] | None:
        """`None`: it was called in the day before, or nobody can tell."""
        if clock is None or clock.read is None or self.known_to - clock.idle_since <= DAY:
            return None
        created = self.deployment.created_at
        unclear = self.life.usage.last_unclear_at if self.life.usage else None
        latest = clock.idle_since if unclear is None else max(clock.idle_since, unclear)
        if self.known_to - latest <= DAY:
            return None  # calls of the last day may be its own
        return (created or clock.idle_since) if clock.is_bounded else clock.idle_since, latest

    def _deletion(self) -> tuple[datetime, datetime | None] | None:
        if not self.is_dated or self.deadline is None or self.deadline.earliest is None:
            return None
        earliest = self.deadline.earliest
        return earliest, earliest if self.deadline.expires else self.deadline.latest

    @property
    def deletion_why(self) -> str:
        if not self.is_dated or self.deadline is None:
            return ""
        if self.expires:
            kind = "Developer" if self.deployment.sku_kind is SkuKind.DEVELOPER else self.deployment.sku
            return f"a {kind} deployment lasts {hours(self.deadline.lifetime)}"
        assumed = ", if Azure's rule covers its SKU, which is assumed" if self.rule_doubt else ""
        return f"{duration(self.deadline.lifetime)} without a call{assumed}"

    @cached_property
    def rule_doubt(self) -> str:
        """Why Azure may never delete it for idleness, in a sentence; "" where it says so, or the operator does."""
        if self.deadline is None or self.expires or not self.around.terms.lifetimes.is_assumed(self.deployment):
            return ""
        return idle_words.doubt_of_sku(self.deployment)

    @property
    def expires(self) -> bool:
        """Whether it is deleted for its age, called or not."""
        return self.deadline is not None and self.deadline.expires

    def _is_wasting(self) -> bool:
        """As the rule has it, but for the hours that were not read yet: nobody is told to delete what may be in use."""
        return (
            self.clock is not None
            and self.known_to - self.clock.idle_since > self.around.terms.wasting_after
            and self.is_charged
            and not self.doubtful_call
        )

    @cached_property
    def doubtful_call(self) -> str:
        """Why it cannot be said that nobody needs it; "" where nothing speaks against that."""
        after = self.around.terms.wasting_after
        return wasting.doubtful_call(self.life.usage, now=self.known_to, after=after)

    def _is_charged(self) -> bool:
        is_serving = self.deployment.provisioning_state not in wasting.NOT_STANDING
        is_trial = self.deployment.sku_kind is SkuKind.DEVELOPER
        return is_serving and not is_trial and wasting.is_charged(self.deployment, self.price)

    def _trickle(self) -> FoundTrickle | None:
        one, around = self.deployment, self.around
        limits = around.terms.trickle
        answered = around.recorded.answered.get(one.name.lower(), NO_CALLS)
        if not answered.hours:
            return None
        if not self.is_charged or self.is_wasting or one.provisioning_state in trickle.NOT_STANDING:
            return None
        if one.created_at is None or around.now - one.created_at < limits.window:
            return None
        known = around.records.trickle
        if limits.window > known.window or limits.max_calls > known.max_calls:
            return None  # it is not known how often all were called in that time
        if self._is_item_unread:
            return None
        doubtful = [each for name in (one.name.lower(), "") if (each := around.recorded.unclear.get(name)) is not None]
        found = trickle_of(
            one,
            around.coverage,
            around.now,
            limits,
            answered=answered.within,
            unclear=lambda begin, end: sum((each.within(begin, end) for each in doubtful), 0.0),
        )
        return found if isinstance(found, FoundTrickle) else None

    @property
    def cost_per_call(self) -> Cost | None:
        if self.trickle is None:
            return None
        window = self.around.terms.trickle.window
        fee: Cost = self.price if isinstance(self.price, Unknown) else self.price.over(window)
        return cost_per_call(fee, self.trickle.calls)

    def _successor(self) -> Successor | None:
        """A newer model of its line that is deployed, as far as both were read."""
        one = self.deployment
        if self.model is None or one.sku_kind is SkuKind.DEVELOPER or one.provisioning_state in superseded.NOT_STANDING:
            return None
        newer = superseded.successor_of(self.around.lineage, self.model)
        if newer is None or self._is_item_unread or unread_item(newer.holding, newer.deployment):
            return None
        return newer

    @property
    def successor_place(self) -> str:
        """`v2 in contoso-west`; "" where there is none."""
        newer = self.successor
        return f"{newer.deployment.name} in {newer.holding.account.label}" if newer else ""

    @property
    def _is_successor_called(self) -> bool | None:
        if self.successor is None:
            return None
        usage = self.successor.holding.usage.get(self.successor.deployment.name.lower())
        return None if usage is None else last_call(usage, self.successor.deployment) is not None

    @cached_property
    def _is_item_unread(self) -> bool:
        return unread_item(self.around.recorded.holding, self.deployment) is not None

    def case(self, line: HostedLine) -> Case | None:
        """`None`: nothing speaks for a change, and nobody wants it kept."""
        if not (self.is_wasting or self.trickle or self.successor or self.keep):
            return None
        account, keep = self.around.account, self.keep
        return Case(
            account=account.label,
            name=self.deployment.name,
            owner=line.place.owner,
            price=self.price,
            idle=self.idle,
            calls=self._calls(line),
            called_until=self.called_until,
            ends_uncalled=self.deadline is not None,
            is_wasting=self.is_wasting,
            trickle_calls=self.trickle.calls if self.trickle and self.unread is None else None,
            trickle_days=self.around.terms.trickle.window // DAY,
            successor=self.successor_place,
            is_successor_called=self._is_successor_called,
            is_provisioned=self.deployment.sku_kind is SkuKind.PROVISIONED,
            is_paused=self.deployment.is_paused,
            wish=Wish(until=keep.until, by=keep.author, reason=keep.reason) if keep else None,
            delete=commands.delete_deployment(account, self.deployment),
            developer=self._developer(),
        )

    def _developer(self) -> str:
        """The command that makes a trial of it; "" where that is no choice."""
        one, around = self.deployment, self.around
        if self.trickle is None or not may_be_trial(around.account, one, around.terms.critical_environments):
            return ""
        return as_developer(one).command

    def _calls(self, line: HostedLine) -> float | None:
        """In a period that goes to the present; `None` too where none was answered, and some may have been sent."""
        if self.around.period.end < self.around.now or (not line.calls and (self.unread or self.doubtful_call)):
            return None
        return line.calls

    def remarks(self) -> Iterator[str]:
        if self.unread is not None:
            yield f"Whether it is called is not known: {self.unread.because}."
        elif self.called_until is not None:
            yield f"Its calls were read until {moment(self.called_until)}; whether it was called since is not known."
        if self.idle_since is not None and (doubt := self.doubtful_call):
            yield f"Whether anybody needs it is not known: {doubt}."
        if self.deadline is not None and self.is_dated:
            if self.rule_doubt:
                yield self.rule_doubt
            for doubt in self.deadline.doubts:
                yield f"{doubt[:1].upper()}{doubt[1:]}."
        if isinstance(self.idle, IdleMoney) and self.idle.is_overdue and self.deadline and self.deadline.latest:
            its = "If the rule covers it, its" if self.rule_doubt else "Its"
            yield (
                f"{its} deletion is overdue since {moment(self.deadline.latest)}: it may come at any moment, or the "
                f"fee goes on, {self.idle.per_day.text} each day."
            )
