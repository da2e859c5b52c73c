"""What the rules are shown beside the reading, and when metrics are due by it."""

from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from sqlalchemy import update

from tests.alerts.factories import make_alert
from tests.factories import (
    ACCOUNT,
    DAY,
    HOUR,
    MINUTE,
    NOW,
    make_account,
    make_checkpoint,
    make_deployment,
    make_event,
    make_gap,
    make_job,
    make_snapshot,
    make_training,
    make_usage,
)
from tests.store.test_outbox import claim, make_notification, mark, put
from watcher import cycles
from watcher.cycles import Cadence, Judgement, record
from watcher.cycles.memory import Memory
from watcher.cycles.viewing import remembered_view
from watcher.resources.fine_tuning import JobStatus
from watcher.resources.snapshot import Listing, Section
from watcher.resources.training import Duration
from watcher.rules.finding import Severity
from watcher.rules.pace import pace_key
from watcher.rules.rule import deployment_subject
from watcher.store import observations, schema, scope, trainings

JOBS, DEPLOYMENTS, METRICS = (frozenset({one}) for one in (Section.JOBS, Section.DEPLOYMENTS, Section.METRICS))


@dataclass(frozen=True)
class Looking:
    """A rule that keeps what it is shown."""

    name: str = "looking"
    views: list[Any] = field(default_factory=list)

    def evaluate(self, view):
        self.views.append(view)
        return iter(())


@pytest.fixture
def looking():
    return Looking()


@pytest.fixture
def watched(store):
    store.write_now(scope.save_accounts, [ACCOUNT], is_complete=True, now=NOW - DAY)
    return store


HOURLY = Cadence()


def show(store, looking, at=NOW, *, cadence=HOURLY, **snapshot):
    """The view that a snapshot comes to."""
    store.write_now(record, make_snapshot(at=at, **snapshot), Judgement(rules=(looking,), cadence=cadence))
    return looking.views[-1]


def due(store):
    return dict(zip(scope.NEXT_COLUMNS, store.read_now(scope.due_account, ACCOUNT.key).due, strict=True))


def test_the_times_of_the_readings_before_are_shown(watched, looking):
    first = show(watched, looking, jobs=[], asked=JOBS)
    assert first.previous_at == {}
    second = show(watched, looking, NOW + HOUR, jobs=[], deployments=[])
    assert second.previous_at == {Section.JOBS: NOW}
    third = show(watched, looking, NOW + 2 * HOUR, jobs=[], asked=JOBS)
    assert third.previous_at == {Section.JOBS: NOW + HOUR, Section.DEPLOYMENTS: NOW + HOUR}


async def test_they_are_shown_where_nothing_changed_too(watched, looking, clock):
    """The poll then loads nothing; it must say the same."""
    job = make_job()

    async def collect(account, known, *, sections, at):
        is_same = known.jobs_digest == "d"
        return (
            make_snapshot(at=at, asked=sections, jobs=[], deployments=[], usage=[])
            if not is_same
            else replace(make_snapshot(at=at, asked=sections), jobs=Listing(digest="d", items=None))
        )

    async def first(account, known, *, sections, at):
        return replace(make_snapshot(at=at, asked=sections), jobs=Listing(digest="d", items=(job,)))

    memory, judgement = Memory(watched), Judgement(rules=(looking,))
    options = {"judgement": judgement, "store": watched, "memory": memory, "clock": clock}
    await cycles.poll(ACCOUNT, collect=first, sections=JOBS, **options)
    assert looking.views[-1].cadence[Section.JOBS] == 10 * MINUTE  # as it was read before a job was known
    for _ in range(2):
        before = clock()
        clock.move(5 * MINUTE)
        await cycles.poll(ACCOUNT, collect=collect, sections=JOBS, **options)
        assert looking.views[-1].now == clock()
        assert looking.views[-1].previous_at[Section.JOBS] == before
        assert looking.views[-1].cadence[Section.JOBS] == MINUTE


def test_the_pace_of_jobs_under_way_is_shown_and_of_no_others(watched, looking):
    job = make_job()
    known = Duration(job="old", key=pace_key(ACCOUNT, job), queued=60.0, at=NOW - DAY)
    watched.write_now(trainings.save_durations, ACCOUNT.key, [known])
    assert show(watched, looking, jobs=[job]).paces[pace_key(ACCOUNT, job)].queued == (60.0,)
    done = make_job(status=JobStatus.FAILED)
    assert show(watched, looking, NOW + HOUR, jobs=[done]).paces == {}


