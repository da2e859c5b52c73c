"""Every way in which a job can end or halt, in both dialects, through the running daemon to the sink."""

from datetime import timedelta

from tests.flows.conftest import now, running_job, until
from watcher.simulator import Account, Job

HARMS = ("self_harm", "violence")

#: What becomes of a running job, by name: the status it comes to, how the simulator words it, and the rule that tells.
ENDINGS = {
    "good": ("succeeded", {"outcome": "succeeded"}, "job_succeeded"),
    "broken": ("failed", {"outcome": "failed"}, "job_failed"),
    "stopped": ("cancelled", {"outcome": "cancelled"}, "job_cancelled"),
    "data-error": ("failed", {"outcome": "rai_data", "text_in": "error", "harm_types": HARMS}, "job_rai_data_failed"),
    "data-events": ("failed", {"outcome": "rai_data", "text_in": "events", "harm_types": HARMS}, "job_rai_data_failed"),
    "data-both": ("failed", {"outcome": "rai_data", "text_in": "both", "harm_types": HARMS}, "job_rai_data_failed"),
    "model-error": (
        "failed",
        {"outcome": "rai_model", "text_in": "error", "harm_types": HARMS},
        "job_rai_model_failed",
    ),
    "model-events": (
        "failed",
        {"outcome": "rai_model", "text_in": "events", "harm_types": HARMS},
        "job_rai_model_failed",
    ),
    "model-both": ("failed", {"outcome": "rai_model", "text_in": "both", "harm_types": HARMS}, "job_rai_model_failed"),
}

CONTRACT_KEYS = {"version", "id", "watcher", "receiver", "sent_at", "reason", "group", "alerts", "omitted"}
ALERT_KEYS = {
    "fingerprint", "status", "rule", "severity", "starts_at", "ends_at", "labels", "annotations", "values", "links",
}  # fmt: skip
LABELS = {"rule", "severity", "cloud", "account", "subscription", "resource_group", "location", "owner", "job", "model"}


async def test_tells_each_outcome_once_in_both_dialects(build):
    jobs = {name: running_job(name) for name in ENDINGS}
    halting = running_job("halting")
    history = Job(name="history", created=timedelta(days=-3))  # succeeded long ago
    everything = (*jobs.values(), halting, history)
    flow = await build(
        Account(name="speaks-v1", dialects=("v1",), jobs=everything, tags={"owner": "search"}),
        Account(name="speaks-dated", dialects=("dated",), jobs=everything, tags={"owner": "search"}),
    )
    daemon = await flow.daemon()
    assert flow.sink.hooks == [], "what had ended before the first sight is history"

    expected = {}  # job id → rule
    for account in ("speaks-v1", "speaks-dated"):
        for name, (status, changes, rule) in ENDINGS.items():
            expected[flow.end(account, jobs[name], status, **changes)] = rule
        expected[flow.end(account, halting, "paused")] = "job_paused"
    await until(lambda: len(flow.sink.alerts) >= len(expected), f"{flow.sink.rules()}")
    for account in ("speaks-v1", "speaks-dated"):
        await flow.polls(account)
    told = {alert["labels"]["job"]: alert["rule"] for alert in flow.sink.alerts}
    assert told == expected
    assert len(flow.sink.alerts) == len(expected), "each once"

    for account in ("speaks-v1", "speaks-dated"):
        job = next(
            one for a in flow.world.scenario.accounts if a.key == account for one in a.jobs if one.name == "halting"
        )
        flow.end(account, job, "running")
    await until(lambda: len(flow.sink.rules("resolved")) == 2, "both pauses resolved")
    assert flow.sink.rules("resolved") == ["job_paused"] * 2
    assert flow.job_id("speaks-v1", history) not in daemon.stderr

    for alert in flow.sink.alerts:
        assert alert.keys() >= ALERT_KEYS
        assert alert["labels"].keys() >= LABELS
        assert alert["labels"]["owner"] == "search"
        assert alert["annotations"].keys() >= {"summary", "description", "action"}
        assert alert["links"].keys() >= {"watcher", "portal"}
        assert alert["starts_at"].endswith("Z")
        if "rai" in alert["rule"]:
            assert alert["labels"]["harm_types"] == "self_harm,violence"
    severities = {alert["rule"]: alert["severity"] for alert in flow.sink.alerts}
    assert severities == {
        "job_succeeded": "info",
        "job_cancelled": "info",
        "job_failed": "warning",
        "job_rai_data_failed": "warning",
        "job_rai_model_failed": "warning",
        "job_paused": "warning",
    }
    for hook in flow.sink.hooks:
        assert hook.json.keys() >= CONTRACT_KEYS
        assert (hook.json["version"], hook.json["watcher"], hook.json["receiver"]) == (1, "flow", "hook")
        assert hook.json["id"] == hook.id and hook.id.startswith("ntf_")
        assert hook.reason in ("firing", "resolved")
        assert hook.json["group"]["rule"] == hook.alerts[0]["rule"]
    assert len({hook.id for hook in flow.sink.hooks}) == len(flow.sink.hooks)
    assert await daemon.stop() == 0


async def test_tells_of_a_job_that_began_and_ended_between_two_polls(build):
    flow = await build(Account(name="ft"))
    await flow.daemon()
    flow.world.add_job(
        "ft",
        Job(name="quick", created=flow.world.moment(now()), timeline=(("failed", timedelta(0)),), outcome="failed"),
    )
    await until(lambda: flow.sink.of("job_failed"))
    await flow.polls("ft")
    assert flow.sink.rules() == ["job_failed"]
