"""Promises that the source itself can be held to."""

import ast
from pathlib import Path

import pytest

import watcher

PACKAGE = Path(watcher.__file__).parent
ROOM = sorted((PACKAGE / "azure").glob("*.py"))
#: Verbs that write. `send` takes a request whose method stands in `client.py`, and is looked at below.
WRITES = {"post", "put", "patch", "delete", "request"}


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


@pytest.mark.parametrize("path", ROOM, ids=lambda path: path.name)
def test_knows_no_verb_but_get(path):
    calls = [node.func for node in ast.walk(tree(path)) if isinstance(node, ast.Call)]
    assert not {call.attr for call in calls if isinstance(call, ast.Attribute)} & WRITES
    methods = [
        node.args[0].value
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Request"
    ]
    assert set(methods) <= {"GET"}


def test_what_goes_along_as_a_body_is_one_of_two_questions_and_nothing_else():
    """A request with a body is a POST: those that are made ask for metrics, and for what was billed."""
    users = {
        path.name: call
        for path in sorted(PACKAGE.rglob("*.py"))
        for call in ast.walk(tree(path))
        if isinstance(call, ast.Call) and any(keyword.arg == "question" for keyword in call.keywords)
        if not (isinstance(call.func, ast.Attribute) and call.func.attr == "fetch")  # the client's own step on the way
    }
    assert {name: ast.unparse(call.args[0]) for name, call in users.items()} == {
        "actuals.py": "f'{base}{path}{query}'",
        "metrics_batch.py": "f'{base}{path}?api-version={VERSION}&{metrics.batch_query_of(span)}'",
    }
    for name, end in (("metrics_batch", "metrics:getBatch"), ("actuals", "Microsoft.CostManagement/query")):
        assigned = [
            ast.unparse(node.value)
            for node in ast.walk(tree(PACKAGE / "azure" / f"{name}.py"))
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "path"
        ]
        assert len(assigned) == 1
        assert assigned[0].rstrip("'\"").endswith(f"/{end}")


@pytest.mark.parametrize("path", ROOM, ids=lambda path: path.name)
def test_asks_for_no_inference(path):
    text = path.read_text(encoding="utf-8")
    assert not [word for word in ("/completions", "/responses", "/embeddings", "chat/") if word in text]


@pytest.mark.parametrize("path", ROOM, ids=lambda path: path.name)
def test_imports_only_what_stands_below_it(path):
    ours = {name for name in imports(path) if name.startswith("watcher")}
    allowed = ("watcher.azure", "watcher.resources", "watcher.errors", "watcher.clock", "watcher.transport")
    assert not [name for name in ours if not name.startswith(allowed)]
    assert not {"httpx", "aiohttp"} & {name.partition(".")[0] for name in imports(path)}


@pytest.mark.parametrize(
    "name",
    [
        "decode",
        "decode_arm",
        "decode_activity",
        "decode_actuals",
        "decode_catalogue",
        "decode_files",
        "decode_prices",
        "lenient",
        "metrics",
        "results",
        "gaps",
        "clouds",
    ],
)
def test_what_decides_does_nothing_else(name):
    found = {module.partition(".")[0] for module in imports(PACKAGE / "azure" / f"{name}.py")}
    assert not found & {"asyncio", "structlog", "logging", "os", "time", "random"}
    assert "watcher.transport" not in imports(PACKAGE / "azure" / f"{name}.py")


def test_one_module_imports_httpx():
    users = [path for path in PACKAGE.rglob("*.py") if "httpx" in imports(path)]
    assert users in ([], [PACKAGE / "transport.py"])
