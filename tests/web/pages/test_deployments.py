"""`/deployments` and the page of one deployment."""

import re
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.cli.world import lock_out
from tests.factories import (
    DAY,
    HOUR,
    MINUTE,
    NOW,
    make_deployment,
    make_gap,
    make_job,
    make_snapshot,
    make_usage,
)
from tests.report.factories import make_price
from tests.web.pages.house import House, Show, read
from tests.web.pages.test_overview import text_of
from watcher.answers import sheets
from watcher.answers.money import Money
from watcher.answers.query import Frame
from watcher.costs.idle import idle_money
from watcher.costs.prices import LIST_PRICES, book_of
from watcher.resources.calls import Calls, HourOfCalls
from watcher.resources.departure import Departure
from watcher.resources.snapshot import GapReason, Section, Snapshot
from watcher.store.engine import Store
from watcher.web.pages.deployment_words import deployment_shown
from watcher.web.render import Words

BOT = "/deployments/contoso-ft/support-bot"


def snapshot(**changes: Any) -> Snapshot:
    defaults: dict[str, Any] = {"at": NOW - MINUTE, "jobs": [], "deployments": [], "usage": []}
    return make_snapshot(**{**defaults, **changes})


def names(html: str) -> list[str]:
    return re.findall(r'href="/deployments/[^/"]+/([^"?]+)"', html)


def part(html: str, begin: str, end: str) -> str:
    return text_of(html[html.index(f'id="{begin}"') : html.index(f'id="{end}"')])


async def test_what_goes_first_is_first_and_what_is_never_deleted_last(show: Show) -> None:
    deployments = [
        make_deployment("base", model="gpt-4o-mini"),
        make_deployment("busy"),
        make_deployment("idle-12"),
        make_deployment("idle-14"),
        make_deployment("dark"),
    ]
    usage = [
        make_usage("busy", last_success_at=NOW - HOUR),
        make_usage("idle-12", last_success_at=NOW - 12 * DAY),
        make_usage("idle-14", last_success_at=NOW - 14 * DAY),
    ]
    gap = make_gap(Section.METRICS, GapReason.BROKEN, subject="dark", at=NOW - MINUTE)
    html = await show(snapshot(deployments=deployments, usage=usage, gaps=(gap,)), path="/deployments")
    assert names(html) == ["idle-14", "idle-12", "dark", "busy", "base"]
    assert 'aria-sort="ascending"' in html
    assert names(await show(path="/deployments?show=unknown")) == ["dark"]
    assert names(await show(path="/deployments?sort=idle"))[:2] == ["idle-14", "idle-12"]
    assert names(await show(path="/deployments?q=IDLE&sort=-deletion")) == ["idle-12", "idle-14"]


async def test_what_could_not_be_read_is_unknown_in_every_column(show: Show) -> None:
    gap = make_gap(Section.METRICS, GapReason.ROLE, at=NOW - MINUTE)
    html = await show(snapshot(deployments=[make_deployment()], usage=None, gaps=(gap,)), path="/deployments")
    row = html[html.index("<tbody>") :]
    assert '<span class="badge unknown">unknown</span>' in row
    assert "idle" not in text_of(row)


async def test_thousands_come_by_pages(show: Show) -> None:
    many = [make_deployment(f"bot-{number:03}") for number in range(120)]
    html = await show(snapshot(deployments=many), path="/deployments?sort=deployment")
    assert len(names(html)) == 50 and "Page 1 of 3" in html
    assert names(await show(path="/deployments?sort=deployment&page=3"))[-1] == "bot-119"


async def test_the_clock_is_told_with_what_it_rests_on(show: Show) -> None:
    usage = make_usage("support-bot", last_success_at=NOW - 13 * DAY, last_failure_at=NOW - 12 * DAY)
    html = await show(snapshot(deployments=[make_deployment()], usage=[usage]), path=BOT)
    clock = part(html, "clock", "money")
    assert "15 d without a call" in clock
    assert "Idle for 13 d " in clock
    assert "Earliest 24 Nov 09:00" in clock and "Latest 25 Nov 10:00" in clock
    assert "whether such a call counts is not documented" in clock
    assert "Azure may delete it in 2 d , from 24 Nov 09:00 on, unless it is called." in text_of(html)


