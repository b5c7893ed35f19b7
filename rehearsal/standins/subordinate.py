"""A subordinate charm, such as an agent for observability: it only lives beside its principal."""

from __future__ import annotations

from rehearsal import clock, model
from rehearsal.standins import behaviour, host


class Subordinate:
    """Is active, and does nothing."""

    peers = 'agent-peers'

    def __init__(self, switches: behaviour.Behaviour | None = None):
        self.behaviour = switches or behaviour.Behaviour()
        self.charm = model.CharmSpec(
            'grafana-agent',
            endpoints=(model.Endpoint(self.peers, 'peer', 'agent-peers'),),
            channel='1/stable',
            revision=479,
        )

    def hook(self, here: host.Host, name: str) -> clock.Work:
        yield self.behaviour.hook
        here.set_status('blocked' if self.behaviour.blocked else 'active', self.behaviour.blocked)

    def action(self, here: host.Host, name: str) -> clock.Work:
        raise host.ActionError(f'{name} is no action of a subordinate')

    def removed(self, model_uuid: str, unit: str) -> None:
        """It has nothing there."""
