"""What `make rehearse` shows: a charmed MAAS backed up, lost, and brought back."""

from __future__ import annotations

import dataclasses
import gzip
import io
import json
import pathlib
import tarfile
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from coordinator.steps.maas import proving
from rehearsal import embedded, site
from rehearsal.juju import shown
from rehearsal.real import account, programs
from rehearsal.real import story as real_story
from rehearsal.standins import behaviour

_SETTLE_SECONDS = 120.0
_END_SECONDS = 900.0
_UPLOADED = 'custom/just-uploaded/amd64'
"""An image that not every region has yet when the backup begins."""
_SYNCHRONISING_SECONDS = 12.0
_OF_THE_STORY = ('machine-of-the-story', 'custom/of-the-story')
"""A machine and an image that the backup set has."""
_AFTERWARDS = ('machine-after-the-backup', 'custom/after-the-backup')
"""A machine and an image that MAAS gets when its backup is made."""


class Failed(Exception):
    """The rehearsal did not end as it should; says how."""


@dataclasses.dataclass
class Teller:
    """Prints what happens, with the seconds since the beginning."""

    begun: float = dataclasses.field(default_factory=time.monotonic)

    def say(self, text: str) -> None:
        """Print a line with the time."""
        print(f'[{time.monotonic() - self.begun:6.1f} s] {text}', flush=True)

    def show(self, text: str) -> None:
        """Print a block, indented."""
        print('\n' + '\n'.join(f'    {line}'.rstrip() for line in text.splitlines()) + '\n')


def tell(running: embedded.Embedded, teller: Teller) -> None:
    """Deploy, fill, back up, go on, lose everything, deploy afresh, restore, compare.

    Raises:
        Failed: the set is not complete, the site did not come back, or a secret can be read.
    """
    teller.say(f'deploying charmed MAAS and the coordinator on Juju {running.layout.version}')
    running.settle(_SETTLE_SECONDS)
    if running.machines is not None:
        filled = running.call(real_story.fill, running.machines, running.site)
        teller.say(f'MAAS is filled: {filled}')
    running.call(running.site.add_machine, _OF_THE_STORY[0])
    running.call(running.site.add_image, _OF_THE_STORY[1])
    running.settle(_SETTLE_SECONDS)
    teller.show(_status(running))
    rehearses = running.layout.maas_key and running.machines is None
    if rehearses:
        teller.say(f'a throw-away model {embedded.THROWAWAY} is deployed beside the site')
        running.deploy_throwaway()
    at_backup = back_up(running, teller)
    captured = running.call(real_story.passwords, running.site)
    teller.say('MAAS changes after the backup: one more machine, one more image')
    running.call(running.site.add_machine, _AFTERWARDS[0])
    running.call(running.site.add_image, _AFTERWARDS[1])
    running.settle(_SETTLE_SECONDS)
    if running.layout.maas_key:
        compare(running, teller)
    if rehearses:
        begin_rehearsal(running, teller)
    teller.say(
        'the model is lost with all its machines; a new one is deployed with the same S3 server'
    )
    running.deploy_afresh()
    running.until(lambda: not site.unsettled(running.model, ('active', 'blocked')), 120)
    fresh = running.call(real_story.passwords, running.site)
    identity = give_identity(running)
    restore(running, teller, at_backup, identity)
    if running.machines is not None:
        real = running.machines
        check(teller, running.call(real_story.claims, real, running.site, captured, fresh))
        held = running.call(lambda: real_story.counts(running.site.database))
        teller.say(f'MAAS holds: {held}')
    if rehearses:
        end_rehearsal(running, teller)
    if running.layout.maas_key:
        lose(running, teller, identity)


def back_up(running: embedded.Embedded, teller: Teller) -> dict[str, Any]:
    """Back up and check; return what the site was."""
    restarts = running.call(lambda: running.site.maas_restarts)
    if running.layout.maas_key:
        teller.say(f'somebody uploads {_UPLOADED}: MAAS copies it to the other regions')
        running.call(upload, running)
    teller.say(f'$ juju run {embedded.APP}/leader backup-all')
    teller.show(_run(running, 'backup-all'))
    follow(running, teller)
    at_backup = running.call(lambda: running.site.fingerprint())
    teller.say(f'$ juju run {embedded.APP}/leader show-operation')
    teller.show(_run(running, 'show-operation'))
    _show_times(running, teller)
    verify(running, teller)
    teller.say(f'$ juju run {embedded.APP}/leader list-backups')
    teller.show(_run(running, 'list-backups'))
    running.settle(_SETTLE_SECONDS)
    check(teller, _claims(running, restarts))
    return at_backup


