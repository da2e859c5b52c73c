from datetime import timedelta

import pytest
from sqlalchemy import delete, insert, update

from tests.alerts.factories import make_alert, make_routing
from tests.conftest import SteppedClock
from tests.factories import ACCOUNT, DAY, HOUR, MINUTE, NOW, make_account, make_gap
from tests.store.dumps import statements
from watcher import cycles
from watcher.cycles import Judgement, note_skew, review_now
from watcher.errors import DatabaseUnavailableError
from watcher.resources.snapshot import GapReason, Section
from watcher.rules.registry import build_rules
from watcher.store import alerts, schema, scope, state
from watcher.store.gaps import gap_values

FLEET = build_rules({}, plugins=()).fleet_rules


@pytest.fixture
def watched(store):
    store.write_now(scope.save_accounts, [ACCOUNT], is_complete=True, now=NOW - DAY)
    return store


def review(store, now, host="one"):
    changed = store.write_now(review_now, Judgement(rules=(), fleet_rules=FLEET), now, host)
    return [(alert.finding.rule, alert.ends_at) for alert in changed]


async def test_a_clock_that_is_off_is_told_until_it_is_right(watched):
    assert review(watched, NOW) == []
    await note_skew((timedelta(minutes=-7), NOW), host="one", store=watched)
    assert review(watched, NOW) == [("clock_skewed", None)]
    await note_skew((timedelta(seconds=1), NOW + HOUR), host="one", store=watched)
    assert review(watched, NOW + HOUR) == [("clock_skewed", NOW + HOUR)]


async def test_the_skew_is_written_where_it_is_news_and_now_and_then(watched):
    await note_skew(None, host="one", store=watched)
    assert watched.read_now(state.clocks) == ()
    for seconds, after, noted in ((3, 0 * MINUTE, 3), (5, MINUTE, 3), (9, 2 * MINUTE, 9), (10, 3 * HOUR, 10)):
        await note_skew((timedelta(seconds=seconds), NOW + after), host="one", store=watched)
        assert watched.read_now(state.clock, "one").skew == timedelta(seconds=noted)


async def test_the_clocks_of_two_machines_on_one_database_are_told_apart(watched):
    for minute in range(3):
        now = NOW + minute * MINUTE
        await note_skew((timedelta(minutes=-7), now), host="one", store=watched)
        await note_skew((timedelta(), now), host="other", store=watched)
        changed = [review(watched, now, "one"), review(watched, now, "other")]
        assert changed == [[("clock_skewed", None)] if minute == 0 else [], []]


async def test_a_machine_that_is_heard_of_no_more_is_forgotten_once_another_goes_on(watched):
    await note_skew((timedelta(minutes=-7), NOW), host="one", store=watched)
    assert review(watched, NOW) == [("clock_skewed", None)]
    later = NOW + DAY + HOUR
    assert review(watched, later) == [("clock_skewed", None)]  # not verified: nobody has heard Azure's clock since
    await note_skew((timedelta(), later), host="other", store=watched)
    assert review(watched, later, "other") == [("clock_skewed", later)]
    assert [clock.host for clock in watched.read_now(state.clocks)] == ["other"]


# Before whom it comes

OTHER = make_account("other")
ROUTING = make_routing(group_wait=timedelta())


class Process:
    """Dispatches as a daemon does, which reviews first where it has to."""

    def __init__(self, store):
        self.store, self.clock, self.recall = store, SteppedClock(NOW), cycles.Recall()
        self.reviewer = cycles.Reviewer(Judgement(rules=(), fleet_rules=FLEET), "one")

    def poll(self, account, *gaps, found=()):
        """Record that an account could not be read, and what follows of it."""

        def record(tx):
            tx.execute(delete(schema.gaps).where(schema.gaps.c.account == account.key))
            for gap in gaps:
                tx.execute(insert(schema.gaps).values(account=account.key, **gap_values(gap)))
            tx.execute(update(schema.accounts).where(schema.accounts.c.key == account.key).values(polled_at=NOW))
            alerts.save(tx, found)

        self.store.write_now(record)

    async def dispatch(self):
        done = await cycles.dispatch_and_claim(
            routing=ROUTING,
            store=self.store,
            clock=self.clock,
            wall_clock=self.clock,
            recall=self.recall,
            reviewer=self.reviewer,
            has_news=True,
        )
        told = [entry.alert.finding.rule for one in done.plan.notifications for entry in one.alerts]
        return [alert.finding.rule for alert in done.reviewed], told


def refused(account, at=NOW):
    """An account's own trouble, and the gap behind it."""
    key, cause = account.key, {"cause": "credential", "plane": "data"}
    found = make_alert("account_forbidden", name=account.name, account=key, at=at, labels=cause)
    return make_gap(Section.JOBS, GapReason.CREDENTIAL, at=at), found


@pytest.fixture
def process(store):
    store.write_now(scope.save_accounts, [ACCOUNT, OTHER], is_complete=True, now=NOW - DAY)
    return Process(store)


async def test_one_cause_behind_what_was_just_found_is_told_once(process):
    assert await process.dispatch() == ([], [])
    for account in (ACCOUNT, OTHER):
        gap, found = refused(account)
        process.poll(account, gap, found=[found])
    assert await process.dispatch() == (["credential_failing"], ["credential_failing"])


async def test_who_is_told_waits_for_no_review_where_no_gap_has_opened(process):
    gap, found = refused(ACCOUNT)
    process.poll(ACCOUNT, gap, found=[found])
    await process.dispatch()
    process.clock.move(10 * MINUTE)
    process.poll(ACCOUNT, gap, found=[make_alert("job_failed", name="x", at=process.clock())])
    with statements(process.store.engine) as heard:
        assert await process.dispatch() == ([], ["job_failed"])
    assert not any("FROM accounts" in statement for statement, _ in heard)


@pytest.mark.parametrize("change", ["another reason", "another account left", "the first look of this process"])
async def test_what_may_be_one_cause_is_looked_for_first(process, change):
    gap, found = refused(ACCOUNT)
    process.poll(OTHER, make_gap(Section.JOBS, GapReason.UNREACHABLE, at=NOW))
    process.poll(ACCOUNT, gap)
    assert await process.dispatch() == ([], [])
    process.clock.move(MINUTE)
    if change == "another reason":
        process.poll(OTHER, refused(OTHER, NOW)[0])
    elif change == "another account left":
        process.store.write_now(scope.save_accounts, [ACCOUNT], is_complete=True, now=process.clock())
        process.store.write_now(state.put, state.DISCOVERED, at=process.clock())
    else:
        process.store.write_now(scope.save_accounts, [ACCOUNT], is_complete=True, now=process.clock())
        process.reviewer = cycles.Reviewer(process.reviewer.judgement, "one")
    process.store.write_now(alerts.save, [found])
    assert await process.dispatch() == (["credential_failing"], ["credential_failing"])


async def test_a_review_that_was_never_committed_is_made_again(process):
    await process.dispatch()
    for account in (ACCOUNT, OTHER):
        gap, found = refused(account)
        process.poll(account, gap, found=[found])
    process.store.write_now(lambda tx: tx.exec_driver_sql("ALTER TABLE notifications RENAME COLUMN notes TO gone"))
    with pytest.raises(DatabaseUnavailableError, match="notes"):
        await process.dispatch()
    process.store.write_now(lambda tx: tx.exec_driver_sql("ALTER TABLE notifications RENAME COLUMN gone TO notes"))
    assert await process.dispatch() == (["credential_failing"], ["credential_failing"])
