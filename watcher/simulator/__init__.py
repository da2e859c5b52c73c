"""A pretend Azure: control plane, data plane, metrics, activity log and prices, on loopback or in process.

Written from Azure's documents alone and sharing no code with the client, so that a misreading on one side shows. Time
is simulated; the same scenario always gives the same answers. Serving over sockets is in `server`, apart because it
loads uvicorn.
"""

from watcher.simulator.addresses import AZURE_HOSTS, Addresses
from watcher.simulator.app import create_app
from watcher.simulator.clock import Clock, FastClock, SteppedClock
from watcher.simulator.faults import Drip, Fault, FaultBook
from watcher.simulator.ledger import AccountTruth, Blind, JobTruth, Ledger, LifeTruth, as_json, ledger
from watcher.simulator.loading import ScenarioError, demo, load, parse, parse_duration
from watcher.simulator.requests import RequestLog, RequestRecord
from watcher.simulator.scenario import (
    TOKEN,
    Account,
    BaseModel,
    Calls,
    Deployment,
    ExtraEvent,
    File,
    Job,
    Pause,
    Price,
    ResourceGroup,
    Scenario,
    Subscription,
)
from watcher.simulator.world import World

__all__ = [
    "AZURE_HOSTS",
    "TOKEN",
    "Account",
    "AccountTruth",
    "Addresses",
    "BaseModel",
    "Blind",
    "Calls",
    "Clock",
    "Deployment",
    "Drip",
    "ExtraEvent",
    "FastClock",
    "Fault",
    "FaultBook",
    "File",
    "Job",
    "JobTruth",
    "Ledger",
    "LifeTruth",
    "Pause",
    "Price",
    "RequestLog",
    "RequestRecord",
    "ResourceGroup",
    "Scenario",
    "ScenarioError",
    "SteppedClock",
    "Subscription",
    "World",
    "as_json",
    "create_app",
    "demo",
    "ledger",
    "load",
    "parse",
    "parse_duration",
]
