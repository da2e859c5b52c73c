"""How it is run and watched: the systemd unit, the container image, the example for Kubernetes, Prometheus' rules and
Grafana's dashboard, read as text.

Where the tools of systemd and Prometheus are installed, they judge too. No container engine is needed.
"""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from watcher import config
from watcher.web.metrics import Figures, Metrics

ROOT = Path(__file__).parent.parent
UNIT = ROOT / "systemd/watcher.service"
DOCKERFILE = (ROOT / "Dockerfile").read_text()
KUBERNETES = (ROOT / "deploy/kubernetes.yaml").read_text()

#: The highest exposure that is accepted, in tenths: systemd's own scale ends at 10.0, and calls up to 2.0 "OK".
_EXPOSURE_TENTHS = 15


# systemd


def directives() -> dict[str, list[str]]:
    """`Section.Key` → its values, in order."""
    section, found = "", dict[str, list[str]]()
    for line in UNIT.read_text().splitlines():
        if match := re.fullmatch(r"\[(\w+)\]", line):
            section = match[1]
        elif line and not line.startswith("#"):
            key, separator, value = line.partition("=")
            assert separator and section, line
            found.setdefault(f"{section}.{key}", []).append(value)
    return found


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("Type", "notify"),
        ("ExecReload", "/bin/kill -HUP $MAINPID"),
        ("Restart", "on-failure"),
        ("RestartPreventExitStatus", "2"),
        ("TimeoutStopSec", "15s"),
        ("WatchdogSec", "3min"),
        ("DynamicUser", "yes"),
        ("StateDirectory", "watcher"),
        ("WorkingDirectory", "%S/watcher"),
        ("UMask", "0077"),
        ("NoNewPrivileges", "yes"),
        ("CapabilityBoundingSet", ""),
        ("RemoveIPC", "yes"),
        ("ProtectSystem", "strict"),
        ("ProtectHome", "yes"),
        ("PrivateTmp", "yes"),
        ("PrivateDevices", "yes"),
        ("PrivateUsers", "yes"),
        ("ProtectProc", "invisible"),
        ("ProcSubset", "pid"),
        ("ProtectClock", "yes"),
        ("ProtectHostname", "yes"),
        ("ProtectKernelTunables", "yes"),
        ("ProtectKernelModules", "yes"),
        ("ProtectKernelLogs", "yes"),
        ("ProtectControlGroups", "yes"),
        ("RestrictAddressFamilies", "AF_INET AF_INET6 AF_UNIX"),
        ("RestrictNamespaces", "yes"),
        ("RestrictRealtime", "yes"),
        ("RestrictSUIDSGID", "yes"),
        ("LockPersonality", "yes"),
        ("MemoryDenyWriteExecute", "yes"),
        ("SystemCallArchitectures", "native"),
        ("SystemCallFilter", "@system-service ~@privileged @resources"),
    ],
)
def test_unit_says(key: str, value: str) -> None:
    assert " ".join(directives()[f"Service.{key}"]) == value


def test_unit_starts_a_command_that_there_is() -> None:
    (command,) = directives()["Service.ExecStart"]
    assert re.fullmatch(r"/\S+/bin/watcher run --config /etc/watcher/config\.toml", command)
    assert directives()["Install.WantedBy"] == ["multi-user.target"]


def test_unit_is_patient_enough_for_the_daemon() -> None:
    from watcher.daemon import DRAIN_S, STUCK_AFTER_S

    assert 2 * DRAIN_S < 15
    assert STUCK_AFTER_S < 3 * 60


def test_unit_holds_no_secret() -> None:
    said = re.findall(r"^(?:Set|Load)Credential.*|^Environment.*", UNIT.read_text(), re.MULTILINE)
    assert said == ["Environment=MALLOC_ARENA_MAX=2"]


analyze = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed: the tests above read the unit"
)


def run_systemd_analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, timeout=60)


@analyze
def test_systemd_finds_no_mistake_in_the_unit(tmp_path: Path) -> None:
    # It wants the program to be there, so another one stands in for it.
    unit = tmp_path / "watcher.service"
    unit.write_text(UNIT.read_text().replace("/opt/watcher/bin/watcher", shutil.which("true") or "/bin/true"))
    judged = run_systemd_analyze("verify", "--man=no", str(unit))
    assert (judged.returncode, judged.stderr) == (0, "")


@analyze
def test_systemd_calls_the_sandbox_tight() -> None:
    threshold = f"--threshold={_EXPOSURE_TENTHS}"
    judged = run_systemd_analyze("security", "--offline=true", threshold, "--no-pager", str(UNIT))
    if "unrecognized option" in judged.stderr:
        pytest.skip("this systemd-analyze is older than 250 and knows no --offline")
    assert judged.returncode == 0, judged.stdout[-200:] + judged.stderr


# The container


