"""A bot in Slack: threads, edits on resolve, and what each refusal means. The other side is a real server."""

import json
import logging
import re
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watcher.alerts.alert import end
from watcher.alerts.notification import NotificationAlert, NotifyReason
from watcher.errors import DeliveryError
from watcher.notify.sample import sample
from watcher.notify.slack_bot import Head, SlackBotNotifier, hash_of, head_of, place_of
from watcher.rules.finding import Severity

from .factories import NOW, VOICE, make_alert, make_event, make_finding, make_hostile, make_notification
from .servers import raw_server
from .slack_fake import TOKEN, check_markup, faults, slack_server

FIRING, RAISED, REMINDER, RESOLVED = NotifyReason


@pytest.fixture
async def slack():
    async with slack_server() as fake:
        yield fake


@pytest.fixture
def bot(slack, client):
    return SlackBotNotifier(
        name="ml", voice=VOICE, client=client, token=TOKEN, channel="#ml", api=slack.url, clock=lambda: NOW
    )


def alert(name="support-bot", severity=Severity.WARNING, **changes):
    return make_alert(make_finding(name=name, severity=severity, **changes), starts_at=NOW - timedelta(days=3))


def ended(one, because="it was called again at 2026-11-22T07:58:00Z"):
    return end(one, now=NOW, because=because)


class Outbox:
    """Tells a receiver, and hands each notification what it was told before and what of that is over, as the outbox
    does."""

    def __init__(self, bot):
        self.bot, self.first, self.over = bot, {}, {}

    async def tell(self, *alerts, reason, **changes):
        told = make_notification(*(NotificationAlert(alert=one, reason=reason) for one in alerts), **changes)
        earlier = {one.id: self.first[one.id] for one in alerts if one.id in self.first}
        self.over |= {one.id: one for one in alerts if one.ends_at is not None and one.id in self.first}
        under = {
            reference: tuple(over for id_, over in self.over.items() if self.first[id_] == reference)
            for reference in {self.first[one.id] for one in alerts if one.id in self.over}
        }
        receipt = await self.bot.send(replace(told, earlier=earlier, under=under), now=NOW)
        for one in alerts:
            if receipt.reference:
                self.first.setdefault(one.id, receipt.reference)
        return receipt


@pytest.fixture
def outbox(bot):
    return Outbox(bot)


def header(post):
    return post["blocks"][0]["text"]["text"]


async def test_the_first_message_is_the_head_of_a_thread(slack, outbox):
    receipt = await outbox.tell(alert(), reason=FIRING)
    assert receipt.detail == "posted in #ml"
    head = head_of(receipt.reference)
    assert (head.channel, head.ts) == ("C0ML", slack.posts[0]["ts"])
    assert "thread_ts" not in slack.posts[0] and not slack.posts[0]["broadcast"]
    assert slack.posts[0]["text"].startswith("🟠 [FIRING] deployment_idle")


async def test_a_step_goes_into_the_thread_and_is_not_shown_in_the_channel(slack, outbox):
    first = await outbox.tell(alert(), reason=FIRING)
    second = await outbox.tell(alert(), reason=REMINDER)
    assert second.reference == first.reference
    assert second.detail == "posted in #ml, in the thread of the first message"
    assert slack.posts[1]["thread_ts"] == slack.posts[0]["ts"]
    assert slack.posts[1]["broadcast"] is False


@pytest.mark.parametrize(
    ("reason", "severity", "step", "is_broadcast"),
    [
        (RAISED, Severity.CRITICAL, "", True),
        (RAISED, Severity.CRITICAL, "1d", True),
        (REMINDER, Severity.CRITICAL, "6h", True),
        (REMINDER, Severity.CRITICAL, "overdue", True),
        (REMINDER, Severity.CRITICAL, "", False),  # the same once again
        (RAISED, Severity.WARNING, "3d", False),
        (REMINDER, Severity.WARNING, "2d", False),
        (RESOLVED, Severity.CRITICAL, "1d", False),
    ],
)
async def test_each_step_of_what_is_critical_is_shown_in_the_channel_too(
    slack, outbox, reason, severity, step, is_broadcast
):
    await outbox.tell(alert(severity=Severity.INFO), reason=FIRING)
    now = alert(severity=severity, step=step)
    await outbox.tell(ended(now) if reason is RESOLVED else now, reason=reason)
    assert slack.posts[1]["thread_ts"] == slack.posts[0]["ts"]
    assert slack.posts[1]["broadcast"] is is_broadcast


