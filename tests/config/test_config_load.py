"""Reading the configuration: what is found, what is refused and in which words."""

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from watcher.config import Config, EmailReceiver, PluginReceiver, Schedule, WebhookReceiver, find_config, load, parse
from watcher.config.secret import Surroundings
from watcher.errors import ConfigurationError, Problem

DATA = Path(__file__).parent / "data"
EXAMPLE = (Path(__file__).parents[2] / "config.example.toml").read_text(encoding="utf-8")
#: The same with every commented key and table in effect.
WHOLE = re.sub(r"^#(?=[a-z\[])", "", EXAMPLE, flags=re.MULTILINE)
BAD = sorted((DATA / "bad").glob("*.toml"))


def told(
    text: str, environ: dict[str, str] | None = None, *, origin: Path = Path("config.toml")
) -> tuple[Problem, ...]:
    with pytest.raises(ConfigurationError) as caught:
        parse(text, environ=environ or {}, origin=origin)
    return caught.value.problems


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_tells_each_mistake_with_its_path_and_cure(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    expected = [line.removeprefix("# expect: ") for line in lines if line.startswith("# expect: ")]
    environ = dict(line.removeprefix("# env: ").split("=", 1) for line in lines if line.startswith("# env: "))

    with pytest.raises(ConfigurationError) as caught:
        load(path, environ)

    text = str(caught.value)
    assert expected, "a bad file says what is expected of it"
    for piece in expected:
        assert piece.strip() in text
    assert all(problem.cure for problem in caught.value.problems), text
    assert "CANARY" not in text  # no message repeats what may be a secret
    if len(expected) == 1:
        assert len(caught.value.problems) == 1, text  # and one mistake is told once


def test_tells_all_mistakes_at_once() -> None:
    bad = """
        [poll]
        active = "soon"
        metrics = "0s"
        quite = "10m"
        [rules.job_stalled]
        pending_after = 5
        [[receivers]]
        name = "a"
        type = "slack"
        url_env = "NOT_SET"
        colour = "red"
        [[receivers]]
        name = "a"
        type = "email"
        security = "none"
        [route]
        receiver = "b"
        group_wait = "x"
        """
    assert [problem.path for problem in told(bad)] == [
        "poll.active",
        "poll.metrics",
        "poll.quite",
        "rules.job_stalled.pending_after",
        "receivers[0].url_env",
        "receivers[0].colour",
        "receivers[1].smtp_host",
        "receivers[1].from",
        "receivers[1].to",
        "receivers[1].security",
        "route.group_wait",
        "receivers[1].name",
        "route.receiver",
    ]


def test_no_shape_of_document_is_too_odd_to_be_told() -> None:
    """Every value of the example in turn is replaced by things that do not belong there."""
    whole = tomllib.loads(WHOLE)
    surroundings = Surroundings(
        environ=dict.fromkeys(re.findall(r'_env = "(\w+)"', WHOLE), "https://h.example.com"), directory=DATA
    )
    for owner, key in list(places(whole)):
        value = owner[key]
        for odd in (5, "", datetime(2026, 1, 1, tzinfo=UTC), [[]], [{}], {"name": []}):
            owner[key] = odd
            try:
                Config.model_validate(whole, context=surroundings)
            except ValidationError as exc:
                assert exc.errors()
        owner[key] = value
    assert Config.model_validate(whole, context=surroundings).route is not None


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place in the document, as its owner and key or number."""
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield value, key
        yield from places(inner)


def test_an_empty_file_is_a_configuration() -> None:
    config = parse("", environ={})
    assert config.poll.active == timedelta(minutes=1)
    assert config.azure.discovers
    assert config.route is None
    assert config.database.address.reveal() == "sqlite:///watcher.db"
    assert not any("password" in word for word in repr(config).split("***"))


def test_lifetimes_by_sku_keep_their_order() -> None:
    config = parse(
        """
        [rules.deployment_idle.lifetimes]
        "provisioned*" = "never"
        "*managed" = "20d"
        Standard = "15d"
        """,
        environ={},
    )
    assert list(config.rules.deployment_idle.lifetimes.items()) == [
        ("provisioned*", None),
        ("*managed", timedelta(days=20)),
        ("Standard", timedelta(days=15)),
    ]
    with pytest.raises(TypeError):
        config.rules.deployment_idle.lifetimes["x"] = None  # type: ignore[index]


def test_values_are_frozen() -> None:
    config = parse("[azure.discovery]\nexclude = ['a']\n[rules.job_failed.labels]\nteam = 'x'", environ={})
    with pytest.raises(ValueError, match="frozen"):
        config.poll.concurrency = 1  # type: ignore[misc]
    with pytest.raises(TypeError):
        config.rules.job_failed.labels["team"] = "y"  # type: ignore[index]
    assert config.azure.discovery.exclude == ("a",)
    assert Config.model_validate({}) == parse("", environ={})


def test_reads_every_kind_of_value() -> None:
    config = parse(
        """
        [azure]
        cloud = "custom"
        management_url = "http://127.0.0.1:8080/"
        metrics_url = "http://[::1]:8080"
        [pricing]
        discount_percent = 12.5
        [[pricing.table]]
        hosting_per_hour = 1.70
        [[receivers]]
        name = "m"
        type = "email"
        smtp_host = "localhost"
        security = "none"
        from = "watcher <watcher@example.com>"
        to = ["x@example.com"]
        [[receivers]]
        name = "w"
        type = "webhook"
        url_env = "HOOK"
        [route]
        receiver = "m"
        group_wait = "0s"
        group_interval = "0s"
        group_by = ["..."]
        [[route.routes]]
        match = ['owner=~"a|b"', 'cost-center!="1, \\"2\\""', "rule=deployment_idle", 'x!~"y"']
        continue = true
        [[mute]]
        name = "nights"
        times = ["22:00-07:00", "12:00-24:00"]
        weekdays = ["fri-mon"]
        [[reports]]
        name = "weekly"
        schedule = "mon 08:00"
        receivers = ["m"]
        [[reports]]
        name = "monthly"
        schedule = "1st 03:30"
        period = "month"
        receivers = ["m"]
        [web]
        listen = "[::1]:0"
        """,
        environ={"HOOK": "https://h.example.com/x\n"},
    )
    assert config.azure.management_url == "http://127.0.0.1:8080"
    assert config.pricing.discount_percent == Decimal("12.5")
    assert config.pricing.table[0].hosting_per_hour == Decimal("1.7")
    mail, hook = config.receivers
    assert isinstance(mail, EmailReceiver)
    assert (mail.sender, mail.port) == ("watcher <watcher@example.com>", 25)
    assert mail.options() == {
        "smtp_host": "localhost",
        "security": "none",
        "from": "watcher <watcher@example.com>",
        "to": ("x@example.com",),
    }
    assert isinstance(hook, WebhookReceiver)
    assert hook.address.reveal() == "https://h.example.com/x"
    assert hook.options() == {"url": hook.address}
    assert config.route is not None
    assert config.route.group_wait == timedelta(0)
    assert config.route.routes[0].group_wait is None
    assert config.route.routes[0].continue_
    assert config.mute[0].weekdays == (0, 4, 5, 6)
    assert [str(times) for times in config.mute[0].times] == ["22:00-07:00", "12:00-24:00"]
    assert config.reports[0].schedule == Schedule(weekday=0, at=time(8))
    assert config.reports[0].period == timedelta(days=7)
    assert config.reports[1].schedule == Schedule(day=1, at=time(3, 30))
    assert config.reports[1].period == "month"
    assert (config.web.listen.host, config.web.listen.port, config.web.listen.is_loopback) == ("::1", 0, True)


ACCOUNT = """[[azure.accounts]]
resource_id = "/subscriptions/s/resourceGroups/r/providers/Microsoft.CognitiveServices/accounts/a"
"""


@pytest.mark.parametrize(
    ("text", "discovers"),
    [
        ("", True),
        (ACCOUNT, False),
        ("[azure.discovery]\n" + ACCOUNT, True),
        ("[azure.discovery]\nsubscriptions = []\n" + ACCOUNT, False),
    ],
    ids=["nothing said", "accounts instead", "accounts beside", "no subscriptions"],
)
def test_discovers_unless_accounts_stand_in_its_place(text: str, discovers: bool) -> None:
    assert parse(text, environ={}).azure.discovers is discovers


class TestSearch:
    def test_option_before_variable_before_places(self, tmp_path: Path) -> None:
        option, variable, here, etc = (tmp_path / name for name in ("option", "variable", "here", "etc"))
        for path in (option, variable, here, etc):
            path.touch()
        environ = {"WATCHER_CONFIG": str(variable)}
        assert find_config(option, environ, search=(here, etc)) == option
        assert find_config(None, environ, search=(here, etc)) == variable
        assert find_config(None, {}, search=(here, etc)) == here
        assert find_config(None, {"WATCHER_CONFIG": ""}, search=(tmp_path / "none", etc)) == etc

    def test_a_named_file_is_not_replaced_by_another(self, tmp_path: Path) -> None:
        (tmp_path / "config.toml").touch()
        with pytest.raises(ConfigurationError, match="gone: no such file; create it, or mend WATCHER_CONFIG"):
            find_config(None, {"WATCHER_CONFIG": str(tmp_path / "gone")}, search=(tmp_path / "config.toml",))
        with pytest.raises(ConfigurationError, match="mend --config"):
            find_config(tmp_path / "gone", {})

    def test_tells_where_it_looked(self, tmp_path: Path) -> None:
        with pytest.raises(
            ConfigurationError, match=r"no configuration found \(.*/a, .*/b\); write one with"
        ) as caught:
            find_config(None, {}, search=(tmp_path / "a", tmp_path / "b"))
        assert caught.value.problems[0].path == ""

    def test_tells_what_cannot_be_read(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigurationError, match="cannot be read"):
            load(tmp_path, {})
        latin = tmp_path / "latin.toml"
        latin.write_bytes(b"[watcher]\nname = '\xe9'\n")
        with pytest.raises(ConfigurationError, match="byte 18 is not UTF-8"):
            load(latin, {})

    def test_reads_what_other_editors_write(self, tmp_path: Path) -> None:
        path = tmp_path / "config.toml"
        path.write_bytes(b"\xef\xbb\xbf[watcher]\r\nname = 'x'\r\n")
        assert load(path, {}).watcher.name == "x"


class TestOverrides:
    def test_lays_variables_over_the_file(self) -> None:
        environ = {
            "WATCHER_POLL__METRICS": "5m",
            "WATCHER_POLL__CONCURRENCY": "8",
            "WATCHER_AZURE__READ_RESULTS": "false",
            "WATCHER_AZURE__DISCOVERY__INCLUDE": '["a*", "b*"]',
            "WATCHER_RULES__DEPLOYMENT_IDLE__WARN_BEFORE": '["2d"]',
            "WATCHER_WATCHER__NAME": "5",
            "WATCHER_WEB__LISTEN": "[::1]:8787",
            "WATCHER_RECEIVERS": "not a list, and without two underscores it is none of ours",
            "WATCHER_SERVICE_HOST": "10.0.0.1",
            "WATCHER_TEST_DATABASE__URL": "x",
        }
        config = parse('[poll]\nmetrics = "1h"\nquiet = "20m"', environ=environ)
        assert (config.poll.metrics, config.poll.quiet) == (timedelta(minutes=5), timedelta(minutes=20))
        assert config.poll.concurrency == 8
        assert config.azure.read_results is False
        assert config.azure.discovery.include == ("a*", "b*")
        assert config.rules.deployment_idle.warn_before == (timedelta(days=2),)
        assert config.watcher.name == "5"
        assert config.web.listen == "[::1]:8787"

    @pytest.mark.parametrize(
        ("name", "value", "message"),
        [
            ("WATCHER_POL__METRICS", "5m", "(pol): is not a known key; did you mean poll?"),
            ("WATCHER_POLL__METRIC", "5m", "(poll.metric): is not a known key; did you mean metrics?"),
            ("WATCHER_POLL__METRICS", "often", "(poll.metrics): is not a duration"),
            ("WATCHER_POLL_METRICS", "5m", "two underscores; did you mean WATCHER_POLL__METRICS?"),
            ("WATCHER_RULES__JOB_FAILD__ENABLED", "false", "is not a known rule; did you mean job_failed?"),
            ("WATCHER_AZURE__ACCOUNTS__0__LABELS", "{}", ": accounts is no table; a list is given whole, as JSON"),
            ("WATCHER_WEB__TOKEN", "CANARY", "(web.token): a secret is never written here"),
        ],
    )  # fmt: skip
    def test_refuses_variables_that_fit_nothing(self, name: str, value: str, message: str) -> None:
        problems = told("[azure]\naccounts = []", {name: value})
        assert len(problems) == 1
        assert str(problems[0]).startswith(name)
        assert message in str(problems[0])
        assert "CANARY" not in str(problems[0])

    def test_a_variable_named_for_a_secret_overrides_nothing(self) -> None:
        environ = {"WATCHER_WEB__SECRET": "s3", "WATCHER_DATABASE_URL": "sqlite:///x.db"}
        config = parse(
            '[web]\ntoken_env = "WATCHER_WEB__SECRET"\n[database]\nurl_env = "WATCHER_DATABASE_URL"', environ=environ
        )
        assert config.web.token is not None
        assert config.web.token.reveal() == "s3"


class TestPlugins:
    @pytest.fixture(autouse=True)
    def _package(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Another package with a rule and a notifier, as an installer would leave it."""
        info = tmp_path / "other-1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 1\n")
        points = "[watcher.rules]\nours_idle = other:Rule\n[watcher.notifiers]\ncarrier_pigeon = other:Pigeon\n"
        (info / "entry_points.txt").write_text(points)
        monkeypatch.syspath_prepend(tmp_path)

    def test_passes_their_tables_through(self) -> None:
        config = parse(
            """
            [rules.ours_idle]
            after = "1d"
            [[receivers]]
            name = "p"
            type = "carrier_pigeon"
            loft = 7
            [route]
            receiver = "p"
            """,
            environ={},
        )
        assert config.rules.plugins == {"ours_idle": {"after": "1d"}}
        (receiver,) = config.receivers
        assert isinstance(receiver, PluginReceiver)
        assert (receiver.name, receiver.type, receiver.options()) == ("p", "carrier_pigeon", {"loft": 7})

    def test_knows_their_names_when_it_advises(self) -> None:
        rule, receiver = told(
            '[rules.ours_idel]\n[[receivers]]\nname = "p"\ntype = "carier_pigeon"\n[route]\nreceiver = "p"'
        )
        assert rule.cure == "did you mean ours_idle?"
        assert receiver.cure == "did you mean carrier_pigeon?"


def test_costs_no_heavy_import() -> None:
    """Every command pays for this import."""
    code = "import sys, watcher.config; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"azure", "sqlalchemy", "httpx", "aiohttp", "apprise", "asyncio", "rich"} & set(loaded)
