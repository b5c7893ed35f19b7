"""Servers that answer badly are asked again and again: without the pauses between."""

from __future__ import annotations

import pytest

from tests import stores


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    stores.repeat_at_once(monkeypatch)