async def test_on_resolve_the_head_turns_green_and_says_why_and_after_how_long(slack, outbox):
    await outbox.tell(alert(), reason=FIRING)
    receipt = await outbox.tell(ended(alert()), reason=RESOLVED)
    assert receipt.detail == "posted in #ml, in the thread of the first message; the first message marked resolved"
    head, reply = slack.posts
    assert head["edited"] and reply["thread_ts"] == head["ts"]
    assert header(head) == "🟢 [RESOLVED] deployment idle · support-bot"
    assert "it was called again at 2026-11-22 08:58 CET" in head["blocks"][1]["text"]["text"]
    assert "~support-bot in contoso-ft is deleted in 2 d 23 h~" in head["blocks"][1]["text"]["text"]
    assert "resolved after 3 d" in head["blocks"][2]["elements"][0]["text"]


async def test_a_head_of_several_turns_green_when_the_last_of_them_has_ended(slack, outbox):
    await outbox.tell(alert("a"), alert("b"), reason=FIRING)
    await outbox.tell(ended(alert("a")), reason=RESOLVED)
    assert "edited" not in slack.posts[0]
    receipt = await outbox.tell(ended(alert("b")), reason=RESOLVED)
    assert "the first message marked resolved" in receipt.detail
    text = json.dumps(slack.posts[0]["blocks"])
    assert header(slack.posts[0]).startswith("🟢 [RESOLVED] 2 alerts")
    assert "~a in contoso-ft" in text and "~b in contoso-ft" in text
    before = slack.posts[0]["blocks"]
    await outbox.tell(ended(alert("b")), reason=RESOLVED)  # said twice: marked the same
    assert slack.posts[0]["blocks"] == before


async def test_a_head_turns_green_though_some_of_it_ended_before_a_restart(slack, outbox, client):
    await outbox.tell(alert("a"), alert("b"), reason=FIRING)
    await outbox.tell(ended(alert("a")), reason=RESOLVED)
    outbox.bot = replace(outbox.bot)  # nothing of it is left
    await outbox.tell(ended(alert("b")), reason=RESOLVED)
    assert header(slack.posts[0]).startswith("🟢 [RESOLVED] 2 alerts")


async def test_the_same_alert_resolved_twice_does_not_stand_for_two(slack, outbox):
    await outbox.tell(alert("a"), alert("b"), reason=FIRING)
    for _ in range(2):
        await outbox.tell(ended(alert("a")), reason=RESOLVED)
    assert slack.named("chat.update") == []


async def test_the_head_speaks_of_its_own_end_alone_whatever_else_the_message_tells(slack, bot, outbox):
    await outbox.tell(alert("a"), reason=FIRING)
    await outbox.tell(alert("b"), reason=FIRING)
    mixed = make_notification(
        NotificationAlert(alert=alert("b"), reason=REMINDER),
        NotificationAlert(alert=ended(alert("a")), reason=RESOLVED),
        notes=("2 messages in one",),
        earlier=outbox.first,
    )
    await bot.send(mixed, now=NOW)
    assert header(slack.posts[0]) == "🟢 [RESOLVED] deployment idle · a"
    assert "2 messages in one" not in json.dumps(slack.posts[0]["blocks"])
    assert "edited" not in slack.posts[1]


async def test_a_head_that_tells_of_an_event_stays_as_it_is(slack, outbox):
    event = make_alert(make_event(name="j"))
    await outbox.tell(alert(), event, reason=FIRING)
    await outbox.tell(ended(alert()), reason=RESOLVED)
    assert slack.named("chat.update") == []
    assert slack.posts[1]["thread_ts"] == slack.posts[0]["ts"]


