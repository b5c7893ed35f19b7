"""A model whose answers get lost: a call takes effect, and whoever made it hears of an error."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from coordinator import errors, ports
from rehearsal import direct, model

_T = TypeVar('_T')


class LosingModel(direct.DirectModel):
    """Loses the answer to the first call of one kind; that call takes effect `seconds` later."""

    def __init__(self, juju: model.Model, user: model.User, loses: str, seconds: float = 0.0):
        """Name the call that is lost: a method, with the action for run_action."""
        super().__init__(juju, user)
        self._clock = juju.clock
        self._loses = loses
        self._seconds = seconds
        self.sent: list[str] = []
        """Every call with an effect so far."""

    @property
    def lost(self) -> bool:
        """Whether the answer has been lost by now."""
        return self._loses in self.sent

    def _send(self, call: str, effect: Callable[[], _T]) -> _T:
        losing = call == self._loses and not self.lost
        self.sent.append(call)
        if not losing:
            return effect()
        if self._seconds:
            self._clock.later(self._seconds, effect)
        else:
            effect()
        raise errors.AnswerLost('the connection broke before the answer')

    def run_action(
        self, unit: str, action: str, parameters: Mapping[str, str | bool | int]
    ) -> ports.Task:
        run = super().run_action
        return self._send(f'run_action {action}', lambda: run(unit, action, parameters))

    def add_units(
        self, application: str, count: int, machines: Sequence[str] = ()
    ) -> Sequence[str]:
        add = super().add_units
        return self._send('add_units', lambda: add(application, count, machines))

    def remove_unit(self, unit: str) -> None:
        remove = super().remove_unit
        self._send('remove_unit', lambda: remove(unit))
