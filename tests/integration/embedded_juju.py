"""A `juju` on PATH, and behind it a controller in this process: nothing else is needed."""

from __future__ import annotations

import contextlib
import os
import pathlib
from collections.abc import Generator

import pytest

from rehearsal import cloud, hosted
from rehearsal.juju import serving


@contextlib.contextmanager
def on_path(root: pathlib.Path, version: str) -> Generator[cloud.Cloud]:
    """Let every `juju` that this process starts speak to an embedded controller.

    Args:
        root: an empty folder.
        version: of Juju.
    """
    with hosted.LoopThread() as thread, pytest.MonkeyPatch.context() as patch:
        controller = cloud.Cloud(root, version)
        line = thread.run(serving.serve(controller, root / 'bin'))
        patch.setenv('PATH', f'{root / "bin"}{os.pathsep}{os.environ["PATH"]}')
        try:
            yield controller
        finally:
            thread.call(line.close)
            thread.run(controller.stop())
