"""The addresses of the GraphQL interface. They are no part of our REST description."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response

from launchyard.adapters.http.bodies import answer_json, fields, read_json
from launchyard.adapters.http.endpoint import Endpoint, Needs
from launchyard.adapters.http.graphql.ask import asked
from launchyard.adapters.http.graphql.engine import Engine, Query
from launchyard.adapters.http.graphql.kept import Kept
from launchyard.adapters.http.graphql.stream import StreamRoutes
from launchyard.adapters.http.graphql.topics import topics
from launchyard.adapters.http.house import House
from launchyard.adapters.http.problems import RefusalError, wrong
from launchyard.ports.records import StoreError


class GraphqlRoutes:
    """`/graphql`, and what clients send beside it."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._engine: Engine | None = None
        self._kept = Kept(house)
        self._stream = StreamRoutes(house)

    def endpoints(self) -> Sequence[Endpoint]:
        """Return this topic's part of the table."""
        return (
            Endpoint(
                method="POST",
                path="/graphql",
                handler=self.graphql,
                does="Answer stock W&B clients",
                needs=Needs.KEY,
            ),
            *(
                Endpoint(
                    method="POST",
                    path=f"/sdk/otel/v1/{kind}",
                    handler=_nothing,
                    does="Take what clients tell of themselves, and forget it",
                    needs=Needs.NOTHING,
                )
                for kind in ("metrics", "logs", "traces")
            ),
            *self._stream.endpoints(),
            *self._kept.endpoints(),
        )

    async def graphql(self, request: Request) -> Response:
        try:
            ask = asked(self._house, request)
            query = _query(fields(await read_json(request, self._house.settings.json_b)))
        except RefusalError as error:
            return _refused(error)
        except StoreError as error:
            return _refused(RefusalError(503, "unavailable", str(error)))
        return answer_json(await self.engine.answer(query, ask))

    @property
    def engine(self) -> Engine:
        """The schema, read when the first client asks: most servers never see one."""
        if self._engine is None:
            self._engine = Engine(topics(self._house, self._kept))
        return self._engine


async def _nothing(_request: Request) -> Response:
    return Response(status_code=200)


def _query(body: dict[str, object]) -> Query:
    text, variables = body.get("query"), body.get("variables")
    operation = body.get("operationName")
    if not isinstance(text, str):
        raise wrong("query", "must be a text")
    if variables is not None and not isinstance(variables, dict):
        raise wrong("variables", "must be an object")
    if operation is not None and not isinstance(operation, str):
        raise wrong("operationName", "must be a text")
    return Query(text, variables or {}, operation or None)


def _refused(error: RefusalError) -> Response:
    """Answer in the shape that clients look for messages in."""
    message = f"{error.detail}; {error.remedy}" if error.remedy else error.detail
    return answer_json({"errors": [{"message": message}], "data": None}, error.status)
