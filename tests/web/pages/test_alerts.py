"""The listing of alerts, whose parts can be shared as links, and one alert with all that was done."""

import re
from dataclasses import replace
from urllib.parse import urlencode

import pytest
from sqlalchemy import Connection

from tests.factories import DAY, NOW, SECOND
from tests.web.pages.house import House, read
from watcher.answers.alert_file import alert_file
from watcher.cycles import decide
from watcher.rules.finding import Severity
from watcher.store import alerts, operators
from watcher.web.pages.alerts import SHOWN

ROW = re.compile(r"/alerts/(alr_\w+)")


def ids(page: str) -> list[str]:
    """Of the alerts in the table, in its order."""
    table = page.partition("<tbody>")[2].partition("</tbody>")[0]
    return list(dict.fromkeys(ROW.findall(table)))


async def test_each_alert_stands_under_one_tab(house: House) -> None:
    known = {one.id for one in await house.store.read(alerts.listed)}
    shown = [ids(await house.get(f"/alerts?show={tab}")) for tab in SHOWN]
    assert sorted(id_ for tab in shown for id_ in tab) == sorted(known)
    page = await house.get("/alerts")
    counts = {tab.lower(): int(count) for tab, count in re.findall(r">(\w+) <b>(\d+)</b></a>", page)}
    assert counts == {tab: len(found) for tab, found in zip(SHOWN, shown, strict=True)}


async def test_the_loudest_stand_first_and_other_orders_are_links(house: House) -> None:
    (alert,) = await house.store.read(alerts.of_ids, [ids(await house.get("/alerts"))[0]])
    louder = replace(
        alert, id="alr_louder", fingerprint="0" * 32, finding=replace(alert.finding, severity=Severity.CRITICAL)
    )
    await house.store.write(alerts.save, [louder])
    page = await house.get("/alerts")
    ranks = [("critical", "warning", "info").index(one) for one in re.findall(r'<td><span class="badge (\w+)">', page)]
    assert ranks == sorted(ranks) and len(set(ranks)) > 1
    assert 'aria-sort="descending"><a href="/alerts">Severity' in page
    for sort in ("rule", "account", "owner", "since"):
        assert f"/alerts?sort={sort}" in read(page).links
        assert sorted(ids(await house.get(f"/alerts?sort={sort}"))) == sorted(ids(page))
    by_rule = await house.get("/alerts?sort=rule")
    rules = re.findall(r'data-label="Rule"[^>]*>(\w+)<', by_rule)
    assert rules == sorted(rules)


async def test_a_filter_holds_until_it_is_taken_away(house: House) -> None:
    page = await house.get("/alerts")
    everything = ids(page)
    rule = (await house.store.read(alerts.find, everything[0])).finding.rule  # type: ignore[union-attr]
    address = f"/alerts?{urlencode({'rule': rule})}"
    assert address in read(page).links
    filtered = await house.get(address)
    assert 0 < len(ids(filtered)) < len(everything)
    assert set(re.findall(r'data-label="Rule"[^>]*>(\w+)<', filtered)) == {rule}
    assert "/alerts" in read(filtered).links  # the way back
    two = await house.get(f"{address}&account=contoso-ft")
    assert set(ids(two)) <= set(ids(filtered))
    assert "Nothing here fits these filters" in await house.get("/alerts?rule=none_such")


@pytest.mark.parametrize("query", ["show=all", "sort=colour", "page=0", "page=x", "since=soon&show=events"])
async def test_an_address_that_means_nothing_is_told_so(house: House, query: str) -> None:
    await house.get(f"/alerts?{query}", 400)


async def test_what_is_over_is_of_a_span(house: House) -> None:
    assert ids(await house.get("/alerts?show=events&since=24h"))
    house.world.now = NOW + 8 * DAY
    assert not ids(await house.get("/alerts?show=events"))
    assert ids(await house.get("/alerts?show=events&since=30d"))


