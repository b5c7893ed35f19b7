"""The real plans and steps on the model in memory, in virtual time: one process, no wire.

`Simulation` stands for the unit that dispatches: it advances the operation, keeps the record as
text, as the databag does, and lets time pass when nothing moved.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
from collections.abc import Callable

from coordinator import errors, integrators, ports, times
from coordinator.engine import advance, operation, settings, step
from coordinator.operations import plans
from coordinator.ports import maas_port
from coordinator.unit import elapsed
from rehearsal import clock, deployed, direct, memory_store, model, site
from rehearsal.maas import direct as direct_maas
from rehearsal.maas import modelled
from rehearsal.standins import behaviour
from tests import examples, readers, signers, worlds

IDENTITY = 'AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX'
BEAT_SECONDS = 2
MAAS_KEY = 'consumer-of-tests:token-of-tests:secret-of-tests'
"""An API key of MAAS."""


@dataclasses.dataclass
class World:
    """The world as the coordinator's leader would reach it."""

    juju: ports.JujuModel
    model_name: str
    model_uuid: str
    clock: clock.VirtualClock
    s3: memory_store.MemoryS3
    reading: readers.InstantReader = dataclasses.field(default_factory=readers.InstantReader)
    counter: worlds.Counter = dataclasses.field(default_factory=worlds.Counter)
    user_secrets: dict[str, dict[str, str]] = dataclasses.field(default_factory=dict)
    elsewhere: dict[str, dict[str, object]] = dataclasses.field(default_factory=dict)
    """By integrator of another model: how it is configured there."""
    skew: datetime.timedelta = datetime.timedelta()
    """How much the clock of the leading unit is ahead."""
    signing: signers.Secret = dataclasses.field(default_factory=signers.Secret)
    signer: signers.Signer = dataclasses.field(init=False)
    maas_site: deployed.Site | None = None
    maas_key: str = ''
    """The API key that the coordinator is configured with; empty without the option."""
    fresh_key: str = ''
    """The key of the MAAS that is there before a rehearsal, if the secret has one."""
    maas_endpoint: str = ''
    """What the secret with the key says."""
    maas_asked: Callable[[str], object] = lambda name: None
    """Is called before each request to MAAS."""

    def __post_init__(self) -> None:
        self.signer = signers.Signer(self.signing)

    def maas(self, found: str = '', *, fresh: bool = False) -> maas_port.Maas | None:
        if not self.maas_key or self.maas_site is None:
            return None
        endpoint = self.maas_endpoint or found
        if not endpoint:
            raise errors.MaasNotFound('nobody has reported the URL of MAAS')
        key = self.fresh_key if fresh and self.fresh_key else self.maas_key
        return direct_maas.DirectMaas(
            self.maas_site, key, endpoint, lambda name: self.maas_asked(name)
        )

    @property
    def maas_store(self) -> ports.ObjectStore:
        return self._where(site.S3_MAAS, 'maas')

    @property
    def postgresql_store(self) -> ports.ObjectStore:
        return self._where(site.S3_POSTGRESQL, 'postgresql')

    def _where(self, integrator: str, name: str) -> ports.ObjectStore:
        """Return the store that an integrator leads to now."""
        config = self.elsewhere.get(integrator) or self.juju.config(integrator)
        made = integrators.made_of(name, config)
        place = {'bucket': made.bucket, 'path': made.path, 'endpoint': made.endpoint}
        return self.s3.store_for({**site.connection(name), **place, 'region': made.region})

    def maas_store_at(self, bucket: str, path: str) -> ports.ObjectStore:
        return self.s3.store_for({**site.connection('maas'), 'bucket': bucket, 'path': path})

    def postgresql_store_at(self, bucket: str, path: str) -> ports.ObjectStore:
        return self.s3.store_for({**site.connection('postgresql'), 'bucket': bucket, 'path': path})

    def secret(self, reference: str) -> dict[str, str]:
        return self.user_secrets[reference]

    def now(self) -> datetime.datetime:
        return self.clock.now() + self.skew

    def leads(self) -> bool:
        return True

    def elapsed(self, operation_id: str, age: int) -> int:
        return self.counter.look(operation_id, age, self.clock.now())

    def look_is_due(self, age: int) -> bool:
        return elapsed.look_is_due(age)

    @property
    def reader(self) -> ports.Reader:
        return self.reading

    def take_up(self) -> datetime.datetime | None:
        """Nobody is killed here with a request on its way."""
        return None

    def settle(self) -> None:
        """Nothing was remembered."""