async def test_the_cost_is_told_to_date_idle_and_until_deletion(show: Show) -> None:
    one = make_deployment(created_at=NOW - 20 * DAY)
    usage = make_usage("support-bot", last_success_at=NOW - 13 * DAY)
    money = part(await show(snapshot(deployments=[one], usage=[usage]), path=BOT), "money", "what")
    assert "By the hour 1.70 USD" in money
    assert "To date 816.00 USD" in money, "20 days"
    assert "Idle so far 530.40 USD" in money, "13 days"
    assert "Until deletion 81.60 to 83.30 USD" in money, "two days, and the hour of the last call"
    assert "ist price, not an invoice" in money


async def test_its_alert_says_until_when_nobody_is_known_to_have_called_it(show: Show) -> None:
    usage = make_usage("support-bot", read_to=NOW - 2 * HOUR, last_success_at=NOW - 4 * DAY)
    html = await show(snapshot(at=NOW, deployments=[make_deployment()], usage=[usage]), path="/alerts")
    said = "has had no call for 3 d 22 h, since 2026-11-18 09:00 CET (08:00 UTC) (known to 2026-11-22 07:00 CET"
    assert said in text_of(html)
    (link,) = (link for link in read(html).links if link.startswith("/alerts/alr_"))
    assert said in text_of(await show(path=link))


async def test_of_an_open_end_the_least_is_told_alone(show: Show, store: Store) -> None:
    """`at least 40.80 to 48.00 USD` would name a most that nobody knows."""
    await show(snapshot(deployments=[make_deployment()]), path=BOT)
    book, price = book_of(LIST_PRICES), make_price(Decimal("1.70"), high=2)
    sheet = store.read_now(
        sheets.deployment, Frame(now=NOW), "contoso-ft", "support-bot", routing=None, book_of=lambda _: book
    )
    since, deletion = (NOW - DAY, NOW - DAY), (NOW + DAY, None)
    sheet = replace(sheet, money=Money(price=price, idle=idle_money(price, now=NOW, since=since, deletion=deletion)))
    zone = ZoneInfo("Europe/Berlin")
    shown = deployment_shown(sheet, Words(now=NOW, zone=zone), now=NOW, zone=zone)
    assert ("Until deletion", "at least 40.80 USD", "from now on, if nobody acts") in shown.money


async def test_an_unknown_price_is_said(show: Show) -> None:
    money = part(await show(snapshot(deployments=[make_deployment(sku="GlobalBatch")]), path=BOT), "money", "what")
    assert "By the hour unknown" in money and "To date unknown" in money


async def test_calls_are_drawn_by_hour_and_day_and_unread_time_is_not_quiet(show: Show) -> None:
    hours = {NOW - 5 * HOUR: HourOfCalls(ok=3, other=1), NOW - 2 * DAY: HourOfCalls(ok=4)}
    usage = make_usage("support-bot", read_from=NOW - 3 * DAY, read_to=NOW - 2 * HOUR, last_success_at=NOW - 5 * HOUR)
    calls = {"support-bot": Calls(deployment="support-bot", hours=hours)}
    html = await show(snapshot(deployments=[make_deployment()], usage=[usage], calls=calls), path=BOT)
    assert "At least 7 answered and 1 other calls in the last 30 d" in html
    assert "22 Nov 04:00: 3 answered, 1 refused or failed" in html
    assert "22 Nov 02:00: 0 answered" in html, "read, and quiet"
    assert "22 Nov 08:00: not all of it was read" in html, "newer than what was read"
    assert html.count('<rect class="unread" x=') > 27, "days before the metrics begin, and the last hours"
    assert "Fri 20 Nov: 4 answered" in html
    assert "Mon 16 Nov: not all of it was read" in html
    assert "Sun 22 Nov: 3 answered" in html, "the day goes on, and what could be read of it was"


async def test_each_life_of_a_name_has_its_own_cost_and_end(show: Show) -> None:
    first = make_deployment(created_at=NOW - 20 * DAY)
    second = make_deployment(created_at=NOW - 10 * DAY)
    html = await show(
        snapshot(at=NOW - 11 * DAY, deployments=[first]),
        snapshot(deployments=[second], usage=[make_usage("support-bot", last_success_at=NOW - HOUR)]),
        path=BOT,
    )
    lives = html[html.index('id="lives"') :]
    rows = [text_of(row) for row in lives.split("<tr>")[2:4]]
    assert "now stands" in rows[0] and "408.00 USD" in rows[0], "ten days"
    assert "replaced" in rows[1]


