"""What waits or is dead, and what is done about it."""

import re
from dataclasses import replace

import pytest

from tests.factories import DAY, HOUR, NOW
from tests.web.pages.house import House, act_form, read
from tests.web.rig import asking, make_app
from watcher.store import operators, outbox, reports
from watcher.store.attempts import Attempt
from watcher.store.reports import Issue

NAME = {"author": "Kim"}
ISSUE = Issue(
    name="weekly",
    edition="finance",
    receiver="screen",
    period_name="7d",
    begin=NOW - 8 * DAY,
    end=NOW - DAY,
    as_of=NOW - 3 * HOUR,
    due_at=NOW - 3 * HOUR,
    queued_at=NOW - 3 * HOUR,
)


async def dead(house: House) -> str:
    (one,) = await house.store.read(outbox.listed, states=["dead"])
    return one.notification.id


async def kill_a_report(house: House) -> str:
    await house.store.write(reports.add, [ISSUE])
    await house.store.write(reports.give_up, ISSUE.id, because="the server refused the sender", now=NOW)
    return ISSUE.id


async def test_what_is_dead_is_told_with_each_try_and_its_channel(house: House) -> None:
    id_ = await dead(house)
    page = await house.get("/deliveries")
    assert re.search(r"<b>hook</b>[^b]*<td data-label=\"State\"><span class=\"badge warning\">gave up", page, re.DOTALL)
    assert re.search(r"<b>screen</b>.*?works", page, re.DOTALL)
    assert f"/deliveries/{id_}" in read(page).links
    assert re.search(r"<summary>1</summary>.*?dead after 0\.\d s", page, re.DOTALL)
    one = await house.get(f"/deliveries/{id_}")
    assert "deployment_idle" in one
    assert {f"/deliveries/{id_}/retry", f"/deliveries/{id_}/drop"} == {
        link.partition("?")[0] for link in read(one).links if id_ in link
    }


async def test_it_is_tried_again_at_once(house: House) -> None:
    id_ = await dead(house)
    page = await house.done(f"/deliveries/{id_}/retry", comment="mended", **NAME)
    assert "1 message is tried again now" in page
    (one,) = await house.store.read(outbox.listed, ids=[id_])
    assert (one.state, one.due_at) == ("pending", NOW)
    (entry,) = await house.store.read(operators.audit)
    assert (entry.author, entry.action, entry.subject, entry.comment) == ("Kim", "outbox.retry", id_, "mended")
    assert house.wakes == [1]


async def test_it_is_dropped_only_once_that_is_confirmed(house: House) -> None:
    id_ = await dead(house)
    form = act_form(await house.get(f"/deliveries/{id_}/drop"))
    (one,) = await house.store.read(outbox.listed, ids=[id_])
    assert one.state == "dead"  # looking at the form does nothing
    answer = await house.client.post(form.action, data={**form.fields, **NAME})
    assert answer.status_code == 303
    (one,) = await house.store.read(outbox.listed, ids=[id_])
    assert one.state == "dropped"
    assert id_ in await house.get("/deliveries?show=dropped")
    assert "nothing to retry" in await house.get(f"/deliveries/{id_}/retry", 400)


async def test_reports_stand_beside_messages(house: House) -> None:
    id_ = await kill_a_report(house)
    page = await house.get("/deliveries")
    assert "the server refused the sender" in page
    assert "Retry all 2 that are dead" in page
    assert "weekly, finance" in await house.get(f"/deliveries/{id_}")
    await house.done(f"/deliveries/{id_}/retry", **NAME)
    (one,) = await house.store.read(reports.listed, ids=[id_])
    assert one.state == "pending"
    await house.done(f"/deliveries/{id_}/drop", **NAME)
    (one,) = await house.store.read(reports.listed, ids=[id_])
    assert one.state == "dropped"


async def test_each_try_at_a_report_is_told(house: House) -> None:
    await house.store.write(reports.add, [ISSUE])
    assert "None yet." in await house.get(f"/deliveries/{ISSUE.id}")
    claimed = await house.store.write(reports.claim, ISSUE.id, "test", clock=lambda: NOW - HOUR)
    failed = Attempt(at=NOW - HOUR, duration_s=12.0, outcome="retry", kind="server", detail="server: 503 <busy>")
    await house.store.write(reports.mark, claimed, failed, state="pending", due_at=NOW + HOUR)
    page = await house.get(f"/deliveries/{ISSUE.id}")
    assert re.search(
        r"retry after 12\.0 s\s+· server: 503 &lt;busy&gt;|retry after 12\.0 s · server: 503 &lt;busy&gt;", page
    )


async def test_all_that_are_dead_are_tried_at_once(house: House) -> None:
    await kill_a_report(house)
    page = await house.done("/deliveries/dead/retry", **NAME)
    assert "2 messages are tried again now" in page
    assert "Retry all" not in page
    assert "nothing is dead any more" in await house.get("/deliveries/dead/retry", 404)


async def test_nobody_acts_without_a_name(house: House) -> None:
    answer = await house.submit(f"/deliveries/{await dead(house)}/drop")
    assert (answer.status_code, act_form(answer.text).invalid) == (422, {"author"})
    assert await house.store.read(operators.audit) == ()


async def test_what_was_delivered_is_of_a_span(house: House) -> None:
    delivered = await house.store.read(outbox.listed, states=["delivered"])
    page = await house.get("/deliveries?show=delivered")
    assert all(one.notification.id in page for one in delivered) and delivered
    house.world.now = NOW + 2 * DAY
    assert delivered[0].notification.id not in await house.get("/deliveries?show=delivered&since=24h")


@pytest.mark.parametrize("query", ["show=all", "page=-1", "show=delivered&since=x", "show=delivered&since=99999d"])
async def test_an_address_that_means_nothing_is_told_so(house: House, query: str) -> None:
    await house.get(f"/deliveries?{query}", 400)


async def test_a_receiver_of_which_nothing_is_known_is_unknown_and_not_well(house: House) -> None:
    settings = house.site.settings()
    assert settings.routing is not None
    routing = replace(settings.routing, receivers=(*settings.routing.receivers, "pager"))
    site = replace(house.site, settings=lambda: replace(settings, routing=routing))
    async with asking(make_app(site)) as client:
        page = (await client.get("/deliveries")).text
    assert re.search(r'<b>pager</b>.*?badge unknown">unknown</span>', page, re.DOTALL)
