"""One charm for all stand-ins: its name says which one it is."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import ops

from rehearsal import clock
from rehearsal.standins import host, maas_region, postgresql, s3_integrator, stand_in
from rehearsal.thin_charm import unit_host

SWITCHES = 'stand-in-switches'
"""Option that only the stand-ins have: `name=value` of their behaviour, separated by blanks."""


class ThinCharm(ops.CharmBase):
    """Lets a stand-in do all the work."""

    def __init__(self, framework: ops.Framework):
        super().__init__(framework)
        self._stand_in = stand_in_of(self.meta.name, 'credentials' in self.meta.config)
        self._actions = {name.replace('-', '_'): name for name in self.meta.actions}
        for event in self.on.events().values():
            if issubclass(event.event_type, ops.ActionEvent):
                framework.observe(event, self._on_action)
            elif issubclass(event.event_type, ops.HookEvent):
                framework.observe(event, self._on_hook)

    def _on_hook(self, event: ops.HookEvent) -> None:
        here = self._host(event)
        # An error ends the dispatch, and Juju runs the hook again.
        carry_out(self._stand_in.hook(here, event.handle.kind.replace('_', '-')))
        here.commit()

    def _on_action(self, event: ops.ActionEvent) -> None:
        here = self._host(event)
        name = self._actions[event.handle.kind.removesuffix('_action')]
        try:
            carry_out(self._stand_in.action(here, name))
        except host.ActionError as error:
            event.fail(str(error))
        event.set_results(here.results)
        here.commit()

    def _host(self, event: ops.EventBase) -> unit_host.UnitHost:
        set_switches(self._stand_in, self.config)
        return unit_host.UnitHost(self, event, self._stand_in.peers)


def stand_in_of(charm: str, takes_credentials: bool = False) -> stand_in.StandIn:
    """Return the stand-in of a charm; s3-integrator's track 2 takes credentials as an option."""
    if charm == 's3-integrator':
        return s3_integrator.S3Integrator(2 if takes_credentials else 1)
    return {'maas-region': maas_region.MaasRegion, 'postgresql': postgresql.Postgresql}[charm]()


def set_switches(stood_in: stand_in.StandIn, config: Mapping[str, Any]) -> None:
    """Set a stand-in's switches as the option of its charm has them."""
    for switch in str(config.get(SWITCHES, '')).split():
        name, _, value = switch.partition('=')
        stood_in.behaviour.set(name, value)


def carry_out(work: clock.Work) -> None:
    """Carry work out in this process, and let it take the time that it says."""
    answer, problem = None, None
    while True:
        try:
            wanted = work.throw(problem) if problem else work.send(answer)
        except StopIteration:
            return
        answer, problem = None, None
        if callable(wanted):
            try:
                answer = wanted()
            except Exception as error:
                # For the stand-in to judge, as in the model in memory.
                problem = error
        else:
            time.sleep(wanted)
