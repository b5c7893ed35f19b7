"""A JSON list, read item by item, however it arrives."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator

import hypothesis
import pytest
from hypothesis import strategies as st

from coordinator.maas_api import items

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


def chunked(content: bytes, size: int) -> Iterator[bytes]:
    return (content[at : at + size] for at in range(0, len(content), size))


@hypothesis.given(
    st.lists(st.dictionaries(st.text(), VALUES, max_size=4), max_size=5),
    st.integers(1, 40),
    st.sampled_from([None, 4]),
    st.booleans(),
)
@hypothesis.settings(max_examples=80, deadline=None)
def test_a_list_is_the_same_in_chunks_of_any_size(
    expected: list[dict[str, object]], size: int, indent: int | None, escaped: bool
):
    content = json.dumps(expected, indent=indent, ensure_ascii=escaped)
    # Halves of characters are written as escapes only.
    encoded = (
        content.encode(errors='surrogatepass') if escaped else content.encode(errors='ignore')
    )
    if not escaped:
        expected = json.loads(encoded)
    assert list(items.each(chunked(b' ' + encoded + b'\n', size))) == expected


@hypothesis.given(st.binary(max_size=30), st.integers(1, 9))
@hypothesis.settings(max_examples=100, deadline=None)
def test_whatever_arrives_is_a_list_or_malformed(content: bytes, size: int):
    try:
        found = list(items.each(chunked(b'[{' + content, size)))
    except items.Malformed:
        return
    assert found == json.loads(b'[{' + content)


def test_no_more_than_one_item_is_in_memory():
    machine = {'system_id': 'abc123', 'padding': 'x' * 20_000}
    content = json.dumps(machine, indent=4).encode()

    def arriving() -> Iterator[bytes]:
        yield b'['
        for number in range(2000):
            yield (b',' if number else b'') + content
        yield b']'

    tracemalloc.start()
    count = sum(1 for _ in items.each(arriving()))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 2000
    assert peak < 1 << 20, 'of 40 MB in all'


@pytest.mark.parametrize('constant', ['NaN', 'Infinity', '-Infinity'])
def test_what_json_has_no_word_for_is_malformed(constant: str):
    content = f'[{{"progress": {constant}}}]'.encode()
    with pytest.raises(items.Malformed):
        list(items.each([content]))
    with pytest.raises(items.Malformed):
        items.whole([content], 1000)


def test_a_document_has_a_limit():
    assert items.whole([b'"', b'x"'], 3) == 'x'
    with pytest.raises(items.Malformed, match='more than 3 bytes'):
        items.whole([b'"x', b'x"'], 3)
