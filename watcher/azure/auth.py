"""Who we are to Azure: bearer tokens for a scope, or an account's api-key, as the one header that each request carries.

azure-identity's synchronous credentials run in a thread of their own, one for each scope at most: 20 cold callers make
one request, a hanging managed identity takes no poll's time, and a failure is remembered for a while so that a thousand
accounts do not each wait for it.
"""

import asyncio
import os
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from watcher.errors import CredentialError
from watcher.transport import system_trust

CredentialKind = Literal[
    "default", "managed_identity", "workload_identity", "client_secret", "azure_cli", "static"
]  #: `[azure] credential`

Header = tuple[str, str]


class Authorizer(Protocol):
    """Gives the header that authorises a request."""

    async def header(self) -> Header:
        """Name and value. Raises `CredentialError` where there is none to be had."""
        ...

    def refused(self, header: Header) -> bool:
        """Told that Azure answered 401 to `header`; whether another try with a new one makes sense."""
        ...


class AccessToken(Protocol):
    """The part of azure-core's `AccessTokenInfo` that is read here."""

    @property
    def token(self) -> str: ...
    @property
    def expires_on(self) -> int: ...
    @property
    def refresh_on(self) -> int | None: ...


class TokenSource(Protocol):
    """The shape of an azure-identity credential."""

    def get_token_info(self, *scopes: str) -> AccessToken: ...


@dataclass(frozen=True, slots=True)
class ApiKey:
    """An account's own key, in place of a token; refused by accounts that disable local authentication."""

    _header: Header

    @classmethod
    def of(cls, key: str) -> "ApiKey":
        return cls(_header("api-key", key))

    async def header(self) -> Header:
        return self._header

    def refused(self, header: Header) -> bool:
        return False

    def __repr__(self) -> str:
        return "ApiKey(***)"


def _header(name: str, value: str, prefix: str = "") -> Header:
    """Raises `CredentialError` where `value` cannot stand in a header, as a file's byte order mark cannot."""
    if not value or not value.isascii() or not value.isprintable() or value != value.strip():
        raise CredentialError(f"the {'key' if name == 'api-key' else 'token'} is empty or holds odd characters")
    return name, prefix + value


@dataclass(frozen=True, slots=True)
class StaticToken:
    """A token that somebody else renews (or nobody): for tests, proxies and the simulator."""

    token: str
    expires_on: int = 2**53
    refresh_on: int | None = None

    def get_token_info(self, *scopes: str) -> AccessToken:
        return self

    def __repr__(self) -> str:
        return "StaticToken(***)"


class Credentials:
    """One credential; an `Authorizer` for each scope.

    Args:
        build: Makes the azure-identity credential, or a `StaticToken`; called once, in the first token's thread.
        time_limit_s: How long one caller waits for a token; the thread behind it may go on.
        failure_ttl_s: For how long a failure is handed to all callers without asking again.
        secrets: Texts that must not appear in an error, whatever the credential says.
        now: Wall time in seconds since 1970, as in `expires_on`.
    """

    def __init__(
        self,
        build: Callable[[], TokenSource],
        *,
        time_limit_s: float = 30.0,
        failure_ttl_s: float = 30.0,
        secrets: tuple[str, ...] = (),
        now: Callable[[], float] = time.time,
    ) -> None:
        self.build = build
        self._source: TokenSource | None = None
        self._building = threading.Lock()
        self._time_limit_s = time_limit_s
        self._failure_ttl_s = failure_ttl_s
        self._secrets = tuple(secret for secret in secrets if secret)
        self._now = now
        self._scopes: dict[str, _Scope] = {}

    def for_scope(self, scope: str) -> Authorizer:
        """The same object for the same scope, so that its token is shared."""
        if scope not in self._scopes:
            self._scopes[scope] = _Scope(self, scope)
        return self._scopes[scope]

    @property
    def time_limit_s(self) -> float:
        return self._time_limit_s

    @property
    def failure_ttl_s(self) -> float:
        return self._failure_ttl_s

    def now(self) -> float:
        return self._now()

    def fetch(self, scope: str) -> AccessToken:
        """A token, by the credential itself; blocks. Raises whatever azure-identity raises."""
        with self._building:
            if self._source is None:
                self._source = self.build()
        return self._source.get_token_info(scope)

    def reason(self, exc: BaseException) -> str:
        """One line that says why there is no token, without the secrets."""
        text = str(exc).strip()
        code = re.search(r"AADSTS\d+[^\r\n]*", text)
        line = code.group() if code else next((part.strip() for part in text.splitlines() if part.strip()), "")
        for secret in self._secrets:
            line = line.replace(secret, "***")
        return line[:300] or type(exc).__name__


