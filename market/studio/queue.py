"""The durable queue that riffs wait in: how one is put there, on the connection that also writes its row."""

from weakref import WeakKeyDictionary

import sqlalchemy as sa
from dbos import DBOSClient, DBOSPortableJSONSerializer, EnqueueOptions, WorkflowSerializationFormat
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

APPLICATION = "riffmarket"
QUEUE = "riffs"
WORKSHOP = "Workshop"
WORKFLOW = "make_riff"

# Not the code's hash, which is the default: riffs that wait must not be left behind by the next version.
VERSION = "1"
# The engine sorts "no priority" before every other, so all riffs have the same one.
PRIORITY = 1

_clients: "WeakKeyDictionary[sa.Engine, DBOSClient]" = WeakKeyDictionary()


async def enqueue(session: AsyncSession, riff_id: str) -> None:
    """Queue a riff; it counts from the moment that the session's transaction is committed."""
    options = EnqueueOptions(
        workflow_name=WORKFLOW,
        class_name=WORKSHOP,
        instance_name=WORKSHOP,
        queue_name=QUEUE,
        workflow_id=riff_id,
        app_version=VERSION,
        application_name=APPLICATION,
        priority=PRIORITY,
        serialization_type=WorkflowSerializationFormat.PORTABLE,
    )
    await session.run_sync(lambda plain: _client(plain).enqueue_in_transaction(plain, options, riff_id))


def _client(session: Session) -> DBOSClient:
    engine = session.connection().engine
    if engine not in _clients:
        _clients[engine] = DBOSClient(
            system_database_engine=engine, serializer=DBOSPortableJSONSerializer(), lazy=True
        )
    return _clients[engine]
