"""What is shipped: the locks, the wheel, the licences of what runs, the README, and what must not stand in any file."""

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, distribution
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from watcher import config
from watcher.cli.app import build

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
EXTRAS = PROJECT["project"]["optional-dependencies"]
RUNTIME = [*PROJECT["project"]["dependencies"], *EXTRAS["postgres"], *EXTRAS["charts"]]
GROUPS = PROJECT["dependency-groups"]
LOCKS = {
    "requirements.txt": RUNTIME,
    "requirements-build.txt": GROUPS["build"],
    "requirements-dev.txt": [*PROJECT["project"]["dependencies"], *GROUPS["dev"], *GROUPS["build"]],
}


# The locks


def pins(name: str) -> Mapping[str, Version]:
    """Distribution → version, as a lock has them."""
    found = re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", (ROOT / name).read_text(), re.MULTILINE)
    return {canonicalize_name(distribution): Version(version) for distribution, version in found}


@pytest.mark.parametrize("name", LOCKS)
def test_lock_satisfies_what_the_project_asks_for(name: str) -> None:
    locked = pins(name)
    for text in LOCKS[name]:
        requirement = Requirement(text)
        version = locked.get(canonicalize_name(requirement.name))
        assert version is not None, f"{name} lacks {requirement.name}: run `make lock`"
        assert requirement.specifier.contains(version, prereleases=True), f"{name}: {requirement} is not {version}"


@pytest.mark.parametrize("name", LOCKS)
def test_every_pin_has_hashes_and_nothing_comes_from_elsewhere(name: str) -> None:
    text = (ROOT / name).read_text()
    entries = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)[1:]
    # One that is there twice is for different Pythons.
    alone = [entry for entry in entries if " ; python_" not in entry.splitlines()[0]]
    assert len({entry.split()[0].partition("==")[0] for entry in entries}) == len(pins(name)) >= len(alone) > 0
    assert len({entry.split("==")[0] for entry in alone}) == len(alone)
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []
    assert not re.search(r"^\s*(-i|-f|-e|--(extra-)?index|--find-links|--trusted)|://| @ ", text, re.MULTILINE)


def test_locks_agree_so_that_what_runs_is_what_was_tested() -> None:
    tested = pins("requirements-dev.txt")
    for name in ("requirements.txt", "requirements-build.txt"):
        others = {key: version for key, version in pins(name).items() if tested.get(key, version) != version}
        assert others == {}, f"{name} and requirements-dev.txt differ: run `make lock`"


def test_production_gets_no_tool_of_development() -> None:
    tools = {canonicalize_name(Requirement(text).name) for text in (*GROUPS["dev"], *GROUPS["build"])}
    run = {canonicalize_name(Requirement(text).name) for text in RUNTIME}
    assert (tools - run) & pins("requirements.txt").keys() == set()


# The licences

_PERMISSIVE = {
    *("Apache 2.0", "Apache-2.0", "Apache Software License"),
    *("BSD-2-Clause", "BSD-3-Clause", "BSD License"),
    *("ISC", "ISC License"),
    *("MIT", "MIT-0", "MIT License"),
    *("0BSD", "CC0-1.0", "MIT-CMU", "PSF-2.0", "Python Software Foundation License", "Zlib"),
}
#: Weak copyleft, used unchanged and as libraries: README, "Licence".
_ODD = {"certifi": "MPL-2.0", "psycopg": "LGPL-3.0-only", "psycopg-binary": "LGPL-3.0-only"}


def licence_of(name: str) -> str:
    """As its metadata say: the expression, else the field, else the classifiers."""
    metadata = distribution(name).metadata
    said = metadata.get("License-Expression") or metadata.get("License") or ""
    if said.startswith("License agreement for matplotlib"):  # the whole text, after the PSF's
        return "PSF-2.0"
    if "Redistribution and use in source and binary forms" in said:  # the whole text
        return "BSD License"
    classifiers = [text for text in metadata.get_all("Classifier", []) if text.startswith("License ::")]
    return said or " OR ".join(text.rpartition(":: ")[2] for text in classifiers)


def is_permissive(said: str) -> bool:
    """With AND every part must be, with OR any."""
    return all(any(one.strip("() ") in _PERMISSIVE for one in part.split(" OR ")) for part in said.split(" AND "))


def test_licences_of_what_runs_are_permissive_but_for_those_that_the_readme_names() -> None:
    odd = {}
    for name in pins("requirements.txt"):
        try:
            said = licence_of(name)
        except PackageNotFoundError:
            continue  # it belongs to another platform
        if not is_permissive(said):
            odd[name] = said
    assert odd == _ODD
    readme = (ROOT / "README.md").read_text()
    assert all(name.removesuffix("-binary") in readme and said in readme for name, said in odd.items())


# The wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (built,) = folder.glob("*.whl")
    return zipfile.Path(built)


@pytest.mark.parametrize(
    "file",
    [
        "watcher/py.typed",
        "watcher/migrations/env.py",
        "watcher/migrations/script.py.mako",
        "watcher/migrations/versions/0001_first.py",
        "watcher/simulator/scenarios/demo.toml",
        "watcher/notify/templates/mail.html",
    ],
)
def test_wheel_contains(wheel: zipfile.Path, file: str) -> None:
    assert (wheel / file).read_bytes() == (ROOT / file).read_bytes()


def test_wheel_contains_every_file_of_the_package_and_no_other(wheel: zipfile.Path) -> None:
    packed = {name for name in wheel.root.namelist() if ".dist-info/" not in name and not name.endswith("/")}
    assert packed == {name for name in shipped_files() if name.startswith("watcher/")}


