"""The guarantees that must hold after any fault: checked during a run and at its end."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from coordinator.engine import advance, operation
from coordinator.operations import plans
from coordinator.record import history
from coordinator.report import status
from coordinator.sets import catalogue, index, manifest, marks, rehearsal, verification
from coordinator.steps.backup_set import chosen_set
from coordinator.steps.checks import before_backup
from coordinator.steps.maas import fence, inventories, proving
from rehearsal import site
from rehearsal.standins import system_users
from tests import backup_sets, restores, simulation
from tests.exploration import moments, publishing, scene

_LARGEST_RECORD = 16 * 1024
_DIGITS = re.compile(r'\d+')


class Watch:
    """Records every violation of one run in `faults`, as sentences."""

    def __init__(self, sim: simulation.Simulation):
        self._sim = sim
        self._before = scene.look(sim)
        self._secrets = _secrets(sim)
        self._repository = restores.contents(sim) if sim.op.rehearses else {}
        self.faults: list[str] = []
        self.meddled = False
        """Whether an operator has changed the site, so that it may differ at the end."""
        self.added, self.removed = 0, 0
        """PostgreSQL units that the operator has added or removed."""
        self._proven = False
        """Whether the record says that MAAS holds what the set does."""
        self._accepted = False
        """Whether a restore has accepted a set."""
        self.left: set[str] = set()
        """Storage that the operator's units leave behind, which the operator knows."""

    @property
    def units(self) -> int:
        """How many PostgreSQL units there were before the operation."""
        return self._before.units

    def fault(self, sentence: str) -> None:
        self.faults.append(sentence)

    # --- During the run --------------------------------------------------------------------------

    def calling(self, call: moments.Call) -> None:
        """Check a call with an effect just before it is made."""
        if call.method == 'run_action':
            self._action(str(call.arguments[0]), str(call.arguments[1]), call.arguments[2])
        elif call.method == 'put' and call.key.endswith('manifest.json'):
            self._published(call.arguments[1])
        elif call.method == 'delete':
            self._deleted(call.key)
        if self._sim.op.rehearses and call.method in ('put', 'delete'):
            self._rehearsal_writes(call)
        elif call.method == 'remove_storage':
            self._removes_storage(call.arguments[0])

    def _rehearsal_writes(self, call: moments.Call) -> None:
        """Check a request that changes S3: a rehearsal may only write its result."""
        name = call.key.rpartition('/')[2]
        if call.method == 'delete' or rehearsal.outcome(name) is None:
            self.fault(f'a rehearsal makes a {call.method} of {call.key}')

    def saved(self, text: str) -> None:
        """Check a record at a checkpoint."""
        size = len(text.encode())
        if size >= _LARGEST_RECORD:
            self.fault(f'the record has {size} bytes')
        if not self._proven and self._sim.op.fact(proving.PROOF) == proving.PROVEN:
            self._proven = True
            if self._sim.site.database['machines'] != _machines(self._sim.at_backup):
                self.fault('proven, although MAAS holds other things than at the backup')

        if not self._accepted and self._sim.op.fact(chosen_set.BACKUP_SET):
            self._accepted = True
            for sentence in publishing.not_vouched(self._sim):
                self.fault(sentence)

    def _deleted(self, key: str) -> None:
        """Check that the set whose object is about to be deleted no longer has a manifest."""
        for name, owned in self._before.sets.items():
            manifest_key = catalogue.manifest_key(name)
            if key in owned and key != manifest_key and manifest_key in scene.objects(self._sim):
                self.fault(f'{key} is deleted before the manifest of {name}')

    def _removes_storage(self, ids: Iterable[str]) -> None:
        """Check that a backup has the data of which removed storage may be the last copy."""
        for item in self._before.storage & set(ids):
            self.fault(f'storage {item} is removed, which was there before')
        op = self._sim.op
        restored = op.kind == 'restore-all' and not op.undoing
        if not restored and not self.meddled and not scene.labels(self._sim) - self._before.labels:
            self.fault(f'storage {ids} is removed, though there is no new backup')

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
        """Whether a backup or restore of this operation has succeeded, judged by S3."""
        if self.meddled:
            # New objects may be the operator's, or the operator may have reversed a success.
            return False
        if action != 'create-backup':
            return any(task.status == 'completed' for task in tasks)
        if application == site.POSTGRESQL:
            return bool(scene.labels(self._sim) - self._before.labels)
        if self._sim.neighbour and not any(task.status == 'completed' for task in tasks):
            # If another model uses the repository, only the task's results prove whose backup it
            # is.
            return False
        return bool(scene.files(self._sim) - self._before.files)

    def _published(self, content: bytes) -> None:
        for sentence in publishing.wrong(self._sim, self._before, content):
            # An operator may have damaged a complete backup, or made the newest one.
            if not self.meddled or 'password' in sentence or 'image' in sentence:
                self.fault(sentence)

    # --- At rest ---------------------------------------------------------------------------------

    def undisturbed(self) -> None:
        """Check an operation that nothing has disturbed."""
        op = self._sim.op
        if self._sim.to_be_refused:
            return
        if op.rehearses and len(self._results()) != 1:
            self.fault(f'the results of the rehearsal are {self._results()}')
        if (op.status, op.problems) != (operation.COMPLETE, ()):
            self.fault(f'{op.status}, though nothing went wrong: {op.error} {op.problems}')
        if not self._sim.world.maas_key:
            return
        judged, taken = fence.judged(op), inventories.taken(op)
        if judged is not None and judged.state != manifest.SYNCHRONISED:
            self.fault(f'the images are {judged.state}, though nothing went wrong: {judged.why}')
        if taken is not None and taken.stored is None:
            self.fault(f'there is no inventory, though nothing went wrong: {taken.why}')
        if op.fact(proving.PROOF) not in ('', proving.PROVEN):
            self.fault(f'{op.fact(proving.PROOF)}, though nothing went wrong')

    def held(self) -> None:
        """Check a held operation."""
        op = self._sim.op
        if not op.error or not op.current.reason:
            self.fault(f'held at {op.step} without a reason')

    def ended(self, log: Iterable[str]) -> None:
        """Check everything once the operation has ended."""
        # By then every unanswered request has arrived.
        self._sim.clock.advance(60)
        told = ' '.join((self._sim.op.error, *self._sim.op.problems))
        try:
            site.settle(self._sim.model, ('active', 'blocked', 'waiting', 'error'), limit=7200)
        except TimeoutError as error:
            # Faults that an operator caused may remain, and so may tasks that Juju cannot end, if
            # the operation reports them.
            if not self.meddled and not self._hangs_as_told(told):
                self.fault(str(error))
        neighbour = self._sim.neighbour
        while neighbour and neighbour.op.open:
            self._sim.clock.advance(60)
        found = (
            *self._of_the_site(told),
            *self._of_s3(told),
            *self._of_the_record(log),
            *self._of_the_repository(),
        )
        for sentence in found:
            self.fault(sentence)

    def _hangs_as_told(self, told: str) -> bool:
        running = [task.id for task in self._sim.model.tasks.values() if not task.ended]
        return bool(running) and all(f'task {number}' in told for number in running)

    def _of_the_site(self, told: str) -> Iterator[str]:
        sim, before, now = self._sim, self._before, scene.look(self._sim)
        fewest, most = before.units - self.removed, before.units + self.added
        missing = f'{site.POSTGRESQL} has {now.units} of {before.units} units'
        had = f'{site.POSTGRESQL} had {before.units} unit(s)'
        surplus = f'{site.POSTGRESQL} has {now.units - before.units} unit(s) more'
        explained = any(words in told for words in (missing, had, surplus))
        if not fewest <= now.units <= most and not explained:
            yield f'PostgreSQL has {now.units} of {before.units} units, and nothing reports it'
        restarted = now.restarts != before.restarts
        if sim.op.kind == 'backup-all' and restarted and not self.meddled:
            yield f'MAAS was restarted {now.restarts - before.restarts} times by a backup'
        for machine in now.crowded - before.crowded:
            yield f'two PostgreSQL units are on machine {machine}'
        for item in () if self.meddled else before.storage - now.storage:
            yield f'storage {item} is gone, which was there before'
        for item in now.storage - before.storage - self.left:
            if item not in told:
                yield f'storage {item} is left, and nothing reports it'
        running = [t for t in sim.tasks('create-backup') if not t.ended]
        if running and str(running[0].id) not in told and not self.meddled:
            yield f'task {running[0].id} still backs up'
        if not self.meddled:
            yield from self._as_it_was(now, told)

    def _as_it_was(self, now: scene.Scene, told: str) -> Iterator[str]:
        before, op = self._before, self._sim.op
        restored = op.kind == 'restore-all' and op.entry('verify').state == operation.DONE
        if now.relations != before.relations and 'juju integrate' not in told:
            yield f'relations differ: {now.relations ^ before.relations}'
        wanted = {**before.aims, site.S3_POSTGRESQL: now.aims[site.S3_POSTGRESQL]}
        if now.aims != (wanted if restored else before.aims) and 'juju config' not in told:
            yield f's3-integrators are aimed at {now.aims}, before it was {before.aims}'
        for label in now.secrets - before.secrets:
            if not (restored and label == scene.in_use(self._sim)) and label not in told:
                yield f'secret {label} is left, and nothing reports it'
        yield from self._system_users(now, restored, told)
        if restored and now.fingerprint != self._sim.at_backup:
            yield 'what was restored is not what was backed up'
        begun = op.facts.get('restore-maas-watermark') or op.kind == 'backup-all'
        if not restored and not begun and now.fingerprint != before.fingerprint and not told:
            yield 'the site is another than before'

    def _system_users(self, now: scene.Scene, restored: bool, told: str) -> Iterator[str]:
        option = system_users.OPTION
        if now.system_users != self._before.system_users and not restored and option not in told:
            yield f'{option} is {now.system_users!r}, it was {self._before.system_users!r}'
        if now.system_users and not scene.in_use(self._sim):
            yield f'{option} names {now.system_users}, which is there no more'

    def _of_s3(self, told: str) -> Iterator[str]:
        sim, op = self._sim, self._sim.op
        new = set(scene.objects(sim)) - self._before.objects
        ours = {key for key in new if '/coordinator/' in f'/{key}'}
        # The probe has one key for ever: the next backup's check removes what a crash left.
        explained = {history.key(op.id, sim.model.uuid), before_backup.PROBE, index.KEY}
        if sim.neighbour:
            sims = (sim.neighbour,) if self.meddled else (sim, sim.neighbour)
            yield from publishing.of_two(sims, sim.neighbour)
            ours = {key for key in ours if not _is_the_neighbours(key, sim.neighbour)}
        if plans.published(op):
            of_the_set = {
                catalogue.manifest_key(op.backup_id),
                catalogue.sealed_key(op.backup_id),
            }
            path = catalogue.folder(op.backup_id)
            claims = {key for key in ours if marks.is_claim(key.removeprefix(path))}
            told_by_maas = {
                *catalogue.images_keys(op.backup_id),
                catalogue.inventory_key(op.backup_id),
            }
            explained |= of_the_set | claims | told_by_maas
            for key in of_the_set - ours if not self.meddled else ():
                yield f'the backup set is published, and {key} is not there'
        # What proves a set beside it: it says what was so, however the operation ends.
        proof = marks.proof_name(sim.model.uuid, op.id)
        explained |= {key for key in ours if key.rpartition('/')[2] == proof}
        if op.kind == 'verify-backup':
            verdicts = {key: found for key in ours if (found := _verdict_of_a_set(sim, key))}
            explained |= set(verdicts)
            explained |= {catalogue.addendum_key(name) for name in self._before.sets}
            if op.status == operation.COMPLETE and not all(v.good for v in verdicts.values()):
                yield f'complete, though sets are damaged: {sorted(verdicts)}'
        if op.rehearses:
            # Looked at above all with the other buckets of the site.
            explained |= {key for key in ours if rehearsal.outcome(key.rpartition('/')[2])}
        for key in (key for key in ours - explained if key not in told):
            yield f'{key} is left in S3 by an operation that {op.status}'
        if not self.meddled:
            yield from self._of_the_sets(told)

    def _results(self) -> list[str]:
        """Return the results of rehearsals that are new where the set lies."""
        new = restores.contents(self._sim).keys() - self._repository.keys()
        return sorted(key for key in new if rehearsal.outcome(key.rpartition('/')[2]))

    def _of_the_repository(self) -> Iterator[str]:
        """Look at what a rehearsal has left in the buckets of another site: its result."""
        op, now = self._sim.op, restores.contents(self._sim)
        if self._sim.to_be_refused:
            begun = [entry.name for entry in op.steps[1:] if entry.begun]
            if op.status == operation.COMPLETE or begun:
                yield f'what must be refused is {op.status}, after {begun}'
        if not op.rehearses:
            return
        for key, item in self._repository.items():
            if now.get(key) != item:
                yield f'{key} of the site was changed or deleted by a rehearsal'
        others = now.keys() - self._repository.keys() - set(self._results())
        if others:
            yield f'a rehearsal has left {sorted(others)} in the buckets of the site'
        if len(self._results()) > 1:
            yield f'a rehearsal has left several results: {self._results()}'

    def _of_the_sets(self, told: str) -> Iterator[str]:
        """Check the earlier sets: each is complete, or was to be deleted and is deleted."""
        there, listed = set(scene.objects(self._sim)), backup_sets.listed(self._sim)
        for name, owned in self._before.sets.items():
            if name in listed:
                yield from (f'{key} of a set that is listed is gone' for key in owned - there)
            elif name not in _may_go(self._sim.op, self._before.sets):
                yield f'backup set {name} is gone, which was to stay'
            elif owned & there and name not in told:
                yield f'of backup set {name} objects are left, and nothing reports it'

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
            if any(private in text for private in sim.world.signing.drawn):
                yield f'a private key is in {where}'

    def end_state(self) -> tuple[object, ...]:
        """Return the state at the end; states that differ only in numbers are equal."""
        op = self._sim.op
        words = sorted(_DIGITS.sub('n', text)[:60] for text in op.problems)
        return (op.kind, op.status, op.step, _DIGITS.sub('n', op.error)[:60], *words)


