"""What is said of one thing is the same whether it is reported alone or among others.

Thousands are alike and share what was worked out once: a key that forgets by what they differ tells of one what
is true of another.
"""

from decimal import Decimal
from random import Random
from zoneinfo import ZoneInfo

import pytest

from tests.costs.factories import make_book, make_row, own
from tests.factories import DAY, HOUR, MODEL, NOW, make_account, make_deployment, make_event, make_job, make_usage
from tests.report.recorded import BEGAN, WEEK, make_life, make_recorded, make_records, make_terms, stated
from watcher.costs.hosting import Period
from watcher.costs.money import Unknown, total
from watcher.costs.uses import State
from watcher.report.recorded import RecordedJob
from watcher.report.statement import DateKind
from watcher.resources.calls import Coverage

OTHER, THIRD = (f"{base}.ft-{'0' * 31}{n}-{n}" for n, base in enumerate(("gpt-4o-2024-08-06", "gpt-4.1-2025-04-14")))
EAST = make_account("east", location="swedencentral", owner="Search", labels={"environment": "production"})
WEST = make_account("west", location="West US 3", owner="Ads", labels={"environment": "test", "cost-center": "7"})
#: Of another group, under the first one's name.
TWIN = make_account("east", resource_group="rg-two", label="east@rg-two", location="swedencentral", owner="Search")
ACCOUNTS = (EAST, WEST, TWIN)
#: In Sweden two meters fit, so that a price is an interval; in the west one of another amount.
ROWS = (
    make_row(price="1.90"),
    make_row(price="2.10", sku_name="another"),
    make_row(price="2.10", region="westus3"),
    make_row("gpt-4o-FTuned Deployment Hosting Unit", "3.00"),
    make_row("gpt-4o-mini-FTuned Glbl Deployment Hosting Unit", "2.10"),
    make_row("gpt-4.1-FTuned Training Unit", "25", unit="1M"),
    make_row("gpt-4.1-FTuned Training Unit", "30", unit="1M", region="westus3"),
)
BOOKS = {
    "list": make_book(*ROWS),
    "table": make_book(
        *ROWS,
        table=(own(model=f"{MODEL}*", sku="Standard", hosting_per_hour="2.10"), own(ptu_per_hour="0.5")),
        discount_percent=Decimal(10),
    ),
    "documentation": make_book(),
}


def life(draw, number, account):
    created = NOW - draw([3, 30, 200]) * DAY
    name = draw(["bot", "Bot", "probe"]) + str(number)
    called = draw([None, 1, 30, 24 * 4, 24 * 5 + 7])
    called = None if called is None else NOW - called * HOUR
    tags = draw([{}, {"owner": "Search"}, {"Environment": "stage"}, {"cost-center": "9"}])
    one = make_deployment(
        name,
        account=account,
        created_at=created if draw(range(5)) else None,
        model=draw([MODEL, MODEL.upper(), OTHER, THIRD]),
        sku=draw(["Standard", "GlobalStandard", "ProvisionedManaged", "DeveloperTier", "Quantum"]),
        capacity=draw([None, 1, 50]),
        tags=tags,
    )
    ended = draw([None, None, (NOW - 2 * DAY, NOW - 2 * DAY), (NOW - 2 * DAY, NOW - DAY)])
    paused = draw([(), ((NOW - 2 * DAY, None),), ((BEGAN, NOW - 8 * DAY),)])
    usage = make_usage(name, read_from=BEGAN, last_success_at=called)
    changes = {"end": ended, "outcome": "gone"} if ended else {}
    made = make_life(one, usage=usage, first_seen_at=created, paused=paused, **changes)
    calls = {} if called is None else {called: draw([1.0, 9.0])}
    return made, {name.lower(): calls} if calls else {}


