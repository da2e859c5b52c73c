"""Slack's blocks: within the limits, and nothing from outside is read as markup."""

import html
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watcher.alerts.alert import end
from watcher.alerts.notification import NotifyReason
from watcher.errors import DeliveryError
from watcher.notify.message import render
from watcher.notify.notifier import Receipt
from watcher.notify.slack import SlackNotifier, cut, escape, slack_payload
from watcher.rules.finding import Severity

from .factories import NOW, VOICE, make_alert, make_finding, make_flood, make_hostile, make_notification, make_resolved
from .slack_fake import check_markup, faults, texts_in


def blocks_of(notification, *, now=NOW):
    return slack_payload(render(notification, VOICE, now=now))


def check_limits(payload):
    assert 0 < len(payload["text"]) <= 3000
    assert faults(payload["blocks"]) == []


def test_says_what_happened_and_what_to_do():
    payload = blocks_of(make_notification())
    header, section, context, footer, actions = payload["blocks"]
    assert header["text"]["text"] == "🟠 [FIRING] warning: deployment idle · support-bot"
    first, second, third, *_ = section["text"]["text"].splitlines()
    assert first == "*support-bot in contoso-ft is deleted in 2 d 23 h*"
    assert second == "→ To keep it, send it one request."
    assert third.startswith("```curl")
    assert [field["text"] for field in section["fields"]] == [
        "*Deployment*\nsupport-bot", "*Model*\ngpt-4.1-mini.ft-1", "*Account*\ncontoso-ft", "*Owner*\nsearch-team"
    ]  # fmt: skip
    assert "first notice" in context["elements"][0]["text"]
    assert "watcher prod" in footer["elements"][0]["text"]
    assert [button["url"] for button in actions["elements"]] == [
        "https://watcher.example.com/deployments/contoso-ft/support-bot",
        "https://portal.azure.com/#@/resource/x",
    ]
    check_limits(payload)


def test_resolved_is_green_and_strikes_what_is_no_longer_true():
    header, section, context, *_ = blocks_of(make_resolved())["blocks"]
    assert header["text"]["text"] == "🟢 [RESOLVED] deployment idle · support-bot"
    assert section["text"]["text"].splitlines() == [
        "*support-bot in contoso-ft: it was called again at 2026-11-22 08:58 CET (07:58 UTC)*",
        "Until then: ~support-bot in contoso-ft is deleted in 2 d 23 h~",
    ]
    assert "resolved after 3 d 2 h because it was called again" in context["elements"][0]["text"]


@pytest.mark.parametrize("length", [10, 110, 160])
def test_the_summary_is_told_once_and_the_header_is_short(length):
    long = "a" * length + " is deleted"
    blocks = blocks_of(make_notification(make_alert(make_finding(summary=long, name="b" * 200))))["blocks"]
    assert blocks[0]["text"]["text"] == f"🟠 [FIRING] warning: deployment idle · {'b' * 63}…"
    assert blocks[1]["text"]["text"].startswith(f"*{long}*\n")
    assert json.dumps(blocks).count(long) == 1


def test_the_header_of_several_counts_them_and_names_their_rules():
    rules = ["deployment_idle", "job_stalled", "job_cost", "file_orphaned"]
    alerts = [make_alert(make_finding(rule=rule, name=rule, severity=Severity.INFO)) for rule in rules]
    worse = make_alert(make_finding(severity=Severity.CRITICAL))

    def header(*told, **changes):
        return blocks_of(make_notification(*told, **changes))["blocks"][0]["text"]["text"]

    assert header(*alerts[:2]) == "🔵 [FIRING] 2 alerts, up to info: deployment idle, job stalled"
    assert header(worse, *alerts) == (
        "🔴 [FIRING] 5 alerts, up to critical: deployment idle, job stalled and 2 more rules"
    )
    over = [end(one, now=NOW, because="it was called") for one in alerts[:2]]
    assert header(*over, reason=NotifyReason.RESOLVED) == "🟢 [RESOLVED] 2 alerts: deployment idle, job stalled"


def shown_of(payload):
    """How many of the alerts are there, and how many are said to be left out."""
    text = json.dumps(payload["blocks"], ensure_ascii=False)
    left = re.search(r"… (\d+) more alerts?", text)
    shown = {name for block in payload["blocks"] if block["type"] == "section"
             for name in re.findall(r"\*bot-(\d+) in contoso-ft", block["text"]["text"])}  # fmt: skip
    return len(shown), int(left[1]) if left else 0


@pytest.mark.parametrize("count", [2, 22, 23, 45, 46, 500])
@pytest.mark.parametrize("noise", ["", "&", '"', "💥", "`"], ids=["short", "escaped", "quoted", "wide", "code"])
def test_a_flood_keeps_the_limits_and_every_alert_is_counted(count, noise):
    long = {key: noise * 9000 for key in ("description", "evidence") if noise}
    payload = blocks_of(make_flood(count, **long, action=noise * 9000 + "\n" + noise * 9000))
    check_limits(payload)
    check_markup(payload)
    shown, left = shown_of(payload)
    assert shown + left == count
    assert shown >= min(count, 20)


@pytest.mark.parametrize("count", [22, 23, 24, 25, 45, 46, 60])
def test_short_alerts_run_out_of_blocks_before_characters(count):
    tiny = make_finding(labels={}, summary="x", description="", action="", evidence="", links={}, step="")
    payload = blocks_of(make_notification(*(make_alert(tiny) for _ in range(count))))
    check_limits(payload)
    text = json.dumps(payload["blocks"], ensure_ascii=False)
    assert text.count("*WARNING*") == min(count, 45)
    assert (f"… {count - 45} more alert" in text) == (count > 45)


