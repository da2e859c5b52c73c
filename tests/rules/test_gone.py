from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.factories import (
    ACCOUNT,
    DAY,
    HOUR,
    MINUTE,
    MODEL,
    NOW,
    SECOND,
    make_account,
    make_deployment,
    make_end,
    make_gap,
    make_usage,
    make_view,
)
from tests.rules.ask import ask, cleared, doubts, found, the_doubt, the_finding
from watcher.resources.account import GONE as ACCOUNT_GONE
from watcher.resources.changes import Change
from watcher.resources.departure import Departure
from watcher.resources.snapshot import GapReason, Section
from watcher.rules.deployments import DeploymentExpiring
from watcher.rules.finding import FindingKind, Severity
from watcher.rules.gone import DeploymentGone
from watcher.rules.idle import DeploymentIdle
from watcher.rules.rule import deployment_subject

GONE = DeploymentGone()
SILENT = Departure(is_read=True, read_from=NOW - HOUR)
UNREAD = Departure(is_read=False, because="the role Monitoring Reader is missing")
BY_SOMEBODY = replace(SILENT, deleted_by="dev@contoso.com", deleted_at=NOW - 9 * MINUTE, correlation_id="c-1")
BY_APPLICATION = replace(BY_SOMEBODY, deleted_by="0b5a1e0c-7d3f-4c55-9d53-0a9d1b0f6a11")
BY_NOBODY = replace(BY_SOMEBODY, deleted_by="")
BY_AZURE = replace(BY_SOMEBODY, deleted_by="Microsoft.CognitiveServices")
CALLED_YESTERDAY = {"last_success_at": NOW - DAY}
CALLED_LONG_AGO = {"last_success_at": NOW - 15 * DAY}
DEVELOPER = {"sku": "DeveloperTier"}


def gone_view(
    *, usage=None, log=SILENT, change=Change.GONE, told=(), transition=None, account=ACCOUNT, of_view=None, **changes
):
    """A deployment that a poll has just seen to be gone; looked at for good, unless `of_view` says otherwise."""
    old = make_deployment(account=account, **changes)
    return make_view(
        account=account,
        transitions=[make_end(old, change, **(transition or {}))],
        ended=[old],
        usage=[make_usage(**usage)] if usage is not None else [],
        departures={} if log is None else {old.key: log},
        told={deployment_subject(old): tuple(told)} if told else {},
        **{"is_single_pass": True, **(of_view or {})},
    )


