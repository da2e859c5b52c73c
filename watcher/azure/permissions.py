"""What `watcher` may do in Azure: the actions that it needs and why, which of them a grant covers, and the least role.

Pure; the asking is in `rights`. ARM's permissions operation answers with one grant for each role that the caller holds
at a scope; a grant's exceptions (`notActions`) take away from that grant alone, never from another.

Source: azure-rest-api-specs, Microsoft.Authorization 2022-04-01, "Permissions - List For Resource"; Azure's built-in
roles for the actions of the control plane. The names of single data actions are inferred from those roles, which grant
`Microsoft.CognitiveServices/accounts/OpenAI/*/read` as a whole: see `Need.is_inferred`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import msgspec

from watcher.errors import MalformedError
from watcher.resources.snapshot import Plane


class Level(StrEnum):
    """On what a right is held."""

    SUBSCRIPTION = "subscription"
    ACCOUNT = "account"


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """One action that `watcher` needs."""

    action: str
    is_data: bool = False  #: a data action; else one of the control plane
    level: Level
    plane: Plane
    what_for: str
    without: str  #: what is lost without it
    is_inferred: bool = False  #: its name stands in no document that was read


_OPENAI = "Microsoft.CognitiveServices/accounts/OpenAI"

#: All that a role's data actions may hold at most, and what the built-in roles grant.
ANY_OPENAI_READ = f"{_OPENAI}/*/read"

SUBSCRIPTIONS = Need(
    action="Microsoft.Resources/subscriptions/read",
    level=Level.SUBSCRIPTION,
    plane=Plane.ARM,
    what_for="finding the subscriptions that the credential sees",
    without="subscriptions must be named in [azure.discovery]",
)
GROUPS = Need(
    action="Microsoft.Resources/subscriptions/resourceGroups/read",
    level=Level.SUBSCRIPTION,
    plane=Plane.ARM,
    what_for="the owner tag of resource groups",
    without="an account without an owner tag of its own has no owner",
)
LOCATION_MODELS = Need(
    action="Microsoft.CognitiveServices/locations/models/read",
    level=Level.SUBSCRIPTION,
    plane=Plane.ARM,
    what_for="when base models retire, by region",
    without="retirement dates come from a table of Azure's documentation, and may be out of date",
)
ACTIVITY_LOG = Need(
    action="Microsoft.Insights/eventtypes/values/read",
    level=Level.SUBSCRIPTION,
    plane=Plane.ARM,
    what_for="who deleted a deployment that is gone (the activity log)",
    without="a deployment that is gone is told without who deleted it",
)
ACCOUNTS = Need(
    action="Microsoft.CognitiveServices/accounts/read",
    level=Level.ACCOUNT,
    plane=Plane.ARM,
    what_for="finding accounts, their addresses and tags",
    without="nothing is discovered; each account must be given by hand, with its endpoint",
)
DEPLOYMENTS = Need(
    action="Microsoft.CognitiveServices/accounts/deployments/read",
    level=Level.ACCOUNT,
    plane=Plane.ARM,
    what_for="deployments: what runs, and since when",
    without="no deployment is watched: no countdown, no cost, no word when one is gone",
)
METRICS = Need(
    action="Microsoft.Insights/metrics/read",
    level=Level.ACCOUNT,
    plane=Plane.METRICS,
    what_for="when each deployment was last called",
    without="idleness stays unknown: no warning before an idle deployment is deleted",
)
JOBS = Need(
    action=f"{_OPENAI}/fine-tunes/read",
    is_data=True,
    level=Level.ACCOUNT,
    plane=Plane.DATA,
    what_for="fine-tuning jobs, their log and their checkpoints",
    without="no job is watched, and no safety (RAI) refusal is told",
    is_inferred=True,
)
FILES = Need(
    action=f"{_OPENAI}/files/read",
    is_data=True,
    level=Level.ACCOUNT,
    plane=Plane.DATA,
    what_for="the list of uploaded files",
    without="refused and unused files are not told, nor how near an account is to its limits",
    is_inferred=True,
)
MODELS = Need(
    action=f"{_OPENAI}/models/read",
    is_data=True,
    level=Level.ACCOUNT,
    plane=Plane.DATA,
    what_for="the list of custom models",
    without="models are known from their jobs alone; those of deleted jobs are not",
    is_inferred=True,
)
RESULTS = Need(
    action=f"{_OPENAI}/files/content/read",
    is_data=True,
    level=Level.ACCOUNT,
    plane=Plane.DATA,
    what_for="result files of ended jobs, for their loss curves; no other file is ever downloaded",
    without="loss curves come from the last three checkpoints alone",
    is_inferred=True,
)

COSTS = Need(
    action="Microsoft.CostManagement/query/action",
    level=Level.SUBSCRIPTION,
    plane=Plane.ARM,
    what_for="what Azure billed, to hold estimates against ([pricing] reconcile); a query, which changes nothing",
    without="estimates stand without the bill beside them",
)

#: In the order in which they are told; what only an option needs is not among them.
NEEDS = (
    SUBSCRIPTIONS,
    GROUPS,
    LOCATION_MODELS,
    ACTIVITY_LOG,
    ACCOUNTS,
    DEPLOYMENTS,
    METRICS,
    JOBS,
    FILES,
    MODELS,
    RESULTS,
)


def needs(*, read_results: bool, reconcile: bool = False) -> tuple[Need, ...]:
    """What is needed; without `read_results` no file's content is, and only with `reconcile` the bill."""
    needed = tuple(need for need in NEEDS if read_results or need is not RESULTS)
    return (*needed, COSTS) if reconcile else needed


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What one role gives at a scope. `*` stands for any characters, also none; case does not count."""

    actions: tuple[str, ...] = ()
    not_actions: tuple[str, ...] = ()
    data_actions: tuple[str, ...] = ()
    not_data_actions: tuple[str, ...] = ()

    def covers(self, action: str, *, is_data: bool) -> bool:
        """Whether this grant alone allows `action`."""
        given = self.data_actions if is_data else self.actions
        taken = self.not_data_actions if is_data else self.not_actions
        return any(matches(one, action) for one in given) and not any(matches(one, action) for one in taken)


def covers(grants: Iterable[Grant], need: Need) -> bool:
    """Whether some grant allows what is needed."""
    return any(grant.covers(need.action, is_data=need.is_data) for grant in grants)


def settles(grants: Sequence[Grant], need: Need) -> bool | None:
    """Whether the grants allow what is needed; `None`: they do not say, since its very name is inferred.

    Then only a role that reads everything is a sure yes, and only one without any data action a sure no.
    """
    if not need.is_inferred:
        return covers(grants, need)
    if not any(grant.data_actions for grant in grants):
        return False
    everything = replace(need, action=ANY_OPENAI_READ)
    is_sure = any(covers([grant], need) and covers([grant], everything) for grant in grants)
    return True if is_sure else None


def matches(pattern: str, action: str) -> bool:
    """Whether `action` is what `pattern` names, where `*` stands for any characters and case does not count.

    In time linear in both for each `*`: patterns come from outside.
    """
    first, *rest = pattern.lower().split("*")
    text = action.lower()
    if not rest:
        return text == first
    if not text.startswith(first):
        return False
    *middle, last = rest
    at = len(first)
    for part in middle:  # the earliest place of each leaves most room for the others
        found = text.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return len(text) - at >= len(last) and text.endswith(last)


class _Permission(msgspec.Struct, rename="camel"):
    actions: list[str] | None = None
    not_actions: list[str] | None = None
    data_actions: list[str] | None = None
    not_data_actions: list[str] | None = None


class _Permissions(msgspec.Struct, rename="camel"):
    value: list[_Permission]


_PERMISSIONS = msgspec.json.Decoder(_Permissions)


def decode_permissions(body: bytes) -> tuple[Grant, ...]:
    """The grants of one page of ARM's answer.

    Raises:
        MalformedError: it is none.
    """
    try:
        page = _PERMISSIONS.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as exc:
        raise MalformedError(f"the permissions cannot be read: {exc}") from None
    return tuple(
        Grant(
            actions=tuple(one.actions or ()),
            not_actions=tuple(one.not_actions or ()),
            data_actions=tuple(one.data_actions or ()),
            not_data_actions=tuple(one.not_data_actions or ()),
        )
        for one in page.value
    )


def role_definition(subscriptions: Sequence[str], *, read_results: bool, reconcile: bool = False) -> dict[str, Any]:
    """The least role, as `az role definition create --role-definition` takes it.

    With results its data action is all that can be read of Azure OpenAI, since nothing that was read names the one
    for the content of files; without them, the three that `watcher` then needs.
    """
    asked = needs(read_results=read_results, reconcile=reconcile)
    data = [ANY_OPENAI_READ] if read_results else [need.action for need in asked if need.is_data]
    return {
        "Name": "Fine-tuning watcher" + ("" if read_results else " (without results)"),
        "IsCustom": True,
        "Description": "Reads fine-tuning jobs, deployments and metrics.",
        "Actions": [need.action for need in asked if not need.is_data],
        "NotActions": [],
        "DataActions": data,
        "NotDataActions": [],
        "AssignableScopes": [f"/subscriptions/{one}" for one in subscriptions],
    }
