"""Reads decoded JSON as objects of classes that declare what they hold.

A library for this takes longer to import than a waiting beat takes for all else, and a beat reads
two small answers.
"""

from __future__ import annotations

import collections.abc
import functools
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NamedTuple, Self

Reader = Callable[[object], object]

NOTHING: Mapping[str, Any] = types.MappingProxyType({})
"""Default of a mapping."""


class ShapeError(ValueError):
    """A value has not the declared shape; the text names its place and never quotes it."""

    def __init__(self, why: str, place: str = ''):
        super().__init__(f'{place}: {why}' if place else why)
        self.why = why
        self.place = place

    def below(self, name: object) -> ShapeError:
        """Return the error as the container sees it that has the value under a name."""
        return ShapeError(self.why, f'{name}.{self.place}' if self.place else str(name))


class From(NamedTuple):
    """How an annotated field is read: as another type first, then converted.

    The conversion raises ValueError for what it cannot read.
    """

    source: Any
    convert: Callable[[Any], object]


@typing.dataclass_transform(frozen_default=True, kw_only_default=True)
class Shape:
    """Base of all shapes. A field without a default must be there; null is the same as absent."""

    _readers: ClassVar[Mapping[str, tuple[str, Reader]] | None] = None

    def __init__(self, **values: Any):
        # What is not given is found in the class, as its default.
        vars(self).update(values)

    def replacing(self, **values: Any) -> Self:
        """Return a copy with other values of these fields."""
        return type(self)(**(vars(self) | values))

    @classmethod
    def read(cls, value: object) -> Self:
        """Return an object of this shape.

        Raises:
            ShapeError: the value has another.
        """
        if not isinstance(value, Mapping):
            raise ShapeError('no object')
        given: Mapping[str, object] = typing.cast(Mapping[str, object], value)
        found: dict[str, object] = {}
        for key, (name, reader) in cls._fields().items():
            content = given.get(key)
            if content is not None:
                found[name] = _placed(reader, content, key)
            elif not hasattr(cls, name):
                raise ShapeError('missing', key)
        return cls(**found)

    @classmethod
    def _fields(cls) -> Mapping[str, tuple[str, Reader]]:
        """Return the name and reader of each field, by its name in JSON."""
        if '_readers' not in vars(cls):
            hints = typing.get_type_hints(cls, include_extras=True)
            cls._readers = {
                name.replace('_', '-'): (name, _reader(hint))
                for name, hint in hints.items()
                if name != '_readers'
            }
        assert cls._readers is not None
        return cls._readers


def _placed(reader: Reader, value: object, name: object) -> object:
    try:
        return reader(value)
    except ShapeError as error:
        raise error.below(name) from None


def _reader(hint: Any) -> Reader:
    """Return what reads values of a type."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        how: From = arguments[1]
        return functools.partial(_converted, how.convert, _reader(how.source))
    if origin is types.UnionType:
        # Only ever with None, which is treated as absent.
        return _reader(arguments[0])
    if origin is collections.abc.Sequence:
        return functools.partial(_sequence, _reader(arguments[0]))
    if origin is collections.abc.Mapping:
        return functools.partial(_mapping, _reader(arguments[1]))
    if hint is Any:
        return lambda value: value
    if issubclass(hint, Shape):
        return hint.read
    return functools.partial(_plain, hint)


def _plain(kind: type, value: object) -> object:
    # In Python a bool is an int.
    if type(value) is not kind:
        raise ShapeError(f'no {kind.__name__}')
    return value


def _converted(convert: Callable[[Any], object], reader: Reader, value: object) -> object:
    read = reader(value)
    try:
        return convert(read)
    except ValueError:
        # Not chained: its text quotes the value.
        pass
    raise ShapeError('value not understood')


def _sequence(reader: Reader, value: object) -> object:
    if not isinstance(value, list):
        raise ShapeError('no list')
    items = typing.cast(list[object], value)
    return [_placed(reader, item, number) for number, item in enumerate(items)]


def _mapping(reader: Reader, value: object) -> object:
    if not isinstance(value, Mapping):
        raise ShapeError('no object')
    items = typing.cast(Mapping[str, object], value)
    return {key: _placed(reader, item, key) for key, item in items.items()}