class Simulation:
    """A settled site, and one operation on it."""

    def __init__(
        self,
        *,
        regions: int = 3,
        postgresql_units: int = 3,
        strategy: str = 'scale-down',
        version: str = '3.6.26',
        s3_track: int = 1,
        detachable_storage: bool = True,
        recipient: str = examples.RECIPIENT,
        model_uuid: str = '',
        name: str = 'maas',
        maas_revision: int = behaviour.MaasBehaviour.revision,
        postgresql_track: str = behaviour.PostgresqlBehaviour.track,
        maas_key: str = '',
        after: Simulation | None = None,
    ):
        """Deploy a site; `after` another one, it finds that one's buckets and time.

        With `maas_key`, MAAS knows it and the coordinator is configured with it; `after` another
        site MAAS does not know it before that one's database is restored.
        """
        self.clock = after.clock if after else clock.VirtualClock()
        self.model = model.Model(name, self.clock, version, model_uuid)
        self.s3 = after.s3 if after else memory_store.MemoryS3(self.clock.now)
        self.database = behaviour.PostgresqlBehaviour(track=postgresql_track)
        self.maas = behaviour.MaasBehaviour(revision=maas_revision)
        self.site = site.deploy_site(
            self.model,
            regions=regions,
            postgresql_units=postgresql_units,
            store_for=self.s3.store_for,
            maas_switches=self.maas,
            postgresql_switches=self.database,
            s3_track=s3_track,
            detachable_storage=detachable_storage,
        )
        site.settle(self.model, ('active', 'blocked') if after else ('active',))
        self.restarts = self.site.maas_restarts
        self.user = model.User('backup-bot', 'hunter2', 'admin')
        self.model.users[self.user.name] = self.user
        self.world = World(
            juju=direct.DirectModel(self.model, self.user),
            model_name=self.model.name,
            model_uuid=self.model.uuid,
            clock=self.clock,
            s3=self.s3,
            signing=signers.Secret(self.model.uuid),
            maas_site=self.site,
            maas_key=maas_key,
        )
        self.api = modelled.ModelledMaas(self.site)
        """MAAS, as its users change it."""
        if maas_key and after is None:
            self.api.add_key(maas_key)
        self.config = settings.Settings(
            site.MAAS,
            site.POSTGRESQL,
            (recipient,),
            site.S3_MAAS,
            site.S3_POSTGRESQL,
            strategy,
        )
        self.op = self.begin('backup-all')
        self.dispatches = 0
        self.at_backup: object = None
        """The site's fingerprint as it was at a backup, for tests to compare with."""
        self.also_secret: dict[str, str] = {}
        """What must be told nowhere, besides the secrets of this site."""
        self.to_be_refused = False
        """Whether the operation must end before it has changed anything."""
        self.neighbour: Simulation | None = None
        """Another model that backs up into the same repository meanwhile."""
        self.saved: list[str] = []
        """Every record that was ever stored."""

    def begin(self, kind: str, **parameters: str) -> operation.Operation:
        """Make a new operation the current one."""
        now = self.clock.now()
        given = {key.replace('_', '-'): value for key, value in parameters.items()}
        names = plans.PLANS[plans.named(kind, given)].names
        self.op = operation.Operation.new(times.stamp(now), kind, names, self.config, now, given)
        return self.op

    @property
    def plan(self) -> step.Plan:
        """The plan of the current operation."""
        plan = plans.of(self.op)
        assert plan is not None
        return plan

    def dispatch(self) -> bool:
        """Take the operation one checkpoint further; return whether the record changed."""
        self.dispatches += 1
        moved = advance.advance(self.op, self.plan, self.world)
        self.world.signer.commit()
        text = moved.to_json()
        changed = text != self.op.to_json()
        self.op = operation.Operation.from_json(text)
        if changed:
            self.saved.append(text)
        return changed

    def until(self, reached: Callable[[], object], hours: float = 48) -> None:
        """Dispatch as the pacemaker and the databag would, until something is so."""
        end = self.clock.now() + datetime.timedelta(hours=hours)
        while not reached():
            if not self.op.open or self.clock.now() > end:
                raise AssertionError(f'it never came to that: {self.op.to_json()}')
            # A change brings the next dispatch at once, all else the pacemaker.
            self.clock.advance(0.1 if self.dispatch() else BEAT_SECONDS)

    def run(self) -> operation.Operation:
        """Dispatch until the operation is over, or held."""
        self.until(lambda: not self.op.open)
        return self.op

    def at_step(self, name: str, state: str = operation.DOING) -> None:
        """Dispatch until a step is current in a state."""
        self.until(lambda: self.op.step == name and self.op.current.state == state)

    def consume(self, integrator: str, url: str) -> None:
        """Let an integrator be an application of another model, offered as `url`."""
        self.world.elsewhere[integrator] = dict(self.model.application(integrator).settings)
        self.model.move_away(integrator, url)

    def tasks(self, action: str, application: str = '') -> list[model.Task]:
        """Return all tasks of an action that there ever were."""
        return [
            task
            for task in self.model.tasks.values()
            if task.name == action and task.unit.startswith(application)
        ]

    def manifests(self) -> list[str]:
        """Return the keys of all published manifests."""
        keys = self.world.maas_store.list('coordinator/backup-sets/')
        return [item.key for item in keys if item.key.endswith('manifest.json')]

    def postgresql_units(self) -> list[str]:
        """Return PostgreSQL's units that are there and stay."""
        units = self.model.application(site.POSTGRESQL).units.values()
        return [unit.name for unit in units if unit.life == 'alive']

    def fact(self, name: str) -> str:
        return self.op.facts[name]

    def all_text(self) -> str:
        """Return every record, and every object in S3, as one text: to look for secrets in."""
        bodies = [
            item.content.decode('latin-1')
            for bucket in self.s3.buckets.values()
            for item in bucket.objects.values()
        ]
        return '\n'.join([*self.saved, *bodies, json.dumps(self.op.problems)])
