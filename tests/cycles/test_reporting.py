"""Scheduled reports: once a period for each receiver, whatever processes, clocks and channels do."""

import asyncio
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from tests.conftest import BACKENDS, SteppedClock
from tests.factories import ACCOUNT, DAY, HOUR, MINUTE, make_account, make_deployment, make_snapshot
from tests.notify.servers import mail_server
from tests.notify.test_reports import mailer, parse
from watcher import cycles
from watcher.alerts.matcher import parse_matchers
from watcher.cycles import reporting
from watcher.cycles.pricing import Tariff
from watcher.cycles.reporting import report
from watcher.cycles.timetables import OwnEdition, Reporting, Scheduled
from watcher.errors import DeliveryError
from watcher.notify.notifier import Receipt, RetryPolicy
from watcher.report.schedule import Timetable
from watcher.report.statement import Audience
from watcher.report.terms import ReportTerms
from watcher.rules.registry import build_rules
from watcher.store import attempts, channels, reports, scope
from watcher.store.outbox import LEASE

BERLIN = ZoneInfo("Europe/Berlin")
#: Monday, 23 November 2026, 08:00 in Berlin.
MONDAY = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)
SUNDAY_NIGHT = datetime(2026, 11, 22, 23, 0, tzinfo=UTC)
WEEK = 7 * DAY


class Killed(BaseException):
    """What ends a process ends everything that it was doing."""


@dataclass
class Inbox:
    """A receiver: takes reports, or fails as told."""

    name: str = "finops"
    type: str = "inbox"
    wants_pictures: bool = False
    got: list = field(default_factory=list)
    failures: list = field(default_factory=list)  # of the next tries, in their order

    async def send_report(self, message, *, now):
        await asyncio.sleep(0)
        if self.failures and (failure := self.failures.pop(0)) is not None:
            raise failure
        self.got.append(message)
        return Receipt("taken")

    @property
    def ids(self):
        return [message.id for message in self.got]

    @property
    def periods(self):
        return [(one.statement["period"]["begin"], one.statement["period"]["end"]) for one in self.got]


@dataclass
class Pager:
    """A receiver that takes no reports."""

    name: str = "pager"
    type: str = "pager"


def weekly(*receivers, name="weekly", **changes):
    defaults = {
        "name": name,
        "timetable": Timetable(weekday=0, at=time(8), zone=BERLIN),
        "length": WEEK,
        "period_name": "7d",
        "receivers": receivers or ("finops",),
    }
    return Scheduled(**(defaults | changes))


def reporting_of(*scheduled, owners=()):
    return Reporting(
        scheduled=scheduled or (weekly(),),
        owners=owners,
        terms=ReportTerms(watcher="prod", zone=BERLIN),
        tariff=Tariff(),
        link="https://watcher.example.com/report",
    )


@dataclass
class Process:
    """One process; several may share a database and a clock."""

    store: object
    clock: SteppedClock
    reporting: Reporting
    receivers: list
    name: str = "one"
    policy: RetryPolicy = field(default_factory=RetryPolicy)

    async def look(self, by=timedelta(0), **options):
        self.clock.move(by)
        return await report(
            reporting=self.reporting,
            notifiers={one.name: one for one in self.receivers},
            policy=self.policy,
            store=self.store,
            clock=self.clock,
            wall_clock=self.clock,
            owner=self.name,
            **options,
        )


@pytest.fixture(params=["sqlite"])
def backend(request):
    """What the tables do, `tests/store/test_reports.py` proves on both; here both are asked where processes meet."""
    return request.param


on_both = pytest.mark.parametrize("backend", BACKENDS, indirect=True)


@pytest.fixture
def inbox():
    return Inbox()


@pytest.fixture
def process(store, inbox):
    """On Monday at 07:55, the report never heard of."""
    return Process(store, SteppedClock(MONDAY - 5 * MINUTE), reporting_of(), [inbox])


def states(process):
    listed = process.store.read_now(reports.listed, states=("pending", "delivered", "dead", "dropped"))
    return [(issue.edition, issue.receiver, issue.state) for issue in listed]