@pytest.mark.parametrize(
    ("view", "expected"),
    [
        pytest.param(make_view(), [], id="nothing changed"),
        pytest.param(gone_view(change=Change.REPLACED), [], id="replaced"),
        pytest.param(gone_view(transition={"is_history": True}), [], id="first sight"),
        pytest.param(gone_view(model="gpt-4o-mini"), [], id="base model"),
        pytest.param(gone_view(usage={}), [("idle", Severity.WARNING)], id="idle since before the metrics"),
        pytest.param(gone_view(usage=CALLED_LONG_AGO), [("idle", Severity.WARNING)], id="just idle enough"),
        pytest.param(
            gone_view(usage=CALLED_LONG_AGO, log=UNREAD), [("idle", Severity.WARNING)], id="idle, and the log unread"
        ),
        pytest.param(
            gone_view(usage=CALLED_LONG_AGO, log=BY_AZURE), [("idle", Severity.WARNING)], id="idle, and Azure named"
        ),
        pytest.param(
            gone_view(usage=CALLED_LONG_AGO, log=BY_SOMEBODY),
            [("deleted", Severity.INFO)],
            id="idle, but somebody is named",
        ),
        pytest.param(
            gone_view(usage={"last_success_at": NOW - 15 * DAY + HOUR}),
            [("unexplained", Severity.CRITICAL)],
            id="an hour short of it",
        ),
        pytest.param(
            gone_view(usage=CALLED_YESTERDAY), [("unexplained", Severity.CRITICAL)], id="called yesterday, log silent"
        ),
        pytest.param(
            gone_view(usage=CALLED_YESTERDAY, log=UNREAD), [("not_readable", Severity.WARNING)], id="log unread"
        ),
        pytest.param(
            gone_view(usage=CALLED_YESTERDAY, log=None), [("not_readable", Severity.WARNING)], id="log not asked"
        ),
        pytest.param(
            gone_view(usage=CALLED_YESTERDAY, log=BY_SOMEBODY), [("deleted", Severity.INFO)], id="somebody is named"
        ),
        pytest.param(
            gone_view(usage=CALLED_YESTERDAY, log=BY_NOBODY),
            [("deleted", Severity.WARNING)],
            id="a deletion by nobody named",
        ),
        pytest.param(
            gone_view(usage=CALLED_LONG_AGO, log=BY_NOBODY),
            [("idle", Severity.WARNING)],
            id="idle, and nobody is named",
        ),
        pytest.param(
            gone_view(usage=CALLED_YESTERDAY, log=BY_APPLICATION),
            [("deleted", Severity.INFO)],
            id="an application, and no clock says why",
        ),
        pytest.param(
            gone_view(usage=CALLED_LONG_AGO, log=BY_APPLICATION),
            [("idle", Severity.WARNING)],
            id="idle, and an application is named, which may be Azure's own",
        ),
        pytest.param(
            gone_view(log=BY_APPLICATION), [("deleted", Severity.WARNING)], id="calls unknown, and an application named"
        ),
        pytest.param(gone_view(log=BY_SOMEBODY), [("deleted", Severity.INFO)], id="calls unknown, and a person named"),
        pytest.param(
            gone_view(**DEVELOPER, created_at=NOW - 24 * HOUR, log=BY_APPLICATION),
            [("developer_expiry", Severity.INFO)],
            id="Developer, and an application named",
        ),
        pytest.param(
            gone_view(usage=CALLED_YESTERDAY, log=BY_AZURE),
            [("unexplained", Severity.CRITICAL)],
            id="Azure did it, and no clock says why",
        ),
        pytest.param(
            gone_view(usage=CALLED_YESTERDAY, log=BY_SOMEBODY, created_at=NOW - 5 * MINUTE),
            [("unexplained", Severity.CRITICAL)],
            id="the log tells of an earlier life",
        ),
        pytest.param(gone_view(), [("not_readable", Severity.WARNING)], id="calls unknown"),
        pytest.param(gone_view(log=BY_AZURE), [("idle", Severity.WARNING)], id="calls unknown, and Azure named"),
        pytest.param(
            gone_view(usage={**CALLED_LONG_AGO, "read_to": NOW - DAY}),
            [("idle", Severity.WARNING)],
            id="calls known to a day before it was due",
        ),
        pytest.param(
            gone_view(usage={**CALLED_LONG_AGO, "read_to": NOW - 25 * HOUR}),
            [("not_readable", Severity.WARNING)],
            id="calls unknown for more than its last day",
        ),
        pytest.param(
            gone_view(created_at=NOW - 14 * DAY),
            [("unexplained", Severity.CRITICAL)],
            id="too young, whatever its calls",
        ),
        pytest.param(gone_view(created_at=None), [("not_readable", Severity.WARNING)], id="nothing known"),
        pytest.param(
            gone_view(**DEVELOPER, created_at=NOW - 24 * HOUR),
            [("developer_expiry", Severity.INFO)],
            id="Developer, at 24 h",
        ),
        pytest.param(
            gone_view(**DEVELOPER, created_at=NOW - 24 * HOUR, log=BY_AZURE),
            [("developer_expiry", Severity.INFO)],
            id="Developer, and Azure named",
        ),
        pytest.param(
            gone_view(**DEVELOPER, created_at=NOW - 24 * HOUR, log=BY_SOMEBODY),
            [("deleted", Severity.INFO)],
            id="Developer, but somebody is named",
        ),
        pytest.param(
            gone_view(**DEVELOPER, created_at=NOW - 23 * HOUR),
            [("unexplained", Severity.CRITICAL)],
            id="Developer, too soon",
        ),
        pytest.param(
            gone_view(**DEVELOPER, created_at=None), [("not_readable", Severity.WARNING)], id="Developer of unknown age"
        ),
    ],
)
def test_gone_with_its_likely_cause(view, expected):
    assert [(f.labels["cause"], f.severity) for f in ask(GONE, view)] == expected


