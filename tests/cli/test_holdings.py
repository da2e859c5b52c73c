"""`models` and `files`: what came from what, what is used by what, and nothing called unused that could not be read."""

import shutil
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from tests.cli.world import World
from tests.factories import (
    ALL_SECTIONS,
    DAY,
    HOUR,
    NOW,
    make_account,
    make_deployment,
    make_file,
    make_gap,
    make_job,
    make_snapshot,
)
from watcher.resources.model import CustomModel, Retirement
from watcher.resources.snapshot import NOT_OFFERED, Gap, GapReason, Listing, Section
from watcher.store import retirements

EVERYTHING = ALL_SECTIONS | {Section.FILES, Section.MODELS}
HERE, THERE = make_account("contoso-ft"), make_account("contoso-west", location="westus3", owner="")
BASE = "gpt-4.1-2025-04-14"


def name(digit: str, suffix: str) -> str:
    return f"{BASE}.ft-{digit * 32}-{suffix}"


DEPLOYED, UNDEPLOYED, LISTED = name("1", "bot"), name("2", "try"), name("3", "old")


def listed(model: str, **more: Any) -> CustomModel:
    return CustomModel(**{"id": model, "account": HERE.key, "base": BASE, "created_at": NOW - 20 * DAY, **more})


def made(id_: str, model: str, **more: Any) -> Any:
    given = {"model": BASE, "fine_tuned_model": model, "finished_at": NOW - 3 * DAY, **more}
    return make_job(id_, "succeeded", account=HERE.key, **given)


def world_of(folder: Path, *, gaps: tuple[Gap, ...] = (), jobs: bool = True) -> World:
    world = World(folder)
    here = make_snapshot(
        account=HERE,
        at=NOW - HOUR,
        asked=EVERYTHING,
        jobs=[
            made("ftjob-one", DEPLOYED, training_file="file-train", metadata={"owner": "support"}),
            made("ftjob-two", UNDEPLOYED, training_file="file-train", validation_file="file-valid"),
        ]
        if jobs
        else None,
        deployments=[make_deployment("bot", account=HERE, model=f"{DEPLOYED}:ckpt-step-80")],
        usage=[],
        models=Listing(digest="m", items=(listed(DEPLOYED), listed(UNDEPLOYED), listed(LISTED))),
        files=Listing(
            digest="f",
            items=(
                make_file("file-train", filename="support.jsonl", account=HERE.key),
                make_file("file-valid", "error", account=HERE.key, bytes=None),
                make_file("file-spare", account=HERE.key, created_at=NOW - 2 * DAY),
            ),
        ),
    )
    there = make_snapshot(
        account=THERE,
        at=NOW - HOUR,
        asked=EVERYTHING,
        jobs=[],
        deployments=None if gaps else [make_deployment("bot-west", account=THERE, model=DEPLOYED)],
        usage=[],
        models=Listing(digest="m", items=()),
        files=Listing(digest="f", items=()),
        gaps=gaps,
    )
    world.record(here, there)
    return world


@pytest.fixture(scope="module")
def recorded_holdings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return world_of(tmp_path_factory.mktemp("holdings")).database


@pytest.fixture
def held(tmp_path: Path, recorded_holdings: Path) -> World:
    """Recorded once, and copied for each test."""
    shutil.copy(recorded_holdings, tmp_path / "watcher.db")
    return World(tmp_path)


def by_id(document: Any, listing: str) -> dict[str, Any]:
    return {record["id"]: record for record in document[listing]}


def test_a_model_is_told_with_its_job_and_its_deployments(held: World) -> None:
    found = by_id(held.watcher("models", "--json").json, "models")
    assert list(found) == [DEPLOYED, UNDEPLOYED, LISTED]
    one = found[DEPLOYED]
    assert (one["job"], one["base"], one["owner"], one["account"]) == ("ftjob-one", BASE, "support", "contoso-ft")
    places = {(each["account"], each["name"]) for each in one["deployments"]}
    assert places == {("contoso-ft", "bot"), ("contoso-west", "bot-west")}
    assert (found[UNDEPLOYED]["deployments"], found[UNDEPLOYED]["unread_because"]) == ([], None)
    assert found[LISTED]["job"] is None


def test_a_model_retires_with_its_base(held: World) -> None:
    found = by_id(held.watcher("models", "--json").json, "models")
    assert (found[DEPLOYED]["retires_at"], found[DEPLOYED]["retirement_certainty"]) == ("2027-10-14T00:00:00Z", "table")


def test_a_model_is_deployed_nowhere_only_where_all_was_read(tmp_path: Path) -> None:
    gap = make_gap(Section.DEPLOYMENTS, GapReason.ROLE, at=NOW - HOUR)
    world = world_of(tmp_path, gaps=(gap,))
    found = by_id(world.watcher("models", "--json").json, "models")
    assert found[UNDEPLOYED]["unread_because"] == "the deployments of contoso-west could not be read: a role is missing"
    assert not by_id(world.watcher("models", "--json", "--status", "undeployed").json, "models")
    out = world.watcher("models").out
    assert "nowhere" not in out
    assert "unknown" in out
    assert "There may be more deployments" in out


@pytest.mark.parametrize(
    ("args", "models"),
    [
        (["--status", "deployed"], {DEPLOYED}),
        (["--status", "undeployed"], {UNDEPLOYED, LISTED}),
        (["--owner", "support"], {DEPLOYED}),
        (["--account", "contoso-west"], set()),
        (["--since", "4d"], {DEPLOYED, UNDEPLOYED}),
    ],
)
def test_models_are_filtered(held: World, args: list[str], models: set[str]) -> None:
    assert set(by_id(held.watcher("models", "--json", *args).json, "models")) == models


