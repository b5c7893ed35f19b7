"""How many rows of moves are drawn: few in `make test`, many in `make explore`."""

from __future__ import annotations

import hypothesis

_SHARED = {'deadline': None, 'suppress_health_check': list(hypothesis.HealthCheck)}
# Where CI is set, hypothesis takes a profile of its own.
for _name in ('default', 'ci'):
    hypothesis.settings.register_profile(_name, max_examples=40, derandomize=True, **_SHARED)  # type: ignore[arg-type]
hypothesis.settings.register_profile('explore', max_examples=200, **_SHARED)  # type: ignore[arg-type]
