"""Which backup sets stay by which rule, and which are left alone."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterable

import pytest

from coordinator.sets import retention, rules

MODEL = 'deadbeef-0bad-400d-8000-4b1d0d06f00d'
OTHER = '0ddba11-0bad-400d-8000-4b1d0d06f00d'
NOW = datetime.datetime(2026, 8, 22, 12, tzinfo=datetime.UTC)
ALL_ON = rules.Policy(1, 1, 1, 1, 1)


def backup(day: str, **fields: object) -> retention.BackupSet:
    """Return a set of this model; the time of day is 10:15 unless the day has one."""
    backup_id = day if 'T' in day else f'{day}T10:15:00Z'
    whole = retention.BackupSet(backup_id, MODEL)
    return dataclasses.replace(whole, **fields)


def judge(
    sets: Iterable[retention.BackupSet], policy: rules.Policy
) -> dict[str, retention.Verdict]:
    found = retention.verdicts(sets, policy, MODEL, NOW)
    return {verdict.backup_set.backup_id[:10]: verdict for verdict in found}


def staying(sets: Iterable[retention.BackupSet], policy: rules.Policy) -> list[str]:
    """Return the days whose sets stay."""
    return [day for day, verdict in judge(sets, policy).items() if not verdict.goes]


def days(*names: str) -> list[retention.BackupSet]:
    return [backup(name) for name in names]


# --- The rules -----------------------------------------------------------------------------------


def test_without_any_rule_every_set_stays():
    found = judge(days('2020-01-01', '2026-08-21'), rules.Policy())
    assert [verdict.reason for verdict in found.values()] == ['no rule is set'] * 2


def test_keep_last_keeps_the_newest_ones():
    found = days('2026-08-18', '2026-08-19', '2026-08-20', '2026-08-21')
    assert staying(found, rules.Policy(last=2)) == ['2026-08-20', '2026-08-21']


def test_keep_daily_keeps_the_newest_of_each_day_in_utc():
    night = ['2026-08-19T23:59:59Z', '2026-08-20T00:00:00Z', '2026-08-20T23:59:59Z']
    found = retention.verdicts(map(backup, night), rules.Policy(daily=5), MODEL, NOW)
    assert [verdict.goes for verdict in found] == [False, True, False]


def test_days_of_one_number_in_two_months_are_two_days():
    found = days('2026-07-21', '2026-08-21')
    assert staying(found, rules.Policy(daily=2)) == ['2026-07-21', '2026-08-21']


def test_days_without_a_set_use_up_no_number():
    found = days('2025-01-01', '2025-11-11', '2026-08-21')
    assert staying(found, rules.Policy(daily=2)) == ['2025-11-11', '2026-08-21']


def test_keep_weekly_keeps_the_newest_of_each_week_from_monday_to_sunday():
    found = days('2026-08-08', '2026-08-09', '2026-08-10', '2026-08-16', '2026-08-17')
    kept = staying(found, rules.Policy(weekly=3))
    assert kept == ['2026-08-09', '2026-08-16', '2026-08-17']


def test_an_iso_week_across_new_year_is_one_week():
    # Monday 29 December 2025 begins week 1 of 2026; 28 December is in week 52 of 2025.
    found = days('2025-12-28', '2025-12-29', '2026-01-04')
    assert staying(found, rules.Policy(weekly=9)) == ['2025-12-28', '2026-01-04']


def test_weeks_of_one_number_in_two_years_are_two_weeks():
    # Both are in a week 1, and both in 2024 by their dates.
    found = days('2024-01-03', '2024-12-31')
    assert staying(found, rules.Policy(weekly=9)) == ['2024-01-03', '2024-12-31']


def test_keep_monthly_and_keep_yearly_keep_the_newest_of_each_month_and_year():
    found = days('2024-12-31', '2025-12-01', '2026-07-01', '2026-07-31', '2026-08-01')
    assert staying(found, rules.Policy(monthly=2)) == ['2026-07-31', '2026-08-01']
    assert staying(found, rules.Policy(yearly=2)) == ['2025-12-01', '2026-08-01']


def test_each_rule_counts_for_itself_and_is_named():
    found = days('2026-07-31', '2026-08-19', '2026-08-20', '2026-08-21')
    verdicts = judge(found, rules.Policy(last=1, daily=2, monthly=2))
    assert {day: verdict.rules for day, verdict in verdicts.items()} == {
        '2026-07-31': ('keep-monthly',),
        '2026-08-19': (),
        '2026-08-20': ('keep-daily',),
        '2026-08-21': ('keep-last', 'keep-daily', 'keep-monthly'),
    }


def test_the_oldest_set_is_not_kept_for_want_of_older_ones():
    # restic would keep 10 January as the oldest, until an older set is adopted.
    found = days('2026-01-10', '2026-01-20')
    assert staying(found, rules.Policy(monthly=2)) == ['2026-01-20']
    assert staying([*days('2025-12-05'), *found], rules.Policy(monthly=2)) == [
        '2025-12-05',
        '2026-01-20',
    ]


def test_more_weeks_cost_no_month():
    # By Proxmox' rules 29 January, the newest of its month, goes with the second week: that keeps
    # 1 February, the newest of the week of both.
    found = days('2026-01-29', '2026-02-01', '2026-02-14')
    assert '2026-01-29' in staying(found, rules.Policy(weekly=1, monthly=2))
    assert '2026-01-29' in staying(found, rules.Policy(weekly=2, monthly=2))


# --- What is left alone --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ('fields', 'reason'),
    [
        ({'state': retention.FAILED}, 'not complete'),
        ({'state': retention.UNREADABLE}, 'cannot be read'),
        ({'state': retention.DAMAGED}, 'found it damaged'),
        ({'state': retention.NEWER}, 'newer revision'),
        ({'model_uuid': OTHER}, 'of another model'),
        ({'backup_id': '2026-08-99T10:15:00Z'}, 'its id is not a valid time'),
        ({'backup_id': 'latest'}, 'its id is not a valid time'),
        ({'backup_id': '2026-08-22T12:00:01Z'}, 'in the future'),
    ],
)
def test_what_is_left_alone_says_why_and_takes_nobodys_place(
    fields: dict[str, object], reason: str
):
    newest, odd = backup('2026-08-20'), backup('2026-08-21', **fields)
    verdicts = retention.verdicts([newest, odd], ALL_ON, MODEL, NOW)
    found = {verdict.backup_set: verdict for verdict in verdicts}
    assert (found[odd].goes, found[odd].rules) == (False, ())
    assert reason in found[odd].reason
    assert found[newest].rules == rules.NAMES


def test_a_set_of_this_very_second_is_not_of_the_future():
    found = [backup('2026-08-22T12:00:00Z'), backup('2026-08-21')]
    assert staying(found, rules.Policy(last=1)) == ['2026-08-22']


def test_a_pinned_set_stays():
    found = [backup('2020-01-01', pinned=True), *days('2020-01-02', '2026-08-21')]
    verdicts = judge(found, rules.Policy(last=1))
    assert verdicts['2020-01-01'].reason == 'pinned'
    assert verdicts['2020-01-02'].goes


def test_pinning_a_set_changes_nothing_for_others():
    found = days('2026-08-18', '2026-08-19', '2026-08-20', '2026-08-21')
    policy = rules.Policy(last=2)
    pinned = [*found[:3], dataclasses.replace(found[3], pinned=True)]
    assert staying(pinned, policy) == staying(found, policy)
    assert judge(pinned, policy)['2026-08-21'].reason == 'pinned, keep-last'


# --- Sets whose database part has expired --------------------------------------------------------


def test_a_set_that_cannot_be_restored_takes_no_place():
    newest = backup('2026-08-21', state=retention.DATABASE_EXPIRED)
    found = [*days('2026-08-18', '2026-08-19', '2026-08-20'), newest]
    assert staying(found, rules.Policy(last=2)) == ['2026-08-19', '2026-08-20', '2026-08-21']


def test_it_stays_as_long_as_it_would_have_stayed_anyway():
    old = [backup(f'2026-0{month}-01', state=retention.DATABASE_EXPIRED) for month in (5, 6, 7)]
    found = [*old, *days('2026-08-20', '2026-08-21')]
    assert staying(found, rules.Policy(monthly=3)) == [
        '2026-06-01',
        '2026-07-01',
        '2026-08-21',
    ]
