"""The borrowed machine made ready: what is missing there is put in place from the carried folder, in this process.

The renderer's libraries are loaded one by one by their paths: nothing is installed and no system path is changed.
"""

import ctypes
import ctypes.util
import logging
import os
import platform
import sys
import tarfile
from importlib import import_module
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from generation.errors import RiffError

LIBRARIES, SOUNDFONT, TEXT, SITE = "libraries.tar.xz", "soundfont.sf3", "text.npz", "site"


class MachineUnfit(RiffError):
    """Something is missing on the machine that was not carried along."""


def equip(carried: Path) -> None:
    """Make the project's training importable in this process; raises MachineUnfit without NumPy, SciPy or torch.

    Packages that are there are used, `carried`/site and our stand-ins take the place of those that are not.
    """
    missing = [name for name in ("torch", "numpy", "scipy") if find_spec(name) is None]
    if missing:
        raise MachineUnfit(f"There is no {' and no '.join(missing)} here, and they were not carried along.")
    site = str(carried / SITE)
    if site not in sys.path:
        sys.path.append(site)
    if find_spec("diffusers") is None:
        stand_in = import_module("generation.training.gpu.stand_in")
        for name in ("diffusers", "diffusers.configuration_utils", "diffusers.loaders"):
            sys.modules[name] = stand_in
    if find_spec("transformers") is None:
        _without_transformers()


def carry_text(carried: Path, device: str) -> None:
    """Have the training encode its captions with the carried encoder."""
    from generation.training import dataset
    from generation.training.gpu.text import CarriedTextEncoder

    # The package of the shipped encoder is 90 MB: its class cannot be made here.
    setattr(dataset, "TextEncoder", lambda: CarriedTextEncoder(carried / TEXT, device))  # noqa: B010


def load_fluidsynth(carried: Path, local: Path) -> None:
    """Load the carried FluidSynth for `import fluidsynth`; its libraries are unpacked to `local` once.

    Raises MachineUnfit where a library of theirs is missing.
    """
    folder = local / "libraries"
    if not folder.exists():
        partial = local / f"libraries.{os.getpid()}"
        with tarfile.open(carried / LIBRARIES) as archive:
            archive.extractall(partial, filter="data")
        try:
            partial.rename(folder)
        except OSError:  # another process was first
            if not folder.exists():
                raise
    pending, reason = sorted(folder.iterdir()), ""
    # The loader takes a library that is loaded already for a needed one of its name: leaves first, in any order.
    while pending:
        refused = []
        for library in pending:
            try:
                ctypes.CDLL(str(library))
            except OSError as error:
                refused.append(library)
                reason = str(error)
        if len(refused) == len(pending):
            raise MachineUnfit(f"The carried FluidSynth cannot be loaded: {reason}.")
        pending = refused
    find = ctypes.util.find_library
    try:
        # pyfluidsynth asks where the library is, and the system does not know.
        ctypes.util.find_library = lambda _: str(folder / "libfluidsynth.so.3")  # type: ignore[assignment]
        import_module("fluidsynth")
    finally:
        ctypes.util.find_library = find


def described() -> str:
    """What is on this machine, in a line."""
    import torch

    found = [
        f"{name} {_version(name)}" for name in ("numpy", "scipy", "safetensors", "diffusers", "transformers")
    ]
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    cores = len(os.sched_getaffinity(0))
    python = platform.python_version()
    return f"Python {python}, torch {torch.__version__}, {gpu}, {cores} cores; {', '.join(found)}"


def _version(name: str) -> str:
    try:
        module = import_module(name)
    except ImportError:
        return "missing"
    return str(getattr(module, "__version__", "replaced by ours"))


def _without_transformers() -> None:
    """The names that generation.models.text imports; nobody calls them here."""
    for name in ("transformers.utils", "transformers"):
        sys.modules[name] = ModuleType(name)
        sys.modules[name].__spec__ = ModuleSpec(name, None)  # other packages look for it
    sys.modules["transformers"].__dict__.update(BertModel=None, BertTokenizerFast=None)
    sys.modules["transformers.utils"].__dict__.update(logging=logging)
