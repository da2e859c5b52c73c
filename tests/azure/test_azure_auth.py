import asyncio
import threading
import time
from dataclasses import dataclass, field

import pytest
from azure_factories import FakeAzure, answer, make_client

from watcher.azure.auth import ApiKey, Credentials, StaticToken, open_credentials
from watcher.errors import CredentialError, UnauthorizedError

SCOPE = "https://cognitiveservices.azure.com/.default"


@dataclass
class Source:
    """A credential that counts its calls; its tokens are numbered."""

    lives_s: float = 3600
    refresh_s: float | None = None
    now: list[float] = field(default_factory=lambda: [1_000_000.0])
    calls: list[str] = field(default_factory=list)
    failure: Exception | None = None
    gate: threading.Event | None = None

    def get_token_info(self, *scopes):
        self.calls.extend(scopes)
        if self.gate is not None:
            self.gate.wait(5)
        if self.failure is not None:
            raise self.failure
        refresh_on = None if self.refresh_s is None else int(self.now[0] + self.refresh_s)
        return StaticToken(f"t{len(self.calls)}", int(self.now[0] + self.lives_s), refresh_on)

    def credentials(self, **options):
        return Credentials(lambda: self, now=lambda: self.now[0], **options)


async def token_of(authorizer):
    name, value = await authorizer.header()
    assert name == "authorization"
    return value.removeprefix("Bearer ")


async def test_twenty_cold_callers_make_one_request():
    source = Source()
    scope = source.credentials().for_scope(SCOPE)
    assert set(await asyncio.gather(*(token_of(scope) for _ in range(20)))) == {"t1"}
    assert source.calls == [SCOPE]


async def test_each_scope_has_its_own_token_and_the_same_scope_one_object():
    source = Source()
    credentials = source.credentials()
    assert credentials.for_scope("a") is credentials.for_scope("a")
    assert await token_of(credentials.for_scope("a")) != await token_of(credentials.for_scope("b"))
    assert source.calls == ["a", "b"]


async def settle():
    for _ in range(50):
        await asyncio.sleep(0.002)


@pytest.mark.parametrize("refresh_s", [None, 1800.0])
async def test_a_token_is_renewed_ahead_of_its_end_while_the_old_one_serves(refresh_s):
    source = Source(refresh_s=refresh_s)
    scope = source.credentials().for_scope(SCOPE)
    assert await token_of(scope) == "t1"
    source.now[0] += (refresh_s or 3300) - 1
    assert await token_of(scope) == "t1"
    source.now[0] += 2
    assert await token_of(scope) == "t1"
    await settle()
    assert await token_of(scope) == "t2"
    assert len(source.calls) == 2


async def test_a_token_that_cannot_be_renewed_serves_to_its_end():
    source = Source()
    scope = source.credentials().for_scope(SCOPE)
    await scope.header()
    source.failure = RuntimeError("down")
    source.now[0] += 3400
    assert await token_of(scope) == "t1"
    await settle()
    assert await token_of(scope) == "t1"
    assert len(source.calls) == 2, "a failed renewal is not repeated at once"
    source.now[0] += 175
    with pytest.raises(CredentialError, match="down"):
        await scope.header()


async def test_a_token_that_comes_expired_is_refused():
    with pytest.raises(CredentialError, match="expired"):
        await Source(lives_s=10).credentials().for_scope(SCOPE).header()


async def test_a_failure_is_told_to_all_without_asking_again():
    source = Source(failure=RuntimeError("AADSTS7000215: Invalid secret s3cret.\r\nTrace ID: 1"))
    scope = source.credentials(failure_ttl_s=30, secrets=("s3cret", "")).for_scope(SCOPE)
    answers = await asyncio.gather(*(scope.header() for _ in range(100)), return_exceptions=True)
    assert {type(one) for one in answers} == {CredentialError}
    assert len(source.calls) == 1
    assert str(answers[0]) == f"no token for {SCOPE}: AADSTS7000215: Invalid secret ***."
    source.failure = None
    source.now[0] += 31
    assert await token_of(scope) == "t2"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("Default failed to retrieve a token.\nAttempted credentials:\n\tx", "Default failed to retrieve a token."),
        ("\n\n  second line", "second line"),
        ("", "RuntimeError"),
        ("x" * 999, "x" * 300),
    ],
)
async def test_a_failure_is_one_line(text, line):
    with pytest.raises(CredentialError) as caught:
        await Source(failure=RuntimeError(text)).credentials().for_scope("s").header()
    assert caught.value.message == f"no token for s: {line}"


