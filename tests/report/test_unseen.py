"""Deletions whose date is not known: which, and why."""

from datetime import timedelta

import pytest
from msgspec import structs

from tests.alerts.factories import make_alert
from tests.factories import DAY, HOUR, NOW, SECOND, make_account, make_deployment, make_gap, make_reading, make_usage
from tests.report.recorded import BEGAN, WEEK, make_life, make_recorded, make_records, make_terms, stated
from watcher.costs.hosting import Period
from watcher.costs.idle import whole_hour
from watcher.report.render import FORMATS
from watcher.report.render.mail import mail_parts
from watcher.report.render.short import short_form
from watcher.report.standing import stand
from watcher.report.statement import Audience, DateKind, Edition, Undated
from watcher.resources.calls import DELAY, Coverage
from watcher.resources.snapshot import GapReason, Section
from watcher.rules.lifetimes import Lifetimes


def idle(name="support-bot", *, days=10, read_to=NOW, **changes):
    """Called last so many days ago, as far as its calls were read."""
    usage = make_usage(name, read_from=BEGAN, read_to=read_to, last_success_at=NOW - days * DAY)
    return make_life(make_deployment(name, **changes), usage=usage)


def recorded(*lives, read_to=NOW, **more):
    return make_recorded(*lives, coverage=Coverage(spans=((BEGAN, read_to),)), **more)


def deletions(statement):
    return [one for one in statement.dates if one.kind in (DateKind.DELETION, DateKind.EXPIRY)]


def test_one_whose_calls_were_read_has_its_date():
    statement = stated(recorded(idle()))
    assert (len(deletions(statement)), statement.undated, statement.unseen) == (1, (), ())


OLD = NOW - 18 * HOUR


def test_one_near_its_end_whose_calls_were_read_long_ago_has_none_and_that_is_said():
    statement = stated(recorded(idle(read_to=OLD), read_to=OLD, usage_at=OLD))
    assert deletions(statement) == []
    assert statement.undated == (
        Undated(
            because="the metrics read end 2026-11-21 14:00 UTC, which is too old", names=("contoso-ft/support-bot",)
        ),
    )
    assert (
        "When Azure deletes 1 deployment if nobody calls it is not known, as the metrics read end 2026-11-21 14:00 "
        "UTC, which is too old: contoso-ft/support-bot."
    ) in statement.unseen


def test_one_far_from_its_end_has_a_date_on_what_was_read_last_which_it_says():
    """A call can but put it off, so that the earliest time holds; listings date it too."""
    statement = stated(recorded(idle(days=3, read_to=OLD), read_to=OLD, usage_at=OLD))
    (date,) = deletions(statement)
    assert (date.at, statement.undated) == (NOW + 12 * DAY, ())
    assert "read until 2026-11-21 14:00 UTC; whether one came since is not known." in date.text
    assert statement.hosted[0].idle_since is None  # whether it is idle, nobody knows
    assert statement.lacks_dates


def test_one_that_was_called_when_its_calls_were_read_last_has_none_that_means_anything():
    statement = stated(recorded(idle(days=1, read_to=OLD), read_to=OLD, usage_at=OLD))
    assert (deletions(statement), statement.undated, statement.lacks_dates) == ([], (), True)


@pytest.mark.parametrize("read_to", [NOW - 5 * HOUR, OLD], ids=["a few hours", "long ago"])
def test_one_that_an_alert_counts_down_keeps_its_date_as_the_alert_does(read_to):
    warned = structs.replace(idle(read_to=read_to), is_counted_down=True)
    statement = stated(recorded(warned, read_to=read_to, usage_at=read_to))
    (date,) = deletions(statement)
    assert (date.at, statement.undated) == (NOW + 5 * DAY, ())
    assert f"read until {read_to:%Y-%m-%d %H:%M} UTC" in date.text


