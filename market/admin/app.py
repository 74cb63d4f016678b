"""Puts the tables beside the rest of the web process, on its database and its sessions."""

from pathlib import Path
from typing import Any

from fastapi import FastAPI
from sqladmin import Admin
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from starlette.middleware import Middleware

from market.admin.access import Gate, Roles, Session
from market.admin.tables import FOR_ADMINISTRATORS, FOR_MODERATORS

PATH = "/admin"
TEMPLATES = Path(__file__).parents[1] / "web" / "templates" / "admin"


class _Sessions(async_sessionmaker[AsyncSession]):
    """Sessions on the database that the app opens when it is started, which is after the tables are set up."""

    def __init__(self, app: FastAPI) -> None:
        super().__init__(class_=AsyncSession)
        self._app = app

    def __call__(self, **options: Any) -> AsyncSession:
        return super().__call__(bind=self._app.state.database.engine, **options)


def mount(app: FastAPI) -> None:
    """Serve the tables at /admin."""
    admin = Admin(
        app,
        session_maker=_Sessions(app),
        base_url=PATH,
        title="Riffmarket",
        favicon_url="/static/favicon.svg",
        templates_dir=str(TEMPLATES),
        middlewares=[Middleware(Gate)],
        authentication_backend=Session(),
        authorization_backend=Roles(frozenset(table.identity for table in FOR_MODERATORS)),
    )
    # No column of ours names a file, and nothing comes or goes by the table.
    unused = ("file_download", "file_preview", "import", "export")
    routes = admin.admin.router.routes
    admin.admin.router.routes = [route for route in routes if getattr(route, "name", "") not in unused]
    # What our own parts look for in the app that a request goes to.
    admin.admin.state = app.state
    for table in (*FOR_MODERATORS, *FOR_ADMINISTRATORS):
        admin.add_view(table)
