"""Numbers as people read them."""

from __future__ import annotations


def size(count: int) -> str:
    """Return a number of bytes as maas-region's list does: binary units, one decimal."""
    value, units = float(count), ['B', 'KiB', 'MiB', 'GiB', 'TiB']
    while value >= 1024 and len(units) > 1:
        value /= 1024
        units.pop(0)
    return f'{value:.1f} {units[0]}' if units[0] != 'B' else f'{count} B'
