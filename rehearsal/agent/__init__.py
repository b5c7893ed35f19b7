"""Runs a real charm as Juju's unit agent does: a process for each hook, action and juju-exec.

- `charm_agent`: read this first; one event from its queue to its commit;
- `charm_files`, `home`: what a charm declares, and the directories a unit lives in;
- `environment`, `child`: what a dispatch's process is given, and the process itself;
- `context`, `outcome`: what a run has written, and whether that is committed;
- `hook_tools` and `*_tools`: the hook tools, carried out in the model's process;
- `tool_server`: how a hook tool, a process of its own, asks for that;
- `juju_exec`, `systemd`: the two programs of the machine that charms use beside hook tools.

It needs a model on a `clock.LoopClock`: a dispatch asks for hook tools while the model waits.
"""
