"""Files signed: the manifest goes into the container where it has room for one, else beside the file."""

import io
from pathlib import Path
from typing import Any, BinaryIO

import c2pa  # type: ignore[import-untyped]

from generation.credentials.manifest import EMBEDDED, Claim
from generation.credentials.signer import Signer
from generation.errors import RiffError
from generation.files import write_whole

# A manifest of our own pictures needs no picture of them in it, and nothing is asked of any server.
_SETTINGS: dict[str, Any] = {
    "builder": {"thumbnail": {"enabled": False}},
    "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False},
}


class NotSigned(RiffError):
    """A file could not be signed."""


def sign(data: bytes, media_type: str, claim: Claim, signer: Signer) -> bytes:
    """A file of one of the types EMBEDDED with its manifest inside; not the same bytes each time. Raises NotSigned."""
    signed = io.BytesIO()
    _sign(io.BytesIO(data), signed, media_type, claim, signer)
    return signed.getvalue()


def sign_file(path: Path, signed: Path, media_type: str, claim: Claim, signer: Signer) -> None:
    """Like `sign`, for a file of any size: `signed` is written as a whole or not at all. Raises StorageFull, too."""
    # c2pa goes back and forth in what it writes, and reads it.
    partial = signed.with_name(f"{signed.name}.signing")
    try:
        with path.open("rb") as source, partial.open("w+b") as target:
            _sign(source, target, media_type, claim, signer)
        with partial.open("rb") as result, write_whole(signed) as out:
            while piece := result.read(1 << 20):
                out.write(piece)
    finally:
        partial.unlink(missing_ok=True)


def sidecar(path: Path, media_type: str, claim: Claim, signer: Signer) -> bytes:
    """The manifest of a file that stays as it is: what belongs into a .c2pa file beside it. Raises NotSigned."""
    with path.open("rb") as source:
        return _sign(source, io.BytesIO(), media_type, claim, signer, embed=False)


def _sign(
    source: BinaryIO, target: BinaryIO, media_type: str, claim: Claim, signer: Signer, *, embed: bool = True
) -> bytes:
    if embed and media_type not in EMBEDDED:
        raise NotSigned(f"A file of the type {media_type} has no room for content credentials.")
    who = c2pa.C2paSignerInfo(signer.algorithm, signer.chain.encode(), signer.key.encode(), None)
    try:
        with (
            c2pa.Context.from_dict(_SETTINGS) as context,
            c2pa.Signer.from_info(who) as key,
            c2pa.Builder(claim.manifest(media_type), context) as builder,
        ):
            if not embed:
                builder.set_no_embed()
            return bytes(builder.sign(key, media_type, source, target))
    except c2pa.C2paError as error:
        raise NotSigned(f"The file could not be signed: {error}.") from error