@pytest.mark.parametrize("is_warned", [False, True])
@pytest.mark.parametrize("gaps", [(), (make_gap(Section.METRICS, GapReason.ROLE),)], ids=["", "refused"])
@pytest.mark.parametrize("read", ["fresh", "a few hours", "long ago", "never"])
@pytest.mark.parametrize("days", [16, 10, 3, 1])
def test_the_calendar_dates_what_status_dates(days, read, gaps, is_warned):
    """Beside what is called, whose date means nothing, and what was never read, of which creation alone is a bound."""
    read_to = {"fresh": NOW, "a few hours": NOW - 5 * HOUR, "long ago": OLD, "never": None}[read]
    life = idle(days=days, read_to=read_to or NOW)
    life = structs.replace(life, is_counted_down=is_warned, usage=life.usage if read_to else None)
    account = recorded(life, read_to=read_to or BEGAN + HOUR, usage_at=read_to, gaps=gaps)
    statement, holding = stated(account), account.holding
    reading = make_reading(deployments=[life.deployment], usage=[life.usage] if read_to else None, gaps=gaps)
    alert = make_alert() if is_warned else None
    status = stand(life.deployment, reading, alert=alert, custom_models=(), now=NOW)
    assert holding.deployments == (life.deployment,)
    is_overdue = status.deletion_latest is not None and status.deletion_latest < NOW
    if days > 1 and read_to and not is_overdue:
        assert [one.at for one in deletions(statement)] == [at for at in [status.deletion_earliest] if at]
        assert bool(statement.undated) is (status.deletion_earliest is None)


def test_advice_on_calls_that_were_read_a_while_ago_says_until_when():
    warned = structs.replace(idle(read_to=NOW - 5 * HOUR), is_counted_down=True)
    (advice,) = stated(recorded(warned, read_to=NOW - 5 * HOUR, usage_at=NOW - 5 * HOUR)).advice
    assert advice.because == "nobody called it as far as its calls were read, which is until 2026-11-22 03:00 UTC"
    assert advice.saving_per_month == advice.saving_until_deletion  # no more than until Azure deletes it
    (fresh,) = stated(recorded(idle())).advice
    assert fresh.because == "nobody calls it"


def test_a_line_says_until_when_its_calls_were_read():
    old = NOW - 5 * HOUR
    (line,) = stated(recorded(idle(read_to=old), read_to=old, usage_at=old)).hosted
    assert line.called_until == old
    assert "Its calls were read until 2026-11-22 03:00 UTC; whether it was called since is not known." in line.remarks
    assert stated(recorded(idle())).hosted[0].called_until is None


@pytest.mark.parametrize(
    ("more", "lacks"),
    [
        pytest.param({}, False, id="all was read"),
        pytest.param({"gaps": (make_gap(Section.FILES, GapReason.ROLE),)}, False, id="files have no dates"),
        pytest.param({"gaps": (make_gap(Section.METRICS, GapReason.ROLE),)}, False, id="told as undated"),
        pytest.param({"gaps": (make_gap(Section.DEPLOYMENTS, GapReason.ROLE),)}, True, id="deployments refused"),
        pytest.param({"gaps": (make_gap(Section.JOBS, GapReason.ROLE),)}, True, id="jobs refused: what is trained on"),
        pytest.param({"deployments_at": NOW - 5 * HOUR}, True, id="deployments read long ago"),
        pytest.param({"jobs_at": None}, True, id="jobs never read"),
    ],
)
def test_only_what_may_hide_or_move_a_date_counts_for_the_calendar(more, lacks):
    assert stated(recorded(idle(), **more)).lacks_dates is lacks


def test_calls_of_a_period_that_metrics_rest_through_are_no_failure_to_see():
    """Of a day of which none had to be read yet."""
    read_to = NOW - 36 * HOUR
    account = recorded(idle(days=3, read_to=read_to), read_to=read_to, usage_at=read_to)
    patient = make_terms(metrics_stale_after=37 * HOUR)
    statement = stated(account, terms=patient, period=Period(begin=NOW - DAY, end=NOW))
    assert (statement.unseen, statement.hosted[0].calls) == ((), None)
    assert any("those of 1 deployment were read until 2026-11-20 20:00 UTC" in said for said in statement.remarks)
    impatient = stated(
        account, terms=make_terms(metrics_stale_after=30 * HOUR), period=Period(begin=NOW - DAY, end=NOW)
    )
    assert any("were not read in all of the period" in said for said in impatient.unseen)


def test_near_its_end_hours_do_already():
    """What is read by the hour there is missed sooner than elsewhere."""
    near, far = idle("near", read_to=NOW - 5 * HOUR), idle("far", days=3, read_to=NOW - 5 * HOUR)
    statement = stated(recorded(near, far, read_to=NOW - 5 * HOUR, usage_at=NOW - 5 * HOUR))
    assert [group.names for group in statement.undated] == [("contoso-ft/near",)]
    assert [one.title.partition(" ")[0] for one in deletions(statement)] == ["contoso-ft/far"]


