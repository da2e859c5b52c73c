"""Which of the needed actions this credential has: ARM's own word where it gives one, else the very read is tried.

A refusal for want of a role is a "no". A firewall, a blocked resource or no answer say nothing of the rights, and leave
"unknown", with the reason.
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from urllib.parse import quote

import msgspec

from watcher.azure import permissions
from watcher.azure.auth import ApiKey, Authorizer, Credentials
from watcher.azure.client import AzureClient
from watcher.azure.clouds import Cloud
from watcher.azure.gaps import reason_of
from watcher.azure.management import (
    API_VERSION,
    GROUPS_VERSION,
    METRICS_VERSION,
    SUBSCRIPTIONS_VERSION,
    activity_path,
)
from watcher.azure.openai import DATED_VERSION, Api
from watcher.azure.paging import linked_pages
from watcher.azure.permissions import Grant, Level, Need, covers, decode_permissions, settles
from watcher.errors import AzureError, NoEndpointError, NotFoundError
from watcher.resources.account import Account
from watcher.resources.snapshot import GapReason

PERMISSIONS_VERSION = "2022-04-01"

#: What is tried of the log and of the metrics: a span too short to hold much.
_SPAN = timedelta(hours=1)


class Has(StrEnum):
    """Whether the credential may."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class How(StrEnum):
    """How that is known."""

    PERMISSIONS = "permissions"  #: ARM's permissions operation says so
    TRIED = "tried"  #: the very read was tried


@dataclass(frozen=True, slots=True, kw_only=True)
class Right:
    """One need, and whether it is met."""

    need: Need
    has: Has
    how: How
    reason: GapReason | None = None  #: why not, or why that cannot be said; `None`: `because` says all
    because: str = ""  #: the service's own words, or ours


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """A subscription or an account, with what the credential may do there."""

    id: str  #: ARM id
    label: str
    account: Account | None  #: `None`: a subscription
    rights: tuple[Right, ...]


class _Job(msgspec.Struct):
    result_files: list[str] | None = None


class _Jobs(msgspec.Struct):
    data: list[_Job]


_JOBS = msgspec.json.Decoder(_Jobs)

#: Ends of the data plane's paths.
_DATA_PATHS = {
    permissions.JOBS: "/fine_tuning/jobs?limit=1",
    permissions.FILES: "/files?limit=1",
    permissions.MODELS: "/models?limit=1",
}