async def test_a_hanging_credential_takes_no_more_than_its_own_time():
    source = Source(gate=threading.Event())
    scope = source.credentials(time_limit_s=0.05).for_scope(SCOPE)
    started = time.monotonic()
    with pytest.raises(CredentialError, match="no token within"):
        await scope.header()
    for _ in range(100):
        with pytest.raises(CredentialError):
            await scope.header()
    assert time.monotonic() - started < 2
    source.now[0] += 31
    waiting = asyncio.create_task(token_of(scope))
    await asyncio.sleep(0.01)
    assert len(source.calls) == 1, "the thread that hangs is not joined by another"
    source.gate.set()
    assert await waiting == "t1"


async def test_a_401_drops_the_token_once():
    source = Source()
    scope = source.credentials().for_scope(SCOPE)
    first = await scope.header()
    source.now[0] += 120
    assert scope.refused(first)
    second = await scope.header()
    assert second != first
    assert scope.refused(first), "renewed meanwhile: try with the new one"
    assert not scope.refused(second), "a fresh one was not refused for its age"
    assert len(source.calls) == 2


async def test_the_client_asks_again_with_a_new_token_and_then_no_more():
    source = Source()
    scope = source.credentials().for_scope(SCOPE)
    await scope.header()
    source.now[0] += 120
    azure = FakeAzure({"/x": answer("", 401)})
    with pytest.raises(UnauthorizedError):
        await make_client(azure).get("https://a.example.com/x", api="t", auth=scope)
    assert [request.headers["authorization"] for request in azure.requests] == ["Bearer t1", "Bearer t2"]


async def test_a_static_token_is_never_dropped():
    scope = open_credentials("static", authority_url="https://login.example.com", token="abc").for_scope(SCOPE)
    header = await scope.header()
    assert header == ("authorization", "Bearer abc")
    assert not scope.refused(header)


@pytest.mark.parametrize("text", ["", "a b\nc", "\ufeffkey", "schlüssel", " k3y"])
def test_a_key_that_fits_no_header_is_refused_without_showing_it(text):
    with pytest.raises(CredentialError) as caught:
        ApiKey.of(text)
    assert text == "" or text not in caught.value.message


async def test_a_token_that_fits_no_header_is_refused():
    with pytest.raises(CredentialError, match="odd characters"):
        await Credentials(lambda: StaticToken("a\r\nb")).for_scope("s").header()


def test_secrets_hide_from_repr():
    assert "k3y" not in repr(ApiKey.of("k3y"))
    assert "t0ken" not in repr(StaticToken("t0ken"))


@pytest.mark.parametrize(
    ("kind", "options", "words"),
    [
        ("static", {}, "token_env"),
        ("default", {}, "AZURE_TOKEN_CREDENTIALS"),
        ("client_secret", {"tenant_id": "t", "client_id": "c"}, "client_secret_env"),
    ],
)
def test_says_what_a_kind_needs(kind, options, words, monkeypatch):
    monkeypatch.delenv("AZURE_TOKEN_CREDENTIALS", raising=False)
    with pytest.raises(CredentialError, match=words):
        open_credentials(kind, authority_url="https://login.example.com", **options)


@pytest.mark.parametrize(
    ("kind", "options", "name"),
    [
        ("default", {}, "DefaultAzureCredential"),
        ("managed_identity", {"client_id": "c"}, "ManagedIdentityCredential"),
        ("workload_identity", {"tenant_id": "t", "client_id": "c"}, "WorkloadIdentityCredential"),
        ("client_secret", {"tenant_id": "t", "client_id": "c", "client_secret": "s"}, "ClientSecretCredential"),
        ("azure_cli", {}, "AzureCliCredential"),
    ],
)
def test_builds_the_credential_that_was_named(kind, options, name, monkeypatch, tmp_path):
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "prod")
    monkeypatch.setenv("AZURE_FEDERATED_TOKEN_FILE", str(tmp_path / "token"))
    credentials = open_credentials(kind, authority_url="https://login.microsoftonline.us", is_custom=False, **options)
    assert type(credentials.build()).__name__ == name
