"""What a demo is configured with, and what it leaves behind for `status` and `explain`."""

import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path

from watcher.alerts.alert import Alert
from watcher.rules.finding import Severity

DATABASE = "watcher.db"
CONFIGURATION = "config.toml"
MESSAGES = "messages.txt"

_TEXT = """\
# Of `watcher demo`. Its simulated Azure is gone with it: listings, `status` and `explain` read the database beside this
# file; `run` has nothing to watch.

[watcher]
name = "demo"

[database]
url = "sqlite:///{database}"

[azure]
cloud = "custom"
management_url = "{azure}"
metrics_url = "{azure}"
prices_url = "{azure}"
credential = "static"
token_env = "DEMO_TOKEN"

[azure.discovery]
tag_labels = ["environment"]

[poll]
active = "2h"
quiet = "6h"
deployments = "3h"
metrics = "3h"
files = "6h"
models = "12h"
training = "2h"
timeout = "3s"

[[receivers]]
name = "hook"
type = "webhook"
url = "{hook}"
signing_secret_env = "DEMO_SIGNING_SECRET"

[[receivers]]
name = "console"
type = "console"

[route]
receiver = "hook"
group_by = ["rule", "account"]
group_wait = "0s"
group_interval = "0s"
repeat_interval = "30d"

[[route.routes]]
match = ['severity="critical"']
receiver = "console"
continue = true

[[route.routes]]
receiver = "hook"
"""


def configuration(folder: Path, *, azure: str, hook: str) -> str:
    """The demo's `config.toml`, with its database in `folder`."""
    return _TEXT.format(database=folder.resolve() / DATABASE, azure=azure, hook=hook)


def in_the_way(folder: Path) -> str | None:
    """What of an earlier demo, or of somebody else's, a demo kept in `folder` would write over; `None`: nothing."""
    return next((name for name in (DATABASE, CONFIGURATION, MESSAGES) if (folder / name).exists()), None)


def next_commands(folder: Path, alerts: Iterable[Alert]) -> Iterator[str]:
    """What to look at next: a command a line, about the most telling of what fired."""
    config = shlex.quote(str(folder / CONFIGURATION))
    yield f"watcher status --config {config}"
    fired = list(alerts)
    for rule, label in (("job_overfitting", "job"), ("deployment_idle", "deployment")):
        found = next((alert.finding.labels for alert in fired if alert.finding.rule == rule), None)
        if found is not None:
            wanted = found[label] if label == "job" else f"{found['account']}/{found[label]}"
            yield f"watcher explain {shlex.quote(wanted)} --config {config}"
    worst = next((alert for alert in reversed(fired) if alert.severity is Severity.CRITICAL and alert.is_event), None)
    if worst is not None:
        yield f"watcher explain {worst.id} --config {config}"
