"""Routes about the server itself: what it is, whether it lives, and its numbers."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response

from launchyard.adapters.http.bodies import answer_json, answer_value
from launchyard.adapters.http.endpoint import Body, Endpoint, Needs
from launchyard.adapters.http.gauges import refresh
from launchyard.adapters.http.house import House
from launchyard.adapters.http.problems import RefusalError
from launchyard.adapters.http.shapes import Info, Me
from launchyard.ports.families import CLAIMS_WAITING


class MetaRoutes:
    """What a stranger, a probe and Prometheus may ask."""

    def __init__(self, house: House) -> None:
        self._house = house

    def endpoints(self) -> Sequence[Endpoint]:
        """Return this topic's part of the table; probes stand outside of `/api/v1`."""
        get, none = "GET", Needs.NOTHING
        return (
            Endpoint(
                method=get,
                path="/api/v1/info",
                handler=self.info,
                does="Tell which server this is",
                needs=none,
                gives=Info,
            ),
            Endpoint(
                method=get,
                path="/api/v1/me",
                handler=self.me,
                does="Tell who the key speaks for",
                needs=Needs.KEY,
                gives=Me,
            ),
            Endpoint(
                method=get,
                path="/livez",
                handler=self.livez,
                does="Tell that the process answers",
                needs=none,
                gives=Body.TEXT,
            ),
            Endpoint(
                method=get,
                path="/readyz",
                handler=self.readyz,
                does="Tell whether the server does its work",
                needs=none,
                gives=Body.TEXT,
            ),
            Endpoint(
                method=get,
                path="/metrics",
                handler=self.metrics,
                does="Give the server's numbers to Prometheus",
                needs=none,
                gives=Body.TEXT,
            ),
        )

    async def info(self, _request: Request) -> Response:
        settings = self._house.settings
        installation = self._house.store.installation()
        return answer_value(
            Info(name=settings.name, version=settings.version, installation=installation)
        )

    async def me(self, request: Request) -> Response:
        who = self._house.guard.principal(request)
        return answer_value(Me(user=who.user, roles=who.roles, everywhere=who.everywhere))

    async def livez(self, _request: Request) -> Response:
        return answer_json({"status": "alive"})

    async def readyz(self, _request: Request) -> Response:
        """Answer 503 while the server stops, and when its database does not answer."""
        if self._house.waits.closed:
            raise RefusalError(503, "unavailable", "the server is stopping")
        self._house.store.entities()
        return answer_json({"status": "ready"})

    async def metrics(self, request: Request) -> Response:
        services = self._house.services
        await self._house.read(lambda store: refresh(store, services))
        services.metrics.gauge(CLAIMS_WAITING, self._house.waits.waiting())
        text, kind = services.render(request.headers.get("accept", ""))
        return Response(text, headers={"Content-Type": kind})
