"""What is in the way of making a deployment again by its recipe, as far as that is known, in sentences. Pure.

A command that cannot do what it is offered for is worse than none, so whoever shows a recipe shows these with it.
"""

from watcher.resources.deployment import Deployment

#: A PUT to a name that stands changes what stands there.
NAME_TAKEN = "Another deployment bears its name now, and the command would change that one."
REPLACED = "It was replaced by another of its name; if that one still stands, the command changes it."
OUT_OF_SIGHT = "Its account is watched no longer. Whether it still stands is not known; if so, the command changes it."

#: Content filters of this prefix are Azure's own, and every account has them.
_AZURES_OWN = "microsoft."


def in_the_way(
    deployment: Deployment,
    account: str,
    *,
    is_custom: bool,
    stands: bool,
    is_account_gone: bool,
    is_watched: bool,
    is_taken: bool,
    is_replaced: bool = False,
    went_with_account: bool = False,
) -> str:
    """What is in the way of making it again; "": nothing that is known.

    Args:
        account: Its account's label.
        is_custom: It serves a fine-tuned model.
        stands: It is there still, as far as is known.
        is_watched: Its account is.
        is_taken: Another deployment of its name stands.
        is_replaced: It was replaced by another of its name, of which it is not known whether it still stands.
        went_with_account: Its account was deleted, and it with it; an account of the same id may stand again.
    """
    if is_account_gone:
        return account_gone(deployment, account, is_custom=is_custom, is_deleted=went_with_account)
    if not is_watched:
        return OUT_OF_SIGHT
    if stands:
        return ""
    if is_taken:
        return NAME_TAKEN
    if is_replaced:
        return REPLACED
    return account_there_again(deployment, account, is_custom=is_custom) if went_with_account else ""


def account_there_again(deployment: Deployment, account: str, *, is_custom: bool) -> str:
    """Where its account was deleted, with all that was in it, and one of the same id is found by now."""
    lost = f"The account {account} was deleted, and one of the same name is there now, recovered or made anew. "
    if is_custom and not _source(deployment):
        lost += (
            f"Azure named no other account as the source of its model {deployment.model}: the model went with the "
            "account and is there only if that was recovered, else it must be trained again."
        )
    else:
        lost += model_after(deployment, is_custom=is_custom)
    return f"{lost} {needs}" if (needs := _needs(deployment, "it")) else lost


def account_gone(deployment: Deployment, account: str, *, is_custom: bool, is_deleted: bool) -> str:
    """Where its account is gone, with all that was in it.

    Args:
        account: The account's label.
        is_custom: It serves a fine-tuned model.
        is_deleted: It is known that the account was deleted; else it may have been moved.
    """
    model = model_after(deployment, is_custom=is_custom, is_deleted=is_deleted)
    lost = f"The account {account} is gone, so the command as it stands leads nowhere. {model}"
    if is_custom and not _source(deployment):
        return lost
    where = "can reach that one" if is_custom else "can deploy that model"
    lost = f"{lost} Put another account that {where} in place of this one in the command's address."
    return f"{lost} {needs}" if (needs := _needs(deployment, "the other account")) else lost


def model_after(deployment: Deployment, *, is_custom: bool, is_deleted: bool = False) -> str:
    """What became of its model when its account went."""
    if not is_custom:
        return f"{deployment.model} is a base model, which is in no account."
    if source := _source(deployment):
        name = source.rstrip("/").rpartition("/")[2]
        return f"Its model comes from the account {name}; whether it is still there is not known."
    went = (
        "the model is gone with the account" if is_deleted else "if the account was deleted, the model is gone with it"
    )
    return (
        f"Azure named no other account as the source of its model {deployment.model}: {went} unless the account can be "
        "recovered, and must be trained again elsewhere."
    )


def _source(deployment: Deployment) -> str:
    """The other account that the model comes from; "": it is the deployment's own."""
    home = deployment.key.partition("/deployments/")[0]
    return "" if deployment.model_source.lower().rstrip("/") == home else deployment.model_source


def _needs(deployment: Deployment, there: str) -> str:
    """What the recipe names that the account had of its own."""
    own = []
    if deployment.rai_policy and not deployment.rai_policy.lower().startswith(_AZURES_OWN):
        own.append(f"the content filter {deployment.rai_policy}")
    if spillover := deployment.further.get("properties", {}).get("spilloverDeploymentName"):
        own.append(f"the deployment {spillover} for its spillover")
    return f"First {there} needs {' and '.join(own)}." if own else ""
