"""Shards on disk: complete, resumable, and read back as they were rendered."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from generation.corpus.build import LOOPS_PER_SHARD, OtherOrigin, build, origin, read
from generation.corpus.composer import compose
from generation.corpus.renderer import Renderer
from generation.corpus.soundfonts import FLUID_R3, SynthesizerUnavailable, find_soundfont


@pytest.fixture(scope="module")
def corpus(renderer: Renderer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    build(folder, LOOPS_PER_SHARD + 4, 100, find_soundfont(FLUID_R3), workers=2)
    return folder


def test_a_corpus_reads_back_in_order_as_it_was_rendered(corpus: Path, renderer: Renderer) -> None:
    loops = list(read(corpus))
    assert [score.seed for score, _ in loops] == list(range(100, 168))
    for score, stems in loops:
        assert score == compose(score.seed)
        assert list(stems) == [part.role for part in score.parts]
        assert all(stem.shape == (score.samples, 2) and stem.dtype == np.int16 for stem in stems.values())
        assert np.abs(np.sum([stem.astype(np.int32) for stem in stems.values()], axis=0)).max() < 29_500
    score, stems = loops[-1]
    for role, stem in renderer.render(score).items():
        assert np.array_equal(stems[role], np.rint(stem * 32767).astype(np.int16))


def test_numpy_alone_reads_a_shard(corpus: Path) -> None:
    with np.load(sorted(corpus.glob("*.npz"))[-1]) as shard:
        part = compose(164).parts[0]
        assert shard[f"0/{part.role}"].shape == (compose(164).samples, 2)


def test_a_second_build_keeps_the_shards_that_are_there(corpus: Path) -> None:
    first, second = sorted(corpus.glob("*.npz"))
    kept = first.stat().st_mtime_ns
    original = second.read_bytes()
    second.unlink()
    progress: list[tuple[int, int]] = []
    paths = build(
        corpus,
        68,
        100,
        find_soundfont(FLUID_R3),
        on_progress=lambda done, count: progress.append((done, count)),
    )
    assert paths == [first, second]
    assert progress == [(64, 68), (68, 68)]
    assert first.stat().st_mtime_ns == kept
    # Rendered anew in another process, after nothing else: the same file.
    assert second.read_bytes() == original
    assert sorted(path.name for path in corpus.iterdir()) == [first.name, second.name, "origin.json"]


def test_a_build_without_a_soundfont_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(SynthesizerUnavailable, match="There is no soundfont at"):
        build(tmp_path / "corpus", 2, soundfont=tmp_path / "absent.sf2")
    assert list((tmp_path / "corpus").iterdir()) == []


def test_a_corpus_says_what_it_was_played_with(corpus: Path, tmp_path: Path) -> None:
    assert [font["sha256"] for font in origin(corpus)] == [FLUID_R3.sha256]
    first = min(corpus.glob("*.npz"))
    with zipfile.ZipFile(first) as shard:
        assert json.loads(shard.read("soundfonts.json")) == [FLUID_R3.file] * LOOPS_PER_SHARD
    other = tmp_path / "other.sf2"
    other.write_bytes(b"another soundfont")
    before = sorted(path.name for path in corpus.iterdir())
    with pytest.raises(OtherOrigin, match=r"were played with FluidR3_GM\.sf2"):
        build(corpus, 80, 100, other)
    assert sorted(path.name for path in corpus.iterdir()) == before
