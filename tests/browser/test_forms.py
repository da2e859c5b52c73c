"""Each form, filled in and sent as a visitor would, with and without scripts; and what came of it in the store."""

import re
from collections.abc import Sequence
from urllib.parse import quote

import pytest
from playwright.async_api import Page, expect

from tests.browser import estate
from tests.browser.sites import Served
from tests.browser.visits import Visits
from watcher.alerts.alert import Alert
from watcher.alerts.keep import Keep
from watcher.alerts.silence import Silence
from watcher.store import alerts, operators, outbox
from watcher.store.operators import AuditEntry

pytestmark = pytest.mark.asyncio(loop_scope="session")
both = pytest.mark.parametrize("has_scripts", [True, False], ids=["scripts", "no-scripts"])
AUTHOR = "Ada <b>of</b> search"


async def fill(page: Page, **fields: str) -> None:
    for name, text in fields.items():
        await page.locator(f"[name={name}]").fill(text)


async def send(page: Page, verb: str, **fields: str) -> None:
    """Fill in the form of a page and send it; on loopback nobody is named, so the form asks."""
    await fill(page, author=AUTHOR, **fields)
    await page.get_by_role("button", name=verb, exact=True).click()


async def said(page: Page, text: str) -> None:
    await expect(page.get_by_role("main").get_by_role("status")).to_contain_text(text)


async def firing(site: Served, rule: str = "deployment_idle") -> list[Alert]:
    found: Sequence[Alert] = await site.store.read(alerts.listed, firing_only=True)
    return [one for one in found if one.finding.rule == rule and one.acked_at is None]


async def silences(site: Served) -> list[Silence]:
    """Those of this visitor that last."""
    return [one for one in await site.store.read(operators.silences, since=estate.now()) if one.author == AUTHOR]


async def keeps(site: Served) -> list[Keep]:
    """Those of this visitor that last."""
    return [one for one in await site.store.read(operators.keeps, since=estate.now()) if one.author == AUTHOR]


async def noted(site: Served, subject: str) -> list[tuple[str, str]]:
    """Who did what with it, newest first, and why."""
    found: tuple[AuditEntry, ...] = await site.store.read(operators.audit, subject=subject)
    assert {one.author for one in found} == {AUTHOR}
    return [(one.action, one.comment) for one in found]


@both
async def test_an_alert_is_silenced_and_heard_again(site: Served, visits: Visits, has_scripts: bool) -> None:
    alert = (await firing(site))[0]
    wakes = len(site.wakes)
    page = await visits.open(f"{site.address}/alerts/{alert.id}", has_scripts=has_scripts)
    await page.get_by_role("link", name="Silence", exact=True).click()
    await expect(page.locator("[name=matchers]")).to_have_value(re.compile('rule="deployment_idle"'))
    await send(page, "Silence", comment="moving house", **{"for": "4h"})
    await said(page, "Silenced until")
    (silence,) = [
        one for one in await site.store.read(operators.silences, since=estate.now()) if one.matches(alert.labels)
    ]
    assert (silence.author, silence.comment) == (AUTHOR, "moving house")
    await page.goto(f"{site.address}/silences/{silence.id}/expire")
    await send(page, "End it now", comment="moved")
    await said(page, "has ended")
    assert await silences(site) == []
    assert len(site.wakes) == wakes + 2


@both
async def test_an_alert_is_acknowledged(site: Served, visits: Visits, has_scripts: bool) -> None:
    alert = (await firing(site))[0]
    page = await visits.open(f"{site.address}/alerts/{alert.id}", has_scripts=has_scripts)
    await page.get_by_role("link", name="Acknowledge", exact=True).click()
    await send(page, "Acknowledge", comment="I call it tonight")
    await said(page, "Acknowledged")
    await expect(page.get_by_role("main")).to_contain_text(f"acknowledged by {AUTHOR}")
    assert await noted(site, alert.id) == [("ack", "I call it tonight")]


@both
async def test_a_deployment_is_kept_and_kept_no_longer(site: Served, visits: Visits, has_scripts: bool) -> None:
    wanted = "contoso-lab/eval-paused"
    page = await visits.open(f"{site.address}/deployments/{wanted}", has_scripts=has_scripts)
    await page.get_by_role("link", name="Keep it", exact=True).click()
    await expect(page.locator("[name=deployment]")).to_have_value(wanted)
    await send(page, "Keep it", until="30d", reason="the audit needs it")
    await said(page, "is kept until")
    assert [one.reason for one in await keeps(site)] == ["the audit needs it"]
    await page.get_by_role("link", name="Keep it no longer").click()
    await send(page, "Keep it no longer", reason="audited")
    await said(page, "kept no longer")
    assert await keeps(site) == []


@both
async def test_a_dead_message_is_tried_again_and_a_waiting_one_dropped(
    site: Served, visits: Visits, has_scripts: bool
) -> None:
    await estate.lose(site.machine)
    dead = (await site.store.read(outbox.listed, states=("dead",)))[0].notification.id
    page = await visits.open(f"{site.address}/deliveries/{dead}", has_scripts=has_scripts)
    await page.get_by_role("link", name="Retry", exact=True).click()
    await send(page, "Try again now", comment="the hook is mended")
    await said(page, "tried again")
    assert dead in [one.notification.id for one in await site.store.read(outbox.listed, states=("pending",))]
    await page.goto(f"{site.address}/deliveries/{dead}")
    await page.get_by_role("link", name="Drop", exact=True).click()
    await send(page, "Drop it for good", comment="told by telephone")
    await said(page, "ropped")
    waiting = await site.store.read(outbox.listed, states=("pending", "dead"))
    assert dead not in [one.notification.id for one in waiting]
    done = [("outbox.drop", "told by telephone"), ("outbox.retry", "the hook is mended")]
    assert await noted(site, dead) == done


@both
async def test_what_was_typed_wrongly_comes_back_with_the_reason_beside_it(
    site: Served, visits: Visits, has_scripts: bool
) -> None:
    alert = (await firing(site))[0]
    address = f"{site.address}/silences/new?alert={quote(alert.id)}"
    page = await visits.open(address, has_scripts=has_scripts, is_fine=False)
    await send(page, "Silence", comment=estate.MARKUP, **{"for": "a while"})
    field = page.locator("[name=for]")
    await expect(field).to_have_attribute("aria-invalid", "true")
    described = (await field.get_attribute("aria-describedby") or "").split()
    assert 'write "4h"' in " ".join([await page.locator(f"#{one}").inner_text() for one in described])
    await expect(field).to_be_focused()
    await expect(field).to_have_value("a while")
    await expect(page.locator("[name=comment]")).to_have_value(estate.MARKUP)
    assert await silences(site) == []


async def test_a_form_that_lacks_something_is_not_sent(site: Served, visits: Visits) -> None:
    alert = (await firing(site))[0]
    page = await visits.open(f"{site.address}/alerts/{alert.id}/acknowledge")
    await page.get_by_role("button", name="Acknowledge", exact=True).click()
    assert await page.evaluate("document.activeElement.name") == "comment"
    assert (await site.store.read(alerts.find, alert.id)).acked_at is None
