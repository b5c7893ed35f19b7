"""What `make bench` compares: deep verification of a database, and pgbackrest verify."""

from __future__ import annotations

import pytest

from rehearsal.real import programs
from tests.bench import database, figures

pytestmark = pytest.mark.xdist_group('real-versions')


def test_both_ways_are_measured_as_often(packages: programs.Programs):
    printed = list(database.measure(1000))

    measured = [figure for figure in printed if isinstance(figure, figures.Figure)]
    assert len(measured) == 3
    assert {len(figure.values) for figure in measured} == {3}
    assert min(value for figure in measured for value in figure.values) > 0