def job(draw, number):
    owner = draw([{}, {"owner": "Ads"}, {"environment": "lab"}])
    kind = draw(["", "globalStandard", "developer"])
    ended = NOW - draw([1, 3]) * DAY
    one = make_job(
        f"ftjob-{number}",
        "succeeded",
        model=draw(["gpt-4.1-2025-04-14", "gpt-4o-2024-08-06"]),
        training_type=kind,
        metadata=owner,
        finished_at=ended,
        created_at=ended - HOUR,
    )
    return RecordedJob(job=one, ended_at=ended, events=(make_event("Training tokens billed: 3000000", at=ended),))


def fleet_of(seed):
    """By account, its lives with their calls, and its jobs."""
    draw, fleet = Random(seed).choice, []
    for account in ACCOUNTS:
        lives = [life(draw, number, account) for number in range(8)]
        fleet.append((account, lives, [job(draw, number) for number in range(4)]))
    return fleet


def recorded(account, lives, jobs):
    calls = {name: hours for _, some in lives for name, hours in some.items()}
    return make_recorded(*(one for one, _ in lives), account=account, calls=calls, jobs=jobs)


def key(line):
    return line.id, line.begin, line.model


@pytest.mark.parametrize("book", BOOKS)
@pytest.mark.parametrize(("seed", "zone"), [(1, "UTC"), (2, "Asia/Kolkata")])
def test_a_line_is_the_same_alone_and_among_others(seed, book, zone):
    fleet = fleet_of(seed)
    terms = make_terms(book=BOOKS[book], tag_labels=("environment", "cost-center"), zone=ZoneInfo(zone))
    whole = stated(make_records(*(recorded(*each) for each in fleet)), terms=terms)

    alone = [stated(recorded(account, [one], []), terms=terms) for account, lives, _ in fleet for one in lives]
    assert sorted(whole.hosted, key=key) == sorted((line for each in alone for line in each.hosted), key=key)
    ends = (DateKind.DELETION, DateKind.EXPIRY)
    dates = [date for each in alone for date in each.dates if date.kind in ends]
    assert [date for date in whole.dates if date.kind in ends] == sorted(dates, key=lambda one: (one.at, one.uid))
    jobs = [stated(recorded(account, [], [one]), terms=terms) for account, _, some in fleet for one in some]
    assert {(line.place.account_id, line.job): line for line in whole.trained} == {
        (line.place.account_id, line.job): line for each in jobs for line in each.trained
    }

    known = {line.by_state and key(line) for line in whole.hosted}
    assert len(known) == len(whole.hosted)
    for line in whole.hosted:
        if isinstance(line.price, Unknown):
            assert isinstance(line.cost, Unknown)
        else:
            assert (line.cost.low, line.cost.high) == (
                line.price.over(line.stood[0]).low,
                line.price.over(line.stood[1]).high,
            )


@pytest.mark.parametrize("book", BOOKS)
@pytest.mark.parametrize("seed", [1, 2])
def test_every_division_of_the_bill_adds_up_by_what_the_lines_say(seed, book):
    fleet = fleet_of(seed)
    labels = ("environment", "cost-center")
    statement = stated(
        make_records(*(recorded(*each) for each in fleet)), terms=make_terms(book=BOOKS[book], tag_labels=labels)
    )
    places = {
        "account": lambda place: place.account,
        "owner": lambda place: place.owner,
        **{name: (lambda place, name=name: place.labels.get(name, "")) for name in labels},
    }
    for bill in statement.bills:
        if (of := places.get(bill.by)) is None:
            continue
        for share in bill.lines:
            lines = [line for line in statement.hosted if of(line.place) == share.value]
            jobs = [line for line in statement.trained if of(line.place) == share.value]
            parts = [part for line in lines for part in (line.cost, line.missing) if part is not None]
            assert share.hosting == total(parts, "USD")
            assert share.training == total((line.cost for line in jobs), "USD")
            idle = (line.by_state[State.IDLE] for line in lines if State.IDLE in line.by_state)
            assert share.idle == total(idle, "USD")
            assert (share.deployments, share.jobs) == (len({line.id.lower() for line in lines}), len(jobs))
        dearness = [share.hosting.known.high + share.training.known.high for share in bill.lines]
        assert dearness == sorted(dearness, reverse=True)
    assert sum(one.uses for one in statement.prices) == len(statement.hosted) + len(statement.trained)
    for one in statement.prices:
        lines = [
            line
            for line in statement.hosted
            if one.what.startswith(f"hosting, {line.sku}, ") and _same(line.price, one.price)
        ]
        assert one.what.startswith("training") or len(lines) >= one.uses


