"""The facades that are served, and in which versions by Juju 3.6 and by 4.0."""

from __future__ import annotations

from rehearsal import model
from rehearsal.controller import (
    action,
    application,
    application_info,
    blocks,
    enqueueing,
    model_info,
    operations,
    rpc,
    secrets,
    status,
    storage,
    users,
    watchers,
)

_NONE: tuple[int, ...] = ()

ALL: dict[str, rpc.Facade] = {
    facade.name: facade
    for facade in (
        rpc.Facade(
            'Action',
            (7,),
            (7,),
            action.METHODS | enqueueing.METHODS | operations.METHODS | watchers.ACTION,
        ),
        rpc.Facade('AllWatcher', (3,), _NONE, watchers.ALL_WATCHER),
        rpc.Facade('Annotations', (2,), (2,), model_info.ANNOTATIONS),
        rpc.Facade(
            'Application',
            range(15, 23),
            range(19, 23),
            application.METHODS | application_info.METHODS,
        ),
        rpc.Facade('Block', (2,), (2,), blocks.METHODS),
        rpc.Facade('Client', (6, 7, 8), (8,), status.METHODS | watchers.CLIENT),
        rpc.Facade('ModelConfig', (3,), (3, 4), model_info.MODEL_CONFIG),
        rpc.Facade(
            'ModelManager',
            (9, 10),
            (10,),
            model_info.MODEL_MANAGER | users.MODEL_MANAGER,
            on_model=False,
            on_controller=True,
        ),
        rpc.Facade('Pinger', (1,), (1,), model_info.PINGER, on_controller=True),
        rpc.Facade('Secrets', (1, 2), (1, 2), secrets.METHODS),
        rpc.Facade('Storage', (6, 7), (6, 7), storage.METHODS),
        rpc.Facade('StringsWatcher', (1,), (1,), watchers.STRINGS_WATCHER),
        rpc.Facade(
            'UserManager', (3,), (3,), users.USER_MANAGER, on_model=False, on_controller=True
        ),
    )
}


def find(juju: model.Model, on_model: bool, name: str, version: int, method: str) -> rpc.Method:
    """Return a method for a connection to the model, or to the controller alone."""
    facade = ALL.get(name)
    if facade is None or not facade.versions(juju):
        raise rpc.not_implemented(juju, name, version, known=False)
    if not facade.on(on_model):
        place = 'model' if on_model else 'controller'
        text = f'facade "{name}" not supported for {place} API connection'
        raise rpc.ApiError(text, 'not supported')
    if version not in facade.versions(juju):
        raise rpc.not_implemented(juju, name, version)
    found = facade.methods.get(method)
    if found is None or not found.offered(juju, version):
        raise rpc.not_implemented(juju, name, version, method)
    return found
