"""Somebody who reads what any user of a machine can read of its processes, and root."""

from __future__ import annotations

import pathlib

from rehearsal import embedded, model
from rehearsal.agent import child, context, tool_server


class Onlooker:
    """Keeps the arguments and the environment of every process that the coordinator has."""

    def __init__(self, running: embedded.Embedded):
        self._running = running
        self._seen: set[bytes] = set()
        self.dispatches = 0
        self.services = 0
        running.agent.on_dispatch = self._dispatch
        running.agent.on_tool = self._tool

    @property
    def seen(self) -> bytes:
        """All that was read."""
        return b'\n'.join(sorted(self._seen))

    def _dispatch(self, unit: model.Unit, event: model.Event, process: child.Child) -> None:
        self.dispatches += 1
        self._look(process.pid)

    def _tool(self, run: context.Context, call: tool_server.Call) -> None:
        self._seen.add(' '.join((call.name, *call.arguments)).encode())
        self._look(call.caller)
        for service in self._running.agent.systemd.services.values():
            self.services += 1
            self._seen.add(' '.join(service.argv).encode())
            if service.child is not None:
                self._look(service.child.pid)

    def _look(self, pid: int) -> None:
        for name in ('cmdline', 'environ'):
            try:
                self._seen.add(pathlib.Path(f'/proc/{pid}/{name}').read_bytes())
            except OSError:
                # It has ended meanwhile, or this machine has no /proc.
                continue
