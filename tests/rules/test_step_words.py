import pytest

from watcher.costs.training import CapStep, hours_left
from watcher.rules.step_words import step_name, step_reached


@pytest.mark.parametrize(
    ("rule", "step", "said"),
    [
        ("deployment_idle", "3d", "3d"),
        ("deployment_idle", "overdue", "overdue"),
        ("job_cost", "25h", "50 % of the cap: 25 h"),
        ("job_cost", "10h", "80 % of the cap: 40 h"),
        ("job_cost", "0h", "100 % of the cap: 50 h"),
        ("job_cost", "overdue", "beyond the cap"),
        ("job_cost", "7h", "7h"),
        ("job_cost", "", ""),
    ],
)
def test_a_step_as_people_read_it(rule, step, said):
    assert step_name(rule, step) == said


def test_each_step_of_the_cap_has_words():
    """The rule writes its steps as hours that are left."""
    for step in CapStep:
        if step:
            assert f"{step.value} % of the cap" in step_reached("job_cost", f"{hours_left(step)}h", is_over=False)


def test_where_there_is_no_step_nothing_is_said():
    assert {step_reached(rule, "", is_over=over) for rule in ("job_cost", "other") for over in (True, False)} == {""}