def test_lifetimes_by_sku_hold_for_the_cause_too():
    rule = DeploymentGone(idle_lifetimes={"provisioned*": None}, expiry_lifetimes={"batch*": timedelta(hours=2)})
    provisioned = gone_view(usage=CALLED_LONG_AGO, sku="ProvisionedManaged")
    batch = gone_view(usage=CALLED_YESTERDAY, sku="BatchThing", created_at=NOW - 3 * HOUR)

    assert the_finding(rule, provisioned).labels["cause"] == "unexplained"
    assert "as configured, deployments of SKU ProvisionedManaged" in the_finding(rule, provisioned).description
    assert the_finding(rule, batch).summary.endswith("its 2 h as a BatchThing deployment were over")


class TestTheLogComesLate:
    """A first look that finds nothing is put off to the next reading of the deployments."""

    def view(self, *, now=NOW, read_at=None, log=SILENT, usage=CALLED_YESTERDAY, **of_view):
        view = gone_view(usage=usage, log=log, of_view={"is_single_pass": False, **of_view})
        return replace(view, now=now, reading=replace(view.reading, deployments_at=read_at or NOW))

    def test_the_first_look_is_undecided(self):
        doubt = the_doubt(GONE, self.view())

        assert doubt.subject == deployment_subject(make_deployment())
        assert "the activity log names no cause yet and is asked again" in doubt.because

    def test_a_poll_that_reads_no_deployments_decides_nothing(self):
        assert doubts(GONE, self.view(now=NOW + MINUTE))

    @pytest.mark.parametrize(
        ("log", "cause"), [(SILENT, "unexplained"), (BY_SOMEBODY, "deleted"), (UNREAD, "not_readable")]
    )
    def test_the_next_reading_decides(self, log, cause):
        later = NOW + 10 * MINUTE

        assert the_finding(GONE, self.view(now=later, read_at=later, log=log)).labels["cause"] == cause

    @pytest.mark.parametrize(
        ("every", "after", "is_last"),
        [
            pytest.param(10 * MINUTE, 5 * SECOND, False, id="seconds later"),
            pytest.param(10 * MINUTE, 10 * MINUTE, False, id="at the next reading"),
            pytest.param(10 * MINUTE, 20 * MINUTE, True, id="twenty minutes later"),
            pytest.param(2 * HOUR, 19 * MINUTE, False, id="soon, of a seldom reading"),
            pytest.param(2 * HOUR, 2 * HOUR, True, id="the next of a seldom reading"),
            pytest.param(SECOND, SECOND, False, id="the next of a hasty reading"),
            pytest.param(SECOND, 2 * SECOND, True, id="two hasty readings later"),
        ],
    )
    def test_a_silent_log_has_had_time_to_speak(self, every, after, is_last):
        view = self.view(now=NOW + after, read_at=NOW + after, cadence={Section.DEPLOYMENTS: every})

        assert bool(found(GONE, view)) is is_last
        assert bool(doubts(GONE, view)) is not is_last

    def test_a_log_that_cannot_be_asked_again_is_not_waited_for_for_ever(self):
        cadence = {Section.DEPLOYMENTS: 10 * MINUTE}

        assert doubts(GONE, self.view(now=NOW + 59 * MINUTE, read_at=NOW + MINUTE, cadence=cadence))
        assert found(GONE, self.view(now=NOW + HOUR, read_at=NOW + MINUTE, cadence=cadence))

    def test_it_stays_found_late(self):
        at = NOW + 20 * MINUTE
        log = replace(SILENT, stood_at=NOW - 2 * DAY)
        before = {"cadence": {Section.DEPLOYMENTS: 10 * MINUTE}, "previous_at": {Section.DEPLOYMENTS: NOW}}
        finding = the_finding(GONE, self.view(now=at, read_at=at, log=log, **before))

        late = "found late: the deployments were not read between 2026-11-20 08:00 UTC and 2026-11-22 08:00 UTC"
        assert late in finding.evidence

    def test_it_is_not_put_off_for_ever(self):
        assert doubts(GONE, self.view(now=NOW + HOUR - MINUTE))
        assert found(GONE, self.view(now=NOW + HOUR))

    def test_a_slow_cadence_is_waited_for(self):
        cadence = {Section.DEPLOYMENTS: 2 * HOUR}

        assert doubts(GONE, self.view(now=NOW + 3 * HOUR, cadence=cadence))
        assert found(GONE, self.view(now=NOW + 4 * HOUR, cadence=cadence))

    def test_a_single_pass_says_it_at_once(self):
        assert found(GONE, self.view(is_single_pass=True))

    @pytest.mark.parametrize(
        "view",
        [
            pytest.param({"usage": CALLED_LONG_AGO}, id="idle"),
            pytest.param({"log": BY_SOMEBODY}, id="somebody"),
            pytest.param({"log": BY_AZURE}, id="Azure"),
            pytest.param({"log": UNREAD}, id="log unread"),
        ],
    )
    def test_what_is_explained_or_never_will_be_is_said_at_once(self, view):
        assert found(GONE, self.view(**view))

    def test_calls_of_a_later_life_are_not_its_own(self):
        """Its name lives again and was called, while the cause of its end was looked up."""
        later = NOW + 10 * MINUTE
        view = self.view(now=later, read_at=later, usage={"last_success_at": NOW, "read_to": later})

        assert the_finding(GONE, view).labels["cause"] == "not_readable"

    def test_one_whose_name_lives_again_meanwhile_was_replaced(self):
        later = NOW + 10 * MINUTE
        view = self.view(now=later, read_at=later)
        again = replace(view, reading=replace(view.reading, deployments=(make_deployment(created_at=later),)))

        assert found(GONE, view)
        assert not ask(GONE, again)
        (clear,) = cleared(DeploymentIdle(), again)
        assert clear.because == "the deployment is gone, seen 2026-11-22 08:00 UTC; its name lives again"

    def test_failed_calls_of_a_later_life_put_nothing_off(self):
        usage = {**CALLED_LONG_AGO, "last_failure_at": NOW, "last_unclear_at": NOW}

        assert the_finding(GONE, self.view(usage=usage)).values["deletion_latest"] == "2026-11-22T09:00:00Z"

    def test_the_countdowns_end_with_the_same_message(self):
        """Else their resolve would be told before the news that stands for it."""
        view = self.view(usage={"last_success_at": NOW - 14 * DAY})

        assert "why is being looked up" in the_doubt(DeploymentIdle(), view).because
        later = replace(view, now=NOW + 10 * MINUTE)
        later = replace(later, reading=replace(later.reading, deployments_at=later.now))
        assert not doubts(DeploymentIdle(), later)
        assert cleared(DeploymentIdle(), later)
        assert found(GONE, later)

    def test_a_countdown_that_explains_the_end_ends_at_once(self):
        view = gone_view(**DEVELOPER, created_at=NOW - 24 * HOUR, of_view={"is_single_pass": False})

        assert cleared(DeploymentExpiring(), view)


