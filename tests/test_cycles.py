"""The cycles with hand-made snapshots and the real rules, on both databases."""

import threading
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest

from tests.factories import (
    ACCOUNT,
    DAY,
    HOUR,
    MINUTE,
    NOW,
    SECOND,
    make_account,
    make_deployment,
    make_event,
    make_gap,
    make_job,
    make_snapshot,
    make_usage,
)
from watcher import cycles
from watcher.alerts.dispatch import Routing
from watcher.alerts.matcher import parse_matchers
from watcher.alerts.notification import NotifyReason
from watcher.alerts.route import RouteSpec, build_route
from watcher.azure.discovery import Discovery
from watcher.cycles import Judgement, note_itself, record
from watcher.cycles.memory import Memory
from watcher.errors import DeliveryError
from watcher.notify.notifier import Receipt, RetryPolicy
from watcher.resources.fine_tuning import JobStatus
from watcher.resources.snapshot import NAMELESS, GapReason, Listing, Section
from watcher.rules.itself import configuration_rejected
from watcher.rules.registry import build_rules
from watcher.store import alerts, claiming, history, listings, observations, operators, outbox, scope, state, tellings

RULES = build_rules({"deployment_wasting": {"enabled": False}}, plugins=())  # tells of whatever is idle, for reports
JUDGEMENT = Judgement(rules=RULES.rules, fleet_rules=RULES.fleet_rules)
ROUTING = Routing(root=build_route(RouteSpec(receiver="slack", group_by=("rule", "owner"), group_wait=30 * SECOND)))
BOTH_RECEIVERS = Routing(
    root=build_route(
        RouteSpec(
            receiver="slack",
            routes=(
                RouteSpec(receiver="mail", matchers=parse_matchers(['rule=~".+"']), continue_=True),
                RouteSpec(receiver="slack", matchers=parse_matchers(['rule=~".+"'])),
            ),
        )
    )
)
#: Idle since then: its clock began 8 days and 2 hours ago, so that 6 days and 22 hours are left at `NOW`.
LAST_CALL = NOW - 8 * DAY - 2 * HOUR


@pytest.fixture
def watched(store):
    store.write_now(scope.save_accounts, [ACCOUNT], is_complete=True, now=NOW - DAY)
    return store


def save(store, **snapshot):
    return store.write_now(record, make_snapshot(**snapshot), JUDGEMENT)


def settled(store):
    """An account whose every section was read and recorded an hour ago, with one job under way."""
    save(store, at=NOW - HOUR, jobs=[make_job()], deployments=[], usage=[])
    return store


def end_job(store, at=NOW, **job):
    job = make_job(**{"status": JobStatus.SUCCEEDED, "finished_at": at, "fine_tuned_model": "m", **job})
    return save(store, at=at, jobs=[job], events={job.id: [make_event("Job started.")]})


def dispatch(store, now=NOW, routing=ROUTING, **options):
    return store.write_now(cycles.dispatch_now, routing, now, now, **{"immediate": True, **options})


def rules_of(recorded):
    return [alert.finding.rule for alert in recorded.alerts]


def open_alerts(store):
    return store.read_now(alerts.firing, ACCOUNT.key)


def sent(store):
    """What the outbox holds, in order: receiver, reason, rules."""
    deliveries = store.read_now(outbox.listed, states=("pending", "delivered", "dead"))
    notifications = [delivery.notification for delivery in deliveries]
    return [(n.receiver, n.reason.value, [told.alert.finding.rule for told in n.alerts]) for n in notifications]


# Record


def test_first_sight_is_quiet_about_what_has_ended(watched):
    recorded = save(watched, jobs=[make_job(status=JobStatus.FAILED, finished_at=NOW)], deployments=[], usage=[])
    assert recorded.alerts == ()
    assert [t.is_history for t in recorded.transitions] == [True]
    assert not recorded.has_news