def _same(one, other):
    if isinstance(one, Unknown) or isinstance(other, Unknown):
        return one == other
    return (one.rate, one.source) == (other.rate, other.source)


def test_periods_of_one_record_are_each_its_own():
    """A report, and the part of it that was billed, are worked out of one record."""
    records, terms = make_records(make_recorded(make_life(make_deployment(created_at=NOW - 2 * DAY)))), make_terms()
    whole, part = WEEK, Period(begin=NOW - DAY, end=NOW)
    for _ in range(2):
        assert stated(records, period=whole, terms=terms).hosting.text == "81.60 USD"
        assert stated(records, period=part, terms=terms).hosting.text == "40.80 USD"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param({"trickle_a_day": 9.0}, {"trickle_a_day": 1.0}, id="the limit of a trickle"),
        pytest.param({"wasting_after": DAY}, {"wasting_after": 9 * DAY}, id="the limit of waste"),
        pytest.param({"zone": ZoneInfo("Asia/Tokyo")}, {"zone": ZoneInfo("UTC")}, id="the zone"),
        pytest.param({"tag_labels": ("environment",)}, {"tag_labels": ()}, id="the labels"),
        pytest.param({"owner_tag": "team"}, {"owner_tag": "owner"}, id="the tag of the owner"),
        pytest.param({"book": BOOKS["list"]}, {"book": BOOKS["table"]}, id="the prices"),
    ],
)
def test_terms_of_one_record_are_each_their_own(first, second):
    called = NOW - 3 * DAY
    one = make_deployment("bot", created_at=BEGAN, tags={"owner": "Ann", "team": "Ben", "environment": "lab"})
    life = make_life(one, called=called)

    def account():
        return make_recorded(life, calls={"bot": {called: 2.0, called - DAY: 2.0}})

    shared = make_records(account())
    both = [stated(shared, terms=make_terms(**each)) for each in (first, second)]
    assert both == [stated(account(), terms=make_terms(**each)) for each in (first, second)]
    assert both[0] != both[1]


def test_a_period_is_parted_by_the_midnights_of_each_zone():
    """The same week is asked for in several zones, as by the page and by a report."""
    one = make_life(make_deployment(created_at=BEGAN))
    first = {}
    for zone in ("UTC", "Asia/Tokyo", "America/New_York"):
        statement = stated(make_recorded(one), terms=make_terms(zone=ZoneInfo(zone)))
        first[zone] = statement.days[0].costs[State.IDLE].text
        assert statement.days[0].day == WEEK.begin.astimezone(ZoneInfo(zone)).date()
    assert first == {"UTC": "27.20 USD", "Asia/Tokyo": "11.90 USD", "America/New_York": "35.70 USD"}


def test_metrics_of_each_account_are_its_own():
    read = Coverage(spans=((BEGAN, NOW - 3 * DAY),))
    deployments = [make_deployment("bot", account=account, created_at=BEGAN) for account in (EAST, WEST)]
    accounts = [
        make_recorded(make_life(deployments[0]), account=EAST),
        make_recorded(make_life(deployments[1]), account=WEST, coverage=read),
    ]
    found = {line.place.account: line.by_state for line in stated(*accounts, period=WEEK).hosted}
    assert {label: {state.value for state in states} for label, states in found.items()} == {
        "east": {"idle"},
        "west": {"idle", "unknown"},
    }