class TestAccount:
    ACCOUNT = make_account(provisioning_state=ACCOUNT_GONE)

    def test_is_named_with_whoever_deleted_it(self):
        log = replace(BY_SOMEBODY, account_deleted=True)
        finding = the_finding(GONE, gone_view(account=self.ACCOUNT, log=log))

        assert finding.severity is Severity.INFO
        assert finding.summary.endswith("is gone: its account was deleted by dev@contoso.com at 2026-11-22 07:51 UTC")
        assert "list-deleted" in finding.action
        assert "deployable again" not in finding.description
        assert "the model is gone with the account unless the account can be recovered" in finding.description

    def test_a_model_of_another_account_is_not_said_to_be_gone(self):
        finding = the_finding(GONE, gone_view(account=self.ACCOUNT, model_source="/subscriptions/x/accounts/source"))

        assert "Its model comes from the account source; whether it is still there is not known." in finding.description
        assert "model is gone" not in finding.description

    @pytest.mark.parametrize(
        ("log", "words"),
        [
            (None, "the activity log could not be read (it was not asked)"),
            (UNREAD, "the activity log could not be read (the role Monitoring Reader is missing)"),
            (SILENT, "names no deletion of it, so it may have been moved"),
            (replace(BY_NOBODY, account_deleted=True), "has its deletion at 2026-11-22 07:51 UTC, and names nobody"),
            (BY_SOMEBODY, "the deployment's own deletion by dev@contoso.com at 2026-11-22 07:51 UTC"),
        ],
    )
    def test_is_a_warning_where_nobody_is_named(self, log, words):
        finding = the_finding(GONE, gone_view(account=self.ACCOUNT, log=log))

        assert (finding.severity, finding.labels["cause"]) == (Severity.WARNING, "account_gone")
        assert words in finding.description

    def test_a_silent_log_is_asked_again(self):
        view = gone_view(account=self.ACCOUNT, of_view={"is_single_pass": False})

        assert doubts(GONE, view)


