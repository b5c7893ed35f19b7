"""Plans of steps that only note that they were entered, for tests of the engine."""

from __future__ import annotations

from collections.abc import Callable

from coordinator import ports
from coordinator.engine import advance, operation, step


class Toy:
    """A thing in the world that steps change: it notes every effect, and can be told to fail."""

    def __init__(self) -> None:
        self.effects: list[str] = []
        self.looks: list[str] = []
        self.answers: dict[str, list[step.Outcome | Exception]] = {}

    def step(
        self,
        name: str,
        undoable: bool = True,
        only_looks: bool = False,
        tolerated: bool = False,
        mark: Callable[[operation.Operation, ports.World], step.Mark] | None = None,
    ) -> step.Step:
        """Return a step that does and undoes `name`."""
        return step.Step(
            name,
            '',
            self._entering(name),
            undo=self._entering(f'undo {name}') if undoable else None,
            only_looks=only_looks,
            tolerated=tolerated,
            mark=mark,
        )

    def _entering(self, name: str) -> step.Handler:
        def enter(op: operation.Operation, world: ports.World) -> step.Outcome:
            self.effects.append(name)
            answers = self.answers.get(name)
            answer = answers.pop(0) if answers else step.Done()
            if isinstance(answer, Exception):
                raise answer
            return answer

        return enter

    def plan(self, *names: str) -> step.Plan:
        """Return a plan of plain steps."""
        return step.Plan('backup-all', tuple(self.step(name) for name in names))


def run(
    op: operation.Operation, plan: step.Plan, world: ports.World, limit: int = 50
) -> operation.Operation:
    """Dispatch until nothing changes, going through JSON each time as the databag does."""
    for _ in range(limit):
        text = advance.advance(op, plan, world).to_json()
        if text == op.to_json():
            return op
        op = operation.Operation.from_json(text)
    raise AssertionError(f'the operation still moves after {limit} dispatches')


def states(op: operation.Operation) -> dict[str, str]:
    return {entry.name: entry.state for entry in op.steps}
