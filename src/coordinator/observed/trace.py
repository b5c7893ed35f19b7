"""One operation as one trace, in the words of OpenTelemetry: OTLP's JSON.

The record of an operation that has ended has all its steps, whichever units and dispatches they
took. So the trace is made out of it alone, at the end and in one piece. Its ids follow from the
operation's id: it is the same however often it is sent, and by whom.

A library is not used: `ops[tracing]` would double the cost of every dispatch, related or not, and
make a trace of each of them.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

from coordinator import times
from coordinator.engine import operation

_INTERNAL, _ERROR, _OK = 1, 2, 1
_NANO = 10**9

Counted = Mapping[str, Mapping[str, int]]
"""By step, what `s3.sent` counts."""


@dataclasses.dataclass(frozen=True)
class Source:
    """Who sends a trace."""

    application: str
    unit: str
    model: str
    model_uuid: str
    version: str


def of(op: operation.Operation, source: Source, counted: Counted | None = None) -> dict[str, Any]:
    """Return the trace of an operation that has ended, as OTLP's JSON.

    Args:
        op: the operation.
        source: who sends it.
        counted: what this unit has counted of its requests to S3, by step.
    """
    spans = [_operation(op, source), *_steps(op, source, counted or {})]
    resource = {
        'service.name': source.application,
        'service.version': source.version,
        'service.instance.id': source.unit,
        'juju_model': source.model,
        'juju_model_uuid': source.model_uuid,
        'juju_application': source.application,
        'juju_unit': source.unit,
    }
    scope = {'name': 'maas-backup-coordinator', 'version': source.version}
    return {
        'resourceSpans': [
            {
                'resource': {'attributes': _attributes(resource)},
                'scopeSpans': [{'scope': scope, 'spans': spans}],
            }
        ]
    }


def trace_id(op: operation.Operation, model_uuid: str) -> str:
    """Return the id of an operation's trace: two models may have an operation in one second."""
    return _digest(model_uuid, op.id)[:32]


def _span_id(op: operation.Operation, model_uuid: str, step: str = '') -> str:
    return _digest(model_uuid, op.id, step)[:16]


def _digest(*parts: str) -> str:
    return hashlib.sha256('\n'.join(parts).encode()).hexdigest()


def _operation(op: operation.Operation, source: Source) -> dict[str, Any]:
    """Return the root span."""
    told = {
        'operation.id': op.id,
        'operation.kind': op.kind,
        'operation.status': op.status,
        'operation.age_seconds': op.age,
        'operation.problems': len(op.problems),
    }
    return {
        'traceId': trace_id(op, source.model_uuid),
        'spanId': _span_id(op, source.model_uuid),
        'name': op.kind,
        'kind': _INTERNAL,
        **_lasted(op.started, op.ended),
        'attributes': _attributes(told),
        'events': _events(op.ended, [op.error, *op.problems]),
        'status': _status(op.error if op.status != operation.COMPLETE else ''),
    }


def _steps(op: operation.Operation, source: Source, counted: Counted) -> Iterator[dict[str, Any]]:
    """Yield the span of each step that was begun."""
    for entry in op.steps:
        began = entry.started or entry.since
        if not began:
            continue
        failed = entry.state == operation.BROKEN
        told: dict[str, str | int] = {
            'step.state': entry.state,
            'step.attempts': entry.attempts,
        }
        if entry.task is not None:
            told['juju.task.id'] = entry.task
        told |= {f's3.{name}': count for name, count in counted.get(entry.name, {}).items()}
        ended = entry.ended or op.ended
        yield {
            'traceId': trace_id(op, source.model_uuid),
            'spanId': _span_id(op, source.model_uuid, entry.name),
            'parentSpanId': _span_id(op, source.model_uuid),
            'name': entry.name,
            'kind': _INTERNAL,
            **_lasted(began, ended),
            'attributes': _attributes(told),
            'events': _events(ended, [entry.reason]) if failed else [],
            'status': _status(entry.reason if failed else ''),
        }


def _lasted(began: str, ended: str) -> dict[str, str]:
    start = _nanoseconds(began)
    return {
        'startTimeUnixNano': str(start),
        # A clock that was set back makes no span end before it began.
        'endTimeUnixNano': str(max(start, _nanoseconds(ended))),
    }


def _nanoseconds(stamp: str) -> int:
    return int(times.parse_stamp(stamp).timestamp()) * _NANO


def _attributes(told: Mapping[str, str | int]) -> list[dict[str, Any]]:
    return [
        # Integers are texts in OTLP's JSON.
        {'key': key, 'value': {'intValue': str(value)}}
        if isinstance(value, int)
        else {'key': key, 'value': {'stringValue': value}}
        for key, value in told.items()
    ]


def _events(at: str, messages: list[str]) -> list[dict[str, Any]]:
    """Return an event for each message; messages of the record hold no secret."""
    return [
        {
            'timeUnixNano': str(_nanoseconds(at)),
            'name': 'exception',
            'attributes': _attributes({'exception.message': message}),
        }
        for message in dict.fromkeys(filter(None, messages))
    ]


def _status(error: str) -> dict[str, Any]:
    return {'code': _ERROR, 'message': error} if error else {'code': _OK}
