"""The keys that sign licences: the private one outside of the database, every public one ever used inside.

The private key is RIFF_LICENCE_KEY where that is set: the same on many machines. Otherwise it is a file in `data_dir`
that the first process to need it makes. Machines with keys of their own are no harm: whatever signs is published in
the transaction that it signs in.
"""

import base64
import binascii
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy.ext.asyncio import AsyncSession

from market.audit import service as audit
from market.licensing import document, repository
from market.licensing.errors import KeyUnusable
from market.licensing.models import Key
from market.settings import Settings

FILE = "licence_key"
# A retired key still signs what another machine is about to grant, whatever its clock says.
OVERLAP = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Signer:
    """A private key; `id` is that of its public half."""

    id: str
    public: bytes
    sign: Callable[[bytes], bytes]


def signer(settings: Settings) -> Signer:
    """The key of this process, made if there is none. Raises KeyUnusable."""
    if settings.licence_key:
        return _signer(settings.licence_key, "RIFF_LICENCE_KEY")
    path = settings.data_dir / FILE
    if not path.exists():
        _write(path, anew=False)
    return _signer(path.read_text(), str(path))


async def current(session: AsyncSession, settings: Settings) -> Signer:
    """The key to sign with in this transaction, its public half published. Raises KeyUnusable."""
    found = signer(settings)
    key = await repository.key(session, found.id)
    if key is not None and key.valid_until is not None:
        if settings.licence_key:
            raise KeyUnusable(
                "the key in RIFF_LICENCE_KEY was retired. Set a new one, 32 random bytes in base64."
            )
        _write(settings.data_dir / FILE, anew=True)
        found = signer(settings)
        key = await repository.key(session, found.id)
    if key is None:
        await repository.insert(session, Key(id=found.id, public=found.public, valid_from=_now()))
    return found


async def rotate(session: AsyncSession, settings: Settings, by: str) -> str:
    """Retire this machine's key and sign with a new one from now on; the new key's id.

    What the old key signed stays verifiable: its public half stays published. Raises KeyUnusable where the key is a
    setting, which cannot be changed from here: set another one, then `retire` the old key by its id.
    """
    if settings.licence_key:
        raise KeyUnusable(
            "RIFF_LICENCE_KEY is set. Change it on every machine, then retire the old key by its id."
        )
    old = await current(session, settings)
    await retire(session, old.id, by)
    return (await current(session, settings)).id


async def retire(session: AsyncSession, key_id: str, by: str) -> None:
    """Let a key sign nothing that is granted from now on. Raises KeyUnusable for one that is not in use."""
    key = await repository.key(session, key_id)
    if key is None or key.valid_until is not None:
        raise KeyUnusable(f"there is no key {key_id[:43]!r} in use. See GET /v1/licences/keys.")
    key.valid_until = _now() + OVERLAP
    await session.flush()
    await audit.record(session, by, "licence_key.retire", f"licence_key:{key_id}")


def _signer(text: str, place: str) -> Signer:
    try:
        seed = base64.b64decode(text.strip().replace("-", "+").replace("_", "/") + "==")
        private = Ed25519PrivateKey.from_private_bytes(seed)
    except (binascii.Error, ValueError):
        raise KeyUnusable(f"{place} has to hold 32 bytes in base64 (openssl rand -base64 32).") from None
    public = private.public_key().public_bytes_raw()
    return Signer(document.thumbprint(public), public, private.sign)


def _write(path: Path, *, anew: bool) -> None:
    """A new private key: in place of the old one, or only where there is none yet."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{FILE}.{secrets.token_hex(4)}")
    fresh.touch(mode=0o600)
    try:
        fresh.write_text(document.encode(secrets.token_bytes(32)))
        if anew:
            fresh.replace(path)
        else:
            # A link appears whole or not at all, so two processes that start at once agree on one key.
            path.hardlink_to(fresh)
    except FileExistsError:
        pass
    finally:
        fresh.unlink(missing_ok=True)


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)
