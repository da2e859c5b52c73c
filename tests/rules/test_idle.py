from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.factories import (
    ACCOUNT,
    DAY,
    HOUR,
    MINUTE,
    NOW,
    SECOND,
    make_account,
    make_deployment,
    make_end,
    make_gap,
    make_reading,
    make_usage,
    make_view,
)
from tests.rules.ask import ask, cleared, found, the_doubt, the_finding, verdict
from watcher.costs.prices import OwnPrice, Terms
from watcher.resources.changes import Change
from watcher.resources.deployment import ProvisioningState
from watcher.resources.snapshot import GapReason, Section
from watcher.rules.finding import FindingKind, Severity
from watcher.rules.idle import DeploymentIdle
from watcher.rules.idle_clock import idle_clock

RULE = DeploymentIdle()
STEPS = ["7d", "3d", "1d", "6h", "overdue"]


def idle_view(*, left=2 * DAY, now=NOW, **changes):
    """A deployment whose last call lies so far back that `left` remains."""
    called = now + left - 15 * DAY
    of_view = ("usage", "gaps", "at", "account", "deployment_state_since")
    of_deployment = {key: changes.pop(key) for key in list(changes) if key not in of_view}
    usage = changes.pop("usage", {"last_success_at": called})
    return make_view(
        now=now,
        deployments=[make_deployment(**{"created_at": now - 60 * DAY, **of_deployment})],
        usage=[make_usage(**{"read_from": now - 40 * DAY, "read_to": now, **usage})] if usage is not None else [],
        **changes,
    )


@pytest.mark.parametrize(
    ("left", "step", "severity"),
    [
        (7 * DAY + SECOND, None, None),
        (7 * DAY, "7d", Severity.INFO),
        (3 * DAY + SECOND, "7d", Severity.INFO),
        (3 * DAY, "3d", Severity.WARNING),
        (DAY + SECOND, "3d", Severity.WARNING),
        (DAY, "1d", Severity.CRITICAL),
        (6 * HOUR + SECOND, "1d", Severity.CRITICAL),
        (6 * HOUR, "6h", Severity.CRITICAL),
        (timedelta(), "6h", Severity.CRITICAL),
        (-SECOND, "6h", Severity.CRITICAL),
        (-HOUR, "6h", Severity.CRITICAL),
        (-HOUR - SECOND, "overdue", Severity.CRITICAL),
        (-9 * DAY, "overdue", Severity.CRITICAL),
    ],
)
def test_steps_and_severity_by_time_left(left, step, severity):
    findings = found(RULE, idle_view(left=left))

    assert [(f.step, f.severity) for f in findings] == ([] if step is None else [(step, severity)])


@pytest.mark.parametrize(
    ("view", "expected"),
    [
        pytest.param(make_view(), "none", id="empty account"),
        pytest.param(make_view(deployments=None), "undecided", id="deployments never read"),
        pytest.param(idle_view(), "found", id="idle"),
        pytest.param(idle_view(model="gpt-4o-mini"), "none", id="base model"),
        pytest.param(idle_view(sku="DeveloperTier"), "none", id="Developer"),
        pytest.param(idle_view(sku="developer"), "none", id="developer, spelt otherwise"),
        pytest.param(idle_view(provisioning_state=ProvisioningState.DELETING), "none", id="being deleted"),
        pytest.param(idle_view(provisioning_state=ProvisioningState.FAILED), "none", id="failed"),
        pytest.param(idle_view(provisioning_state=ProvisioningState.UNKNOWN), "found", id="unknown state"),
        pytest.param(idle_view(usage=None), "undecided", id="metrics without this deployment"),
        pytest.param(idle_view(gaps=[make_gap(Section.METRICS)]), "undecided", id="metrics gap"),
        pytest.param(
            idle_view(gaps=[make_gap(Section.METRICS, subject="support-bot")]), "undecided", id="its own metrics gap"
        ),
        pytest.param(idle_view(gaps=[make_gap(Section.METRICS, subject="other")]), "found", id="another's metrics gap"),
        pytest.param(idle_view(gaps=[make_gap(Section.DEPLOYMENTS)]), "undecided", id="deployments gap"),
        pytest.param(
            idle_view(
                gaps=[make_gap(Section.DEPLOYMENTS, GapReason.ROLE, subject=f"{ACCOUNT.id}/deployments/support-bot")]
            ),
            "undecided",
            id="its own address refused",
        ),
        pytest.param(idle_view(gaps=[make_gap(Section.JOBS)]), "found", id="jobs gap"),
        pytest.param(
            idle_view(left=9 * DAY, gaps=[make_gap(Section.METRICS)]), "none", id="gap, but far from any step"
        ),
        pytest.param(
            idle_view(created_at=NOW - 5 * DAY, usage=None), "none", id="too young to be in danger, whatever its calls"
        ),
        pytest.param(
            idle_view(usage={"last_success_at": NOW - 13 * DAY, "read_to": NOW - 4 * HOUR}), "found", id="a bucket late"
        ),
        pytest.param(
            idle_view(usage={"last_success_at": NOW - 13 * DAY, "read_to": NOW - 4 * HOUR - SECOND}),
            "undecided",
            id="stale metrics",
        ),
        pytest.param(
            idle_view(created_at=None, usage={"last_success_at": None}), "undecided", id="no creation and no call"
        ),
        pytest.param(idle_view(created_at=None), "found", id="no creation, but a call"),
    ],
)
def test_verdicts(view, expected):
    assert verdict(RULE, view) == expected


