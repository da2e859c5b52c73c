"""`/`: what it says first, what it never says, and that it stays short."""

import re
from dataclasses import replace
from typing import Any

from tests.cli.world import lock_out
from tests.factories import (
    DAY,
    HOUR,
    MINUTE,
    NOW,
    make_account,
    make_deployment,
    make_gap,
    make_job,
    make_snapshot,
    make_usage,
)
from tests.web.pages.house import House, Show
from tests.web.rig import asking, make_app
from watcher import config
from watcher.answers import acts
from watcher.daemon import page
from watcher.resources.snapshot import GapReason, Section, Snapshot
from watcher.store import scope
from watcher.store.engine import Store


def snapshot(**changes: Any) -> Snapshot:
    """An account of which everything was read, and nothing is wrong."""
    defaults: dict[str, Any] = {"at": NOW - MINUTE, "jobs": [], "deployments": [], "usage": []}
    return make_snapshot(**{**defaults, **changes})


def verdict(html: str) -> str:
    found = re.search(r'<h1 id="verdict">(.*?)</h1>', html, re.DOTALL)
    assert found
    return " ".join(re.sub(r"<[^>]+>", " ", found[1]).split())


def text_of(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


async def test_nothing_that_needs_anybody_is_said_in_one_sentence(show: Show) -> None:
    html = await show(snapshot())
    assert verdict(html) == "All well Nothing needs you."
    assert "1 of 1 account seen whole" in text_of(html)


async def test_before_anything_was_seen_nothing_is_well(show: Show) -> None:
    html = await show()
    assert verdict(html) == "Unknown Nothing can be said yet: no account has been seen."
    assert 'class="badge good"' not in html


async def test_that_all_is_well_says_how_old_the_readings_are_on_which_that_rests(show: Show) -> None:
    """Far from a deletion the calls are read twice a day, however often the cycle comes round."""
    bot = {"deployments": [make_deployment("bot", created_at=NOW - 2 * DAY)], "usage": [make_usage("bot")]}
    html = await show(snapshot(at=NOW - 35 * HOUR - MINUTE, **bot), snapshot(usage=None))
    assert verdict(html) == "All well Nothing needs you."
    said = "This rests on readings of calls up to 1 d 12 h old, of deployments up to 1 min, of jobs up to 1 min."
    assert said in text_of(html)


async def test_what_could_not_be_seen_comes_first_with_its_cure_and_keeps_the_verdict_from_being_good(
    show: Show,
) -> None:
    gap = make_gap(Section.METRICS, GapReason.NETWORK, at=NOW - DAY, message="Public access is disabled")
    html = await show(snapshot(usage=None, gaps=(gap,)))
    assert verdict(html).startswith("Look today contoso-ft refuses watcher on Azure Monitor")
    assert "The only account could not be seen whole" in text_of(html)
    assert html.index('id="coverage"') < html.index('id="firing"')
    seen = text_of(html[html.index('id="coverage"') : html.index('id="firing"')])
    assert "a firewall or private endpoint keeps watcher out" in seen
    assert "az cognitiveservices account network-rule list -g rg-ml -n contoso-ft" in seen
    assert "Public access is disabled" in seen
    assert "metrics 0 of 1" in seen


async def test_where_not_all_was_seen_nothing_is_well_though_nothing_fires(show: Show, store: Store) -> None:
    await show(snapshot())
    store.write_now(scope.save_accounts, [make_account("tailspin")], is_complete=False, now=NOW)
    html = await show()
    assert verdict(html) == "Unclear Nothing that was seen needs you, but not all was seen."
    assert "1 of 2 accounts could not be seen whole, so there may be more." in html


async def test_a_deployment_about_to_go_is_the_first_sentence_and_the_first_bar(show: Show) -> None:
    deployments = [make_deployment(f"bot-{days}", created_at=NOW - 40 * DAY) for days in (2, 14, 9)]
    usage = [make_usage(f"bot-{days}", last_success_at=NOW - days * DAY - 12 * HOUR) for days in (2, 14, 9)]
    html = await show(snapshot(deployments=deployments, usage=usage))
    assert verdict(html).startswith("Look now")
    assert "bot-14" in verdict(html) and "in 12 h" in verdict(html)
    assert re.findall(r'class="who-what"><a href="/deployments/contoso-ft/(bot-\d+)"', html) == [
        "bot-14",
        "bot-9",
        "bot-2",
    ]
    assert "591.60 USD idle" in html, "14.5 days at 1.70 USD an hour"


async def test_of_two_as_loud_what_goes_sooner_is_told_first(show: Show) -> None:
    late, soon = make_deployment("goes-late"), make_deployment("goes-soon")
    of_late = make_usage("goes-late", last_success_at=NOW - 14 * DAY - HOUR)
    of_soon = make_usage("goes-soon", last_success_at=NOW - 14 * DAY - 20 * HOUR)
    first = snapshot(at=NOW - HOUR, deployments=[late], usage=[of_late])
    html = await show(first, snapshot(deployments=[late, soon], usage=[of_late, of_soon]))
    assert "goes-soon" in verdict(html)


async def test_what_nobody_called_but_could_not_be_read_is_unknown_and_not_idle(show: Show) -> None:
    gap = make_gap(Section.METRICS, GapReason.ROLE, at=NOW - DAY)
    html = await show(snapshot(deployments=[make_deployment("night-bot")], usage=None, gaps=(gap,)))
    towards = html[html.index('id="towards"') : html.index('id="under-way"')]
    assert "unknown</span>" in towards and "idle" not in text_of(towards).replace("its calls", "")
    assert "Whether 1 deployment will be deleted soon is unknown." in html


async def test_idle_money_is_not_claimed_where_the_calls_could_not_be_read_since(show: Show) -> None:
    one, usage = make_deployment(), make_usage("support-bot", last_success_at=NOW - 13 * DAY)
    gap = make_gap(Section.METRICS, GapReason.ROLE, at=NOW - MINUTE)
    before = snapshot(at=NOW - 6 * HOUR, deployments=[one], usage=[usage])
    assert "idle</div>" in await show(before)
    html = await show(snapshot(deployments=[one], usage=None, gaps=(gap,)))
    assert "not verified: the metrics could not be read" in html
    assert "idle</div>" not in html and "1.70 USD an hour</div>" in html


async def test_thousands_are_a_dozen_and_a_link(show: Show) -> None:
    names = [f"bot-{number:03}" for number in range(40)]
    deployments = [make_deployment(name, created_at=NOW - 40 * DAY) for name in names]
    usage = [make_usage(name, last_success_at=NOW - 13 * DAY) for name in names]
    jobs = [make_job(f"ftjob-{number}") for number in range(30)]
    html = await show(snapshot(deployments=deployments, usage=usage, jobs=jobs))
    assert html.count('class="who-what"') == 12 + 10
    assert '<a href="/deployments">and 28 more</a>' in html
    assert '<a href="/jobs">and 20 more</a>' in html
    assert "and 32 more</a>" in html, "alerts"


async def test_what_one_cause_explains_is_one_line_under_it(house: House) -> None:
    lock_out(house.world)
    page = await house.get("/")
    card = text_of(page[page.index('id="firing"') : page.index('id="towards"')])
    assert "and 6 alerts that it explains (account_forbidden 6)" in card
    assert card.count("The credential of cloud public") == 1
    assert "northwind-ft refuses" not in card and "1 critical · 9 warning" in card


async def test_foreign_words_are_text_and_do_not_break_the_page(show: Show) -> None:
    hostile = '"><script>alert(1)</script>'
    long = "x" * 300
    html = await show(
        snapshot(
            account=make_account(owner=hostile),
            deployments=[make_deployment(hostile), make_deployment(long)],
            usage=[
                make_usage(hostile, last_success_at=NOW - 13 * DAY),
                make_usage(long, last_success_at=NOW - 13 * DAY),
            ],
            jobs=[make_job("ftjob-1", suffix=hostile, model=hostile)],
        )
    )
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert 'href="/deployments/contoso-ft/%22%3E%3Cscript%3Ealert%281%29%3C%2Fscript%3E"' in html
    assert " style=" not in html, "the policy allows none"


async def test_a_job_is_held_against_what_is_usual_only_where_enough_were_seen(show: Show) -> None:
    html = await show(snapshot(jobs=[make_job("ftjob-1", created_at=NOW - 3 * HOUR)]))
    assert "what is usual is unknown: none of its kind was seen to its end" in html


async def test_first_sight_is_no_change(show: Show) -> None:
    old = [make_job("ftjob-old", "succeeded"), make_job("ftjob-1")]
    html = await show(snapshot(at=NOW - HOUR, jobs=old))
    assert "Nothing has been recorded yet." in html
    html = await show(snapshot(jobs=[old[0], make_job("ftjob-1", "failed", finished_at=NOW - 2 * MINUTE)]))
    changes = text_of(html[html.index('id="changes"') : html.index('id="accounts"')])
    assert "ftjob-1 status: running → failed" in changes
    assert "ftjob-old" not in changes


async def test_the_estate_tells_what_is_dead_and_what_was_never_read(house: House) -> None:
    html = text_of(await house.get("/"))
    assert "not seen anything of tailspin : not read yet" in html
    assert "dead to hook" in html
    assert "2 of 3 accounts could not be seen whole" in html


async def test_what_an_operator_silences_leaves_the_first_sentence_at_once(house: House) -> None:
    html = await house.get("/")
    assert "support-bot" in verdict(html)

    def silence(tx: Any) -> None:
        acts.silence(
            tx,
            ["deployment=support-bot"],
            ends_at=NOW + DAY,
            author="ops",
            comment="known",
            is_forced=True,
            known=house.site.settings().known,
            now=NOW,
        )

    house.store.write_now(silence)
    html = await house.get("/")
    assert "support-bot" not in verdict(html)
    assert "silenced" in html[html.index('id="hushed"') :]


async def test_after_a_reload_the_new_configuration_shows_at_once(house: House) -> None:
    in_force = [house.machine]
    site = page.site_of(lambda: in_force[0], health=house.site.health, wake=house.site.wake)
    async with asking(make_app(site)) as client:
        assert " CET" in (await client.get("/")).text
        assert site.settings() is site.settings()
        text = house.world.config.read_text().replace("Europe/Berlin", "America/New_York")
        in_force[0] = replace(house.machine, config=config.parse(text, environ=house.world.environ))
        after = (await client.get("/")).text
    assert " EST" in after and " CET" not in after