def test_each_end_that_was_announced_is_shown_with_when_it_was(watched, looking):
    ends = [NOW + 2 * HOUR, NOW + 3 * HOUR, NOW + 5 * HOUR]
    for hours, end in enumerate(ends):
        view = show(watched, looking, NOW + hours * HOUR, jobs=[make_job(estimated_finish_at=end)])
    assert view.estimates["ftjob-1"].seen == tuple((NOW + n * HOUR, end) for n, end in enumerate(ends))
    assert show(watched, looking, NOW + 4 * HOUR, deployments=[], asked=DEPLOYMENTS).estimates == view.estimates


def test_a_single_estimate_is_shown_from_when_the_job_was_first_seen(watched, looking):
    job = make_job(estimated_finish_at=NOW + HOUR)
    show(watched, looking, jobs=[job])
    view = show(watched, looking, NOW + MINUTE, jobs=[job])
    assert view.estimates["ftjob-1"].seen == ((NOW, NOW + HOUR),)
    assert not any(t.attribute == "estimated_finish" for t in view.transitions)


def test_the_phases_and_logs_of_reinforcement_jobs_are_shown_until_their_month_is_over(watched, looking):
    def reinforcement(status):
        return make_job("rft", status, method="Reinforcement")

    show(watched, looking, jobs=[reinforcement(JobStatus.QUEUED), make_job()])
    log = (make_event("Job enqueued."),)
    jobs = [reinforcement(JobStatus.RUNNING), make_job()]
    view = show(watched, looking, NOW + HOUR, jobs=jobs, events={"rft": log, "ftjob-1": log})
    assert view.logs == {"rft": log}
    assert {name: [step.after for step in steps] for name, steps in view.phases.items()} == {
        "rft": ["queued", "running"]
    }
    again = show(watched, looking, NOW + 2 * HOUR, deployments=[], asked=DEPLOYMENTS)
    assert (again.phases, again.logs) == (view.phases, view.logs)
    done = [reinforcement(JobStatus.SUCCEEDED), make_job()]
    shown = show(watched, looking, NOW + 3 * HOUR, jobs=done)
    assert ([step.after for step in shown.phases["rft"]], shown.logs) == (["queued", "running", "succeeded"], view.logs)
    kept = remembered_view(shown, HOURLY)
    assert (kept.phases, kept.logs) == ({}, {})
    later = show(watched, looking, NOW + 30 * DAY, jobs=done)
    assert (later.phases, later.logs) == ({}, {})


def test_a_slipping_estimate_does_not_date_the_jobs_status(watched, looking):
    show(watched, looking, jobs=[make_job(estimated_finish_at=NOW)])
    since = show(watched, looking, NOW + MINUTE, jobs=[make_job(estimated_finish_at=NOW + HOUR)]).status_since
    assert since["ftjob-1"] == NOW


def test_a_status_that_was_only_first_seen_is_shown_so_until_its_log_dates_it(watched, looking):
    log = {"ftjob-1": [make_event("Job started.", at=NOW - HOUR)]}
    others = [make_job("ftjob-2", JobStatus.QUEUED), make_job("ftjob-3", JobStatus.PAUSED)]
    first = show(watched, looking, jobs=[make_job(), *others])
    assert (first.status_since["ftjob-1"], first.undated) == (NOW, {"ftjob-1", "ftjob-3"})
    quiet = show(watched, looking, NOW + MINUTE, deployments=[], asked=DEPLOYMENTS)
    assert (quiet.status_since, quiet.undated) == (first.status_since, first.undated)
    again = [make_job(), *others[:1], make_job("ftjob-3")]
    told = show(watched, looking, NOW + 2 * MINUTE, jobs=again, events={**log, "ftjob-3": log["ftjob-1"]})
    assert (told.status_since["ftjob-1"], told.undated) == (NOW - HOUR, {"ftjob-3"})
    assert (
        told.status_since["ftjob-3"] == NOW + 2 * MINUTE
    )  # it ran before its pause; since when it runs now is unknown
    later = show(watched, looking, NOW + 3 * MINUTE, deployments=[], asked=DEPLOYMENTS)
    assert (later.status_since, later.undated) == (told.status_since, told.undated)
    assert remembered_view(later, Cadence()).undated == {"ftjob-3"}
    done = make_job("ftjob-3", JobStatus.SUCCEEDED, finished_at=NOW + 3 * MINUTE)
    ended = show(watched, looking, NOW + 4 * MINUTE, jobs=[make_job(), *others[:1], done])
    assert (ended.status_since["ftjob-3"], ended.undated) == (NOW + 3 * MINUTE, frozenset())


def test_a_log_that_was_read_at_first_sight_dates_what_was_seen_then(watched, looking):
    view = show(watched, looking, jobs=[make_job()], events={"ftjob-1": [make_event("Job started.", at=NOW - HOUR)]})
    assert (view.status_since["ftjob-1"], view.undated) == (NOW - HOUR, frozenset())