def test_a_finding_counts_from_the_last_call():
    called = NOW - 12 * DAY
    view = idle_view(usage={"last_success_at": called, "last_failure_at": called + 5 * HOUR})
    finding = the_finding(RULE, view)

    assert finding.kind is FindingKind.CONDITION
    assert finding.summary == (
        "Deployment support-bot in contoso-ft may be deleted from 2026-11-25 08:00 UTC unless it is called"
    )
    assert finding.values == {
        "idle_since": "2026-11-10T08:00:00Z",
        "deletion_earliest": "2026-11-25T08:00:00Z",
        "deletion_latest": "2026-11-25T14:00:00Z",  # the failed call's hour ends at 14:00
        "hosting_per_hour": 1.70,
        "idle_cost": 489.6,
        "cost_until_deletion": 122.4,
        "currency": "USD",
        "owner_source": "the account",
    }
    assert "whether such a call counts is not documented" in finding.evidence
    assert "last successful call in the hour from 2026-11-10 08:00 UTC" in finding.evidence
    assert finding.links == {
        "portal": f"https://portal.azure.com/#@/resource{ACCOUNT.id}/deployments/support-bot/overview"
    }


def test_a_finding_counts_from_creation_where_nobody_called():
    created = NOW - 14 * DAY
    finding = the_finding(RULE, idle_view(created_at=created, usage={"last_success_at": None}))

    assert finding.values["deletion_earliest"] == "2026-11-23T08:00:00Z"
    assert finding.values["deletion_latest"] == "2026-11-23T08:00:00Z"
    assert "no successful call after that hour in the metrics read" in finding.evidence


def test_calls_of_an_earlier_life_of_the_name_do_not_count():
    view = idle_view(created_at=NOW - 9 * DAY, usage={"last_success_at": NOW - 14 * DAY})

    assert the_finding(RULE, view).values["deletion_earliest"] == "2026-11-28T08:00:00Z"


def test_the_action_is_a_real_call():
    action = the_finding(RULE, idle_view()).action

    assert "https://contoso-ft.openai.azure.com/openai/deployments/support-bot/chat/completions?api-version=" in action
    token = "az account get-access-token --resource https://cognitiveservices.azure.com --query accessToken -o tsv"
    assert f'"Authorization: Bearer $({token})"' in action
    assert "costs a few tokens" in action
    assert (
        "az cognitiveservices account deployment delete -g rg-ml -n contoso-ft --deployment-name support-bot "
        "--subscription sub-1" in action
    )


class TestOnLastEvidence:
    """An alert that fires goes on counting down while nothing can be read."""

    def test_carries_the_finding(self):
        doubt = the_doubt(RULE, idle_view(gaps=[make_gap(Section.METRICS, GapReason.THROTTLED)]))

        assert doubt.on_last_evidence is not None
        assert doubt.on_last_evidence.step == "3d"
        assert doubt.because == "the metrics could not be read: Azure throttles the requests"
        assert doubt.since == NOW

    def test_has_none_where_nothing_was_ever_read(self):
        assert the_doubt(RULE, idle_view(usage=None)).on_last_evidence is None

    def test_goes_on_down_the_steps(self):
        view = idle_view(left=5 * HOUR, gaps=[make_gap(Section.METRICS)])

        assert the_doubt(RULE, view).on_last_evidence.step == "6h"


