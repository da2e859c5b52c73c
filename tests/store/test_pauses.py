"""When deployments were seen to run again after a pause: over all accounts as the rules know it for one."""

from tests.factories import ACCOUNT, DAY, HOUR, NOW, make_deployment, make_snapshot
from watcher.cycles import Judgement, record
from watcher.store import deployments, pauses, scope

STATES = {
    "never-paused": ("Running", "Running", "Running"),
    "paused": ("Running", "Paused", "Paused"),
    "again": ("Running", "Paused", "Running"),
    "told-late": ("", "Running", "Running"),
}


def test_the_listings_know_what_the_rules_know(store):
    store.write_now(scope.save_accounts, [ACCOUNT], is_complete=True, now=NOW - DAY)
    for number in range(3):
        listed = [make_deployment(name, deployment_state=states[number]) for name, states in STATES.items()]
        snapshot = make_snapshot(at=NOW + number * HOUR, jobs=[], deployments=listed, usage=[])
        store.write_now(record, snapshot, Judgement(rules=()))
    lives = store.read_now(deployments.living, ACCOUNT.key)
    for_rules = store.read_now(deployments.state_since, ACCOUNT.key, lives)
    found = store.read_now(pauses.running_since)
    assert {one.name: found[one.key, one.incarnation] for one in lives if (one.key, one.incarnation) in found} == {
        "paused": NOW + HOUR,
        "again": NOW + 2 * HOUR,
    }
    assert {
        (key, next(one.incarnation for one in lives if one.key == key)): at for key, at in for_rules.items()
    } == found
