"""Relations and their databags: who sees what, and who hears of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from rehearsal.model.declared import Endpoint
from rehearsal.model.entities import Event, Kind, Relation, Unit, requirer_first
from rehearsal.model.execution import Executing
from rehearsal.model.refusals import ModelError, differing


class Relating(Executing):
    """Relations."""

    def _new_relation(self, endpoints: dict[str, Endpoint]) -> Relation:
        relation = Relation(
            self._next_relation,
            endpoints,
            {app: {} for app in endpoints},
            created=self.clock.now(),
        )
        self._next_relation += 1
        self.relations[relation.id] = relation
        return relation

    def integrate(self, endpoint: str, other: str) -> Relation:
        """Relate two endpoints given as `app:endpoint`."""
        ends = {
            end.partition(':')[0]: self._endpoint(end, endpoint, other)
            for end in (endpoint, other)
        }
        self._check_may_relate(ends, endpoint, other)
        relation = self._new_relation(ends)
        units = [unit for app in ends for unit in self.applications[app].units.values()]
        for unit in units:
            self._created(relation, unit)
        for unit in units:
            if unit.installed:
                self._enter(relation, unit)
        self.changed()
        return relation

    def _endpoint(self, end: str, one: str, other: str) -> Endpoint:
        app, _, name = end.partition(':')
        try:
            return self.application(app).charm.endpoint(name)
        except ModelError as refusal:
            if app not in self.applications and not self.juju4:
                raise
            text = f'application "{app}" has no "{name}" relation'
            why = f'no candidates for {end}: relation endpoint not found'
            raise self._unrelated(one, other, f'cannot relate endpoints "{one}" and "{other}"',
                                  (text, ''), why) from refusal  # fmt: skip

    def _check_may_relate(self, ends: Mapping[str, Endpoint], one: str, other: str) -> None:
        adding = f'cannot add relation "{one}", "{other}"'
        key = ' '.join(f'{app}:{end.name}' for app, end in requirer_first(ends))
        wanted = {(app, e.name) for app, e in ends.items()}
        for relation in self.relations.values():
            if {(app, e.name) for app, e in relation.endpoints.items()} == wanted:
                text, adding_3 = f'relation {key}', f'cannot add relation "{key}": '
                raise self._unrelated(one, other, adding,
                                      (f'{adding_3}{text} already exists', 'already exists'),
                                      f'{text}: already exists')  # fmt: skip
        roles = {end.role for end in ends.values()}
        if len({end.interface for end in ends.values()}) != 1 or roles != {'provider', 'requirer'}:
            raise self._unrelated(one, other, f'cannot relate endpoints "{one}" and "{other}"',
                                  ('no relations found', ''),
                                  'no compatible endpoints found')  # fmt: skip
        for app, end in ends.items():
            joined = [r for r in self.relations.values() if r.endpoints.get(app) == end]
            if end.limit and len(joined) >= end.limit:
                text = (
                    f'establishing a new relation for {app}:{end.name} would exceed its maximum '
                    f'relation limit of {end.limit}'
                )
                in_3 = f'cannot add relation "{key}": {text}'
                raise self._unrelated(one, other, adding, (in_3, 'quota limit exceeded'),
                                      f'relation {key}: {text}')  # fmt: skip

    def _unrelated(
        self, one: str, other: str, doing: str, in_3: tuple[str, str], why_in_4: str
    ) -> ModelError:
        """Return why two endpoints are not related. 4.0 reports every stage, and no code."""
        way = f'adding relation between endpoints "{one}" and "{other}": {doing}: '
        return differing(self.juju4, in_3, (way + why_in_4, ''))

    def remove_relation(self, endpoint: str, other: str) -> None:
        """Begin a relation's removal: departed and broken on every unit, then it is gone."""
        wanted = {tuple(endpoint.split(':')), tuple(other.split(':'))}
        for relation in self.relations.values():
            if {(app, e.name) for app, e in relation.endpoints.items()} == wanted:
                break
        else:
            raise ModelError(f'relation "{endpoint} {other}" not found', 'not found')
        if relation.life != 'alive':
            return
        relation.life = 'dying'
        units = [u for app in relation.endpoints for u in self.applications[app].units.values()]
        waiting = {unit.name for unit in units}

        def left(unit: Unit) -> None:
            relation.scope.discard(unit.name)
            waiting.discard(unit.name)
            if not waiting:
                self.relations.pop(relation.id, None)
                self.changed()

        for unit in units:
            self._leave(
                relation,
                unit,
                then=lambda error, unit=unit: left(unit) if error is None else None,
            )
        if not units:
            del self.relations[relation.id]
        self.changed()

    def _created(self, relation: Relation, unit: Unit) -> None:
        name = relation.endpoints[unit.application.name].name
        self.queue(
            unit,
            Event(
                Kind.RELATION_CREATED,
                f'{name}-relation-created',
                relation=relation,
                remote_app=relation.other(unit.application.name),
            ),
        )

    def _enter(self, relation: Relation, unit: Unit) -> None:
        """A unit joins: its bag appears, and both sides see joined and changed."""
        if unit.name in relation.scope:
            return
        relation.scope.add(unit.name)
        bag = {
            'ingress-address': unit.machine.address,
            'egress-subnets': f'{unit.machine.address}/32',
        }
        if not self.juju4:
            bag['private-address'] = unit.machine.address
        relation.unit_data[unit.name] = bag | relation.unit_data.get(unit.name, {})
        for other in self._counterparts(relation, unit.application.name, unit.name):
            if other.name in relation.scope:
                for seer, seen in ((other, unit), (unit, other)):
                    self._relation_event(relation, seer, 'joined', seen.name)
                    self._relation_event(relation, seer, 'changed', seen.name)
        if relation.app_data[relation.other(unit.application.name)]:
            self._relation_event(relation, unit, 'changed')

    def _leave(
        self,
        relation: Relation,
        unit: Unit,
        then: Callable[[BaseException | None], object] = lambda error: None,
    ) -> None:
        """A unit goes: others see it depart; it sees them depart, then the relation broken."""
        if relation.peer and self.silent_departures:
            then(None)
            return
        others = self._counterparts(relation, unit.application.name, unit.name)
        unit_was_in = unit.name in relation.scope
        for other in others:
            if unit_was_in and other.name in relation.scope:
                self._departed(relation, other, unit.name)
                self._relation_event(relation, unit, 'departed', other.name, departing=unit.name)
        if relation.peer:
            then(None)
            return
        name = relation.endpoints[unit.application.name].name
        self.queue(
            unit,
            Event(
                Kind.HOOK,
                f'{name}-relation-broken',
                relation=relation,
                remote_app=relation.other(unit.application.name),
                done=then,
            ),
        )

    def _departed(self, relation: Relation, other: Unit, gone: str) -> None:
        """Let a unit that stays see another one go; on Juju 4.0 its agent may miss that."""
        if self.juju4 and relation.hides_departures:
            relation.unseen.setdefault(other.name, set()).add(gone)
        else:
            self._relation_event(relation, other, 'departed', gone, departing=gone)

    def restart_agent(self, unit_name: str) -> None:
        super().restart_agent(unit_name)
        # An agent that starts compares what it knew with what there is.
        for relation in self.relations.values():
            for gone in sorted(relation.unseen.pop(unit_name, set())):
                unit = self.unit(unit_name)
                self._relation_event(relation, unit, 'departed', gone, departing=gone)

    def _counterparts(
        self, relation: Relation, application: str, except_unit: str = ''
    ) -> Iterator[Unit]:
        other = self.applications.get(relation.other(application))
        for unit in list(other.units.values()) if other else []:
            if unit.name != except_unit:
                yield unit

    def _relation_event(
        self, relation: Relation, unit: Unit, what: str, remote_unit: str = '', departing: str = ''
    ) -> None:
        name = relation.endpoints[unit.application.name].name
        self.queue(
            unit,
            Event(
                Kind.HOOK,
                f'{name}-relation-{what}',
                relation=relation,
                remote_app=relation.other(unit.application.name),
                remote_unit=remote_unit,
                departing_unit=departing,
            ),
        )

    def set_unit_data(self, relation: Relation, unit: Unit, values: Mapping[str, str]) -> None:
        """Change a unit's own bag ('' deletes); counterparts hear of a difference."""
        if _update(relation.unit_data.setdefault(unit.name, {}), values):
            if relation.peer and self.silent_departures and unit.life != 'alive':
                return
            for other in self._counterparts(relation, unit.application.name, unit.name):
                if other.name in relation.scope:
                    self._relation_event(relation, other, 'changed', unit.name)
            self.changed()

    def set_app_data(
        self, relation: Relation, application: str, values: Mapping[str, str]
    ) -> None:
        """Change an application's bag ('' deletes).

        A peer relation tells all its units of a difference, the writing leader included.
        """
        if _update(relation.app_data[application], values):
            for other in self._counterparts(relation, application):
                if other.name in relation.scope:
                    self._relation_event(relation, other, 'changed')
            self.changed()


def _update(bag: dict[str, str], values: Mapping[str, str]) -> bool:
    """Apply a relation-set; return whether anything differs."""
    before = dict(bag)
    for key, value in values.items():
        if value == '':
            bag.pop(key, None)
        else:
            bag[key] = value
    return bag != before