class TestCallsBeforeTheMetricsRead:
    """Created before the metrics begin, and no call in them: the last call may lie before."""

    def view(self, *, created=40 * DAY, read=10 * DAY, **usage):
        return idle_view(created_at=NOW - created, usage={"read_from": NOW - read, "last_success_at": None, **usage})

    def test_may_be_deleted_at_any_moment_until_the_later_bound(self):
        finding = the_finding(RULE, self.view())

        assert finding.summary.startswith(
            "Deployment support-bot in contoso-ft may be deleted at any moment, at the latest"
        )
        assert finding.values["deletion_latest"] == "2026-11-27T08:00:00Z"
        assert finding.step == "6h"
        assert finding.severity is Severity.WARNING  # not woken for what may as well be five days away
        assert "cannot be ruled out" in finding.evidence
        assert "at least 408.00 USD" in finding.description

    def test_is_critical_when_the_later_bound_is_near(self):
        assert the_finding(RULE, self.view(read=14 * DAY)).severity is Severity.CRITICAL

    def test_is_overdue_past_the_later_bound(self):
        finding = the_finding(RULE, self.view(read=16 * DAY))

        assert finding.step == "overdue"
        assert finding.summary == (
            "Deployment support-bot in contoso-ft is overdue for deletion since 2026-11-21 08:00 UTC, and still stands"
        )

    def test_counts_from_creation_while_that_is_the_sooner_bound(self):
        finding = the_finding(RULE, self.view(created=12 * DAY))

        assert finding.values["deletion_earliest"] == "2026-11-25T08:00:00Z"

    def test_says_the_same_at_the_next_poll(self):
        view = self.view()
        later = replace(view, now=NOW + HOUR)

        assert (
            the_finding(RULE, later).values["deletion_earliest"] == the_finding(RULE, view).values["deletion_earliest"]
        )


class TestUncertainRule:
    @pytest.mark.parametrize("sku", ["ProvisionedManaged", "globalprovisionedmanaged"])
    def test_provisioned_is_capped_and_marked(self, sku):
        finding = the_finding(RULE, idle_view(left=HOUR, sku=sku))

        assert finding.severity is Severity.WARNING
        assert finding.summary.endswith("(rule uncertain)")
        assert finding.values["hosting_per_hour"] is None
        assert finding.values["idle_cost"] is None

    def test_paused_is_capped_and_marked(self):
        finding = the_finding(RULE, idle_view(left=HOUR, deployment_state="Paused"))

        assert finding.severity is Severity.WARNING
        assert "rule uncertain" in finding.summary
        assert "assumed" in finding.description
        resume = f"{ACCOUNT.id}/deployments/support-bot/resume?api-version=2025-10-01-preview"
        assert f"resume it first.\naz rest --method post --url '{resume}'\n" in finding.action

    def test_an_unknown_sku_is_treated_as_standard_and_marked(self):
        finding = the_finding(RULE, idle_view(left=HOUR, sku="Quantum"))

        assert finding.severity is Severity.CRITICAL
        assert "rule uncertain" in finding.summary
        assert finding.values["hosting_per_hour"] is None  # what such a SKU costs is not documented


