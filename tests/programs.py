"""Stand-ins for the programs that the charm starts: they note how they were called."""

from __future__ import annotations

import os
import pathlib

import pytest

_SCRIPT = """\
#!/bin/sh
here=${0%/*} name=${0##*/}
{ printf '%s' "$name"; printf '\\t%s' "$@"; echo; } >> "$here/calls"
[ ! -e "$here/$name.hangs" ] || exec sleep 60
cat "$here/$name.stdout"
cat "$here/$name.stderr" >&2
exit "$(cat "$here/$name.code")"
"""


class Programs:
    """`systemd-run`, `systemctl`, `is-leader` and `more` first on PATH."""

    def __init__(self, folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch, *more: str):
        self._folder = folder
        folder.mkdir()
        for name in ('systemd-run', 'systemctl', 'is-leader', *more):
            program = folder / name
            program.write_text(_SCRIPT)
            program.chmod(0o755)
            self.answer(name)
        self.answer('systemctl', stdout='inactive\n', code=3)
        self.answer('is-leader', stdout='true\n')
        monkeypatch.setenv('PATH', f'{folder}{os.pathsep}{os.environ["PATH"]}')

    def answer(self, name: str, stdout: str = '', stderr: str = '', code: int = 0) -> None:
        """Let a program answer like this from now on."""
        (self._folder / f'{name}.stdout').write_text(stdout)
        (self._folder / f'{name}.stderr').write_text(stderr)
        (self._folder / f'{name}.code').write_text(str(code))

    def hang(self, name: str) -> None:
        """Let a program not come back any more."""
        (self._folder / f'{name}.hangs').touch()

    @property
    def calls(self) -> list[list[str]]:
        """Every call so far: name and arguments."""
        log = self._folder / 'calls'
        return [line.split('\t') for line in log.read_text().splitlines()] if log.exists() else []

    @property
    def started(self) -> int:
        """How often a pacemaker was started."""
        return sum(
            call[0] == 'systemd-run' and any(word.endswith('-pacemaker') for word in call)
            for call in self.calls
        )

    @property
    def stopped(self) -> int:
        """How often a pacemaker was stopped."""
        return sum(
            call[:2] == ['systemctl', 'stop'] and call[-1].endswith('-pacemaker')
            for call in self.calls
        )