def test_where_metrics_are_read_seldom_they_are_not_missed_near_an_end_either():
    """An interval of half a day is the operator's choice, as for the rule that warns."""
    read_to = NOW - 20 * HOUR
    account = recorded(idle(read_to=read_to), read_to=read_to, usage_at=read_to)
    patient = make_terms(metrics_stale_after=145 * HOUR, near_stale_after=24 * HOUR)
    assert (len(deletions(stated(account, terms=patient))), stated(account, terms=patient).undated) == (1, ())
    impatient = make_terms(metrics_stale_after=145 * HOUR, near_stale_after=18 * HOUR)
    assert len(stated(account, terms=impatient).undated) == 1


def test_what_was_read_long_ago_is_one_reason_however_long():
    first, last = idle("first", read_to=NOW - 30 * HOUR), idle("last", read_to=NOW - 18 * HOUR)
    statement = stated(recorded(first, last, read_to=NOW - 18 * HOUR))
    assert statement.undated == (
        Undated(
            because="the metrics read end 2026-11-21 14:00 UTC or earlier, which is too old",
            names=("contoso-ft/first", "contoso-ft/last"),
        ),
    )


def test_other_reasons_stand_each_for_itself_the_most_frequent_first():
    gap = make_gap(Section.METRICS, GapReason.ROLE, at=NOW - DAY, subject="b")
    undated = make_life(
        make_deployment("c", created_at=None), usage=make_usage("c", read_from=BEGAN), first_seen_at=BEGAN
    )
    never = make_life(make_deployment("d"), usage=None), make_life(make_deployment("e"), usage=None)
    found = stated(recorded(idle("a"), idle("b"), undated, *never, gaps=(gap,))).undated
    assert [(group.because, group.names) for group in found] == [
        ("the metrics have not been read for this deployment yet", ("contoso-ft/d", "contoso-ft/e")),
        ("its metrics could not be read: a role is missing", ("contoso-ft/b",)),
        ("neither its creation nor any call is known", ("contoso-ft/c",)),
    ]


def test_what_is_called_what_nothing_ends_and_what_has_ended_lack_no_date():
    busy = idle("busy", days=0)
    gone = make_life(make_deployment("gone"), end=(NOW - DAY, NOW - DAY), outcome="gone", usage=None)
    assert stated(recorded(busy, gone)).undated == ()
    endless = make_terms(lifetimes=Lifetimes(idle_by_sku={"standard": None}))
    assert stated(recorded(idle(read_to=NOW - 5 * DAY)), terms=endless).undated == ()


def test_one_that_is_deleted_for_its_age_needs_no_calls():
    one = make_life(make_deployment(sku="developer", created_at=NOW - 20 * HOUR), usage=None)
    statement = stated(recorded(one))
    assert (len(deletions(statement)), statement.undated) == (1, ())


@pytest.mark.parametrize("minutes", range(0, 60, 7))
def test_metrics_that_rest_as_long_as_they_may_are_no_failure_to_see_at_any_minute_of_an_hour(minutes):
    """They end with a whole hour, and so up to an hour earlier than when they were read."""
    as_of = NOW + timedelta(minutes=minutes)
    read_at = as_of - 12 * HOUR
    read_to = whole_hour(read_at - DELAY)
    called = NOW - 3 * DAY
    account = recorded(
        idle(days=3, read_to=read_to),
        read_to=read_to,
        usage_at=read_at,
        deployments_at=as_of,
        jobs_at=as_of,
        calls={"support-bot": {called: 3.0}},
    )
    statement = stated(make_records(account, as_of=as_of), period=Period(begin=as_of - 7 * DAY, end=as_of))
    assert statement.unseen == ()
    assert statement.hosted[0].calls == 3.0


def forms(statement):
    """Every text that somebody may get of it."""
    mail, short = mail_parts(statement, link=""), short_form(statement, link="")
    whole = (*(render(statement) for render in FORMATS.values()), mail.text, mail.html, short.text, short.mrkdwn)
    return [" ".join(one.split()) for one in whole]


NOBODY = Edition(audience=Audience.OWNER, owner="Search"), lambda labels: False
EVERYBODY = Edition(), None
FINANCE = Edition(audience=Audience.FINANCE), None


@pytest.mark.parametrize(("edition", "matches"), [EVERYBODY, FINANCE, NOBODY], ids=["all", "finance", "an owner"])
@pytest.mark.parametrize("is_found", [False, True], ids=["none found", "one found and not read"])
def test_before_anything_was_read_there_is_no_all_clear_and_no_zero(edition, matches, is_found):
    unread = make_recorded(deployments_at=None, jobs_at=None, models_at=None, files_at=None, usage_at=None)
    records = make_records(unread) if is_found else make_records(begins=None)
    statement = stated(records, edition=edition, matches=matches)
    assert statement.unseen and not statement.is_quiet and statement.has_gaps
    assert statement.total.is_unknown
    said = "No account has been read yet" if matches or not is_found else "1 account have never been read"
    assert said in statement.unseen[0]
    for text in forms(statement):
        assert "everything was seen, and" not in text
        assert "0.00 USD" not in text
        assert said in text