async def test_an_alert_that_the_channel_has_not_heard_of_is_not_hidden_in_a_thread(slack, outbox):
    await outbox.tell(alert("a"), reason=FIRING)
    receipt = await outbox.tell(alert("b"), alert("a"), reason=FIRING)
    assert "thread_ts" not in slack.posts[1]
    assert head_of(receipt.reference).ts == slack.posts[1]["ts"]


async def test_of_two_threads_the_loudest_alerts_is_taken_and_the_channel_sees_it(slack, outbox):
    await outbox.tell(alert("a"), reason=FIRING)
    await outbox.tell(alert("b"), reason=FIRING)
    receipt = await outbox.tell(ended(alert("b")), ended(alert("a")), reason=RESOLVED)
    assert slack.posts[2]["thread_ts"] == slack.posts[1]["ts"]
    assert slack.posts[2]["broadcast"] is True
    assert "2 first messages marked resolved" in receipt.detail
    assert all(header(post).startswith("🟢 [RESOLVED]") for post in slack.posts)
    assert [header(post)[-3:] for post in slack.posts[:2]] == ["· a", "· b"]


@pytest.mark.parametrize("unthreads", [True, False], ids=["Slack shows it in the channel", "Slack refuses it"])
async def test_a_reply_to_a_deleted_message_becomes_a_head_itself(slack, outbox, unthreads):
    first = await outbox.tell(alert(), reason=FIRING)
    slack.delete(head_of(first.reference).ts)
    slack.unthreads = unthreads
    receipt = await outbox.tell(alert(), reason=REMINDER)
    [post] = slack.posts
    assert head_of(receipt.reference).ts == post["ts"]
    if unthreads:
        assert receipt.detail == "posted in #ml; the first message is gone, so outside of its thread"


@pytest.mark.parametrize("word", ["thread_not_found", "message_not_found", "cannot_reply_to_message"])
async def test_where_there_is_no_thread_any_more_it_posts_anew(slack, outbox, word):
    await outbox.tell(alert(), reason=FIRING)
    slack.refuse("chat.postMessage", word)
    receipt = await outbox.tell(ended(alert()), reason=RESOLVED)
    assert len(slack.posts) == 2 and "thread_ts" not in slack.posts[1]
    assert head_of(receipt.reference).ts == slack.posts[1]["ts"]
    assert slack.named("chat.update") == []


async def test_the_channel_may_have_been_changed_meanwhile(slack, bot, outbox):
    await outbox.tell(alert(), reason=FIRING)
    outbox.bot = replace(bot, channel="#ops")
    receipt = await outbox.tell(alert(), reason=REMINDER)
    assert slack.posts[1]["channel"] == "C0OPS" and "thread_ts" not in slack.posts[1]
    assert head_of(receipt.reference).channel == "C0OPS"


@pytest.mark.parametrize(
    "word", ["cant_update_message", "message_not_found", "edit_window_closed", "internal_error", "ratelimited"]
)
async def test_a_failed_edit_is_told_and_nothing_is_posted_twice(slack, outbox, word):
    await outbox.tell(alert(), reason=FIRING)
    slack.refuse("chat.update", word)
    receipt = await outbox.tell(ended(alert()), reason=RESOLVED)
    assert re.search(rf"; the first message could not be marked resolved: .*\({word}\)$", receipt.detail)
    assert len(slack.posts) == 2


async def test_an_edit_for_which_no_time_is_left_is_left_out(slack, bot, outbox):
    outbox.bot = replace(bot, timeout=timedelta(seconds=1))
    await outbox.tell(alert(), reason=FIRING)
    receipt = await outbox.tell(ended(alert()), reason=RESOLVED)
    assert receipt.detail.endswith("could not be marked resolved: there was no time left")
    assert slack.named("chat.update") == []