async def test_it_is_sent_when_it_is_due_and_once(process, inbox):
    assert await process.look() == ()
    assert await process.look(4 * MINUTE) == ()
    [reported] = await process.look(MINUTE)
    assert (reported.state, reported.detail) == ("delivered", "taken")
    for _ in range(20):
        assert await process.look(6 * HOUR) == ()
    [message] = inbox.got
    assert message.id == reported.issue.id
    assert message.notes == ()
    span = "from=2026-11-15T23%3A00%3A00Z&to=2026-11-22T23%3A00%3A00Z&as_of=2026-11-23T07%3A00%3A00Z"
    assert message.link == f"https://watcher.example.com/report?{span}"  # the same figures, whenever it is opened
    assert inbox.periods == [("2026-11-15T23:00:00Z", "2026-11-22T23:00:00Z")]  # Monday to Sunday, in Berlin


async def test_nothing_to_report_is_reported(process, inbox):
    """No account was ever seen: somebody waits for the mail all the same."""
    await process.look()
    await process.look(5 * MINUTE)
    assert inbox.got[0].text
    assert inbox.got[0].title


async def test_it_tells_what_was_known_when_it_was_due(process, inbox, store):
    await process.look()
    bot = make_deployment("support-bot", created_at=MONDAY - 3 * DAY)
    snapshot = make_snapshot(at=MONDAY - MINUTE, deployments=[bot])
    store.write_now(scope.save_accounts, [ACCOUNT], is_complete=True, now=MONDAY - 2 * MINUTE)
    store.write_now(cycles.record, snapshot, cycles.Judgement(rules=()))
    later = make_deployment("later-bot", created_at=MONDAY)
    inbox.failures = [DeliveryError("down", permanent=False, kind="server")]
    await process.look(5 * MINUTE)
    snapshot = make_snapshot(at=MONDAY + MINUTE, deployments=[bot, later])
    store.write_now(cycles.record, snapshot, cycles.Judgement(rules=()))
    await process.look(2 * MINUTE)
    [message] = inbox.got
    assert "support-bot" in message.text
    assert "later-bot" not in message.text


@on_both
async def test_a_restart_repeats_nothing(process, inbox, open_store):
    await process.look()
    await process.look(5 * MINUTE)
    again = replace(process, store=open_store(), name="two")
    assert await again.look(MINUTE) == ()
    assert await again.look(WEEK - 2 * MINUTE) == ()
    await again.look(MINUTE)
    assert len(set(inbox.ids)) == len(inbox.ids) == 2


@on_both
async def test_two_processes_send_it_once(process, inbox, open_store):
    other = replace(process, store=open_store(), name="two")
    process.reporting = other.reporting = reporting_of(weekly("finops", "ml"), weekly("finops", name="again"))
    process.receivers.append(ml := Inbox("ml"))
    await process.look()
    for _ in range(3):
        process.clock.move(WEEK)
        await asyncio.gather(*(one.look() for one in (process, other, process, other)))
    assert (len(inbox.ids), len(ml.ids)) == (6, 3)
    assert len({*inbox.ids, *ml.ids}) == 9


@on_both
async def test_one_killed_between_claim_and_send_is_made_up_for_once_its_lease_is_over(process, inbox, store):
    await process.look()
    process.clock.move(5 * MINUTE)
    inbox.failures = [Killed()]
    with pytest.raises(Killed):
        await process.look()
    assert await process.look() == ()
    assert await process.look(LEASE - timedelta(seconds=1)) == ()
    [reported] = await process.look(timedelta(seconds=1))
    assert inbox.ids == [reported.issue.id]
    assert reported.issue.fence == 2


@on_both
async def test_one_killed_between_send_and_mark_is_repeated_under_the_same_id(process, inbox, store):
    await process.look()
    process.clock.move(5 * MINUTE)

    class Dying(Inbox):
        async def send_report(self, message, *, now):
            await super().send_report(message, now=now)
            raise Killed

    dying = replace(process, receivers=[dead := Dying()])
    with pytest.raises(Killed):
        await dying.look()
    await process.look(LEASE)
    assert dead.ids == inbox.ids
    assert len(inbox.ids) == 1


