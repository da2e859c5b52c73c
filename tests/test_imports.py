"""The rooms, and who may import whom: data runs one way, and each kind of input and output stays in one room."""

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "watcher"

#: A room imports only from smaller numbers. A file of the top level is a room of its own.
ORDER = {
    "__init__": 0,
    "clock": 1,
    "loop": 1,
    "errors": 1,
    "resources": 1,
    "logs": 1,
    "patterns": 1,
    "simulator": 1,
    "transport": 1,
    "config": 2,
    "costs": 2,
    "rules": 2,
    "azure": 2,
    "alerts": 3,
    "store": 4,
    "migrations": 4,
    "notify": 4,
    "report": 4,
    "memory": 5,
    "answers": 5,
    "cycles": 5,
    "web": 5,
    "assembly": 6,
    "replay": 6,
    "settings": 6,
    "rounds": 7,
    "daemon": 7,
    "demo": 7,
    "cli": 8,
    "__main__": 9,
}
#: Steps inside one number.
NEIGHBOURS = {
    ("assembly", "settings"),
    ("daemon", "rounds"),
    ("demo", "daemon"),
    ("demo", "rounds"),
    ("answers", "cycles"),
    ("cycles", "memory"),
    ("migrations", "store"),
    ("resources", "errors"),
    ("rules", "costs"),
    ("store", "report"),
    ("web", "answers"),
}
PURE_ROOMS = {"resources", "costs", "rules", "alerts", "report"}
PURE_FILES = {"azure/decode.py", "azure/decode_arm.py", "azure/lenient.py", "notify/message.py", "notify/wording.py"}
PURE_FILES |= {f"azure/{name}.py" for name in ("decode_files", "decode_catalogue", "decode_activity", "results")}
PURE_FILES |= {"azure/decode_prices.py", "azure/decode_actuals.py"}
EDGES = {"httpx", "aiohttp", "sqlalchemy", "apprise", "apscheduler", "structlog", "os"}
STRANGERS = {"azure", "store", "notify"}
READERS_OF_CONFIG = {"assembly", "settings", "daemon", "demo", "cli"}
MOST_LINES = 580

FILES = sorted(PACKAGE.rglob("*.py"))


def path(file: Path) -> str:
    return str(file.relative_to(PACKAGE))


def room(file: Path) -> str:
    return file.relative_to(PACKAGE).with_suffix("").parts[0]


@cache
def tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text())


def names(node: ast.AST) -> list[str]:
    """Full names of the modules that a statement imports; of `from watcher import x`, `watcher.x`."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        assert node.level == 0, "imports are absolute"
        whole = node.module or ""
        return [f"watcher.{alias.name}" for alias in node.names] if whole == "watcher" else [whole]
    return []


@cache
def imports(file: Path) -> tuple[str, ...]:
    return tuple(name for node in ast.walk(tree(file)) for name in names(node))


def rooms_imported(file: Path) -> set[str]:
    found = set()
    for name in imports(file):
        top, _, rest = name.partition(".")
        if top == "watcher":
            inner = rest.split(".")[0]
            found.add(inner if inner in ORDER and inner else "__init__")
    return found - {room(file)}


def test_every_room_has_its_place():
    assert {room(file) for file in FILES} <= ORDER.keys()


def test_a_room_imports_from_smaller_numbers_alone():
    wrong = [
        f"{path(file)} imports {other}"
        for file in FILES
        for other in rooms_imported(file)
        if ORDER[other] >= ORDER[room(file)] and (room(file), other) not in NEIGHBOURS
    ]
    assert wrong == []


def test_the_rooms_at_the_edge_do_not_know_one_another():
    assert [path(file) for file in FILES if room(file) in STRANGERS and rooms_imported(file) & STRANGERS] == []


def test_the_configuration_is_read_by_few():
    readers = {room(file) for file in FILES if "config" in rooms_imported(file)}
    assert readers <= READERS_OF_CONFIG


def test_what_is_pure_touches_no_edge_and_reads_no_clock():
    clocks = {"now", "utcnow", "today", "monotonic", "perf_counter"}
    pure = [file for file in FILES if room(file) in PURE_ROOMS or path(file) in PURE_FILES]
    assert len(pure) > 30
    wrong = [
        (path(file), found)
        for file in pure
        if (found := {name.split(".")[0] for name in imports(file)} & EDGES | calls(file) & clocks)
    ]
    assert wrong == []


def calls(file: Path) -> set[str]:
    """Names of the methods that a file calls."""
    nodes = [node.func for node in ast.walk(tree(file)) if isinstance(node, ast.Call)]
    return {node.attr for node in nodes if isinstance(node, ast.Attribute)}


def test_each_library_of_the_edge_has_one_home():
    homes = {
        "httpx": {"transport"},
        "apprise": {"notify"},
        "aiosmtplib": {"notify"},
        "alembic": {"store", "migrations"},
        "apscheduler": {"daemon"},
        "pydantic": {"config"},
        "pydantic_settings": {"config"},
        "typer": {"cli"},
    }
    for library, rooms in homes.items():
        users = {room(file) for file in FILES if library in {name.split(".")[0] for name in imports(file)}}
        assert users <= rooms, library


def test_only_the_store_speaks_sql():
    """Others pass a connection on."""
    speech = {"select", "insert", "update", "delete", "text", "func", "Table", "Column"}
    speakers = {
        room(file)
        for file in FILES
        for node in ast.walk(tree(file))
        if isinstance(node, ast.ImportFrom) and node.module == "sqlalchemy"
        if {alias.name for alias in node.names} & speech
    }
    assert speakers == {"store"}


def test_a_simulator_shares_no_mistake_with_what_it_simulates():
    assert [path(file) for file in FILES if room(file) == "simulator" and rooms_imported(file)] == []


def test_an_import_inside_a_function_says_why():
    """It keeps start-up short in the command line and the registries; elsewhere its line gives the reason, once."""
    silent = []
    for file in FILES:
        if room(file) == "cli" or file.name == "registry.py":
            continue
        lines, explained = file.read_text().splitlines(), set()
        for node in inner_imports(file):
            block = node.lineno - 1
            while "import " in lines[block - 1] and "#" not in lines[block]:
                block -= 1  # the first of several lines may speak for all
            if "#" in lines[block] or lines[block - 1].lstrip().startswith("#"):
                explained.update(names(node))
            elif not explained >= set(names(node)):
                silent.append(f"{path(file)}:{node.lineno}")
    assert silent == []


def inner_imports(file: Path) -> list[ast.Import | ast.ImportFrom]:
    found = {
        node.lineno: node
        for function in ast.walk(tree(file))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    return [found[line] for line in sorted(found)]


def test_a_file_can_be_read_in_one_go():
    assert [path(file) for file in FILES if len(file.read_text().splitlines()) > MOST_LINES] == []


def test_azure_is_only_read():
    """No verb but GET; tokens are the business of azure-identity, whose transport knows its own."""
    verbs = {"put", "patch", "delete", "post", "request"}
    texts = {
        node.value
        for file in FILES
        if room(file) == "azure"
        for node in ast.walk(tree(file))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert not {verb.upper() for verb in verbs} & texts
    assert [path(file) for file in FILES if room(file) == "azure" and calls(file) & (verbs - {"request"})] == []
