"""The environment in which Juju runs a charm: all of it, with neither HOME nor USER."""

from __future__ import annotations

import pathlib

from rehearsal import model
from rehearsal.agent import context, home

SYSTEM_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin'
"""As systemd gives it to the agent: without /sbin and /bin, which are links."""
_PROXY_NAMES = ('http_proxy', 'https_proxy', 'ftp_proxy', 'no_proxy')


def of(
    run: context.Context, controller: home.Controller, address: str, machine_bin: pathlib.Path
) -> dict[str, str]:
    """Return the environment of one run."""
    charm_dir = str(run.home.charm_dir)
    variables = {
        'APT_LISTCHANGES_FRONTEND': 'none',
        'CHARM_DIR': charm_dir,
        'CLOUD_API_VERSION': '',
        'DEBIAN_FRONTEND': 'noninteractive',
        'JUJU_AGENT_SOCKET_ADDRESS': address,
        'JUJU_AGENT_SOCKET_NETWORK': 'tcp',
        'JUJU_API_ADDRESSES': ' '.join(controller.addresses),
        'JUJU_AVAILABILITY_ZONE': 'default',
        'JUJU_CHARM_DIR': charm_dir,
        'JUJU_CHARM_FTP_PROXY': '',
        'JUJU_CHARM_HTTPS_PROXY': '',
        'JUJU_CHARM_HTTP_PROXY': '',
        'JUJU_CHARM_NO_PROXY': '',
        'JUJU_CONTEXT_ID': run.id,
        'JUJU_HOOK_NAME': '',
        'JUJU_MACHINE_ID': run.unit.machine.id,
        'JUJU_MODEL_NAME': run.model.name,
        'JUJU_MODEL_UUID': run.model.uuid,
        'JUJU_PRINCIPAL_UNIT': '',
        'JUJU_UNIT_NAME': run.unit.name,
        'JUJU_VERSION': run.model.version,
        'LANG': 'C.UTF-8',
        'PATH': f'{run.home.tools_dir}:{machine_bin}:{SYSTEM_PATH}',
        'TERM': 'tmux-256color',
    }
    for name in _PROXY_NAMES:
        variables[name] = variables[name.upper()] = ''
    if run.model.juju4:
        # There is no trace to follow, and nowhere to send one.
        for name in ('CA_CERT', 'GRPC', 'HTTP'):
            variables[f'JUJU_CHARM_TRACE_CONFIG_{name}'] = ''
    else:
        variables['JUJU_SLA'] = 'unsupported'
    return variables | _of_event(run)


def _of_event(run: context.Context) -> dict[str, str]:
    event = run.event
    if event.kind is model.Kind.EXEC:
        return {}
    if event.task is not None:
        if event.name in model.COMMANDS:
            return {}
        return {
            'JUJU_DISPATCH_PATH': f'actions/{event.name}',
            'JUJU_ACTION_NAME': event.name,
            'JUJU_ACTION_UUID': str(event.task.id),
            'JUJU_ACTION_TAG': f'action-{event.task.id}',
        }
    variables = {'JUJU_DISPATCH_PATH': f'hooks/{event.name}', 'JUJU_HOOK_NAME': event.name}
    if event.relation is not None:
        endpoint = event.relation.endpoints[run.unit.application.name].name
        variables |= {
            'JUJU_RELATION': endpoint,
            'JUJU_RELATION_ID': f'{endpoint}:{event.relation.id}',
            'JUJU_REMOTE_APP': event.remote_app,
            'JUJU_REMOTE_UNIT': event.remote_unit,
        }
        if event.departing_unit:
            variables['JUJU_DEPARTING_UNIT'] = event.departing_unit
    if event.secret is not None:
        labels = {secret_id: label for label, secret_id in run.home.secret_labels.items()}
        variables |= {
            'JUJU_SECRET_ID': event.secret.uri,
            'JUJU_SECRET_LABEL': labels.get(event.secret.id, ''),
        }
    if event.storage_id:
        variables |= {
            'JUJU_STORAGE_ID': event.storage_id,
            'JUJU_STORAGE_LOCATION': f'/var/lib/{event.storage_id}',
            'JUJU_STORAGE_KIND': 'filesystem',
        }
    return variables
