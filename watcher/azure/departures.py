"""Asks the activity log why deployments are gone: one question an account, and only when some are.

The log is a help, never a sign that something is gone, so that what keeps it from being read is told along with the
departure and is no gap.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from watcher.azure.client import Allowance
from watcher.azure.decode_activity import Entry, decode_activity, departure_of
from watcher.azure.gaps import reason_of
from watcher.azure.management import Management
from watcher.errors import AzureError, IncompleteError
from watcher.resources.account import Account
from watcher.resources.departure import Departure
from watcher.resources.deployment import Deployment
from watcher.resources.snapshot import GapReason

_NONE_DOUBTED: Mapping[str, datetime | None] = {}
#: The log keeps 90 days.
_LONGEST = timedelta(days=89)
#: Before the last reading: a deletion that was under way then began earlier.
_MARGIN = timedelta(hours=1)

#: In our own words alone: the service's may quote what is nobody's business.
_BECAUSE = {
    GapReason.ROLE: "the role Monitoring Reader on the subscription is missing",
    GapReason.CREDENTIAL: "the credential was refused",
    GapReason.THROTTLED: "Azure throttled the request",
    GapReason.UNREACHABLE: "Azure gave no answer",
    GapReason.INCOMPLETE: "the answer could not be read whole",
}
_TOO_LONG_AGO = "the log is kept for 90 days, and the deployment was last seen before"


class Departures:
    """Reads the activity log of accounts that lost deployments."""

    def __init__(self, management: Management) -> None:
        self._management = management
        #: By account's and deployment's key: when it was last listed; `None`: not known.
        self._stood: dict[str, dict[str, datetime | None]] = {}

    async def read(
        self,
        account: Account,
        gone: Sequence[Deployment],
        again: Sequence[Deployment],
        *,
        since: datetime | None,
        at: datetime,
        allowance: Allowance,
        doubted: Mapping[str, datetime | None] = _NONE_DOUBTED,
    ) -> Mapping[str, Departure]:
        """What the log says of each, by key.

        Args:
            gone: Found to be gone just now.
            again: Found earlier, when the log said nothing; its entries come late.
            since: When those of `gone` were last listed; `None`: not known.
            doubted: By key, of those that could not be read themselves then: when they were last listed.
        """
        deployments = {one.key: one for one in (*again, *gone)}
        if not deployments:
            self._stood.pop(account.key, None)
            return {}
        known = self._stood.get(account.key, {})
        earliest = at - _LONGEST
        listed = {one.key: known.get(one.key) for one in again} | {one.key: doubted.get(one.key, since) for one in gone}
        self._stood[account.key] = listed
        # One that went earlier went lately: without a memory of when, the log is asked back as far as it may tell.
        stood = {one.key: listed[one.key] or max(one.created_at or earliest, earliest) for one in again}
        stood |= {one.key: listed[one.key] or one.created_at or earliest for one in gone}
        start = max(min(stood.values()) - _MARGIN, earliest)
        try:
            entries = await self._entries(account, list(deployments.values()), start, at, allowance)
        except AzureError as exc:
            because = _BECAUSE.get(reason_of(exc), "Azure refused the request, or its answer made no sense")
            return {key: Departure(is_read=False, because=because, stood_at=listed[key]) for key in deployments}
        said = {key: departure_of(one, entries, read_from=start) for key, one in deployments.items()}
        found = {key: replace(one, stood_at=listed[key]) for key, one in said.items()}
        silent = {key: one for key, one in found.items() if one.deleted_at is None and stood[key] < earliest}
        return found | {key: replace(one, is_read=False, because=_TOO_LONG_AGO) for key, one in silent.items()}

    async def _entries(
        self, account: Account, deployments: Sequence[Deployment], start: datetime, at: datetime, allowance: Allowance
    ) -> tuple[Entry, ...]:
        """The log's entries from `start` on that may concern them.

        Raises:
            IncompleteError: one of them cannot be read, and may be the one that is looked for.
        """
        condition = f"eventTimestamp ge '{_stamp(start)}' and eventTimestamp le '{_stamp(at)}' and "
        condition += _subject(account, deployments)
        bodies = await self._management.activity_pages(account.subscription, condition, allowance)
        pages = [decode_activity(body) for body in bodies]
        bad = next((item for page in pages for item in page.bad), None)
        if bad is not None:
            raise IncompleteError(f"an entry of the log cannot be read: {bad.problem}")
        return tuple(entry for page in pages for entry in page.items)


def _subject(account: Account, deployments: Sequence[Deployment]) -> str:
    """The filter's last term: one deployment by its id, several by their resource group.

    Where the account is gone, it is its deletion that is looked for, which the group has and the deployment has not; so
    too where it is younger than its deployments, and was created anew.
    """
    is_renewed = any(_is_younger(account.created_at, one.created_at) for one in deployments)
    if len(deployments) == 1 and not (is_renewed or account.is_gone):
        return f"resourceUri eq '{_quoted(deployments[0].id)}'"
    return f"resourceGroupName eq '{_quoted(account.resource_group)}'"


def _is_younger(account: datetime | None, deployment: datetime | None) -> bool:
    return account is not None and deployment is not None and account > deployment


def _quoted(text: str) -> str:
    """As OData wants it inside quotes."""
    return text.replace("'", "''")


def _stamp(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