#: A token is renewed this long before it expires, and used until `_LAST_USE_S` before.
_MARGIN_S = 300.0
_LAST_USE_S = 30.0
#: A token refused with 401 is dropped only if it is older than this: a fresh one was not refused for its age.
_FRESH_S = 60.0


class _Scope:
    """The token of one scope, renewed ahead of time and in the background while the old one holds."""

    def __init__(self, credentials: Credentials, scope: str) -> None:
        self._credentials = credentials
        self._scope = scope
        self._header: Header | None = None
        self._fetched_at = 0.0
        self._renew_at = 0.0
        self._unusable_at = 0.0
        self._failure = ""
        self._quiet_until = 0.0
        self._fetching: asyncio.Future[AccessToken] | None = None

    async def header(self) -> Header:
        now = self._credentials.now()
        if self._header is not None and now < self._renew_at:
            return self._header
        if self._header is not None and now < self._unusable_at:
            if now >= self._quiet_until:
                self._fetch()
            return self._header
        if now < self._quiet_until:
            raise CredentialError(self._failure)
        limit = self._credentials.time_limit_s
        done, _ = await asyncio.wait((self._fetch(),), timeout=limit)
        if not done:
            self._fail(f"the credential gave no token within {limit:g} s; see `[azure] credential`")
        if self._header is None or self._credentials.now() >= self._unusable_at:
            raise CredentialError(self._failure or "the credential gave a token that has expired already")
        return self._header

    def refused(self, header: Header) -> bool:
        if header is not self._header:
            return self._header is not None  # somebody has renewed it meanwhile
        if self._credentials.now() - self._fetched_at < _FRESH_S or self._unusable_at >= 2**52:
            return False
        self._header = None
        return True

    def _fetch(self) -> "asyncio.Future[AccessToken]":
        """The request under way, or a new one: never two at once."""
        if self._fetching is None:
            self._fetching = _in_thread(lambda: self._credentials.fetch(self._scope))
            self._fetching.add_done_callback(self._settle)
        return self._fetching

    def _settle(self, fetching: "asyncio.Future[AccessToken]") -> None:
        self._fetching = None
        if fetching.cancelled():
            return
        exc = fetching.exception()
        if exc is not None:
            self._fail(f"no token for {self._scope}: {self._credentials.reason(exc)}")
            return
        token = fetching.result()
        now = self._credentials.now()
        try:
            self._header = _header("authorization", token.token, "Bearer ")
        except CredentialError as refusal:
            self._fail(refusal.message)
            return
        self._fetched_at = now
        self._unusable_at = token.expires_on - _LAST_USE_S
        renew_at = token.expires_on - _MARGIN_S
        # A service that gives short-lived tokens is asked at half their time, not at each request.
        self._renew_at = max(min(renew_at, token.refresh_on or renew_at), now + (token.expires_on - now) / 2)
        self._failure, self._quiet_until = "", 0.0

    def _fail(self, reason: str) -> None:
        self._failure = reason
        self._quiet_until = self._credentials.now() + self._credentials.failure_ttl_s


