"""A child process in a process group of its own, with what it used up measured."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pathlib
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import IO

_LEFT_OPEN_SECONDS = 0.1
"""How long the agent goes on reading when something still holds an ended child's output."""


@dataclasses.dataclass(frozen=True)
class Ended:
    """How a child ended; a negative exit code is the signal that killed it."""

    exit_code: int
    stdout: bytes
    stderr: bytes
    cpu_seconds: float
    """User and system time, of the child and of those that it has waited for."""
    max_rss_bytes: int
    """As the kernel counts it: never below what the parent had when it started the child."""

    @property
    def killed(self) -> bool:
        return self.exit_code < 0


class Child:
    """A running child. `wait` blocks; everything else may be called from any thread."""

    def __init__(self, argv: Sequence[str], env: Mapping[str, str], cwd: pathlib.Path):
        self._process = subprocess.Popen(
            argv,
            env=env,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self.pid = self._process.pid
        self._reaped = threading.Event()

    def wait(self, outputs_closed: bool = False) -> Ended:
        """Wait for the end of the child, and read its output.

        Something that the child left running may hold the output open: it is read for a moment
        longer, or, with `outputs_closed`, to its end.
        """
        outputs = [_Output(stream) for stream in (self._process.stdout, self._process.stderr)]
        _, status, usage = os.wait4(self.pid, 0)
        self._process.returncode = os.waitstatus_to_exitcode(status)
        self._reaped.set()
        for output in outputs:
            output.join(None if outputs_closed else _LEFT_OPEN_SECONDS)
        return Ended(
            self._process.returncode,
            outputs[0].content,
            outputs[1].content,
            usage.ru_utime + usage.ru_stime,
            usage.ru_maxrss * (1 if sys.platform == 'darwin' else 1024),
        )

    def wait_until_gone(self, seconds: float) -> None:
        """Wait until another thread's `wait` has seen the end; kill the group if it does not."""
        if not self._reaped.wait(seconds):
            self.kill_group()
            self._reaped.wait(seconds)

    def kill(self) -> None:
        """SIGKILL the child alone: what it has started lives on."""
        if not self._reaped.is_set():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    def terminate_group(self) -> None:
        """SIGTERM the child and all that it has started."""
        self._signal_group(signal.SIGTERM)

    def kill_group(self) -> None:
        """SIGKILL the child and all that it has started."""
        self._signal_group(signal.SIGKILL)

    def pause_group(self) -> None:
        """SIGSTOP the child and all that it has started."""
        self._signal_group(signal.SIGSTOP)

    def resume_group(self) -> None:
        """SIGCONT the child and all that it has started."""
        self._signal_group(signal.SIGCONT)

    def _signal_group(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)


class _Output:
    """Reads one output of a child in a thread of its own."""

    def __init__(self, stream: IO[bytes] | None):
        assert stream is not None
        self._stream = stream
        self._chunks: list[bytes] = []
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def join(self, seconds: float | None) -> None:
        self._thread.join(seconds)

    @property
    def content(self) -> bytes:
        return b''.join(tuple(self._chunks))

    def _read(self) -> None:
        with self._stream:
            while chunk := os.read(self._stream.fileno(), 65536):
                self._chunks.append(chunk)