def test_a_condition_that_holds_at_first_sight_is_told_as_such(watched):
    recorded = save(watched, jobs=[], deployments=[make_deployment()], usage=[make_usage(last_success_at=LAST_CALL)])
    (alert,) = recorded.alerts
    assert (alert.finding.rule, alert.is_first_sight) == ("deployment_idle", True)


def test_a_job_that_ends_is_announced_once(watched):
    settled(watched)
    assert rules_of(end_job(watched)) == ["job_succeeded"]
    assert end_job(watched, at=NOW + MINUTE, finished_at=NOW).alerts == ()
    dispatch(watched)
    dispatch(watched, NOW + HOUR)
    dispatch(watched, NOW + 40 * DAY)
    assert sent(watched) == [("slack", "firing", ["job_succeeded"])]


def test_a_job_first_seen_when_it_has_ended_is_announced_after_first_sight(watched):
    settled(watched)
    new = make_job("ftjob-new", status=JobStatus.CANCELLED, finished_at=NOW)
    assert rules_of(save(watched, jobs=[make_job(), new])) == ["job_cancelled"]


def test_an_older_snapshot_is_refused(watched):
    settled(watched)
    end_job(watched)
    late = save(watched, at=NOW - MINUTE, jobs=[make_job()])
    assert (late.is_stale, late.alerts, late.transitions) == (True, (), ())
    (one,) = watched.read_now(listings.jobs)
    assert one.job.status is JobStatus.SUCCEEDED


def test_the_same_snapshot_twice_is_recorded_once(watched):
    settled(watched)
    assert end_job(watched).has_news
    assert end_job(watched).is_stale


def test_a_gap_ends_no_alert_and_says_since_when_nothing_is_verified(watched):
    save(watched, jobs=[], deployments=[make_deployment()], usage=[make_usage(last_success_at=LAST_CALL)])
    gaps = (make_gap(Section.DEPLOYMENTS, at=NOW + HOUR), make_gap(Section.METRICS, at=NOW + HOUR))
    save(watched, at=NOW + HOUR, jobs=[], gaps=gaps)
    idle = next(alert for alert in open_alerts(watched) if alert.finding.rule == "deployment_idle")
    assert idle.unverified_since == NOW
    save(watched, at=NOW + 2 * HOUR, jobs=[], deployments=[make_deployment()], usage=[usage_until(NOW + 2 * HOUR)])
    (idle,) = open_alerts(watched)
    assert idle.unverified_since is None


def usage_until(now, last_call=LAST_CALL):
    return make_usage(read_from=now - 16 * DAY, read_to=now, last_success_at=last_call)


def test_an_idle_deployment_is_told_at_each_step_and_at_no_other_time(watched):
    settled(watched)
    for hours in range(0, 8 * 24, 6):
        now = NOW + timedelta(hours=hours)
        save(watched, at=now, jobs=[], deployments=[make_deployment()], usage=[usage_until(now)])
        dispatch(watched, now)
    (alert,) = open_alerts(watched)
    told = watched.read_now(tellings.of_alert, alert.id)
    assert [row.step for row in told] == ["7d", "3d", "1d", "6h", "overdue"]
    reasons = [reason for _, reason, _ in sent(watched)]
    assert reasons == ["firing", "severity_raised", "severity_raised", "reminder", "reminder"]


def test_a_call_resolves_to_those_who_were_told(watched):
    save(watched, at=NOW, jobs=[], deployments=[make_deployment()], usage=[make_usage(last_success_at=LAST_CALL)])
    dispatch(watched)
    later = NOW + HOUR
    save(watched, at=later, deployments=[make_deployment()], usage=[usage_until(later, last_call=NOW)])
    dispatch(watched, later)
    dispatch(watched, later + DAY)
    idle = ["deployment_idle"]
    assert sent(watched) == [("slack", "firing", idle), ("slack", "resolved", idle)]
    assert open_alerts(watched) == ()


