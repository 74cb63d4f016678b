"""What goes to a borrowed machine: it fits, it sounds and reads as here, and it runs where only torch is."""

import json
import os
import random
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch

from generation.corpus.captions import caption
from generation.corpus.composer import compose
from generation.corpus.instruments import SOUNDS
from generation.corpus.renderer import Renderer
from generation.corpus.score import Score
from generation.corpus.soundfonts import FLUID_R3, find_soundfont
from generation.errors import ModelUnavailable
from generation.models.shipped import load_model
from generation.models.text import TextEncoder
from generation.models.transformer import RiffTransformer
from generation.training.gpu import machine, pack
from generation.training.gpu.run import gather, write_home
from generation.training.gpu.soundfont import trim
from generation.training.gpu.text import CarriedTextEncoder
from generation.training.gpu.unpack import unpack

ROOT = Path(__file__).parents[2]
# What torch, NumPy and SciPy are made of and need; nothing else of this environment is there in the chain.
BARE = (
    "torch", "torchgen", "functorch", "numpy", "numpy.libs", "scipy", "scipy.libs", "typing_extensions.py", "sympy",
    "mpmath", "networkx", "jinja2", "markupsafe", "filelock", "fsspec",
)  # fmt: skip
FIRST_SEED = 10_000_000
SCORES = [compose(FIRST_SEED + number) for number in range(3)]


def presets(scores: list[Score]) -> set[tuple[int, int]]:
    sounds = [(part, SOUNDS[part.instrument]) for score in scores for part in score.parts]
    return {
        (128 if part.is_drums else 0, sound.program)
        for part, sound in sounds
        if getattr(sound, "program", None) is not None
    }


@pytest.fixture(scope="module")
def carried(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pack with the presets of a few scores from the large soundfont, which is everywhere where tests run."""
    folder = tmp_path_factory.mktemp("carried")
    (folder / machine.SITE).mkdir()
    whole = find_soundfont(FLUID_R3).read_bytes()
    (folder / machine.SOUNDFONT).write_bytes(trim(whole, presets(SCORES)))
    pack.pack_packages(folder / machine.SITE)
    pack.pack_libraries(folder / machine.LIBRARIES)
    pack.pack_text(folder / machine.TEXT, 50)
    return folder


def test_a_trimmed_soundfont_sounds_as_the_whole_one(carried: Path) -> None:
    score = next(score for score in SCORES if presets([score]))
    whole = Renderer(find_soundfont(FLUID_R3)).render(score)
    trimmed = Renderer(carried / machine.SOUNDFONT).render(score)
    assert (carried / machine.SOUNDFONT).stat().st_size < find_soundfont(FLUID_R3).stat().st_size / 2
    for role, stem in whole.items():
        assert np.array_equal(stem, trimmed[role]), role


def test_the_carried_encoder_reads_captions_as_the_shipped_one(carried: Path) -> None:
    captions = list(pack.captions(50))
    there, here = CarriedTextEncoder(carried / machine.TEXT)(captions), TextEncoder()(captions)
    assert torch.equal(there.weight, here.weight)
    heard = here.weight[..., None]
    assert float(((there.states - here.states) * heard).abs().max()) < 2e-2
    assert float((there.pooled - here.pooled).abs().max()) < 5e-3
    words = [
        caption(score, frozenset(part.role for part in score.parts), random.Random(1)) for score in SCORES
    ]
    assert (CarriedTextEncoder(carried / machine.TEXT)(words).weight.sum(1) > 2).all()


def test_more_than_may_travel_is_refused() -> None:
    pack.check_size({"soundfont.sf3": 40 * 2**20}, 24 * 2**20)
    with pytest.raises(pack.TooLarge, match="67,108,865 bytes would travel"):
        pack.check_size({"soundfont.sf3": 40 * 2**20}, 24 * 2**20 + 1)


@pytest.mark.parametrize(("taught", "held"), [(1, 1), (18, 1), (38, 2), (60, 3), (45, 1)])
def test_every_session_holds_out_the_same_shards(tmp_path: Path, taught: int, held: int) -> None:
    (tmp_path / "all").mkdir()
    numbers = [number * 20 for number in range(held)] + [n for n in range(2000) if n % 20][:taught]
    for number in numbers:
        (tmp_path / f"all/loops-{number * 32:08d}-{number * 32 + 31:08d}.npz").touch()
    folder, count = gather(tmp_path / "all", tmp_path / "session")
    files = sorted(folder.glob("loops-*.npz"))
    kept_back = files[19::20] or files[-1:]  # as generation.training.train has it
    seeds = [int(file.stem.split("-")[-2]) // 32 for file in files]
    assert count == taught + held
    assert [seed % 20 == 0 for seed in seeds] == [file in kept_back for file in files]
    assert len(files) >= min(taught, 18)


def test_what_comes_home_is_the_model(tmp_path: Path) -> None:
    model = RiffTransformer(width=32, depth=1, heads=2, latent_size=16)
    model.save_pretrained(tmp_path / "run/transformer")
    (tmp_path / "run/log.jsonl").write_text("{}\n")
    (tmp_path / "home").mkdir()
    write_home(tmp_path / "run", tmp_path / "home", "tiny", distilled=True)
    unpack(tmp_path / "home", "tiny", tmp_path / "model", "riff-home")
    loaded = load_model(tmp_path / "model").pipeline.transformer
    assert loaded.config.guided
    for name, value in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value.half().float()), name
    (tmp_path / "home/tiny-0.part").write_bytes(b"cut off")
    with pytest.raises(ModelUnavailable, match="not of one moment"):
        unpack(tmp_path / "home", "tiny", tmp_path / "other", "riff-home")
    assert not (tmp_path / "other").exists()


def test_rendering_training_and_distilling_where_only_torch_is(carried: Path, tmp_path: Path) -> None:
    spec = find_spec("torch")
    assert spec is not None
    assert spec.origin is not None
    installed = Path(spec.origin).parents[1]
    (tmp_path / "site").mkdir()
    for name in BARE:
        if (installed / name).exists():
            (tmp_path / "site" / name).symlink_to(installed / name)
    folders = f"--carried {carried} --local {tmp_path}/local --out {tmp_path}/out"
    quick = "--size tiny --seconds 900 --steps 3 --tokens 64 --wait-for 2 --device cpu --no-compile"
    commands = [
        f"render --seconds 900 --workers 1 --loops 1 --shards 2 --mixes 2 --first-seed {FIRST_SEED}",
        f"train {quick}",
        f"distil {quick}",
    ]
    program = f"""
import importlib.util, sys
if __name__ == "__main__":
    for name in ("diffusers", "transformers", "tokenizers", "safetensors", "fluidsynth"):
        assert importlib.util.find_spec(name) is None, name
    from generation.training.gpu.run import main
    for command in {commands!r}:
        main([*{folders.split()!r}, *command.split()])
"""
    (tmp_path / "chain.py").write_text(program)
    result = subprocess.run(
        [sys.executable, "-S", str(tmp_path / "chain.py")],
        env=os.environ | {"PYTHONPATH": f"{tmp_path}/site:{ROOT}", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    assert "diffusers replaced by ours" in result.stderr
    moments = [json.loads(line) for line in (tmp_path / "out/tiny.log.jsonl").read_text().splitlines()]
    assert moments[-1]["step"] == 3
    assert set(moments[-1]["held_out"]) == {"0.1", "0.3", "0.5", "0.7", "0.9"}
    unpack(tmp_path / "out", "tiny-distilled", tmp_path / "model", "riff-tiny")
    assert load_model(tmp_path / "model").pipeline.transformer.config.guided