@on_both
async def test_who_loses_the_lease_marks_nothing(process, inbox, open_store):
    """One that hangs for longer than its lease is overtaken; what comes of it afterwards counts no more."""
    await process.look()
    process.clock.move(5 * MINUTE)
    other = replace(process, store=open_store(), name="two", receivers=[second := Inbox()])
    go_on = asyncio.Event()

    class Slow(Inbox):
        async def send_report(self, message, *, now):
            await go_on.wait()
            raise DeliveryError("refused", permanent=True, kind="auth")

    slow = asyncio.create_task(replace(process, receivers=[Slow()]).look())
    while process.store.read_now(reports.in_other_hands, now=process.clock()) is None:
        await asyncio.sleep(0.01)
    await other.look(LEASE)
    go_on.set()
    assert await slow == ()
    assert len(second.ids) == 1
    assert states(process) == [("all", "finops", "delivered")]


async def test_after_a_downtime_the_newest_is_made_up_for_and_says_that_it_is_late(process, inbox):
    await process.look()
    await process.look(5 * MINUTE)
    await process.look(3 * WEEK + 2 * DAY)
    assert len(inbox.got) == 2
    late = inbox.got[1]
    assert late.title.endswith("(2 d late)")
    assert late.notes == ("Made 2 d late: it was due at 2026-12-14 08:00 CET (07:00 UTC).",)
    assert late.notes[0] in late.text
    assert inbox.periods[1] == ("2026-12-06T23:00:00Z", "2026-12-13T23:00:00Z")


async def test_another_schedule_begins_with_its_next_time(process, inbox):
    await process.look()
    await process.look(5 * MINUTE)
    tuesday = Timetable(weekday=1, at=time(8), zone=BERLIN)
    process.reporting = reporting_of(weekly(timetable=tuesday))
    await process.look(3 * DAY)  # Thursday: this Tuesday was not wanted when it came
    assert len(inbox.got) == 1
    await process.look(5 * DAY)
    assert len(inbox.got) == 2


EARLIER, LATER = (Timetable(weekday=0, at=time(hour), zone=BERLIN) for hour in (7, 9))
SUNDAY = Timetable(weekday=6, at=time(20), zone=BERLIN)
TUESDAY = Timetable(weekday=1, at=time(8), zone=BERLIN)


@pytest.mark.parametrize("made_first", [False, True])
@pytest.mark.parametrize(
    ("timetable", "got_then"), [(EARLIER, [1, 2]), (LATER, [1, 2]), (SUNDAY, [2, 2]), (TUESDAY, [2, 3])], ids=str
)
async def test_what_is_due_when_it_gets_another_schedule_is_made_once(process, inbox, timetable, got_then, made_first):
    process.clock.now = MONDAY - 2 * DAY
    await process.look()
    if made_first:
        await process.look(2 * DAY)
    process.reporting = reporting_of(weekly(timetable=timetable))
    process.clock.now = MONDAY + 6 * HOUR  # it had stood still meanwhile
    for _ in range(2):
        await process.look(MINUTE)
        assert inbox.periods == [("2026-11-15T23:00:00Z", "2026-11-22T23:00:00Z")]
    if not made_first:
        assert inbox.got[0].notes == ("Made 6 h 1 min late: it was due at 2026-11-23 08:00 CET (07:00 UTC).",)
    got = []
    for now in (MONDAY + WEEK - 2 * HOUR, MONDAY + 8 * DAY + 2 * HOUR):
        process.clock.now = now
        await process.look()
        got.append(len(inbox.got))
    assert got == got_then


async def test_what_is_due_when_it_gets_another_name_is_made_once(process, inbox):
    await process.look()
    process.reporting = reporting_of(weekly(name="costs"))
    await process.look(2 * HOUR)
    await process.look(HOUR)
    assert inbox.periods == [("2026-11-15T23:00:00Z", "2026-11-22T23:00:00Z")]
    assert "costs" in {issue.name for issue in process.store.read_now(reports.listed, states=("delivered",))}
    process.reporting = reporting_of(weekly(name="costs"), weekly(name="another"))
    await process.look(HOUR)
    assert len(inbox.got) == 1
    await process.look(WEEK)
    assert len(inbox.got) == 3


async def test_another_name_for_what_is_not_due_begins_with_its_next_time(process, inbox):
    await process.look()
    await process.look(5 * MINUTE)
    process.reporting = reporting_of(weekly(name="costs"))
    await process.look(DAY)
    assert len(inbox.got) == 1
    await process.look(6 * DAY)
    assert len(inbox.got) == 2


