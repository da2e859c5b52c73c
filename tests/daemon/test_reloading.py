"""What a reload leaves behind: the old machine until nothing uses it, and no alert about a file that is mended."""

import asyncio
from types import SimpleNamespace

import pytest

from tests.factories import NOW
from watcher.config.rules import RuleOptions
from watcher.cycles import Judgement, note_itself
from watcher.daemon.current import Current
from watcher.daemon.reloading import Reloader, as_configured, close_later
from watcher.daemon.tasks import UnderWay
from watcher.rules.finding import Severity
from watcher.rules.itself import configuration_rejected
from watcher.store import alerts

REFUSED = configuration_rejected("unknown key", "config.toml", NOW)


class Closing:
    is_closed = False

    async def aclose(self):
        self.is_closed = True


@pytest.mark.parametrize("kind", ["polls", "lanes"])
async def test_the_old_machine_is_open_until_what_was_begun_with_it_has_ended(kind):
    machine, ended = Closing(), asyncio.Event()
    under_way = {"polls": (), "lanes": (), kind: (asyncio.create_task(ended.wait()),)}
    closing = asyncio.create_task(close_later(machine, **under_way, grace_s=0))
    for _ in range(10):
        await asyncio.sleep(0)
    assert not machine.is_closed
    ended.set()
    await closing
    assert machine.is_closed


async def test_a_stop_closes_it_at_once():
    machine, lane = Closing(), asyncio.create_task(asyncio.Event().wait())
    closing = asyncio.create_task(close_later(machine, (), (lane,)))
    await asyncio.sleep(0)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    assert machine.is_closed
    lane.cancel()


@pytest.mark.parametrize(
    ("options", "severity", "labels"),
    [
        (RuleOptions(), Severity.WARNING, {}),
        (RuleOptions(severity="critical", labels={"team": "ops"}), Severity.CRITICAL, {"team": "ops"}),
    ],
    ids=["none", "both"],
)
def test_the_options_of_the_rule_hold(options, severity, labels):
    (found,) = as_configured([REFUSED], options)
    assert (found.severity, found.labels) == (severity, labels)


def test_a_disabled_rule_says_nothing():
    assert as_configured([REFUSED], RuleOptions(enabled=False)) == []


async def test_a_configuration_that_was_taken_ends_what_was_said_of_the_one_before(store):
    judgement = Judgement(rules=())
    store.write_now(note_itself, [REFUSED], judgement, now=NOW)
    rules = SimpleNamespace(configuration_rejected=RuleOptions())
    config = SimpleNamespace(rules=rules)
    machine = SimpleNamespace(store=store, judgement=judgement, config=config, notifiers={})
    reloader = Reloader(
        Current(machine),
        load=lambda: None,
        source="config.toml",
        clock=lambda: NOW,
        observer=lambda *_: None,
        polls=UnderWay(),
        lanes=UnderWay(),
        discover=lambda: None,
        tell=lambda: None,
    )
    assert [alert.finding.rule for alert in store.read_now(alerts.firing, "")] == ["configuration_rejected"]
    await reloader.note_accepted()
    assert store.read_now(alerts.firing, "") == ()
