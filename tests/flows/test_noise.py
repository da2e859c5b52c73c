"""How little a team is told, under the example's routes and rules: nothing of what passes by itself, each cause once.

`benchmarks/noise.py` tells the same story of forty accounts over weeks. The bounds here are reckoned from the causes.
"""

from collections import Counter
from datetime import UTC, datetime, timedelta

from tests.flows.forty import D, H, M, Team, Week
from tests.flows.paged import Page, pages
from watcher.alerts.notification import NotifyReason
from watcher.rules.finding import Severity
from watcher.simulator import Fault

FIRING, RESOLVED = NotifyReason.FIRING, NotifyReason.RESOLVED
#: A Tuesday, at ten in the morning in Berlin.
TUESDAY = datetime(2026, 11, 3, 9, tzinfo=UTC)
#: A Saturday, at midnight there.
SATURDAY = datetime(2026, 11, 7, 23, tzinfo=UTC)


def week(team: Team, *faults: Fault, start: datetime = TUESDAY, length: timedelta) -> Week:
    scenario = team.scenario("some hours", list(faults), start=start, length=length)
    return Week(name="small", scenario=scenario, counted_from=M)


def counted(found: list[Page], receiver: str) -> Counter[NotifyReason]:
    return Counter(page.notification.reason for page in found if page.receiver == receiver)


def test_a_poll_that_fails_alone_is_told_to_nobody() -> None:
    team = Team(2, 3, seed=1)
    first, second = team.names
    team.submit(first, 5 * M, running_for=10 * H)  # so that its jobs are asked for each minute
    faults = [
        Fault(plane=plane, account=account, from_=begins, until=begins + 9 * M, status=status)
        for plane, account, status, begins in (
            ("arm", first, 503, 55 * M),
            ("data", first, 500, 95 * M),
            ("data", second, 429, 2 * H),
            ("metrics", second, 529, 3 * H),
            ("arm", second, 503, 3 * H + 45 * M),
        )
    ]
    told = week(team, *faults, length=5 * H)
    assert pages(told) == []


def test_each_cause_is_told_once_and_once_that_it_is_over() -> None:
    """A region, and a secret that two accounts of different owners refuse on every plane."""
    team = Team(6, 6, seed=2)
    refusing = [name for name in team.names if name[5] == "s"]
    assert len(refusing) == 2
    faults = [Fault(account=name, from_=65 * M, until=135 * M, status=401) for name in refusing]
    found = pages(
        week(
            team,
            Fault(plane="data", account="team-e*", from_=185 * M, until=245 * M, status=503),
            *faults,
            length=5 * H,
        )
    )
    assert {page.rules for page in found} == {("account_forbidden",), ("azure_unreachable",)}
    assert counted(found, "ml-slack") == {FIRING: 2, RESOLVED: 2}
    assert counted(found, "hook") == {FIRING: 1, RESOLVED: 1}  # what is critical, and no more
    about = [
        told.alert.labels["account"] for page in found if "account_forbidden" in page.rules for told in page.alerts
    ]
    assert Counter(about) == dict.fromkeys(refusing, 2)  # not once for each plane


def test_a_night_is_told_in_the_morning_in_one_message_a_rule() -> None:
    """At a weekend too; and what three owners' jobs came to stands in one message of the team's channel."""
    team = Team(3, 3, seed=3)
    for number, name in enumerate(team.names):
        team.submit(name, (1 + number) * H, running_for=20 * M)
    found = pages(week(team, start=SATURDAY, length=8 * H))
    assert [(page.rules, len(page.alerts)) for page in found] == [(("job_succeeded",), 3)]
    assert found[0].at.hour == 6  # seven in Berlin


def test_a_night_is_disturbed_by_what_is_critical_alone() -> None:
    team = Team(2, 2, seed=4)
    team.quieten(0, last_call=-14 * D + 2 * H)  # its last day begins at night
    team.quieten(1, last_call=-8 * D + 2 * H)  # and another one's last week
    found = pages(week(team, start=SATURDAY, length=6 * H))
    assert {page.alerts[0].alert.severity for page in found} == {Severity.CRITICAL}
    assert Counter(page.receiver for page in found) == {"hook": 1, "ml-slack": 1}