def upload(running: embedded.Embedded) -> None:
    """Upload an image that takes its time to reach every region. On the model's thread."""
    running.site.api.upload_image(_UPLOADED)
    running.model.clock.later(_SYNCHRONISING_SECONDS, running.site.api.synchronise_all)


def verify(running: embedded.Embedded, teller: Teller) -> None:
    """Have the newest set read whole."""
    words = 'backup-id=latest deep=true'
    teller.say(f'$ juju run {embedded.APP}/leader verify-backup {words}')
    teller.show(_run(running, 'verify-backup', **{'backup-id': 'latest'}, deep=True))
    follow(running, teller)


def restore(
    running: embedded.Embedded, teller: Teller, at_backup: dict[str, Any], identity: str
) -> None:
    """Restore the newest set and compare the site with what it was at the backup."""
    given = {'backup-id': 'latest', 'identity': identity}
    words = ' '.join(f'{key}={value}' for key, value in given.items())
    teller.say(f'$ juju run {embedded.APP}/leader restore-all {words}')
    teller.show(_run(running, 'restore-all', **given))
    teller.say(f'$ juju run {embedded.APP}/leader restore-all {words} confirm=true')
    teller.show(_run(running, 'restore-all', **given, confirm=True))
    follow(running, teller)
    teller.say(f'$ juju run {embedded.APP}/leader show-operation')
    teller.show(_run(running, 'show-operation'))
    _show_times(running, teller)
    running.settle(_SETTLE_SECONDS)
    teller.show(_status(running))
    check(teller, _claims_of_restore(running, at_backup))


def compare(running: embedded.Embedded, teller: Teller) -> None:
    """Show what a restore of the newest set would change of what MAAS holds now."""
    teller.say(f'$ juju run {embedded.APP}/leader show-backup backup-id=latest compare=true')
    given: dict[str, Any] = {'backup-id': 'latest', 'compare': True}
    task = running.run_action(f'{embedded.APP}/leader', 'show-backup', **given)
    changes: str = task.output.get('changes', task.message)
    teller.show(changes)

    def unnamed() -> str:
        return ', '.join(name for name in _AFTERWARDS if name not in changes)

    check(teller, [('what a restore removes is named before it', unnamed)])


def begin_rehearsal(running: embedded.Embedded, teller: Teller) -> None:
    """Begin to rehearse the restore of the newest set in the throw-away model."""
    with running.in_throwaway():
        running.until(lambda: not site.unsettled(running.model), _SETTLE_SECONDS)
        running.call(running.empty_maas)
        given = {'backup-id': 'latest', 'identity': give_identity(running), 'rehearsal': True}
        teller.say(
            f'$ juju run -m {embedded.THROWAWAY} {embedded.APP}/leader restore-all '
            f'backup-id=latest identity={given["identity"]} rehearsal=true confirm=true'
        )
        teller.show(_run(running, 'restore-all', **given, confirm=True))


def end_rehearsal(running: embedded.Embedded, teller: Teller) -> None:
    """Wait for the end of the rehearsal, and look at what it leaves."""
    teller.say(f'meanwhile, in model {embedded.THROWAWAY}:')
    with running.in_throwaway():
        follow(running, teller)
        proof, uuid = _unproven(running), running.model.uuid
    running.destroy_throwaway()
    teller.say('the throw-away model is destroyed; the repository has the result')
    teller.say(f'$ juju run {embedded.APP}/leader list-backups all-models=true')
    teller.show(_run(running, 'list-backups', **{'all-models': True}))
    check(
        teller,
        [
            ('MAAS itself proves the rehearsal', lambda: proof),
            ('the rehearsal has left its result and nothing else', lambda: _left(running, uuid)),
        ],
    )


def _left(running: embedded.Embedded, model_uuid: str) -> str:
    """Return what a throw-away model has left in the site's buckets if not one result, or ''."""
    found = [
        f'{bucket}/{item.key}'
        for bucket in embedded.BUCKETS.values()
        for item in running.store_for(running.s3.connection(bucket)).list('')
        if model_uuid in item.key
    ]
    return '' if len(found) == 1 and '/rehearsed-' in found[0] else str(found)


def lose(running: embedded.Embedded, teller: Teller, identity: str) -> None:
    """Let the restored MAAS lose a machine and the file of an image, and compare it once more."""
    machine, image = _OF_THE_STORY
    teller.say(f'machine {machine} is deleted in MAAS, and the files of {image} are lost')
    running.call(running.site.api.remove_machine, machine)
    running.call(running.site.api.remove_image_file, image)
    teller.say(f'$ juju run {embedded.APP}/leader prove-restore identity={identity}')
    teller.show(_run(running, 'prove-restore', identity=identity))
    follow(running, teller)
    error: str = running.operation()['error']
    teller.show(error)

    def lacking() -> str:
        return ', '.join(name for name in _OF_THE_STORY if name not in error)

    check(teller, [('what was lost after the restore is named', lacking)])


