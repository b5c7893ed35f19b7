"""Decoded JSON is read as what a class declares, or refused without being quoted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import pytest

from coordinator.juju_api import shapes


class Leaf(shapes.Shape):
    size: int
    colour: str = 'green'


class Tree(shapes.Shape):
    tall_name: str
    leaf: Leaf | None = None
    leaves: Sequence[Leaf] = ()
    by_side: Mapping[str, Leaf] = shapes.NOTHING
    grafts: Mapping[str, Tree] = shapes.NOTHING
    evergreen: bool = False
    age: Annotated[int, shapes.From(str, int)] = 0
    anything: Any = None


class Oak(Tree):
    acorns: int = 0


def test_fields_are_read_by_their_names_in_json():
    found = Tree.read({'tall-name': 'oak', 'evergreen': True, 'anything': [1]})
    assert (found.tall_name, found.evergreen, found.anything) == ('oak', True, [1])


def test_what_is_absent_or_null_has_its_default():
    found = Tree.read({'tall-name': 'oak', 'leaf': None, 'leaves': None})
    assert (found.leaf, found.leaves, found.by_side, found.age) == (None, (), {}, 0)


def test_shapes_hold_shapes_lists_and_mappings_of_them():
    found = Tree.read(
        {
            'tall-name': 'oak',
            'leaf': {'size': 1},
            'leaves': [{'size': 2}, {'size': 3, 'colour': 'red'}],
            'by-side': {'north': {'size': 4}},
            'grafts': {'pear': {'tall-name': 'pear', 'grafts': {'quince': {'tall-name': 'q'}}}},
        }
    )
    assert found.leaf is not None
    assert found.leaf.size == 1
    assert [(leaf.size, leaf.colour) for leaf in found.leaves] == [(2, 'green'), (3, 'red')]
    assert found.by_side['north'].size == 4
    assert found.grafts['pear'].grafts['quince'].tall_name == 'q'


def test_a_shape_has_the_fields_of_the_one_that_it_extends():
    found = Oak.read({'tall-name': 'oak', 'acorns': 7})
    assert (found.tall_name, found.acorns) == ('oak', 7)
    assert not hasattr(Tree.read({'tall-name': 'oak', 'acorns': 7}), 'acorns')


def test_fields_that_no_class_declares_are_ignored():
    assert not hasattr(Leaf.read({'size': 1, 'taste': 'bitter'}), 'taste')


def test_a_field_is_converted_from_what_it_is_in_json():
    assert Tree.read({'tall-name': 'oak', 'age': '300'}).age == 300


@pytest.mark.parametrize(
    ('value', 'said'),
    [
        (None, 'no object'),
        ([], 'no object'),
        ({}, 'tall-name: missing'),
        ({'tall-name': 1}, 'tall-name: no str'),
        ({'tall-name': 'x', 'evergreen': 1}, 'evergreen: no bool'),
        ({'tall-name': 'x', 'leaf': {}}, 'leaf.size: missing'),
        ({'tall-name': 'x', 'leaf': {'size': True}}, 'leaf.size: no int'),
        ({'tall-name': 'x', 'leaf': {'size': 1.0}}, 'leaf.size: no int'),
        ({'tall-name': 'x', 'leaves': {}}, 'leaves: no list'),
        ({'tall-name': 'x', 'leaves': [{'size': 1}, None]}, 'leaves.1: no object'),
        ({'tall-name': 'x', 'by-side': []}, 'by-side: no object'),
        ({'tall-name': 'x', 'by-side': {'n': {'size': ''}}}, 'by-side.n.size: no int'),
        ({'tall-name': 'x', 'age': 300}, 'age: no str'),
    ],
)
def test_another_shape_is_refused_with_its_place(value: object, said: str):
    with pytest.raises(shapes.ShapeError) as caught:
        Tree.read(value)
    assert str(caught.value) == said


def test_a_value_that_cannot_be_converted_is_quoted_nowhere():
    with pytest.raises(shapes.ShapeError, match=r'^age: value not understood$') as caught:
        Tree.read({'tall-name': 'x', 'age': 'p4ssword'})
    error: BaseException | None = caught.value
    while error is not None:
        assert 'p4ssword' not in str(error)
        error = error.__cause__ or error.__context__


def test_a_copy_differs_in_what_is_replaced_alone():
    first = Leaf.read({'size': 1, 'colour': 'red'})
    assert vars(first.replacing(size=2)) == {'size': 2, 'colour': 'red'}
    assert first.size == 1
