"""The web process: REST under /v1, the pages, and what an operator asks it."""

import errno
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from fastapi import Depends, FastAPI, Request
from pydantic import BaseModel
from sqlalchemy.exc import SQLAlchemyError
from starlette.responses import JSONResponse, Response
from starlette.staticfiles import StaticFiles

from market import logs
from market.accounts import endpoints as accounts
from market.admin import app as admin
from market.api import problems
from market.api.actor import guard
from market.api.body import MAX_BODY_BYTES, BodyLimit
from market.api.cookies import Cookies
from market.api.limits import LimitHeaders, Limits
from market.catalog import endpoints as catalog
from market.catalog.formats import Formats
from market.community import endpoints as community
from market.db import Database, is_current, require_current
from market.downloads import endpoints as downloads
from market.downloads.desk import Desk
from market.errors import PortTaken
from market.licensing import endpoints as licensing
from market.moderation import endpoints as moderation
from market.riffusion import endpoints as riffusion
from market.search import endpoints as search
from market.search import pages as shop
from market.settings import Settings
from market.storage import Storage
from market.studio import endpoints as studio
from market.studio import repository
from market.studio.feed import EventFeed
from market.studio.sources import MAX_UPLOAD_BYTES
from market.web import developers, pages
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
        app.state.formats = Formats(app.state.storage, settings)
        app.state.desk = Desk(settings, database, app.state.storage, app.state.formats)
        app.state.feed = EventFeed(database)
        yield
        app.state.formats.close()
        await app.state.desk.close()
        await app.state.feed.close()
        await database.close()

    app = FastAPI(
        title="Riffmarket",
        version="1",
        description="Prompts in, seamless loops out.",
        lifespan=lifespan,
        dependencies=[Depends(guard)],
        # Their pages would load scripts from another site; the document itself is at /openapi.json.
        docs_url=None,
        redoc_url=None,
    )
    app.state.settings = settings
    app.state.limits = Limits(settings)
    # In a form there is more than the file.
    sound = MAX_UPLOAD_BYTES + MAX_BODY_BYTES
    app.add_middleware(BodyLimit, larger={studio.uploads.prefix: sound, search.SOUNDS: sound})
    app.add_middleware(Cookies)
    app.add_middleware(LimitHeaders)
    problems.install(app)
    app.include_router(studio.router)
    app.include_router(studio.uploads)
    app.include_router(studio.shelf)
    # Search first: /v1/loops/suggest is no loop's id.
    for noun in (accounts, search, catalog, licensing, downloads, community, moderation):
        app.include_router(noun.router)
        app.include_router(noun.pages)
    app.include_router(riffusion.router)
    app.include_router(shop.router)
    app.include_router(developers.router)
    app.include_router(pages.router)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    admin.mount(app)

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
            # Whose X-Forwarded-For is believed is a setting of ours (market.api.limits).
            proxy_headers=False,
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
    # With its protocol named, asyncio switches Nagle's algorithm off: else each answer waits 40 ms for an ACK.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
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
