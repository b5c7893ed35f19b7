"""What comes of a run once its process has ended.

What the run wrote was buffered, and is now committed or lost:

    run          exit code 0   other exit code   killed
    hook         committed     lost, retried     lost, run again
    action       committed     lost, failed      lost, failed
    juju-exec    committed     committed         lost

`juju exec` is an action that ends as juju-exec does: its exit code is a result.
"""

from __future__ import annotations

from typing import Any

from rehearsal import model
from rehearsal.agent import child, context, juju_exec


def settle(run: context.Context, ended: child.Ended) -> None:
    """Commit or drop what was written; raises the model's error for a run that failed."""
    if run.event.task is not None:
        _settle_action(run, run.event.task, ended)
    elif run.event.kind is model.Kind.EXEC:
        _settle_commands(run, ended)
    else:
        _settle_hook(run, ended)


def _settle_hook(run: context.Context, ended: child.Ended) -> None:
    _log(run, 'INFO', ended.stdout.decode(errors='replace'))
    _log(run, 'WARNING', ended.stderr.decode(errors='replace'))
    if ended.killed:
        _log(run, 'WARNING', 'hook was terminated')
        raise model.HookTerminated(f'{run.event.name} was terminated')
    if ended.exit_code:
        _log(run, 'ERROR', f'hook failed: exit status {ended.exit_code}')
        raise model.HookFailed(f'exit status {ended.exit_code}')
    try:
        run.commit()
    except context.CommitError as error:
        _log(run, 'ERROR', f'committing requested changes failed: {error}')
        raise model.HookFailed(str(error)) from None


def _settle_action(run: context.Context, task: model.Task, ended: child.Ended) -> None:
    output: dict[str, Any] = {
        **run.results,
        'return-code': -1 if ended.killed else ended.exit_code,
    }
    for name, content in (('stdout', ended.stdout), ('stderr', ended.stderr)):
        if content:
            output[name] = content.decode(errors='replace')
    task.output = output
    if ended.killed:
        raise model.ActionFailed('terminated')
    if ended.exit_code and task.name not in model.COMMANDS:
        raise model.ActionFailed(f'exit status {ended.exit_code}')
    try:
        run.commit()
    except context.CommitError as error:
        _log(run, 'ERROR', f'committing requested changes failed: {error}')
        output['return-code'] = '1'
        raise model.ActionFailed('committing requested changes failed') from None
    if run.failure is not None:
        raise model.ActionFailed(run.failure)


def _settle_commands(run: context.Context, ended: child.Ended) -> None:
    if ended.killed:
        raise model.HookFailed('signal: killed')
    try:
        run.commit()
    except context.CommitError as error:
        raise model.HookFailed(str(error)) from None
    if isinstance(run.event, juju_exec.Commands):
        run.event.ended = ended


def _log(run: context.Context, level: str, text: str) -> None:
    run.log(level, run.event.name, text)