def test_a_deployment_that_is_gone_is_one_piece_of_news(watched):
    """It stands for the resolve of the countdown, and says who had been told of it."""
    save(watched, jobs=[], deployments=[make_deployment()], usage=[make_usage(last_success_at=LAST_CALL)])
    dispatch(watched)
    later = NOW + 7 * DAY
    gone = frozenset({make_deployment().key})
    recorded = save(watched, at=later, jobs=[], deployments=[], usage=[], absent=gone)
    assert sorted(rules_of(recorded)) == ["deployment_gone", "deployment_idle"]
    news = next(alert for alert in recorded.alerts if alert.is_event)
    assert "not slack, decided at 2026-11-22 08:00 UTC but not delivered (deployment_idle, 7d)" in news.finding.evidence
    dispatch(watched, later)
    dispatch(watched, later + HOUR)
    assert sent(watched)[1:] == [("slack", "firing", ["deployment_gone"])]
    assert open_alerts(watched) == ()
    assert watched.read_now(alerts.unsettled) == ()


def test_an_ended_job_is_judged_when_its_events_arrive(watched):
    settled(watched)
    failed = make_job(status=JobStatus.FAILED, finished_at=NOW, error="")
    assert save(watched, jobs=[failed]).alerts == ()
    known = watched.read_now(observations.known, ACCOUNT.key, now=NOW)
    assert known.unexplained == {"ftjob-1"}
    unchanged = Listing(digest=known.jobs_digest, items=None)
    why = make_event("Training data failed Responsible AI checks: hate", level="error")
    second = replace(make_snapshot(at=NOW + MINUTE, events={"ftjob-1": [why]}), jobs=unchanged)
    assert rules_of(watched.write_now(record, second, JUDGEMENT)) == ["job_rai_data_failed"]
    assert watched.read_now(observations.known, ACCOUNT.key, now=NOW).unexplained == set()
    third = replace(make_snapshot(at=NOW + 2 * HOUR), jobs=unchanged)
    assert watched.write_now(record, third, JUDGEMENT).alerts == ()


def test_an_ended_job_whose_events_never_arrive_is_judged_by_itself_after_a_while(watched):
    settled(watched)
    failed = make_job(status=JobStatus.FAILED, finished_at=NOW, error="out of luck")
    assert save(watched, jobs=[failed]).alerts == ()
    assert save(watched, at=NOW + 30 * MINUTE, deployments=[]).alerts == ()
    assert rules_of(save(watched, at=NOW + HOUR, deployments=[])) == ["job_failed"]


# Poll


class Azure:
    """Answers a poll with the snapshot put into it, and remembers what it was asked."""

    def __init__(self, clock):
        self.clock = clock
        self.asked = []
        self.parts = {}

    async def __call__(self, account, known, *, sections, at):
        self.asked.append(sections)
        return make_snapshot(account=account, at=at, asked=sections, **self.parts)


async def poll(store, azure, memory, **options):
    return await cycles.poll(
        ACCOUNT, collect=azure, judgement=JUDGEMENT, store=store, memory=memory, clock=azure.clock, **options
    )


async def test_a_poll_asks_for_what_is_due_and_nothing_else(watched, clock):
    azure, memory = Azure(clock), Memory(watched)
    azure.parts = {"jobs": [make_job()], "deployments": [], "usage": []}
    recorded = await poll(watched, azure, memory)
    assert recorded.next_at == NOW + MINUTE
    assert await poll(watched, azure, memory) is None
    clock.move(MINUTE)
    azure.parts = {"jobs": [make_job()]}
    await poll(watched, azure, memory)
    clock.move(SECOND)
    await poll(watched, azure, memory, sections=cycles.EVERYTHING)
    assert azure.asked == [cycles.EVERYTHING, {Section.JOBS}, cycles.EVERYTHING]


async def test_an_account_that_left_the_scope_is_not_polled(watched, clock):
    watched.write_now(scope.save_accounts, [], is_complete=True, now=NOW)
    azure = Azure(clock)
    assert await poll(watched, azure, Memory(watched), sections=cycles.EVERYTHING) is None
    assert azure.asked == []


