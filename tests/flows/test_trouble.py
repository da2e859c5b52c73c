"""Databases that are too new, missing or full: one clear error, and nothing lost."""

from datetime import timedelta

from tests.flows.conftest import ft, running_job, until
from watcher.simulator import Account, Fault


def _one_error(program) -> str:
    """The one line that a failed start leaves."""
    (line,) = [line for line in program.stderr.splitlines() if line.startswith("watcher: ")]
    assert "Traceback" not in program.stderr and "defect" not in line
    return line


async def test_refuses_a_database_that_a_newer_watcher_has_written(build):
    flow = await build(Account(name="ft"))
    flow.configure()
    flow.sql("UPDATE alembic_version SET version_num = '9999'")
    before = flow.database_file.read_bytes()
    program = await flow.start("run", "--config", str(flow.config))
    assert await program.wait() in (1, 2)
    assert "install the newer watcher again" in _one_error(program)
    assert flow.database_file.read_bytes() == before
    assert not any(log.stat().st_size for log in flow.folder.glob("watcher.db-wal"))


async def test_names_a_folder_that_does_not_exist(build):
    flow = await build(Account(name="ft"))
    flow.database = f"sqlite:///{flow.folder}/nowhere/watcher.db"
    flow.configure()
    program = await flow.start("run", "--config", str(flow.config))
    assert await program.wait() == 1
    assert "nowhere" in _one_error(program)


#: Python's own files beside our modules would be cut off too, for all who import them afterwards.
_CACHES_NOTHING = {"PYTHONDONTWRITEBYTECODE": "1"}


async def test_says_so_when_there_is_no_room_for_a_database(build):
    flow = await build(Account(name="ft"))
    flow.configure()
    flow.database_file.unlink()
    no_room = "ulimit -f 32"  # 16 kB a file
    program = await flow.start("run", "--config", str(flow.config), shell=no_room, **_CACHES_NOTHING)
    assert await program.wait() == 1
    assert "database" in _one_error(program)


async def test_outlives_a_full_disk_and_tells_afterwards_what_it_missed(build):
    job = running_job("job")
    flow = await build(Account(name="ft", jobs=(job,), deployments=(ft("calm"),)))
    flow.expected_errors = {"poll.failed", "dispatch.failed", "deliver.failed", "cycle.failed", "alert.failed"}
    assert (await flow.once())[0] == 0
    little_room = "ulimit -f 72"  # 36 kB a file: a few pages of the write-ahead log
    daemon = await flow.start_daemon(shell=little_room, **_CACHES_NOTHING)
    await until(lambda: daemon.log("poll.failed") or daemon.log("cycle.failed"), "the disk is full")
    flow.end("ft", job, "failed", outcome="failed")
    await flow.polls("ft")
    assert (await daemon.get("/healthz")).status_code == 200
    assert all("full" in line["error"] or "disk" in line["error"] for line in daemon.log("poll.failed"))
    assert await daemon.stop() == 0
    assert (await flow.once())[0] == 0
    assert flow.sink.rules() == ["job_failed"]


async def test_refuses_a_page_address_that_is_taken(build):
    flow = await build(Account(name="ft"))
    flow.expected_errors = {"[Errno 98] Address already in use"}
    daemon = await flow.daemon()
    port = (await daemon.page()).rpartition(":")[2]
    flow.config.write_text(flow.config.read_text().replace("127.0.0.1:0", f"127.0.0.1:{port}"))
    second = await flow.start("run", "--config", str(flow.config))
    assert await second.wait() == 2
    assert "cannot be bound" in _one_error(second)
    assert await daemon.stop() == 0


async def test_an_idle_deployment_is_told_even_where_jobs_cannot_be_read(build):
    flow = await build(Account(name="ft", deployments=(ft("idle", timedelta(days=13)),)))
    flow.world.faults.add(Fault(plane="data", status=503))
    daemon = await flow.daemon()
    await until(lambda: {"deployment_idle", "account_unreachable"} <= set(flow.sink.rules()))
    assert await daemon.stop() == 0
