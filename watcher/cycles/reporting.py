"""Report: queue the issues that schedules want, make each edition once for all who get it, and send it.

An issue is queued once a period, whatever happens in between: its key is unique, and how far each schedule was followed
is stored. It says what was known when it was due, so it is the same whenever it is sent. After a downtime the newest
missed one is made up for, and says that it is late; so is one that was due when its report got another schedule or
another name. A report first heard of begins with its next time.
"""

import asyncio
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection

from watcher import logs
from watcher.clock import Clock
from watcher.costs.hosting import Period
from watcher.cycles.editions import Concerns, address_of, message, statements
from watcher.cycles.settling import clean
from watcher.cycles.timetables import OWNER, Reporting, is_any_due, plan_now
from watcher.errors import DatabaseUnavailableError, DeliveryError
from watcher.notify.notifier import SEND_TIMEOUT, Notifier, Receipt, RetryPolicy, TryAgain
from watcher.notify.report import ReportMessage, takes_reports
from watcher.report.statement import Audience, Edition, Statement
from watcher.store import channels, reports
from watcher.store.attempts import Attempt
from watcher.store.engine import Store
from watcher.store.reports import Issue

log = structlog.get_logger()

#: A send ends here, whatever its notifier does; a little after the notifiers' own limit, which they tell of better.
_LONGEST_SEND = SEND_TIMEOUT + timedelta(seconds=1)
#: What is left of a lease when a send begins: less, and another process might send the same before this one has ended.
_ENOUGH = SEND_TIMEOUT + timedelta(seconds=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """What came of a try to send an issue."""

    issue: Issue
    state: str  #: of the issue afterwards: delivered, pending, dead
    detail: str  #: what the receiver answered, or why it failed


async def report(
    *,
    reporting: Reporting,
    notifiers: Mapping[str, Notifier],
    policy: RetryPolicy,
    store: Store,
    clock: Clock,
    wall_clock: Clock,
    owner: str,
    heedless: bool = False,
    but: Collection[str] = (),
) -> tuple[Reported, ...]:
    """Queue what is due by now, and try each issue that waits once. Safe to repeat, and for two processes at once.

    Args:
        heedless: Also try what failed, before its time.
        but: Ids of issues that are not tried.
    """
    is_due: bool = await store.read(is_any_due, reporting, clock())
    if is_due:
        takers = frozenset(name for name, notifier in notifiers.items() if takes_reports(notifier))
        await store.write(plan_now, reporting, takers, now=clock(), wall_now=wall_clock())
    waiting = await store.read(reports.waiting, now=wall_clock(), heedless=heedless)
    sender = _Sender(
        reporting=reporting,
        notifiers=notifiers,
        policy=policy,
        store=store,
        clock=clock,
        wall_clock=wall_clock,
        owner=owner,
    )
    done: list[Reported] = []
    groups: dict[tuple[datetime, datetime, datetime, str], list[Issue]] = {}
    for issue in waiting:
        if issue.id in but:
            continue
        if because := sender.cannot_send(issue):
            done += await sender.give_up(issue, because)
        else:
            groups.setdefault((issue.as_of, issue.begin, issue.end, issue.period_name), []).append(issue)
    for issues in groups.values():
        done += await sender.send(issues)
    return tuple(done)


# Sending it


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sender:
    """What issues are made and sent with."""

    reporting: Reporting
    notifiers: Mapping[str, Notifier]
    policy: RetryPolicy
    store: Store
    clock: Clock
    wall_clock: Clock
    owner: str

    def cannot_send(self, issue: Issue) -> str:
        """Why an issue can never be sent; "": it can."""
        notifier = self.notifiers.get(issue.receiver)
        if notifier is None:
            return "no receiver of this name is configured any more"
        if not takes_reports(notifier):
            return f"a receiver of type {notifier.type} takes no reports"
        return "" if self._edition(issue.edition) else "no owner of this name is configured any more"

    async def give_up(self, issue: Issue, because: str) -> list[Reported]:
        is_mine = await self.store.write(reports.give_up, issue.id, because=because, now=self.wall_clock())
        if not is_mine:
            return []
        log.error("report.died", **_facts(issue), detail=because)
        return [Reported(issue=issue, state="dead", detail=because)]

    async def send(self, issues: Sequence[Issue]) -> list[Reported]:
        """Send the issues of one period: what is known of it is read once, and each edition made once."""
        made = await self._make(issues)
        lanes: dict[str, list[Issue]] = {}
        for issue in issues:
            lanes.setdefault(issue.receiver, []).append(issue)
        results = await asyncio.gather(*(self._send_in_turn(lane, made) for lane in lanes.values()))
        return [one for lane in results for one in lane]

    async def _make(self, issues: Sequence[Issue]) -> dict[str, ReportMessage | DeliveryError]:
        """The messages by edition, with the id of none; where one cannot be made, why, and the others are."""
        first = issues[0]
        editions = {one.edition: found for one in issues if (found := self._edition(one.edition)) is not None}
        stated: dict[str, Statement] = {}
        failures: dict[str, Exception] = {}
        try:
            stated = await self.store.read(
                statements,
                editions,
                period=Period(begin=first.begin, end=first.end),
                period_name=first.period_name,
                as_of=first.as_of,
                terms=self.reporting.terms,
                tariff=self.reporting.tariff,
                failures=failures,
            )
        except DatabaseUnavailableError:
            raise
        except Exception as error:
            failures = dict.fromkeys(editions, error)
        wanting = {one.edition for one in issues if getattr(self.notifiers[one.receiver], "wants_pictures", False)}
        made: dict[str, ReportMessage | DeliveryError] = {}
        for key, statement in stated.items():
            try:
                made[key] = await asyncio.to_thread(self._message, statement, first, key in wanting)
            except Exception as error:
                failures[key] = error
        return made | {key: _not_made(first, key, error) for key, error in failures.items()}

    def _message(self, statement: Statement, first: Issue, with_pictures: bool) -> ReportMessage:
        return message(
            statement,
            id_="",
            link=address_of(self.reporting.link, statement),
            made_at=self.clock(),
            due_at=first.as_of,
            with_pictures=with_pictures,
        )

    def _edition(self, key: str) -> tuple[Edition, Concerns] | None:
        if not key.startswith(OWNER):
            return Edition(audience=Audience(key)), None
        name = key.removeprefix(OWNER)
        own = next((own for own in self.reporting.owners if own.owner == name), None)
        return None if own is None else (Edition(audience=Audience.OWNER, owner=name), own.concerns)

    async def _send_in_turn(
        self, lane: Sequence[Issue], made: Mapping[str, ReportMessage | DeliveryError]
    ) -> list[Reported]:
        done = []
        for issue in lane:
            claimed = await self.store.write(reports.claim, issue.id, self.owner, clock=self.wall_clock)
            if claimed is None:
                continue  # in other hands by now
            at, began = self.wall_clock(), time.monotonic()
            found = made[issue.edition]
            if isinstance(found, DeliveryError):
                result: Receipt | DeliveryError = found
            elif claimed.lease_until is None or claimed.lease_until - at < _ENOUGH:
                log.warning("report.put_off", **_facts(issue))  # it is tried again when its lease has ended
                continue
            else:
                result = await self._try(claimed, replace(found, id=issue.id))
            took = round(time.monotonic() - began, 3)
            reported = await self.store.write(self._settle, claimed, result, at, took)
            if reported is None:
                log.warning("delivery.lease_lost", notification=issue.id, receiver=issue.receiver)
                continue
            _log(reported)
            done.append(reported)
        return done

    async def _try(self, issue: Issue, made: ReportMessage) -> Receipt | DeliveryError:
        notifier = self.notifiers[issue.receiver]
        assert takes_reports(notifier)
        try:
            async with asyncio.timeout(_LONGEST_SEND.total_seconds()):
                receipt = await notifier.send_report(made, now=self.clock())
            return replace(receipt, detail=logs.clean(receipt.detail))
        except TimeoutError:
            text = "the receiver did not answer in time"
            return DeliveryError(text, permanent=False, kind="timeout", maybe_delivered=True)
        except DeliveryError as error:
            return clean(error)
        except Exception as error:  # a notifier may be other people's
            log.exception("notifier.failed", receiver=issue.receiver, notification=issue.id)
            text = f"the notifier failed: {type(error).__name__}"
            return DeliveryError(text, permanent=False, kind="server", maybe_delivered=True)

    def _settle(
        self, tx: Connection, issue: Issue, result: Receipt | DeliveryError, at: datetime, took: float
    ) -> Reported | None:
        """Record a try, which began at `at` and took so many seconds, and what follows from it; `None`: the lease was
        lost meanwhile.

        A failure is told of the report alone: a page that is refused for its size must not hold up alerts.
        """
        channel = channels.locked(tx, issue.receiver)
        attempt = Attempt(at=at, duration_s=took, outcome="delivered", kind="", detail="")
        if isinstance(result, Receipt):
            channels.put(tx, channel, channel.took(at=at))
            is_held = reports.mark(tx, issue, replace(attempt, detail=result.detail), state="delivered")
            return Reported(issue=issue, state="delivered", detail=result.detail) if is_held else None
        now = self.wall_clock()
        error = self.policy.refused(result, since=issue.first_tried_at, now=now)
        decision = self.policy.decide(
            error, notification_id=issue.id, attempts=issue.attempts + 1, queued_at=issue.queued_at, now=now
        )
        if isinstance(decision, TryAgain):
            outcome, state, detail, due_at = "retry", "pending", f"{error.kind}: {error.message}", decision.at
        else:
            outcome, state, detail, due_at = "dead", "dead", decision.because, None
        attempt = replace(attempt, outcome=outcome, kind=error.kind, detail=detail)
        is_held = reports.mark(tx, issue, attempt, state=state, due_at=due_at, is_uncertain=error.maybe_delivered)
        return Reported(issue=issue, state=state, detail=detail) if is_held else None


def _not_made(issue: Issue, edition: str, error: Exception) -> DeliveryError:
    """A fault of ours must not go round for ever unseen: it stands in the outbox."""
    log.error("report.failed", report=issue.name, edition=edition, period_end=issue.end, exc_info=error)
    return DeliveryError(f"the report could not be made: {type(error).__name__}", permanent=False, kind="server")


def _log(reported: Reported) -> None:
    facts = _facts(reported.issue)
    if reported.state == "delivered":
        log.info("report.delivered", **facts)
    elif reported.state == "pending":
        log.warning("delivery.failed", **facts, detail=reported.detail)
    else:
        log.error("report.died", **facts, detail=reported.detail)


def _facts(issue: Issue) -> dict[str, str]:
    return {"notification": issue.id, "report": issue.name, "edition": issue.edition, "receiver": issue.receiver}
