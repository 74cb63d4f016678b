"""A licence as a signed file: canonical JSON (RFC 8785) under Ed25519 (RFC 8032), with public keys as JWK (RFC 8037).

The file is {"licence": {...}, "signature": "..."}; the signature is over the canonical form of `licence`, which names
the key. docs/verify_licence.py checks one without any code of ours.
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from market.licensing.models import Grant, Key

TYPE = "riffmarket-licence-1"


def canonical(value: Mapping[str, Any]) -> str:
    """The one way to write a JSON object of strings, whole numbers, booleans, null, lists and objects.

    For those, with names in ASCII, this is RFC 8785. Raises ValueError for a number that JSON lacks.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def document_of(grant: Grant, loop: Mapping[str, Any]) -> dict[str, Any]:
    """What is signed for a grant; `loop` says more about the loop than its row does."""
    return {
        "type": TYPE,
        "code": grant.code,
        "tier": grant.tier,
        "terms": {"version": grant.terms_version, "sha256": grant.terms_sha256},
        "uses": grant.uses,
        "limits": grant.limits,
        "loop": {
            "id": grant.loop_id,
            "sha256": grant.loop_sha256,
            "title": grant.loop_title,
            "creator": grant.creator_name,
            **loop,
        },
        "licensee": grant.licensee,
        "project": grant.project,
        "channels": grant.channels,
        "price_cents": grant.price_cents,
        "currency": grant.currency,
        "granted_at": stamp(grant.granted_at),
        "key": grant.key_id,
    }


def signed(grant: Grant) -> dict[str, Any]:
    """The file of a grant."""
    return {"licence": json.loads(grant.document), "signature": encode(grant.signature)}


def is_signed(licence: Mapping[str, Any], signature: str, key: Key) -> bool:
    """Whether the key signed this licence while it was valid."""
    granted_at = licence.get("granted_at")
    if not isinstance(granted_at, str) or granted_at > _end(key):
        return False
    try:
        data = canonical(licence).encode()
        Ed25519PublicKey.from_public_bytes(key.public).verify(decode(signature), data)
    except (InvalidSignature, ValueError, TypeError, RecursionError):
        return False
    return True


def jwk(key: Key) -> dict[str, str | None]:
    """A public key as it is published. `valid_until` is the last moment of grants that it signs, if there is one."""
    until = key.valid_until
    return {
        "kty": "OKP",
        "crv": "Ed25519",
        "alg": "EdDSA",
        "use": "sig",
        "kid": key.id,
        "x": encode(key.public),
        "valid_from": stamp(key.valid_from),
        "valid_until": None if until is None else stamp(until),
    }


def thumbprint(public: bytes) -> str:
    """A key's id (RFC 7638)."""
    members = {"crv": "Ed25519", "kty": "OKP", "x": encode(public)}
    return encode(hashlib.sha256(canonical(members).encode()).digest())


def stamp(time: datetime) -> str:
    """A point in time to the second, in UTC: such stamps compare as text."""
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def encode(data: bytes) -> str:
    """Base64 for addresses, without padding (RFC 7515)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    """The other way. Raises ValueError."""
    return base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)


def _end(key: Key) -> str:
    return "9999" if key.valid_until is None else stamp(key.valid_until)
