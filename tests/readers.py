"""What reads backup sets whole, in the test's own process."""

from __future__ import annotations

from coordinator import errors, ports
from coordinator.integrity import job as jobs
from coordinator.sets import manifest


class InstantReader:
    """Reads a set when it is started, and tells of it a few looks later."""

    def __init__(self, looks: int = 2):
        self.looks = looks
        self._left = 0
        self._name = ''
        self._job: jobs.Job | None = None
        self.started: list[str] = []
        """Names of the readings, each time that one was begun."""
        self.stopped = 0
        self.deaths: list[str] = []
        """What each of the next readings dies of, at the first look at it."""
        self.refusal = ''
        """Why none starts."""

    def look(self, name: str) -> ports.Reading | None:
        if self._job is None or name != self._name:
            return None
        note = self._job.note
        if self.deaths:
            why = self.deaths.pop(0)
            return jobs.Note(name, note.tally, note.objects, note.progress, error=why).reading(
                running=False
            )
        self._left -= 1
        if self._left >= 0:
            return jobs.Note(name, note.tally, note.objects, note.progress).reading(running=True)
        return note.reading(running=False)

    def start(
        self,
        name: str,
        backup_set: str,
        repository: ports.ObjectStore,
        maas: ports.ObjectStore,
        postgresql: ports.ObjectStore,
        tally: str = '',
    ) -> None:
        self.started.append(name)
        if self.refusal:
            raise errors.TransientError(self.refusal)
        self._name, self._left = name, self.looks
        found = manifest.parse(backup_set.encode(), 'the manifest')
        self._job = jobs.Job(name, found, repository, maas, postgresql, tally)
        self._job.run(lambda: True)

    def stop(self) -> None:
        self.stopped += 1
        self._job = None
