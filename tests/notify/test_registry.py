import io
import subprocess
import sys
from importlib.metadata import EntryPoint
from zoneinfo import ZoneInfo

import pytest

from watcher.errors import ConfigurationError
from watcher.notify import registry
from watcher.notify.registry import Context, OptionError, ReceiverSpec, build_notifier, build_notifiers
from watcher.notify.sample import sample

from .factories import NOW

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

SECRET = "CANARY-secret-value"
MAIL = {
    "smtp_host": "mail.example.com",
    "smtp_port": 2525,
    "security": "starttls",
    "username": "watcher",
    "password": SECRET,
    "from": "watcher@example.com",
    "to": ("a@example.com",),
}


@pytest.fixture
def context():
    return Context(
        watcher_name="prod",
        zone=ZoneInfo("Europe/Berlin"),
        public_url="https://watcher.example.com",
        client=None,
        stream=io.StringIO(),
    )


@pytest.mark.parametrize(
    ("type_", "options"),
    [
        ("console", {}),
        ("slack", {"url": f"https://hooks.slack.com/services/{SECRET}"}),
        ("webhook", {"url": f"https://x.example/{SECRET}", "signing_secret": SECRET, "signing_secret_previous": "old"}),
        ("slack", {"bot_token": SECRET, "channel": "#ml", "api_url": "https://slack-gov.com/api/"}),
        ("teams", {"url": f"https://x.logic.azure.com/workflows/{SECRET}"}),
        ("webhook", {"url": f"https://x.example/{SECRET}", "signing_secret": None}),
        ("email", MAIL),
        ("email", {"smtp_host": "localhost", "security": "none", "from": "W <w@x.example>", "to": ["a@x.example"]}),
        ("apprise", {"url": f"json://user:{SECRET}@127.0.0.1/"}),
        ("pagerduty", {"routing_key": SECRET, "events": True, "url": "https://events.eu.pagerduty.com"}),
        ("alertmanager", {"url": "https://alertmanager.example.com"}),
    ],
)
async def test_builds_each_type_without_showing_a_secret(context, type_, options):
    notifier = build_notifier(type_, "one", options, context)
    assert (notifier.name, notifier.type) == ("one", type_)
    assert SECRET not in repr(notifier)
    await notifier.aclose()


@pytest.mark.parametrize(
    ("type_", "options", "problem"),
    [
        ("teams", {}, "receivers[1].url: is required"),
        (
            "teams",
            {"url": f"https://contoso.webhook.office.com/webhookb2/{SECRET}"},
            "receivers[1].url: is of an Office 365 connector, which Microsoft has switched off; make a workflow",
        ),
        ("pagerduty", {}, "receivers[1].routing_key: is required"),
        ("alertmanager", {}, "receivers[1].url: is required"),
        ("carrier-pigeon", {}, 'receivers[1].type: "carrier-pigeon" is not a known type; use one of alertmanager, app'),
        ("slack", {}, "receivers[1].url: is required"),
        ("slack", {"bot_token": SECRET}, "receivers[1].channel: is required"),
        ("slack", {"bot_token": f"{SECRET}\nx", "channel": "#x"}, "receivers[1].bot_token: holds characters that no"),
        (
            "webhook",
            {"url": "https://x", "signing_secret_previous": SECRET},
            "receivers[1].signing_secret_previous: stands without a signing_secret; add the present secret",
        ),
        (
            "webhook",
            {"url": "https://x", "signing_secret": "whsec_" + SECRET},
            "receivers[1].signing_secret: is not base64",
        ),
        ("email", MAIL | {"security": "none"}, 'receivers[1].security: may be "none" for a loopback host only'),
        ("email", MAIL | {"security": "ssl"}, "receivers[1].security: is not known"),
        ("email", MAIL | {"to": ()}, "receivers[1].to: names no address"),
        ("email", MAIL | {"to": ("a@x\r\nBcc: b@x",)}, "receivers[1].to: is not a mail address"),
        ("email", MAIL | {"from": "nobody"}, "receivers[1].from: is not a mail address"),
        ("email", {}, "receivers[1].smtp_host: is required"),
        ("apprise", {"url": SECRET}, "receivers[1].url: is not an Apprise URL"),
        ("apprise", {}, "receivers[1].url: is required"),
    ],
)
def test_refuses_with_path_and_cure(context, type_, options, problem):
    with pytest.raises(ConfigurationError) as caught:
        build_notifier(type_, "one", options, context, path="receivers[1]")
    assert str(caught.value).startswith(problem)
    assert SECRET not in str(caught.value)


def test_tells_every_bad_receiver_at_once(context):
    specs = [
        ReceiverSpec(path=f"receivers[{n}]", name=f"r{n}", type=type_, options={})
        for n, type_ in enumerate(("console", "slack", "teams"))
    ]
    with pytest.raises(ConfigurationError) as caught:
        build_notifiers(specs, context)
    assert [problem.path for problem in caught.value.problems] == ["receivers[1].url", "receivers[2].url"]
    assert list(build_notifiers(specs[:1], context)) == ["r0"]


class Pigeon:
    name, type = "one", "pigeon"

    def __init__(self, name, options, context):
        if "coop" not in options:
            raise OptionError("coop", "is required")
        if options["coop"] == "burnt":
            raise RuntimeError(SECRET)

    async def send(self, notification, *, now): ...

    async def probe(self): ...

    async def aclose(self): ...


def no_bird(name, options, context):
    return object()


@pytest.fixture
def plugins(monkeypatch):
    points = [
        EntryPoint("pigeon", f"{__name__}:Pigeon", registry.GROUP),
        EntryPoint("stone", f"{__name__}:no_bird", registry.GROUP),
        EntryPoint("ghost", "no_such_module:x", registry.GROUP),
    ]
    monkeypatch.setattr(registry, "entry_points", lambda group: points)


def test_builds_a_plugins_notifier(context, plugins):
    assert isinstance(build_notifier("pigeon", "one", {"coop": "roof"}, context), Pigeon)


@pytest.mark.parametrize(
    ("type_", "options", "parts"),
    [
        ("pigeon", {}, ["receivers.one.coop: is required"]),
        ("pigeon", {"coop": "burnt"}, ["plugin pigeon", "failed: RuntimeError"]),
        ("stone", {}, ["plugin stone", "has no send, probe, aclose"]),
        ("ghost", {}, ["plugin ghost (no_such_module:x) failed: ModuleNotFoundError"]),
    ],
)
def test_a_broken_plugin_is_a_configuration_error_that_names_it(context, plugins, type_, options, parts):
    with pytest.raises(ConfigurationError) as caught:
        build_notifier(type_, "one", options, context)
    assert all(part in str(caught.value) for part in parts)
    assert SECRET not in str(caught.value)


def test_imports_no_medium_before_it_is_used():
    code = "import sys, watcher.notify.registry; print({'apprise', 'aiosmtplib', 'jinja2'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


@pytest.mark.parametrize("rule", ["deployment_idle", "job_rai_data_failed", "delivery_failing", "somebodys_own_rule"])
async def test_a_sample_can_be_sent_and_is_marked(context, rule):
    await build_notifier("console", "one", {}, context).send(sample(rule, receiver="one", now=NOW), now=NOW)
    text = context.stream.getvalue()
    assert text.startswith("━━ [TEST · ")
    assert rule in text
    assert "This is a test" in text
