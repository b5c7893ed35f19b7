"""The calls of a recording, in order. Some depend on what earlier ones brought to light."""

from __future__ import annotations

import dataclasses
from typing import Any

Json = dict[str, Any]

COORDINATOR = 'maas-backup-coordinator'
UNIT = 'unit-postgresql-0'
LABEL = 'database-peers.postgresql.app'
NO_SECRET = 'secret:arhfhce0tatptrtpg9az'
"""No id of a secret ends in z: of its last character only one bit counts."""
OPTION = 'keep-yearly'
STORAGE = 'logs'
"""Of postgresql's storage, what is attached: it is not removed."""


@dataclasses.dataclass(frozen=True)
class Call:
    """One call. `{...}` in a text of its parameters is something that was learnt before."""

    name: str
    facade: str
    request: str
    params: Json
    version: int = 0
    """0 is the newest that the controller offers."""
    until_ended: bool = False
    """Whether to repeat it until the task that it shows has ended."""
    only: tuple[str, ...] = ()
    """Keys on the way to the only part of the response that is kept."""


def _application(name: str, request: str, **params: Any) -> Call:
    return Call(name, 'Application', request, _dashed(params))


def _action(name: str, request: str, **params: Any) -> Call:
    return Call(name, 'Action', request, _dashed(params))


def _secrets(name: str, request: str, **params: Any) -> Call:
    return Call(name, 'Secrets', request, _dashed(params))


def _dashed(params: Json) -> Json:
    return {key.replace('_', '-'): value for key, value in params.items()}


def _get(name: str, application: str, *only: str) -> Call:
    params = {'application': application, 'branch': 'master'}
    return Call(name, 'Application', 'Get', params, only=only)


def _add_units(name: str, application: str, count: int = 1, machine: str = '') -> Call:
    placement = [{'scope': '#', 'directive': machine}] if machine else []
    return _application(name, 'AddUnits', application=application, num_units=count,
                        placement=placement, attach_storage=[])  # fmt: skip


def _destroy_unit(name: str, unit: str, dry_run: bool = False) -> Call:
    item = {'unit-tag': unit, 'destroy-storage': False, 'dry-run': dry_run}
    return _application(name, 'DestroyUnit', units=[item])


def _set(name: str, application: str, **config: str) -> Call:
    item = {'application': application, 'generation': '', 'config': _dashed(config),
            'config-yaml': ''}  # fmt: skip
    return _application(name, 'SetConfigs', Args=[item])


def _unset(name: str, application: str, option: str) -> Call:
    item = {'application': application, 'branch': '', 'options': [option]}
    return _application(name, 'UnsetApplicationsConfig', Args=[item])


def _enqueued(unit: str, action: str, **parameters: Any) -> Json:
    return {'tag': '', 'receiver': unit, 'name': action, 'parameters': parameters,
            'parallel': True, 'execution-group': ''}  # fmt: skip


def _enqueue(name: str, *actions: Json) -> Call:
    return _action(name, 'EnqueueOperation', actions=list(actions))


def _entity(name: str, request: str, tag: str, until_ended: bool = False) -> Call:
    params = {'entities': [{'tag': tag}]}
    return Call(name, 'Action', request, params, until_ended=until_ended)


def _list_operations(name: str, action: str, offset: int = 0) -> Call:
    return _action(name, 'ListOperations', actions=[action], offset=offset, limit=50)


def _list_secrets(name: str, show: bool = False, **wanted: str) -> Call:
    return _secrets(name, 'ListSecrets', show_secrets=show, filter=wanted)


def _create(name: str, label: str, **content: str) -> Call:
    item = {'owner-tag': '', 'label': label, 'description': 'd',
            'content': {'data': _dashed(content)}}  # fmt: skip
    return _secrets(name, 'CreateSecrets', args=[item])


def _grant(name: str, uri: str, application: str) -> Call:
    return _secrets(name, 'GrantSecret', uri=uri, label='', applications=[application])


def _remove_secret(name: str, uri: str) -> Call:
    return _secrets(name, 'RemoveSecrets', args=[{'uri': uri, 'label': ''}])


def _remove_storage(name: str, tag: str) -> Call:
    item = {'tag': tag, 'destroy-attachments': False, 'destroy-storage': True}
    return Call(name, 'Storage', 'Remove', {'storage': [item]})


