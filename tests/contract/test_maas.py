"""What steps may rely on, whoever answers for MAAS: the model itself, or the client over HTTP."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence

import pytest

from coordinator import errors, ports
from coordinator.maas_api import client, connection, login
from coordinator.ports import maas_port
from rehearsal import records, tls
from rehearsal.maas import direct, server
from tests import simulation

KEY = simulation.MAAS_KEY
AUDITOR = 'consumer-2:token-2:secret-2'
IMAGE = 'custom/alma-9/amd64'
Ask = Callable[[maas_port.Maas], object]
ASKS: dict[str, Ask] = {
    'whoami': lambda maas: maas.whoami(),
    'boot_resources': lambda maas: list(maas.boot_resources()),
    'machines': lambda maas: list(maas.machines()),
    'controllers': lambda maas: list(maas.controllers()),
    'fabrics': lambda maas: list(maas.fabrics()),
    'subnets': lambda maas: list(maas.subnets()),
    'users': lambda maas: list(maas.users()),
    'tags': lambda maas: list(maas.tags()),
    'pools': lambda maas: list(maas.pools()),
    'settings': lambda maas: maas.settings(),
}
"""All that needs a valid key."""
each_ask = pytest.mark.parametrize('ask', ASKS.values(), ids=ASKS.keys())


class Site:
    """A settled site, and the adapter under test for a key."""

    def __init__(self, kind: str, stack: contextlib.ExitStack):
        self.sim = simulation.Simulation(regions=2, postgresql_units=1, maas_key=KEY)
        self.api = self.sim.api
        self._stack = stack
        authority = tls.Authority('site') if kind == 'https' else None
        self._ca = authority.ca_pem if authority else ''
        self._served = kind != 'direct'
        self.url = 'http://10.0.0.1:5240/MAAS'
        if self._served:
            served = server.MaasServer(lambda: self.api.served()(), authority)
            self.url = stack.enter_context(served).url

    def connect(self, key: str = KEY) -> maas_port.Maas:
        if not self._served:
            return direct.DirectMaas(self.sim.site, key, self.url)
        where = login.endpoint({'api-key': key, 'endpoint': self.url, 'ca-cert': self._ca})
        quick = connection.Timeouts(5.0, 5.0, 20.0)
        return self._stack.enter_context(client.MaasApi(where, quick, quick, sleep=lambda _: None))


@pytest.fixture(params=['direct', 'http', 'https'])
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    with contextlib.ExitStack() as stack:
        yield Site(request.param, stack)


def test_every_call_of_the_port_is_asked_here():
    assert {*ASKS, 'version'} == ports.looks_of(maas_port.Maas)
    assert not ports.effects_of(maas_port.Maas)


@each_ask
def test_every_answer_is_what_the_database_says(site: Site, ask: Ask):
    filled(site)
    expected = ask(direct.DirectMaas(site.sim.site, KEY, site.url))
    assert expected or expected is False
    assert ask(site.connect()) == expected


def filled(site: Site) -> None:
    """Let MAAS have more than a new one."""
    site.api.upload_image(IMAGE)
    site.api.change_machine('able-ant', status='Deployed', owner='admin', tags=['b', 'a'])
    site.api.set(
        fabrics=['fabric-0', 'größe'],
        subnets={'10.0.0.0/24': 0, '2001:db8::/64': 1},
        tags=['virtual', 'gpu'],
        settings={'maas_name': 'a "site"', 'ntp_external_only': True, 'upstream_dns': None},
    )


def test_the_version_is_told_without_a_valid_key(site: Site):
    assert site.connect('not:a:key').version() == '3.6.1'


def test_the_newest_set_of_an_image_says_how_far_it_is_synchronised(site: Site):
    site.api.upload_image(IMAGE, {'maas-region/0': 1.0, 'maas-region/1': 0.5})
    (found,) = (each for each in site.connect().boot_resources() if each.name == 'custom/alma-9')
    assert (found.architecture, found.uploaded) == ('amd64/generic', True)
    assert (found.sets[0].complete, found.sets[0].progress) == (False, 75.0)
    site.api.synchronise_all()
    (found,) = (each for each in site.connect().boot_resources() if each.name == 'custom/alma-9')
    assert (found.sets[0].complete, found.sets[0].progress) == (True, 100.0)


def test_settings_that_maas_does_not_have_are_left_out(site: Site):
    filled(site)
    assert site.connect().settings(['maas_name', 'no_such', 'upstream_dns']) == {
        'maas_name': '"a \\"site\\""',
        'upstream_dns': 'null',
    }


def test_a_user_who_is_no_admin_sees_what_maas_lets_him_see(site: Site):
    site.api.add_key(AUDITOR, 'auditor', admin=False)
    site.api.change_machine('able-ant', owner='admin')
    maas = site.connect(AUDITOR)
    assert maas.whoami() == maas_port.User('auditor', False)
    assert [each.hostname for each in maas.machines()] == ['brave-bee', 'calm-cat']
    assert list(maas.controllers()) == []


@each_ask
@pytest.mark.parametrize('key', ['a:b:c', 'consumer-of-tests:token-of-tests:wrong-part'])
def test_a_wrong_key_is_refused_and_not_repeated(site: Site, ask: Ask, key: str):
    with pytest.raises(errors.MaasKeyRefused) as caught:
        ask(site.connect(key))
    assert site.url in str(caught.value)
    assert 'wrong-part' not in str(caught.value)


@each_ask
def test_a_key_that_is_revoked_in_between_is_refused(site: Site, ask: Ask):
    maas = site.connect()
    ask(maas)
    site.api.revoke_keys()
    with pytest.raises(errors.MaasKeyRefused):
        ask(maas)


@each_ask
def test_a_maas_without_a_database_is_waited_for_and_answers_again(site: Site, ask: Ask):
    maas = site.connect()
    relation = ('maas-region:maas-db', 'postgresql:database')
    site.sim.model.remove_relation(*relation)
    site.sim.clock.advance(60)
    with pytest.raises(errors.MaasUnavailable, match='does not answer'):
        ask(maas)
    site.sim.model.integrate(*relation)
    site.sim.clock.advance(600)
    ask(maas)


def test_a_maas_that_is_initialising_is_waited_for(site: Site):
    for unit in site.sim.site.maas.states:
        site.sim.site.maas.update_unit(unit, **{'endpoints': '', 'waits-for-turn': True})
    with pytest.raises(errors.MaasUnavailable, match='status 503'):
        site.connect().version()


def test_an_image_that_is_deleted_while_images_are_read_may_be_left_out(site: Site):
    names: Sequence[str] = [f'custom/image-{number}/amd64' for number in range(10)]
    for name in names:
        site.sim.site.add_image(name)
    found = site.connect().boot_resources()
    seen = [next(found).name]
    site.api.delete_image(names[-1])
    seen += [each.name for each in found]
    assert len(seen) in (12, 13)
    assert isinstance(site.api.now(), records.Records)