def test_a_paused_deployment_is_dated_from_when_it_was_seen_so(watched, looking):
    running, paused = make_deployment(), make_deployment(deployment_state="Paused")
    since_first = show(watched, looking, deployments=[make_deployment("old", deployment_state="Paused"), running])
    assert since_first.deployment_state_since == {make_deployment("old").key: NOW}
    later = show(watched, looking, NOW + HOUR, deployments=[make_deployment("old", deployment_state="Paused"), paused])
    assert later.deployment_state_since[running.key] == NOW + HOUR
    resumed = show(watched, looking, NOW + 2 * HOUR, deployments=[running])
    assert resumed.deployment_state_since[running.key] == NOW + 2 * HOUR


def test_a_checkpoint_without_a_telling_name_is_known_as_custom(watched, looking):
    odd = make_checkpoint(3, id="odd-id", model="odd-name")
    names = [make_deployment(name, model=name) for name in ("odd-id", "odd-name", "gpt-4o")]
    view = show(watched, looking, jobs=[make_job()], training={"ftjob-1": make_training(odd)}, deployments=names)
    assert view.custom_models == {"odd-id", "odd-name"}


def test_it_is_known_so_long_after_its_job_and_after_a_restart(watched, looking):
    odd = make_checkpoint(3, id="odd-id", model="odd-name")
    ended = make_job(status=JobStatus.SUCCEEDED, finished_at=NOW, fine_tuned_model="")
    served = [make_deployment(name, model=name) for name in ("odd-id", "gpt-4o")]
    show(watched, looking, jobs=[make_job()], training={"ftjob-1": make_training(odd)}, deployments=served)
    show(watched, looking, NOW + HOUR, jobs=[ended], training={"ftjob-1": make_training(odd, is_final=True)})
    much_later = NOW + trainings.KEPT_FOR + 2 * DAY
    assert watched.read_now(observations.known, ACCOUNT.key, now=much_later).custom_models == {"odd-id"}
    again = [*served, make_deployment("more", model="gpt-4o-mini")]
    view = show(watched, looking, much_later, jobs=[ended], deployments=again)
    assert (view.training, view.custom_models) == ({}, {"odd-id"})


def test_that_of_a_job_in_the_account_it_comes_from_is_known_too(watched, looking):
    far = make_account("far")
    watched.write_now(scope.save_accounts, [far], is_complete=False, now=NOW - DAY)
    odd = make_checkpoint(3, id="odd-id", model="odd-name")
    show(watched, looking, account=far, jobs=[make_job(account=far)], training={"ftjob-1": make_training(odd)})
    served = [make_deployment("copied", model="odd-name", model_source=far.id)]
    assert show(watched, looking, deployments=served).custom_models == {"odd-name"}
    assert watched.read_now(observations.known, ACCOUNT.key, now=NOW).custom_models is None, "jobs were never read"
    show(watched, looking, NOW + HOUR, jobs=[], deployments=served)
    assert watched.read_now(observations.known, ACCOUNT.key, now=NOW).custom_models == {"odd-name"}


# When metrics are due


def paced(wait):
    return Cadence(metrics=HOUR, metrics_pace=lambda view: wait(view))


def test_metrics_wait_as_long_as_the_account_lets_them(watched, looking):
    show(watched, looking, cadence=paced(lambda view: 7 * HOUR), usage=[make_usage()])
    assert due(watched)[Section.METRICS] == NOW + 7 * HOUR


def test_what_is_new_brings_metrics_forward_and_never_puts_them_off(watched, looking):
    cadence = paced(lambda view: HOUR if view.deployments else 12 * HOUR)
    show(watched, looking, cadence=cadence, deployments=[], usage=[])
    assert due(watched)[Section.METRICS] == NOW + 12 * HOUR
    at = NOW + 10 * MINUTE
    show(watched, looking, at, cadence=cadence, deployments=[make_deployment()], asked=DEPLOYMENTS)
    assert due(watched)[Section.METRICS] == NOW + HOUR
    gone = frozenset({make_deployment().key})
    show(watched, looking, at + MINUTE, cadence=cadence, deployments=[], absent=gone, asked=DEPLOYMENTS)
    assert due(watched)[Section.METRICS] == NOW + HOUR


def test_metrics_that_are_overdue_by_what_is_new_are_due_at_once(watched, looking):
    cadence = paced(lambda view: HOUR if view.deployments else 12 * HOUR)
    show(watched, looking, cadence=cadence, deployments=[], usage=[])
    at = NOW + 5 * HOUR
    show(watched, looking, at, cadence=cadence, deployments=[make_deployment()], asked=DEPLOYMENTS)
    assert due(watched)[Section.METRICS] == at


