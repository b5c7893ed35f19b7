"""Watching shows what show-operation says until the operation is over, each look once."""

from __future__ import annotations

import io
import json
import pathlib

import pytest

from rehearsal import watching

_JUJU = """\
#!/bin/sh
here=${0%/*}
number=$(cat "$here/number")
case "$*" in *format=json*) cat "$here/$number.json"; echo $((number + 1)) > "$here/number.new";;
*) cat "$here/$number.text"; mv "$here/number.new" "$here/number";; esac
"""


def answering(folder: pathlib.Path, *looks: tuple[str, str]) -> pathlib.Path:
    """Return a `juju` that shows one text and status after the other."""
    for number, (text, status) in enumerate(looks):
        for form, result in (('text', text), ('json', json.dumps({'status': status}))):
            answer = {'coordinator/0': {'results': {'operation': result}}}
            (folder / f'{number}.{form}').write_text(json.dumps(answer))
    (folder / 'number').write_text('0')
    juju = folder / 'juju'
    juju.write_text(_JUJU)
    juju.chmod(0o755)
    return juju


@pytest.mark.parametrize(('status', 'code'), [('complete', 0), ('failed', 1), ('held', 1)])
def test_it_shows_each_look_once_until_the_end(tmp_path: pathlib.Path, status: str, code: int):
    juju = answering(tmp_path, ('10 %', 'open'), ('10 %', 'open'), ('done', status))
    out, pauses = io.StringIO(), list[float]()
    assert watching.watch(juju, out, pauses.append) == code
    assert out.getvalue() == '10 %\n\ndone\n\n'
    assert len(pauses) == 2


def test_without_an_operation_it_says_how_to_begin_one(tmp_path: pathlib.Path):
    juju = tmp_path / 'juju'
    juju.write_text('#!/bin/sh\nexit 1\n')
    juju.chmod(0o755)
    out = io.StringIO()
    assert watching.watch(juju, out, lambda seconds: None) == 1
    assert 'backup-all' in out.getvalue()