def test_a_command_cannot_end_its_block():
    ticks = "`" * 3
    action = f"Look.\naz x --name {ticks}<!channel> *b*{ticks} --tag {ticks}"
    text = blocks_of(make_notification(make_alert(make_finding(action=action))))["blocks"][1]["text"]["text"]
    assert text.count(ticks) == 2
    assert text.split(ticks)[1] == "az x --name '''&lt;\u200b!channel&gt; *b*''' --tag '''"


def test_in_a_flood_the_same_advice_is_given_once():
    text = json.dumps(blocks_of(make_flood(40))["blocks"], ensure_ascii=False)
    assert text.count("To keep it, send it one request.") == 1


@pytest.mark.parametrize("count", [23, 33, 45])
def test_nothing_is_announced_that_does_not_follow(count):
    """What to do differs by its command alone, for which there is no room."""
    action = "To keep it, call it; it costs a few tokens:\ncurl https://contoso-ft.openai.azure.com/{}"
    alerts = [make_alert(make_finding(name=f"bot-{n}", action=action.format(n))) for n in range(count)]
    text = "\n".join(
        block["text"]["text"] for block in blocks_of(make_notification(*alerts))["blocks"] if block["type"] == "section"
    )
    assert not re.search(r":$", text, re.MULTILINE)
    assert text.count("→ To keep it, call it; it costs a few tokens.") == 1


def test_each_alert_of_a_group_has_its_own_link():
    payload = blocks_of(make_flood(3))
    links = [block["accessory"]["url"] for block in payload["blocks"] if "accessory" in block]
    assert links == [f"https://watcher.example.com/deployments/contoso-ft/bot-{n}" for n in range(3)]
    assert payload["blocks"][-1]["elements"][0]["url"] == "https://watcher.example.com/alerts"


def test_doubt_stands_beside_what_to_do():
    alert = make_alert(unverified_since=NOW, unverified_because="403")
    section = blocks_of(make_notification(alert))["blocks"][1]
    assert "\n⚠️ Not verified since 2026-11-22 09:00 CET (08:00 UTC): 403" in section["text"]["text"]


def test_a_hostile_name_is_only_a_name():
    payload = blocks_of(make_hostile())
    check_markup(payload)
    assert "&lt;\u200b!channel&gt;" in payload["blocks"][1]["text"]["text"]
    assert all(
        element.get("verbatim")
        for block in payload["blocks"]
        if block["type"] == "context"
        for element in block["elements"]
    )


@pytest.mark.parametrize(
    "name", ["<!channel>", "@here", ":tada:", "```\n<!here>", "\u202eexe.bot", "<at>all</at>", "[x](y)"]
)
@pytest.mark.parametrize("times", [1, 2000])
def test_hostile_names_of_any_length_keep_the_limits_and_mean_nothing(name, times):
    payload = blocks_of(make_hostile(name * times))
    check_limits(payload)
    check_markup(payload)
    for text in texts_in(payload):
        assert text.count("```") % 2 == 0


@settings(deadline=None)
@given(st.text(max_size=300))
def test_no_text_breaks_limits_or_markup(text):
    payload = blocks_of(make_hostile(text))
    check_limits(payload)
    check_markup(payload)


@settings(deadline=None)
@given(st.text(alphabet="<>&*_~`@ heran!\n", max_size=120), st.integers(1, 60))
def test_cut_fits_and_ends_outside_an_escape(text, limit):
    short = cut(text, limit)
    assert len(short) <= limit
    assert not re.search(r"&[a-z]*$", short)


@settings(deadline=None)
@given(st.text(alphabet="ab <>&*_~`@!:\n", max_size=60))
def test_escaping_shows_the_same_text(text):
    assert html.unescape(escape(text)).replace("\u200b", "") == text


@pytest.mark.parametrize("text", ["*bold*", "_so_", "~no~", "`code`", "> quote", "a *b* c"])
def test_emphasis_stays_visible_signs(text):
    assert not re.search(r"(?<![\w\u200b])[*_~`]\w", escape(text))


def test_underscores_inside_names_are_left_alone():
    assert escape("support_bot_v2") == "support_bot_v2"


async def test_sends_to_a_real_server(hook, client):
    notifier = SlackNotifier(name="ml", voice=VOICE, client=client, url=hook.url)
    assert await notifier.send(make_notification(), now=NOW) == Receipt("200 ok")
    [(_, path, headers, body)] = hook.requests
    assert path == "/hooks/CANARY-path"
    assert headers["content-type"] == "application/json; charset=utf-8"
    assert headers["accept-encoding"] == "identity"  # else Slack's word for what is wrong comes packed
    assert json.loads(body)["unfurl_links"] is False
    assert "CANARY" not in repr(notifier)


@pytest.mark.parametrize(("body", "said"), [("no_service", True), ("see /hooks/CANARY-path", False)])
async def test_quotes_slacks_word_and_nothing_else(hook, client, body, said):
    hook.status, hook.body = 404, body
    with pytest.raises(DeliveryError) as caught:
        await SlackNotifier(name="ml", voice=VOICE, client=client, url=hook.url).send(make_notification(), now=NOW)
    assert caught.value.permanent
    assert (body in caught.value.message) == said
    assert "CANARY" not in repr(caught.value)


def test_the_readme_shows_what_slack_gets():
    """To be pasted anew when the blocks change: `slack_payload(…)["blocks"]` of this very notification."""
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    section = readme[readme.index("#### Slack and Teams") :]
    [shown] = re.findall(r"^```json\n(.*?)^```$", section[: section.index("\n#### ", 5)], re.MULTILINE | re.DOTALL)
    voice = replace(VOICE, public_url="")
    assert json.loads(shown) == slack_payload(render(make_notification(), voice, now=NOW))["blocks"]
