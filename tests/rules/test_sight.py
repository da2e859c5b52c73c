from dataclasses import replace
from datetime import timedelta

import pytest

from tests.factories import (
    ACCOUNT,
    DAY,
    HOUR,
    MINUTE,
    NOW,
    SECOND,
    make_deployment,
    make_end,
    make_gap,
    make_job,
    make_reading,
    make_transition,
    make_usage,
    make_view,
)
from watcher.resources.changes import Change
from watcher.resources.snapshot import Section
from watcher.rules.sight import (
    Unread,
    ended_lives,
    known_to,
    late,
    unread_deployment,
    unread_section,
    unread_usage,
    usage_of,
)

BOT = make_deployment()


def read(section, before, every=10 * MINUTE, **reading):
    return make_view(
        reading=make_reading(**reading),
        previous_at={} if before is None else {section: before},
        cadence={} if every is None else {section: every},
    )


@pytest.mark.parametrize(
    ("before", "every", "is_late"),
    [
        (NOW - 10 * MINUTE, 10 * MINUTE, False),
        (NOW - 30 * MINUTE, 10 * MINUTE, False),
        (NOW - 30 * MINUTE - SECOND, 10 * MINUTE, True),
        (NOW - 30 * MINUTE - SECOND, HOUR, False),
        (NOW, 10 * MINUTE, False),
        (NOW - 4 * MINUTE, SECOND, False),
        (NOW - 5 * MINUTE, SECOND, False),
        (NOW - 5 * MINUTE - SECOND, SECOND, True),
        (None, 10 * MINUTE, False),
        (NOW - DAY, None, False),
    ],
)
@pytest.mark.parametrize("section", [Section.JOBS, Section.DEPLOYMENTS, Section.METRICS])
def test_a_reading_is_late_when_three_were_missed(section, before, every, is_late):
    assert bool(late(read(section, before, every), section)) is is_late


def test_it_says_between_when_nothing_was_read():
    view = read(Section.DEPLOYMENTS, NOW - DAY)

    assert late(view, Section.DEPLOYMENTS) == (
        "found late: the deployments were not read between 2026-11-21 08:00 UTC and 2026-11-22 08:00 UTC"
    )


def test_a_section_that_was_not_read_this_time_is_not_late():
    view = read(Section.JOBS, NOW - DAY, jobs_at=NOW - DAY)

    assert late(view, Section.JOBS) == ""
    assert late(view, Section.FILES) == ""


STALE = 6 * HOUR


def seen(usage, **changes):
    return make_view(deployments=[BOT], usage=[] if usage is None else [usage], **changes)


@pytest.mark.parametrize("bucket", [60, 3600], ids=["by the minute", "by the hour"])
def test_metrics_are_too_old_once_their_last_bucket_is(bucket):
    """The newest bucket tells of calls that came until its end."""
    limit = NOW - STALE - timedelta(seconds=bucket)
    fresh = make_usage("support-bot", read_to=limit, bucket_seconds=bucket)
    assert unread_usage(seen(fresh), BOT, STALE) is None
    old = unread_usage(seen(replace(fresh, read_to=limit - SECOND)), BOT, STALE)
    assert (old.is_old, old.since) == (True, limit - SECOND)
    assert "which is too old" in old.because


def test_what_was_read_last_dates_what_cannot_be_read_now():
    """The metrics of one deployment end earlier than the reading of them all."""
    usage = make_usage("support-bot", read_to=NOW - 2 * HOUR)
    whole, own = make_gap(Section.METRICS), make_gap(Section.METRICS, subject=BOT.id)
    other = make_gap(Section.METRICS, subject=f"{ACCOUNT.id}/deployments/other")
    for gap in (whole, own):
        unread = unread_usage(seen(usage, gaps=[gap]), BOT, STALE)
        assert (unread.since, unread.is_old) == (NOW - 2 * HOUR, False)
        assert "could not be read: no answer came" in unread.because
    assert unread_usage(seen(usage, gaps=[other]), BOT, STALE) is None
    assert unread_usage(seen(None, gaps=[whole]), BOT, STALE).since == NOW
    assert unread_usage(seen(None), BOT, STALE) == Unread(
        because="the metrics have not been read for this deployment yet"
    )


def test_a_gap_is_about_its_own_section_and_deployment():
    others = [make_gap(Section.METRICS, subject=BOT.id), make_gap(Section.JOBS)]
    others.append(make_gap(Section.DEPLOYMENTS, subject=f"{ACCOUNT.id}/deployments/other"))
    assert unread_deployment(seen(None, gaps=others), BOT) is None
    own = make_gap(Section.DEPLOYMENTS, subject=BOT.id.upper(), at=NOW - HOUR)
    found = unread_deployment(seen(None, gaps=[own]), BOT)
    assert (found.since, "the deployment could not be read" in found.because) == (NOW - HOUR, True)
    assert (
        "the deployments could not be read"
        in unread_deployment(seen(None, gaps=[make_gap(Section.DEPLOYMENTS)]), BOT).because
    )


def test_calls_are_found_whatever_the_case_of_the_name_and_known_no_further_than_now():
    bot, usage = make_deployment("Support-Bot"), make_usage("Support-Bot", read_to=NOW + HOUR)
    assert usage_of(make_view(deployments=[bot], usage=[usage]), bot) is usage
    assert usage_of(make_view(deployments=[bot], usage=None), bot) is None
    assert known_to(usage, NOW) == NOW
    assert known_to(replace(usage, read_to=NOW - HOUR), NOW) == NOW - HOUR
    assert known_to(None, NOW) == NOW


def test_the_life_that_ended_is_named_not_the_one_that_came():
    gone, replaced = make_end(BOT), make_end(BOT, Change.REPLACED)
    lives = ended_lives(make_view(transitions=[gone, replaced, make_transition(make_job())]))
    assert [(subject.id, subject.incarnation) for _, subject, _ in lives] == [(BOT.key, BOT.incarnation)] * 2
    assert ["is gone" in outcome for _, _, outcome in lives] == [True, False]


def test_the_inside_of_jobs_is_as_old_as_their_listing():
    view = make_view(gaps=[make_gap(Section.TRAINING)])
    assert unread_section(view, Section.TRAINING).since == NOW
