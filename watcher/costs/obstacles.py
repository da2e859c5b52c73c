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


def account_gone(deployment: Deployment, account: str, *, is_custom: bool, is_there_again: bool = False) -> str:
    """Where its account is gone, with all that was in it.

    Args:
        account: The account's label.
        is_custom: It serves a fine-tuned model.
        is_there_again: An account is found under the same id by now.
    """
    model = model_after(deployment, is_custom=is_custom)
    if is_there_again:
        lost = f"The account {account} was deleted since; one of its id is there again. {model}"
        return f"{lost} {needs}" if (needs := _needs(deployment, "it")) else lost
    lost = f"The account {account} is gone, so the command as it stands leads nowhere. {model}"
    if is_custom and not _source(deployment):
        return lost
    where = "can reach that one" if is_custom else "can deploy that model"
    lost = f"{lost} Put another account that {where} in place of this one in the command's address."
    return f"{lost} {needs}" if (needs := _needs(deployment, "the other account")) else lost


def model_after(deployment: Deployment, *, is_custom: bool) -> str:
    """What became of its model when its account went."""
    if not is_custom:
        return f"{deployment.model} is a base model, which is in no account."
    if source := _source(deployment):
        name = source.rstrip("/").rpartition("/")[2]
        return f"Its model comes from the account {name}; whether it is still there is not known."
    return (
        f"Azure named no other account as the source of its model {deployment.model}: if the account was deleted, the "
        "model is gone with it unless the account can be recovered, and must be trained again elsewhere."
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
