"""Looks at a model. A controller that restarts meanwhile fails none of them.

Commands are never repeated: the first one may have had its effect.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import jubilant
import tenacity

_T = TypeVar('_T')
_EVERY_SECONDS = 1.0
_AWAY_SECONDS = 300.0
"""For how long a controller may be away."""
_PASSING = (jubilant.CLIError, jubilant.TaskError, TimeoutError, ValueError)
"""What a look ends with while the controller, or the agent that is asked, is away."""


def look(at: Callable[[], _T], seconds: float = _AWAY_SECONDS) -> _T:
    """Return what a look returns, which is repeated while it cannot be had."""
    patient = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(_PASSING),
        stop=tenacity.stop_after_delay(seconds),
        wait=tenacity.wait_fixed(_EVERY_SECONDS),
        reraise=True,
    )
    return patient(at)


def until(reached: Callable[[], bool], seconds: float) -> None:
    """Look again and again until something is so.

    Raises:
        TimeoutError: it did not come to that.
    """
    patient = tenacity.Retrying(
        retry=tenacity.retry_if_result(lambda so: not so)
        | tenacity.retry_if_exception_type(_PASSING),
        stop=tenacity.stop_after_delay(seconds),
        wait=tenacity.wait_fixed(_EVERY_SECONDS),
    )
    try:
        patient(reached)
    except tenacity.RetryError as error:
        raise TimeoutError(f'not so after {seconds:.0f} s') from error
