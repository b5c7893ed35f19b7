"""The process that reads a backup set whole: a real one, with a real S3 server."""

from __future__ import annotations

import fcntl
import os
import pathlib
import socket
from collections.abc import Iterator

import pytest

from coordinator import errors, ports
from coordinator.integrity import reader
from coordinator.s3 import object_store
from coordinator.sets import catalogue, manifest
from rehearsal import s3_server
from tests import backup_sets, simulation, stores

NAME = 'operation set'


@pytest.fixture(scope='module')
def sim() -> simulation.Simulation:
    """A site that was backed up."""
    done = simulation.Simulation(regions=1, postgresql_units=1)
    done.run()
    return done


@pytest.fixture
def found(sim: simulation.Simulation) -> manifest.Manifest:
    return catalogue.opened(sim.world.maas_store, backup_sets.made(sim))


@pytest.fixture(scope='module')
def server() -> Iterator[s3_server.S3Server]:
    with s3_server.S3Server() as running:
        for bucket in ('maas', 'postgresql'):
            running.create_bucket(bucket)
        yield running


@pytest.fixture
def maas(server: s3_server.S3Server, sim: simulation.Simulation) -> Iterator[object_store.S3Store]:
    with stores.opened(server.connection('maas')) as store:
        copy(sim.world.maas_store, store)
        yield store


@pytest.fixture
def postgresql(
    server: s3_server.S3Server, sim: simulation.Simulation
) -> Iterator[object_store.S3Store]:
    with stores.opened(server.connection('postgresql')) as store:
        copy(sim.world.postgresql_store, store)
        yield store


def copy(source: ports.ObjectStore, target: ports.ObjectStore) -> None:
    for item in source.list(''):
        target.put(item.key, source.get(item.key, limit=1 << 30))


@pytest.fixture
def silent() -> Iterator[object_store.S3Store]:
    """A store whose server takes connections and never answers."""
    with socket.create_server(('127.0.0.1', 0)) as listening:
        port = listening.getsockname()[1]
        with stores.opened({'endpoint': f'http://127.0.0.1:{port}'}) as store:
            yield store


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / 'reading'


@pytest.fixture
def reading(folder: pathlib.Path) -> Iterator[reader.Reader]:
    made = reader.Reader(folder)
    yield made
    made.stop()
    until_it_is_gone(folder)


def until_it_is_gone(folder: pathlib.Path) -> None:
    """Wait for the process, which holds a lock as long as it lives."""
    if (folder / reader.LOCK).exists():
        with (folder / reader.LOCK).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH)


def process(folder: pathlib.Path) -> pathlib.Path:
    return pathlib.Path('/proc', (folder / reader.LOCK).read_text())


def test_a_set_is_read_whole_by_a_process_of_its_own(
    reading: reader.Reader,
    folder: pathlib.Path,
    found: manifest.Manifest,
    maas: object_store.S3Store,
    postgresql: object_store.S3Store,
):
    assert reading.look(NAME) is None
    reading.start(NAME, found.to_json().decode(), maas, maas, postgresql)
    until_it_is_gone(folder)
    seen = reading.look(NAME)
    assert seen is not None
    assert (seen.running, seen.ended, seen.error, seen.findings) == (False, True, '', ())
    assert seen.done == seen.total == seen.read > 1000
    assert reading.look('another') is None


def test_what_is_damaged_is_named(
    reading: reader.Reader,
    folder: pathlib.Path,
    found: manifest.Manifest,
    maas: object_store.S3Store,
    postgresql: object_store.S3Store,
):
    damaged = found.maas.objects[0]
    maas.put(damaged.key, b'!' * damaged.size)
    reading.start(NAME, found.to_json().decode(), maas, maas, postgresql)
    until_it_is_gone(folder)
    seen = reading.look(NAME)
    assert seen is not None
    assert (seen.ended, seen.damaged) == (True, 1)
    assert all(finding.startswith(damaged.key) for finding in seen.findings)