async def test_a_slack_that_hangs_is_given_up(client):
    async with raw_server(None) as port:
        api = f"http://localhost:{port}"
        bot = SlackBotNotifier(
            name="ml", voice=VOICE, client=client, token=TOKEN, channel="#ml", api=api, timeout=timedelta(seconds=0.2)
        )
        with pytest.raises(DeliveryError) as caught:
            await bot.send(make_notification(), now=NOW)
    assert (caught.value.kind, caught.value.maybe_delivered) == ("timeout", True)


async def test_a_head_among_whose_alerts_one_has_an_older_head_goes_by_its_own(slack, outbox):
    await outbox.tell(alert("a"), reason=FIRING)
    await outbox.tell(alert("b"), alert("a"), reason=FIRING)
    await outbox.tell(ended(alert("b")), reason=RESOLVED)
    assert [post.get("edited", False) for post in slack.posts] == [False, True, False]
    await outbox.tell(ended(alert("a")), reason=RESOLVED)
    assert [post.get("edited", False) for post in slack.posts] == [True, True, False, False]


async def test_a_server_that_fails_at_the_edit_alone_does_not_fail_the_delivery(slack, outbox):
    await outbox.tell(alert(), reason=FIRING)
    slack.refusals["chat.update"] = [(503, {}, "busy")]
    receipt = await outbox.tell(ended(alert()), reason=RESOLVED)
    assert receipt.detail.endswith("could not be marked resolved: the receiver failed (503)")


async def test_a_reference_of_another_kind_is_no_thread(slack, bot):
    told = make_notification(alert(), reason=REMINDER)
    odd = replace(told, earlier={told.alerts[0].alert.id: "<id@mail>"})
    assert head_of((await bot.send(odd, now=NOW)).reference) is not None
    assert "thread_ts" not in slack.posts[0]


async def test_a_sample_is_marked_and_stands_alone(slack, bot):
    await bot.send(sample(receiver="ml", now=NOW), now=NOW)
    assert "[TEST · FIRING]" in header(slack.posts[0])


@pytest.mark.parametrize(
    ("word", "kind", "permanent", "cure"),
    [
        ("invalid_auth", "auth", True, "check the bot's token"),
        ("token_revoked", "auth", True, "install it again"),
        ("token_expired", "auth", True, "expired"),
        ("account_inactive", "auth", True, "install the app again"),
        ("not_allowed_token_type", "auth", True, "xoxb-"),
        ("missing_scope", "auth", True, "the token lacks the scope chat:write;"),
        ("ekm_access_denied", "auth", False, "suspended posting"),
        ("channel_not_found", "bad_request", True, "there is no channel #ml, or it is private and the bot not in it"),
        ("not_in_channel", "bad_request", True, "invite the bot to #ml"),
        ("is_archived", "bad_request", True, "#ml is archived"),
        ("restricted_action", "bad_request", True, "do not let the bot post in #ml"),
        ("msg_too_long", "bad_request", True, "refused the message"),
        ("msg_blocks_too_long", "bad_request", True, "refused the message"),
        ("invalid_blocks", "bad_request", True, "refused the message"),
        ("no_text", "bad_request", True, "refused the message"),
        ("a_word_of_next_year", "bad_request", False, "refused the message"),
        ("ratelimited", "rate_limited", False, "fewer messages"),
        ("rate_limited", "rate_limited", False, "fewer messages"),
        ("internal_error", "server", False, "Slack failed"),
        ("fatal_error", "server", False, "Slack failed"),
        ("service_unavailable", "server", False, "Slack failed"),
        ("team_added_to_org", "server", False, "Slack failed"),
        ("request_timeout", "server", False, "Slack failed"),
    ],
)
async def test_each_refusal_says_what_to_do(slack, outbox, word, kind, permanent, cure):
    slack.refuse("chat.postMessage", word)
    with pytest.raises(DeliveryError) as caught:
        await outbox.tell(alert(), reason=FIRING)
    error = caught.value
    assert (error.kind, error.permanent) == (kind, permanent)
    assert cure in error.message and f"({word})" in error.message
    assert error.maybe_delivered == (word in ("internal_error", "fatal_error"))


