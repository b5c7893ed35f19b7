"""What a unit remembers of a request when the dispatch that sent it is killed."""

from __future__ import annotations

import datetime
import os
import pathlib
import stat
import time

from coordinator.unit import in_flight


def test_nothing_is_remembered_of_a_dispatch_whose_requests_were_answered(tmp_path: pathlib.Path):
    path = tmp_path / 'mark'
    sent = in_flight.InFlight(path)
    sent.take_up()
    sent.sending()
    sent.settle()
    assert in_flight.InFlight(path).take_up() is None
    assert list(tmp_path.iterdir()) == []


def test_a_dispatch_that_was_killed_leaves_when_it_sent_something_last(tmp_path: pathlib.Path):
    path = tmp_path / 'mark'
    killed = in_flight.InFlight(path)
    assert killed.take_up() is None
    before = datetime.datetime.now(datetime.UTC)
    killed.sending()
    killed.sending()
    since = in_flight.InFlight(path).take_up()
    assert since is not None
    # File systems stamp with a coarser clock.
    assert abs(since - before) < datetime.timedelta(seconds=2)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_bytes() == b''


def test_what_was_sent_before_the_clock_was_set_back_is_in_doubt_only_once(
    tmp_path: pathlib.Path,
):
    path = tmp_path / 'mark'
    path.touch()
    ahead = time.time() + 3600
    os.utime(path, (ahead, ahead))
    first = in_flight.InFlight(path).take_up()
    assert first is not None
    assert first <= datetime.datetime.now(datetime.UTC)
    assert in_flight.InFlight(path).take_up() == first


def test_an_answer_that_is_lost_is_remembered_whatever_else_is_answered(tmp_path: pathlib.Path):
    path = tmp_path / 'mark'
    sent = in_flight.InFlight(path)
    sent.take_up()
    sent.sending()
    sent.sending()
    sent.answered()
    assert in_flight.InFlight(path).take_up() is not None
    sent.answered()
    assert in_flight.InFlight(path).take_up() is None


def test_what_an_earlier_dispatch_left_stays_in_doubt_whatever_is_answered(tmp_path: pathlib.Path):
    path = tmp_path / 'mark'
    path.touch()
    earlier = time.time() - 5
    os.utime(path, (earlier, earlier))
    following = in_flight.InFlight(path)
    left = following.take_up()
    following.sending()
    following.answered()
    # It is killed now, before its record is stored.
    assert in_flight.InFlight(path).take_up() == left
    following.settle()
    assert in_flight.InFlight(path).take_up() is None


def test_who_only_tries_out_disturbs_nothing(tmp_path: pathlib.Path):
    path = tmp_path / 'mark'
    in_flight.InFlight(path).sending()
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_takes_nothing_stops_nothing(tmp_path: pathlib.Path):
    nowhere = in_flight.InFlight(tmp_path / 'missing' / 'mark')
    assert nowhere.take_up() is None
    nowhere.sending()
    nowhere.settle()
    assert nowhere.take_up() is None
