"""`make test-install`: a grid that is killed, and one of which points fail. No part of `make test`."""

import pytest

from evidence.campaign import kills


@pytest.mark.parametrize("kill", [lambda *given: kills.grid(*given, points=4), kills.points_that_fail, kills.batch])
def test_what_is_done_stays_and_what_is_missing_is_done_once(kill, tmp_path):
    """Planted bugs: the lock of a killed runner left behind; a runner beside another one; the workflow's own error
    named instead of the notebook's."""
    assert kill(1, 0, tmp_path)["faults"] == []
