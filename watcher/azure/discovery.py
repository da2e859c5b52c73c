"""Which accounts to watch: those that ARM lists and the configuration lets through, and those given by hand.

A subscription that cannot be read spoils no other: it is named in a gap, and the discovery is not complete, so that
nobody takes its accounts for gone. One that is no longer among those that the credential sees says nothing of its
accounts either: a lost role looks just so. Only a list in the configuration leaves them out.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from fnmatch import fnmatchcase

from watcher.azure.clouds import Cloud
from watcher.azure.decode_arm import KINDS, split_id
from watcher.azure.gaps import gap_of, gap_of_item
from watcher.azure.management import Management
from watcher.errors import AzureError, NotFoundError
from watcher.resources.account import Account, compact
from watcher.resources.snapshot import PLANE_OF, Gap, GapReason, Section

#: Where an account's owner was named.
OWNER_CONFIGURED = "configuration"
OWNER_TAGGED = "tag of the account"
OWNER_OF_GROUP = "tag of the resource group"


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenAccount:
    """An account given by hand: `[[azure.accounts]]`. Its api-key goes to the collector."""

    resource_id: str
    endpoint: str = ""  #: "": as ARM has it
    labels: Mapping[str, str] = field(default_factory=dict)  #: `owner` sets the owner


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoverySettings:
    """`[azure.discovery]` and `[[azure.accounts]]`."""

    is_enabled: bool = True  #: `False`: only the accounts given by hand
    subscriptions: tuple[str, ...] | None = None  #: `None`: all that the credential sees
    resource_groups: tuple[str, ...] = ("*",)  #: globs, without case
    include: tuple[str, ...] = ("*",)  #: globs on the account's name, without case
    exclude: tuple[str, ...] = ()
    owner_tag: str = "owner"
    tag_labels: tuple[str, ...] = ()
    accounts: tuple[GivenAccount, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovery:
    """The accounts to watch, in the order of their keys."""

    accounts: tuple[Account, ...]
    is_complete: bool  #: `False`: what is missing here may exist all the same
    gone: frozenset[str] = frozenset()  #: keys of known accounts whose own address answered 404
    gaps: tuple[
        Gap, ...
    ] = ()  #: `subject` is the subscription's id path, or the account's id; "": the list of subscriptions
    subscriptions: tuple[str, ...] = ()  #: ids of those that were asked for their accounts
    cloud: str = "public"


async def discover(
    management: Management, settings: DiscoverySettings, *, at: datetime, known: Sequence[Account] = ()
) -> Discovery:
    """Ask ARM once for everything; Azure's faults become gaps.

    Args:
        at: When this happens, for the gaps.
        known: The accounts watched so far. Lists filtered by role shrink without a word, so one that is missing is
            asked for by its own address, and leaves only if that answers 404 (or the configuration no longer wants it).
    """
    gaps: list[Gap] = []
    found: dict[str, Account] = {}
    gone: set[str] = set()
    subscriptions: Sequence[str] = ()
    if settings.is_enabled:
        seen = await _subscriptions(management, settings, at, gaps, known)
        subscriptions = seen or ()
        listings = await asyncio.gather(*(_listed(management, one, settings, at, gaps) for one in subscriptions))
        found = {account.key: account for listing in listings for account in listing}
        missing = [one for one in known if one.key not in found and _may_be_hidden(one, seen, settings)]
        confirmed = await asyncio.gather(*(_confirmed(management, one, at, gaps) for one in missing))
        found.update((account.key, account) for account in confirmed if account is not None)
        gone = {one.key for one, account in zip(missing, confirmed, strict=True) if account is None}
    given = await asyncio.gather(*(_given(management, one, found, at, gaps) for one in settings.accounts))
    found.update((account.key, account) for account in given if account is not None)
    chosen = sorted(found.values(), key=lambda account: account.key)
    labels = {one.resource_id.strip("/").lower(): one.labels for one in settings.accounts}
    ownerless = [one for one in chosen if not labels.get(one.key.strip("/"), {}).get("owner")]
    group_tags = await _group_tags(management, ownerless, settings)
    owners = {account.key: (account.owner, account.owner_source) for account in known}
    described = [
        _described(
            account,
            settings,
            group_tags,
            labels.get(account.key.strip("/"), {}),
            known_owner=owners.get(account.key, ("", "")),
        )
        for account in chosen
    ]
    return Discovery(
        accounts=_with_unique_labels(described),
        is_complete=not gaps,
        gone=frozenset(gone),
        gaps=tuple(gaps),
        subscriptions=tuple(subscriptions),
        cloud=management.cloud.name,
    )


async def _subscriptions(
    management: Management, settings: DiscoverySettings, at: datetime, gaps: list[Gap], known: Sequence[Account]
) -> Sequence[str] | None:
    """Those to ask for their accounts; `None`: they could not be listed."""
    if settings.subscriptions is not None:
        return settings.subscriptions
    try:
        seen = await management.subscriptions()
    except AzureError as exc:
        gaps.append(gap_of(exc, Section.ACCOUNT, at))
        return None
    disabled = {one.id.lower() for one in seen if one.state.lower() == "disabled"}
    watched = {one.subscription.lower() for one in known if _is_wanted(one, settings) and _was_listed(one)}
    gaps.extend(
        Gap(
            section=Section.ACCOUNT,
            plane=PLANE_OF[Section.ACCOUNT],
            reason=GapReason.BLOCKED,
            message="the subscription is disabled",
            at=at,
            subject=f"/subscriptions/{subscription}",
        )
        for subscription in sorted(disabled & watched)
    )
    return [one.id for one in seen if one.id.lower() not in disabled]


def _may_be_hidden(account: Account, subscriptions: Sequence[str] | None, settings: DiscoverySettings) -> bool:
    """Whether an account that no list names may be there all the same, so that it must be asked for."""
    if subscriptions is None or not _is_wanted(account, settings):  # where nothing was listed, nothing is missing
        return False
    is_seen = account.subscription.lower() in {name.lower() for name in subscriptions}
    return is_seen or (settings.subscriptions is None and _was_listed(account))


def _was_listed(account: Account) -> bool:
    """Not so an account given by hand that ARM never showed: once the configuration drops it, nothing wants it."""
    return bool(account.location)


async def _listed(
    management: Management, subscription: str, settings: DiscoverySettings, at: datetime, gaps: list[Gap]
) -> Sequence[Account]:
    try:
        accounts, bad = await management.accounts(subscription)
    except AzureError as exc:
        gaps.append(gap_of(exc, Section.ACCOUNT, at, subject=f"/subscriptions/{subscription}"))
        return ()
    gaps.extend(gap_of_item(item.problem, Section.ACCOUNT, at, subject=item.id.lower()) for item in bad)
    return [account for account in accounts if _is_wanted(account, settings)]


def _is_wanted(account: Account, settings: DiscoverySettings) -> bool:
    return (
        account.kind.lower() in KINDS
        and _matches(account.resource_group, settings.resource_groups)
        and _matches(account.name, settings.include)
        and not _matches(account.name, settings.exclude)
    )


def _matches(name: str, globs: Iterable[str]) -> bool:
    return any(fnmatchcase(name.lower(), glob.lower()) for glob in globs)


async def _confirmed(management: Management, known: Account, at: datetime, gaps: list[Gap]) -> Account | None:
    """An account that no list names any more: `None` if its own address says that it is gone."""
    try:
        return await management.account(known.id)
    except NotFoundError:
        return None
    except AzureError as exc:
        gaps.append(gap_of(exc, Section.ACCOUNT, at, subject=known.key))
        return known


async def _given(
    management: Management, given: GivenAccount, found: Mapping[str, Account], at: datetime, gaps: list[Gap]
) -> Account | None:
    """The account given by hand: as listed, else as ARM has it, else as far as the configuration tells."""
    resource_id = "/" + given.resource_id.strip("/")
    account = found.get(resource_id.lower())
    if account is None:
        try:
            account = await management.account(resource_id)
        except AzureError as exc:
            gaps.append(gap_of(exc, Section.ACCOUNT, at, subject=resource_id.lower()))
            account = _by_hand(resource_id, given.endpoint, management.cloud)
    if account is None or not given.endpoint:
        return account
    return replace(account, endpoint=given.endpoint.rstrip("/"))


def _by_hand(resource_id: str, endpoint: str, cloud: Cloud) -> Account | None:
    segments = split_id(resource_id)
    if not endpoint or not {"subscriptions", "resourcegroups", "accounts"} <= segments.keys():
        return None
    return Account(
        id=resource_id,
        name=segments["accounts"],
        label=segments["accounts"],
        subscription=segments["subscriptions"],
        resource_group=segments["resourcegroups"],
        location="",
        cloud=cloud.name,
        endpoint=endpoint.rstrip("/"),
    )


async def _group_tags(
    management: Management, accounts: Iterable[Account], settings: DiscoverySettings
) -> Mapping[tuple[str, str], Mapping[str, str]]:
    """The tags of resource groups, by subscription and group in lower case, where an account leaves the owner open.

    They are a help only: a credential without the right to read them changes nothing else.
    """
    lacking = {account.subscription for account in accounts if not _tag(account.tags, settings.owner_tag)}

    async def read(subscription: str) -> Mapping[tuple[str, str], Mapping[str, str]]:
        try:
            groups = await management.resource_groups(subscription)
        except AzureError:
            return {}
        return {(subscription.lower(), group.name.lower()): group.tags for group in groups}

    merged: dict[tuple[str, str], Mapping[str, str]] = {}
    for tags in await asyncio.gather(*(read(subscription) for subscription in sorted(lacking))):
        merged.update(tags)
    return merged


def _tag(tags: Mapping[str, str], name: str) -> str:
    """A tag's value; Azure compares the names of tags without case."""
    wanted = name.lower()
    return next((value for key, value in tags.items() if key.lower() == wanted), "")