def _advanced_again(sim: simulation.Simulation) -> operation.Operation:
    """Return what another dispatch would make of an operation that has ended."""
    return advance.advance(sim.op, sim.plan, sim.world)


def _machines(fingerprint: Any) -> list[str]:
    """Return the machines that a site had at a backup."""
    return fingerprint['database']['machines']


def _verdict_of_a_set(sim: simulation.Simulation, key: str) -> verification.Result | None:
    """Return the result of verify-backup in an object beside a manifest."""
    folder, _, name = key.rpartition('/')
    return verification.outcome(name) if f'{folder}/manifest.json' in scene.objects(sim) else None


def _is_the_neighbours(key: str, neighbour: simulation.Simulation) -> bool:
    return neighbour.model.uuid in key or key.startswith(catalogue.folder(neighbour.op.backup_id))


def _may_go(op: operation.Operation, sets: Collection[str]) -> set[str]:
    """Return the sets that an operation may delete, of those that were there before it."""
    if op.kind == 'delete-backup':
        return {op.parameters['backup-id']}
    last = op.settings.retention.last
    return set(sorted(sets)[:-last]) if last else set()


def _secrets(sim: simulation.Simulation) -> dict[str, str]:
    found = {f'password {name}': value for name, value in sim.site.passwords.items() if value}
    found['the S3 key'] = site.connection('maas')['secret-key']
    found['the password of the Juju user'] = sim.user.password
    if sim.world.maas_key:
        found['the API key of MAAS'] = sim.world.maas_key.rpartition(':')[2]
    found |= sim.also_secret
    for content in sim.world.user_secrets.values():
        found |= {f'the secret {key}': value for key, value in content.items()}
    return found


def _readable(sim: simulation.Simulation) -> Iterator[str]:
    for bucket in sim.s3.buckets.values():
        for key, item in bucket.objects.items():
            if 'coordinator/' in key:
                yield item.content.decode('latin-1')
