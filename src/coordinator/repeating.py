"""Repeats requests to a server that fails in passing: the policy for the controller and MAAS."""

from __future__ import annotations

import logging
from collections.abc import Callable

import tenacity

_TRIES = 3


def policy(
    passing: type[Exception],
    seconds: float,
    logger: logging.Logger,
    sleep: Callable[[float], None],
) -> tenacity.Retrying:
    """Return what makes a request up to three times, and then raises the last error.

    Args:
        passing: the kind of error after which another attempt may succeed.
        seconds: after which no other attempt begins. The one that is under way may last longer.
        logger: is informed of each repetition.
        sleep: waits between two attempts.
    """
    return tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(passing),
        stop=tenacity.stop_after_attempt(_TRIES) | tenacity.stop_after_delay(seconds),
        wait=tenacity.wait_exponential(multiplier=0.5, max=5),
        before_sleep=tenacity.before_sleep_log(logger, logging.INFO),
        sleep=sleep,
        reraise=True,
    )