def _described(
    account: Account,
    settings: DiscoverySettings,
    group_tags: Mapping[tuple[str, str], Mapping[str, str]],
    labels: Mapping[str, str],
    *,
    known_owner: tuple[str, str],
) -> Account:
    """`account` with its owner and labels: configuration before its own tags before those of its group.

    Where the group's tags could not be read just now, its owner stays who it was.
    """
    of_group = group_tags.get((account.subscription.lower(), account.resource_group.lower()))
    choices = (
        (labels.get("owner", ""), OWNER_CONFIGURED),
        (_tag(account.tags, settings.owner_tag), OWNER_TAGGED),
        known_owner if of_group is None else (_tag(of_group, settings.owner_tag), OWNER_OF_GROUP),
    )
    owner, source = next((choice for choice in choices if choice[0]), ("", ""))
    from_tags = {name: value for name in settings.tag_labels if (value := _tag(account.tags, name))}
    given = {name: value for name, value in labels.items() if name != "owner"}
    return replace(account, owner=owner, owner_source=source, labels={**from_tags, **given})


def _with_unique_labels(accounts: Sequence[Account]) -> tuple[Account, ...]:
    """Accounts of one name become `name@resource-group`; of one group name too, with the subscription."""
    names = Counter(account.name.lower() for account in accounts)
    groups = Counter(f"{account.name}@{account.resource_group}".lower() for account in accounts)
    unique = []
    for account in accounts:
        label = account.name
        if names[label.lower()] > 1:
            label = f"{account.name}@{account.resource_group}"
            if groups[label.lower()] > 1:
                label = f"{label}@{account.subscription}"
        unique.append(compact(replace(account, label=label)))
    return tuple(unique)
