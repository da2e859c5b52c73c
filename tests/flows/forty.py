"""Three weeks of one team with forty accounts: a quiet one, a bad one, and one in which Azure and the watcher go down.

What is in them is what a team of that size meets: batches of jobs from pipelines, experiments that nobody calls any
more, requests that fail once and never again. Each begins a day before what is counted, for the first sight to be over.
"""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from watcher.simulator import Account, Calls, Deployment, Fault, Job, Pause, Scenario, Subscription

D, H, M = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)

#: A Sunday; what is counted begins on the Monday.
BEGINS = datetime(2026, 11, 1, tzinfo=UTC)
LENGTH = 8 * D

ACCOUNTS, DEPLOYMENTS = 40, 60
OWNERS = ("search", "support", "moderation", "research")
SUBSCRIPTIONS = tuple(Subscription(id=f"00000000-0000-0000-0000-00000000000{n}", name=f"Team {n}") for n in (1, 2, 3))
REGIONS = {"e": "eastus2", "s": "swedencentral"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Week:
    """What happens, and when nobody watches."""

    name: str
    scenario: Scenario
    downs: tuple[tuple[timedelta, timedelta], ...] = ()  #: since the scenario's start
    counted_from: timedelta = D  #: since then too: the first sight is no part of it


def weeks(accounts: int = ACCOUNTS, deployments: int = DEPLOYMENTS) -> Mapping[str, Week]:
    """By name. Figures for fewer accounts are for tests."""
    return {week.name: week for week in (make(accounts, deployments) for make in (quiet, bad, outage))}


def quiet(accounts: int = ACCOUNTS, deployments: int = DEPLOYMENTS) -> Week:
    """Every job succeeds and all is called, but for two deployments: one goes idle, one is called again in time."""
    team = Team(accounts, deployments, seed=1)
    team.quieten(0, last_call=-6 * D)  # 7 d left on Tuesday, and 3 d on Saturday
    team.quieten(1, last_call=-5.5 * D, again=6 * D)
    return Week(name="quiet", scenario=team.scenario("a quiet week", _hiccups(team)))


def bad(accounts: int = ACCOUNTS, deployments: int = DEPLOYMENTS) -> Week:
    """Jobs fail, a secret has expired, Azure throttles, a project ends and leaves its deployments behind."""
    team = Team(accounts, deployments, seed=2)
    for number, last_call in enumerate((-6 * D, -6.1 * D, -6.2 * D, -8.4 * D, -11 * D)):
        team.quieten(number, last_call=last_call)  # the first three are of one project
    team.quieten(5, last_call=-13.2 * D)  # deleted by Azure on Monday
    team.delete(6, at=3 * D + 13 * H, by="operator@contoso.example")
    team.called_each(7, 9 * D)
    refused = {"harm_types": ("violence",)}
    ends: list[dict[str, object]] = [
        {"outcome": "rai_data", **refused},
        {"outcome": "rai_data", **refused},
        {"outcome": "rai_model", **refused},
        {"outcome": "rai_model", "harm_types": ("self_harm", "sexual")},
        {"outcome": "failed", "error_code": "invalid_training_file", "error_message": "Line 17 is no chat example."},
        {"outcome": "failed", "error_code": "quotaExceeded", "error_message": "No quota is left for training."},
        {"outcome": "failed"},
        {"pauses": (Pause(after=30 * M, lasts=4 * D),)},
        {"pauses": tuple(Pause(after=after, lasts=2 * H, reason="preempted") for after in (20 * M, 50 * M))},
        {"outcome": "cancelled"},
    ]
    team.end_otherwise(ends)
    refusing, throttled = team.names[2:4], team.names[-6:]
    faults = [Fault(account=name, from_=2 * D + 9 * H, until=4 * D + 10 * H, status=401) for name in refusing]
    faults += [
        Fault(plane="data", account=name, from_=3 * D + 8 * H, until=3 * D + 14 * H, status=429, retry_after=120)
        for name in throttled
    ]
    # Azure Monitor's budget is a subscription's: it is used up for twenty minutes of each hour of a working day.
    faults += [
        Fault(plane="metrics", account=name, from_=5 * D + hour * H, until=5 * D + hour * H + 20 * M, status=429)
        for name in throttled
        for hour in range(7, 17)
    ]
    return Week(name="bad", scenario=team.scenario("a bad week", [*_hiccups(team), *faults]))


def outage(accounts: int = ACCOUNTS, deployments: int = DEPLOYMENTS) -> Week:
    """A region goes dark for a night, the control plane for an hour, the metrics for a day; so does the watcher."""
    team = Team(accounts, deployments, seed=3)
    team.quieten(0, last_call=-9 * D)
    team.quieten(1, last_call=-6 * D)
    faults = [
        Fault(plane="data", account="team-e*", from_=2 * D + 21 * H, until=3 * D + 2 * H, status=503),
        Fault(plane="arm", from_=4 * D + 9 * H + 7 * M, until=4 * D + 10 * H + 7 * M, status=503),
        Fault(plane="metrics", from_=5 * D + 5 * H, until=6 * D + 5 * H, status=529),
    ]
    down = (6 * D + 22 * H, 7 * D + H)
    return Week(name="outage", scenario=team.scenario("outages", [*_hiccups(team), *faults]), downs=(down,))


def _hiccups(team: "Team") -> list[Fault]:
    """What any week has: an answer that fails for a minute or a quarter of an hour, here and there."""
    chance, found = random.Random(7), []
    for number in range(max(1, len(team.names) * 3 // 10)):
        begins = D + chance.random() * 6.5 * D
        plane, status = (("arm", 503), ("data", 500), ("metrics", 529), ("data", 429))[number % 4]
        lasts = chance.choice((2 * M, 6 * M, 15 * M))
        name = chance.choice(team.names)
        found.append(Fault(plane=plane, account=name, from_=begins, until=begins + lasts, status=status))  # type: ignore[arg-type]
    return found


class Team:
    """Its accounts, deployments and jobs, before anything goes wrong."""

    def __init__(self, accounts: int, deployments: int, *, seed: int) -> None:
        self._chance = random.Random(seed)
        regions = ["es"[number % 5 > 2] for number in range(accounts)]
        self.names = [f"team-{region}{number:02}" for number, region in enumerate(regions)]
        self._deployments: dict[str, list[Deployment]] = {name: [] for name in self.names}
        self._places: list[tuple[str, int]] = []
        for number in range(deployments):
            name = self.names[number % accounts]
            calls = (Calls(from_=-50 * D, per_hour=1 + number % 7),)
            self._places.append((name, len(self._deployments[name])))
            self._deployments[name].append(
                Deployment(name=f"model-{number:02}", job="history", created=-55 * D, calls=calls)
            )
        self._jobs: dict[str, list[Job]] = {name: [Job(name="history", created=-60 * D)] for name in self.names}
        self._running: list[tuple[str, int]] = []
        for name, created in self._submitted(accounts * 15 // 40):
            self.submit(name, created, running_for=timedelta(minutes=self._chance.randint(40, 600)))

    def _submitted(self, number: int) -> Iterator[tuple[str, timedelta]]:
        """By day, on working days: four by a sweep in one account, three by a pipeline, the rest by people."""
        for one in range(number):
            if one < 4:
                yield self.names[7 % len(self.names)], 2 * D + 9 * H + one * M
            elif one < 7:
                yield self.names[(11 + one) % len(self.names)], 4 * D + 14 * H + one * M
            else:
                day, minute = self._chance.randint(1, 5), self._chance.randint(7 * 60, 17 * 60)
                yield self._chance.choice(self.names), day * D + minute * M

    def submit(self, account: str, at: timedelta, *, running_for: timedelta) -> None:
        """One more job."""
        self._running.append((account, len(self._jobs[account])))
        self._jobs[account].append(Job(name=f"job-{len(self._running)}", created=at, running_for=running_for))

    def _change(self, number: int, **changes: object) -> None:
        name, place = self._places[number]
        self._deployments[name][place] = replace(self._deployments[name][place], **changes)  # type: ignore[arg-type]

    # What happens to a deployment, by its number.

    def quieten(self, number: int, *, last_call: timedelta, again: timedelta | None = None) -> None:
        calls = [Calls(from_=-50 * D, until=last_call, per_hour=2)]
        if again is not None:
            calls.append(Calls(from_=again, per_hour=2))
        self._change(number, calls=tuple(calls))

    def called_each(self, number: int, every: timedelta) -> None:
        self._change(number, calls=(Calls(from_=-5 * every + 3 * D, per_hour=H / every),))

    def delete(self, number: int, *, at: timedelta, by: str) -> None:
        self._change(number, deleted=at, deleted_by=by)

    def end_otherwise(self, ends: list[dict[str, object]]) -> None:
        """In place of a success, every job of the week so far as these go."""
        for (name, place), changes in zip(self._running, ends, strict=False):
            self._jobs[name][place] = replace(self._jobs[name][place], **changes)  # type: ignore[arg-type]

    def scenario(
        self, title: str, faults: list[Fault], *, start: datetime = BEGINS, length: timedelta = LENGTH
    ) -> Scenario:
        return Scenario(
            title=title,
            start=start,
            length=length,
            subscriptions=SUBSCRIPTIONS,
            accounts=tuple(
                Account(
                    name=name,
                    subscription=SUBSCRIPTIONS[number % 3].id,
                    location=REGIONS[name[5]],
                    tags={"owner": OWNERS[number % 4], "environment": "production"},
                    jobs=tuple(self._jobs[name]),
                    deployments=tuple(self._deployments[name]),
                )
                for number, name in enumerate(self.names)
            ),
            faults=tuple(faults),
        )