@pytest.mark.parametrize("timetable", [weekly().timetable, TUESDAY], ids=str)
async def test_a_new_report_takes_up_nothing_of_one_that_was_taken_out_long_ago(process, inbox, timetable):
    await process.look()
    process.reporting = reporting_of(weekly(name="other", timetable=LATER))
    await process.look(6 * DAY)
    assert inbox.got == []  # whose schedule it is no more
    process.reporting = reporting_of(weekly(name="other", timetable=LATER), weekly(name="new", timetable=timetable))
    await process.look(2 * DAY)
    names = [issue.name for issue in process.store.read_now(reports.listed, states=("delivered",))]
    assert names == ["other"]


async def test_of_two_reports_of_one_schedule_the_one_that_stays_keeps_its_time(process, inbox):
    await process.look()
    process.reporting = reporting_of(weekly(name="new"), weekly())
    await process.look(HOUR)
    assert [issue.name for issue in process.store.read_now(reports.listed, states=("delivered",))] == ["weekly"]


@pytest.mark.parametrize("back", [MINUTE, 2 * HOUR, 10 * DAY, 60 * DAY])
async def test_a_clock_that_is_put_back_repeats_nothing_and_stops_nothing(process, inbox, back):
    await process.look()
    await process.look(5 * MINUTE)
    process.clock.move(-back)
    for _ in range(int(back / DAY) + 1):
        await process.look(min(DAY, back))
    before = [period for period in inbox.periods if period[1] < "2026-11-22"]
    assert len(inbox.periods) == len(set(inbox.periods)), "no period twice"
    process.clock.now = MONDAY + WEEK
    await process.look()
    assert inbox.periods[-1] == ("2026-11-22T23:00:00Z", "2026-11-29T23:00:00Z")
    assert len(inbox.periods) - len(before) == 2
    assert bool(before) == (back > WEEK), "it does not wait for the clock to come back to where it was"


@pytest.mark.parametrize(
    ("first", "hours"),
    [
        (datetime(2026, 10, 18, tzinfo=UTC), 169),  # on 25 October an hour comes twice
        (datetime(2026, 3, 22, tzinfo=UTC), 167),  # on 29 March one is left out
    ],
)
@pytest.mark.parametrize(("weekday", "at"), [(6, time(0, 0)), (6, time(2, 30)), (0, time(8, 0))])
async def test_changes_of_the_clock_repeat_nothing_and_leave_nothing_out(process, inbox, first, hours, at, weekday):
    process.clock.now = first
    process.reporting = reporting_of(weekly(timetable=Timetable(weekday=weekday, at=at, zone=BERLIN)))
    change = first + 7 * DAY
    for _ in range(16 * 24 * 2):
        process.clock.move(30 * MINUTE)
        # Every half an hour in the nights that matter, and twice a day else.
        if abs(process.clock() - change) < 12 * HOUR or process.clock().astimezone(BERLIN).hour in (0, 9):
            await process.look()
    assert len(inbox.got) == len(set(inbox.periods)) >= 2
    spans = [datetime.fromisoformat(end) - datetime.fromisoformat(begin) for begin, end in inbox.periods]
    assert spans.count(timedelta(hours=hours)) == 1
    ends = [end for _, end in inbox.periods]
    begins = [begin for begin, _ in inbox.periods]
    assert ends[:-1] == begins[1:], "one goes on where the other ends"


async def test_a_month_is_the_calendar_month_before(process, inbox):
    first = Timetable(day=1, at=time(8), zone=BERLIN)
    process.reporting = reporting_of(weekly(name="monthly", timetable=first, length="month", period_name="month"))
    await process.look()
    for _ in range(150):
        await process.look(DAY)
    assert inbox.periods == [
        ("2026-10-31T23:00:00Z", "2026-11-30T23:00:00Z"),
        ("2026-11-30T23:00:00Z", "2026-12-31T23:00:00Z"),
        ("2026-12-31T23:00:00Z", "2027-01-31T23:00:00Z"),
        ("2027-01-31T23:00:00Z", "2027-02-28T23:00:00Z"),
        ("2027-02-28T23:00:00Z", "2027-03-31T22:00:00Z"),
    ]


# Editions


def own(owner, *receivers, match=None):
    matchers = parse_matchers([match or f'owner="{owner}"'])
    return OwnEdition(owner=owner, matchers=matchers, receivers=receivers)


