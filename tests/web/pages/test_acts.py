"""Forms: what they do, who is said to have done it, and what they answer to what cannot be taken."""

import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest

from tests.cli.world import good
from tests.factories import DAY, HOUR, NOW, make_deployment, make_usage
from tests.web.pages.house import House, act_form, read
from tests.web.rig import READER, WRITER, with_keys
from watcher.alerts.alert import Alert
from watcher.store import alerts, operators

NAME = {"author": "Kim"}


async def idle(house: House) -> Alert:
    """The countdown of `support-bot`, which has a day left."""
    found = await house.store.read(alerts.listed, firing_only=True)
    return next(one for one in found if one.finding.rule == "deployment_idle" and "support-bot" in one.finding.summary)


async def event(house: House) -> Alert:
    return next(one for one in await house.store.read(alerts.listed) if one.finding.rule == "job_failed")


async def audit(house: House) -> list[tuple[str, str, str]]:
    return [(one.author, one.action, one.subject) for one in await house.store.read(operators.audit)]


async def test_a_silence_begins_with_what_says_which_alert_it_is(house: House) -> None:
    alert = await idle(house)
    form = act_form(await house.get(f"/silences/new?alert={alert.id}"))
    assert form.fields["matchers"].split("\n") == [
        'rule="deployment_idle"',
        'account="contoso-ft"',
        'deployment="support-bot"',
    ]
    page = await house.done(f"/silences/new?alert={alert.id}", comment="they know", **{"for": "3d"}, **NAME)
    (made,) = await house.store.read(operators.silences, since=NOW)
    assert (made.ends_at, made.author, made.comment, made.is_forced) == (NOW + 3 * DAY, "Kim", "they know", False)
    assert made.matches(alert.labels)
    assert await audit(house) == [("Kim", "silence.add", made.id)]
    assert house.wakes == [1]
    assert "Silenced until 2026-11-25 09:00 CET" in page
    assert f"/silences/{made.id}/expire" in page or "comes through" in page


async def test_a_deletion_at_hand_comes_through_and_that_is_said(house: House) -> None:
    alert = await idle(house)
    page = await house.done(f"/silences/new?alert={alert.id}", comment="later", **{"for": "7d"}, **NAME)
    through = alert.finding.values["deletion_earliest"] < (NOW + DAY).isoformat()
    assert ("comes through" in page) is through
    assert "the deletion may come at 2026-11-2" in page
    forced = await house.done(
        f"/silences/new?alert={alert.id}", comment="really", is_forced="yes", **{"for": "7d"}, **NAME
    )
    assert "nobody is warned any more" in forced
    assert len(await house.store.read(operators.silences, since=NOW)) == 2


@pytest.mark.parametrize(
    ("typed", "field", "says"),
    [
        pytest.param({"matchers": ""}, "matchers", "say what is to be quiet", id="no matchers"),
        pytest.param({"matchers": "rule"}, "matchers", "is not a matcher", id="half a matcher"),
        pytest.param({"matchers": 'rule=~".*"'}, "matchers", "match every alert", id="all"),
        pytest.param({"for": "soon"}, "for", "write", id="no time"),
        pytest.param({"for": "2026-01-01"}, "for", "is past", id="past"),
        pytest.param({"for": "999999d"}, "for", "is more than ten years ahead", id="far"),
        pytest.param({"for": "9999-12-31"}, "for", "write", id="beyond the calendar"),
        pytest.param({"comment": "  "}, "comment", "say why", id="no reason"),
        pytest.param({"author": ""}, "author", "say who you are", id="nobody"),
        pytest.param({"comment": "x" * 2001}, "comment", "is longer than 2000", id="too long"),
    ],
)
async def test_what_cannot_be_taken_comes_back_as_it_was_typed(
    house: House, typed: dict[str, str], field: str, says: str
) -> None:
    given = {"matchers": 'rule="deployment_idle"', "for": "1h", "comment": "<b>why</b>", **NAME, **typed}
    answer = await house.submit("/silences/new", **given)
    assert answer.status_code == 422
    form = act_form(answer.text)
    assert form.invalid == {field}
    assert {name: form.fields[name] for name in given} == given
    place = re.search(rf'id="error-{field}">([^<]*)<', answer.text)
    assert place is not None and says in place[1]
    assert f"error-{field}" in re.search(rf'name="{field}"[^>]*aria-describedby="([^"]*)"', answer.text)[1]  # type: ignore[index]
    assert await house.store.read(operators.silences, since=NOW) == ()
    assert (await audit(house), house.wakes) == ([], [])


async def test_every_mistake_is_told_at_once(house: House) -> None:
    answer = await house.submit("/silences/new", matchers="rule", comment="", author="", **{"for": "x"})
    assert act_form(answer.text).invalid == {"matchers", "for", "comment", "author"}