def _in_thread(work: Callable[[], AccessToken]) -> "asyncio.Future[AccessToken]":
    """Run `work` in a daemon thread: unlike the loop's own threads, a hanging one does not hold up our exit."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[AccessToken] = loop.create_future()

    def settle(token: AccessToken | None, exc: Exception | None) -> None:
        if future.done():
            return
        if token is not None:
            future.set_result(token)
        else:
            future.set_exception(exc or CredentialError())

    def run() -> None:
        token: AccessToken | None = None
        failure: Exception | None = None
        try:
            token = work()
        except Exception as exc:
            failure = exc
        try:
            loop.call_soon_threadsafe(settle, token, failure)
        except RuntimeError:
            return  # the loop has ended meanwhile: nobody waits

    threading.Thread(target=run, name="azure-token", daemon=True).start()
    return future


def open_credentials(
    kind: CredentialKind,
    *,
    authority_url: str,
    tenant_id: str = "",
    client_id: str = "",
    client_secret: str = "",
    token: str = "",
    time_limit_s: float = 30.0,
    is_custom: bool = False,
    **options: Any,
) -> Credentials:
    """The credential that the configuration names; nothing is asked of Azure before its first token.

    Args:
        kind: `[azure] credential`.
        authority_url: The cloud's login address.
        client_id: Of a user-assigned identity or an application; "" for a system-assigned identity.
        is_custom: The authority is no public one, so that it is not looked up in Microsoft's list.
        options: More for azure-identity, for instance `connection_verify`.

    Raises:
        CredentialError: something that this kind needs is missing.
    """
    if kind == "static":
        if not token:
            raise CredentialError('credential = "static" needs token_env or token_file')
        return Credentials(lambda: StaticToken(token), secrets=(token,))
    if kind == "default" and not os.environ.get("AZURE_TOKEN_CREDENTIALS", "").strip():
        raise CredentialError(
            'credential = "default" needs the variable AZURE_TOKEN_CREDENTIALS: set it to "prod" or to the name of one '
            "credential, or choose another kind in [azure]"
        )
    if kind == "client_secret" and not (tenant_id and client_id and client_secret):
        raise CredentialError('credential = "client_secret" needs tenant_id, client_id and client_secret_env or _file')
    if is_custom:
        options["disable_instance_discovery"] = True

    def build() -> TokenSource:
        import azure.identity as identity  # half a second: only when a token is wanted, and in the thread that wants it

        if kind in ("default", "workload_identity", "client_secret"):  # the others ask only this machine
            options.setdefault("transport", _system_transport())
        match kind:
            case "default":
                return identity.DefaultAzureCredential(require_envvar=True, authority=authority_url, **options)
            case "managed_identity":
                return identity.ManagedIdentityCredential(client_id=client_id or None)
            case "workload_identity":
                given = {"tenant_id": tenant_id, "client_id": client_id}
                chosen = {name: value for name, value in given.items() if value}
                return identity.WorkloadIdentityCredential(authority=authority_url, **chosen, **options)
            case "client_secret":
                return identity.ClientSecretCredential(
                    tenant_id, client_id, client_secret, authority=authority_url, **options
                )
            case "azure_cli":
                return identity.AzureCliCredential(tenant_id=tenant_id)
            case _:
                raise CredentialError(f"unknown credential {kind!r}")

    return Credentials(build, time_limit_s=time_limit_s, secrets=(client_secret,))


def _system_transport() -> Any:
    """What azure-identity sends its requests by, trusting what the system trusts and not certifi's list alone.

    A proxy that opens TLS, or an authority with a private certificate, would else give no token while all other
    requests pass. Proxies come from the environment here too.
    """
    from azure.core.pipeline.transport import RequestsTransport  # as late as azure-identity itself
    from requests import Session
    from requests.adapters import HTTPAdapter

    class SystemTrust(HTTPAdapter):
        def init_poolmanager(self, *args: Any, **options: Any) -> None:
            super().init_poolmanager(*args, **{**options, "ssl_context": system_trust()})

        def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
            return super().proxy_manager_for(proxy, **{**options, "ssl_context": system_trust()})

    session = Session()
    session.mount("https://", SystemTrust(max_retries=0))  # azure-core has retries of its own
    return RequestsTransport(session=session)