def test_a_file_is_told_with_what_uses_it(held: World) -> None:
    document = held.watcher("files", "--json").json
    found = by_id(document, "files")
    assert found["file-train"]["used_by"] == ["ftjob-one", "ftjob-two"]
    assert found["file-valid"]["used_by"] == ["ftjob-two"]
    assert found["file-spare"]["used_by"] == []
    assert (found["file-valid"]["bytes"], found["file-valid"]["status"]) == (None, "error")
    assert document["usage"][0] == {
        "account": "contoso-ft",
        "account_id": HERE.id,
        "files": 3,
        "files_limit": 100,
        "bytes": 2_000_000,
        "bytes_limit": 1_000_000_000,
        "files_of_unknown_size": 1,
        "is_offered": True,
    }


def test_a_file_belongs_to_whoever_owns_all_jobs_that_use_it(held: World) -> None:
    found = by_id(held.watcher("files", "--json").json, "files")
    assert found["file-train"]["owner"] == "search-team"  # two owners: the account's
    assert found["file-spare"]["owner"] == "search-team"


def test_files_are_unused_only_where_the_jobs_were_read(tmp_path: Path) -> None:
    world = world_of(tmp_path, jobs=False)
    assert by_id(world.watcher("files", "--json").json, "files")["file-spare"]["used_by"] is None
    assert not by_id(world.watcher("files", "--json", "--status", "unused").json, "files")
    assert "nothing" not in world.watcher("files").out


@pytest.mark.parametrize(
    ("args", "files"),
    [
        (["--status", "error"], {"file-valid"}),
        (["--status", "unused"], {"file-spare"}),
        (["--since", "3d"], {"file-spare"}),
        (["--account", "contoso-west"], set()),
    ],
)
def test_files_are_filtered(held: World, args: list[str], files: set[str]) -> None:
    assert set(by_id(held.watcher("files", "--json", *args).json, "files")) == files


def test_each_account_s_files_end_with_its_limits(held: World) -> None:
    world = held
    out = world.watcher("files").out
    assert "contoso-ft (search-team), read 1 h ago\n" in out
    assert "  files 3 of 100, 2.0 MB of 1.0 GB, 1 file of unknown size not counted\n" in out
    world.config.write_text(world.config.read_text() + "[rules.limit_near]\nfiles = 3\nfile_bytes = 0\n")
    assert "  files 3 of 3, 2.0 MB, 1 file" in world.watcher("files").out


def test_a_list_that_the_service_does_not_offer_is_not_told_as_empty(tmp_path: Path) -> None:
    none = Listing(digest=NOT_OFFERED, items=())
    world = World(tmp_path)
    world.record(make_snapshot(account=HERE, at=NOW, asked=EVERYTHING, jobs=[], files=none, models=none))
    out = world.watcher("files").out
    assert "offers no list of files here" in out
    assert "0 of 100" not in out
    (usage,) = world.watcher("files", "--json").json["usage"]
    assert (usage["files"], usage["bytes"], usage["is_offered"]) == (None, None, False)
    assert "not offered: the service has no list of models in contoso-ft" in world.watcher("models").out


@pytest.mark.parametrize("columns", ["60", "80", "132"])
@pytest.mark.parametrize("listing", ["models", "files", "accounts"])
def test_tables_fit(held: World, listing: str, columns: str) -> None:
    world = held
    world.environ["COLUMNS"] = columns
    out = world.watcher(listing).out
    assert max(cell_len(line) for line in out.splitlines()) <= int(columns)


def test_what_was_never_read_is_told(world: World) -> None:
    for listing in ("models", "files"):
        assert f"not seen: the {listing} of contoso-ft have not been read yet" in world.watcher(listing).out


KEYS = {
    "models": "id account account_id base trained_from suffix job owner created_at training_file validation_file "
    "deployments unread_because retires_at is_retired retirement_certainty as_of",
    "files": "id account account_id filename purpose bytes status raw_status reason owner created_at expires_at "
    "used_by as_of",
}


@pytest.mark.parametrize("listing", ["models", "files"])
def test_documents_are_stable(held: World, listing: str) -> None:
    """Other people's scripts rest on these keys: add to them, rename none."""
    document = held.watcher(listing, "--json").json
    assert [list(record) for record in document[listing]] == [KEYS[listing].split()] * 3
    assert (document["version"], document["as_of"]) == (1, "2026-11-22T08:00:00Z")


def test_the_account_s_owner_is_told_with_where_that_is_from(tmp_path: Path) -> None:
    world = World(tmp_path)
    tagged = make_account("tagged", owner="ml", owner_source="tag of the account")
    grouped = make_account("grouped", owner="ops", owner_source="tag of the resource group")
    world.record(make_snapshot(account=tagged, jobs=[]), make_snapshot(account=grouped, jobs=[]))
    out = world.watcher("accounts").out
    assert "ml (tag)" in out
    assert "ops (group's tag)" in out
    (record,) = world.watcher("accounts", "--json", "--owner", "ops").json["accounts"]
    assert record["owner_source"] == "tag of the resource group"


def test_a_model_whose_base_is_retired_is_told_without_a_date_too(held: World) -> None:
    found = [
        Retirement(model=BASE, location="Sweden Central", lifecycle="Deprecated"),
        Retirement(model=BASE, location="westus3", inference_until=NOW + DAY),
    ]
    with closing(held.open()) as store:
        store.write_now(retirements.save, found, regions={"sweden central", "westus3"}, now=NOW)
    one = by_id(held.watcher("models", "--json").json, "models")[DEPLOYED]
    assert (one["retires_at"], one["is_retired"]) == (None, True)
    assert "retired" in held.watcher("models").out
