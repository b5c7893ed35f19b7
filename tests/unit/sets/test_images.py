"""Readings of MAAS' images: what counts, what is stored, and what has changed between two."""

from __future__ import annotations

import dataclasses

import pytest

from coordinator import errors
from coordinator.ports import maas_port
from coordinator.sets import images


def file(
    name: str = 'root-tgz', sha256: str = 'a1' * 32, *, progress: float = 100.0
) -> maas_port.BootFile:
    return maas_port.BootFile(name, sha256, 1000, sha256[:7], progress == 100.0, progress)


def image(
    name: str = 'custom/rocky-9',
    *files: maas_port.BootFile,
    number: int = 1,
    uploaded: bool = True,
    older: tuple[maas_port.BootSet, ...] = (),
) -> maas_port.BootResource:
    newest = maas_port.BootSet('20260822.1', files or (file(),))
    return maas_port.BootResource(number, name, 'amd64/generic', uploaded, (newest, *older))


def reading(*resources: maas_port.BootResource) -> images.Reading:
    return images.Reading.of(resources)


LATE = file('squashfs', 'b2' * 32, progress=40.0)
OLD = maas_port.BootSet('20260101', (file(sha256='0f' * 32, progress=10.0),))


def test_of_a_downloaded_image_only_the_newest_version_counts():
    found = reading(image(uploaded=False, older=(OLD,)))
    assert not found.incomplete
    assert [f.sha256 for f in found.images[0].files] == ['a1' * 32]


def test_of_an_uploaded_image_every_version_counts():
    found = reading(image(older=(OLD,)))
    assert [i.title for i in found.incomplete] == ['custom/rocky-9 amd64/generic']


@pytest.mark.parametrize(
    'sets', [(), (maas_port.BootSet('20260822.1', ()),)], ids=['no set', 'no file']
)
def test_an_upload_that_has_no_file_yet_is_not_complete(sets: tuple[maas_port.BootSet, ...]):
    begun = dataclasses.replace(image(), sets=sets)
    assert reading(begun).incomplete


def test_the_reason_names_the_first_image_and_its_percentage_and_counts_the_others():
    found = reading(image('custom/b', LATE), image('custom/a', LATE))
    assert images.waiting_for(found) == (
        'image custom/a amd64/generic is 40% synchronised, 1 other image(s) are not complete '
        'either: waiting until every region controller has all of it'
    )


def test_the_reason_changes_only_every_few_percent():
    said = {
        images.waiting_for(reading(image('custom/a', file(progress=percent))))
        for percent in range(100)
    }
    assert len(said) == 20


def test_a_stored_reading_is_read_as_it_was():
    found = reading(image('custom/a', file(), LATE), image('ubuntu/noble', uploaded=False))
    assert images.parse(found.to_json(), 'it') == found
    again = reading(image('ubuntu/noble', uploaded=False), image('custom/a', file(), LATE))
    assert again.to_json() == found.to_json(), 'the order in which MAAS names them does not matter'


@pytest.mark.parametrize('content', [b'', b'[]', b'{"version": 1, "images": [{"id": "x"}]}'])
def test_a_damaged_reading_is_refused(content: bytes):
    with pytest.raises(errors.UnexpectedAnswer, match=r'images\.json is damaged'):
        images.parse(content, 'images.json')


def test_a_reading_of_a_newer_revision_is_refused():
    with pytest.raises(errors.ForeignRecordError, match='has version 2'):
        images.parse(b'{"version": 2, "images": 7}', 'images.json')


NOBLE = image('ubuntu/noble', uploaded=False)


@pytest.mark.parametrize(
    ('now', 'said'),
    [
        ([], 'custom/rocky-9 amd64/generic was deleted'),
        ([image(), image('custom/a')], 'custom/a amd64/generic was uploaded'),
        ([image(), NOBLE], 'ubuntu/noble amd64/generic was imported'),
        ([image('custom/rocky-9', LATE)], 'custom/rocky-9 amd64/generic was uploaded again'),
        ([image(number=2)], 'custom/rocky-9 amd64/generic was uploaded again'),
        (
            [image('custom/rocky-9', file(progress=99.0))],
            'custom/rocky-9 amd64/generic was uploaded again',
        ),
    ],
)
def test_what_changed_is_said_of_each_image(now: list[maas_port.BootResource], said: str):
    assert images.changed(reading(image()), reading(*now)) == [said]


def test_nothing_is_said_of_an_image_that_is_the_same():
    assert images.changed(reading(image(), NOBLE), reading(NOBLE, image())) == []


def test_only_uploaded_images_are_lost():
    before = reading(image(), image('ubuntu/noble', file(sha256='c3' * 32), uploaded=False))
    assert images.lost(before, reading()) == ['custom/rocky-9 amd64/generic']


def test_an_image_whose_files_are_all_there_is_not_lost_whatever_it_is_called():
    assert not images.lost(reading(image()), reading(image('custom/renamed')))


def test_a_few_names_are_given_and_the_others_counted():
    assert images.named(['a', 'b']) == 'a, b'
    assert images.named(['a', 'b', 'a', 'c', 'd', 'e']) == 'a, b, c and 2 more'


# --- What MAAS must not be able to do ------------------------------------------------------------


@pytest.mark.parametrize(
    ('resources', 'why'),
    [
        ([image('custom/a', dataclasses.replace(file(), size=-1))], 'size is'),
        ([image('custom/a', dataclasses.replace(file(), size=1 << 70))], 'size is'),
        ([image()] * 10_001, 'images is'),
        ([image('custom/a', *[file()] * 9_000)] * 10, 'more than 8 MiB'),
    ],
)
def test_images_that_no_reading_can_hold_are_no_answer_of_maas(
    resources: list[maas_port.BootResource], why: str
):
    with pytest.raises(errors.MaasUnintelligible, match=why):
        images.Reading.of(resources)
