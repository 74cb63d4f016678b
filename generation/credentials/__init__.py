"""Content Credentials: who made a file and with what, signed so that a change to either is found.

C2PA Technical Specification 2.4 (https://spec.c2pa.org), through c2pa-python. Together with the recipe in every file it
is the marking in a machine-readable format that Article 50(2) of Regulation (EU) 2024/1689, the AI Act, asks of
whoever generates sound and pictures. Signing comes last, after everything else of a file is written.
"""

from generation.credentials.manifest import EMBEDDED, SIDECAR, Claim
from generation.credentials.reading import Credentials, read, require_unchanged
from generation.credentials.signer import Signer, certificates_in
from generation.credentials.signing import sidecar, sign, sign_file

__all__ = [
    "EMBEDDED",
    "SIDECAR",
    "Claim",
    "Credentials",
    "Signer",
    "certificates_in",
    "read",
    "require_unchanged",
    "sidecar",
    "sign",
    "sign_file",
]
