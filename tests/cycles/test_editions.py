"""What makes editions leaves the program as it was."""

import gc

import pytest

from watcher.cycles.editions import uncollected


@pytest.fixture(params=[True, False], ids=["on", "off"])
def collects(request):
    was_on = gc.isenabled()
    (gc.enable if request.param else gc.disable)()
    yield request.param
    (gc.enable if was_on else gc.disable)()


def test_garbage_is_collected_again_whatever_comes_of_an_edition(collects):
    @uncollected()
    def make():
        assert not gc.isenabled()
        raise ValueError("no edition")

    for _ in range(2):
        with pytest.raises(ValueError, match="no edition"):
            make()
        assert gc.isenabled() is collects