def test_metrics_that_cannot_be_read_are_not_asked_for_again_each_time_that_something_else_is_read(watched, looking):
    """Their last reading is old by then, and the service that fails was to be left alone for a while."""
    cadence = paced(lambda view: HOUR)
    show(watched, looking, cadence=cadence, deployments=[make_deployment()], usage=[])
    at = NOW + HOUR
    gaps = [make_gap(Section.METRICS, at=at)]
    show(watched, looking, at, cadence=cadence, gaps=gaps, asked=frozenset({Section.METRICS}))
    show(watched, looking, at + MINUTE, cadence=cadence, deployments=[make_deployment()], asked=DEPLOYMENTS)
    assert due(watched)[Section.METRICS] == at + 10 * MINUTE


def test_a_refill_leaves_paced_metrics_alone(watched, looking):
    cadence = paced(lambda view: 12 * HOUR)
    show(watched, looking, cadence=cadence, deployments=[], usage=[])
    watched.write_now(scope.bring_forward, {section: NOW + wait for section, wait in cadence.longest.items()})
    assert due(watched)[Section.METRICS] == NOW + 12 * HOUR
    watched.write_now(scope.bring_forward, {section: NOW + wait for section, wait in Cadence().longest.items()})
    assert due(watched)[Section.METRICS] == NOW + HOUR


@pytest.mark.parametrize("section", list(scope.NEXT_COLUMNS))
@pytest.mark.parametrize("cadence", [HOURLY, paced(lambda view: 12 * HOUR)], ids=["even", "paced"])
def test_what_cannot_be_read_is_tried_again_at_the_pace_of_the_jobs(watched, looking, cadence, section):
    show(watched, looking, cadence=cadence, asked=frozenset({section}), gaps=[make_gap(section)])
    assert due(watched)[section] == NOW + 10 * MINUTE


def test_a_single_item_that_cannot_be_read_hastens_nothing(watched, looking):
    gap = make_gap(Section.MODELS, subject="ft-1")
    show(watched, looking, asked=frozenset({Section.MODELS}), models=Listing(digest="", items=()), gaps=[gap])
    assert due(watched)[Section.MODELS] == NOW + 6 * HOUR


def test_a_delivery_stamped_ahead_of_the_clock_was_told_when_it_was_decided(watched, looking):
    """As in a demo, whose days pass in seconds while its deliveries bear the time of the wall."""
    one = make_deployment()
    show(watched, looking, jobs=[], deployments=[one])
    idle = make_alert("deployment_idle", step="3d", severity=Severity.WARNING)
    idle = replace(idle, account=ACCOUNT.key, finding=replace(idle.finding, subject=deployment_subject(one)))
    put(watched, make_notification(idle, receiver="mail"))
    (delivery,) = claim(watched, receivers=("mail",))
    mark(watched, delivery, state="delivered", at=NOW + 3 * DAY)
    view = show(watched, looking, NOW + HOUR, jobs=[], deployments=[], absent=frozenset({one.key}))
    assert view.told[deployment_subject(one)] == ("mail at 2026-11-18 12:00 UTC (deployment_idle, 3d)",)


def test_of_a_deployment_that_is_gone_it_is_said_who_had_been_told_once_each_and_who_had_not(watched, looking):
    one = make_deployment()
    show(watched, looking, jobs=[], deployments=[one])
    idle = make_alert("deployment_idle", step="3d", severity=Severity.WARNING)
    idle = replace(idle, account=ACCOUNT.key, finding=replace(idle.finding, subject=deployment_subject(one)))
    told = {name: make_notification(idle, receiver=name) for name in ("slack", "mail", "hook", "pager", "fax")}
    put(watched, *told.values(), make_notification(idle, receiver="slack", at=NOW - HOUR))
    merged = make_notification(idle, receiver="slack", at=NOW - HOUR).id
    for delivery in claim(watched, receivers=("mail", "hook", "pager"), at_most=9):
        receiver = delivery.notification.receiver
        state = "delivered" if receiver == "mail" else "dead"
        mark(watched, delivery, state=state, at=NOW + 5 * MINUTE, is_uncertain=receiver == "pager")
    with watched.engine.begin() as tx:
        where = schema.notifications.c.id
        tx.execute(update(schema.notifications).where(where == merged).values(state="merged"))
    view = show(watched, looking, NOW + HOUR, jobs=[], deployments=[], absent=frozenset({one.key}))
    assert sorted(view.told[deployment_subject(one)]) == [
        "mail at 2026-11-22 08:05 UTC (deployment_idle, 3d)",
        "not fax, decided at 2026-11-18 12:00 UTC but not delivered (deployment_idle, 3d)",
        "not hook, decided at 2026-11-18 12:00 UTC but not delivered (deployment_idle, 3d)",
        "not slack, decided at 2026-11-18 12:00 UTC but not delivered (deployment_idle, 3d)",
        "perhaps pager, decided at 2026-11-18 12:00 UTC but not delivered (deployment_idle, 3d)",
    ]
