"""S3 servers that are not ours, for the tests of the contract: each where its programs are.

A server runs on a free loopback port with an empty folder, and is gone afterwards. All of them
answer to the bucket's name in the path, and in the host's name below `DOMAIN`.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Generator, Mapping, Sequence

import pytest

PROGRAMS: Mapping[str, Sequence[str]] = {
    'minio': ('minio',),
    'versitygw': ('versitygw',),
    'radosgw': ('radosgw', 'radosgw-admin', 'ceph', 'ceph-mon', 'ceph-osd', 'monmaptool'),
}
"""What must be on PATH for each of them."""
KEYS = ('contract-access-key', 'contract-secret-key')
DOMAIN = 's3.example'
_START_LIMIT = 60.0
_BETWEEN = 0.1


def need(name: str) -> None:
    """Skip the test if it is of one of these servers, which is not here."""
    missing = [one for one in PROGRAMS.get(name, ()) if shutil.which(one) is None]
    if missing:
        pytest.skip(f'{name} is not here: there is no {", ".join(missing)} on PATH')


@contextlib.contextmanager
def serving(name: str, folder: pathlib.Path) -> Generator[str]:
    """Run a server that keeps its objects in a folder; lend its endpoint."""
    port = _free_port()
    with contextlib.ExitStack() as stack:
        _STARTERS[name](stack, folder, port)
        endpoint = f'http://127.0.0.1:{port}'
        _await_answer(endpoint)
        yield endpoint


def _minio(stack: contextlib.ExitStack, folder: pathlib.Path, port: int) -> None:
    _start(
        stack,
        folder,
        ('minio', 'server', '--quiet', '--address', f'127.0.0.1:{port}', str(folder / 'objects')),
        MINIO_ROOT_USER=KEYS[0],
        MINIO_ROOT_PASSWORD=KEYS[1],
        MINIO_DOMAIN=DOMAIN,
        MINIO_BROWSER='off',
    )


def _versitygw(stack: contextlib.ExitStack, folder: pathlib.Path, port: int) -> None:
    for name in ('objects', 'versions'):
        (folder / name).mkdir()
    options = ('--port', f'127.0.0.1:{port}', '--virtual-domain', DOMAIN, '--quiet')
    versions = ('--versioning-dir', str(folder / 'versions'))
    _start(
        stack,
        folder,
        ('versitygw', *options, 'posix', *versions, str(folder / 'objects')),
        ROOT_ACCESS_KEY=KEYS[0],
        ROOT_SECRET_KEY=KEYS[1],
    )


# One process of each kind, objects in memory, nothing kept twice, nobody asked who they are.
_CEPH = """
[global]
fsid = {fsid}
mon host = v2:127.0.0.1:{mon}/0
auth cluster required = none
auth service required = none
auth client required = none
ms mon client mode = crc
ms mon service mode = crc
ms mon cluster mode = crc
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon cluster log to file = false
mon tick interval = 1
paxos propose interval = 0.05
paxos min wait = 0.01
run dir = {folder}
log file = {folder}/$name.log
admin socket = {folder}/$name.asok
pid file = {folder}/$name.pid
mon data = {folder}/mon
osd data = {folder}/osd
osd objectstore = memstore
rgw data = {folder}/rgw
rgw frontends = beast endpoint=127.0.0.1:{port}
rgw dns name = {domain}
rgw run sync thread = false
"""


def _radosgw(stack: contextlib.ExitStack, folder: pathlib.Path, port: int) -> None:
    for name in ('mon', 'osd', 'rgw'):
        (folder / name).mkdir()
    fsid, disk, mon = str(uuid.uuid4()), str(uuid.uuid4()), _free_port()
    config = folder / 'ceph.conf'
    config.write_text(_CEPH.format(fsid=fsid, mon=mon, folder=folder, port=port, domain=DOMAIN))
    given = ('-c', str(config))
    at = ('--addv', 'a', f'[v2:127.0.0.1:{mon}]', str(folder / 'monmap'))
    _run(folder, 'monmaptool', '--create', '--fsid', fsid, *at)
    _run(folder, 'ceph-mon', *given, '-i', 'a', '--mkfs', '--monmap', str(folder / 'monmap'))
    _start(stack, folder, ('ceph-mon', *given, '-i', 'a', '-f'))
    _run(folder, 'ceph', *given, '--connect-timeout', '30', 'osd', 'new', disk)
    _run(folder, 'ceph-osd', *given, '-i', '0', '--mkfs', '--osd-uuid', disk)
    _start(stack, folder, ('ceph-osd', *given, '-i', '0', '-f'))
    keys = ('--access-key', KEYS[0], '--secret-key', KEYS[1])
    who = ('--uid', 'contract', '--display-name', 'contract')
    named = (*given, '-n', 'client.rgw')
    _run(folder, 'radosgw-admin', *named, 'user', 'create', *who, *keys)
    _start(stack, folder, ('radosgw', *named, '-f'))


_STARTERS: Mapping[str, Callable[[contextlib.ExitStack, pathlib.Path, int], None]] = {
    'minio': _minio,
    'versitygw': _versitygw,
    'radosgw': _radosgw,
}


def _free_port() -> int:
    with socket.create_server(('127.0.0.1', 0)) as probe:
        return probe.getsockname()[1]


def _run(folder: pathlib.Path, *command: str) -> None:
    with (folder / 'commands.log').open('ab') as log:
        subprocess.run(command, stdout=log, stderr=log, timeout=_START_LIMIT, check=True)


def _start(
    stack: contextlib.ExitStack, folder: pathlib.Path, command: Sequence[str], **environment: str
) -> None:
    """Start a process that ends with the stack."""
    with (folder / f'{command[0]}.out').open('wb') as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, env={**os.environ, **environment}
        )
    stack.callback(process.wait)
    stack.callback(process.kill)


def _await_answer(endpoint: str) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    end = time.monotonic() + _START_LIMIT
    while True:
        try:
            opener.open(endpoint, timeout=5).close()
        except urllib.error.HTTPError as error:
            # It knows nobody who sends no keys.
            error.close()
            return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(_BETWEEN)
        else:
            return
