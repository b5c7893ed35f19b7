"""The integration tests' looks outlive a controller that restarts; their commands do not."""

from __future__ import annotations

import pathlib

import jubilant
import pytest

from tests.integration import looking

_JUJU = """\
#!/bin/sh
here=${0%/*}
echo "$*" >> "$here/calls"
[ "$(wc -l < "$here/calls")" -gt 2 ] || { echo 'ERROR connection is shut down' >&2; exit 1; }
echo seen
"""


@pytest.fixture
def juju(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> jubilant.Juju:
    """A `juju` whose controller is away for the first two calls."""
    monkeypatch.setattr(looking, '_EVERY_SECONDS', 0)
    program = tmp_path / 'juju'
    program.write_text(_JUJU)
    program.chmod(0o755)
    return jubilant.Juju(cli_binary=str(program))


def calls(juju: jubilant.Juju) -> int:
    return len(pathlib.Path(juju.cli_binary).with_name('calls').read_text().splitlines())


def test_a_look_is_repeated_until_the_controller_is_back(juju: jubilant.Juju):
    assert looking.look(lambda: juju.cli('status')) == 'seen\n'
    assert calls(juju) == 3


def test_waiting_goes_on_while_the_controller_is_away(juju: jubilant.Juju):
    looking.until(lambda: juju.cli('status') == 'seen\n', 60)
    assert calls(juju) == 3


def test_a_controller_that_stays_away_is_given_up(juju: jubilant.Juju):
    with pytest.raises(jubilant.CLIError):
        looking.look(lambda: juju.cli('status'), seconds=0)
    assert calls(juju) == 1


def test_a_claim_that_fails_in_a_look_fails_at_once():
    def reached() -> bool:
        raise AssertionError('it ended before')

    with pytest.raises(AssertionError, match='it ended before'):
        looking.until(reached, 60)


def test_what_never_comes_is_given_up():
    with pytest.raises(TimeoutError, match='not so after 0 s'):
        looking.until(lambda: False, 0)


def test_a_command_is_sent_once(juju: jubilant.Juju):
    with pytest.raises(jubilant.CLIError):
        juju.remove_unit('postgresql/0')
    assert calls(juju) == 1
