"""The application: every topic's routes behind the gate."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Any

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Scope

from launchyard.adapters.http.claims import ClaimRoutes
from launchyard.adapters.http.describe import openapi
from launchyard.adapters.http.directory import DirectoryRoutes
from launchyard.adapters.http.endpoint import Endpoint
from launchyard.adapters.http.files import FileRoutes
from launchyard.adapters.http.gate import Gate
from launchyard.adapters.http.graphql.routes import GraphqlRoutes
from launchyard.adapters.http.house import House
from launchyard.adapters.http.items import ItemRoutes
from launchyard.adapters.http.live import LiveRoutes
from launchyard.adapters.http.meta import MetaRoutes
from launchyard.adapters.http.order import OrderRoutes
from launchyard.adapters.http.problems import EXPECTED, answer
from launchyard.adapters.http.queues import QueueRoutes
from launchyard.adapters.http.retrying import RetryRoutes
from launchyard.adapters.http.secrets import SecretRoutes
from launchyard.adapters.http.services import Services
from launchyard.adapters.http.sweeping import Sweeper, SweepRoutes
from launchyard.adapters.http.work import WorkRoutes


def make_app(services: Services) -> FastAPI:
    """Return the server as an ASGI application; `app.state.house` ends its waits at a stop."""
    house = House(services)
    table = endpoints(house)
    app = FastAPI(
        title="Launchyard",
        version=services.settings.version,
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/v1/openapi.json",
        lifespan=_lifespan,
    )
    app.state.house = house
    app.add_middleware(Gate, settings=services.settings, metrics=services.metrics)

    async def told(request: Request, error: Exception) -> Response:
        house.faults.note(error)
        return await answer(request, error)

    for error in EXPECTED:
        app.add_exception_handler(error, told)
    app.router.routes.extend(_Plain(one) for one in (*table, *GraphqlRoutes(house).endpoints()))
    described = openapi(table, services.settings.version)

    def schema() -> dict[str, Any]:
        return described

    app.openapi = schema  # type: ignore[method-assign]
    return app


def endpoints(house: House) -> Sequence[Endpoint]:
    """Return the table of all routes."""
    topics = (
        MetaRoutes(house),
        DirectoryRoutes(house),
        QueueRoutes(house),
        SecretRoutes(house),
        ItemRoutes(house),
        OrderRoutes(house),
        RetryRoutes(house),
        LiveRoutes(house),
        FileRoutes(house),
        ClaimRoutes(house),
        WorkRoutes(house),
        SweepRoutes(house),
    )
    return [one for topic in topics for one in topic.endpoints()]


class _Plain(Route):
    """A route that calls its handler and does nothing else.

    FastAPI's own routes look for dependencies and models, of which there are none here, and that
    costs more than most of our handlers do.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__(endpoint.path, endpoint.handler, methods=[endpoint.method])
        self.methods = {endpoint.method}  # without the HEAD that comes with GET: streams have none

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Tell whether a request is this route's; the gate counts it under its path."""
        match, child = super().matches(scope)
        if match is Match.FULL:
            child["route"] = self
        return match, child


@contextlib.asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Look after leases, delayed items and old ones while the server runs."""
    house: House = app.state.house
    keepers = [
        asyncio.create_task(house.expire_for_ever()),
        asyncio.create_task(house.delays.watch_for_ever()),
        asyncio.create_task(Sweeper(house).watch_for_ever()),
    ]
    try:
        yield
    finally:
        house.close()
        for keeper in keepers:
            keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await keeper
        house.stop_reading()
