"""What all tests of whole operations share."""

from __future__ import annotations

import pytest

from tests import simulation


@pytest.fixture(params=['3.6.26', '4.0.15'])
def sim(request: pytest.FixtureRequest) -> simulation.Simulation:
    """Return a settled site of each Juju version."""
    return simulation.Simulation(version=request.param)
