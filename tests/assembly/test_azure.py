"""How far back calls are read."""

from datetime import timedelta

from watcher import config
from watcher.assembly.azure import first_span_of

MINIMAL = """
[database]
url = "sqlite:///watcher.db"
"""


def test_calls_are_read_back_beyond_the_longest_lifetime_of_any_sku() -> None:
    text = (
        MINIMAL
        + """
[rules.deployment_idle]
lifetime = "30d"
lifetimes = { "provisioned*" = "never", "globalstandard" = "60d" }
"""
    )
    assert first_span_of(config.parse(text, environ={})) == timedelta(days=61)