def test_gone_says_who_had_been_told_and_how_to_redeploy():
    view = gone_view(usage={}, told=["ml-slack at 2026-11-19 08:00 UTC (3d)"], sku="GlobalStandard", capacity=50)
    finding = the_finding(GONE, view)

    assert finding.kind is FindingKind.EVENT
    assert "told before: ml-slack at 2026-11-19 08:00 UTC (3d)" in finding.evidence
    assert "deploy it again (not known: its content filter; Azure's default is taken):\naz rest --method put" in (
        finding.action
    )
    assert "/deployments/support-bot?api-version=" in finding.action
    assert f'"name": "{MODEL}"' in finding.action
    assert '{"name": "GlobalStandard", "capacity": 50}' in finding.action
    assert "inferred, not read" in finding.description
    assert "nobody had been told before" in the_finding(GONE, gone_view()).evidence


def test_gone_by_somebody_says_by_whom_when_and_where_that_is_read():
    finding = the_finding(GONE, gone_view(usage=CALLED_YESTERDAY, log=BY_SOMEBODY))

    assert finding.summary == ("support-bot in contoso-ft is gone: deleted by dev@contoso.com at 2026-11-22 07:51 UTC")
    assert finding.occurred_at == BY_SOMEBODY.deleted_at
    assert finding.values["deleted_at"] == "2026-11-22T07:51:00Z"
    assert (
        "activity log read from 2026-11-22 07:00 UTC on: its deletion by dev@contoso.com at 2026-11-22 07:51 UTC "
        "(correlation id c-1)" in finding.evidence
    )
    by_application = the_finding(GONE, gone_view(log=BY_APPLICATION))
    assert "deleted by the application 0b5a1e0c" in by_application.summary
    assert "its calls were not known, so an idle deletion is possible" in by_application.description


def test_an_application_is_quoted_beside_the_clock_that_explains_the_end():
    finding = the_finding(GONE, gone_view(usage=CALLED_LONG_AGO, log=BY_APPLICATION))

    assert "inferred, not read. The activity log has its deletion by the application 0b5a1e0c" in finding.description
    assert finding.values["deleted_at"] == "2026-11-22T07:51:00Z"


@pytest.mark.parametrize("log", [BY_SOMEBODY, BY_APPLICATION, BY_NOBODY])
def test_who_is_named_is_not_said_to_be_anybody_else(log):
    assert "not Azure" not in the_finding(GONE, gone_view(usage=CALLED_YESTERDAY, log=log)).description


def test_what_the_clocks_explain_and_the_log_confirms_says_both():
    finding = the_finding(GONE, gone_view(**DEVELOPER, created_at=NOW - 25 * HOUR, log=BY_AZURE))

    assert "A Developer deployment is subject to removal 24 h after its creation, and this one was created" in (
        finding.description
    )
    assert "The activity log says that Azure itself deleted it at 2026-11-22 07:51 UTC." in finding.description
    assert finding.occurred_at == BY_AZURE.deleted_at


