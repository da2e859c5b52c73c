import pytest

from tests.factories import DAY, HOUR, MINUTE, NOW, SECOND, make_reading, make_view
from watcher.resources.snapshot import Section
from watcher.rules.sight import late


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
