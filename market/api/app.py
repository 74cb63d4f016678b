"""The web process: REST under /v1, the pages, and what an operator asks it."""

import errno
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI, Request
from pydantic import BaseModel
from sqlalchemy.exc import SQLAlchemyError
from starlette.responses import JSONResponse, Response
from starlette.staticfiles import StaticFiles

from market import logs
from market.api import problems
from market.api.body import MAX_BODY_BYTES, BodyLimit
from market.api.visitor import VisitorCookie
from market.catalog import endpoints as catalog
from market.catalog.formats import Formats
from market.db import Database, is_current, require_current
from market.errors import PortTaken
from market.riffusion import endpoints as riffusion
from market.settings import Settings
from market.storage import Storage
from market.studio import endpoints as studio
from market.studio import repository
from market.studio.feed import EventFeed
from market.studio.sources import MAX_UPLOAD_BYTES
from market.web import pages
from market.web.rendering import STATIC


class Readiness(BaseModel):
    """Whether this process can do its work. `workers` is how many are alive: without one, riffs wait."""

    ready: bool
    database: bool
    migrations: bool
    workers: int


def create_app(settings: Settings) -> FastAPI:
    """The ASGI app. It opens the database and the storage when it is started, not here."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        database = Database(settings)
        app.state.database = database
        app.state.storage = Storage.open(settings)
        app.state.formats = Formats(app.state.storage)
        app.state.feed = EventFeed(database)
        yield
        app.state.formats.close()
        await app.state.feed.close()
        await database.close()

    app = FastAPI(
        title="Riffmarket",
        version="1",
        description="Prompts in, seamless loops out.",
        lifespan=lifespan,
        # Their pages would load scripts from another site; the document itself is at /openapi.json.
        docs_url=None,
        redoc_url=None,
    )
    app.state.settings = settings
    # In a form there is more than the file.
    app.add_middleware(BodyLimit, larger={studio.uploads.prefix: MAX_UPLOAD_BYTES + MAX_BODY_BYTES})
    app.add_middleware(VisitorCookie, settings=settings)
    problems.install(app)
    app.include_router(studio.router)
    app.include_router(studio.uploads)
    app.include_router(studio.shelf)
    app.include_router(catalog.router)
    app.include_router(riffusion.router)
    app.include_router(pages.router)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")

    @app.get("/healthz", tags=["operation"])
    async def healthz() -> dict[str, str]:
        """This process answers."""
        return {"status": "ok"}

    @app.get(
        "/readyz",
        tags=["operation"],
        responses={503: {"description": "Not ready", "model": Readiness}},
        response_model=Readiness,
    )
    async def readyz(request: Request) -> Response:
        """This process can do its work: the database answers and has every migration."""
        readiness = await _readiness(request.app.state.database)
        return JSONResponse(readiness.model_dump(), 200 if readiness.ready else 503)

    return app


def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT. Raises DatabaseOutdated, DatabaseUnreachable and PortTaken."""
    logs.configure()
    require_current(settings)
    listener = _listen(settings.host, settings.port)
    server = uvicorn.Server(
        uvicorn.Config(
            create_app(settings),
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=3,
            server_header=False,
        )
    )
    server.run(sockets=[listener])


async def _readiness(database: Database) -> Readiness:
    try:
        async with database.read() as session:
            connection = await session.connection()
            if not await connection.run_sync(is_current):
                return Readiness(ready=False, database=True, migrations=False, workers=0)
            workers = await repository.count_workers(session)
    except SQLAlchemyError:
        return Readiness(ready=False, database=False, migrations=False, workers=0)
    return Readiness(ready=True, database=True, migrations=True, workers=workers)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        if error.errno in (errno.EADDRINUSE, errno.EACCES):
            raise PortTaken(host, port) from None
        raise
    return listener


if __name__ == "__main__":
    run(Settings())