def test_gone_without_a_cause_shows_how_to_read_the_log():
    finding = the_finding(GONE, gone_view(usage=CALLED_YESTERDAY, log=UNREAD))

    assert "The activity log could not be read (the role Monitoring Reader is missing), and it was not due" in (
        finding.description
    )
    assert "the activity log could not be read: the role Monitoring Reader is missing" in finding.evidence
    assert "it was not due for idleness before 2026-12-06 08:00 UTC" in finding.description
    command = f"az monitor activity-log list --resource-id {make_deployment().id} --start-time 2026-11-19T08:00:00Z"
    assert command in finding.action


def test_the_command_for_the_log_still_shows_the_end_when_somebody_runs_it_days_later():
    of_view = {"previous_at": {Section.DEPLOYMENTS: NOW - HOUR}}
    action = the_finding(GONE, gone_view(usage=CALLED_YESTERDAY, log=UNREAD, of_view=of_view)).action
    assert "--start-time 2026-11-22T06:00:00Z" in action
    assert "--offset" not in action


def test_gone_found_late_says_so():
    def evidence(before):
        of_view = {"previous_at": {Section.DEPLOYMENTS: before}, "cadence": {Section.DEPLOYMENTS: 10 * MINUTE}}
        return the_finding(GONE, gone_view(of_view=of_view)).evidence

    late = "found late: the deployments were not read between 2026-11-20 08:00 UTC and 2026-11-22 08:00 UTC"
    assert late in evidence(NOW - 2 * DAY)
    assert "found late" not in evidence(NOW - 30 * MINUTE)
    assert "it last stood 2026-11-22 07:30 UTC" in evidence(NOW - 30 * MINUTE)


def test_one_that_could_not_be_read_before_it_went_is_not_said_to_have_stood():
    gap = make_gap(Section.DEPLOYMENTS, GapReason.ROLE, at=NOW - DAY, subject=make_deployment().key.upper())
    before = {"previous_at": {Section.DEPLOYMENTS: NOW - 10 * MINUTE}}
    told = the_finding(GONE, gone_view(of_view=before)).evidence
    doubted = the_finding(GONE, gone_view(of_view={**before, "closed_gaps": (gap,)})).evidence
    assert "it last stood 2026-11-22 07:50 UTC" in told and "could not be read since" not in told
    assert "last stood" not in doubted
    assert "it could not be read since 2026-11-21 08:00 UTC, and may have gone at any time after that" in doubted


def test_a_deployment_that_is_listed_but_refused_by_its_own_address_is_not_gone():
    view = make_view(
        deployments=[make_deployment()],
        gaps=[make_gap(Section.DEPLOYMENTS, GapReason.ROLE, subject=make_deployment().key)],
    )

    assert not ask(GONE, view)


@settings(deadline=None)
@given(
    st.sampled_from([SILENT, UNREAD, BY_SOMEBODY, BY_AZURE, None]),
    st.none() | st.integers(1, 40 * 24),  # an entry of the log from before its creation is an earlier life's
    st.none() | st.integers(0, 40 * 24),
    st.sampled_from(["Standard", "DeveloperTier", "ProvisionedManaged", ""]),
    st.booleans(),
)
def test_a_critical_end_is_one_that_a_readable_log_and_known_calls_do_not_explain(log, age, called, sku, once):
    usage = None if called is None else {"last_success_at": NOW - called * HOUR, "read_from": NOW - 41 * DAY}
    created = None if age is None else NOW - age * HOUR
    of_view = {"is_single_pass": once}
    view = gone_view(usage=usage, log=log, sku=sku, created_at=created, incarnation="life", of_view=of_view)
    (answer,) = ask(GONE, view)

    if not hasattr(answer, "severity"):
        assert log is SILENT
        assert not once
    elif answer.severity is Severity.CRITICAL:
        assert log in (SILENT, BY_AZURE)
        assert answer.values["cause"] == "unexplained"
        # A clock that may have run out, by what is known of creation and calls, is an explanation.
        starts = [at for at in (created, None if called is None else NOW - called * HOUR) if at is not None]
        limit = timedelta(hours=24) if sku == "DeveloperTier" else 15 * DAY
        assert (max(starts) if sku != "DeveloperTier" else created) + limit > NOW