class TestLatest:
    """What is not known puts the latest time off, never the earliest, and the evidence says what that is."""

    def idle(self, usage=None, state_since=None, **changes):
        usage = {"last_success_at": NOW - 13 * DAY, **(usage or {})}
        since = {make_deployment().key: state_since} if state_since else {}
        finding = the_finding(RULE, idle_view(usage=usage, deployment_state_since=since, **changes))
        assert finding.values["deletion_earliest"] == "2026-11-24T08:00:00Z"
        return finding.values["deletion_latest"], finding.evidence

    def test_is_the_end_of_the_last_calls_hour(self):
        latest, evidence = self.idle()

        assert latest == "2026-11-24T09:00:00Z"
        assert "the latest time" not in evidence

    def test_counts_failed_calls(self):
        latest, evidence = self.idle({"last_failure_at": NOW - 12 * DAY})

        assert latest == "2026-11-25T09:00:00Z"
        assert "refused or failed call in the hour from 2026-11-10 08:00 UTC" in evidence

    def test_counts_calls_that_may_be_its_own(self):
        latest, evidence = self.idle({"last_unclear_at": NOW - 2 * DAY})

        assert latest == "2026-12-05T09:00:00Z"
        assert "calls in the hour from 2026-11-20 08:00 UTC that may be its own" in evidence

    def test_counts_an_edit(self):
        latest, evidence = self.idle(modified_at=NOW - 5 * DAY)

        assert latest == "2026-12-02T08:00:00Z"
        assert "the edit of 2026-11-17 08:00 UTC: whether an edit starts the clock anew is not documented" in evidence

    def test_passes_over_an_edit_before_the_last_call(self):
        latest, evidence = self.idle(modified_at=NOW - 14 * DAY)

        assert latest == "2026-11-24T09:00:00Z"
        assert "edit" not in evidence

    def test_counts_from_the_end_of_a_pause(self):
        latest, evidence = self.idle(state_since=NOW - 3 * DAY)

        assert latest == "2026-12-04T08:00:00Z"
        assert "seen running again after a pause" in evidence

    def test_is_not_named_while_it_is_paused(self):
        latest, evidence = self.idle(deployment_state="Paused", state_since=NOW - 3 * DAY)

        assert latest is None
        assert "no latest time is named: it is paused" in evidence

    def test_says_which_calls_azure_names(self):
        _, evidence = self.idle()

        assert "every answered call counts here, though Azure names some kinds of call alone" in evidence


class TestLifetimes:
    RULE = DeploymentIdle(lifetimes={"Provisioned*": None, "global*": 20 * DAY, "globalstandard": 5 * DAY})

    def test_a_sku_that_is_never_deleted_is_left_alone_and_says_so(self):
        (clear,) = ask(self.RULE, idle_view(left=HOUR, sku="ProvisionedManaged"))

        assert clear.because == "deployments of SKU ProvisionedManaged are not deleted for idleness, as configured"

    def test_the_first_that_fits_counts(self):
        view = idle_view(left=-3 * DAY, sku="GlobalStandard")  # called 18 d ago

        assert the_finding(self.RULE, view).values["deletion_earliest"] == "2026-11-24T08:00:00Z"
        assert "nobody has called for 20 d" in the_finding(self.RULE, view).description

    def test_any_other_has_the_common_one(self):
        finding = the_finding(self.RULE, idle_view(left=3 * DAY, sku="DataZoneStandard"))

        assert finding.values["deletion_earliest"] == "2026-11-25T08:00:00Z"

    def test_a_developer_deployment_goes_idle_only_where_it_is_named(self):
        view = idle_view(left=HOUR, sku="DeveloperTier")

        assert not found(RULE, view)
        assert found(DeploymentIdle(lifetimes={"developer*": 15 * DAY}), view)


def test_one_that_is_overdue_is_to_be_verified():
    finding = the_finding(RULE, idle_view(left=-27 * HOUR))

    assert finding.severity is Severity.CRITICAL
    assert "is overdue for deletion since 2026-11-21 06:00 UTC, and still stands" in finding.summary
    assert finding.description.startswith("By all that is known it should be gone by now.")
    assert finding.action.startswith("Check that it still exists:\naz cognitiveservices account deployment show")
    assert "Check that" not in the_finding(RULE, idle_view(left=HOUR)).action


@pytest.mark.parametrize(
    ("left", "words"),
    [
        (-27 * HOUR, "was to be deleted by 2026-11-21 06:00 UTC"),
        (-30 * MINUTE, "may have been deleted since 2026-11-22 07:30 UTC"),
    ],
)
def test_past_the_deadline_nothing_is_claimed_of_one_that_cannot_be_read(left, words):
    view = idle_view(left=left, gaps=[make_gap(Section.DEPLOYMENTS)])
    view = replace(view, reading=replace(view.reading, deployments_at=NOW - HOUR))
    last = the_doubt(RULE, view).on_last_evidence

    assert last.summary == (
        f"Deployment support-bot in contoso-ft {words}; whether it still stands is not known since 2026-11-22 07:00 UTC"
    )
    assert not last.description.startswith("By all that is known")


def test_past_the_deadline_it_may_go_at_any_moment_then_is_overdue():
    between = the_finding(RULE, idle_view(left=-30 * MINUTE))
    past = the_finding(RULE, idle_view(left=-2 * HOUR))

    assert (between.step, between.severity) == ("6h", Severity.CRITICAL)
    assert "may be deleted at any moment, at the latest 2026-11-22 08:30 UTC" in between.summary
    assert "Check that" not in between.action
    assert past.step == "overdue"
    assert "overdue for deletion since 2026-11-22 07:00 UTC, and still stands" in past.summary