def give_identity(running: embedded.Embedded, name: str = 'backup-identity') -> str:
    """Put the age identity into a user secret that the coordinator may read; return its URI."""
    with running.operator() as juju:
        secret = juju.create_secret(name, {'identity': str(running.identity)})
        juju.grant_secret(secret, embedded.APP)
    return f'secret:{secret}'


def check(teller: Teller, claims: Iterable[tuple[str, Callable[[], str]]]) -> None:
    """Check claims one after the other.

    Raises:
        Failed: one is not so.
    """
    for claim, find_problem in claims:
        problem = find_problem()
        if problem:
            raise Failed(f'{claim}: {problem}')
        teller.say(f'checked: {claim}')


def follow(running: embedded.Embedded, teller: Teller) -> None:
    """Say every change of the coordinator's status until its operation has ended."""
    shown = ''

    def news() -> tuple[str, bool] | None:
        """Return what is shown, and whether it is over, once either has changed."""
        status = running.model.application_status(running.model.application(embedded.APP))
        record = json.loads(running.peers.app_data[embedded.APP]['operation'])
        over = record['status'] != 'open'
        return (status.message, over) if over or status.message != shown else None

    end = time.monotonic() + _END_SECONDS
    while time.monotonic() < end:
        found = running.until(news, _END_SECONDS)
        assert found is not None
        message, over = found
        if message != shown:
            teller.say(message)
        if over:
            return
        shown = message
    raise Failed(f'no end after {_END_SECONDS} s')


def _show_times(running: embedded.Embedded, teller: Teller) -> None:
    """Show how long each step took, beside what its own work took on real servers."""
    if running.machines is not None:
        teller.say('the time of each step, and of its own work')
        times = real_story.step_times(running.machines, running.operation())
        teller.show('\n'.join(times))


def _status(running: embedded.Embedded) -> str:
    return running.call(shown.status_text, running.model)


def _run(running: embedded.Embedded, action: str, **parameters: Any) -> str:
    task = running.run_action(f'{embedded.APP}/leader', action, **parameters)
    if task.status != 'completed':
        raise Failed(f'{action} {task.status}: {task.message}')
    return shown.results_text(task.output)


def _claims(running: embedded.Embedded, restarts: int) -> Iterator[tuple[str, Callable[[], str]]]:
    """Yield what must be so at the end, each with what says why it is not."""
    units = running.layout.postgresql_units
    yield 'one complete backup set is listed', lambda: _one_set(running)
    yield f'PostgreSQL has its {units} unit(s) again', lambda: units_back(running)
    yield 'no storage is left behind', lambda: no_storage_left(running)
    yield 'MAAS was not restarted', lambda: no_restart(running, restarts)
    yield 'no secret is readable in S3, logs, databags or results', lambda: no_secret(running)


def _claims_of_restore(
    running: embedded.Embedded, at_backup: dict[str, Any]
) -> Iterator[tuple[str, Callable[[], str]]]:
    yield (
        'everything that was added after the backup is gone',
        lambda: _written_afterwards(running),
    )
    if running.layout.maas_key:
        yield 'MAAS itself proves the restore', lambda: _unproven(running)
    for part in at_backup:
        yield f'{part} as at the backup', lambda part=part: _as_before(running, at_backup, part)
    units = running.layout.postgresql_units
    yield f'PostgreSQL has {units} unit(s)', lambda: units_back(running)
    yield 'no secret is readable in S3, logs, databags or results', lambda: no_secret(running)


def _written_afterwards(running: embedded.Embedded) -> str:
    """Return what MAAS got after the backup and still has, or ''."""
    now = json.dumps(running.call(lambda: running.site.fingerprint()))
    return ', '.join(name for name in _AFTERWARDS if name in now)


def _unproven(running: embedded.Embedded) -> str:
    """Return what the last operation says of its proof if that is none, or ''."""
    proof: str = running.operation()['facts'].get(proving.PROOF, 'nothing was compared')
    return '' if proof == proving.PROVEN else proof


def _as_before(running: embedded.Embedded, at_backup: dict[str, Any], part: str) -> str:
    now = running.call(lambda: running.site.fingerprint())
    return '' if now[part] == at_backup[part] else f'now {now[part]}, then {at_backup[part]}'


def _one_set(running: embedded.Embedded) -> str:
    task = running.run_action(f'{embedded.APP}/leader', 'list-backups', format='json')
    sets = json.loads(task.output['backups'])
    states = [entry['status'] for entry in sets]
    return '' if states == ['complete'] else f'there are {states}'