def instructions() -> list[tuple[str, str]]:
    """Instruction and arguments, continued lines joined, in order."""
    lines = "\n".join(line for line in DOCKERFILE.splitlines() if not line.lstrip().startswith("#"))
    joined = re.sub(r"\\\n\s*", "", lines)
    return [(line.split()[0], line.split(maxsplit=1)[1]) for line in joined.splitlines() if line.strip()]


def last(name: str) -> str:
    return [value for instruction, value in final_stage() if instruction == name][-1]


def final_stage() -> list[tuple[str, str]]:
    found = instructions()
    start = max(number for number, (name, _) in enumerate(found) if name == "FROM")
    return found[start:]


def test_image_is_built_in_two_stages_on_a_slim_base_of_a_named_version() -> None:
    bases = [value.split()[0] for name, value in instructions() if name == "FROM"]
    assert bases == ["python:3.13-slim"] * 2


def test_image_fetches_nothing_but_locked_packages() -> None:
    assert all(name != "ADD" for name, _ in instructions())
    assert not re.search(r"curl|wget|apt-get|git clone|https?://", "\n".join(value for _, value in instructions()))
    for name, value in instructions():
        for command in value.split("&&") if name == "RUN" else ():
            if re.search(r"\bpip\b.* (install|wheel)\b", command):
                assert "--require-hashes" in command or "--no-index" in command, command


def test_image_runs_as_a_fixed_user_who_is_not_root() -> None:
    user, _, group = last("USER").partition(":")
    assert user.isdigit() and group.isdigit() and int(user) >= 1000
    names = [name for name, _ in final_stage()]
    assert names.index("USER") > max(number for number, name in enumerate(names) if name in ("RUN", "COPY"))
    assert f"--uid {user}" in DOCKERFILE and f"runAsUser: {user}" in KUBERNETES


def test_image_says_how_it_does_starts_and_stops() -> None:
    assert last("HEALTHCHECK").endswith('CMD ["watcher", "health"]')
    assert (last("ENTRYPOINT"), last("CMD")) == ('["watcher"]', '["run"]')
    assert last("STOPSIGNAL") == "SIGTERM"


def test_image_keeps_its_state_in_a_volume_where_the_default_database_stands() -> None:
    assert last("VOLUME") == last("WORKDIR") == "/var/lib/watcher"
    default = config.parse("[azure]\n", environ={}).database.address.reveal()
    assert default == "sqlite:///watcher.db"


def test_what_is_copied_is_let_through_and_nothing_else() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    let_through = {line[1:] for line in ignored if line.startswith("!")}
    copied = {
        source
        for name, value in instructions()
        if name == "COPY" and "--from" not in value
        for source in value.split()[:-1]
    }
    assert "*" in ignored and copied == let_through
    assert all((ROOT / source).exists() for source in copied)


# Kubernetes


def manifest(kind: str) -> dict[str, Any]:
    (found,) = (document for document in yaml.safe_load_all(KUBERNETES) if document["kind"] == kind)
    return dict(found)


def pod() -> dict[str, Any]:
    return dict(manifest("Deployment")["spec"]["template"])


def test_pod_signs_in_by_workload_identity() -> None:
    account = manifest("ServiceAccount")
    assert "azure.workload.identity/client-id" in account["metadata"]["annotations"]
    assert pod()["metadata"]["labels"]["azure.workload.identity/use"] == "true"
    assert pod()["spec"]["serviceAccountName"] == account["metadata"]["name"]


def test_pod_may_do_as_little_as_can_be() -> None:
    spec, (container,) = pod()["spec"], pod()["spec"]["containers"]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["resources"]["requests"] and container["resources"]["limits"]["memory"]
    assert spec["terminationGracePeriodSeconds"] >= 15


def test_pod_is_asked_at_addresses_that_need_no_token() -> None:
    (container,) = pod()["spec"]["containers"]
    asked = {probe: container[f"{probe}Probe"]["httpGet"]["path"] for probe in ("startup", "liveness", "readiness")}
    assert asked == {"startup": "/healthz", "liveness": "/healthz", "readiness": "/readyz"}
    assert container["ports"] == [{"name": "http", "containerPort": 8787}]


def test_pod_mounts_what_it_has_and_secrets_for_itself_alone() -> None:
    spec, (container,) = pod()["spec"], pod()["spec"]["containers"]
    volumes = {volume["name"]: volume for volume in spec["volumes"]}
    assert {mount["name"] for mount in container["volumeMounts"]} == volumes.keys()
    assert volumes["secrets"]["secret"]["defaultMode"] == 0o440
    assert (
        volumes["state"]["persistentVolumeClaim"]["claimName"] == manifest("PersistentVolumeClaim")["metadata"]["name"]
    )


def test_configuration_of_the_pod_is_a_whole_one(tmp_path: Path) -> None:
    (text,) = manifest("ConfigMap")["data"].values()
    secrets = manifest("Secret")["stringData"]
    for name in secrets:
        (tmp_path / name).write_text("https://hooks.example.com/x" if name == "slack" else "a-token")
    loaded = config.parse(text.replace("/run/secrets/watcher", str(tmp_path)), environ={})
    assert config.warnings(loaded) == []
    assert loaded.azure.credential == "workload_identity"
    (mount,) = (one for one in pod()["spec"]["containers"][0]["volumeMounts"] if one["name"] == "state")
    assert loaded.database.address.reveal().startswith(f"sqlite:///{mount['mountPath']}/")


