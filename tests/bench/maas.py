"""What the fence and the inventory of MAAS cost at 200, 2,000 and 20,000 machines.

MAAS is served in a process of its own, and asked in another one, whose time and peak memory
count. A machine is as large as in the examples of MAAS' own documentation; the time that MAAS
needs to render it comes on top.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import pathlib
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence

from coordinator import times
from coordinator.maas_api import client, login
from coordinator.ports import maas_port
from coordinator.sets import images, inventory
from rehearsal import records
from rehearsal.maas import server, wire
from tests import examples
from tests.bench import figures

_ROOT = pathlib.Path(__file__).resolve().parents[2]
COUNTS = (200, 2_000, 20_000)
_IMAGES = 60
_MACHINE_BYTES = 18_000
"""Of one machine as JSON: the examples in canonical/maas, `src/maasserver/api/examples/`, have up
to 18 KB."""
_KEY = 'consumer:token:secret'
_RUNS = 3
_MIB = 1024.0


def measure(counts: Sequence[int] = COUNTS) -> Iterator[str | figures.Figure]:
    """Ask sites of these sizes, and yield what to print."""
    yield f'fence ({_IMAGES} images) and inventory of MAAS; load {os.getloadavg()[0]:.2f}'
    for count in counts:
        with _served(count) as url:
            fence = [_measured('fence', url) for _ in range(_RUNS)]
            taken = [_measured('inventory', url) for _ in range(_RUNS)]
        largest = count == counts[-1]
        of = f'{count:,} machines'
        seconds = [each['seconds'] for each in fence]
        yield figures.Figure(f'one look of the fence, {of}', 's', seconds, 'under 3 s')
        seconds = [each['seconds'] for each in taken]
        yield figures.Figure(f'inventory, {of}', 's', seconds, 'under 30 s' if largest else '')
        memory = [each['mebibytes'] for each in taken]
        aim = 'under 150 MiB' if largest else ''
        yield figures.Figure(f'inventory, {of}: peak memory', 'MiB', memory, aim, digits=0)


class FullMaas(server.MaasServer):
    """A MAAS with this number of machines."""

    def __init__(self, count: int):
        known = _known(count)
        super().__init__(lambda: known)
        self._machines = _machines(count)

    def _answer(self, target: str, authorization: str) -> server.Answer | None:
        if target == f'{wire.ROOT}machines/':
            return server.Answer(200, self._machines, 'application/json; charset=utf-8')
        return super()._answer(target, authorization)


def _known(count: int) -> records.Records:
    """Return what a site of this size has beside its machines."""
    file = maas_port.BootFile('squashfs', 'f' * 64, 1 << 28, 'f' * 7, True)
    return records.Records(
        version='3.6.1',
        controllers=tuple(
            maas_port.Controller(f'reg{n:03d}', f'region-{n}', '3.6.1') for n in range(3)
        ),
        resources=tuple(
            records.image(n + 1, f'custom/image-{n}/amd64', file) for n in range(_IMAGES)
        ),
        fabrics=records.fabrics([f'fabric-{n}' for n in range(count // 40)]),
        subnets=tuple(
            maas_port.Subnet(
                n, f'subnet-{n}', f'10.{n // 256}.{n % 256}.0/24', records.vlan_of(n), ''
            )
            for n in range(count // 40)
        ),
        users=(maas_port.User(records.ADMIN, True),),
        tags=tuple(maas_port.Tag(f'tag-{n}', '', '') for n in range(50)),
        pools=(maas_port.Pool(0, records.POOL),),
        settings={name: name for name in maas_port.SETTINGS},
        keys={records.digest(_KEY): records.ADMIN},
    )


def _machines(count: int) -> bytes:
    """Return the list of machines as MAAS renders it; each is the same but for its names."""
    machine = wire.machine(
        records.machine('HOSTNAME', system_id='SYSTEM', tags=['tag-1', 'tag-2'])
    )
    # Disks, interfaces and what was found out about the hardware.
    disk = {'id': 1, 'name': 'sda', 'model': 'QEMU HARDDISK', 'partitions': [], 'tags': ['ssd']}
    lacks = _MACHINE_BYTES - len(json.dumps(machine, indent=4))
    each = len(json.dumps([disk], indent=4))
    machine['blockdevice_set'] = [{**disk, 'id': number} for number in range(lacks // each)]
    shape = json.dumps(machine, indent=4)
    return b'[%s]' % b',\n'.join(
        shape.replace('HOSTNAME', f'machine-{n:06d}').replace('SYSTEM', f'{n:06x}').encode()
        for n in range(count)
    )


# --- In processes of their own ---------------------------------------------------------------


@contextlib.contextmanager
def _served(count: int) -> Generator[str]:
    process = subprocess.Popen(
        [sys.executable, '-m', 'tests.bench.maas', 'serve', str(count)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=_ROOT,
        env=_environment(),
    )
    assert process.stdout is not None
    with process:
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


def _measured(what: str, url: str) -> Mapping[str, float]:
    words = [sys.executable, '-m', 'tests.bench.maas', what, url]
    done = subprocess.run(words, stdout=subprocess.PIPE, check=True, cwd=_ROOT, env=_environment())
    return json.loads(done.stdout)


def _environment() -> dict[str, str]:
    return os.environ | {'PYTHONPATH': f'{_ROOT / "src"}{os.pathsep}{_ROOT}'}


def _fence(maas: maas_port.Maas) -> None:
    reading = images.Reading.of(maas.boot_resources())
    assert len(reading.images) == _IMAGES


def _inventory(maas: maas_port.Maas) -> None:
    now = times.stamp(datetime.datetime.now(datetime.UTC))
    writer = inventory.Writer(now, now)
    for item in inventory.items(maas):
        writer.add(item)
    writer.content((examples.RECIPIENT,))


_ASKED: Mapping[str, Callable[[maas_port.Maas], None]] = {'fence': _fence, 'inventory': _inventory}


def main(words: Sequence[str]) -> None:
    """Serve, or ask and print what it took."""
    if words[0] == 'serve':
        with FullMaas(int(words[1])) as full:
            print(full.url, flush=True)
            sys.stdin.read()
        return
    where = login.endpoint({'api-key': _KEY, 'endpoint': words[1]})
    begun = time.monotonic()
    with client.MaasApi(where) as maas:
        _ASKED[words[0]](maas)
    seconds = time.monotonic() - begun
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _MIB
    print(json.dumps({'seconds': seconds, 'mebibytes': peak}))


if __name__ == '__main__':
    main(sys.argv[1:])