@on_both
async def test_each_owner_gets_what_concerns_them(process, inbox, store):
    account = make_account("shared", owner="platform")
    bots = [
        make_deployment("search-bot", account=account, tags={"owner": "search"}, created_at=MONDAY - 9 * DAY),
        make_deployment("chat-bot", account=account, tags={"owner": "chat"}, created_at=MONDAY - 9 * DAY),
    ]
    store.write_now(scope.save_accounts, [account], is_complete=True, now=MONDAY - 9 * DAY)
    snapshot = make_snapshot(account=account, at=MONDAY - 9 * DAY, deployments=bots)
    store.write_now(cycles.record, snapshot, cycles.Judgement(rules=()))
    search, chat = Inbox("search"), Inbox("chat")
    process.receivers += [search, chat, Pager()]
    owners = (own("search", "search", "pager"), own("Chat", "chat", "finops", match='owner=~"ch.*"'))
    process.reporting = reporting_of(owners=owners)
    await process.look()
    await process.look(5 * MINUTE)
    held = {name: ("search-bot" in text, "chat-bot" in text) for name, text in _texts(search, chat).items()}
    assert held == {"search": (True, False), "chat": (False, True)}
    assert sorted(states(process)) == [
        ("all", "finops", "delivered"),
        ("owner Chat", "chat", "delivered"),
        ("owner Chat", "finops", "delivered"),
        ("owner search", "search", "delivered"),
    ]
    assert len(set(inbox.ids)) == 2
    assert any("search-bot" in one.text and "chat-bot" in one.text for one in inbox.got)


def _texts(*inboxes):
    return {one.name: one.got[0].text for one in inboxes}


async def test_the_finance_edition_goes_to_its_receivers_alone(process, inbox):
    process.receivers.append(search := Inbox("search"))
    process.reporting = reporting_of(weekly(audience=Audience.FINANCE), owners=(own("search", "search"),))
    await process.look()
    await process.look(5 * MINUTE)
    assert states(process) == [("finance", "finops", "delivered")]
    assert search.got == []


async def test_only_who_wants_pictures_has_them_drawn(process, inbox):
    process.receivers.append(Inbox("plain"))
    inbox.wants_pictures = True
    process.reporting = reporting_of(weekly("finops", "plain"))
    await process.look()
    await process.look(5 * MINUTE)
    assert "cid:" not in inbox.got[0].html or inbox.got[0].pictures


# Failures


def down(**changes):
    return DeliveryError("503", **({"permanent": False, "kind": "server"} | changes))


async def test_what_failed_is_tried_again_with_growing_waits_and_dies_after_three_days(process, inbox):
    process.policy = RetryPolicy(waits=(HOUR, 11 * HOUR), jitter=0.0)
    inbox.failures = [down()] * 200
    await process.look()
    process.clock.move(5 * MINUTE)
    tries = 0
    while states(process) != [("all", "finops", "dead")]:
        tries += len(await process.look())
        [issue] = process.store.read_now(reports.listed)
        process.clock.now = max(process.clock(), issue.due_at)
    assert tries == 9
    assert process.clock() - MONDAY == timedelta(hours=72)
    [dead] = process.store.read_now(reports.listed)
    assert dead.last_error.endswith("attempts failed; the last: server: 503")


async def test_each_try_is_on_record(process, inbox, store):
    inbox.failures = [DeliveryError("503", permanent=False, kind="server"), None]
    await process.look()
    await process.look(5 * MINUTE)
    await process.look(HOUR)
    (issue,) = store.read_now(reports.listed, states=("delivered",))
    failed, taken = store.read_now(attempts.of, issue.id)
    assert (failed.at, failed.outcome, failed.kind) == (MONDAY, "retry", "server")
    assert failed.detail == "server: 503"
    assert (taken.at, taken.outcome, taken.kind, taken.detail) == (MONDAY + HOUR, "delivered", "", "taken")
    assert all(one.duration_s >= 0 for one in (failed, taken))


async def test_a_dead_channel_holds_up_no_other(process, inbox):
    process.receivers.append(ml := Inbox("ml"))
    process.reporting = reporting_of(weekly("finops", "ml"))
    inbox.failures = [down(permanent=True, kind="auth", maybe_delivered=True)]
    await process.look()
    done = await process.look(5 * MINUTE)
    assert {(one.issue.receiver, one.state) for one in done} == {("finops", "dead"), ("ml", "delivered")}
    assert await process.look(DAY) == ()
    assert len(ml.ids) == 1


