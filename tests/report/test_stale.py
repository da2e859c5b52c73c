"""Readings that are too old to tell of the present, though no gap is on record: nothing was tried."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.factories import DAY, HOUR, MINUTE, NOW, make_account, make_gap
from tests.report.recorded import BEGAN, make_life, make_recorded, make_records, make_terms, stated
from watcher.report.stale import SECTIONS, stale_sections
from watcher.report.unseen import is_seen
from watcher.resources.calls import Coverage
from watcher.resources.snapshot import GapReason, Section

LIMITS = {Section.DEPLOYMENTS: 3 * HOUR, Section.JOBS: 3 * HOUR, Section.METRICS: 13 * HOUR}
LITTLE = HOUR / 3600


def read_before(name="contoso-ft", *, deployments=0 * HOUR, jobs=0 * HOUR, metrics=0 * HOUR, lives=None, **more):
    """An account that was read so long before `NOW`."""
    return make_recorded(
        *((make_life(),) if lives is None else lives),
        account=make_account(name),
        deployments_at=NOW - deployments,
        jobs_at=NOW - jobs,
        models_at=NOW - max(deployments, jobs),
        files_at=NOW - max(deployments, jobs),
        usage_at=NOW - metrics,
        **more,
    )


def stopped(name, ago):
    """An account of which nothing was read since."""
    read = Coverage(spans=((BEGAN, NOW - ago),))
    return read_before(name, deployments=ago, jobs=ago, metrics=ago, lives=(), coverage=read)


@pytest.mark.parametrize("section", SECTIONS)
def test_a_section_is_stale_past_its_limit_and_no_sooner(section):
    name, limit = section.value, LIMITS[section]
    assert stale_sections(read_before(**{name: limit}), NOW, make_terms()) == ()
    assert stale_sections(read_before(**{name: limit + LITTLE}), NOW, make_terms()) == (section,)
    terms = make_terms(**{f"{name}_stale_after": limit + HOUR})
    assert stale_sections(read_before(**{name: limit + LITTLE}), NOW, terms) == ()


@given(st.builds(dict, **{section.value: st.timedeltas(0 * HOUR, 40 * HOUR) for section in SECTIONS}))
def test_an_account_counts_as_seen_as_long_as_nothing_of_it_is_stale(ages):
    found = read_before(**ages)
    old = {section for section in SECTIONS if ages[section.value] > LIMITS[section]}
    assert set(stale_sections(found, NOW, make_terms())) == old
    assert is_seen(found, NOW, make_terms()) is (not old)


def test_where_the_daemon_is_stopped_one_sentence_tells_of_all_accounts():
    accounts = [stopped(f"a{number:02}", 18 * HOUR + number * MINUTE) for number in range(12)]
    statement = stated(*accounts)
    assert statement.unseen == (
        "Nothing of 12 accounts was read since 2026-11-21 14:00 UTC (18 h before this report): what has been deployed, "
        "deleted, trained or called since is not known: a00, a01, a02, a03, a04, a05, a06, a07 and 4 more.",
    )
    assert (statement.accounts, statement.accounts_seen, statement.is_quiet) == (12, 0, False)


def test_metrics_that_may_rest_are_no_news_that_anything_of_an_account_was_read():
    """After five hours calls are not missed yet, but nothing is known of what was deployed or trained."""
    (said,) = stated(stopped("a", 5 * HOUR)).unseen
    assert said.startswith("Nothing of 1 account was read since 2026-11-22 03:00 UTC (5 h before this report): ")


def test_those_that_were_read_last_long_before_the_others_are_told_apart():
    (said,) = stated(stopped("a", 18 * HOUR), stopped("b", 3 * DAY)).unseen
    assert "since 2026-11-21 14:00 UTC (18 h before this report), of some since 2026-11-19 08:00 UTC: " in said


def test_what_alone_is_stale_of_an_account_is_told_alone():
    ages = {"jobs": 5 * HOUR}, {"deployments": 4 * HOUR, "jobs": 0 * HOUR}, {"metrics": 14 * HOUR}
    accounts = [read_before(name, **age) for name, age in zip("abc", ages, strict=True)]
    assert stated(*accounts).unseen[:3] == (
        "The deployments of 1 account were not read since 2026-11-22 04:00 UTC (4 h before this report): what has been "
        "deployed or deleted since is not known: b.",
        "The jobs of 1 account were not read since 2026-11-22 03:00 UTC (5 h before this report): what has been "
        "trained since is not known: a.",
        "The metrics of 1 account were not read since 2026-11-21 18:00 UTC (14 h before this report): which "
        "deployments are called since is not known: c.",
    )


def test_metrics_of_an_account_where_nothing_stands_are_not_missed():
    ended = make_life(end=(NOW - DAY, NOW - DAY), outcome="gone")
    for lives in ((), (ended,)):
        assert stale_sections(read_before(metrics=5 * DAY, lives=lives), NOW, make_terms()) == ()


def test_what_a_gap_tells_is_not_told_twice():
    gap = make_gap(Section.JOBS, GapReason.NETWORK, at=NOW - 2 * DAY)
    found = read_before(jobs=2 * DAY, gaps=(gap,))
    assert stale_sections(found, NOW, make_terms()) == ()
    assert [said.startswith("The jobs of 1 account could not be read") for said in stated(found).unseen] == [True]
    whole = make_gap(Section.ACCOUNT, GapReason.CREDENTIAL, at=NOW - 2 * DAY)
    assert stale_sections(read_before(jobs=2 * DAY, deployments=2 * DAY, gaps=(whole,)), NOW, make_terms()) == ()


def test_a_gap_of_one_job_hides_nothing():
    gap = make_gap(Section.JOBS, GapReason.BROKEN, at=NOW - 2 * DAY, subject="ftjob-1")
    assert stale_sections(read_before(jobs=2 * DAY, gaps=(gap,)), NOW, make_terms()) == (Section.JOBS,)


def test_one_that_has_a_gap_and_was_not_tried_since_is_silent_too():
    """The gap tells of its jobs alone, and the daemon has stopped since."""
    gap = make_gap(Section.JOBS, GapReason.NETWORK, at=NOW - DAY)
    found = stopped("b", 18 * HOUR)
    holding = replace(found.holding, jobs_at=NOW - 25 * HOUR, gaps=(gap,))
    first, second = stated(stopped("a", 18 * HOUR), replace(found, holding=holding)).unseen
    assert first.startswith("Nothing of 2 accounts was read since 2026-11-21 14:00 UTC")
    assert second.startswith("The jobs of 1 account could not be read since 2026-11-21 08:00 UTC")


def test_what_was_never_read_is_not_called_old():
    never = make_recorded(account=make_account("new"), deployments=None, deployments_at=None, jobs_at=None)
    assert not any("before this report" in said for said in stated(never).unseen)


def test_it_is_told_as_of_the_time_of_the_statement():
    """Whatever the time is by now: a report of a schedule is made as of that schedule's time."""
    as_of = NOW - 10 * HOUR
    fresh = read_before(deployments=10 * HOUR, jobs=10 * HOUR, metrics=10 * HOUR, lives=())
    assert stated(make_records(fresh, as_of=as_of)).unseen == ()
    assert stated(make_records(fresh, as_of=NOW)).unseen != ()


def test_an_edition_tells_of_its_own_accounts_alone():
    records = make_records(stopped("a", 18 * HOUR), stopped("b", 18 * HOUR))
    (said,) = stated(records, matches=lambda labels: labels["account"] == "b").unseen
    assert said.startswith("Nothing of 1 account ") and said.endswith(": b.")


def test_nothing_was_read_where_that_is_longer_ago_than_any_of_it_may_be():
    """Jobs may rest longer: of an account that is silent for as long as deployments may not be, all is missed."""
    terms = make_terms(jobs_stale_after=8 * HOUR)
    (said,) = stated(stopped("a", 5 * HOUR), terms=terms).unseen
    assert said.startswith("Nothing of 1 account was read since 2026-11-22 03:00 UTC (5 h before this report): ")


@pytest.mark.parametrize(("minutes", "is_apart"), [(59, False), (60, False), (61, True)])
def test_those_that_were_read_within_an_hour_were_read_together(minutes, is_apart):
    (said,) = stated(stopped("a", 18 * HOUR), stopped("b", 18 * HOUR + minutes * MINUTE)).unseen
    assert ("of some since" in said) is is_apart
