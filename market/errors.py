"""What the market refuses or fails at: a sentence each for a person, and the HTTP status at the REST door."""

from collections.abc import Mapping
from types import MappingProxyType

from generation.errors import (
    Cancelled,
    InvalidRequest,
    ModelUnavailable,
    NotPossible,
    RiffError,
    SourceMissing,
    StorageFull,
    UnreadableAudio,
    UnreadablePicture,
)


class MarketError(RiffError):
    """A refusal of the market; `headers` go with the answer over HTTP."""

    status_code = 500
    headers: Mapping[str, str] = MappingProxyType({})


class NotFound(MarketError):
    """There is no such thing, or no longer."""

    status_code = 404

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(f"There is no {kind} {name}.")


class NotYours(MarketError):
    """The thing belongs to somebody else."""

    status_code = 403

    def __init__(self) -> None:
        super().__init__("This riff was asked for by somebody else: only they can cancel it.")


class AlreadyFinished(MarketError):
    """What is finished cannot be cancelled."""

    status_code = 409

    def __init__(self) -> None:
        super().__init__("This riff is finished already: there is nothing left to cancel.")


class KeyReused(MarketError):
    """An idempotency key came again with another request."""

    status_code = 422

    def __init__(self) -> None:
        super().__init__("This Idempotency-Key was used for another request: take a new key for a new riff.")


class TooManyRiffs(MarketError):
    """The owner has as many unfinished riffs as one person may have."""

    status_code = 429

    def __init__(self, limit: int) -> None:
        super().__init__(f"You have {limit} unfinished riffs already: wait for one of them or cancel it.")


class TooManyUploads(MarketError):
    """The owner has brought as many sounds within an hour as one person may."""

    status_code = 429

    def __init__(self, limit: int) -> None:
        super().__init__(f"You have uploaded {limit} files within an hour: try again in a while.")


class AssetMissing(MarketError):
    """The storage has no file under this key."""

    status_code = 404

    def __init__(self, key: str) -> None:
        super().__init__(f"The file {key} is not in the storage.")


class DatabaseOutdated(MarketError):
    """The database lacks migrations, or was never set up."""

    status_code = 503

    def __init__(self) -> None:
        super().__init__("The database is not set up for this version: run `riff db upgrade`.")


class DatabaseUnreachable(MarketError):
    """No connection to the database could be made."""

    status_code = 503

    def __init__(self, place: str) -> None:
        super().__init__(f"The database at {place} cannot be reached: start it or correct RIFF_DATABASE_URL.")


class PortTaken(MarketError):
    """Another program listens where the web process wants to."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(f"Port {port} on {host} is in use: stop the other program or set RIFF_PORT.")


class WorkerRunning(MarketError):
    """All slots of this machine's workers are taken."""


def status_of(error: RiffError) -> int:
    """The HTTP status of any error of the house; 500 for one that no door should see."""
    match error:
        case MarketError():
            return error.status_code
        case InvalidRequest() | UnreadableAudio() | UnreadablePicture() | SourceMissing() | NotPossible():
            return 422
        case ModelUnavailable():
            return 503
        case StorageFull():
            return 507
        case Cancelled():
            return 409
    return 500
