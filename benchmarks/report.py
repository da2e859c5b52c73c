"""What the report of a week and of a month costs over a large fleet with a year of history.

    python benchmarks/report.py [--accounts 1000] [--database FILE]

The database is made first, with seeded chance: rows in bulk, as polls would have left them, of 5 deployments and 20
jobs an account, a year of calls by the hour, and deployments that came and went. Two in five deployments are called
through the working days or around the clock, one in five by a daily probe, the others were left or never called. With
`--database` the file is kept, and used again where it is there. Each report is compiled in a fresh process, with the
peak of its memory; `as of` is one that is asked for a week later, about a time in the past.
"""

import argparse
import gc
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec

NOW = datetime(2026, 11, 22, 8, 20, tzinfo=UTC)
READ_TO = NOW.replace(minute=0)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
YEAR = 365 * DAY
BEGAN = NOW - YEAR
ZONE = ZoneInfo("Europe/Berlin")
DEPLOYMENTS, JOBS = 5, 20
BASES = ("gpt-4o-2024-08-06", "gpt-4o-mini-2024-07-18", "gpt-4.1-2025-04-14", "gpt-4.1-mini-2025-04-14")
SKUS = ("Standard", "Standard", "GlobalStandard", "DataZoneStandard", "ProvisionedManaged")
REGIONS = ("swedencentral", "northcentralus", "eastus2")
#: Seconds, and bytes at the peak.
AIM_S, AIM_MIB = 2.0, 200


def build(path: Path, accounts: int) -> None:
    """The database."""
    from sqlalchemy import insert

    from watcher.store import engine, schema

    made = engine.connect(f"sqlite:///{path}")
    schema.metadata.create_all(made)
    with made.begin() as tx:
        for number in range(accounts):
            rows = _account(number)
            for table, values in rows.items():
                if values and table != "calls":
                    tx.execute(insert(schema.metadata.tables[table]), values)
            statement = "INSERT INTO calls (account, deployment, day, hours) VALUES (?, ?, ?, ?)"
            tx.exec_driver_sql(statement, rows["calls"])
            _progress(number + 1, accounts)
    made.dispose()


def _progress(done: int, whole: int) -> None:
    if sys.stderr.isatty() and (done % 10 == 0 or done == whole):
        filled = 40 * done // whole
        print(f"\r[{'#' * filled}{'.' * (40 - filled)}] {done} of {whole} accounts", end="", file=sys.stderr)
        if done == whole:
            print(file=sys.stderr)


