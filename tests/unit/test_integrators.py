"""What the two charms make of the settings that an s3-integrator gives them."""

from __future__ import annotations

import pytest

from coordinator import errors, integrators
from tests import stores

CHARMS = (integrators.MAAS_REGION, integrators.POSTGRESQL)
GIVEN = {
    'bucket': 'backups',
    'endpoint': 'https://s3.example:9000',
    'region': 'eu-north-1',
    'path': 'maas',
    **stores.KEYS,
}
PLACE = {'endpoint': 'https://s3.example', 'bucket': 'backups', 'region': 'r1'}


@pytest.mark.parametrize('charm', CHARMS)
@pytest.mark.parametrize(
    ('field', 'text', 'read'),
    [
        ('path', 'maas ', 'maas'),
        ('path', '/maas/prod/', 'maas/prod'),
        ('path', ' /maas ', 'maas'),
        ('path', '/maas /', 'maas '),
        ('path', ' ', ''),
        ('path', '"maas"', 'maas'),
        ('path', '0123', '0123'),
        ('bucket', 'b/', 'b'),
        ('bucket', ' /b\n', 'b'),
        ('region', 'r1 ', 'r1'),
        ('endpoint', ' https://s3.example:9000/ ', 'https://s3.example:9000'),
        ('endpoint', '', ''),
    ],
)
def test_a_charm_reads_a_setting_so(charm: str, field: str, text: str, read: str):
    made = integrators.made_of(charm, {**GIVEN, field: text})
    assert getattr(made, field) == read


@pytest.mark.parametrize('charm', CHARMS)
@pytest.mark.parametrize('field', ['path', 'bucket', 'region', 'secret-key'])
@pytest.mark.parametrize('text', ['3.10', '1234567890', '12e4', 'null', 'true', '[1]', 'NaN'])
def test_a_value_on_which_a_charm_fails_is_refused_and_not_repeated(
    charm: str, field: str, text: str
):
    with pytest.raises(errors.StoreRefused, match=f'the value of {field} is a number') as caught:
        integrators.made_of(charm, {**GIVEN, field: text})
    assert text not in str(caught.value).split()


@pytest.mark.parametrize(
    ('charm', 'style', 'named'),
    [
        (integrators.MAAS_REGION, 'host', 'path'),
        (integrators.MAAS_REGION, '', 'path'),
        (integrators.POSTGRESQL, 'host', 'host'),
        (integrators.POSTGRESQL, 'path', 'path'),
        (integrators.POSTGRESQL, '', 'host'),
    ],
)
def test_only_pgbackrest_names_the_bucket_in_the_host(charm: str, style: str, named: str):
    assert integrators.made_of(charm, {**GIVEN, 's3-uri-style': style}).uri_style == named


def test_keys_are_in_no_representation():
    made = integrators.made_of(integrators.POSTGRESQL, GIVEN)
    assert (made.access_key, made.secret_key) == tuple(stores.KEYS.values())
    assert not any(text in repr(made) for text in stores.KEYS.values())


@pytest.mark.parametrize(
    ('one', 'other', 'same'),
    [
        ('', 'https://s3.amazonaws.com', True),
        ('https://s3.amazonaws.com/', 'https://s3.eu-south-1.amazonaws.com', True),
        ('https://s3.amazonaws.com', 'https://s3.cn-north-1.amazonaws.com.cn', False),
        ('https://s3.example:9000/', 'https://s3.example:9000', True),
        ('https://s3.example:9000', 'https://s3.example:9001', False),
        ('https://s3.example', 'https://myamazonaws.com', False),
        ('https://myamazonaws.com', 'https://s3.amazonaws.com', False),
    ],
)
def test_two_endpoints_are_of_one_server(one: str, other: str, same: bool):
    assert integrators.same_server(one, other) is same
    assert integrators.same_server(other, one) is same


@pytest.mark.parametrize(
    ('maas', 'postgresql', 'why'),
    [
        ('backups', 'backups', 'both use backups/backups'),
        ('', '', 'both use backups'),
        ('pg/backup', 'pg', 'inside pg/backup'),
        ('pg/backup/maas', 'pg', 'inside pg/backup'),
        ('pg/archive/maas', 'pg', 'another cluster'),
        ('backup/maas', '', 'inside backup'),
        ('maas', 'maas/backup/pg', 'a failed files backup'),
        ('maas', 'maas/archive', 'inside maas/archive'),
        ('maas', 'maas/coordinator/pg', 'inside maas/coordinator'),
        ('', 'backup', 'inside backup'),
    ],
)
def test_paths_that_are_in_each_others_way_are_told(maas: str, postgresql: str, why: str):
    assert why in integrators.collision({**PLACE, 'path': maas}, {**PLACE, 'path': postgresql})


@pytest.mark.parametrize(
    ('maas', 'postgresql'),
    [
        ('maas', 'postgresql'),
        ('maas', 'maas2'),
        ('maas/backups', 'maas'),
        ('maas', ''),
        ('', 'postgresql'),
        ('pg/backup2', 'pg'),
    ],
)
def test_paths_that_are_apart_are_no_collision(maas: str, postgresql: str):
    assert not integrators.collision({**PLACE, 'path': maas}, {**PLACE, 'path': postgresql})


@pytest.mark.parametrize('other', [{'bucket': 'others'}, {'endpoint': 'https://s3.elsewhere'}])
def test_equal_paths_elsewhere_are_no_collision(other: dict[str, str]):
    place = {**PLACE, 'path': 'backups'}
    assert not integrators.collision(place, {**place, **other})
