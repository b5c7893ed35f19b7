"""What must hold whatever goes wrong: watched during a run, and looked at when it has ended."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection, Iterable, Iterator

from coordinator import (
    advance,
    catalogue,
    errors,
    index,
    maas_backup,
    manifest,
    operation,
    pgbackrest,
    plans,
    status,
    verification,
)
from coordinator.steps import checks, passwords
from rehearsal import site
from tests import backup_sets, simulation
from tests.exploration import moments

_LARGEST_RECORD = 16 * 1024
_DIGITS = re.compile(r'\d+')


@dataclasses.dataclass(frozen=True)
class Before:
    """How a site was before the operation."""

    units: int
    restarts: int
    fingerprint: object
    relations: frozenset[tuple[str, ...]]
    aims: dict[str, dict[str, str]]
    storage: frozenset[str]
    secrets: frozenset[str]
    objects: frozenset[str]
    sets: dict[str, set[str]]
    """Every object of each backup set."""
    labels: frozenset[str]
    files: frozenset[str]
    newest_task: int


class Watch:
    """Notes every fault of one run in `faults`: sentences, none if all is well."""

    def __init__(self, sim: simulation.Simulation):
        self._sim = sim
        self._before = _look(sim)
        self._secrets = _secrets(sim)
        self.faults: list[str] = []
        self.meddled = False
        """Whether an operator had a hand in it: then the site may be another at the end."""
        self.added, self.removed = 0, 0
        """PostgreSQL units that the operator has added or removed."""
        self.left: set[str] = set()
        """Storage that his units leave behind: he knows of it."""

    @property
    def units(self) -> int:
        """How many PostgreSQL units there were before the operation."""
        return self._before.units

    def fault(self, sentence: str) -> None:
        self.faults.append(sentence)

    # --- During the run --------------------------------------------------------------------------

    def calling(self, call: moments.Call) -> None:
        """Look at a call with an effect just before it is made."""
        if call.method == 'run_action':
            self._action(str(call.arguments[0]), str(call.arguments[1]), call.arguments[2])
        elif call.method == 'put' and call.key.endswith('manifest.json'):
            self._published(call.arguments[1])
        elif call.method == 'delete':
            self._deleted(call.key)

    def saved(self, text: str) -> None:
        """Look at a checkpoint."""
        size = len(text.encode())
        if size >= _LARGEST_RECORD:
            self.fault(f'the record has {size} bytes')

    def _deleted(self, key: str) -> None:
        """Look whether the set whose object is about to be deleted is none any more."""
        for name, owned in self._before.sets.items():
            manifest_key = catalogue.manifest_key(name)
            if key in owned and key != manifest_key and manifest_key in _objects(self._sim):
                self.fault(f'{key} is deleted before the manifest of {name}')

    def _action(self, unit: str, action: str, parameters: dict[str, object]) -> None:
        if action not in ('create-backup', 'restore', 'restore-backup'):
            return
        application = unit.partition('/')[0]
        same = [
            task
            for task in self._sim.tasks(action, application)
            if action != 'restore-backup'
            or task.parameters.get('controller-id') == parameters.get('controller-id')
        ]
        for task in same:
            if not task.ended:
                self.fault(f'{action} on {unit} while task {task.id} on {task.unit} runs')
        if self._achieved(
            application, action, [t for t in same if t.id > self._before.newest_task]
        ):
            self.fault(f'{action} on {unit} although it has succeeded')

    def _achieved(self, application: str, action: str, tasks: list[site.model.Task]) -> bool:
        """Whether a backup or restore of this operation has succeeded: the world's word counts."""
        if self.meddled:
            # What is new may be the operator's, or he may have undone what was achieved.
            return False
        if action != 'create-backup':
            return any(task.status == 'completed' for task in tasks)
        if application == site.POSTGRESQL:
            return bool(_labels(self._sim) - self._before.labels)
        return bool(_files(self._sim) - self._before.files)

    def _published(self, content: bytes) -> None:
        """Look whether both parts of a set that is about to be published are complete."""
        try:
            found = manifest.parse(content, 'manifest')
            _assert_complete(self._sim, found)
        except errors.CoordinatorError as error:
            if not self.meddled:
                self.fault(f'published too early: {error}')

    # --- At rest ---------------------------------------------------------------------------------

    def held(self) -> None:
        """Look at an operation that waits for a person."""
        op = self._sim.op
        if not op.error or not op.current.reason:
            self.fault(f'held at {op.step} without a reason')

    def ended(self, log: Iterable[str]) -> None:
        """Look at everything once the operation has ended."""
        # What was sent and never answered has arrived by then.
        self._sim.clock.advance(60)
        told = ' '.join((self._sim.op.error, *self._sim.op.problems))
        try:
            site.settle(self._sim.model, ('active', 'blocked', 'waiting', 'error'), limit=7200)
        except TimeoutError as error:
            # What an operator has broken may stay so, and what Juju cannot end if he is told.
            if not self.meddled and not self._hangs_as_told(told):
                self.fault(str(error))
        found = (*self._of_the_site(told), *self._of_s3(told), *self._of_the_record(log))
        for sentence in found:
            self.fault(sentence)

    def _hangs_as_told(self, told: str) -> bool:
        running = [task.id for task in self._sim.model.tasks.values() if not task.ended]
        return bool(running) and all(f'task {number}' in told for number in running)

    def _of_the_site(self, told: str) -> Iterator[str]:
        sim, before, now = self._sim, self._before, _look(self._sim)
        fewest, most = before.units - self.removed, before.units + self.added
        missing = f'{before.units - now.units} unit(s) of {site.POSTGRESQL} are missing'
        had = f'{site.POSTGRESQL} had {before.units} unit(s)'
        surplus = f'{site.POSTGRESQL} has {now.units - before.units} unit(s) more'
        explained = any(words in told for words in (missing, had, surplus))
        if not fewest <= now.units <= most and not explained:
            yield f'PostgreSQL has {now.units} of {before.units} units, and nobody is told'
        restarted = now.restarts != before.restarts
        if sim.op.kind == 'backup-all' and restarted and not self.meddled:
            yield f'MAAS was restarted {now.restarts - before.restarts} times by a backup'
        for item in now.storage - before.storage - self.left:
            if item not in told:
                yield f'storage {item} is left, and nobody is told'
        running = [t for t in sim.tasks('create-backup') if not t.ended]
        if running and str(running[0].id) not in told and not self.meddled:
            yield f'task {running[0].id} still backs up'
        if not self.meddled:
            yield from self._as_it_was(now, told)

    def _as_it_was(self, now: Before, told: str) -> Iterator[str]:
        before, op = self._before, self._sim.op
        restored = op.kind == 'restore-all' and op.record('verify').state == operation.DONE
        if now.relations != before.relations and 'juju integrate' not in told:
            yield f'relations differ: {now.relations ^ before.relations}'
        wanted = {**before.aims, site.S3_POSTGRESQL: now.aims[site.S3_POSTGRESQL]}
        if now.aims != (wanted if restored else before.aims) and 'juju config' not in told:
            yield f's3-integrators are aimed at {now.aims}, before it was {before.aims}'
        for label in now.secrets - before.secrets:
            if not (restored and label in _in_use(self._sim)) and label not in told:
                yield f'secret {label} is left, and nobody is told'
        if restored and now.fingerprint != self._sim.at_backup:
            yield 'what was restored is not what was backed up'
        begun = op.facts.get('restore-maas-watermark') or op.kind == 'backup-all'
        if not restored and not begun and now.fingerprint != before.fingerprint and not told:
            yield 'the site is another than before'

    def _of_s3(self, told: str) -> Iterator[str]:
        sim, op = self._sim, self._sim.op
        new = set(_objects(sim)) - self._before.objects
        ours = {key for key in new if '/coordinator/' in f'/{key}'}
        # The probe has one key for ever: the next backup's check removes what a crash left.
        explained = {f'coordinator/operations/{op.id}.json', checks.PROBE, index.KEY}
        if plans.published(op):
            of_the_set = {
                catalogue.manifest_key(op.backup_id),
                catalogue.sealed_key(op.backup_id),
            }
            explained |= of_the_set
            for key in of_the_set - ours if not self.meddled else ():
                yield f'the backup set is published, and {key} is not there'
        if op.kind == 'verify-backup':
            verdicts = {key: found for key in ours if (found := _verdict_of_a_set(sim, key))}
            explained |= set(verdicts)
            if op.status == operation.COMPLETE and not all(v.good for v in verdicts.values()):
                yield f'complete, though sets are damaged: {sorted(verdicts)}'
        for key in (key for key in ours - explained if key not in told):
            yield f'{key} is left in S3 by an operation that {op.status}'
        if not self.meddled:
            yield from self._of_the_sets(told)

    def _of_the_sets(self, told: str) -> Iterator[str]:
        """Look at the sets that were there before: each is whole, or was to go and is gone."""
        there, listed = set(_objects(self._sim)), backup_sets.listed(self._sim)
        for name, owned in self._before.sets.items():
            if name in listed:
                yield from (f'{key} of a set that is listed is gone' for key in owned - there)
            elif name not in _may_go(self._sim.op, self._before.sets):
                yield f'backup set {name} is gone, which was to stay'
            elif owned & there and name not in told:
                yield f'of backup set {name} objects are left, and nobody is told'

    def _of_the_record(self, log: Iterable[str]) -> Iterator[str]:
        sim, op = self._sim, self._sim.op
        moved = _advanced_again(sim)
        if moved != op:
            yield f'a terminal record changed: {moved}'
        now = sim.clock.now()
        shown = status.describe(op, (), '', 'maas-backup-coordinator', now)[1]
        texts = {'the record': '\n'.join(sim.saved), 'the log': '\n'.join(log), 'status': shown}
        texts['S3'] = '\n'.join(_readable(sim))
        for where, text in texts.items():
            for name, secret in self._secrets.items():
                if secret in text:
                    yield f'{name} is in {where}'

    def end_state(self) -> tuple[object, ...]:
        """Return in which state it has ended: what differs in numbers alone is the same."""
        op = self._sim.op
        words = sorted(_DIGITS.sub('n', text)[:60] for text in op.problems)
        return (op.kind, op.status, op.step, _DIGITS.sub('n', op.error)[:60], *words)