async def test_what_one_process_remembers_is_worthless_once_another_has_recorded_more(watched, open_store, clock):
    azure, mine, other = Azure(clock), Memory(watched), open_store()
    azure.parts = {"jobs": [make_job()], "deployments": [], "usage": []}
    await poll(watched, azure, mine)
    clock.move(MINUTE)
    azure.parts = {
        "jobs": [make_job(status=JobStatus.SUCCEEDED, finished_at=NOW, fine_tuned_model="m")],
        "events": {"ftjob-1": [make_event("Job started.")]},
    }
    theirs = await poll(other, azure, Memory(other))
    assert rules_of(theirs) == ["job_succeeded"]
    clock.move(10 * MINUTE)
    again = await poll(watched, azure, mine)
    assert (again.is_stale, again.alerts, again.transitions) == (False, (), ())


async def test_a_poll_that_finds_nothing_new_tells_when_the_next_is_due_as_it_stored_it(watched, clock):
    azure, memory = Azure(clock), Memory(watched)
    azure.parts = {"jobs": [make_job()], "deployments": [], "usage": []}
    await poll(watched, azure, memory)

    async def unchanged(account, known, *, sections, at):
        return replace(make_snapshot(at=at, asked=sections), jobs=Listing(digest=known.jobs_digest, items=None))

    for minutes in (2, 3):
        clock.move(MINUTE)
        recorded = await cycles.poll(
            ACCOUNT, collect=unchanged, judgement=JUDGEMENT, store=watched, memory=memory, clock=clock
        )
        assert recorded.next_at == watched.read_now(scope.due_account, ACCOUNT.key).at == NOW + minutes * MINUTE


async def test_a_step_is_crossed_by_time_alone_although_nothing_new_was_read(watched, clock):
    azure, memory = Azure(clock), Memory(watched)
    azure.parts = {"jobs": [], "deployments": [make_deployment()], "usage": [make_usage(last_success_at=LAST_CALL)]}
    await poll(watched, azure, memory)
    (alert,) = open_alerts(watched)
    assert alert.finding.step == "7d"

    async def unchanged(account, known, *, sections, at):
        same = Listing(digest=known.deployments_digest, items=None)
        return replace(make_snapshot(at=at, asked=sections), deployments=same)

    clock.move(4 * DAY)
    await cycles.poll(
        ACCOUNT,
        collect=unchanged,
        judgement=JUDGEMENT,
        store=watched,
        memory=memory,
        clock=clock,
        sections=frozenset({Section.DEPLOYMENTS}),
    )
    (alert,) = open_alerts(watched)
    assert alert.finding.step == "3d"


# Dispatch


def test_dispatch_stores_what_was_told_together_with_the_outbox(watched):
    settled(watched)
    (alert,) = end_job(watched).alerts
    plan = dispatch(watched)
    (notification,) = plan.notifications
    (delivery,) = watched.read_now(outbox.listed)
    (told,) = watched.read_now(tellings.newest, {alert.id})
    assert delivery.notification == notification
    assert (told.notification_id, told.receiver, told.at) == (notification.id, "slack", NOW)
    assert watched.read_now(alerts.unsettled) == ()


def test_a_kill_between_poll_and_dispatch_loses_nothing(watched, open_store):
    settled(watched)
    end_job(watched)
    other = open_store()  # a later process, with nothing but the database
    assert sent(other) == []
    dispatch(other, NOW + 5 * DAY)
    assert sent(other) == [("slack", "firing", ["job_succeeded"])]


def test_a_kill_in_the_middle_of_dispatch_loses_nothing_and_tells_nothing_twice(watched):
    settled(watched)
    end_job(watched)

    def killed(tx):
        cycles.dispatch_now(tx, ROUTING, NOW, NOW, immediate=True)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        watched.write_now(killed)
    assert sent(watched) == []
    dispatch(watched)
    assert len(sent(watched)) == 1


