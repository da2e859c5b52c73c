"""`run --once`: its exit codes, its rehearsal, and how little it asks."""

from datetime import timedelta

from tests.flows.conftest import ft, now, running_job
from watcher.simulator import Account, Fault, Job


async def test_rehearses_runs_and_asks_little(build):
    ended, alive, idle = (
        Job(name="ended", created=timedelta(days=-3)),
        running_job("alive"),
        ft("idle", timedelta(days=13)),
    )
    flow = await build(
        Account(name="ft", jobs=(ended, alive), deployments=(idle,)), Account(name="calm", location="westus")
    )
    flow.database_file.unlink()
    code, rehearsal = await flow.once("--dry-run")
    assert code == 0
    assert "would send    to hook (firing): Deployment idle in ft will be deleted in" in rehearsal.stdout
    assert list(flow.folder.glob("watcher.db*")) == [] and flow.sink.tried == []

    code, first = await flow.once()
    assert code == 0, first.stdout + first.stderr
    assert flow.sink.rules() == ["deployment_idle"]
    assert "1 delivered" in first.stdout

    flow.azure.requests.clear()
    code, _ = await flow.once()
    assert code == 0
    for account in ("ft", "calm"):
        asked = flow.azure.requests.matching(account=account)
        assert 0 < len(asked) <= 12, "an account without changes"
    assert flow.azure.requests.matching(path=flow.job_id("ft", ended)) == [], "an ended job that is recorded"
    assert {record.method for record in flow.azure.requests} == {"GET"}
    assert len(flow.sink.alerts) == 1, "nothing again"

    flow.end("ft", alive, "failed", outcome="failed")
    flow.world.delete_deployment("ft", "idle", at=now())
    before = {path.name: path.read_bytes() for path in flow.folder.glob("watcher.db*")}
    code, rehearsal = await flow.once("--dry-run")
    assert code == 0
    assert {path.name: path.read_bytes() for path in flow.folder.glob("watcher.db*")} == before
    assert len(flow.sink.tried) == 1
    for text in ("running → failed", "would send    to hook (firing): Job", "idle in ft is gone"):
        assert text in rehearsal.stdout
    code, _ = await flow.once()
    assert code == 0
    assert flow.sink.rules("firing") == ["deployment_gone", "deployment_idle", "job_failed"]


async def test_names_what_could_not_be_seen_or_delivered(build):
    flow = await build(Account(name="ft", deployments=(ft("idle", timedelta(days=13)),)))
    flow.expected_errors = {"delivery.died"}
    flow.world.faults.add(Fault(plane="metrics", status=403))
    flow.sink.status = 400
    code, program = await flow.once()
    assert code == 3
    (unread,) = [line for line in program.stdout.splitlines() if line.startswith("not read")]
    assert "ft: metrics" in unread
    (undelivered,) = [line for line in program.stdout.splitlines() if line.startswith("undelivered")]
    assert flow.outbox("dead")[0] in undelivered and "hook" in undelivered and "400" in undelivered

    flow.world.faults.clear()
    flow.sql("UPDATE notifications SET state = 'dropped'")
    flow.sink.recover()
    once_failing = Fault(plane="data", status=503, times=1)
    flow.world.faults.add(once_failing)
    code, program = await flow.once()
    assert code == 0, "what succeeds on retry is no gap: " + program.stdout
    assert flow.world.faults.strikes(once_failing) == 1


async def test_two_runs_at_once_announce_once(build):
    job = running_job("job")
    flow = await build(Account(name="ft", jobs=(job,)))
    assert (await flow.once())[0] == 0
    flow.end("ft", job, "failed", outcome="failed")
    pair = [await flow.start("run", "--once", "--config", str(flow.config)) for _ in range(2)]
    assert [await program.wait() for program in pair] == [0, 0]
    assert flow.sink.rules() == ["job_failed"]
    assert len(flow.sink.tried) == 1


async def test_tries_again_at_once_what_waits_for_its_next_try(build):
    """Whoever runs it by hand has mended the channel, and does not want to hear of a waiting time."""
    flow = await build(Account(name="ft", deployments=(ft("idle", timedelta(days=13)),)))
    flow.sink.status = 500
    assert (await flow.once())[0] == 3
    flow.sink.recover()
    code, program = await flow.once()
    assert (code, "1 delivered" in program.stdout) == (0, True)
    assert len(flow.sink.tried) == 2 and flow.sink.rules() == ["deployment_idle"]


async def test_to_find_no_account_is_not_to_see_everything(build):
    flow = await build(Account(name="speech", kind="SpeechServices"))
    code, program = await flow.once()
    assert (code, "no account was found" in program.stdout) == (3, True)
