"""An Azure OpenAI account: the unit of polling, and the owner of jobs and deployments."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from sys import intern

#: In place of a provisioning state: the account's own address answers 404.
GONE = "gone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One `Microsoft.CognitiveServices/accounts` resource of kind `OpenAI` or `AIServices`."""

    id: str  #: ARM id, spelt as Azure spelt it
    name: str
    label: str  #: `name`, or `name@resource-group` where two accounts bear one name: what people see
    subscription: str
    resource_group: str
    location: str
    cloud: str = "public"
    kind: str = "OpenAI"
    endpoint: str  #: base address of the data plane, without a slash at its end
    owner: str = ""  #: from the owner tag of the account, else of its resource group; "" where nobody set one
    owner_source: str = ""  #: `configuration`, `tag of the account`, `tag of the resource group`; "": no owner
    tags: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)  #: from the configuration and from `tag_labels`
    created_at: datetime | None = None
    local_auth_disabled: bool = False
    provisioning_state: str = "Succeeded"

    @property
    def is_gone(self) -> bool:
        return self.provisioning_state == GONE

    @property
    def key(self) -> str:
        """The ARM id in lower case: ARM ids compare without case."""
        return intern(self.id.lower())  # kept in several places, of thousands of accounts


def compact(account: Account) -> Account:
    """The same, for those that are kept by the thousand: each text that many have in common is held once."""
    return replace(
        account,
        subscription=intern(account.subscription),
        resource_group=intern(account.resource_group),
        location=intern(account.location),
        cloud=intern(account.cloud),
        kind=intern(account.kind),
        owner=intern(account.owner),
        owner_source=intern(account.owner_source),
        provisioning_state=intern(account.provisioning_state),
    )