def test_an_owner_of_nothing_in_what_was_read_has_nothing_to_do():
    edition, matches = NOBODY
    statement = stated(recorded(idle()), edition=edition, matches=matches)
    assert (statement.accounts, statement.unseen, statement.is_quiet) == (0, (), True)
    assert any("Nothing to report: nothing of theirs was seen." in text for text in forms(statement))
    assert not any("everything was seen" in text for text in forms(statement))


def test_where_no_account_is_watched_any_more_that_is_said():
    left = recorded(structs.replace(idle(), end=(NOW - DAY, NOW - DAY), outcome="left"), removed_at=NOW - DAY)
    statement = stated(left)
    assert statement.unseen[0].startswith("No account is watched any more")
    assert statement.total.known.low > 0  # of what there was


def test_what_lies_before_the_record_is_told_with_the_total_and_is_no_gap():
    began = NOW - 2 * DAY
    young = stated(make_records(recorded(idle()), begins=began))
    assert young.unseen == (
        "The record begins 2026-11-20 08:00 UTC, and not with the period: deployments that had ended before, and jobs "
        "that Azure listed no longer, are missing from every total.",
    )
    assert (young.begins, young.has_gaps, young.is_quiet) == (began, False, False)
    old = stated(make_records(recorded(idle()), begins=NOW - 7 * DAY))  # as the period does
    assert (old.begins, old.has_gaps, young.total) == (None, False, old.total)
    for text in forms(young)[:3] + forms(young)[-4:]:
        assert "not counting what had ended before 2026-11-20 08:00 UTC, when the record begins" in text
    assert not any("when the record begins" in text for text in forms(old))
    both = stated(make_records(recorded(idle(), jobs_at=None), begins=began))
    assert both.has_gaps and both.unseen[-1] == young.unseen[0]


def test_metrics_are_missed_only_where_anything_stood():
    """Of an account without deployments there are none to read."""
    seen = {len(lives): stated(recorded(*lives, usage_at=None)).accounts_seen for lives in ((), (idle(),))}
    assert seen == {0: 1, 1: 0}


@pytest.mark.parametrize(
    ("opened", "closed", "told"),
    [
        pytest.param(WEEK.begin - DAY, WEEK.begin, None, id="before the period"),
        pytest.param(WEEK.begin - DAY, WEEK.begin + SECOND, (WEEK.begin, WEEK.begin + SECOND), id="into the period"),
        pytest.param(WEEK.begin + DAY, WEEK.end - DAY, (WEEK.begin + DAY, WEEK.end - DAY), id="within"),
        pytest.param(WEEK.end - DAY, WEEK.end + DAY, (WEEK.end - DAY, WEEK.end), id="out of the period"),
        pytest.param(WEEK.end, WEEK.end + DAY, None, id="after the period"),
    ],
)
def test_what_was_not_read_for_some_time_is_told_as_far_as_it_is_of_the_period(opened, closed, told):
    gap = make_gap(Section.JOBS, at=opened)
    records = make_records(recorded(idle(), closed=[(gap, closed)]), as_of=NOW + DAY)
    said = [text for text in stated(records, period=WEEK).unseen if "for some time" in text]
    if told is None:
        assert said == []
    else:
        begin, end = (f"{at:%Y-%m-%d %H:%M} UTC" for at in told)
        assert said == [f"The jobs of 1 account could not be read for some time between {begin} and {end}: contoso-ft."]


def test_what_several_accounts_lack_is_lacking_since_the_first_of_them():
    accounts = [
        recorded(account=make_account(f"a{days}"), gaps=(make_gap(Section.JOBS, at=NOW - days * DAY),))
        for days in (1, 3, 2)
    ]
    (said,) = (text for text in stated(*accounts).unseen if "could not be read since" in text)
    assert said.startswith("The jobs of 3 accounts could not be read since 2026-11-19 08:00 UTC")


def test_dates_may_be_missing_where_accounts_may_be():
    gap = make_gap(Section.ACCOUNT, subject="/subscriptions/sub-9")
    lacks = [stated(make_records(recorded(idle()), undiscovered=gaps)).lacks_dates for gaps in ((), (gap,))]
    assert lacks == [False, True]