async def test_a_refusal_that_may_pass_is_tried_for_a_while(process, inbox):
    inbox.failures = [down(permanent=True, kind="bad_request", may_pass=True)] * 3
    await process.look()
    [first] = await process.look(5 * MINUTE)
    assert first.state == "pending"
    [second] = await process.look(HOUR)
    assert second.state == "dead"


async def test_what_a_notifier_does_wrong_is_a_failure_like_any(process, inbox):
    inbox.failures = [RuntimeError("boom")]
    await process.look()
    [failed] = await process.look(5 * MINUTE)
    assert (failed.state, failed.detail) == ("pending", "server: the notifier failed: RuntimeError")
    [issue] = process.store.read_now(reports.listed)
    assert issue.is_uncertain


async def test_what_cannot_be_made_stands_in_the_outbox_and_is_tried_again(process, inbox):
    whole, process.reporting = process.reporting, replace(process.reporting, terms=None)
    await process.look()
    [failed] = await process.look(5 * MINUTE)
    assert failed.state == "pending"
    assert failed.detail.startswith("server: the report could not be made: AttributeError")
    process.reporting = whole
    await process.look(MINUTE)
    assert len(inbox.got) == 1


class Confused(OwnEdition):
    """Whose edition cannot be made."""

    def concerns(self, labels):
        raise RuntimeError("confused")


async def test_an_edition_that_cannot_be_made_keeps_none_of_the_others(process, inbox, store):
    account = make_account("shared", owner="platform")
    bot = make_deployment("chat-bot", account=account, tags={"owner": "chat"}, created_at=MONDAY - 9 * DAY)
    store.write_now(scope.save_accounts, [account], is_complete=True, now=MONDAY - 9 * DAY)
    snapshot = make_snapshot(account=account, at=MONDAY - 9 * DAY, deployments=[bot])
    store.write_now(cycles.record, snapshot, cycles.Judgement(rules=()))
    process.receivers += [Inbox("search"), chat := Inbox("chat")]
    confused = Confused(owner="search", matchers=(), receivers=("search",))
    process.reporting = reporting_of(owners=(confused, own("chat", "chat")))
    await process.look()
    done = await process.look(5 * MINUTE)
    assert sorted(states(process)) == [
        ("all", "finops", "delivered"),
        ("owner chat", "chat", "delivered"),
        ("owner search", "search", "pending"),
    ]
    assert (len(inbox.got), len(chat.got)) == (1, 1)
    [failed] = [one for one in done if one.state == "pending"]
    assert failed.detail == "server: the report could not be made: RuntimeError"


class SlowStore:
    """A store that is slow to say that an issue is claimed."""

    def __init__(self, store, clock, by):
        self._store, self._clock, self._by = store, clock, by

    def __getattr__(self, name):
        return getattr(self._store, name)

    async def write(self, fn, *args, **kwargs):
        made = await self._store.write(fn, *args, **kwargs)
        if fn is reports.claim:
            self._clock.move(self._by)
        return made


@pytest.mark.parametrize(("late", "sends"), [(8, 1), (9, 0)])
async def test_nothing_is_sent_that_another_might_send_before_it_has_ended(process, inbox, late, sends):
    await process.look()
    slow = SlowStore(process.store, process.clock, timedelta(seconds=late))
    assert len(await replace(process, store=slow).look(5 * MINUTE)) == sends
    assert len(inbox.got) == sends
    await process.look(LEASE)
    assert len(inbox.got) == 1


async def test_a_receiver_that_never_answers_is_left_in_time(process, monkeypatch):
    class Mute(Inbox):
        async def send_report(self, message, *, now):
            await asyncio.Event().wait()

    monkeypatch.setattr(reporting, "_LONGEST_SEND", timedelta(milliseconds=20))
    process.receivers = [Mute()]
    await process.look()
    [failed] = await process.look(5 * MINUTE)
    assert (failed.state, failed.detail) == ("pending", "timeout: the receiver did not answer in time")
    [issue] = process.store.read_now(reports.listed)
    assert issue.is_uncertain