def test_wheel_starts_the_program_and_carries_its_licence(wheel: zipfile.Path) -> None:
    info = next(name.split("/")[0] for name in wheel.root.namelist() if ".dist-info/" in name)
    assert "watcher = watcher.cli:main" in (wheel / info / "entry_points.txt").read_text()
    assert (wheel / info / "licenses/LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


# The files


def shipped_files() -> Iterator[str]:
    """Files that are tracked, or would be."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: which files are shipped cannot be told")
    asked = subprocess.run(
        [git, "-c", f"safe.directory={ROOT}", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return (name for name in asked.stdout.split("\0") if name and (ROOT / name).is_file())


def texts() -> Iterator[tuple[str, str]]:
    for name in shipped_files():
        content = (ROOT / name).read_bytes()
        if b"\0" not in content:
            yield name, content.decode()


def index_hosts() -> set[str]:
    """Where packages come from: pip's default, and what this machine's pip is told. Not written out here either."""
    hosts = {"pypi" + ".org", "files.python" + "hosted.org"}
    listed = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True)
    for url in re.findall(r"https?://[^\s'\"]+", listed.stdout):
        host = urlsplit(url).hostname or ""
        if "." in host and not _is_loopback(host):
            hosts.add(host)
    return hosts


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def test_no_file_names_a_package_index() -> None:
    named = re.compile("|".join(re.escape(host) for host in index_hosts()), re.IGNORECASE)
    assert [(name, match[0]) for name, text in texts() if (match := named.search(text))] == []


def test_no_file_names_a_path_of_the_machine_it_was_written_on() -> None:
    # Assembled, so that this file does not hold what it looks for.
    folders = {"/".join(("", "work", "")), "/".join(("", "root", "")), f"{ROOT.parent}/"} - {"//", "/"}
    named = re.compile(r"(?<![\w.*}>)])(" + "|".join(re.escape(folder) for folder in folders) + ")")
    assert [(name, match[0]) for name, text in texts() if (match := named.search(text))] == []


def test_continuous_integration_runs_what_everybody_runs_and_nothing_more() -> None:
    script = ROOT / ".ci/run"
    lines = [line for line in script.read_text().splitlines() if line and not line.startswith(("#", "set ", "cd "))]
    # All else installs what pip cannot bring (real peers, a browser), and goes without it where that fails.
    assert lines[-1] == "make test"
    assert lines[0].startswith("tools=(") and "chromium:chromium" in lines[0] and lines[-2] == "done"
    assert [line for line in lines[:-1] if re.search(r"\bmake\b|pytest|ruff|mypy", line)] == []
    assert script.stat().st_mode & 0o111


@pytest.mark.parametrize("target", ["demo", "test"])
def test_make_knows_the_two_commands(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


# The README


def commands() -> list[str]:
    app = build()
    return sorted(
        [command.name or command.callback.__name__ for command in app.registered_commands if command.callback]
        + [group.name for group in app.registered_groups if group.name]
    )


@pytest.mark.parametrize("command", commands())
def test_readme_tells_of_every_command(command: str) -> None:
    readme = (ROOT / "README.md").read_text()
    section = readme[readme.index("### Commands") : readme.index("### Rules")]
    assert re.search(rf"`{command}[ `]", section)


def test_readme_tells_of_every_rule_in_force_and_of_those_that_are_not() -> None:
    from watcher.rules.registry import BUILTIN

    readme = (ROOT / "README.md").read_text()
    section = readme[readme.index("### Rules") : readme.index("### Receivers")]
    assert [name for name in sorted(BUILTIN) if f"`{name}`" not in section] == []


def test_readme_has_a_row_for_each_rule() -> None:
    from watcher.rules.registry import BUILTIN

    readme = (ROOT / "README.md").read_text()
    section = readme[readme.index("### Rules") : readme.index("### Receivers")]
    rows = [
        name
        for row in section.splitlines()
        if row.startswith("| `")
        for name in re.findall(r"`(\w+)`", row.split("|")[1])
    ]
    assert sorted(rows) == sorted(BUILTIN)


def test_readme_tells_of_every_cause_of_an_absence() -> None:
    words = set(re.findall(r'\bword="(\w+)"', (ROOT / "watcher/rules/causes.py").read_text()))
    readme = (ROOT / "README.md").read_text()
    section = readme[readme.index("### Why a deployment is gone") : readme.index("### Models and their lines")]
    assert set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) - {"cause"} == words != set()


def test_readme_tells_of_every_target_that_tests() -> None:
    readme, make = (ROOT / "README.md").read_text(), (ROOT / "Makefile").read_text()
    for target in ("test", "truth", "fuzz", "bench"):
        assert f"| `make {target}` |" in readme and re.search(rf"^{target}:", make, re.MULTILINE)


def test_readme_tells_of_every_metric() -> None:
    from watcher.web.metrics import Figures, Metrics

    readme = (ROOT / "README.md").read_text()
    families = {family.name for family in Metrics(Figures).registry.collect() if family.name.startswith("watcher_")}
    assert families
    assert [name for name in families if name not in readme] == []


def test_configuration_in_the_readme_is_a_whole_one() -> None:
    blocks = re.findall(r"```toml\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    loaded = config.parse(blocks[0], environ={"SLACK_WEBHOOK_URL": "https://hooks.example.com/services/x"})
    assert loaded.route is not None


def test_links_of_the_readme_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", (ROOT / "README.md").read_text())
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