def _advanced_again(sim: simulation.Simulation) -> operation.Operation:
    """Return what another dispatch would make of an operation that has ended."""
    return advance.advance(sim.op, plans.PLANS[sim.op.kind], sim.world)


def _look(sim: simulation.Simulation) -> Before:
    juju = sim.model
    return Before(
        units=len(sim.postgresql_units()),
        restarts=sim.site.maas_restarts,
        fingerprint=sim.site.fingerprint(),
        relations=frozenset(
            tuple(sorted(f'{app}:{end.name}' for app, end in relation.endpoints.items()))
            for relation in juju.relations.values()
        ),
        aims={
            name: {key: str(sim.world.juju.config(name)[key]) for key in ('bucket', 'path')}
            for name in (site.S3_MAAS, site.S3_POSTGRESQL)
        },
        storage=frozenset(s.id for s in sim.world.juju.storage() if not s.owner and s.alive),
        secrets=frozenset(s.label for s in juju.secrets.values() if s.owner.startswith('model-')),
        objects=frozenset(_objects(sim)),
        sets={name: _owned(sim, name) for name in backup_sets.listed(sim)},
        labels=frozenset(_labels(sim)),
        files=frozenset(_files(sim)),
        newest_task=max(juju.tasks, default=0),
    )


def _verdict_of_a_set(sim: simulation.Simulation, key: str) -> verification.Outcome | None:
    """Return what verify-backup has found out, as an object says that lies beside a manifest."""
    folder, _, name = key.rpartition('/')
    return verification.outcome(name) if f'{folder}/manifest.json' in _objects(sim) else None