class Surveyor:
    """Asks for the rights of one credential. Azure's faults become unknowns, never exceptions.

    Args:
        keys: Api-keys by the account's key, as the collector has them.
        api: `[azure] api`.
        needs: What to ask for: `permissions.needs`.
    """

    def __init__(
        self,
        client: AzureClient,
        cloud: Cloud,
        credentials: Credentials,
        *,
        needs: Iterable[Need],
        keys: Mapping[str, str] | None = None,
        api: Api = "auto",
    ) -> None:
        self._client = client
        self._cloud = cloud
        self._arm = credentials.for_scope(cloud.management_scope)
        self._data = credentials.for_scope(cloud.data_scope)
        self._keys = {key.lower(): ApiKey.of(value) for key, value in (keys or {}).items()}
        self._api = api
        self._needs = tuple(needs)

    async def survey(
        self, subscriptions: Iterable[str], accounts: Iterable[Account], *, at: datetime, only_try: bool = False
    ) -> tuple[Holder, ...]:
        """What the credential may do in each subscription, then in each account.

        Args:
            only_try: Try every read, whatever ARM says of the rights: that finds firewalls, too.
        """
        accounts = tuple(accounts)
        names = list(dict.fromkeys([*subscriptions, *(account.subscription for account in accounts)]))
        asked = await asyncio.gather(*(self._granted(f"/subscriptions/{name}", only_try) for name in names))
        inherited = {name.lower(): grants for name, grants in zip(names, asked, strict=True)}
        above = [self._subscription(name, inherited[name.lower()], accounts, at) for name in names]
        below = [self._account(one, inherited[one.subscription.lower()], at, only_try) for one in accounts]
        return tuple(await asyncio.gather(*above, *below))

    async def _subscription(
        self, name: str, grants: tuple[Grant, ...] | None, accounts: tuple[Account, ...], at: datetime
    ) -> Holder:
        location = next((one.location for one in accounts if one.subscription.lower() == name.lower()), "")
        rights = [
            _by_word(need, has=covers(grants, need))
            if grants is not None
            else await self._try_subscription(need, name, location, at)
            for need in self._needs
            if need.level is Level.SUBSCRIPTION
        ]
        return Holder(id=f"/subscriptions/{name}", label=name, account=None, rights=tuple(rights))

    async def _account(
        self, account: Account, inherited: tuple[Grant, ...] | None, at: datetime, only_try: bool
    ) -> Holder:
        wanted = [need for need in self._needs if need.level is Level.ACCOUNT]
        grants = inherited
        if inherited is None or not all(settles(inherited, need) for need in wanted):
            grants = await self._granted(account.id, only_try)  # roles are given on groups and accounts too
        key = self._keys.get(account.key)
        rights = []
        for need in wanted:
            has = None if grants is None or (need.is_data and key is not None) else settles(grants, need)
            if has is None:
                rights.append(await self._try_account(need, account, key or self._data, at))
            else:
                rights.append(_by_word(need, has=has))
        return Holder(id=account.id, label=account.label, account=account, rights=tuple(rights))

    async def _granted(self, scope: str, only_try: bool) -> tuple[Grant, ...] | None:
        """The grants at an ARM id; `None`: ARM does not say."""
        if only_try:
            return None
        path = quote(scope.strip("/"), safe="/()")
        url = (
            f"{self._cloud.management_url}/{path}/providers/Microsoft.Authorization/permissions"
            f"?api-version={PERMISSIONS_VERSION}"
        )
        try:
            bodies = await linked_pages(self._client, url, api="arm", auth=self._arm, lane=_lane(scope), allowance=None)
            return tuple(grant for body in bodies for grant in decode_permissions(body))
        except AzureError:
            return None

    async def _try_subscription(self, need: Need, name: str, location: str, at: datetime) -> Right:
        scope = f"/subscriptions/{quote(name, safe='')}"
        if need is permissions.SUBSCRIPTIONS:
            path = f"/subscriptions?api-version={SUBSCRIPTIONS_VERSION}"
        elif need is permissions.GROUPS:
            path = f"{scope}/resourcegroups?api-version={GROUPS_VERSION}&$top=1"
        elif need is permissions.LOCATION_MODELS:
            if not location:
                return _unknown(need, "no account's region is known to ask for")
            models = f"locations/{quote(location, safe='')}/models"
            path = f"{scope}/providers/Microsoft.CognitiveServices/{models}?api-version={API_VERSION}"
        elif need is permissions.COSTS:
            return _unknown(need, "ARM does not say, and a query is not spent on trying: few are answered")
        else:
            span = f"eventTimestamp ge '{_stamp(at - _SPAN)}' and eventTimestamp le '{_stamp(at)}'"
            path = activity_path(name, span)
        return await self._try(need, self._cloud.management_url + path, "arm", self._arm, _lane(scope))

    async def _try_account(self, need: Need, account: Account, auth: Authorizer, at: datetime) -> Right:
        path = "/" + quote(account.id.strip("/"), safe="/()")
        arm, lane = self._cloud.management_url + path, _lane(account.id)
        if need is permissions.ACCOUNTS:
            return await self._try(need, f"{arm}?api-version={API_VERSION}", "arm", self._arm, lane)
        if need is permissions.DEPLOYMENTS:
            return await self._try(need, f"{arm}/deployments?api-version={API_VERSION}", "arm", self._arm, lane)
        if need is permissions.METRICS:
            url = (
                f"{self._cloud.metrics_url}{path}/providers/Microsoft.Insights/metrics?api-version={METRICS_VERSION}"
                f"&metricnames=AzureOpenAIRequests&interval=PT1H&aggregation=total"
                f"&timespan={_stamp(at - _SPAN)}/{_stamp(at)}"
            )
            return await self._try(need, url, "metrics", self._arm, f"metrics:{account.subscription.lower()}")
        by_key = isinstance(auth, ApiKey)
        if not account.endpoint:
            error = NoEndpointError("ARM names no address of this account that a token may be sent to")
            return _refused(need, error, by_key=by_key)
        if need is permissions.RESULTS:
            return await self._try_results(account, auth, by_key)
        try:
            await self._read(account, _DATA_PATHS[need], auth)
        except AzureError as exc:
            return _refused(need, exc, by_key=by_key)
        return Right(need=need, has=Has.YES, how=How.TRIED, because="by the account's own key" if by_key else "")

    async def _try_results(self, account: Account, auth: Authorizer, by_key: bool) -> Right:
        """One result file is read, where the newest jobs name one: there is no other way to know."""
        need = permissions.RESULTS
        try:
            page = _JOBS.decode(await self._read(account, "/fine_tuning/jobs?limit=20", auth))
            file = next((id_ for job in page.data for id_ in job.result_files or ()), None)
            if file is None:
                return _unknown(need, "none of the newest jobs has a result file to try it on")
            await self._read(account, f"/files/{quote(file, safe='')}/content", auth)
        except AzureError as exc:
            return _refused(need, exc, by_key=by_key)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return _unknown(need, "the list of jobs makes no sense")
        return Right(need=need, has=Has.YES, how=How.TRIED, because="by the account's own key" if by_key else "")

    async def _read(self, account: Account, path: str, auth: Authorizer) -> bytes:
        """The answer of the first dialect that knows the path."""
        joint = "&" if "?" in path else "?"
        urls = {
            "v1": f"{account.endpoint}/openai/v1{path}",
            "dated": f"{account.endpoint}/openai{path}{joint}api-version={DATED_VERSION}",
        }
        tried = list(urls.values()) if self._api == "auto" else [urls[self._api]]
        for url in tried:
            try:
                answer = await self._client.get(url, api="openai", auth=auth, lane=account.endpoint)
            except NotFoundError:
                if url == tried[-1]:
                    raise
            else:
                return answer.body
        raise AssertionError("unreachable: there is a last dialect")

    async def _try(self, need: Need, url: str, api: str, auth: Authorizer, lane: str) -> Right:
        try:
            await self._client.get(url, api=api, auth=auth, lane=lane)
        except AzureError as exc:
            return _refused(need, exc)
        return Right(need=need, has=Has.YES, how=How.TRIED)


def _by_word(need: Need, *, has: bool) -> Right:
    if has:
        return Right(need=need, has=Has.YES, how=How.PERMISSIONS)
    return Right(need=need, has=Has.NO, how=How.PERMISSIONS, reason=GapReason.ROLE, because="no role grants it here")


def _refused(need: Need, error: AzureError, *, by_key: bool = False) -> Right:
    reason = reason_of(error)
    if by_key and reason is GapReason.CREDENTIAL:
        reason = GapReason.KEY
    has = Has.NO if reason is GapReason.ROLE else Has.UNKNOWN
    return Right(need=need, has=has, how=How.TRIED, reason=reason, because=error.message)


def _unknown(need: Need, because: str) -> Right:
    return Right(need=need, has=Has.UNKNOWN, how=How.TRIED, because=because)


def _lane(scope: str) -> str:
    return f"arm:{scope.strip('/').split('/')[1].lower()}"


def _stamp(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