async def test_many_alerts_are_told_by_pages(house: House) -> None:
    (happened,) = [one for one in await house.store.read(alerts.listed) if one.is_event]
    more = [replace(happened, id=f"alr_{number:x}", fingerprint=f"{number:x}") for number in range(130)]
    await house.store.write(alerts.save, more)
    first = await house.get("/alerts?show=events")
    (following,) = [link for link in read(first).links if "page=2" in link]
    second = await house.get(following)
    assert len(ids(first)) == 100
    assert not set(ids(first)) & set(ids(second))
    assert len(ids(first)) + len(ids(second)) == 131


async def test_one_alert_says_why_what_to_do_and_who_was_told(house: House) -> None:
    found = await house.store.read(alerts.listed, firing_only=True)
    alert = next(one for one in found if one.finding.rule == "deployment_idle")
    page = await house.get(f"/alerts/{alert.id}")
    assert '<pre class="command" tabindex="0"><code>curl ' in page
    assert "last successful call" in page
    assert "CET" in page and "UTC</p>" not in page  # its texts are local
    assert "<b>hook</b>" in page and "grouped by" in page
    assert "bad_request: 410: gone for good" in page  # the attempt, as it went
    assert "https://portal.azure.com/" in page
    assert f"/deployments/contoso-ft/{alert.labels['deployment']}" in read(page).links
    deliveries = [link for link in read(page).links if link.startswith("/deliveries/ntf_")]
    assert len(deliveries) == 1
    assert alert.id in await house.get(deliveries[0])


async def test_an_alert_is_found_by_the_beginning_of_its_id(house: House) -> None:
    (alert, *_) = await house.store.read(alerts.listed)
    answer = await house.client.get(f"/alerts/{alert.id[:-3]}")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/alerts/{alert.id}")
    assert "no alert has the id" in await house.get("/alerts/alr_0000", 404)


async def test_a_silence_that_cannot_be_read_hides_nothing_and_says_so(house: House) -> None:
    shown = ids(await house.get("/alerts"))
    matchers = ['rule=~"(a+)+!"', "account=<b>"]  # by an older version, or another hand
    known = {"ends_at": NOW + DAY, "author": "Kim", "comment": "known", "now": NOW}
    await house.store.write(lambda tx: operators.add_silence(tx, matchers, **known))
    page = await house.get("/alerts")
    assert ids(page) == shown
    assert "hides nothing: it cannot be read</span>" in page
    assert "could take for ever" in page
    assert 'class="num">0</td>' in page


async def test_why_nobody_is_told_now_is_what_dispatch_says_that_looks_at_all(house: House) -> None:
    """Of one that all were told of, of two that wait for one message, and of one that nobody is told of."""
    routing, now = house.site.settings().routing, house.site.clock()
    assert routing is not None
    (told,) = await house.store.read(alerts.of_ids, [ids(await house.get("/alerts"))[0]])
    untold = replace(told, id="alr_new", fingerprint="1" * 32, starts_at=now, raised_at=now)
    before = now - 10 * SECOND
    earlier = replace(untold, id="alr_earlier", fingerprint="3" * 32, starts_at=before, raised_at=before)
    wasting = replace(untold, id="alr_quiet", fingerprint="2" * 32)
    wasting = replace(wasting, finding=replace(told.finding, rule="deployment_wasting", severity=Severity.INFO))
    await house.store.write(alerts.save, [untold, earlier, wasting])

    def both(tx: Connection) -> list[tuple[object, object]]:
        unsettled = alerts.unsettled(tx)
        held = decide(tx, unsettled, routing, now).held
        return [(alert_file(tx, one.id, routing=routing, now=now).held, held.get(one.id, ())) for one in unsettled]

    found = await house.store.read(both)
    assert sum(bool(of_all) for _, of_all in found) == 3 < len(found)
    assert [alone for alone, _ in found] == [of_all for _, of_all in found]