def test_clears_with_the_time_of_the_call():
    (clear,) = cleared(RULE, idle_view(left=15 * DAY))

    assert clear.because == "called again: last successful call in the hour from 2026-11-22 08:00 UTC"


@pytest.mark.parametrize(
    ("change", "because"),
    [(Change.GONE, "the deployment is gone"), (Change.REPLACED, "the deployment was replaced")],
)
def test_clears_the_life_that_ended(change, because):
    old = make_deployment()
    (clear,) = cleared(RULE, make_view(transitions=[make_end(old, change)], ended=[old]))

    assert clear.because.startswith(because)
    assert clear.subject.incarnation == old.incarnation


def test_labels_name_the_owner_of_the_deployment_before_that_of_the_account():
    account = make_account(labels={"owner": "platform", "environment": "production"})
    untagged = the_finding(RULE, idle_view(account=account)).labels
    tagged = the_finding(RULE, idle_view(account=account, tags={"Owner": "chat-team"})).labels

    assert untagged["owner"] == "platform"
    assert tagged["owner"] == "chat-team"
    assert tagged == untagged | {"owner": "chat-team"}
    assert untagged == {
        "environment": "production",
        "cloud": "public",
        "account": "contoso-ft",
        "subscription": "sub-1",
        "resource_group": "rg-ml",
        "location": "swedencentral",
        "owner": "platform",
        "deployment": "support-bot",
        "model": make_deployment().model,
        "sku": "Standard",
    }


def test_steps_and_price_follow_the_options():
    rule = DeploymentIdle(warn_before=(12 * HOUR,), lifetime=10 * DAY, pricing=Terms(currency="EUR"))
    view = idle_view(usage={"last_success_at": NOW - 10 * DAY + 12 * HOUR})
    finding = the_finding(rule, view)

    assert finding.step == "12h"
    assert finding.values["idle_cost"] is None
    assert not found(rule, idle_view(usage={"last_success_at": NOW - 9 * DAY}))


@pytest.mark.parametrize(
    ("prices", "discount", "hourly"),
    [
        pytest.param((), 0, 1.70, id="the documented example"),
        pytest.param((("*.ft-*", "standard", 2.0),), 0, 2.0, id="an own price"),
        pytest.param(
            (("*", "globalstandard", 9.0), ("*", "*", 3.0), ("*", "*", 4.0)), 0, 3.0, id="the first that fits"
        ),
        pytest.param((("o4-*", "*", 9.0),), 50, 0.85, id="a discount on the documented one"),
    ],
)
def test_an_own_price_goes_before_the_documented_one_and_a_discount_off_both(prices, discount, hourly):
    table = tuple(OwnPrice(model=m, sku=s, hosting_per_hour=Decimal(str(fee))) for m, s, fee in prices)
    rule = DeploymentIdle(pricing=Terms(table=table, discount_percent=Decimal(discount)))
    finding = the_finding(rule, idle_view(usage={"last_success_at": NOW - 12 * DAY}))
    assert finding.values["hosting_per_hour"] == hourly
    assert finding.values["idle_cost"] == round(hourly * 288, 2)
    assert ("configured list price" in finding.description) is (hourly in (2.0, 3.0))


def ages(limit=60):
    """Up to `limit` days."""
    return st.integers(min_value=0, max_value=limit * 24 * 60).map(lambda minutes: timedelta(minutes=minutes))


@st.composite
def idle_views(draw, gaps=()):
    created = draw(st.none() | ages().map(lambda age: NOW - age))
    read_from = NOW - draw(ages())
    calls = st.none() | ages().map(lambda age: max(NOW - age, read_from))
    return make_view(
        deployments=[
            make_deployment(
                created_at=created,
                incarnation="life",
                sku=draw(st.sampled_from(["Standard", "ProvisionedManaged", "Quantum"])),
                deployment_state=draw(st.sampled_from(["Running", "Paused", ""])),
                modified_at=draw(st.none() | ages().map(lambda age: NOW - age)),
            )
        ],
        deployment_state_since=draw(
            st.just({}) | ages().map(lambda age: {make_deployment().key: NOW - age}),
        ),
        usage=[
            make_usage(
                read_from=read_from,
                last_success_at=draw(calls),
                last_failure_at=draw(calls),
                last_unclear_at=draw(calls),
            )
        ],
        gaps=gaps,
    )


