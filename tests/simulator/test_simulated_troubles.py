"""Troubles that do not look like errors: lists that lie about their pages, metrics that come late or not at all."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from watcher.simulator import Account, Calls, Deployment, Fault, Job, Scenario, parse

H, D = timedelta(hours=1), timedelta(days=1)
BY_NAME = {"$filter": "ModelDeploymentName eq '*'"}
BOTH = "ModelRequests,AzureOpenAIRequests"
CALLED = Deployment(name="d", model="gpt-4.1", created=-90 * D, calls=(Calls(from_=0 * H, per_hour=60),))


def three_deployments() -> Scenario:
    deployments = tuple(Deployment(name=name, model="gpt-4.1") for name in "abc")
    return Scenario(page_size=2, accounts=(Account(name="ft", deployments=deployments),))


async def test_a_list_may_stop_after_a_page_without_a_word(build):
    azure = build(three_deployments())
    azure.world.faults.add(Fault(paging="short"))
    page = (await azure.arm(f"{azure.account_id('ft')}/deployments")).json()
    assert [row["name"] for row in page["value"]] == ["a", "b"] and "nextLink" not in page


async def test_a_list_may_have_pages_for_ever(build):
    azure = build(three_deployments())
    azure.world.faults.add(Fault(paging="endless"))
    url, sizes = f"{azure.account_id('ft')}/deployments?api-version=2024-10-01", []
    for _ in range(4):
        page = (await azure.client.get(url)).json()
        url = page["nextLink"]
        sizes.append(len(page["value"]))
    assert sizes == [2, 1, 0, 0]


@pytest.mark.parametrize(
    ("paging", "sizes", "more"),
    [(None, [2, 1], [True, False]), ("short", [2, 1], [False, False]), ("endless", [2, 1], [True, True])],
)
async def test_the_data_plane_may_lie_about_more(build, paging, sizes, more):
    azure = build(jobs=tuple(Job(name=name) for name in "abc"))
    azure.world.faults.add(Fault(paging=paging, plane="data"))
    first = (await azure.v1("/fine_tuning/jobs", limit="2")).json()
    after = first["data"][-1]["id"]
    second = (await azure.v1("/fine_tuning/jobs", limit="2", after=after)).json()
    assert [len(page["data"]) for page in (first, second)] == sizes
    assert [page["has_more"] for page in (first, second)] == more


async def points(azure: Any, **parameters: str) -> dict[str, list[float | None]]:
    """Name of a metric → its totals by the hour from 0 h to 4 h; None for a point without a number."""
    span = azure.timespan(0 * H, 4 * H)
    given = {"timespan": span, "interval": "PT1H", "metricnames": BOTH} | BY_NAME | parameters
    answer = await azure.metrics(**given)
    assert answer.status_code == 200, answer.text
    return {
        metric["name"]["value"]: [point.get("total") for series in metric["timeseries"] for point in series["data"]]
        for metric in answer.json()["value"]
    }


@pytest.mark.parametrize(
    ("fault", "requests", "older"),
    [
        pytest.param({}, [60, 60, 60, 60], [60, 60, 60, 60], id="none"),
        pytest.param({"metrics_delay": 3 * H}, [60, 60, None, None], [60, 60, None, None], id="late"),
        pytest.param({"metrics_delay": 3 * H, "metric": "Model*"}, [60, 60, None, None], [60] * 4, id="one late"),
        pytest.param({"gap": (H, 2 * H)}, [60, None, 60, 60], [60, None, 60, 60], id="gap"),
        pytest.param({"gap": (H + H / 2, 3 * H)}, [60, None, None, 60], [60, None, None, 60], id="touched"),
        pytest.param({"gap": (H, 2 * H), "gap_points": "absent"}, [60] * 3, [60] * 3, id="no points"),
        pytest.param({"gap": (H, 2 * H), "metric": "azure*"}, [60] * 4, [60, None, 60, 60], id="one with a gap"),
        pytest.param({"metric_error": "Odd", "metric": "azureopenairequests"}, [60] * 4, [], id="one in error"),
    ],
)
async def test_metrics_may_be_late_or_have_holes(build, fault, requests, older):
    azure = build(deployments=(CALLED,)).at(hours=5)
    azure.world.faults.add(Fault(**fault))
    assert await points(azure) == {"ModelRequests": requests, "AzureOpenAIRequests": older}


async def test_points_of_a_gap_keep_their_times(build):
    azure = build(deployments=(CALLED,)).at(hours=5)
    azure.world.faults.add(Fault(gap=(H, 2 * H), gap_points="absent"))
    answer = await azure.metrics(timespan=azure.timespan(0 * H, 3 * H), interval="PT1H", **BY_NAME)
    data = answer.json()["value"][0]["timeseries"][0]["data"]
    assert data == [
        {"timeStamp": "2026-03-02T08:00:00Z", "total": 60.0},
        {"timeStamp": "2026-03-02T10:00:00Z", "total": 60.0},
    ]


@pytest.mark.parametrize("status", [401, 403, 529])
async def test_batches_may_be_refused_while_single_metrics_are_served(build, status):
    azure = build(deployments=(CALLED,)).at(hours=5)
    azure.world.faults.add(Fault(plane="metrics", api="metrics_batch", status=status))
    subscription = azure.world.scenario.subscriptions[0].id
    answer = await azure.client.post(
        f"/subscriptions/{subscription}/metrics:getBatch", json={"resourceids": [azure.account_id("ft")]}
    )
    assert answer.status_code == status and set(answer.json()["error"]) == {"code", "message"}
    assert (await points(azure))["ModelRequests"] == [60] * 4


async def test_troubles_end_when_their_time_is_over(build):
    azure = build(deployments=(CALLED,)).at(hours=5)
    azure.world.faults.add(Fault(metrics_delay=9 * D, until=6 * H), Fault(paging="short", until=6 * H))
    assert (await points(azure))["ModelRequests"] == []
    azure.at(hours=6)
    assert (await points(azure))["ModelRequests"] == [60] * 4


def test_these_troubles_can_be_written_down():
    scenario = parse(
        """
        activity_delay = "5m"
        [[faults]]
        metric = "Model*"
        metrics_delay = "3h"
        gap = ["1h", "2h"]
        gap_points = "absent"
        paging = "endless"
        [[accounts]]
        name = "ft"
        deleted = "9d"
        deleted_by = "ci"
        provisioning = [["Creating", "0s"], ["Succeeded", "5m"]]
        [[accounts.jobs]]
        name = "j"
        estimates = [["1h", "9h"]]
        older_results = true
        skipped_images = 3
        [[accounts.deployments]]
        name = "d"
        job = "j"
        checkpoint = 40
        checkpoint_form = "id"
        [[models]]
        name = "gpt"
        version = "1"
        deprecation_status = "Tentative"
        """
    )
    (fault,), (account,) = scenario.faults, scenario.accounts
    assert fault == Fault(metric="Model*", metrics_delay=3 * H, gap=(H, 2 * H), gap_points="absent", paging="endless")
    assert (account.deleted_by, account.provisioning[1][0], account.jobs[0].estimates) == (
        "ci",
        "Succeeded",
        ((H, 9 * H),),
    )
    assert replace(scenario, faults=()).activity_delay == timedelta(minutes=5)
