"""What holds of retention whatever the backup sets and the rules are."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterable, Sequence

import hypothesis
from hypothesis import strategies

from coordinator import times
from coordinator.sets import retention, rules

MODEL = 'deadbeef-0bad-400d-8000-4b1d0d06f00d'
OTHER = '0ddba11-0bad-400d-8000-4b1d0d06f00d'
NOW = datetime.datetime(2026, 8, 22, 12, tzinfo=datetime.UTC)

_START = datetime.datetime(2023, 12, 25, tzinfo=datetime.UTC)
# Steps that let sets meet in days, weeks, months and years, and miss each other.
_HOURS = strategies.one_of(
    strategies.integers(0, 24 * 40), strategies.sampled_from(range(0, 24 * 970, 24 * 3))
)
_SETS = strategies.lists(
    strategies.builds(
        retention.BackupSet,
        backup_id=_HOURS.map(lambda n: times.stamp(_START + datetime.timedelta(hours=n))),
        model_uuid=strategies.sampled_from([MODEL] * 5 + [OTHER]),
        state=strategies.sampled_from(
            [retention.COMPLETE] * 4
            + [retention.DATABASE_EXPIRED] * 2
            + [retention.DAMAGED, retention.FAILED, retention.UNREADABLE, retention.NEWER]
        ),
        pinned=strategies.sampled_from([False] * 5 + [True]),
    ),
    max_size=12,
    unique_by=lambda item: item.backup_id,
)
_COUNTS = strategies.integers(0, 4)
_POLICIES = strategies.builds(rules.Policy, *[_COUNTS] * 5)
_RULED = _POLICIES.filter(lambda policy: bool(policy.rules))
examples = hypothesis.settings(max_examples=100, deadline=None)


def gone(sets: Sequence[retention.BackupSet], policy: rules.Policy) -> set[str]:
    verdicts = retention.verdicts(sets, policy, MODEL, NOW)
    return {verdict.backup_set.backup_id for verdict in verdicts if verdict.goes}


def without(sets: Sequence[retention.BackupSet], ids: Iterable[str]) -> list[retention.BackupSet]:
    missing = set(ids)
    return [item for item in sets if item.backup_id not in missing]


@hypothesis.given(_SETS, _POLICIES)
@examples
def test_the_newest_complete_set_never_goes(sets: list[retention.BackupSet], policy: rules.Policy):
    complete = [s for s in sets if s.state == retention.COMPLETE and s.model_uuid == MODEL]
    newest = max((item.backup_id for item in complete), default='')
    assert newest not in gone(sets, policy)


@hypothesis.given(_SETS, _POLICIES)
@examples
def test_only_unpinned_sets_of_this_model_that_were_complete_go(
    sets: list[retention.BackupSet], policy: rules.Policy
):
    going = gone(sets, policy)
    for item in sets:
        if item.backup_id in going:
            assert item.state in (retention.COMPLETE, retention.DATABASE_EXPIRED)
            assert (item.model_uuid, item.pinned) == (MODEL, False)


@hypothesis.given(_SETS, _POLICIES, strategies.data())
@examples
def test_what_is_left_half_way_goes_and_nothing_else(
    sets: list[retention.BackupSet], policy: rules.Policy, data: strategies.DataObject
):
    # A crash may leave any part of them deleted; with all of them it is the next run.
    going = gone(sets, policy)
    deleted = data.draw(strategies.sets(strategies.sampled_from(sorted(going)))) if going else ()
    for done in (deleted, going):
        assert gone(without(sets, done), policy) == going - set(done)


@hypothesis.given(_SETS, _POLICIES, strategies.data())
@examples
def test_a_set_that_stays_stays_whatever_else_is_deleted(
    sets: list[retention.BackupSet], policy: rules.Policy, data: strategies.DataObject
):
    everything = [item.backup_id for item in sets]
    deleted = data.draw(strategies.sets(strategies.sampled_from(everything))) if sets else ()
    assert gone(without(sets, deleted), policy) <= gone(sets, policy)


@hypothesis.given(_SETS, _POLICIES)
@examples
def test_no_set_goes_because_database_parts_have_expired(
    sets: list[retention.BackupSet], policy: rules.Policy
):
    # So a repository that is misread costs no set.
    whole = [
        dataclasses.replace(item, state=retention.COMPLETE)
        if item.state == retention.DATABASE_EXPIRED
        else item
        for item in sets
    ]
    assert gone(sets, policy) <= gone(whole, policy)


@hypothesis.given(_SETS, _RULED, strategies.lists(_COUNTS, min_size=5, max_size=5))
@examples
def test_greater_numbers_keep_no_less(
    sets: list[retention.BackupSet], policy: rules.Policy, more: list[int]
):
    counts = dataclasses.astuple(policy)
    greater = rules.Policy(*map(sum, zip(counts, more, strict=True)))
    assert gone(sets, greater) <= gone(sets, policy)


@hypothesis.given(_SETS, _POLICIES)
@examples
def test_older_sets_change_nothing_for_newer_ones(
    sets: list[retention.BackupSet], policy: rules.Policy
):
    ordered = sorted(sets, key=lambda item: item.backup_id)
    older = {item.backup_id for item in ordered[: len(ordered) // 2]}
    assert gone(ordered, policy) - older == gone(without(ordered, older), policy)


@hypothesis.given(
    _SETS.flatmap(lambda s: strategies.tuples(strategies.just(s), strategies.permutations(s))),
    _POLICIES,
)
@examples
def test_the_order_of_sets_does_not_matter(
    orders: tuple[list[retention.BackupSet], list[retention.BackupSet]], policy: rules.Policy
):
    one, other = (retention.verdicts(order, policy, MODEL, NOW) for order in orders)
    assert one == other


def period(rule: str, backup_id: str) -> str:
    """Return the period of an id as text, by other means than the code under test."""
    week = datetime.date.fromisoformat(backup_id[:10]).strftime('%G-%V')
    return {
        'keep-last': backup_id,
        'keep-daily': backup_id[:10],
        'keep-weekly': week,
        'keep-monthly': backup_id[:7],
        'keep-yearly': backup_id[:4],
    }[rule]


def rule_keeps(rule: str, count: int, backup_id: str, ids: Iterable[str]) -> bool:
    """Say what the documentation says: the newest of its period, among the newest periods."""
    newer = {other: period(rule, other) for other in ids if other > backup_id}
    own = period(rule, backup_id)
    return own not in newer.values() and len(set(newer.values())) < count


@hypothesis.given(_SETS, _RULED)
@examples
def test_each_set_is_judged_as_a_naive_reading_of_the_rules_judges_it(
    sets: list[retention.BackupSet], policy: rules.Policy
):
    own = [item for item in sets if item.model_uuid == MODEL]
    whole = [item.backup_id for item in own if item.state == retention.COMPLETE]
    once = [i.backup_id for i in own if i.state == retention.DATABASE_EXPIRED] + whole
    for verdict in retention.verdicts(sets, policy, MODEL, NOW):
        name = verdict.backup_set.backup_id
        expected = tuple(
            rule
            for rule, count in policy.rules.items()
            if (name in whole and rule_keeps(rule, count, name, whole))
            or (name in once and rule_keeps(rule, count, name, once))
        )
        assert verdict.rules == expected, name
