"""Deliveries over real sockets to receivers that refuse, hang, throttle and break off: all is told, once, in order."""

import asyncio
import contextlib
import socket
import ssl
import threading
from dataclasses import dataclass, field
from datetime import timedelta
from email.utils import format_datetime

import pytest
import trustme

from tests.alerts.factories import HOUR, MINUTE, NOW, SECOND, ended, make_alert, make_routing
from tests.conftest import SteppedClock
from tests.notify.factories import VOICE
from tests.notify.servers import hook_server, mail_server, raw_server
from tests.store.test_outbox import make_notification, put
from watcher import cycles, logs
from watcher.alerts.notification import NotifyReason
from watcher.alerts.pace import Pace, Rate
from watcher.errors import DeliveryError
from watcher.notify.email import EmailNotifier
from watcher.notify.notifier import Receipt, RetryPolicy
from watcher.notify.webhook import WebhookNotifier
from watcher.rules.registry import build_rules
from watcher.store import alerts, attempts, channels, claiming, outbox, redelivery, tellings
from watcher.transport import open_client

POLICY = RetryPolicy()


@pytest.fixture
def clock():
    return SteppedClock(NOW)


@pytest.fixture
async def client():
    async with contextlib.aclosing(open_client(trust_env=False)) as client:
        yield client


@pytest.fixture
async def hook():
    async with hook_server() as hook:
        yield hook


@pytest.fixture
def unused_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@dataclass
class Post:
    """Delivers as a process does, by a clock that is moved by hand."""

    store: object
    clock: object
    notifiers: dict
    paces: dict = field(default_factory=dict)
    routing: object = None
    owner: str = "me"

    async def deliver(self, **more):
        return await cycles.deliver(
            notifiers=self.notifiers,
            policy=POLICY,
            store=self.store,
            clock=self.clock,
            wall_clock=self.clock,
            owner=self.owner,
            paces=self.paces,
            routing=self.routing,
            **more,
        )

    async def until_idle(self):
        done = []
        while some := await self.deliver():
            done += some
        return done

    def due(self):
        return self.store.read_now(claiming.next_due, receivers=tuple(self.notifiers), paces=self.paces)

    def channel(self, name="hook"):
        return self.store.read_now(channels.of, [name]).get(name)

    def states(self):
        return dict(self.store.read_now(outbox.counts))


def webhook(client, url, clock, name="hook", timeout=5.0):
    return WebhookNotifier(
        name=name, voice=VOICE, client=client, url=url, clock=clock, timeout=timedelta(seconds=timeout)
    )


def some(count, receiver="hook", at=NOW):
    return [make_notification(make_alert(name=f"d{n}"), receiver=receiver, at=at) for n in range(count)]


def ids(hook):
    return [headers["webhook-id"] for _, _, headers, _ in hook.requests]


@pytest.fixture
def post(store, clock, hook, client):
    return Post(store, clock, {"hook": webhook(client, hook.url, clock)})


async def test_a_channel_that_fails_is_asked_with_one_message_and_the_rest_follows(post, hook, clock):
    """500 for an hour: few requests meanwhile, and then all, once, in order."""
    notifications = some(5)
    put(post.store, *notifications)
    hook.status = 500
    while clock() < NOW + HOUR:
        done = await post.deliver()
        assert len(done) <= 1, "one at a time"
        assert await post.deliver() == (), "and none until its time"
        due = post.due()
        assert due > clock(), "no busy loop"
        clock.now = due
    assert len(hook.requests) <= 9
    assert post.channel().failing_since == NOW
    hook.status, hook.requests[:] = 200, []
    assert len(await post.deliver()) == 1
    assert len(hook.requests) == 1
    assert post.channel().failing_since is None
    await post.until_idle()
    first, *rest = ids(hook)
    assert rest == [n.id for n in notifications if n.id != first]
    assert post.states() == {"delivered": 5}
    assert post.due() is None


async def test_after_a_long_outage_nothing_waits_for_its_own_next_try(post, hook, clock):
    put(post.store, *some(2))
    hook.status = 500
    while clock() < NOW + 12 * HOUR:
        await post.deliver()
        clock.now = post.due()
    hook.status = 200
    assert len(await post.deliver()) == 1
    assert post.due() <= clock(), "the other failed within the hour, and goes all the same"
    assert len(await post.deliver()) == 1