CALLS: tuple[Call, ...] = (
    Call('FullStatus', 'Client', 'FullStatus', {'patterns': [], 'include-storage': False}),
    _application('Leader ok', 'Leader', tag='application-postgresql'),
    _application('Leader unknown', 'Leader', tag='application-nobody'),
    _get('Get ok', COORDINATOR),
    _get('Get pg', 's3-integrator-postgresql'),
    _get('Get unknown', 'nobody'),
    _add_units('AddUnits unknown app', 'nobody'),
    _add_units('AddUnits bad machine', COORDINATOR, machine='99'),
    _add_units('AddUnits zero', COORDINATOR, 0),
    _destroy_unit('DestroyUnit unknown', 'unit-postgresql-99'),
    _destroy_unit('DestroyUnit dry', UNIT, dry_run=True),
    _destroy_unit('DestroyUnit unknown dry', 'unit-postgresql-99', dry_run=True),
    *(
        _application(name, request, endpoints=[one, other], **more)
        for request, name, one, other, more in (
            ('AddRelation', 'AddRelation dup', 'maas-region:maas-db', 'postgresql:database', {}),
            ('AddRelation', 'AddRelation over limit', 'maas-region:s3-parameters',
             's3-integrator-postgresql:s3-credentials', {}),
            ('AddRelation', 'AddRelation unknown endpoint', 'maas-region:nothing',
             'postgresql:database', {}),
            ('AddRelation', 'AddRelation unknown app', 'nobody:x', 'postgresql:database', {}),
            ('DestroyRelation', 'DestroyRelation unknown', 'maas-region:maas-db',
             's3-integrator-maas:s3-credentials', {'relation_id': 0}),
            ('DestroyRelation', 'DestroyRelation unknown app', 'nobody:maas-db',
             'postgresql:database', {'relation_id': 0}),
        )
    ),
    _set('SetConfigs unknown option', COORDINATOR, nope='1'),
    _set('SetConfigs bad value', COORDINATOR, keep_last='x'),
    _set('SetConfigs unknown app', 'nobody', a='1'),
    _set('SetConfigs ok', COORDINATOR, keep_yearly='9'),
    _get('Get after set', COORDINATOR, 'config', OPTION),
    _unset('Unset unknown option', COORDINATOR, 'nope'),
    _unset('Unset ok', COORDINATOR, OPTION),
    _get('Get after unset', COORDINATOR, 'config', OPTION),
    _unset('Unset unknown app', 'nobody', 'x'),
    _enqueue('Enqueue unknown action', _enqueued(UNIT, 'nope')),
    _enqueue('Enqueue unknown unit', _enqueued('unit-postgresql-99', 'list-backups')),
    _enqueue('Enqueue unknown app', _enqueued('unit-nobody-0', 'list-backups')),
    _entity('Actions unknown', 'Actions', 'action-99999'),
    _entity('Actions bad tag', 'Actions', 'nonsense'),
    _entity('Cancel unknown', 'Cancel', 'action-99999'),
    _entity('Operations unknown', 'Operations', 'operation-99999'),
    _list_operations('ListOperations none', 'nope'),
    _list_operations('ListOperations past', 'sync-s3-credentials', 500),
    _enqueue('Enqueue ok', _enqueued(UNIT, 'list-backups')),
    _entity('Actions fresh', 'Actions', '{task}'),
    _entity('Cancel fresh', 'Cancel', '{task}'),
    _entity('Actions after cancel', 'Actions', '{task}'),
    _entity('Actions ended', 'Actions', '{task}', until_ended=True),
    _entity('Operations ended', 'Operations', '{operation}'),
    _list_operations('ListOperations ended', 'list-backups'),
    _entity('Cancel ended', 'Cancel', '{task}'),
    _enqueue('bad param type', _enqueued(f'unit-{COORDINATOR}-0', 'show-operation',
                                         earlier='perhaps')),
    _entity('bad param type ended', 'Actions', '{task}', until_ended=True),
    _enqueue('two actions', _enqueued(f'unit-{COORDINATOR}-0', 'show-operation'),
             _enqueued(UNIT, 'list-backups')),
    _list_secrets('ListSecrets'),
    _list_secrets('ListSecrets label', label=LABEL),
    _list_secrets('ListSecrets label none', label='nope'),
    _list_secrets('ListSecrets label show', True, label=LABEL),
    _list_secrets('ListSecrets uri none', True, uri=NO_SECRET),
    _list_secrets('ListSecrets uri bad', True, uri='secret:zzz'),
    _create('CreateSecrets', '{probe}', monitoring_password='YQpi'),
    _create('CreateSecrets dup label', '{probe}', monitoring_password='YQ=='),
    _create('CreateSecrets bad key', '{probe}x', a='YQ=='),
    _create('CreateSecrets empty', '{probe}y'),
    _grant('Grant ok', '{secret}', 'postgresql'),
    _grant('Grant again', '{secret}', 'postgresql'),
    _grant('Grant unknown app', '{secret}', 'nobody'),
    _grant('Grant unknown secret', NO_SECRET, 'postgresql'),
    _list_secrets('ListSecrets uri show', True, uri='{secret}'),
    _remove_secret('RemoveSecrets ok', '{secret}'),
    _remove_secret('RemoveSecrets again', '{secret}'),
    _remove_secret('RemoveSecrets of app', '{charm-secret}'),
    Call('Storage list', 'Storage', 'ListStorageDetails', {'filters': [{}]}),
    Call('Storage list empty', 'Storage', 'ListStorageDetails', {'filters': []}),
    _remove_storage('Storage remove unknown', 'storage-data-99'),
    _remove_storage('Storage remove attached', '{storage}'),
    Call('unknown facade', 'Nope', 'X', {}, version=1),
    Call('unknown method', 'Action', 'Nope', {}),
    Call('unknown version', 'Action', 'Actions', {}, version=99),
)  # fmt: skip
"""All but the login, which comes first."""

STATUS = CALLS[0]
DESTROY = _destroy_unit('sweep', '{leftover}')
UNSET = _unset('sweep', COORDINATOR, OPTION)
REMOVE = _remove_secret('sweep', '{leftover}')
"""What removes the traces of the others, whatever became of them; the answers are not kept."""