@pytest.mark.parametrize(
    ("receivers", "because"),
    [([], "no receiver of this name is configured any more"), ([Pager("finops")], "takes no reports")],
)
async def test_what_can_never_be_sent_is_given_up_and_says_why(process, inbox, receivers, because):
    inbox.failures = [down()]
    await process.look()
    await process.look(5 * MINUTE)
    [dead] = await replace(process, receivers=receivers).look(MINUTE)
    assert dead.state == "dead"
    assert because in dead.detail
    assert await process.look(DAY) == ()


async def test_an_owner_who_is_gone_gets_nothing_more(process, inbox):
    process.receivers.append(Inbox("search", failures=[down()]))
    process.reporting = reporting_of(owners=(own("search", "search"),))
    await process.look()
    await process.look(5 * MINUTE)
    process.reporting = reporting_of()
    [dead] = await process.look(MINUTE)
    assert (dead.state, dead.detail) == ("dead", "no owner of this name is configured any more")


async def test_by_hand_all_is_tried_at_once_but_what_was_tried_already(process, inbox):
    inbox.failures = [down(), down()]
    await process.look()
    [first] = await process.look(5 * MINUTE)
    assert await process.look(but={first.issue.id}, heedless=True) == ()
    [again] = await process.look(heedless=True)
    assert again.state == "pending"
    [last] = await process.look(heedless=True)
    assert last.state == "delivered"


@on_both
async def test_a_dead_report_is_told_to_the_other_receivers_until_one_is_taken(process, inbox):
    """As `delivery_failing`; what fails is the report, so alerts go on to that receiver."""
    judgement = cycles.Judgement(rules=(), fleet_rules=build_rules({}).fleet_rules, receivers=frozenset({"finops"}))

    def review():
        return process.store.write_now(cycles.review_now, judgement, process.clock())

    inbox.failures = [down(permanent=True, kind="bad_request")]
    await process.look()
    await process.look(5 * MINUTE)
    [alert] = review()
    assert (alert.finding.rule, alert.labels["receiver"]) == ("delivery_failing", "finops")
    assert "report weekly: bad_request: 503; 0 waiting, 1 dead" in alert.finding.summary
    assert process.store.read_now(channels.of, ["finops"])["finops"].retry_at is None
    [dead] = process.store.read_now(reports.listed)
    process.store.write_now(reports.retry, [dead.id], now=process.clock())
    await process.look(2 * HOUR)
    assert len(inbox.got) == 1
    [alert] = review()
    assert alert.ends_at is not None


async def test_one_that_fails_and_fails_is_told_before_it_dies(process, inbox):
    judgement = cycles.Judgement(rules=(), fleet_rules=build_rules({}).fleet_rules, receivers=frozenset({"finops"}))
    inbox.failures = [down()] * 9
    await process.look()
    await process.look(5 * MINUTE)
    assert process.store.write_now(cycles.review_now, judgement, process.clock()) == ()
    process.clock.move(3 * HOUR)
    [alert] = process.store.write_now(cycles.review_now, judgement, process.clock())
    assert "finops does not take a message that waits since" in alert.finding.summary


async def test_a_scheduled_mail_arrives_with_its_charts(process, store):
    """All the way: what was recorded, the schedule, the statement, and a mail server that takes it."""
    pytest.importorskip("matplotlib")
    bot = make_deployment("support-bot", created_at=MONDAY - 20 * DAY)
    store.write_now(scope.save_accounts, [ACCOUNT], is_complete=True, now=MONDAY - 20 * DAY)
    store.write_now(cycles.record, make_snapshot(at=MONDAY - 20 * DAY, deployments=[bot]), cycles.Judgement(rules=()))
    async with mail_server() as mailbox:
        process.receivers = [mailer(mailbox, name="finops")]
        await process.look()
        [sent] = await process.look(5 * MINUTE)
    assert (sent.state, sent.detail) == ("delivered", "accepted for 2 recipients")
    got = parse(mailbox.mails[0])
    pictures = [part for part in got.walk() if part.get_content_type() == "image/png"]
    page = got.get_body(("html",)).get_content()
    assert pictures
    for picture in pictures:
        assert f"cid:{picture['Content-ID'].strip('<>')}" in page
        assert picture.get_content().startswith(b"\x89PNG")
    assert page.count("cid:") == len(pictures)
    assert "support-bot" in got.get_body(("plain",)).get_content()
    assert got["Message-ID"] == f"<{sent.issue.id}@example.com>"
