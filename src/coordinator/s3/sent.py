"""How many requests this process has sent to S3, repeated ones included: for traces."""

from __future__ import annotations

import collections

requests: collections.Counter[str] = collections.Counter()
"""By method."""
