"""What is other on a site than an inventory says."""

from __future__ import annotations

import base64
import collections
import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence

from coordinator import plain
from coordinator.sets import inventory, sealing

MISSING, ADDED, CHANGED, LACKING = 'missing', 'added', 'changed', 'lacking'
VERSION = 1
"""Of what is stored."""
_NAMED = 3
"""Things of each kind that a short text names; the others are counted."""
_LONGEST_NAME = 60


@dataclasses.dataclass(frozen=True)
class Difference:
    """One thing that is not as the inventory says."""

    what: str
    """MISSING from the site, ADDED there, or CHANGED; LACKING: MAAS has it in its database, and
    not all of it in its files."""
    kind: str
    key: str
    name: str = ''
    """'' for what is missing, unless the identity has told it."""

    def __str__(self) -> str:
        """Return it for people, as `machine node-1.maas (4y3h7n) is missing`."""
        verbs = {
            MISSING: 'is missing',
            ADDED: 'is not in the set',
            CHANGED: 'differs',
            LACKING: 'has files that not every region controller has',
        }
        return f'{self.kind} {self.title} {verbs[self.what]}'

    @property
    def title(self) -> str:
        """Its name and its key, or the one that is known."""
        name = plain.one_line(self.name, _LONGEST_NAME)
        key = plain.one_line(self.key, _LONGEST_NAME)
        known_by_key = self.kind in ('machine', 'controller')
        return f'{name} ({key})' if name and known_by_key else name or key


def between(
    known: inventory.Known,
    there: Iterable[inventory.Item],
    names: Mapping[tuple[str, str], str],
) -> list[Difference]:
    """Return what differs, ordered by kind; what there is is held no longer than needed.

    Args:
        known: the inventory of a set.
        there: what the site has.
        names: of the things in the set, as far as they are known.
    """
    rest = dict(known.things)
    found: list[Difference] = []
    for item in there:
        key = known.digests.key(item)
        digest = rest.pop((item.kind, key), None)
        if digest is None:
            found.append(Difference(ADDED, item.kind, key, item.name))
        elif digest != known.digests.of(item):
            found.append(Difference(CHANGED, item.kind, key, item.name))
        elif item.noted.get(inventory.SYNCHRONISED) is False:
            found.append(Difference(LACKING, item.kind, key, item.name))
    found += [Difference(MISSING, kind, key, names.get((kind, key), '')) for kind, key in rest]
    order = list(inventory.KINDS)
    return sorted(
        found, key=lambda d: (order.index(d.kind) if d.kind in order else len(order), d.what)
    )


def to_json(found: Sequence[Difference], recipients: Sequence[str]) -> bytes:
    """Return differences as they are stored beside a set.

    Whoever can read the bucket sees ids, as in the inventory. The names are sealed for whoever has
    an identity of one of the recipients; without recipients they are left out.
    """
    content: dict[str, object] = {
        'version': VERSION,
        'differences': [str(dataclasses.replace(each, name='')) for each in found],
    }
    if recipients:
        named = json.dumps([str(each) for each in found], indent=1).encode()
        content['sealed'] = base64.b64encode(sealing.seal_content(named, recipients)).decode()
    return json.dumps(content, indent=1).encode()


def short(found: Sequence[Difference]) -> str:
    """Return the first differences of each kind, and how many more there are; at most a few lines.

    A record is small, and so is a line of `show-operation`.
    """
    groups: dict[tuple[str, str], list[Difference]] = {}
    for each in found:
        groups.setdefault((each.kind, each.what), []).append(each)
    texts: list[str] = []
    for group in groups.values():
        shown = '; '.join(str(each) for each in group[:_NAMED])
        more = len(group) - _NAMED
        texts.append(shown + (f'; {more} more {_several(group[0].kind)}' if more > 0 else ''))
    return '; '.join(texts)


def counted(found: Sequence[Difference], what: str) -> str:
    """Return how many things of each kind, such as `3 machines and 1 image`; '' if none."""
    counts = collections.Counter(each.kind for each in found if each.what == what)
    texts = [f'{n} {kind if n == 1 else _several(kind)}' for kind, n in counts.items()]
    return ' and '.join(filter(None, (', '.join(texts[:-1]), *texts[-1:])))


def _several(kind: str) -> str:
    return inventory.KINDS.get(kind, kind)