@settings(deadline=None)
@given(idle_views())
def test_never_claims_a_deletion_before_fifteen_days_of_life_or_after_the_last_call(view):
    (deployment,), (usage,) = view.deployments, view.reading.usage.values()
    for finding in found(RULE, view):
        earliest = finding.values["deletion_earliest"]
        for start in (deployment.created_at, usage.last_success_at):
            assert start is None or earliest >= f"{start + 15 * DAY:%Y-%m-%dT%H:%M:%SZ}"
        latest = finding.values["deletion_latest"]
        assert latest is None or latest >= earliest


@settings(deadline=None)
@given(idle_views(), st.sampled_from([Section.METRICS, Section.DEPLOYMENTS]), st.sampled_from(list(GapReason)))
def test_never_fires_and_never_resolves_in_danger_when_something_was_not_read(view, section, reason):
    blind = replace(view, reading=replace(view.reading, gaps=(make_gap(section, reason),)))

    assert not found(RULE, blind)
    if found(RULE, view):
        last, finding = the_doubt(RULE, blind).on_last_evidence, the_finding(RULE, view)
        if section is Section.DEPLOYMENTS and finding.values["deletion_earliest"] <= f"{NOW:%Y-%m-%dT%H:%M:%SZ}":
            # Past its deadline it may be gone, and nobody has looked.
            assert "whether it still stands is not known" in last.summary
            assert "still stands" not in last.description
            finding = replace(finding, summary=last.summary, description=last.description)
        assert last == finding


@settings(deadline=None)
@given(idle_views(), st.lists(ages(20), min_size=2, max_size=2))
def test_steps_only_ever_come_nearer(view, waits):
    rule = DeploymentIdle(stale_after=timedelta(days=1000))
    steps = []
    for wait in sorted(waits):
        answers = found(rule, replace(view, now=NOW + wait))
        steps.append(STEPS.index(answers[0].step) if answers else -1)

    assert steps == sorted(steps)


@settings(deadline=None)
@given(idle_views())
def test_says_at_most_one_thing_of_a_deployment(view):
    assert len(ask(RULE, view)) <= 1


def test_a_view_without_usage_at_all_is_undecided():
    reading = make_reading(deployments=[make_deployment()], usage=None)

    assert the_doubt(RULE, make_view(reading=reading)).because == "the metrics have not been read yet"


@settings(deadline=None)
@given(idle_views(), ages(30), st.sets(st.sampled_from(["last_success_at", "last_failure_at", "last_unclear_at"])))
def test_a_new_life_of_a_name_inherits_no_call_of_the_former(view, age, kinds):
    """Metrics know names only: whatever was called before its creation, its clock is that of its own calls."""
    (deployment,), (usage,) = view.deployments, view.reading.usage.values()
    created = NOW - age
    bucket = timedelta(seconds=usage.bucket_seconds)
    calls = ("last_success_at", "last_failure_at", "last_unclear_at")
    own = {kind: at for kind in calls if (at := getattr(usage, kind)) is not None and at + bucket > created}
    alone = replace(usage, **{kind: own.get(kind) for kind in calls}, read_from=created)
    former = {kind: created - bucket for kind in kinds if kind not in own}
    again = replace(deployment, created_at=created)

    assert idle_clock(again, replace(alone, **former)) == idle_clock(again, alone)


@settings(deadline=None)
@given(idle_views(), ages(30))
def test_no_doubt_ever_moves_the_earliest_time_or_brings_the_latest_forward(view, age):
    (deployment,), (usage,) = view.deployments, view.reading.usage.values()
    plain_usage = replace(usage, last_failure_at=None, last_unclear_at=None)
    plain = idle_clock(replace(deployment, modified_at=None, deployment_state="Running"), plain_usage)
    doubtful = idle_clock(deployment, usage, running_since=NOW - age)

    assert (plain is None) == (doubtful is None)
    if plain is not None:
        assert doubtful.deletion_earliest == plain.deletion_earliest
        assert doubtful.idle_since == plain.idle_since
        assert doubtful.deletion_latest is None or doubtful.deletion_latest >= plain.deletion_latest
        # Whatever puts the latest time off is said.
        assert bool(doubtful.doubts) == (doubtful.deletion_latest != plain.deletion_latest)
