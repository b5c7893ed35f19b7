"""The stand-in of s3-integrator publishes as tracks 1 and 2 do."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping

import pytest

from rehearsal import clock, memory_store, model, site
from rehearsal.standins import agent, s3_integrator
from tests.unit import site_bench

FIELDS = site.connection('maas')
PEM = '-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----'
REQUIRER = model.CharmSpec('requirer', endpoints=(model.Endpoint('s3', 'requirer', 's3'),))


class Silent:
    """A requirer that does nothing by itself: the tests speak for it."""

    def run(self, unit: model.Unit, event: model.Event) -> clock.Work:
        unit.workload = model.Status('active', '', unit.workload.since)
        yield 0.0

    def kill(self, unit: model.Unit) -> None: ...

    def removed(self, unit: model.Unit) -> None: ...


class Bench:
    """An integrator, related to a requirer that the test speaks for."""

    def __init__(self, track: int):
        self.clock = clock.VirtualClock()
        self.juju = model.Model('maas', self.clock)
        self.s3 = memory_store.MemoryS3()
        charm = s3_integrator.S3Integrator(track)
        hosted = agent.StandInAgent(self.juju, charm, self.s3.store_for)
        self.juju.deploy('s3', charm.charm, hosted)
        self.juju.deploy('app', REQUIRER, Silent())
        self.relation = self.juju.integrate('app:s3', 's3:s3-credentials')
        options = {key: value for key, value in FIELDS.items() if key not in s3_integrator.KEYS}
        self.juju.set_config('s3', options)
        self.settle()

    def settle(self) -> None:
        site.settle(self.juju, workloads=('active', 'blocked'))

    @property
    def status(self) -> tuple[str, str]:
        workload = self.juju.unit('s3/0').workload
        return workload.current, workload.message

    @property
    def published(self) -> Mapping[str, str]:
        return self.relation.app_data['s3']

    def ask(self, **values: str) -> None:
        fields = {name.replace('_', '-'): value for name, value in values.items()}
        self.juju.set_app_data(self.relation, 'app', fields)
        self.settle()

    def sync(self) -> model.Task:
        keys = {key: FIELDS[key] for key in s3_integrator.KEYS}
        task = site.run_action(self.juju, 's3/0', 'sync-s3-credentials', keys)
        self.settle()
        return task

    def add_keys(self, *names: str, granted: bool = True) -> model.Secret:
        content = {name: FIELDS[name] for name in names}
        secret = self.juju.add_secret(f'model-{self.juju.uuid}', content, 'keys')
        if granted:
            secret.grants.add('s3')
        self.juju.set_config('s3', {'credentials': secret.uri})
        self.settle()
        return secret


def test_track_1_is_blocked_until_it_has_the_keys():
    bench = Bench(track=1)
    assert bench.status == ('blocked', "Missing parameters: ['access-key', 'secret-key']")

    task = bench.sync()

    assert task.output['ok'] == 'Credentials successfully updated.'
    assert bench.status == ('active', '')


def test_track_1_publishes_its_keys_only_after_a_request_for_a_bucket():
    bench = Bench(track=1)
    bench.sync()
    bench.ask(version='1')
    assert 'access-key' not in bench.published
    assert 'data' in bench.published, 'the requirer knows by this that nobody speaks v1'

    bench.ask(bucket='relation-7')

    assert FIELDS.items() <= bench.published.items()
    assert 'version' not in bench.published


def test_track_1_uses_the_requested_bucket_when_none_is_configured():
    bench = Bench(track=1)
    bench.juju.set_config('s3', {'bucket': ''})
    bench.sync()

    bench.ask(bucket='relation-7')

    assert bench.published['bucket'] == 'relation-7'


def test_track_1_publishes_certificates_as_a_list():
    bench = Bench(track=1)
    bench.sync()
    bench.ask(bucket='x')
    chain = PEM.format('one') + '\n' + PEM.format('two')

    bench.juju.set_config('s3', {'tls-ca-chain': base64.b64encode(chain.encode()).decode()})
    bench.settle()

    assert json.loads(bench.published['tls-ca-chain']) == [PEM.format('one'), PEM.format('two')]


def test_a_new_path_reaches_the_requirer_and_an_emptied_one_goes():
    bench = Bench(track=1)
    bench.sync()
    bench.ask(bucket='x')

    bench.juju.set_config('s3', {'path': 'elsewhere'})
    bench.settle()
    assert bench.published['path'] == 'elsewhere'

    bench.juju.set_config('s3', {'path': ''})
    bench.settle()
    assert 'path' not in bench.published


def test_track_2_says_its_version_first_and_keeps_the_keys_in_a_secret():
    bench = Bench(track=2)
    assert dict(bench.published) == {'version': '1'}
    bench.add_keys(*s3_integrator.KEYS)

    bench.ask(version='1', requested_secrets='["access-key", "secret-key"]')

    assert not set(s3_integrator.KEYS) & set(bench.published)
    secret = bench.juju.secret(bench.published['secret-extra'])
    assert secret.content == {key: FIELDS[key] for key in s3_integrator.KEYS}
    assert bench.juju.may_read(bench.juju.unit('app/0'), secret)
    assert bench.published['bucket'] == FIELDS['bucket']


def test_track_2_gives_the_keys_in_the_open_to_an_old_requirer():
    bench = Bench(track=2)
    bench.add_keys(*s3_integrator.KEYS)

    bench.ask(bucket='relation-7')

    assert bench.published['secret-key'] == FIELDS['secret-key']
    assert bench.published['bucket'] == FIELDS['bucket']


def test_track_2_hands_on_rotated_keys():
    bench = Bench(track=2)
    secret = bench.add_keys(*s3_integrator.KEYS)
    bench.ask(version='1', requested_secrets='["access-key", "secret-key"]')

    bench.juju.update_secret(secret, {'access-key': 'new', 'secret-key': 'newer'})
    bench.settle()

    handed = bench.juju.secret(bench.published['secret-extra'])
    assert handed.content == {'access-key': 'new', 'secret-key': 'newer'}


def test_track_2_says_what_is_wrong_with_its_secret():
    bench = Bench(track=2)
    assert bench.status == ('blocked', "Missing config(s): 'credentials'")

    uri = bench.add_keys('access-key', granted=False).uri
    assert bench.status == (
        'blocked',
        f"The secret '{uri}' has not been granted to the charm",
    )

    bench.juju.secret(uri).grants.add('s3')
    bench.juju.set_config('s3', {'region': 'elsewhere'})
    bench.settle()
    assert bench.status == (
        'blocked',
        f"The secret '{uri}' is missing mandatory field(s): 'secret-key'",
    )


def test_track_2_is_blocked_without_its_bucket():
    bench = Bench(track=2)
    bench.s3.bucket(FIELDS['bucket']).exists = False

    bench.add_keys(*s3_integrator.KEYS)

    assert bench.status == ('blocked', "Could not ensure bucket(s): 'maas-backups'")


@pytest.mark.parametrize('track', [1, 2])
def test_both_charms_follow_a_change_of_bucket_and_path(track: int):
    bench = site_bench.deploy(units=1, regions=1, track=track)
    elsewhere = {'bucket': 'elsewhere', 'path': 'restored/1'}
    for name in (site.S3_MAAS, site.S3_POSTGRESQL):
        bench.juju.set_config(name, elsewhere)
    bench.settle()

    maas_backup, postgresql_backup = bench.back_up_maas(), bench.back_up()

    store = bench.s3.store_for({**FIELDS, **elsewhere})
    assert store.head(f'backup/{maas_backup}/controllers.txt').size
    assert store.head(f'backup/maas.postgresql/{postgresql_backup}/backup.log').size
    assert store.get('model-uuid.txt').decode() == bench.juju.uuid
