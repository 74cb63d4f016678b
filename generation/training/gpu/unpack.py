"""What came home from the borrowed machine, joined into a model folder that `RIFF_MODEL` can name.

python -m generation.training.gpu.unpack FROM NAME FOLDER [--as MODEL]
"""

import argparse
import hashlib
import json
from pathlib import Path

from safetensors.torch import load

from generation.errors import ModelUnavailable
from generation.models.shipped import save_model
from generation.models.transformer import RiffTransformer


def unpack(source: Path, name: str, folder: Path, model: str) -> None:
    """Write the model folder of the run `name` that came home to `source`; raises ModelUnavailable when parts lack."""
    try:
        record = json.loads((source / f"{name}.json").read_text())
        parts = [source / f"{name}-{number}.part" for number in range(record["parts"])]
        data = b"".join(part.read_bytes() for part in parts)
    except FileNotFoundError as error:
        raise ModelUnavailable(f"There is no {Path(error.filename).name} in {source}.") from None
    if hashlib.sha256(data).hexdigest() != record["sha256"]:
        raise ModelUnavailable(f"The parts of {name} in {source} are not of one moment, or damaged.")
    transformer = RiffTransformer(**record["config"])
    transformer.load_state_dict(load(data))
    save_model(transformer, folder, name=model)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m generation.training.gpu.unpack")
    parser.add_argument("source", type=Path, metavar="FROM")
    parser.add_argument("name", help="small, medium, medium-distilled ...")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--as", dest="model", help="the model's name; the folder's where it is not given")
    options = parser.parse_args()
    unpack(options.source, options.name, options.folder, options.model or options.folder.name)


if __name__ == "__main__":
    main()