def units_back(running: embedded.Embedded) -> str:
    """Return which of PostgreSQL's units are well when some are not, or ''."""
    with running.operator() as juju:
        units = juju.status().applications[site.POSTGRESQL].units.values()
    good = [unit.name for unit in units if unit.alive and unit.workload == 'active']
    wanted = running.layout.postgresql_units
    return '' if len(good) == wanted else f'{len(good)} of {wanted}: {good}'


def no_storage_left(running: embedded.Embedded) -> str:
    """Return the storage that no unit has, or ''."""
    with running.operator() as juju:
        left = [item.id for item in juju.storage() if not item.owner]
    return ', '.join(left)


def no_restart(running: embedded.Embedded, before: int) -> str:
    """Return how often MAAS was restarted beyond this number of restarts, or ''."""
    count = running.call(lambda: running.site.maas_restarts) - before
    return f'{count} restart(s)' if count else ''


def secrets(running: embedded.Embedded) -> list[str]:
    """Return what nobody may read: passwords of PostgreSQL and of Juju users, private keys."""
    kept = running.call(lambda: list(running.model.secrets.values()))
    return [
        *(
            content['private-key']
            for secret in kept
            if 'private-key' in (content := secret.content)
        ),
        *running.call(lambda: dict(running.site.passwords)).values(),
        *running.passwords.values(),
        str(running.identity),
        # Its last part is the secret one; MAAS tells everybody the others.
        running.maas_key.rpartition(':')[2],
        running.fresh_key.rpartition(':')[2],
    ]


def no_secret(running: embedded.Embedded, former: Iterable[str] = ()) -> str:
    """Return where a secret, or a former one, can be read, or ''. Archives are opened for it."""
    words = [word.encode() for word in (*secrets(running), *former)]
    found = [
        name for name, content in _readable(running) if any(word in content for word in words)
    ]
    return ', '.join(found)


def _readable(running: embedded.Embedded) -> Iterator[tuple[str, bytes]]:
    for bucket in embedded.BUCKETS.values():
        store = running.store_for(running.s3.connection(bucket))
        for item in store.list(''):
            yield from _opened(f'{bucket}/{item.key}', store.get(item.key, limit=1 << 26))
    for log in sorted(running.root.glob('*/logs/*')):
        yield str(log), log.read_bytes()
    yield 'databags', running.call(lambda: _databags(running)).encode()
    yield 'results', running.call(lambda: _results(running)).encode()


def _databags(running: embedded.Embedded) -> str:
    # The stand-ins keep their own state in their peer databags; the charms they stand for do not.
    relations = [
        relation
        for relation in running.model.relations.values()
        if not relation.peer or embedded.APP in relation.endpoints
    ]
    return json.dumps([[relation.app_data, relation.unit_data] for relation in relations])


def _results(running: embedded.Embedded) -> str:
    tasks = running.model.tasks.values()
    return json.dumps([[task.message, task.output] for task in tasks], default=str)


def _opened(name: str, content: bytes) -> Iterable[tuple[str, bytes]]:
    yield name, content
    if name.endswith('.tar.gz'):
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            for member in archive:
                file = archive.extractfile(member)
                if file is not None:
                    yield f'{name}:{member.name}', file.read()
    elif name.endswith('.gz'):
        yield f'{name}:', gzip.decompress(content)


def _quick_maas() -> behaviour.MaasBehaviour:
    """Return durations for somebody who watches: what takes minutes on a site takes a second."""
    return behaviour.MaasBehaviour(install=0.3, initialise=0.5, backup=2.0, restore=2.0)


def _quick_postgresql() -> behaviour.PostgresqlBehaviour:
    return behaviour.PostgresqlBehaviour(
        install=0.3, join=1.0, remove=0.5, stanza=0.3, backup=2.0, restore=2.0
    )


def _real_postgresql() -> behaviour.PostgresqlBehaviour:
    """Return no durations: what is real takes its own time."""
    return behaviour.PostgresqlBehaviour(
        install=0.0, join=0.0, remove=0.0, failover=0.0, stanza=0.0, backup=0.0, restore=0.0
    )


def rehearse(root: pathlib.Path, layout: embedded.Layout) -> int:
    """Tell the whole story; return the exit code."""
    teller = Teller()
    try:
        quick = _real_postgresql() if layout.real_postgresql else _quick_postgresql()
        with embedded.Embedded(root, layout, _quick_maas(), quick) as running:
            running.model.idle_after = 1.0
            tell(running, teller)
    except (programs.Missing, account.NoPlace) as error:
        teller.say(f'FAILED: {error}')
        return 1
    except (Failed, TimeoutError) as error:
        teller.say(f'FAILED: {error}')
        teller.say(f'logs are in {root}')
        return 1
    teller.say('the restored site is the same as at the backup')
    return 0