def test_one_that_was_killed_is_gone_on_from(
    reading: reader.Reader,
    folder: pathlib.Path,
    found: manifest.Manifest,
    maas: object_store.S3Store,
    postgresql: object_store.S3Store,
):
    reading.start(NAME, found.to_json().decode(), maas, maas, postgresql)
    until_it_is_gone(folder)
    first = reading.look(NAME)
    assert first is not None
    # What was read need not be there any more.
    maas.delete(found.maas.objects[-1].key)
    reading.start(NAME, found.to_json().decode(), maas, maas, postgresql, first.tally)
    until_it_is_gone(folder)
    second = reading.look(NAME)
    assert second is not None
    assert (second.ended, second.read, second.tally) == (True, first.read, first.tally)


def test_a_server_that_is_gone_is_told(
    reading: reader.Reader,
    folder: pathlib.Path,
    found: manifest.Manifest,
    maas: object_store.S3Store,
):
    with socket.create_server(('127.0.0.1', 0)) as listening:
        port = listening.getsockname()[1]
    with stores.opened({'endpoint': f'http://127.0.0.1:{port}'}) as gone:
        reading.start(NAME, found.to_json().decode(), maas, maas, gone)
    until_it_is_gone(folder)
    seen = reading.look(NAME)
    assert seen is not None
    assert (seen.running, seen.ended) == (False, False)
    assert str(port) in seen.error


def test_one_reads_at_a_time_and_can_be_stopped(
    reading: reader.Reader,
    folder: pathlib.Path,
    found: manifest.Manifest,
    silent: object_store.S3Store,
):
    reading.start(NAME, found.to_json().decode(), silent, silent, silent)
    first = process(folder)
    reading.start(NAME, found.to_json().decode(), silent, silent, silent)
    assert process(folder) == first
    assert first.exists()
    reading.stop()
    until_it_is_gone(folder)
    assert not (first / 'exe').exists()


def test_a_reading_of_another_name_has_to_end_first(
    reading: reader.Reader,
    folder: pathlib.Path,
    found: manifest.Manifest,
    silent: object_store.S3Store,
):
    nowhere = (silent, silent, silent)
    reading.start('an operation that was ended by force', found.to_json().decode(), *nowhere)
    with pytest.raises(errors.TransientError, match='another backup set is ending'):
        reading.start(NAME, found.to_json().decode(), *nowhere)
    until_it_is_gone(folder)
    reading.start(NAME, found.to_json().decode(), *nowhere)
    assert reading.look(NAME) is not None


def test_one_that_cannot_leave_its_first_note_has_not_started(
    reading: reader.Reader,
    folder: pathlib.Path,
    found: manifest.Manifest,
    silent: object_store.S3Store,
):
    (folder / f'{reader.NOTE}.new').mkdir(parents=True)
    with pytest.raises(errors.TransientError, match='did not start: it ended immediately'):
        reading.start(NAME, found.to_json().decode(), silent, silent, silent)
    until_it_is_gone(folder)
    assert reading.look(NAME) is None


def test_keys_are_in_no_argument_no_environment_and_no_file(
    reading: reader.Reader,
    folder: pathlib.Path,
    found: manifest.Manifest,
    silent: object_store.S3Store,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setenv('JUJU_CHARM_HTTP_PROXY', 'http://user:pass@proxy')
    reading.start(NAME, found.to_json().decode(), silent, silent, silent)
    seen = [process(folder) / 'cmdline', process(folder) / 'environ', *folder.iterdir()]
    text = b''.join(path.read_bytes() for path in seen).decode()
    assert not [key for key in (*stores.KEYS.values(), 'pass@proxy') if key in text]
    assert all(path.stat().st_mode & 0o077 == 0 for path in (folder, *folder.iterdir()))


def test_it_ends_with_its_folder(
    reading: reader.Reader,
    folder: pathlib.Path,
    found: manifest.Manifest,
    silent: object_store.S3Store,
):
    reading.start(NAME, found.to_json().decode(), silent, silent, silent)
    with (folder / reader.LOCK).open() as lock:
        for path in folder.iterdir():
            path.unlink()
        os.rmdir(folder)
        fcntl.flock(lock, fcntl.LOCK_SH)
