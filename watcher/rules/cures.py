"""What mends each reason for which something of an account cannot be read, with the exact commands."""

import shlex

from watcher.resources.account import Account
from watcher.resources.snapshot import GapReason, Plane
from watcher.rules import commands

#: Where the planes that are not the account's own answer; their exact address is the cloud's, or the configuration's.
_ADDRESSES = {Plane.ARM: "Azure Resource Manager of this cloud", Plane.METRICS: "Azure Monitor of this cloud"}
#: All that the data plane is asked for. Source: the built-in role Cognitive Services OpenAI User, less what writes.
_READS = "Microsoft.CognitiveServices/accounts/OpenAI/*/read"
_AGAIN = "watcher tries again at each poll."


def reach(account: Account, plane: Plane, reason: GapReason) -> str:
    """What helps where no answer came, or none that makes sense."""
    where = _ADDRESSES.get(plane, account.endpoint)
    match reason:
        case GapReason.NO_ENDPOINT:
            return (
                "ARM names no address of this account that a token may be sent to: none at all, or plain http. Set "
                f'`endpoint = "https://…"` in its entry of [[azure.accounts]] with resource_id = "{account.id}".'
            )
        case GapReason.BROKEN:
            return (
                f"Azure answers at {where}, but with an error of its own: nothing on watcher's side mends it. If it "
                "lasts, look at Azure's status page, or open a support request with the request id in the evidence. "
                f"{_AGAIN}"
            )
        case GapReason.NOT_FOUND:
            return (
                "See whether the account still stands, and what its address is; Azure also answers so where the "
                f"credential has no role:\naz cognitiveservices account show {_place(account)}\n"
                f"If it was moved or renamed, mend its entry in [[azure.accounts]], if it has one. {_AGAIN}"
            )
        case GapReason.INCOMPLETE:
            return (
                "Azure answers, but its list cannot be followed to the end, so nothing is said of what it may lack. "
                "The description shows where it broke off; if it lasts, it is a defect of Azure or of watcher. "
                f"{_AGAIN}"
            )
    look = "Check name resolution, proxy, certificates and outgoing network from where watcher runs to"
    others = "If others see it too, look at Azure's status page; a single failure often mends itself."
    if plane is Plane.DATA:
        probe = f"curl -sS -o /dev/null -w '%{{http_code}}\\n' {shlex.quote(account.endpoint)}"
        return f"{look} {where}; any number but 000 is an answer:\n{probe}\n{others} {_AGAIN}"
    return f"{look} {where}. {others} {_AGAIN}"


def cure(account: Account, plane: Plane, reason: GapReason) -> str:
    """What mends a refusal."""
    grant = f"Grant the least role that this plane asks for:\n{commands.assign_role(account.id, plane)}"
    if plane is Plane.DATA:
        grant += f"\nThat role allows inference too; a custom role with the data action {_READS} alone would do."
    match reason:
        case GapReason.CREDENTIAL:
            return (
                "The credential gave no token, or its token was refused (401). Check [azure] credential and tenant_id, "
                "and whether the secret or certificate has expired; `watcher check-config --online` tries it."
            )
        case GapReason.ROLE:
            return grant
        case GapReason.NETWORK:
            return (
                "The account's firewall or private endpoint keeps watcher out. See what it lets in:\n"
                f"az cognitiveservices account network-rule list {_place(account)}\n"
                "Then let in the address that watcher comes from:\n"
                f"az cognitiveservices account network-rule add {_place(account)} --ip-address "
                '"<outgoing address of watcher>"\n'
                "Where public access is off as a whole, run watcher in a network that has the private endpoint."
            )
        case GapReason.KEY:
            return (
                "The account's own api-key was refused (401). Check api_key_env or api_key_file of its entry in "
                f'[[azure.accounts]] with resource_id = "{account.id}": the key may have been renewed, or be of '
                "another account. Without a key watcher comes with a token."
            )
        case GapReason.KEYS_DISABLED:
            return (
                "The account takes no keys (disableLocalAuth). Remove api_key_* from its entry in [[azure.accounts]], "
                f"so that watcher comes with a token. {grant}"
            )
        case GapReason.BLOCKED:
            return (
                "The service has blocked the resource. Nothing on watcher's side helps: open a support request with "
                "Azure, with the request id in the evidence."
            )
    return f"The answer does not say why. A missing role is the usual cause; a network rule is another. {grant}"


def _place(account: Account) -> str:
    return (
        f"-g {shlex.quote(account.resource_group)} -n {shlex.quote(account.name)} "
        f"--subscription {shlex.quote(account.subscription)}"
    )
