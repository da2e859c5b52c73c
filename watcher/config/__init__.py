"""The configuration: `config.toml` and `WATCHER_…__…` variables in, one frozen and checked `Config` out.

`load` tells every mistake at once, each with its path and its cure. Read by `assembly`, `daemon` and `cli` alone; the
other rooms are given the values that they need.
"""

from watcher.config.load import find_config, load, parse
from watcher.config.models import (
    Azure,
    AzureAccount,
    Config,
    Database,
    Discovery,
    Heartbeat,
    Inhibit,
    Logging,
    Mute,
    Owner,
    Poll,
    Price,
    Pricing,
    Report,
    RootRoute,
    Route,
    Watcher,
    Web,
    WebToken,
)
from watcher.config.notices import warnings
from watcher.config.receivers import (
    AlertmanagerReceiver,
    AnyReceiver,
    AppriseReceiver,
    ConsoleReceiver,
    EmailReceiver,
    PagerDutyReceiver,
    PluginReceiver,
    SlackReceiver,
    TeamsReceiver,
    WebhookReceiver,
)
from watcher.config.rules import RuleOptions, Rules
from watcher.config.schema import json_schema
from watcher.config.secret import Secret
from watcher.config.times import Schedule, TimeRange, format_duration, parse_duration
from watcher.config.values import Listen

__all__ = [
    "AlertmanagerReceiver",
    "AnyReceiver",
    "AppriseReceiver",
    "Azure",
    "AzureAccount",
    "Config",
    "ConsoleReceiver",
    "Database",
    "Discovery",
    "EmailReceiver",
    "Heartbeat",
    "Inhibit",
    "Listen",
    "Logging",
    "Mute",
    "Owner",
    "PagerDutyReceiver",
    "PluginReceiver",
    "Poll",
    "Price",
    "Pricing",
    "Report",
    "RootRoute",
    "Route",
    "RuleOptions",
    "Rules",
    "Schedule",
    "Secret",
    "SlackReceiver",
    "TeamsReceiver",
    "TimeRange",
    "Watcher",
    "Web",
    "WebToken",
    "WebhookReceiver",
    "find_config",
    "format_duration",
    "json_schema",
    "load",
    "parse",
    "parse_duration",
    "warnings",
]
