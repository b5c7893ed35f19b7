"""MAAS as a `Maas` port for one API key, without HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence

from coordinator import errors
from coordinator.ports import maas_port
from rehearsal import deployed, records


class DirectMaas:
    """The MAAS of a site, for whoever has this key.

    `asked` is called before every request with the name of the method: tests let things happen
    there, or raise what MAAS may answer.
    """

    def __init__(
        self,
        site: deployed.Site,
        key: str,
        endpoint: str,
        asked: Callable[[str], object] = lambda name: None,
    ):
        self._site = site
        self._key = key
        self._asked = asked
        self._endpoint = endpoint

    @property
    def endpoint(self) -> str:
        return self._endpoint

    def version(self) -> str:
        return self._answering('version').version

    def whoami(self) -> maas_port.User:
        return self._user(self._answering('whoami'))

    def boot_resources(self) -> Iterator[maas_port.BootResource]:
        yield from self._seen('boot_resources').resources

    def machines(self) -> Iterator[maas_port.Machine]:
        yield from self._seen('machines').machines

    def controllers(self) -> Iterator[maas_port.Controller]:
        yield from self._seen('controllers').controllers

    def fabrics(self) -> Iterator[maas_port.Fabric]:
        yield from self._seen('fabrics').fabrics

    def subnets(self) -> Iterator[maas_port.Subnet]:
        yield from self._seen('subnets').subnets

    def users(self) -> Iterator[maas_port.User]:
        yield from self._seen('users').users

    def tags(self) -> Iterator[maas_port.Tag]:
        yield from self._seen('tags').tags

    def pools(self) -> Iterator[maas_port.Pool]:
        yield from self._seen('pools').pools

    def settings(self, names: Sequence[str] = maas_port.SETTINGS) -> Mapping[str, str]:
        known = self._seen('settings').settings
        return {name: json.dumps(known[name]) for name in names if name in known}

    def _answering(self, asked: str) -> records.Records:
        """Return what MAAS knows, if there is a region that answers."""
        self._asked(asked)
        try:
            return self._site.api.served()()
        except records.Initialising:
            what = 'answered with status 503'
        except records.Silent:
            what = 'does not answer'
        raise errors.MaasUnavailable(f'MAAS at {self._endpoint} {what}')

    def _seen(self, asked: str) -> records.Records:
        known = self._answering(asked)
        return known.seen_by(self._user(known))

    def _user(self, known: records.Records) -> maas_port.User:
        user = known.user_of(self._key)
        if user is None:
            raise errors.MaasKeyRefused(f'MAAS at {self._endpoint} refuses the API key')
        return user