async def test_a_missing_scope_is_named(slack, outbox):
    slack.refuse("chat.postMessage", "missing_scope", needed="chat:write.public", provided="x")
    with pytest.raises(DeliveryError, match=r"lacks the scope chat:write\.public;"):
        await outbox.tell(alert(), reason=FIRING)


@pytest.mark.parametrize("status", [429, 200])
async def test_waits_as_long_as_slack_asks(slack, outbox, status):
    slack.refusals["chat.postMessage"] = [(status, {"retry-after": "30"}, '{"ok": false, "error": "ratelimited"}')]
    with pytest.raises(DeliveryError) as caught:
        await outbox.tell(alert(), reason=FIRING)
    assert (caught.value.kind, caught.value.permanent) == ("rate_limited", False)
    assert caught.value.retry_after == timedelta(seconds=30)


@pytest.mark.parametrize(
    ("status", "body"),
    [(200, "<html>Sign in to the Wi-Fi</html>"), (200, '{"ok": tr'), (200, "[]"), (200, '{"ok": "yes"}'), (200, "")],
)
async def test_an_answer_that_is_not_slacks_is_no_receipt(slack, outbox, status, body):
    slack.refusals["chat.postMessage"] = [(status, {}, body)]
    with pytest.raises(DeliveryError, match="not as Slack does") as caught:
        await outbox.tell(alert(), reason=FIRING)
    assert not caught.value.permanent


async def test_a_connection_that_breaks_may_have_delivered(client, unused_port):
    async with raw_server(b"") as port:
        bot = SlackBotNotifier(
            name="ml", voice=VOICE, client=client, token=TOKEN, channel="#ml", api=f"http://localhost:{port}"
        )
        with pytest.raises(DeliveryError) as caught:
            await bot.send(make_notification(), now=NOW)
    assert caught.value.maybe_delivered and not caught.value.permanent


async def test_an_answer_without_a_timestamp_is_a_receipt_without_reference(slack, outbox):
    slack.refusals["chat.postMessage"] = [(200, {}, '{"ok": true}')]
    assert (await outbox.tell(alert(), reason=FIRING)).reference == ""


async def test_what_slack_says_is_quoted_only_if_it_is_a_word(slack, outbox):
    slack.refuse("chat.postMessage", f"no: {TOKEN}")
    with pytest.raises(DeliveryError) as caught:
        await outbox.tell(alert(), reason=FIRING)
    assert "unknown_error" in caught.value.message


async def test_probe_tells_whose_token_it_is_and_posts_nothing(slack, bot):
    receipt = await bot.probe()
    assert receipt.detail.startswith("the token is watcher's in the workspace Contoso; whether it may post in #ml")
    assert [method for method, _ in slack.calls] == ["auth.test"]


@pytest.mark.parametrize(("token", "scopes"), [("xoxb-other", "chat:write"), (TOKEN, "channels:read")])
async def test_probe_tells_a_token_that_cannot_post(slack, bot, token, scopes):
    slack.scopes = scopes
    with pytest.raises(DeliveryError) as caught:
        await replace(bot, token=token).probe()
    assert (caught.value.kind, caught.value.permanent) == ("auth", True)


@pytest.mark.parametrize("name", ["<!channel> @here ", "```", "\u202e:tada:", "[a](https://evil.example)"])
async def test_hostile_names_reach_slack_as_names(slack, outbox, name):
    hostile = make_hostile(name * 600).alerts[0].alert
    await outbox.tell(hostile, reason=FIRING)
    await outbox.tell(end(hostile, now=NOW, because=name * 600), reason=RESOLVED)
    assert slack.posts[0]["edited"]
    for _, payload in slack.calls:
        check_markup(payload)
        assert faults(payload["blocks"]) == []