# Prometheus and Grafana


RULES = ROOT / "deploy/prometheus/watcher.rules.yml"
RULES_TEST = ROOT / "deploy/prometheus/watcher.rules.test.yml"
DASHBOARD = json.loads((ROOT / "deploy/grafana/watcher.json").read_text())

promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not installed (Debian: prometheus): nothing else reads PromQL"
)


def run_promtool(*arguments: str) -> None:
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def alerting() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load(RULES.read_text())["groups"]
    return list(group["rules"])


def panels() -> list[dict[str, Any]]:
    return [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def expressions() -> list[str]:
    return [target["expr"] for panel in panels() for target in panel["targets"]]


def exposed() -> set[str]:
    """The names of all series that a daemon may expose."""
    metrics = Metrics(Figures)
    families = [family for family in metrics.registry.collect() if family.name.startswith("watcher_")]
    endings = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum"), "info": ("_info",)}
    return {f"{family.name}{ending}" for family in families for ending in endings.get(family.type, ("",))}


def named(text: str) -> set[str]:
    return set(re.findall(r"\bwatcher_[a-z_]+", text))


def test_rules_and_dashboard_ask_for_what_is_exposed() -> None:
    asked = named(" ".join(rule["expr"] for rule in alerting())), named(" ".join(expressions()))
    assert all(asked) and [names - exposed() for names in asked] == [set(), set()]


def test_what_the_rules_and_panels_say_names_no_metric_that_there_is_not() -> None:
    words = " ".join(str(one) for one in [*(rule["annotations"] for rule in alerting()), *DASHBOARD["panels"]])
    assert named(words) <= exposed() | {"watcher_poll_duration_seconds"}


def test_dashboard_shows_every_metric() -> None:
    assert exposed() - named(" ".join(expressions())) == {
        *("watcher_poll_duration_seconds_count", "watcher_poll_duration_seconds_sum"),
        *("watcher_event_loop_lag_seconds_count", "watcher_event_loop_lag_seconds_sum"),
    }


def test_each_rule_says_what_is_wrong_what_follows_and_what_to_do() -> None:
    for rule in alerting():
        assert set(rule) == {"alert", "expr", "for", "labels", "annotations"}, rule["alert"]
        assert set(rule["annotations"]) == {"summary", "description", "runbook"}, rule["alert"]
        assert all(len(text) > 20 for text in rule["annotations"].values()), rule["alert"]
        assert rule["labels"]["severity"] in ("warning", "critical")
    assert len({rule["alert"] for rule in alerting()}) == len(alerting())


def test_runbooks_name_commands_that_there_are() -> None:
    listed = (ROOT / "README.md").read_text()
    listed = listed[listed.index("### Commands") : listed.index("### Rules")]
    said = " ".join(rule["annotations"]["runbook"] for rule in alerting())
    commands = set(re.findall(r"`watcher ([a-z]+)", said))
    assert {"outbox", "status", "explain"} <= commands
    assert [name for name in commands if not re.search(rf"`{name}\b", listed)] == []


def test_each_rule_is_seen_to_fire_and_what_is_well_to_be_quiet() -> None:
    tests = yaml.safe_load(RULES_TEST.read_text())["tests"]
    fired = {
        match
        for test in tests
        for asked in test["promql_expr_test"]
        for sample in asked["exp_samples"]
        for match in re.findall(r'alertname="(\w+)"', sample["labels"])
    }
    assert fired == {rule["alert"] for rule in alerting()}
    assert sum(not asked["exp_samples"] for test in tests for asked in test["promql_expr_test"]) >= 5


@promtool
def test_rules_hold_in_prometheus_own_test() -> None:
    run_promtool("check", "rules", str(RULES))
    run_promtool("test", "rules", str(RULES_TEST))


@promtool
def test_panels_ask_in_promql(tmp_path: Path) -> None:
    asked = [one.replace("$__rate_interval", "5m").replace("$job", "watcher") for one in expressions()]
    rules = [{"record": f"panel:{number}", "expr": expression} for number, expression in enumerate(asked)]
    (tmp_path / "panels.yml").write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    run_promtool("check", "rules", str(tmp_path / "panels.yml"))


def test_dashboard_fits_any_prometheus() -> None:
    variables = {one["name"]: one for one in DASHBOARD["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource" and variables["datasource"]["query"] == "prometheus"
    sources = [target["datasource"]["uid"] for panel in panels() for target in panel["targets"]]
    assert {*sources, variables["job"]["datasource"]["uid"]} == {"${datasource}"}
    assert all('job="$job"' in expression for expression in expressions())


def test_panels_have_their_own_places() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken and max(x for x, _ in cells) < 24, panel["title"]
        taken |= cells
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
