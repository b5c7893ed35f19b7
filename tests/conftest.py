"""What all tests share."""

from __future__ import annotations

import pytest

from coordinator.sets import sealing


@pytest.fixture(autouse=True)
def cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hash passwords cheaply: what costs a thief time would cost every test the same."""
    monkeypatch.setattr(sealing, 'COST', 2)