async def test_a_silence_is_ended(house: House) -> None:
    blind = [one for one in await house.store.read(alerts.listed) if one.finding.rule == "account_forbidden"]
    await house.done("/silences/new", matchers='rule="account_forbidden"', comment="known", **{"for": "1d"}, **NAME)
    (made,) = await house.store.read(operators.silences, since=NOW)
    silenced, firing = [read(await house.get(f"/alerts?show={show}")).links for show in ("silenced", "firing")]
    assert f"/silences/{made.id}/expire" in silenced
    assert blind
    for alert in blind:
        assert (f"/alerts/{alert.id}" in silenced, f"/alerts/{alert.id}" in firing) == (True, False)
    house.world.now = NOW + HOUR
    page = await house.done(f"/silences/{made.id}/expire", **NAME)
    assert "has ended" in page
    assert await house.store.read(operators.silences, since=NOW + HOUR) == ()
    assert (await audit(house))[0] == ("Kim", "silence.expire", made.id)
    assert "is active" in await house.get(f"/silences/{made.id}/expire", 404)


async def test_an_alert_is_acknowledged(house: House) -> None:
    alert = await idle(house)
    page = await house.done(f"/alerts/{alert.id}/acknowledge", comment="calling it now", **NAME)
    assert "Acknowledged: no more reminders" in page
    assert "acknowledged by Kim" in page
    assert "calling it now" in page  # in the audit
    assert alert.id in await house.get("/alerts?show=acknowledged")
    assert f"/alerts/{alert.id}" not in read(await house.get("/alerts")).links
    again = await house.done(f"/alerts/{alert.id}/acknowledge", comment="still", author="Lee")
    assert "Kim had done so before" in again


async def test_what_is_over_is_not_acknowledged(house: House) -> None:
    alert = await idle(house)
    house.world.record(
        good(
            at=NOW, usage=[make_usage("support-bot", last_success_at=NOW), make_usage("busy-bot", last_success_at=NOW)]
        )
    )
    assert "nothing to acknowledge" in await house.get(f"/alerts/{alert.id}/acknowledge", 400)
    page = await house.get(f"/alerts/{alert.id}")
    assert "resolved" in page
    assert not [link for link in read(page).links if "acknowledge" in link or "silences" in link]
    assert alert.id in await house.get("/alerts?show=resolved")


async def test_a_deployment_is_kept_and_kept_no_longer(house: House) -> None:
    address = f"/keep?deployment={quote('contoso-ft/support-bot', safe='')}&back=/alerts"
    page = await house.done(address, until="2026-12-31", reason="demo for the board", **NAME)
    (kept,) = await house.store.read(operators.keeps, since=NOW)
    assert (kept.deployment, kept.author, kept.reason) == ("support-bot", "Kim", "demo for the board")
    assert kept.until.isoformat() == "2026-12-31T23:00:00+00:00"  # the end of the day in Berlin
    assert "support-bot is kept until 2027-01-01 00:00 CET" in page
    assert "keep does not stop it" in page  # its deletion comes before that
    (end,) = [link for link in read(page).links if link.startswith("/keep/end")]
    page = await house.done(end, reason="over", **NAME)
    assert "contoso-ft/support-bot is kept no longer" in page
    assert await house.store.read(operators.keeps, since=NOW) == ()
    assert [one[1] for one in await audit(house)] == ["keep.drop", "keep"]


async def test_a_deployment_that_there_is_not_is_told_beside_its_field(house: House) -> None:
    answer = await house.submit("/keep", deployment="contoso-ft/no-bot", until="30d", reason="why not", **NAME)
    assert answer.status_code == 422
    form = act_form(answer.text)
    assert (form.invalid, form.fields["reason"]) == ({"deployment"}, "why not")


async def test_a_named_token_stands_in_the_audit_whatever_is_typed(house_for: Callable[..., Awaitable[House]]) -> None:
    house = await house_for(with_keys(), token=WRITER)
    alert = await idle(house)
    form = act_form(await house.get(f"/alerts/{alert.id}/acknowledge"))
    assert "author" not in form.fields
    await house.done(f"/alerts/{alert.id}/acknowledge", comment="mine", author="somebody else")
    assert await audit(house) == [("deploys", "ack", alert.id)]


async def test_who_may_only_look_sees_no_form_and_changes_nothing(
    house_for: Callable[..., Awaitable[House]],
) -> None:
    house = await house_for(with_keys(), token=READER)
    alert = await idle(house)
    addresses = [
        "/silences/new",
        f"/alerts/{alert.id}/acknowledge",
        "/keep",
        "/keep/end",
        "/deliveries/dead/retry",
        "/deliveries/dead/drop",
    ]
    for shown in ("/alerts", f"/alerts/{alert.id}", "/deliveries"):
        acts = re.compile(r"^/(silences|keep|.*/(acknowledge|expire|retry|drop))")
        assert not [link for link in read(await house.get(shown)).links if acts.match(link)], shown
    for address in addresses:
        assert (await house.client.get(address)).status_code == 403
        answer = await house.client.post(address, data={"comment": "x", "matchers": "rule=x", "for": "1d"})
        assert answer.status_code == 403
    assert await audit(house) == []


