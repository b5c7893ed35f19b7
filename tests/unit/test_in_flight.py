"""What a unit remembers of a request when the dispatch that sent it is killed."""

from __future__ import annotations

import datetime
import pathlib
import stat

from coordinator import in_flight


def test_nothing_is_remembered_of_a_dispatch_that_came_to_its_end(tmp_path: pathlib.Path):
    path = tmp_path / 'mark'
    sent = in_flight.InFlight(path)
    sent.sending()
    sent.ended()
    assert in_flight.InFlight(path).since is None
    assert list(tmp_path.iterdir()) == []


def test_a_dispatch_that_was_killed_leaves_when_it_sent_something_last(tmp_path: pathlib.Path):
    path = tmp_path / 'mark'
    killed = in_flight.InFlight(path)
    before = datetime.datetime.now(datetime.UTC)
    killed.sending()
    killed.sending()
    since = in_flight.InFlight(path).since
    assert since is not None
    # File systems stamp with a coarser clock.
    assert abs(since - before) < datetime.timedelta(seconds=2)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_bytes() == b''


def test_what_this_dispatch_sends_is_none_of_the_one_before(tmp_path: pathlib.Path):
    fresh = in_flight.InFlight(tmp_path / 'mark')
    fresh.sending()
    assert fresh.since is None


def test_a_disk_that_takes_nothing_stops_nothing(tmp_path: pathlib.Path):
    nowhere = in_flight.InFlight(tmp_path / 'missing' / 'mark')
    nowhere.sending()
    nowhere.ended()
    assert nowhere.since is None
