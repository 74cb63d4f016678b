"""Check a licence without the market: python verify_licence.py licence.json keys.json (from /v1/licences/keys)."""

import base64
import json
import sys
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

file, keys = (json.loads(Path(name).read_text(encoding="utf-8")) for name in sys.argv[1:3])
licence, signature = file["licence"], base64.urlsafe_b64decode(file["signature"] + "==")
[key] = [key for key in keys["keys"] if key["kid"] == licence["key"]]
text = json.dumps(licence, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(key["x"] + "=")).verify(signature, text.encode())
if licence["granted_at"] > (key["valid_until"] or "9999"):
    sys.exit("granted after the key was retired")
sys.stdout.buffer.write(
    f"{licence['code']}: genuine, {licence['tier']}, for {licence['licensee']}\n".encode()
)