def _objects(sim: simulation.Simulation) -> list[str]:
    return [item.key for item in sim.world.maas_store.list('')]


def _owned(sim: simulation.Simulation, backup_id: str) -> set[str]:
    try:
        return backup_sets.owned(sim.world.maas_store, backup_id)
    except errors.CoordinatorError:
        # An operator has damaged it.
        return set()


def _may_go(op: operation.Operation, sets: Collection[str]) -> set[str]:
    """Return the sets that an operation may delete, of those that were there before it."""
    if op.kind == 'delete-backup':
        return {op.parameters['backup-id']}
    last = op.settings.retention.last
    return set(sorted(sets)[:-last]) if last else set()


def _labels(sim: simulation.Simulation) -> set[str]:
    stanza = pgbackrest.stanza(sim.model.name, site.POSTGRESQL)
    try:
        listed = pgbackrest.backups(sim.world.postgresql_store, stanza)
    except errors.NotFound:
        return set()
    return {backup.label for backup in listed if not backup.error}


def _files(sim: simulation.Simulation) -> set[str]:
    store = sim.world.maas_store
    return {name for name in maas_backup.ids(store) if _finished(sim, name)}


def _finished(sim: simulation.Simulation, name: str) -> bool:
    try:
        maas_backup.read(sim.world.maas_store, name)
    except errors.StepError:
        return False
    return True


def _assert_complete(sim: simulation.Simulation, found: manifest.Manifest) -> None:
    """Raise what is missing of a set."""
    maas_backup.read(sim.world.maas_store, found.maas.backup_id)
    listed = pgbackrest.backups(sim.world.postgresql_store, found.postgresql.stanza)
    label = found.postgresql.label
    backup = next((b for b in listed if b.label == label and not b.error), None)
    if backup is None:
        raise errors.StepError(f'{label} is not listed')
    pgbackrest.verify(sim.world.postgresql_store, found.postgresql.stanza, backup)
    sim.world.maas_store.head(found.passwords.sealed.key)


def _in_use(sim: simulation.Simulation) -> set[str]:
    """Return the label of the secret that PostgreSQL takes its passwords from."""
    uri = str(sim.world.juju.config(site.POSTGRESQL).get(passwords.OPTION, ''))
    return {s.label for s in sim.model.secrets.values() if s.uri == uri}


def _secrets(sim: simulation.Simulation) -> dict[str, str]:
    found = {f'password {name}': value for name, value in sim.site.passwords.items() if value}
    found['the S3 key'] = site.connection('maas')['secret-key']
    found['the password of the Juju user'] = sim.user.password
    found |= sim.also_secret
    for content in sim.world.user_secrets.values():
        found |= {f'the secret {key}': value for key, value in content.items()}
    return found


def _readable(sim: simulation.Simulation) -> Iterator[str]:
    for bucket in sim.s3.buckets.values():
        for key, item in bucket.objects.items():
            if 'coordinator/' in key:
                yield item.content.decode('latin-1')