async def test_one_that_is_gone_is_told_with_its_cause_and_its_recipe(show: Show) -> None:
    one = make_deployment(created_at=NOW - 20 * DAY, tags={"owner": 'it\'s "us"'})
    usage = [make_usage("support-bot", last_success_at=NOW - 14 * DAY - 23 * HOUR)]
    html = await show(
        snapshot(at=NOW - 2 * HOUR, deployments=[one], usage=usage),
        snapshot(deployments=[], usage=[], absent=frozenset({one.key})),
        path=BOT,
    )
    assert "It is gone, seen" in text_of(html)
    assert "To deploy it again as it was" in html
    assert "az rest --method put" in html
    assert 'href="/keep' not in html, "nothing is left to keep"


@pytest.mark.parametrize(
    ("deleted_at", "cause"),
    [
        (NOW - MINUTE, "deleted by ana@x.example"),
        (NOW - HOUR, "deleted by ana@x.example at 2026-11-22 08:00 CET (07:00 UTC)"),
    ],
    ids=["seen at once", "seen later"],
)
async def test_who_deleted_it_and_when_is_told_once(show: Show, deleted_at: datetime, cause: str) -> None:
    one = make_deployment()
    log = Departure(is_read=True, deleted_by="ana@x.example", deleted_at=deleted_at)
    html = await show(
        snapshot(at=NOW - 2 * HOUR, deployments=[one]),
        snapshot(deployments=[], absent=frozenset({one.key}), departures={one.key: log}),
        path=BOT,
    )
    stands = text_of(html[html.index('aria-label="How it stands"') : html.index('id="calls"')])
    assert f": {cause}." in stands
    assert stands.count("ana@x.example") == 1


async def test_what_is_in_the_way_of_making_it_again_stands_with_the_command(show: Show) -> None:
    one = make_deployment()
    log = Departure(is_read=True, deleted_by="ana@x.example", account_deleted=True)
    html = await show(
        snapshot(at=NOW - 2 * HOUR, deployments=[one]),
        snapshot(deployments=[], usage=[], absent=frozenset({one.key}), departures={one.key: log}),
        path=BOT,
    )
    assert "was deleted, and one of the same name is there now, recovered or made anew." in text_of(html)


async def test_a_deployment_leads_to_the_job_that_made_its_model(show: Show) -> None:
    made = make_job("ftjob-1", "succeeded", fine_tuned_model=make_deployment().model)
    html = await show(snapshot(jobs=[made], deployments=[make_deployment()]), path=BOT)
    assert "/jobs/contoso-ft/ftjob-1" in read(html).links


async def test_it_can_be_kept_from_its_page(house: House) -> None:
    html = await house.get(BOT)
    assert "/keep?deployment=contoso-ft%2Fsupport-bot" in read(html).links
    await house.get("/keep?deployment=contoso-ft%2Fsupport-bot")


async def test_foreign_and_long_names_are_text(show: Show) -> None:
    hostile = '"><script>alert(1)<'
    one = make_deployment(hostile, tags={hostile: hostile}, failure=hostile, created_by=hostile, rai_policy=hostile)
    shot = snapshot(deployments=[one, make_deployment("x" * 300)])
    for path in ("/deployments", "/deployments/contoso-ft/%22%3E%3Cscript%3Ealert%281%29%3C"):
        html = await show(shot, path=path)
        assert "<script>alert" not in html and "&lt;script&gt;" in html
        assert " style=" not in html


async def test_what_is_not_known_is_no_page(show: Show) -> None:
    await show(snapshot(jobs=[make_job("ftjob-1")]), path="/deployments/contoso-ft/ftjob-1", status=404)


async def test_the_ended_are_listed_for_a_while(show: Show) -> None:
    one = make_deployment()
    await show(snapshot(at=NOW - 2 * HOUR, deployments=[one]))
    await show(snapshot(deployments=[], absent=frozenset({one.key})))
    assert names(await show(path="/deployments")) == []
    assert names(await show(path="/deployments?show=ended")) == ["support-bot"]


async def test_what_was_not_seen_is_told_by_what_explains_it(house: House) -> None:
    lock_out(house.world)
    html = await house.get("/deployments/northwind-ft/support-bot")
    note = text_of(html[html.index('class="note"') : html.index('id="calls"')])
    assert "Told by credential failing , which explains account forbidden ." in note
    assert "What mends it" in note and "Check [azure] credential" in note
