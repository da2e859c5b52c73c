import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.factories import make_account, make_deployment, make_job
from watcher.rules.labels import Owner, account_labels, deployment_labels, job_labels, owner_of

NOBODYS = make_account(owner="")
TAGGED = make_account(owner="team-ml", owner_source="tag of the account")


@pytest.mark.parametrize(
    ("account", "deployment", "expected"),
    [
        pytest.param(
            TAGGED,
            {"tags": {"Owner": " chat-team "}, "created_by": "dev@contoso.com"},
            Owner(name="chat-team", source="tag owner of the deployment"),
            id="its own tag",
        ),
        pytest.param(
            make_account(labels={"owner": "platform"}, owner="team-ml"),
            {},
            Owner(name="platform", source="label of the account in the configuration"),
            id="a label of the account",
        ),
        pytest.param(
            TAGGED,
            {"created_by": "dev@contoso.com"},
            Owner(name="team-ml", source="tag of the account"),
            id="its account's",
        ),
        pytest.param(
            TAGGED, {"tags": {"owner": "  "}}, Owner(name="team-ml", source="tag of the account"), id="an empty tag"
        ),
        pytest.param(
            NOBODYS,
            {"created_by": "dev@contoso.com"},
            Owner(name="dev@contoso.com", source="creator of the deployment"),
            id="its creator",
        ),
        pytest.param(NOBODYS, {}, Owner(name="unowned", source=""), id="nobody"),
    ],
)
def test_the_owner_of_a_deployment(account, deployment, expected):
    made = make_deployment(**deployment)

    assert owner_of(account, deployment=made) == expected
    assert deployment_labels(account, made)["owner"] == expected.name


def test_the_owner_of_a_job_stands_in_its_metadata():
    job = make_job(metadata={"Team": "speech", "owner": "else"})

    assert owner_of(TAGGED, job=job, owner_tag="team") == Owner(name="speech", source="metadata team of the job")
    assert job_labels(TAGGED, job, "team")["owner"] == "speech"
    assert job_labels(TAGGED, make_job())["owner"] == "team-ml"
    assert job_labels(NOBODYS, make_job())["owner"] == "unowned"


def test_an_account_without_an_owner_is_unowned():
    assert account_labels(NOBODYS)["owner"] == "unowned"


@given(st.text(max_size=8), st.text(max_size=8), st.text(max_size=8))
def test_there_always_is_an_owner_and_a_source_unless_there_is_none(tag, owner, creator):
    found = owner_of(make_account(owner=owner), deployment=make_deployment(tags={"owner": tag}, created_by=creator))

    assert found.name.strip()
    assert bool(found.source) == bool(tag.strip() or owner.strip() or creator.strip())