def _account(number: int) -> dict[str, list]:
    from watcher.resources.account import Account

    chance = random.Random(number)
    group = f"rg-{number // 10}"
    account = Account(
        id=f"/subscriptions/sub-{number // 100}/resourceGroups/{group}/providers/Microsoft.CognitiveServices/accounts/"
        f"contoso-{number:04}",
        name=f"contoso-{number:04}",
        label=f"contoso-{number:04}",
        subscription=f"sub-{number // 100}",
        resource_group=group,
        location=REGIONS[number % 3],
        endpoint=f"https://contoso-{number:04}.openai.azure.com",
        owner=f"team-{number % 40}",
        labels={"environment": ("production", "test")[number % 2], "cost-center": f"{4000 + number % 25}"},
    )
    times = {f"{name}_at": NOW for name in ("jobs", "deployments", "usage", "files", "models", "snapshot", "polled")}
    rows: dict[str, list] = {
        "accounts": [{"key": account.key, "label": account.label, "noun": account, "first_seen_at": BEGAN, **times}],
        **{name: [] for name in ("jobs", "job_events", "models", "files", "deployments", "usage", "transitions")},
        "past_gaps": [],
        "calls": [],
    }
    models = [model for job in range(JOBS) for model in _job(rows, account, number, job, chance)]
    for one in range(DEPLOYMENTS):
        _deployment(rows, account, f"bot-{one}", models, chance, ends=None)
    for one in range(DEPLOYMENTS // 2):
        _deployment(rows, account, f"old-{one}", models, chance, ends=BEGAN + YEAR * chance.random())
    return rows


def _job(rows: dict[str, list], account, number: int, job: int, chance: random.Random) -> Iterator[str]:
    from watcher.resources.file import File, FileStatus
    from watcher.resources.fine_tuning import FineTuningJob, JobError, JobStatus
    from watcher.resources.model import CustomModel

    id_, created = f"ftjob-{number:04}{job:02}{chance.getrandbits(96):024x}", BEGAN + YEAR * chance.random()
    finished = min(created + timedelta(hours=chance.uniform(1, 12)), NOW - DAY)
    status = chance.choices((JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.CANCELLED), (80, 15, 5))[0]
    base, suffix = chance.choice(BASES), f"support-v{job}"
    made = f"{base}.ft-{chance.getrandbits(128):032x}-{suffix}" if status is JobStatus.SUCCEEDED else ""
    refusal = "The job failed RAI checks for harm types: [hate_fairness]."
    noun = FineTuningJob(
        id=id_,
        account=account.key,
        status=status,
        raw_status=status.value,
        created_at=created,
        finished_at=finished,
        model=base,
        fine_tuned_model=made,
        training_file=f"file-{number:04}{job:02}",
        suffix=suffix,
        method="supervised",
        training_type="globalStandard",
        trained_tokens=chance.randrange(100_000, 9_000_000),
        hyperparameters={"n_epochs": "3"},
        error=JobError(code="failed", message=refusal) if status is JobStatus.FAILED else None,
    )
    rows["jobs"].append(
        {
            "account": account.key,
            "id": id_,
            "status": status.value,
            "fine_tuned_model": made,
            "status_since": finished,
            "is_status_dated": True,
            "first_seen_at": created,
            "created_at": created,
            "is_listed": True,
            "noun": noun,
        }
    )
    said = ("Created fine-tune", "Job started.", "Step 100", "Step 200", "Training tokens billed: 1234567", "Done")
    rows["job_events"] += [
        {
            "account": account.key,
            "job": id_,
            "id": f"{id_}-{line}",
            "created_at": created + line * (finished - created) / len(said),
            "level": "info",
            "type": "message",
            "message": text,
        }
        for line, text in enumerate(said)
    ]
    steps = (
        (None, "pending", created),
        ("pending", "running", created + HOUR / 2),
        ("running", status.value, finished),
    )
    rows["transitions"] += [
        _transition(account.key, "job", id_, id_, id_, "status", before, after, at) for before, after, at in steps
    ]
    rows["files"].append(
        {
            "account": account.key,
            "id": noun.training_file,
            "is_listed": True,
            "first_seen_at": created,
            "noun": File(
                id=noun.training_file,
                account=account.key,
                filename=f"{suffix}.jsonl",
                purpose="fine-tune",
                bytes=1_000_000,
                status=FileStatus.PROCESSED,
                raw_status="processed",
                created_at=created,
            ),
        }
    )
    if made:
        model = CustomModel(id=made, account=account.key, base=base, job=id_, created_at=finished)
        rows["models"].append(
            {"account": account.key, "id": made, "is_listed": True, "first_seen_at": finished, "noun": model}
        )
        yield made


def _transition(account, kind, resource, name, incarnation, attribute, before, after, at, *, change=None) -> dict:
    return {
        "key": f"{kind} {resource} {attribute} {after} {at.isoformat()}",
        "account": account,
        "kind": kind,
        "resource": resource,
        "name": name,
        "incarnation": incarnation,
        "change": change or ("changed" if before else "discovered"),
        "attribute": attribute,
        "before": before,
        "after": after,
        "observed_at": at,
        "source": "listing",
        "is_history": False,
        "is_undecided": False,
    }


def _deployment(
    rows: dict[str, list], account, name: str, models: list[str], chance: random.Random, *, ends: datetime | None
) -> None:
    from watcher.resources.departure import Departure
    from watcher.resources.deployment import Deployment, Usage

    created = BEGAN + ((ends or NOW) - BEGAN) * chance.random() * 0.9
    incarnation, id_ = created.isoformat(), f"{account.id}/deployments/{name}"
    sku = chance.choice(SKUS)
    noun = Deployment(
        id=id_,
        name=name,
        account=account.key,
        incarnation=incarnation,
        model=chance.choice(models or [f"{BASES[0]}.ft-{0:032x}-lost"]),
        model_version="1",
        sku=sku,
        capacity=chance.choice((50, 100)),
        rai_policy="Microsoft.DefaultV2",
        deployment_state="Running",
        created_at=created,
        created_by="ana@contoso.com",
    )
    departure = Departure(is_read=True, deleted_by="ana@contoso.com", deleted_at=ends, stood_at=ends)
    rows["deployments"].append(
        {
            "key": noun.key,
            "incarnation": incarnation,
            "account": account.key,
            "name": name,
            "model": noun.model,
            "first_seen_at": created + HOUR / 6,
            "ended_at": ends,
            "outcome": "gone" if ends else "",
            "noun": noun,
            "departure": departure if ends else None,
        }
    )
    rows["transitions"].append(
        _transition(account.key, "deployment", id_, name, incarnation, "", None, "Succeeded", created + HOUR / 6)
    )
    if ends:
        rows["transitions"].append(
            _transition(
                account.key,
                "deployment",
                id_,
                name,
                incarnation,
                "provisioning_state",
                "Succeeded",
                None,
                ends,
                change="gone",
            )
        )
    kind = chance.choices(("office", "always", "probe", "left", "never"), (20, 20, 20, 25, 15))[0]
    last = None
    until = ends or NOW
    if kind == "left":
        until = created + (until - created) * chance.random()
    if kind != "never":
        last = _calls(rows, account.key, name, "always" if kind == "left" else kind, created, min(until, READ_TO))
    usage = Usage(deployment=name, read_from=BEGAN, read_to=READ_TO, last_success_at=last)
    rows["usage"].append({"account": account.key, "deployment": name, "noun": usage})


def _calls(rows: dict[str, list], account: str, name: str, kind: str, begin: datetime, end: datetime):
    """A row a day; returns the last hour with a call."""
    day, last = begin.replace(hour=0, minute=0, second=0, microsecond=0), None
    while day < end:
        which = {"always": range(24), "probe": range(9, 10), "office": range(7, 19) if day.weekday() < 5 else range(0)}
        hours = [hour for hour in which[kind] if begin <= day + hour * HOUR < end]
        if hours:
            midnight = int(day.timestamp())
            packed = [
                (hour, 1.0 if kind == "probe" else 37.0 + hour, 0.0, 0.0, midnight + hour * 3600 + 4800)
                for hour in hours
            ]
            rows["calls"].append((account, name, day.date().isoformat(), msgspec.json.encode(packed).decode()))
            last = day + hours[-1] * HOUR
        day += DAY
    return last


#: Which period, and as of when.
REPORTS = {
    "week": (timedelta(days=7), NOW),
    "month": ("month", NOW),
    "week, as of a week ago": (timedelta(days=7), NOW - 7 * DAY),
}


def measure(path: str, name: str) -> None:
    """One report, in this process."""
    from watcher.cycles.editions import uncollected
    from watcher.report.compile import ReportTerms, compile_statement
    from watcher.report.periods import period_before
    from watcher.store import engine, period

    length, as_of = REPORTS[name]
    spent = period_before(as_of, length, ZONE)
    made = engine.connect(f"sqlite:///{path}")
    terms = ReportTerms(watcher="bench", zone=ZONE, tag_labels=("environment", "cost-center"))
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)  # as the daemon's loop has it
    idle_mib = _peak_mib()
    with made.connect() as tx:
        tx.exec_driver_sql("SELECT 1")
        began, cpu = time.perf_counter(), time.process_time()
        with uncollected():
            records = period.load(tx, spent, as_of=as_of, owner_tag="owner")
            loaded_cpu = time.process_time()
            statement = compile_statement(records, period=spent, period_name=name, as_of=as_of, terms=terms)
        compiled, compiled_cpu = time.perf_counter(), time.process_time()
    figures = {
        "load_s": loaded_cpu - cpu,
        "compile_s": compiled_cpu - loaded_cpu,
        "wall_s": compiled - began,
        "idle_mib": idle_mib,
        "peak_mib": _peak_mib(),
        "lines": len(statement.hosted),
        "jobs": len(statement.trained),
        "total": statement.total.text,
        "advice": len(statement.advice),
    }
    print(json.dumps(figures))


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def report(path: Path) -> None:
    heads = ("load s", "compile s", "cpu s", "wall s", "peak MiB", "lines", "jobs", "advice")
    print(f"{'report':<24}" + "".join(f"{head:>10}" for head in heads))
    for name in REPORTS:
        command = [sys.executable, __file__, "--measure", name, "--database", str(path)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=600)
        if done.returncode:
            sys.exit(f"{name} failed")
        found = json.loads(done.stdout.splitlines()[-1])
        load_s, compile_s = found["load_s"], found["compile_s"]
        times = "".join(f"{each:>10.2f}" for each in (load_s, compile_s, load_s + compile_s, found["wall_s"]))
        counts = "".join(f"{found[each]:>10.0f}" for each in ("peak_mib", "lines", "jobs", "advice"))
        print(f"{name:<24}{times}{counts}  ({found['total']})", flush=True)
    print(f"(aim: at most {AIM_S:.0f} s and {AIM_MIB} MiB)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--accounts", type=int, default=1000)
    parser.add_argument("--database", type=Path, help="kept, and used again where it is there")
    parser.add_argument("--measure", choices=REPORTS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        measure(str(given.database), given.measure)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = given.database or Path(folder) / "report.db"
        if not path.exists():
            began = time.perf_counter()
            build(path, given.accounts)
            took, size = time.perf_counter() - began, path.stat().st_size >> 20
            print(f"{given.accounts} accounts made in {took:.0f} s, {size} MiB")
        report(path)


if __name__ == "__main__":
    main()