def test_dispatch_waits_for_the_group_and_says_when_to_come_back(watched):
    settled(watched)
    end_job(watched)
    plan = dispatch(watched, NOW + SECOND, immediate=False)
    assert (plan.notifications, plan.next_at) == ((), NOW + 30 * SECOND)
    assert len(dispatch(watched, NOW + 30 * SECOND, immediate=False).notifications) == 1


def together(*runs):
    """Run each in a thread of its own, all at once."""
    barrier, faults, answers = threading.Barrier(len(runs)), [], []

    def go(run):
        barrier.wait()
        try:
            answers.append(run())
        except BaseException as exc:
            faults.append(exc)

    threads = [threading.Thread(target=go, args=(run,)) for run in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    return answers


def test_two_processes_announce_once(watched, open_store):
    settled(watched)
    stores = (watched, open_store(), open_store())
    for round_ in range(5):
        at = NOW + round_ * MINUTE
        jobs = [make_job(f"ftjob-{n}", status=JobStatus.SUCCEEDED, finished_at=at) for n in range(round_ + 1)]
        events = {job.id: [make_event("Job started.")] for job in jobs}
        seen = [make_snapshot(at=at + n * SECOND, jobs=jobs, events=events) for n in range(len(stores))]
        together(*(partial(store.write_now, record, seen[n], JUDGEMENT) for n, store in enumerate(stores)))
        together(*(partial(dispatch, store, at + n * SECOND) for n, store in enumerate(stores)))
    told = [rule for _, _, rules in sent(watched) for rule in rules]
    assert told == ["job_succeeded"] * 5
    found = watched.read_now(history.transitions, name="ftjob-4")
    assert [transition.after for transition in found] == ["succeeded", "running"]


def test_two_processes_that_start_on_an_empty_database_find_the_same_accounts(open_store):
    accounts = [make_account(f"a{n}") for n in range(20)]
    together(
        *(
            partial(open_store().write_now, scope.save_accounts, found, is_complete=True, now=NOW)
            for found in (accounts, accounts[::-1])
        )
    )
    assert len(open_store().read_now(scope.due_accounts)) == 20


# Deliver


class Channel:
    """A receiver in memory, which refuses what it is told to refuse."""

    type = "memory"

    def __init__(self, name="slack"):
        self.name = name
        self.faults = []
        self.received = []

    async def send(self, notification, *, now):
        if self.faults:
            raise self.faults.pop(0)
        self.received.append(notification)
        return Receipt("ok")

    async def probe(self):
        return Receipt("ok")

    async def aclose(self):
        pass


def deliver(store, clock, *channels, owner="me"):
    return cycles.deliver(
        notifiers={channel.name: channel for channel in channels},
        policy=RetryPolicy(),
        store=store,
        clock=clock,
        wall_clock=clock,
        owner=owner,
    )


def tell_of_jobs(store, *names, routing=ROUTING):
    settled(store)
    for n in range(len(names)):
        at = NOW - MINUTE + n * SECOND
        jobs = [make_job(each, status=JobStatus.CANCELLED, finished_at=NOW) for each in names[: n + 1]]
        save(store, at=at, jobs=jobs)
        dispatch(store, at, routing)


def jobs_told(channel):
    return [told.alert.labels["job"] for notification in channel.received for told in notification.alerts]


async def test_what_is_accepted_is_delivered_once(watched, clock):
    tell_of_jobs(watched, "a")
    slack = Channel()
    (done,) = await deliver(watched, clock, slack)
    assert (done.state, done.attempt.outcome, done.attempt.detail) == ("delivered", "delivered", "ok")
    assert await deliver(watched, clock, slack) == ()
    assert jobs_told(slack) == ["a"]
    assert watched.read_now(outbox.counts) == {"delivered": 1}


async def test_a_passing_fault_is_tried_again_with_the_same_id(watched, clock):
    tell_of_jobs(watched, "a")
    slack = Channel()
    slack.faults = [DeliveryError("no answer", kind="timeout", permanent=False)]
    (failed,) = await deliver(watched, clock, slack)
    assert (failed.state, failed.attempt.outcome, failed.attempt.kind) == ("pending", "retry", "timeout")
    assert await deliver(watched, clock, slack) == ()  # not before it is due
    clock.move(12 * SECOND)
    (done,) = await deliver(watched, clock, slack)
    assert done.state == "delivered"
    assert slack.received[0].id == failed.delivery.notification.id


async def test_a_lasting_fault_ends_the_delivery_and_is_on_record(watched, clock):
    tell_of_jobs(watched, "a")
    slack = Channel()
    slack.faults = [DeliveryError("no such channel", kind="bad_request", permanent=True)]
    (dead,) = await deliver(watched, clock, slack)
    assert dead.state == "dead"
    (delivery,) = watched.read_now(outbox.listed, states=("dead",))
    assert delivery.last_error == "bad_request: no such channel"


async def test_one_receivers_trouble_holds_up_no_other(watched, clock):
    tell_of_jobs(watched, "a", "b", routing=BOTH_RECEIVERS)
    slack, mail = Channel(), Channel("mail")
    slack.faults = [DeliveryError("no answer", kind="timeout", permanent=False)] * 2
    await deliver(watched, clock, slack, mail)
    assert (jobs_told(slack), jobs_told(mail)) == ([], ["a", "b"])


async def test_a_notifier_that_breaks_its_promise_holds_up_nobody(watched, clock):
    """Other people's notifiers may raise what they like; each delivery is tried again, and those behind it go out."""
    tell_of_jobs(watched, "a", "b", routing=BOTH_RECEIVERS)
    slack, mail = Channel(), Channel("mail")
    slack.faults = [ZeroDivisionError("https://hooks.example/secret")]
    done = await deliver(watched, clock, slack, mail)
    assert (jobs_told(slack), jobs_told(mail)) == (["b"], ["a", "b"])
    failed = next(one for one in done if one.state == "pending")
    assert (failed.attempt.kind, failed.attempt.detail) == ("server", "the notifier failed: ZeroDivisionError")
    clock.move(HOUR)
    await deliver(watched, clock, slack, mail)
    assert jobs_told(slack) == ["b", "a"]


async def test_a_receiver_hears_of_one_alert_in_order(watched, clock):
    save(watched, at=NOW - HOUR, jobs=[], deployments=[make_deployment()], usage=[usage_until(NOW - HOUR)])
    dispatch(watched, NOW - HOUR)
    slack = Channel()
    slack.faults = [DeliveryError("no answer", kind="timeout", permanent=False, maybe_delivered=True)]
    await deliver(watched, clock, slack)
    save(watched, deployments=[make_deployment()], usage=[usage_until(NOW, last_call=NOW - HOUR)])
    dispatch(watched, NOW)
    for _ in range(3):
        await deliver(watched, clock, slack)
        clock.move(MINUTE)
    assert [n.reason for n in slack.received] == [NotifyReason.FIRING, NotifyReason.RESOLVED]


async def test_what_a_killed_process_had_claimed_is_sent_by_another_under_the_same_id(watched, open_store, clock):
    tell_of_jobs(watched, "a")
    slack = Channel()
    (claimed,) = watched.write_now(claiming.claim, "killed", receivers=["slack"], now=NOW)
    other = open_store()
    assert await deliver(other, clock, slack, owner="heir") == ()
    clock.move(outbox.LEASE)
    await deliver(other, clock, slack, owner="heir")
    assert [n.id for n in slack.received] == [claimed.notification.id]


# What spans accounts


def note(store, *findings, now=NOW):
    return store.write_now(note_itself, findings, JUDGEMENT, now=now)


def test_trouble_with_itself_is_one_alert_until_it_is_over(watched):
    finding = configuration_rejected("route.receiver is not set", "c.toml", NOW)
    (alert,) = note(watched, finding)
    assert note(watched, finding, now=NOW + MINUTE) == ()
    dispatch(watched, NOW + MINUTE)
    (ended,) = note(watched, now=NOW + HOUR)
    assert (ended.id, ended.ends_at) == (alert.id, NOW + HOUR)
    dispatch(watched, NOW + HOUR)
    assert [reason for _, reason, _ in sent(watched)] == ["firing", "resolved"]


def test_a_review_leaves_trouble_with_itself_alone(watched):
    note(watched, configuration_rejected("bad", "c.toml", NOW))
    assert watched.write_now(cycles.review_now, JUDGEMENT, NOW + MINUTE) == ()
    assert len(watched.read_now(alerts.firing, "")) == 1


def test_a_poll_leaves_other_accounts_alone(watched):
    far = make_account("far-away")
    watched.write_now(scope.save_accounts, [far], is_complete=False, now=NOW)
    save(watched, jobs=[], deployments=[make_deployment()], usage=[make_usage(last_success_at=LAST_CALL)])
    save(watched, account=far, jobs=[], deployments=[], usage=[])
    assert len(open_alerts(watched)) == 1


async def test_alerts_of_an_account_that_left_the_scope_end(watched):
    save(watched, gaps=(make_gap(at=NOW),), jobs=None, deployments=[], usage=[])
    assert watched.read_now(alerts.firing, ACCOUNT.key)

    async def nothing(known):
        assert [account.key for account in known] == [ACCOUNT.key]
        return Discovery(accounts=(), is_complete=True, gaps=())

    await cycles.discover(nothing, judgement=JUDGEMENT, store=watched, clock=lambda: NOW + HOUR)
    assert watched.read_now(alerts.firing, ACCOUNT.key) == ()
    (ended,) = watched.read_now(alerts.listed)
    assert "no longer includes it" in ended.ended_because


async def test_what_was_in_an_account_that_is_gone_is_told_to_be_gone(watched):
    deployment = make_deployment(created_at=NOW - 20 * DAY)
    save(watched, jobs=[], deployments=[deployment], usage=[make_usage(last_success_at=LAST_CALL)])
    dispatch(watched)

    async def gone(known):
        return Discovery(accounts=(), is_complete=False, gaps=(make_gap(),), gone=frozenset({ACCOUNT.key}))

    await cycles.discover(gone, judgement=JUDGEMENT, store=watched, clock=lambda: NOW + HOUR)
    by_rule = {alert.finding.rule: alert for alert in watched.read_now(alerts.listed)}
    assert by_rule["deployment_gone"].labels["cause"] == "account_gone"
    assert "its account is gone" in by_rule["deployment_idle"].ended_because
    (told,) = dispatch(watched, now=NOW + HOUR).notifications
    assert [one.alert.finding.rule for one in told.alerts] == ["deployment_gone"]
    assert watched.read_now(scope.due_accounts) == ()


def test_a_tag_keeps_a_deployment_as_the_command_does(watched):
    def seen(at, **tags):
        tagged = make_deployment(created_at=NOW - 20 * DAY, tags=tags)
        save(watched, at=at, jobs=[], deployments=[tagged], usage=[make_usage(last_success_at=LAST_CALL)])
        return watched.read_now(operators.keeps, since=NOW)

    (kept,) = seen(NOW, **{"Watcher-Keep-Until": "2027-01-01"})
    assert (kept.until.isoformat(), kept.author) == ("2027-01-02T00:00:00+00:00", "tag watcher-keep-until")
    assert not dispatch(watched).notifications  # the 7 d step is an early one
    assert seen(NOW + MINUTE, **{"watcher-keep-until": "some day"}) == ()
    assert dispatch(watched, now=NOW + MINUTE).notifications


def test_a_tag_that_is_gone_takes_no_operators_word_with_it(watched):
    def seen(at, **tags):
        tagged = make_deployment(created_at=NOW - 20 * DAY, tags=tags)
        save(watched, at=at, jobs=[], deployments=[tagged], usage=[make_usage(last_success_at=LAST_CALL)])
        return watched.read_now(operators.keeps, since=NOW)

    (tagged,) = seen(NOW, **{"watcher-keep-until": "2027-01-01"})
    said = replace(tagged, author="ops", reason="a customer asked", until=NOW + 90 * DAY)
    watched.write_now(operators.save_keep, said, now=NOW)
    assert seen(NOW + MINUTE) == (said,)


async def test_total_blindness_is_told_until_discovery_sees_again(store):
    def blind(at):
        gap = make_gap(Section.ACCOUNT, GapReason.CREDENTIAL, message="no token", at=at)
        return Discovery(accounts=(), is_complete=False, gaps=(gap,))

    async def seeing(known):
        return Discovery(accounts=(ACCOUNT,), is_complete=True)

    for now in (NOW, NOW + HOUR):
        store.write_now(cycles.save_discovery, blind(now), JUDGEMENT, now)
        store.write_now(cycles.review_now, JUDGEMENT, now)
    (alert,) = store.read_now(alerts.firing, "")
    assert alert.finding.rule == "credential_failing"
    assert alert.finding.occurred_at == NOW
    assert [gap.at for gap in store.read_now(state.discovery_gaps)] == [NOW]

    await cycles.discover(seeing, judgement=JUDGEMENT, store=store, clock=lambda: NOW + 2 * HOUR)
    save(store, at=NOW + 2 * HOUR, jobs=[], deployments=[], usage=[])
    store.write_now(cycles.review_now, JUDGEMENT, NOW + 2 * HOUR)
    assert store.read_now(alerts.firing, "") == ()
    assert store.read_now(state.discovery_gaps) == ()


MAIN = (Section.DEPLOYMENTS, Section.JOBS, Section.METRICS)


def test_what_a_dead_credential_held_back_is_not_told_when_it_heals(watched, store):
    """The account that is polled first ends `credential_failing`; the other's alert waits for its own next poll."""
    other = replace(ACCOUNT, name="other", label="other", id=ACCOUNT.id.replace(ACCOUNT.name, "other"))
    store.write_now(scope.save_accounts, [ACCOUNT, other], is_complete=True, now=NOW - DAY)

    def poll(at, *accounts, healed=False):
        for account in accounts:
            seen = {"jobs": [], "deployments": [], "usage": []} if healed else {}
            gaps = () if healed else tuple(make_gap(one, GapReason.CREDENTIAL, at=at) for one in MAIN)
            save(store, account=account, at=at, gaps=gaps, **seen)
        store.write_now(cycles.review_now, JUDGEMENT, at)
        dispatch(store, at, immediate=False)

    healed_at = NOW + HOUR
    poll(NOW, ACCOUNT, other)
    poll(NOW + MINUTE, ACCOUNT, other)
    poll(healed_at, ACCOUNT, healed=True)
    poll(healed_at + MINUTE, ACCOUNT, healed=True)  # the resolve was told: the source is settled
    assert len(store.read_now(alerts.firing, other.key)) == len(MAIN)
    poll(healed_at + 10 * MINUTE, other, healed=True)
    poll(healed_at + HOUR, ACCOUNT, other, healed=True)
    assert {rules[0] for _, _, rules in sent(store)} == {"credential_failing"}


def test_what_an_older_watcher_noted_of_discovery_is_no_gap(store):
    store.write_now(state.put, state.DISCOVERED, at=NOW, value="incomplete")
    assert store.read_now(state.discovery_gaps) == ()


def test_a_job_stays_while_a_listing_holds_one_without_an_id(watched):
    settled(watched)
    nameless = make_gap(Section.JOBS, GapReason.BROKEN, subject=NAMELESS)
    save(watched, jobs=[make_job(id="ftjob-new")], deployments=[], usage=[], gaps=(nameless,))
    stored = watched.read_now(observations.stored, ACCOUNT.key, of=make_snapshot())
    assert {job.id for job in stored.reading.jobs} == {make_job().id, "ftjob-new"}
