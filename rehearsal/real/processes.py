"""Programs that run as the servers' account and end when this process does."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence

from rehearsal.real import account, keeper

_KEEPER = pathlib.Path(keeper.__file__).resolve()
_ENVIRONMENT = {'PATH': os.defpath, 'LC_ALL': 'C.UTF-8', 'TZ': 'UTC'}
"""All that a program sees: nobody's PG* or PGBACKREST_* variables steer it."""


class ProgramFailed(Exception):
    """A program ended with an error, or took too long. Says what it wrote."""

    def __init__(self, name: str, code: int, stdout: str, stderr: str):
        super().__init__(stderr.strip() or stdout.strip() or f'{name} ended with {code}')
        self.code = code
        self.stdout = stdout
        self.stderr = stderr


@dataclasses.dataclass(frozen=True)
class Ran:
    """What a program wrote."""

    stdout: str
    stderr: str


class Kept:
    """A program in the background."""

    def __init__(
        self,
        who: account.Account,
        command: Sequence[str],
        ending: signal.Signals,
        *,
        home: pathlib.Path,
        output: int,
        environment: Mapping[str, str],
    ):
        watched, self._held = os.pipe()
        keep = [str(ending.name), str(who.uid), str(who.gid)]
        try:
            self.process = subprocess.Popen(
                # Nothing of the project is imported by it, so that it starts quickly.
                [sys.executable, '-I', '-S', str(_KEEPER), *keep, *command],
                stdin=watched,
                stdout=output,
                stderr=output,
                cwd=home,
                env={**_ENVIRONMENT, **environment},
                # Ctrl-C is for the rehearsal, which then ends its programs in order.
                start_new_session=True,
            )
        except OSError:
            self.let_go()
            raise
        finally:
            os.close(watched)

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def let_go(self) -> None:
        """Have the program end, if it still runs."""
        if self._held >= 0:
            os.close(self._held)
            self._held = -1


class Crew:
    """Every program of a rehearsal. Safe to use from several threads."""

    def __init__(self, who: account.Account):
        self.who = who
        self._lock = threading.Lock()
        self._kept: set[Kept] = set()
        self._closed = False

    def run(
        self,
        command: Sequence[str],
        *,
        home: pathlib.Path,
        seconds: float = 120.0,
        environment: Mapping[str, str] | None = None,
    ) -> Ran:
        """Run a program to its end.

        Raises:
            ProgramFailed: it ended with another code than 0, or did not end in time.
        """
        kept = self._keep(
            command,
            signal.SIGTERM,
            home=home,
            output=subprocess.PIPE,
            environment=environment or {},
        )
        try:
            output, errors = kept.process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            kept.let_go()
            kept.process.communicate()
            raise ProgramFailed(command[0], -1, '', f'no end after {seconds:.0f} s') from None
        finally:
            kept.let_go()
            self._forget(kept)
        stdout, stderr = output.decode(errors='replace'), errors.decode(errors='replace')
        if kept.process.returncode != 0:
            raise ProgramFailed(command[0], kept.process.returncode, stdout, stderr)
        return Ran(stdout, stderr)

    def start(self, command: Sequence[str], *, home: pathlib.Path, log: pathlib.Path) -> Kept:
        """Start a server that writes to a log, and that SIGQUIT ends at once."""
        with log.open('ab') as output:
            self.who.take(log)
            return self._keep(
                command, signal.SIGQUIT, home=home, output=output.fileno(), environment={}
            )

    def end(self, kept: Kept) -> None:
        """End a program, and wait until it is gone."""
        kept.let_go()
        kept.process.wait(2 * keeper.PATIENCE)
        self._forget(kept)

    def close(self) -> None:
        """End every program; none begins any more."""
        with self._lock:
            self._closed = True
            left = list(self._kept)
        for kept in left:
            kept.let_go()
        for kept in left:
            kept.process.wait(2 * keeper.PATIENCE)

    def _keep(
        self,
        command: Sequence[str],
        ending: signal.Signals,
        *,
        home: pathlib.Path,
        output: int,
        environment: Mapping[str, str],
    ) -> Kept:
        with self._lock:
            if self._closed:
                raise ProgramFailed(command[0], -1, '', 'the rehearsal is over')
            kept = Kept(
                self.who, command, ending, home=home, output=output, environment=environment
            )
            self._kept.add(kept)
            return kept

    def _forget(self, kept: Kept) -> None:
        with self._lock:
            self._kept.discard(kept)