async def test_the_token_is_in_no_text(slack, bot, outbox, caplog):
    caplog.set_level(logging.DEBUG)
    said = [repr(bot), repr(await bot.probe())]
    for answer in [
        (200, {}, json.dumps({"ok": False, "error": TOKEN, "needed": TOKEN})),
        (200, {}, json.dumps({"ok": False, "error": "missing_scope", "needed": TOKEN})),
        (200, {}, TOKEN),
        (500, {}, TOKEN),
        (429, {"retry-after": TOKEN}, TOKEN),
        (302, {"location": f"https://x/{TOKEN}"}, ""),
    ]:
        slack.refusals["chat.postMessage"] = [answer]
        with pytest.raises(DeliveryError) as caught:
            await outbox.tell(alert(), reason=FIRING)
        said.append(repr(caught.value))
    slack.refusals["chat.postMessage"] = [
        (200, {}, json.dumps({"ok": True, "channel": TOKEN, "ts": TOKEN, "message": {"text": TOKEN}}))
    ]
    said.append(repr(await outbox.tell(alert(), reason=FIRING)))
    assert "CANARY" not in "".join(said) + caplog.text


@given(
    st.from_regex(r"[A-Z][A-Z0-9]{1,20}", fullmatch=True),
    st.from_regex(r"[0-9]{1,12}\.[0-9]{6}", fullmatch=True),
    st.lists(st.text(min_size=1), unique=True),
)
def test_a_reference_names_its_head(channel, ts, alerts):
    head = Head(channel=channel, ts=ts, alerts=hash_of(alerts))
    assert head_of(head.reference()) == head
    assert hash_of(reversed(alerts)) == head.alerts
    assert hash_of([*alerts, "another one "]) != head.alerts


@given(st.text())
def test_any_text_is_a_head_or_none(text):
    found = head_of(text)
    assert found is None or found.reference() == text


@given(
    st.lists(st.tuples(st.sampled_from(["", "C1 1.1 a", "C1 2.2 b", "junk"]), st.sampled_from(Severity)), min_size=1)
)
def test_news_is_never_hidden_in_a_thread(known):
    alerts = [alert(f"bot-{n}", severity) for n, (_, severity) in enumerate(known)]
    earlier = {one.id: reference for one, (reference, _) in zip(alerts, known, strict=True) if reference}
    place = place_of(make_notification(*alerts, earlier=earlier))
    is_news = any(head_of(reference) is None for reference, _ in known)
    assert (place.head is None) == is_news
    assert not (place.head is None and place.is_broadcast)


CHOICES = st.lists(
    st.tuples(st.sets(st.integers(0, 3), min_size=1), st.booleans(), st.booleans()), min_size=1, max_size=12
)


@settings(deadline=None, max_examples=25)
@given(CHOICES)
async def test_over_any_history_a_head_is_green_exactly_if_nothing_in_it_fires(history):
    """Each step tells of some alerts that they fire, or that they ended, or deletes a message before it does."""
    from watcher.transport import open_client

    client = open_client(trust_env=False)
    async with slack_server() as slack:
        bot = SlackBotNotifier(name="ml", voice=VOICE, client=client, token=TOKEN, channel="#ml", api=slack.url)
        outbox, over = Outbox(bot), set()
        heads = {}  # ts → the alerts that it told of while they fired
        for names, is_over, is_deleted in history:
            told = {name for name in names if name not in over and (not is_over or alert(str(name)).id in outbox.first)}
            if not told:
                continue
            if is_deleted and slack.posts:
                heads.pop(slack.posts[0]["ts"], None)
                slack.delete(slack.posts[0]["ts"])
            before, news = len(slack.posts), {name for name in told if alert(str(name)).id not in outbox.first}
            alerts = [alert(str(name)) for name in sorted(told)]
            if is_over:
                over |= told
                await outbox.tell(*map(ended, alerts), reason=RESOLVED)
            else:
                await outbox.tell(*alerts, reason=FIRING)
            assert len(slack.posts) == before + 1
            if "thread_ts" not in slack.posts[-1] and not is_over:
                heads[slack.posts[-1]["ts"]] = news
        for ts, names in heads.items():
            [post] = [one for one in slack.posts if one["ts"] == ts]
            # Without news it is a reply whose head was deleted: references lead to that head alone.
            assert post.get("edited", False) == (bool(names) and names <= over)
    await client.aclose()
