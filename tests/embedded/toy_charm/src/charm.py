"""A charm that does what the unit agent's tests ask of it."""

from __future__ import annotations

import json
import os
import signal

import ops
from ops import hookcmds


class AdvanceEvent(ops.EventBase):
    """Dispatched through juju-exec."""


class ToyCharm(ops.CharmBase):
    """The toy."""

    def __init__(self, framework: ops.Framework):
        super().__init__(framework)
        self.on.define_event('advance', AdvanceEvent)
        observe = framework.observe
        observe(self.on.config_changed, self._on_config_changed)
        observe(self.on.advance, self._on_advance)
        observe(self.on.put_action, self._on_put)
        observe(self.on.environment_action, self._on_environment)
        observe(self.on.read_secret_action, self._on_read_secret)
        observe(self.on.store_secret_action, self._on_store_secret)
        observe(self.on.tour_action, self._on_tour)

    @property
    def _bag(self) -> ops.RelationDataContent:
        peers = self.model.get_relation('peers')
        assert peers is not None
        return peers.data[self.app]

    def _on_config_changed(self, _: ops.ConfigChangedEvent) -> None:
        greeting = str(self.config['greeting'])
        if greeting == 'crash':
            raise RuntimeError('asked to crash')
        self.unit.status = ops.ActiveStatus(greeting)

    def _on_advance(self, _: AdvanceEvent) -> None:
        self._bag['count'] = str(int(self._bag.get('count', '0')) + 1)
        self._end_as(str(self.config['greeting']))

    def _on_put(self, event: ops.ActionEvent) -> None:
        self.unit.status = ops.MaintenanceStatus('putting')
        event.log('putting')
        event.set_results({'put': {'value': event.params['value']}})
        self._bag['value'] = event.params['value']
        if event.params['then'] == 'fail':
            event.fail('asked to fail')
        self._end_as(event.params['then'])

    def _end_as(self, how: str) -> None:
        if how == 'crash':
            raise RuntimeError('asked to crash')
        if how == 'killed':
            os.kill(os.getpid(), signal.SIGKILL)
        if how == 'hang':
            signal.pause()

    def _on_environment(self, event: ops.ActionEvent) -> None:
        event.set_results({'environment': json.dumps(dict(os.environ))})

    def _on_read_secret(self, event: ops.ActionEvent) -> None:
        try:
            secret = self.model.get_secret(id=event.params['id'])
            event.set_results({'content': json.dumps(secret.get_content(refresh=True))})
        except (ops.SecretNotFoundError, ops.ModelError) as error:
            event.fail(f'{type(error).__name__}: {error}')

    def _on_store_secret(self, event: ops.ActionEvent) -> None:
        secret = self.app.add_secret({'password': 'sesame'}, label='door')
        again = self.model.get_secret(label='door')
        event.set_results({'id': secret.id, 'content': json.dumps(again.get_content())})

    def _on_tour(self, event: ops.ActionEvent) -> None:
        self.unit.open_port('tcp', 80)
        self.unit.set_workload_version('1.2')
        if self.unit.is_leader():
            self.app.status = ops.ActiveStatus('touring')
        hookcmds.state_set({'b': '2', 'a': '1'})
        hookcmds.state_delete('b')
        binding = self.model.get_binding('peers')
        assert binding is not None
        event.set_results(
            {
                'planned-units': self.app.planned_units(),
                'address': str(binding.network.ingress_address),
                'status': hookcmds.status_get(app=True).message,
                'state': json.dumps(hookcmds.state_get(None)),
                'secret-ids': json.dumps(hookcmds.secret_ids()),
            }
        )


if __name__ == '__main__':
    ops.main(ToyCharm)
