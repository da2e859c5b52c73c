"""Who is told of what under a configuration."""

from datetime import timedelta

from watcher import config
from watcher.alerts.routing import explain_routes
from watcher.assembly.telling import context_of, routing_of
from watcher.transport import open_client, system_trust

MINIMAL = """
[database]
url = "sqlite:///watcher.db"
"""


OWNERS = """
[[receivers]]
name = "slack"
type = "console"
[[receivers]]
name = "mail"
type = "console"
[[receivers]]
name = "pager"
type = "console"
[route]
receiver = "slack"
group_by = ["account"]
group_wait = "10s"
escalate_after = "1h"
escalate_to = ["pager"]
[[owners]]
name = "Ads"
match = ['owner="ads"']
receivers = ["mail"]
[[owners]]
name = "Search"
match = ['owner="search"', 'environment!="dev"']
receivers = ["mail", "pager"]
"""


def test_owners_become_routes_beside_the_tree() -> None:
    routing = routing_of(config.parse(MINIMAL + OWNERS, environ={}))
    assert routing is not None
    assert [(route.path, route.receiver) for route in routing.owners] == [
        ("owners[0]", "mail"),
        ("owners[1]", "mail"),
        ("owners[1]", "pager"),
    ]
    assert {(route.group_by, route.group_wait, route.escalate_to) for route in routing.owners} == {
        (("account",), timedelta(seconds=10), ())
    }
    labels = {"rule": "job_failed", "owner": "search"}
    assert [(path, name) for path, name, _ in explain_routes(labels, routing)] == [
        ("route", "slack"),
        ("owners[1]", "mail"),
        ("owners[1]", "pager"),
    ]
    assert explain_routes({**labels, "environment": "dev"}, routing) == [("route", "slack", {})]


async def test_whoever_tries_a_receiver_trusts_whom_the_daemon_trusts() -> None:
    """Behind a proxy with its own authority a mail that is tried would fail where the daemon's arrives."""
    async with open_client() as http:
        shared = context_of(config.parse(MINIMAL, environ={}), http)
    assert type(shared.smtp_tls) is type(system_trust())
