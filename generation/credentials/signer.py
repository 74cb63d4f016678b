"""Whose certificate files are signed with: the operator's, or one that a place makes for itself, once.

The chain follows the certificate profile of the C2PA specification (14.5.1): version 3, a leaf that may sign
and is no authority, key usage digitalSignature, one of the extended key usages that it lists.
"""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from generation.errors import RiffError

_YEARS = timedelta(days=30 * 365)
_CURVES = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}
_PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey


class UnusableCertificate(RiffError):
    """The certificate or key that files are to be signed with does not do."""


@dataclass(frozen=True)
class Signer:
    """A certificate chain (PEM, leaf first), the key of its leaf (PKCS #8, PEM), and what C2PA calls its algorithm."""

    chain: str
    key: str = field(repr=False)
    algorithm: str

    @classmethod
    def load(cls, certificate: Path | None, key: Path | None, folder: Path) -> Self:
        """The operator's, by the paths of two PEM files; where neither is given, the one kept in `folder`.

        Raises UnusableCertificate.
        """
        if certificate is None and key is None:
            return cls._of(_own(folder / "c2pa.pem"), "The self-made certificate")
        if certificate is None or key is None:
            raise UnusableCertificate(
                "A certificate to sign files with needs its key, and a key its certificate."
            )
        try:
            return cls._of(key.read_bytes() + b"\n" + certificate.read_bytes(), certificate.name)
        except OSError as error:
            raise UnusableCertificate(f"{error.filename} cannot be read: {error.strerror}.") from None

    @classmethod
    def self_made(cls) -> Self:
        """A fresh one of nobody's."""
        return cls._of(_fresh(), "The self-made certificate")

    @classmethod
    def _of(cls, pem: bytes, name: str) -> Self:
        try:
            chain = x509.load_pem_x509_certificates(pem)
            key = load_pem_private_key(pem, None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise UnusableCertificate(f"{name} is no PEM certificate with an unencrypted PEM key.") from None
        match key:
            case ec.EllipticCurvePrivateKey() if key.curve.name in _CURVES:
                algorithm = _CURVES[key.curve.name]
            case ed25519.Ed25519PrivateKey():
                algorithm = "ed25519"
            case rsa.RSAPrivateKey() if key.key_size >= 2048:
                algorithm = "ps256"
            case _:
                raise UnusableCertificate(f"{name} has a key of a kind that C2PA does not know.")
        if key.public_key() != chain[0].public_key():
            raise UnusableCertificate(f"{name} belongs to another key: its leaf has to come first.")
        if not chain[0].not_valid_before_utc <= datetime.now(UTC) <= chain[0].not_valid_after_utc:
            raise UnusableCertificate(f"{name} is not valid today: renew it.")
        return cls(_pem(chain), _private(key).decode(), algorithm)

    @cached_property
    def id(self) -> str:
        """Ten hexadecimal digits that name the certificate."""
        leaf = x509.load_pem_x509_certificates(self.chain.encode())[0]
        return hashlib.sha256(leaf.public_bytes(Encoding.DER)).hexdigest()[:10]


def certificates_in(path: Path) -> str:
    """The certificates of a PEM file, in which their key may be, too. Raises UnusableCertificate."""
    try:
        return _pem(x509.load_pem_x509_certificates(path.read_bytes()))
    except OSError as error:
        raise UnusableCertificate(f"{path} cannot be read: {error.strerror}.") from None
    except ValueError:
        raise UnusableCertificate(f"{path.name} holds no PEM certificate.") from None


def _own(kept: Path) -> bytes:
    """The key and chain in a file, which is made where it is not there."""
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        fresh = kept.with_name(f"{kept.name}.{secrets.token_hex(4)}")
        fresh.touch(mode=0o600)
        try:
            fresh.write_bytes(_fresh())
            # A link appears whole or not at all, so two processes that start at once agree on one certificate.
            kept.hardlink_to(fresh)
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    return kept.read_bytes()


def _fresh() -> bytes:
    """A P-256 key and a leaf for it, signed by a root whose own key is forgotten at once."""
    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    place = secrets.token_hex(4)
    root_name, name = _name(f"Riffmarket {place} root"), _name(f"Riffmarket {place}")
    root_id = x509.SubjectKeyIdentifier.from_public_key(root_key.public_key())
    root = (
        _certificate(root_name, root_name, root_key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(root_id, critical=False)
        .sign(root_key, hashes.SHA256())
    )
    leaf = (
        _certificate(name, root_name, key)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(root_id), critical=False
        )
        .sign(root_key, hashes.SHA256())
    )
    return _private(key) + _pem([leaf, root]).encode()


def _name(common: str) -> x509.Name:
    organisation = x509.NameAttribute(NameOID.ORGANIZATION_NAME, "self-made certificate")
    return x509.Name([organisation, x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        # Other machines' clocks may be a little behind.
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + _YEARS)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _private(key: _PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _pem(chain: Sequence[x509.Certificate]) -> str:
    return "".join(certificate.public_bytes(Encoding.PEM).decode() for certificate in chain)
