"""The real FluidSynth and our own sounds: repeatable to the byte, exact in length, and without a seam."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from generation.corpus.composer import compose
from generation.corpus.instruments import BASSES, CLOSED_HAT, KITS, MELODIC, OPEN_HAT, TEXTURES
from generation.corpus.renderer import Renderer
from generation.corpus.score import Note, Part, Score
from generation.corpus.soundfonts import (
    FLUID_R3,
    SOUNDFONTS,
    Soundfont,
    SynthesizerUnavailable,
    choose_soundfont,
    find_soundfont,
    find_soundfonts,
    origin_of,
)
from generation.request import RiffRequest


def lone(instrument: str, *notes: Note, bpm: int = 120, bars: int = 1) -> Score:
    part = Part("lead", instrument, "melody", notes, 0.0, 0.3)
    return replace(compose(1), bpm=bpm, bars=bars, parts=(part,))


def roughness(mono: np.ndarray) -> np.ndarray:
    """The size of the second difference around the circle, per sample; the last two cross the seam."""
    return np.abs(np.diff(np.concatenate([mono, mono[:2]]), 2))


def test_the_same_score_gives_the_same_bytes_whatever_came_before(renderer: Renderer) -> None:
    score, other = compose(3), compose(12)
    first = renderer.render(score)
    renderer.render(other)
    again = renderer.render(score)
    elsewhere = Renderer(find_soundfont(FLUID_R3)).render(score)
    assert list(first) == [part.role for part in score.parts]
    for role, stem in first.items():
        assert stem.tobytes() == again[role].tobytes() == elsewhere[role].tobytes()


def test_a_stem_does_not_depend_on_the_other_parts_but_for_its_gain(renderer: Renderer) -> None:
    score = next(score for score in map(compose, range(40)) if len(score.parts) == 4)
    together = renderer.render(score)["lead"]
    alone = renderer.render(replace(score, parts=score.parts[-1:]))["lead"]
    gain = float((together * alone).sum() / (alone * alone).sum())
    # The reverb's own modulation goes on from part to part, so the two are alike and not identical.
    assert np.corrcoef(together.ravel(), alone.ravel())[0, 1] > 0.99
    assert 0 < gain <= 1.001


@pytest.mark.parametrize(("bpm", "bars"), [(60, 1), (97, 2), (133, 4), (170, 8)])
def test_a_stem_is_as_long_as_the_request_counts(renderer: Renderer, bpm: int, bars: int) -> None:
    score = lone("piano", Note(0.0, 4.0, 60, 90), bpm=bpm, bars=bars)
    stem = renderer.render(score)["lead"]
    samples = round(bars * 4 * 60 / bpm * 44_100)
    assert stem.shape == (samples, 2)
    assert stem.dtype == np.float32
    assert samples == RiffRequest(prompt="piano", seed=1, bars=bars, bpm=bpm).samples


def test_the_join_is_no_rougher_than_the_rest(renderer: Renderer) -> None:
    for seed in range(0, 60, 3):
        mono = np.sum(list(renderer.render(compose(seed)).values()), axis=0).mean(axis=1)
        rough = roughness(mono)
        assert rough[-2:].max() <= np.quantile(rough, 0.999), seed


def test_a_note_at_the_end_rings_over_the_beginning(renderer: Renderer) -> None:
    late = renderer.render(lone("church bells", Note(14.0, 2.0, 60, 110)))["lead"]
    early = np.square(late[:22_050]).mean()
    assert early > 0.05 * np.square(late[-11_025:]).mean()


def test_a_closed_hat_chokes_an_open_one_over_the_seam(renderer: Renderer) -> None:
    open_hat = Note(15.0, 1.0, OPEN_HAT, 100)
    ringing = renderer.render(lone("standard kit", open_hat))["lead"]
    choked = renderer.render(lone("standard kit", Note(0.0, 1.0, CLOSED_HAT, 20), open_hat))["lead"]
    window = slice(8_820, 17_640)
    scale = np.abs(ringing[-5_000:]).max() / np.abs(choked[-5_000:]).max()
    assert np.square(choked[window] * scale).mean() < 0.2 * np.square(ringing[window]).mean()


def test_mixes_do_not_clip_and_every_stem_is_heard(renderer: Renderer) -> None:
    for seed in range(1, 60, 3):
        stems = renderer.render(compose(seed))
        assert np.abs(np.sum(list(stems.values()), axis=0)).max() <= 0.8901
        assert all(np.abs(stem).max() <= 0.8901 for stem in stems.values())
        levels = [20 * np.log10(np.sqrt(np.square(stem).mean())) for stem in stems.values()]
        assert min(levels) > -45, seed
        assert max(levels) - min(levels) < 20, seed


def test_every_sound_of_the_catalogue_sounds(renderer: Renderer) -> None:
    for sound in (*MELODIC.values(), *BASSES.values()):
        low, high = (
            renderer.render(lone(sound.name, Note(0.0, 8.0, pitch, 100)))["lead"]
            for pitch in (sound.low, sound.high)
        )
        assert min(np.abs(low).max(), np.abs(high).max()) > 0.05, sound.name
    for texture in TEXTURES:
        assert np.abs(renderer.render(lone(texture, Note(0.0, 16.0, 60, 100)))["lead"]).max() > 0.05, texture
    for kit in KITS.values():
        assert np.abs(renderer.render(lone(kit.name, Note(0.0, 1.0, 36, 110)))["lead"]).max() > 0.05, kit.name


def test_panning_moves_a_part(renderer: Renderer) -> None:
    score = lone("trumpet", Note(0.0, 8.0, 67, 100))
    left, right = (
        renderer.render(replace(score, parts=(replace(score.parts[0], pan=pan, reverb=0.0),)))["lead"]
        for pan in (-0.9, 0.9)
    )
    assert np.square(left[:, 0]).mean() > 4 * np.square(left[:, 1]).mean()
    assert np.square(right[:, 1]).mean() > 4 * np.square(right[:, 0]).mean()


def test_a_missing_soundfont_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SynthesizerUnavailable, match="There is no soundfont at"):
        Renderer(tmp_path / "absent.sf2")
    monkeypatch.setenv("RIFF_SOUNDFONT", str(tmp_path / "absent.sf2"))
    with pytest.raises(SynthesizerUnavailable, match="RIFF_SOUNDFONT names"):
        Renderer()
    elsewhere = Soundfont("Absent.sf2", "1", "0" * 64, "MIT", "absent-soundfont")
    with pytest.raises(
        SynthesizerUnavailable, match=r"no Absent\.sf2: install it \(Debian: absent-soundfont\)"
    ):
        find_soundfont(elsewhere)


def test_a_file_that_is_no_soundfont_is_refused(tmp_path: Path) -> None:
    broken = tmp_path / "broken.sf2"
    broken.write_bytes(b"not a soundfont")
    with pytest.raises(SynthesizerUnavailable, match="not a soundfont"):
        Renderer(broken).render(lone("piano", Note(0.0, 4.0, 60, 90)))


def test_the_environment_and_the_caller_override_the_soundfonts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named, wished = tmp_path / "named.sf2", tmp_path / "wished.sf2"
    named.touch()
    wished.touch()
    monkeypatch.setenv("RIFF_SOUNDFONT", str(named))
    assert find_soundfonts() == (named,)
    assert find_soundfonts(wished) == (wished,)


def test_a_score_s_soundfont_is_drawn_by_its_seed_and_nothing_else() -> None:
    both = (Path("one.sf2"), Path("two.sf3"))
    drawn = [choose_soundfont(seed, both) for seed in range(4000)]
    assert 0.47 < drawn.count(both[0]) / 4000 < 0.53
    # The composer walks over the soloists in golden-ratio steps: each of them has to meet both soundfonts.
    place = (np.arange(4000) * (5**0.5 - 1) / 2) % 1
    for start in np.linspace(0, 0.95, 20):
        here = [font for font, at in zip(drawn, place, strict=True) if start <= at < start + 0.05]
        assert 0.35 < here.count(both[0]) / len(here) < 0.65, start
    assert [choose_soundfont(seed, both[:1]) for seed in range(9)] == [both[0]] * 9


def test_our_own_sounds_need_no_soundfont(tmp_path: Path) -> None:
    broken = tmp_path / "broken.sf2"
    broken.write_bytes(b"not a soundfont")
    stem = Renderer(broken).render(lone("supersaw", Note(0.0, 4.0, 60, 90)))["lead"]
    assert np.abs(stem).max() > 0.05


def test_a_soundfont_is_known_by_its_hash(tmp_path: Path) -> None:
    assert origin_of(find_soundfont(FLUID_R3)) == {
        "file": "FluidR3_GM.sf2",
        "sha256": FLUID_R3.sha256,
        "version": "3.1",
        "licence": "MIT",
    }
    other = tmp_path / "FluidR3_GM.sf2"
    other.write_bytes(b"another file of that name")
    assert origin_of(other)["licence"] == "unknown"


def test_the_list_of_origins_has_every_soundfont_with_its_hash() -> None:
    text = (Path(__file__).parents[3] / "docs" / "origin.md").read_text()
    for soundfont in SOUNDFONTS:
        line = next(line for line in text.splitlines() if line.startswith(f"| `{soundfont.file}`"))
        assert f"`{soundfont.sha256}`" in line
        assert soundfont.version in line
        assert soundfont.package in line