async def test_a_form_without_our_proof_does_nothing(house: House) -> None:
    alert = await idle(house)
    form = act_form(await house.get(f"/alerts/{alert.id}/acknowledge"))
    for fields in ({**form.fields, "proof": ""}, {**form.fields, "proof": "0" * 64}):
        answer = await house.client.post(form.action, data={**fields, "comment": "x", **NAME})
        assert answer.status_code == 403
    foreign = {"origin": "https://elsewhere.example.com", "sec-fetch-site": "cross-site"}
    answer = await house.client.post(form.action, data={**form.fields, "comment": "x", **NAME}, headers=foreign)
    assert answer.status_code == 403
    assert (await audit(house), house.wakes) == ([], [])


@pytest.mark.parametrize(
    "back", ["//elsewhere.example.com", "https://elsewhere.example.com/", "\\\\elsewhere", "/\t/x"]
)
async def test_a_form_leads_nowhere_else(house: House, back: str) -> None:
    answer = await house.submit("/silences/new", matchers="rule=x", comment="y", back=back, **{"for": "1h"}, **NAME)
    assert re.fullmatch(r"/\?said=[\w-]+", answer.headers["location"])


@pytest.mark.parametrize(
    "back",
    [
        "/",
        "/jobs",
        "/jobs/{job}",
        "/deployments",
        "/alerts",
        "/deliveries",
        "/report",
        "/report?period=never",
    ],
)
async def test_what_an_act_came_to_is_said_wherever_it_leads_back_to(house: House, back: str) -> None:
    job = next(link for link in read(await house.get("/jobs?show=all")).links if link.startswith("/jobs/"))
    typed = {"matchers": "rule=nothing", "for": "1h", "comment": "x", **NAME, "back": back.replace("/jobs/{job}", job)}
    answer = await house.submit("/silences/new", **typed)
    page = await house.client.get(answer.headers["location"])
    assert re.search(r'<(div class="note"|p class="said") role="status">(<p>)?Silenced', page.text)


async def test_what_is_said_is_ours_and_not_for_long(house: House) -> None:
    answer = await house.submit("/silences/new", matchers="rule=x", comment="y", **{"for": "1h"}, **NAME)
    address = answer.headers["location"]
    assert "Silenced until" in await house.get(address)
    assert "Silenced until" in await house.get(address)  # the live update asks for the same address
    house.world.now = NOW + timedelta(minutes=11)
    assert "Silenced until" not in await house.get(address)
    page = await house.get("/alerts?said=<b>Call 555-0100</b>")
    assert "555-0100" not in page


async def test_a_hostile_name_is_text(house: House) -> None:
    hostile = "<img src=x onerror=alert(1)>"
    house.world.record(
        good(
            at=NOW,
            deployments=[make_deployment(hostile, tags={"owner": hostile})],
            usage=[make_usage(hostile, last_success_at=NOW - 13 * DAY)],
        )
    )
    found: Any = await house.store.read(alerts.listed, firing_only=True)
    mine = next(one for one in found if one.labels.get("owner") == hostile)
    for address in ("/alerts", f"/alerts/{mine.id}", f"/silences/new?alert={mine.id}", "/report"):
        page = await house.get(address)
        assert "&lt;img src=x" in page, address
        assert "<img src=x" not in page


async def test_an_event_is_not_silenced_from_its_page(house: House) -> None:
    happened = await event(house)
    page = await house.get(f"/alerts/{happened.id}")
    assert not [link for link in read(page).links if link.startswith("/silences/new")]


async def test_an_address_has_nothing_matched_by_its_expressions(house: House) -> None:
    """Anybody may have written it; what was typed into the form and sent is matched."""
    shown = {
        text: await house.get(f"/silences/new?matchers={quote(text, safe='')}")
        for text in ("rule=deployment_idle", 'rule=~"deployment_idle"', 'rule!~"job_.*"', 'rule=~"(.|.)*!"')
    }
    assert [text for text, page in shown.items() if "These would be quiet now" in page] == ["rule=deployment_idle"]
    sent = await house.submit("/silences/new", matchers='rule=~"deployment_.*"', comment="", **{"for": "1h"}, **NAME)
    assert sent.status_code == 422
    assert "These would be quiet now" in sent.text


async def test_an_expression_that_could_take_for_ever_is_refused(house: House) -> None:
    typed = {"matchers": 'subscription=~"(.|.)*!"', "comment": "c", "for": "1h", **NAME}
    answer = await house.submit("/silences/new", **typed)
    assert (answer.status_code, act_form(answer.text).invalid) == (422, {"matchers"})
    assert "could take for ever" in answer.text
    assert await house.store.read(operators.silences, since=NOW) == ()
