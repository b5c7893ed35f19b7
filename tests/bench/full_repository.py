"""An S3 server whose bucket is full: backup sets, and a backup of maas-region for each.

`python -m tests.bench.full_repository <sets> <damaged>` serves it: the manifests of so many
are damaged. The objects are put into moto directly: storing them by requests would take minutes.
"""

from __future__ import annotations

import datetime
import json
import pathlib
import sys
from collections.abc import Iterator
from typing import Any

_SOURCE = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(_SOURCE / 'src')]

from coordinator import times  # noqa: E402
from coordinator.sets import catalogue, manifest  # noqa: E402  (src comes first)
from rehearsal import s3_server  # noqa: E402
from tests import examples  # noqa: E402

BUCKET, PATH = 'bench', 'maas'
_FIRST = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
_BETWEEN = datetime.timedelta(hours=6)


class FullServer(s3_server.S3Server):
    """A server that has a number of backup sets from the start, the first ones damaged."""

    def __init__(self, sets: int, damaged: int = 0):
        super().__init__()
        self._sets, self._damaged = sets, damaged

    def _command(self) -> list[str]:
        return [sys.executable, '-m', __name__, str(self._sets), str(self._damaged)]


def objects(sets: int, damaged: int = 0) -> Iterator[tuple[str, bytes]]:
    """Yield keys, relative to the path, and contents."""
    example = examples.backup_set()
    for number in range(sets):
        backup_id = times.stamp(_FIRST + number * _BETWEEN)
        found: manifest.Manifest = example.model_copy(
            update={'backup_id': backup_id, 'started': backup_id}
        )
        content = found.to_json()
        yield catalogue.manifest_key(backup_id), content[:-1] if number < damaged else content
        yield catalogue.sealed_key(backup_id), b'sealed' * 100
        metadata = {'maas_snap_version': '3.6.1', 'success': True}
        yield f'backup/{backup_id}/backup_metadata.json', json.dumps(metadata).encode()
        yield f'backup/{backup_id}/controllers.txt', b'4y3h7n\n8kpx6c\naqd3bw\n'
        yield f'backup/{backup_id}/image-storage.tar.gz', b'images'
        yield f'backup/{backup_id}/preseeds.tar.gz', b'preseeds'


def main() -> None:
    """Fill moto, and serve."""
    import moto.backends
    import moto.core.models

    held: Any = moto.backends.get_backend('s3')[moto.core.models.DEFAULT_ACCOUNT_ID]['aws']
    held.create_bucket(BUCKET, s3_server.REGION)
    for key, content in objects(*map(int, sys.argv[1:])):
        held.put_object(BUCKET, f'{PATH}/{key}', content)
    s3_server.serve(0, guarded=True)


if __name__ == '__main__':
    main()