@pytest.mark.parametrize("form", ["seconds", "date"])
async def test_a_throttled_channel_waits_as_long_as_it_is_asked_to(post, hook, clock, form):
    put(post.store, *some(3))
    hook.status = 429
    hook.headers = {"retry-after": "420" if form == "seconds" else format_datetime(NOW + 420 * SECOND, usegmt=True)}
    (one,) = await post.deliver()
    assert (one.attempt.kind, one.attempt.outcome) == ("rate_limited", "retry")
    assert NOW + 420 * SECOND <= post.due() <= NOW + 421 * SECOND
    clock.move(419 * SECOND)
    assert await post.deliver() == ()
    clock.move(2 * SECOND)
    hook.status = 204
    await post.until_idle()
    assert post.states() == {"delivered": 3}
    assert len(hook.requests) == 4


async def test_a_message_that_is_refused_holds_up_no_other(post, hook):
    put(post.store, *some(3))
    hook.status = 400
    done = await post.deliver()
    assert [(one.state, one.attempt.kind) for one in done] == [("dead", "bad_request")] * 3
    assert post.channel().retry_at is None


async def test_what_broke_off_goes_again_as_it_was_under_its_id(store, clock, client):
    """It may have arrived: so the news that came meanwhile wait, and are told on their own."""
    seen, drops = [], [True]

    async def talk(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        lines = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n") if b": " in line)
        await reader.readexactly(int(lines[b"content-length"]))
        seen.append(lines[b"webhook-id"].decode())
        if not drops[0]:
            writer.write(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n")
        writer.close()
        await writer.wait_closed()

    alert = make_alert()
    fire = make_notification(alert, receiver="hook")
    over = make_notification(ended(alert, NOW + SECOND), receiver="hook", reason=NotifyReason.RESOLVED, at=NOW + SECOND)
    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/x"
        post = Post(store, clock, {"hook": webhook(client, url, clock)})
        put(store, fire)
        (one,) = await post.deliver()
        assert (one.attempt.outcome, one.attempt.kind) == ("retry", "refused")
        assert store.read_now(outbox.listed)[0].is_uncertain
        put(store, over, now=clock())
        clock.now, drops[0] = post.due(), False
        await post.until_idle()
    assert seen == [fire.id, fire.id, over.id]


async def test_refused_hung_and_untrusted_connections_open_the_breaker(store, clock, client, unused_port):
    put(store, *(n for name in ("closed", "silent", "tls") for n in some(2, name)))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("localhost").configure_cert(context)
    server = await asyncio.start_server(lambda r, w: w.close(), "127.0.0.1", 0, ssl=context)
    tls_port = server.sockets[0].getsockname()[1]
    async with raw_server(None) as port, server:
        post = Post(
            store,
            clock,
            {
                "closed": webhook(client, f"http://127.0.0.1:{unused_port}/", clock, "closed"),
                "silent": webhook(client, f"http://127.0.0.1:{port}/", clock, "silent", timeout=0.3),
                "tls": webhook(client, f"https://localhost:{tls_port}/", clock, "tls"),
            },
        )
        done = await post.deliver()
    found = {one.delivery.notification.receiver: (one.attempt.kind, one.state) for one in done}
    assert found == {"closed": ("refused", "pending"), "silent": ("timeout", "pending"), "tls": ("tls", "pending")}
    assert len(done) == 3, "the second of each was not tried"
    uncertain = {one.notification.receiver for one in store.read_now(outbox.listed) if one.is_uncertain}
    assert uncertain == {"silent"}
    assert all(post.channel(name).retry_at > NOW for name in found)


async def test_a_dead_channel_holds_up_no_other_and_gets_everything_once(store, clock, client, hook, unused_port):
    async with hook_server() as other:
        post = Post(
            store,
            clock,
            {
                "hook": webhook(client, f"http://127.0.0.1:{unused_port}/", clock),
                "other": webhook(client, other.url, clock, "other"),
            },
        )
        for n in range(8):
            both = [make_notification(make_alert(name=f"d{n}"), receiver=name) for name in ("hook", "other")]
            put(store, *both, now=clock())
            await post.until_idle()
            clock.move(MINUTE)
        assert len(other.requests) == len(set(ids(other))) == 8
        post.notifiers["hook"] = webhook(client, hook.url, clock)
        clock.now = max(clock(), post.due())
        await post.until_idle()
    assert len(hook.requests) == len(set(ids(hook))) == 8
    assert [json_name(body) for *_, body in hook.requests][1:] == sorted(
        json_name(body) for *_, body in hook.requests[1:]
    )


def json_name(body):
    return body.split(b'"deployment":"')[1].split(b'"')[0] if b'"deployment":"' in body else body


async def test_a_mail_server_that_greylists_takes_it_later(store, clock):
    async with mail_server() as mailbox:
        mail = EmailNotifier(
            name="hook",
            voice=VOICE,
            host="127.0.0.1",
            port=mailbox.port,
            security="none",
            sender="watcher@example.com",
            to=("ops@example.com",),
        )
        post = Post(store, clock, {"hook": mail})
        put(store, *some(2))
        mailbox.refuse_data = "450 4.2.0 greylisted, come back later"
        (one,) = await post.deliver()
        assert one.state == "pending"
        assert "greylisted" in one.attempt.detail
        mailbox.refuse_data = ""
        clock.now = post.due()
        await post.until_idle()
        assert len(mailbox.mails) == 2
    assert post.states() == {"delivered": 2}


ROUTING = make_routing(receiver="hook", fallback=("mail",))


async def test_what_dies_is_told_to_the_fallback_and_so_is_its_end(post, hook, client, clock):
    async with hook_server() as mail:
        post.notifiers["mail"] = webhook(client, mail.url, clock, "mail")
        post.routing = ROUTING
        alert = make_alert()
        (fire,) = (make_notification(alert, receiver="hook"),)
        put(post.store, fire)
        post.store.write_now(alerts.settle, [alert.id])
        hook.status = 400
        await post.until_idle()
        assert post.states() == {"dead": 1, "delivered": 1}
        (body,) = [body for *_, body in mail.requests]
        assert b'"reason":"firing"' in body.replace(b'": "', b'":"')
        (told,) = [t for t in post.store.read_now(tellings.newest, [alert.id]) if t.receiver == "mail"]
        (instead,) = post.store.read_now(outbox.listed, ids=[told.notification_id])
        assert instead.notification.notes[-1].startswith("hook could not be told: bad_request: ")
        assert [one.id for one in post.store.read_now(alerts.unsettled)] == [alert.id]

        over = ended(alert, clock.move(HOUR))
        post.store.write_now(alerts.save, [over])
        hook.status = 204
        plan = await cycles.dispatch(routing=ROUTING, store=post.store, clock=clock, wall_clock=clock)
        assert {n.receiver for n in plan.notifications} == {"hook", "mail"}
        await post.until_idle()
        assert len(mail.requests) == 2


async def test_a_fallback_never_falls_back(post, hook, client, clock):
    post.notifiers["mail"] = webhook(client, hook.url, clock, "mail")
    post.routing = make_routing(receiver="hook", fallback=("mail", "hook"))
    put(post.store, *some(1))
    hook.status = 400
    await post.until_idle()
    assert post.states() == {"dead": 2}
    assert len(hook.requests) == 2


async def test_after_three_days_all_that_waited_dies_and_is_told_elsewhere(post, hook, client, clock):
    """Also what the breaker let nobody try."""
    async with hook_server() as mail:
        post.notifiers["mail"] = webhook(client, mail.url, clock, "mail")
        post.routing = ROUTING
        put(post.store, *some(100))
        late = make_notification(make_alert(name="late"), receiver="hook", at=NOW + HOUR)
        hook.status = 503
        tries = 0
        while clock() < NOW + 72 * HOUR:
            if tries == 20:
                put(post.store, late, now=clock())
            tries += 1
            assert await post.deliver()
            clock.now = post.due()
        assert tries == pytest.approx(75, abs=10)
        assert post.states() == {"pending": 101}
        assert clock() == NOW + 72 * HOUR
        await post.deliver()
        assert post.states() == {"pending": 101, "dead": 100}  # 100 for the fallback, and the late one
        await post.until_idle()
        assert len(set(ids(mail))) == len(mail.requests) == 100
        assert post.states() == {"pending": 1, "dead": 100, "delivered": 100}
        (dead, *_) = post.store.read_now(outbox.listed, states=("dead",))
        assert dead.last_error.startswith("not delivered in 72 h") or "attempts failed" in dead.last_error


async def test_more_than_the_rate_allows_goes_as_one_message(post, hook, clock):
    post.paces = {"hook": Pace(rate=Rate(messages=3, per=30 * SECOND))}
    put(post.store, *some(3))
    await post.until_idle()
    assert len(hook.requests) == 3
    put(post.store, *(make_notification(make_alert(name=f"e{n}"), receiver="hook", at=NOW + SECOND) for n in range(7)))
    assert await post.deliver() == ()
    assert NOW + 10 * SECOND <= post.due() <= NOW + 11 * SECOND
    clock.now = post.due()
    (one,) = await post.until_idle()
    assert len(one.delivery.notification.alerts) == 7
    assert one.delivery.notification.notes == (
        "7 messages in one: there were more than this receiver's rate_limit allows",
    )
    assert post.states() == {"delivered": 4, "merged": 7}


async def test_two_processes_share_breaker_and_rate(open_store, clock, hook, client):
    pair = [
        Post(open_store(), clock, {"hook": webhook(client, hook.url, clock)}, owner=owner) for owner in ("one", "two")
    ]
    put(pair[0].store, *some(4))
    hook.status = 503
    assert len(await pair[0].deliver()) == 1
    assert await pair[1].deliver() == ()
    clock.now = pair[1].due()
    both = await asyncio.gather(*(each.deliver() for each in pair))
    assert sorted(map(len, both)) == [0, 1], "one probe"
    hook.status, clock.now = 204, pair[0].due()
    for each in pair:
        each.paces = {"hook": Pace(rate=Rate(messages=2, per=HOUR))}
    hook.requests.clear()
    while sum(map(len, await asyncio.gather(*(each.deliver() for each in pair)))):
        pass
    assert len(hook.requests) == 2, "one token for the probe, and one for all the rest"
    assert pair[0].states() == {"delivered": 2, "merged": 3}


async def test_two_processes_send_each_message_once(open_store, clock, hook, client):
    pair = [
        Post(open_store(), clock, {"hook": webhook(client, hook.url, clock)}, {"hook": Pace(at_once=8)}, owner=owner)
        for owner in ("one", "two")
    ]
    put(pair[0].store, *some(150))
    await asyncio.gather(*(each.until_idle() for each in pair))
    assert sorted(ids(hook)) == sorted({n.id for n in some(150)})
    assert pair[0].states() == {"delivered": 150}


async def test_run_once_tries_each_once_however_the_channel_fails(post, hook):
    put(post.store, *some(3))
    hook.status = 503
    assert len(await post.deliver(heedless=True)) == 3
    assert await post.deliver(heedless=True) == ()
    assert len(hook.requests) == 3


async def test_each_run_once_that_fails_counts_for_the_channel(post, hook, clock):
    """However many messages it tries, as one; what it tries before the next try is due counts as none."""
    put(post.store, *some(3))
    hook.status = 503
    seen = []
    for _ in range(3):
        await post.deliver(heedless=True)
        seen.append((post.channel().failures, post.channel().retry_at > clock.now))
        clock.now = max(one.due_at for one in post.store.read_now(outbox.listed))
    assert seen == [(1, True), (2, True), (3, True)]


class Threads:
    """A medium with threads: it names each message."""

    type, name = "memory", "hook"

    def __init__(self):
        self.earlier = []

    async def send(self, notification, *, now):
        self.earlier.append(dict(notification.earlier))
        return Receipt("ok", reference=f"ts-{len(self.earlier)}")


async def test_a_notifier_learns_what_it_called_its_first_message(store, clock):
    threads, alert, other = Threads(), make_alert(), make_alert(name="other")
    post = Post(store, clock, {"hook": threads})
    for n, about in enumerate([[alert], [alert], [alert, other], [other]]):
        put(store, make_notification(*about, receiver="hook", at=NOW + n * SECOND))
        await post.until_idle()
    assert threads.earlier == [{}, {alert.id: "ts-1"}, {alert.id: "ts-1"}, {other.id: "ts-3"}]


# What the others hear of it


def review(post, names=("hook", "mail"), **options):
    rules = build_rules({"delivery_failing": options} if options else {}, plugins=()).fleet_rules
    judgement = cycles.Judgement(rules=(), fleet_rules=rules, receivers=frozenset(names))
    changed = post.store.write_now(cycles.review_now, judgement, post.clock(), "", post.clock())
    return [(one.finding.rule, one.labels["receiver"], one.ends_at is None) for one in changed]


async def test_a_death_is_an_alert_until_it_is_retried(post, hook, clock):
    put(post.store, *some(1))
    assert review(post) == []
    hook.status = 400
    await post.until_idle()
    assert review(post) == [("delivery_failing", "hook", True)]
    assert review(post) == []
    (dead,) = post.store.read_now(outbox.listed, states=("dead",))
    post.store.write_now(redelivery.retry, [dead.notification.id], now=clock.move(HOUR))
    hook.status = 204
    await post.until_idle()
    assert review(post) == [("delivery_failing", "hook", False)]


async def test_a_failing_channel_is_an_alert_after_an_hour_and_until_it_takes_a_message(post, hook, clock):
    put(post.store, *some(2))
    hook.status = 503
    while clock() < NOW + HOUR:
        await post.deliver()
        assert review(post) == []
        clock.now = post.due()
    assert review(post) == [("delivery_failing", "hook", True)]
    hook.status = 204
    await post.until_idle()
    assert review(post) == [("delivery_failing", "hook", False)]


async def test_a_receiver_that_left_the_configuration_fails_no_more(post, hook, clock):
    put(post.store, *some(1))
    hook.status = 400
    await post.until_idle()
    assert review(post, names=["mail"]) == []
    assert review(post) == [("delivery_failing", "hook", True)]
    assert review(post, names=["mail"]) == [("delivery_failing", "hook", False)]


# What is kept fresh


class Forgetful:
    """A medium that must be reminded."""

    type, name, refresh_every = "memory", "hook", MINUTE

    def __init__(self):
        self.said, self.failure = [], None

    async def refresh(self, firing, *, now):
        if self.failure is not None:
            raise self.failure
        self.said.append([alert.id for alert in firing])


async def test_a_refresh_says_what_fires_of_what_was_told_and_shows_how_the_channel_does(store, clock):
    forgetful, alert, other, over = Forgetful(), make_alert(), make_alert(name="other"), make_alert(name="over")
    put(store, make_notification(alert, over, receiver="hook"), make_notification(other, receiver="mail"))
    store.write_now(alerts.save, [ended(over, NOW)])

    async def refresh():
        wanted = cycles.refreshing({"hook": forgetful, "plain": Threads()})
        assert list(wanted) == ["hook"]
        return await cycles.refresh(wanted, policy=POLICY, store=store, clock=clock, wall_clock=clock)

    assert await refresh() == {"hook"}
    assert forgetful.said == [[alert.id]]
    forgetful.failure = DeliveryError("no answer", permanent=False, kind="timeout")
    assert await refresh() == frozenset()
    channel = store.read_now(channels.of, ["hook"])["hook"]
    assert (channel.failing_since, channel.kind) == (NOW, "timeout")
    assert store.write_now(claiming.claim, "me", receivers=["hook"], now=clock()) == ()
    forgetful.failure = None
    assert await refresh() == {"hook"}
    assert not store.read_now(channels.of, ["hook"])["hook"].is_failing
    assert store.read_now(outbox.counts) == {"pending": 2}, "no rows of its own"


# Receivers that leave the configuration


async def bury(post, routing):
    return await cycles.bury(post.notifiers, routing=routing, store=post.store, clock=post.clock, wall_clock=post.clock)


async def test_what_waits_for_a_receiver_that_is_gone_is_told_to_its_successor(post, hook, clock, client):
    """Events too, of which dispatch believed that all had heard."""
    fails, event = make_alert(), make_alert("job_failed", name="job")
    post.store.write_now(alerts.save, [fails, event])
    old, new = make_routing(receiver="old"), make_routing(receiver="hook")

    async def dispatch(routing):
        plan = await cycles.dispatch(routing=routing, store=post.store, clock=clock, wall_clock=clock, immediate=True)
        return {entry.alert.id: n for n in plan.notifications for entry in n.alerts}

    await dispatch(old)
    assert await bury(post, new) != ()
    assert await bury(post, new) == (), "once"
    dead = post.store.read_now(outbox.listed, states=("dead",))
    assert {one.last_error for one in dead} == {"the receiver is no longer configured"}
    told = await dispatch(new)
    assert {(id_, n.receiver, n.notes) for id_, n in told.items()} == {
        (fails.id, "hook", ()),
        (event.id, "hook", ()),
    }
    await post.until_idle()
    assert len(hook.requests) == len({n.id for n in told.values()})
    assert await dispatch(new) == {}
    post.store.write_now(alerts.save, [ended(fails, clock.move(HOUR))])
    assert {n.receiver for n in (await dispatch(new)).values()} == {"hook"}, "nobody else knew that it fired"


async def test_what_is_in_another_hand_or_configured_is_not_given_up(post, clock):
    put(post.store, *some(1), *some(1, "old"))
    post.store.write_now(claiming.claim, "other", receivers=["old"], now=clock())
    assert await bury(post, make_routing(receiver="hook")) == ()
    clock.move(31 * SECOND)
    (gone,) = await bury(post, make_routing(receiver="hook"))
    assert gone.delivery.notification.receiver == "old"
    assert post.states() == {"dead": 1, "pending": 1}


async def test_what_died_with_its_receiver_is_told_when_it_is_back_and_retried(post, hook, clock):
    alert = make_alert()
    put(post.store, make_notification(alert, receiver="old"))
    (gone,) = await bury(post, None)
    assert post.store.read_now(tellings.of_alert, alert.id) == ()
    assert post.store.write_now(redelivery.retry, [gone.delivery.notification.id], now=clock()) == 1
    (told,) = post.store.read_now(tellings.of_alert, alert.id)
    assert (told.receiver, told.notification_id) == ("old", gone.delivery.notification.id)


# Refusals that may pass


@pytest.mark.parametrize("status", [401, 403, 404, 410])
async def test_a_refusal_that_may_pass_is_none_for_good_for_a_quarter_of_an_hour(post, hook, clock, status):
    put(post.store, *some(2))
    hook.status = status
    while clock() < NOW + 15 * MINUTE:
        (one,) = await post.deliver()
        assert one.state == "pending"
        clock.now = post.due()
    assert clock() == NOW + 15 * MINUTE, "one last try then"
    assert 4 <= len(hook.requests) <= 9
    await post.until_idle()
    assert post.states() == {"dead": 2}
    hook.requests.clear()
    put(post.store, make_notification(make_alert(name="new"), receiver="hook", at=clock()), now=clock())
    (late,) = await post.deliver()
    assert late.state == "dead", "it has been said for long enough"


async def test_a_roll_out_costs_nothing(post, hook, clock):
    """503 for hours, then an ingress that knows no such path for a minute."""
    put(post.store, *some(2))
    for status, span in ((503, 3 * HOUR), (404, MINUTE)):
        hook.status, until = status, clock() + span
        while clock() < until:
            await post.deliver()
            clock.now = max(post.due(), clock() + SECOND)
    hook.status = 204
    clock.now = post.due()
    await post.until_idle()
    assert post.states() == {"delivered": 2}
    assert post.channel().refused_since is None


# Notifiers of other people


class Broken:
    type, name = "memory", "hook"

    async def send(self, notification, *, now):
        raise RuntimeError("template")


async def test_a_notifier_that_always_raises_is_an_alert_after_an_hour(store, clock):
    post = Post(store, clock, {"hook": Broken()})
    put(store, *some(1))
    while clock() < NOW + HOUR:
        assert review(post) == []
        await post.deliver()
        clock.now = post.due()
    await post.deliver()
    assert review(post) == [("delivery_failing", "hook", True)]
    post.notifiers["hook"] = Threads()
    clock.now = post.due()
    await post.until_idle()
    assert review(post) == [("delivery_failing", "hook", False)]


class Quoting:
    type, name = "memory", "hook"

    def __init__(self, fails):
        self.fails = fails

    async def send(self, notification, *, now):
        if self.fails:
            raise DeliveryError(
                "AUTH PLAIN AG1lAGh1bnRlcjItdGhlLXRva2Vu, hunter2-the-token", permanent=False, kind="auth"
            )
        return Receipt("hunter2-the-token took it")


@pytest.fixture
def hidden():
    logs.hide({"hunter2-the-token"})
    yield
    logs.hide(())


@pytest.mark.usefixtures("hidden")
async def test_a_secret_that_a_notifier_quotes_is_kept_nowhere(store, clock):
    notifier = Quoting(fails=True)
    post = Post(store, clock, {"hook": notifier})
    put(store, *some(1))
    (failed,) = await post.deliver()
    kept = [failed.attempt.detail, post.channel().detail, store.read_now(outbox.listed)[0].last_error]
    notifier.fails, clock.now = False, post.due()
    (done,) = await post.deliver()
    kept += [one.detail for one in store.read_now(attempts.of, done.delivery.notification.id)]
    assert "***" in kept[0]
    assert kept[-1] == "*** took it"
    assert not [
        text for text in kept if "hunter2" in text or "dW50ZXIyLXRoZS10b2tl" in text or "h1bnRlcjItdGhl" in text
    ]


# Leases


class Slow:
    """Takes its time, and lets another process look at any moment of it."""

    type, name = "memory", "hook"

    def __init__(self, clock, seconds, look):
        self.clock, self.seconds, self.look, self.got = clock, seconds, look, []

    async def send(self, notification, *, now):
        self.got.append(notification.id)
        until = self.clock() + self.seconds * SECOND
        while self.clock() < until:
            self.clock.now += SECOND
            await self.look()
        return Receipt("ok")


@pytest.mark.parametrize("at_once", [1, 2])
async def test_no_lease_ends_while_what_it_is_on_is_sent(open_store, clock, at_once):
    """What begins after others have ended has a whole send's time left."""
    paces = {"hook": Pace(at_once=at_once)}
    other = Post(open_store(), clock, {"hook": Threads()}, paces, owner="other")

    async def look() -> None:
        await post.store.write(lambda tx: None)  # what has ended is settled within a second of this clock
        await other.deliver()

    slow = Slow(clock, 19, look)
    post = Post(open_store(), clock, {"hook": slow}, paces)
    put(post.store, *some(4))
    await post.deliver()
    assert len(slow.got) == 4
    assert other.notifiers["hook"].earlier == []


async def test_a_lease_counts_from_when_the_writer_takes_it(open_store, clock):
    other = Post(open_store(), clock, {"hook": Threads()}, owner="other")
    slow = Slow(clock, 5, other.deliver)
    post = Post(open_store(), clock, {"hook": slow})
    put(post.store, *some(1))
    has_begun = threading.Event()
    busy = asyncio.create_task(post.store.write(lambda tx: has_begun.wait(10) and clock.move(31 * SECOND)))
    await asyncio.sleep(0)  # the writer is busy first
    asyncio.get_running_loop().call_soon(has_begun.set)  # once the delivery waits for it
    await post.deliver()
    await busy
    assert (len(slow.got), other.notifiers["hook"].earlier) == (1, [])


async def test_what_came_of_a_lost_lease_counts_for_nothing(open_store, clock):
    other = Post(open_store(), clock, {"hook": Threads()}, owner="other")
    slow = Slow(clock, 40, other.deliver)  # no notifier may, but a machine that slept does
    post = Post(open_store(), clock, {"hook": slow})
    put(post.store, *some(1))
    assert await post.deliver() == ()
    assert other.notifiers["hook"].earlier == [{}]
    assert post.states() == {"delivered": 1}
