"""The client at the embedded controller, while things go wrong between the two."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from coordinator import errors
from coordinator.juju_api import connection, model
from rehearsal.controller import faults
from tests import dead_addresses, served_model

Kind = faults.Kind


@pytest.fixture(params=served_model.VERSIONS)
def served(request: pytest.FixtureRequest) -> Iterator[served_model.ServedModel]:
    yield from served_model.serve(request.param)


@pytest.fixture
def juju(served: served_model.ServedModel) -> Iterator[model.JujuApi]:
    endpoint = connection.Endpoint(
        served.controller.addresses,
        served.authority.ca_pem,
        served.juju.uuid,
        'boss',
        'boss-password',
    )
    quick = connection.Timeouts(address=2, connecting=3, login=1, call=0.3)
    with model.JujuApi(endpoint, timeouts=quick, sleep=lambda seconds: None) as api:
        yield api


@pytest.mark.parametrize('kind', dead_addresses.KINDS)
@pytest.mark.parametrize(('count', 'seconds'), [(1, 1), (9, 5)])
def test_an_action_is_answered_behind_addresses_that_are_dead(
    served: served_model.ServedModel, kind: str, count: int, seconds: float
):
    with dead_addresses.dead(count, kind) as dead:
        endpoint = connection.Endpoint(
            [*dead, *served.controller.addresses],
            served.authority.ca_pem,
            served.juju.uuid,
            'boss',
            'boss-password',
        )
        started = time.monotonic()
        with model.JujuApi(endpoint) as api:
            assert api.run_action('pg/0', 'echo', {}).unit == 'pg/0'
        assert time.monotonic() - started < seconds


def fail(served: served_model.ServedModel, fault: faults.Fault) -> None:
    served.thread.call(served.faults.add, fault)


def test_a_restart_of_the_controller_goes_unnoticed_by_who_looks(
    served: served_model.ServedModel, juju: model.JujuApi
):
    assert juju.leader('pg') == 'pg/0'

    served.thread.run(served.controller.stop())
    served.thread.run(served.controller.start())

    assert juju.leader('pg') == 'pg/0'


@pytest.mark.parametrize('kind', [Kind.DROP_BEFORE, Kind.DROP_AFTER, Kind.HANG, Kind.BUSY])
def test_who_looks_sees_past_a_passing_fault(
    served: served_model.ServedModel, juju: model.JujuApi, kind: faults.Kind
):
    fail(served, faults.Fault(kind, 'Application.Leader', count=2))

    assert juju.leader('pg') == 'pg/0'


@pytest.mark.parametrize(
    ('kind', 'added'), [(Kind.DROP_BEFORE, 0), (Kind.DROP_AFTER, 1), (Kind.HANG, 0)]
)
def test_a_lost_answer_leaves_open_whether_the_change_was_made(
    served: served_model.ServedModel, juju: model.JujuApi, kind: faults.Kind, added: int
):
    fail(served, faults.Fault(kind, 'Application.AddUnits'))

    with pytest.raises(errors.ConnectionFailed, match=r'Application\.AddUnits'):
        juju.add_units('pg', 1)

    # The answer to "was it made?" is in the model, and it was made once at most.
    assert len(juju.status().applications['pg'].units) == 3 + added


@pytest.mark.parametrize('kind', [Kind.UPGRADE, Kind.MIGRATION])
def test_status_is_to_be_had_while_changes_are_not(
    served: served_model.ServedModel, juju: model.JujuApi, kind: faults.Kind
):
    fail(served, faults.Fault(kind, count=None))

    assert set(juju.status().applications) == {'pg', 'app'}
    with pytest.raises(errors.ControllerBusy):
        juju.run_action('pg/0', 'echo', {})


@pytest.mark.parametrize(
    ('fault', 'kind', 'advice'),
    [
        (
            faults.Fault(
                Kind.REDIRECT, moved_to=faults.MovedTo(('10.0.0.9:17070',), 'PEM', 'new-home', 'u')
            ),
            errors.ModelMoved,
            r'new-home.*10\.0\.0\.9:17070.*ca-cert',
        ),
        (faults.Fault(Kind.DISCHARGE), errors.NotAuthorised, 'juju-credentials'),
    ],
    ids=['redirect', 'discharge'],
)
def test_a_login_that_leads_nowhere_says_what_to_do(
    served: served_model.ServedModel,
    juju: model.JujuApi,
    fault: faults.Fault,
    kind: type[errors.CoordinatorError],
    advice: str,
):
    fail(served, fault)

    with pytest.raises(kind, match=advice):
        juju.access()


def test_access_that_is_taken_away_ends_what_may_be_done(
    served: served_model.ServedModel, juju: model.JujuApi
):
    juju.status()
    served.thread.call(setattr, served.juju.users['boss'], 'model_access', '')

    looks: tuple[Callable[[], object], ...] = (juju.status, juju.storage)
    for look in looks:
        with pytest.raises(errors.NotAuthorised, match='juju grant boss admin'):
            look()
