"""What listens to a charm leaves the source tree as it is."""

from __future__ import annotations

import pathlib

from tests.security import listener


def test_a_folder_that_is_a_link_is_copied_before_anything_is_put_there(tmp_path: pathlib.Path):
    source, charm = tmp_path / 'source', tmp_path / 'charm'
    (source / 'charms').mkdir(parents=True)
    charm.mkdir()
    (charm / 'lib').symlink_to(source)
    listener.install(charm)
    listener.install(charm)
    assert [path.name for path in source.iterdir()] == ['charms']
    assert {path.name for path in (charm / 'lib').iterdir()} >= {'charms', 'sitecustomize.py'}
    assert listener.heard(charm) == []
