"""Slack's blocks: within the limits, and nothing from outside is read as markup."""

import html
import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watcher.errors import DeliveryError
from watcher.notify.message import render
from watcher.notify.notifier import Receipt
from watcher.notify.slack import SlackNotifier, cut, escape, slack_payload

from .factories import NOW, VOICE, make_flood, make_hostile, make_notification, make_resolved


def blocks_of(notification, *, now=NOW):
    return slack_payload(render(notification, VOICE, now=now))


def texts_in(value):
    """Every text object's text, and the fallback."""
    if isinstance(value, dict):
        if isinstance(value.get("text"), str):
            yield value["text"]
        for part in value.values():
            yield from texts_in(part)
    elif isinstance(value, list):
        for part in value:
            yield from texts_in(part)


def check_limits(payload):
    assert len(payload["blocks"]) <= 50
    for block in payload["blocks"]:
        match block["type"]:
            case "header":
                assert 0 < len(block["text"]["text"]) <= 150
            case "section":
                assert 0 < len(block["text"]["text"]) <= 3000
                assert len(block.get("fields", [])) <= 10
                assert all(len(one["text"]) <= 2000 for one in block.get("fields", []))
            case "context":
                assert 0 < len(block["elements"]) <= 10
                assert all(0 < len(one["text"]) <= 3000 for one in block["elements"])
            case "actions":
                assert 0 < len(block["elements"]) <= 25
                assert all(len(one["text"]["text"]) <= 75 and len(one["url"]) <= 3000 for one in block["elements"])


def check_markup(payload):
    for text in texts_in(payload):
        assert "<" not in text and ">" not in text
        assert not re.search(r"&(?!amp;|lt;|gt;)", text)
        assert not re.search(r"@(here|channel|everyone)", text)
        assert "\x1b" not in text


def test_says_what_happened_and_what_to_do():
    payload = blocks_of(make_notification())
    header, section, context, footer, actions = payload["blocks"]
    assert header["text"]["text"].startswith("🟠 [FIRING] deployment")
    first, second, *_ = section["text"]["text"].splitlines()
    assert first == "🟠 *WARNING*  *support-bot in contoso-ft is deleted in 2 d 23 h*"
    assert second == "→ To keep it, send it one request."
    assert "```curl" in section["text"]["text"]
    assert "first notice" in context["elements"][0]["text"]
    assert "watcher prod" in footer["elements"][0]["text"]
    assert [button["url"] for button in actions["elements"]] == [
        "https://watcher.example.com/deployments/contoso-ft/support-bot",
        "https://portal.azure.com/#@/resource/x",
    ]
    check_limits(payload)


def test_resolved_is_green_and_asks_for_nothing():
    text = blocks_of(make_resolved())["blocks"][1]["text"]["text"]
    assert text.startswith("🟢 *RESOLVED*")
    assert "→" not in text


@pytest.mark.parametrize("count", [2, 20, 21, 500])
def test_a_flood_keeps_the_limits_and_is_counted(count):
    payload = blocks_of(
        make_flood(count, description="&" * 9000, evidence="<" * 9000, action="`" * 9000 + "\n" + "&" * 9000)
    )
    check_limits(payload)
    check_markup(payload)
    assert (f"… {count - 20} more alerts" in json.dumps(payload, ensure_ascii=False)) == (count > 20)


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
@given(st.text(alphabet="ab <>&*_~`@!\n", max_size=60))
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
