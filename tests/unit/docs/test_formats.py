"""The tables of the page of formats are those of the models that are written."""

from __future__ import annotations

import dataclasses
import re
import types
import typing
from collections.abc import Iterator, Mapping

import pydantic
import pytest

from coordinator.engine import formats, operation, settings
from coordinator.record import ended, history
from coordinator.sets import addendum, documents, images, manifest, rehearsal, verification
from docs.generate import contents

PAGE = (contents.ROOT / 'docs/reference/formats.md').read_text()
MODELS: Mapping[str, type] = {
    'Manifest': manifest.Manifest,
    'Signature': documents.Signature,
    'Addendum': addendum.Addendum,
    'Model': manifest.Model,
    'Maas': manifest.Maas,
    'PostgreSQL': manifest.PostgreSQL,
    'Passwords': manifest.Passwords,
    'Images': manifest.Images,
    'Inventory': manifest.Inventory,
    'Charm': manifest.Charm,
    'Images of MAAS': images.Reading,
    'Image': images.Image,
    'File': images.File,
    'Place': manifest.Place,
    'Object': manifest.Object,
    'Verification': verification.Verification,
    'Rehearsal': rehearsal.Result,
    'Operation record': operation.Operation,
    'Step': operation.StepEntry,
    'Settings': settings.Settings,
    'Ended operation': ended.Ended,
    'History': history.Message,
}
"""By the heading of its section."""
_NAMES = {str: 'text', int: 'number', bool: 'boolean', tuple: 'list', dict: 'map'}


def written(heading: str) -> dict[str, str]:
    """Return the fields of a section, and what they hold."""
    begin = re.search(rf'^#+ {heading}\n', PAGE, re.MULTILINE)
    assert begin, f'the page has no section {heading}'
    section = re.split(r'^#', PAGE[begin.end() :], maxsplit=1, flags=re.MULTILINE)[0]
    return dict(re.findall(r'^\| `([\w-]+)` \| (\w+) \|', section, re.MULTILINE))


def declared(model: type) -> Iterator[tuple[str, str]]:
    """Yield the fields of a model, and what they hold in JSON."""
    if issubclass(model, pydantic.BaseModel):
        for name, field in model.model_fields.items():
            if field.exclude:
                continue
            yield name.replace('_', '-'), holds(field.annotation)
        return
    hints = typing.get_type_hints(model)
    for field in dataclasses.fields(model):
        # Messages of a dispatch are no part of the record.
        if (model, field.name) != (operation.Operation, 'said'):
            yield field.name, holds(hints[field.name])


def holds(kind: object) -> str:
    if typing.get_origin(kind) in (types.UnionType, typing.Union):
        (kind,) = (part for part in typing.get_args(kind) if part is not types.NoneType)
    if typing.get_origin(kind) is typing.Annotated:
        kind = typing.get_args(kind)[0]
    origin = typing.get_origin(kind) or kind
    if origin is Mapping:
        return 'map'
    return _NAMES.get(origin, 'object') if isinstance(origin, type) else 'object'


@pytest.mark.parametrize('heading', MODELS)
def test_a_section_has_the_fields_of_its_model(heading: str):
    assert written(heading) == dict(declared(MODELS[heading]))


def test_the_page_names_the_versions_that_are_written():
    assert f'manifest.json`, version {manifest.VERSION}.' in PAGE
    assert f'key `operation`, format {formats.FORMAT}.' in PAGE
    former = re.findall(r'^\| record \| (\d+) \|', PAGE, re.MULTILINE)
    assert former == [str(number) for number in range(1, formats.FORMAT)]


def test_the_page_names_every_state_and_status():
    for name in ('OPEN', 'HELD', 'COMPLETE', 'FAILED', 'ABORTED'):
        assert f'`{getattr(operation, name)}`' in PAGE
    for name in ('TO_DO', 'DOING', 'DONE', 'BROKEN', 'UNDOING', 'UNDONE'):
        assert f'`{getattr(operation, name)}`' in PAGE
