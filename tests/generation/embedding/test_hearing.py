"""What the shipped ear hears, without torch."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import scipy.signal

from generation.corpus.composer import compose
from generation.corpus.genres import GENRES
from generation.corpus.instruments import BASSES, KITS, MELODIC, TEXTURES
from generation.corpus.score import Note, Part, Score
from generation.embedding import CONFIDENT, embed_audio, embed_text, heard
from generation.embedding.network import WEIGHTS, Network
from generation.embedding.picture import Audio
from generation.errors import ModelUnavailable, UnreadableAudio
from tests.generation.embedding.conftest import Play

KIT = 1_500_005
HELD_OUT = 1_050_000


def alone(instrument: str, role: str, figure: str, *notes: Note, bpm: int = 110) -> Score:
    part = Part(role, instrument, figure, notes, 0.0, 0.4)  # type: ignore[arg-type]
    return replace(compose(1), bpm=bpm, bars=2, parts=(part,), genre="")


def church_bells() -> Score:
    return alone(
        "church bells",
        "lead",
        "peal",
        *(Note(4.0 * beat, 4.0, (67, 64, 60, 62)[beat % 4], 90) for beat in range(8)),
    )


def drum_kit() -> Score:
    beats = [
        Note(step, 0.5, 36 if step % 8 == 0 else 38 if step % 8 == 4 else 42, 100) for step in range(0, 32, 2)
    ]
    return alone("standard kit", "drums", "groove", *beats)


def noise(seconds: float, level: float = 0.1) -> Audio:
    samples = np.random.default_rng(0).standard_normal((round(seconds * 44_100), 2))
    return (samples * level).astype(np.float32)


def test_a_kit_and_a_bell_lie_apart_and_have_their_names(play: Play) -> None:
    kit, bells = play(drum_kit()), play(church_bells())
    assert float(embed_audio(kit, 110) @ embed_audio(bells, 110)) < 0.3
    said = heard(kit, 110)
    assert said.has_drums > 0.9
    # Which of the acoustic kits it is may be doubtful, but nothing else is heard.
    assert said.instruments
    assert {name for name, _ in said.instruments} <= set(KITS)
    said = heard(bells, 110)
    assert said.has_drums < 0.1
    assert said.instruments[0][0] == "church bells"
    assert said.instruments[0][1] >= CONFIDENT
    assert not {name for name, _ in said.instruments} & set(KITS)


def test_sentences_find_what_they_name(play: Play) -> None:
    loops = {"drum beat": embed_audio(play(drum_kit())), "church bells": embed_audio(play(church_bells()))}
    for sentence in loops:
        near = {name: float(loop @ embed_text(sentence)) for name, loop in loops.items()}
        assert max(near, key=near.__getitem__) == sentence


def test_a_loop_is_nearest_to_itself_when_it_is_quiet_and_starts_elsewhere(play: Play) -> None:
    loops = [play(score) for score in map(compose, range(HELD_OUT, HELD_OUT + 12))]
    places = np.stack([embed_audio(loop) for loop in loops])
    for row, loop in enumerate(loops):
        again = embed_audio(np.roll(loop, len(loop) // 3, 0) * np.float32(0.2))
        assert int((places @ again).argmax()) == row


def test_the_same_sound_gives_the_same_numbers() -> None:
    sound = noise(3)
    first = embed_audio(sound, 120)
    assert first.shape == (64,)
    assert first.dtype == np.float32
    assert np.linalg.norm(first) == pytest.approx(1, abs=1e-5)
    np.testing.assert_array_equal(first, embed_audio(sound.copy(), 120))
    assert heard(sound, 120) == heard(sound.copy(), 120)


def test_names_are_the_corpus_s_own() -> None:
    known = Network.load().names
    assert known["genres"] == list(GENRES)
    assert known["sounds"] == [*MELODIC, *BASSES, *KITS, *TEXTURES]
    said = heard(noise(4))
    for found in (said.genres, said.instruments, said.textures, said.moods):
        confidences = [confidence for _, confidence in found]
        assert confidences == sorted(confidences, reverse=True)
        assert all(0 <= confidence <= 1 for confidence in confidences)
    assert not {name for name, _ in said.instruments} & set(TEXTURES)


def test_treble_makes_brighter_and_level_gives_energy() -> None:
    sound = noise(3)
    dull = np.asarray(
        scipy.signal.sosfilt(scipy.signal.butter(1, 800, fs=44_100, output="sos"), sound, axis=0), np.float32
    )
    brightness = [heard(dull + share * sound).brightness for share in (0, 0.05, 0.2, 1)]
    assert brightness == sorted(brightness)
    assert brightness[-1] > brightness[0]
    energy = [heard(sound * np.float32(gain)).energy for gain in (0.01, 0.1, 0.5, 1, 4)]
    assert energy == sorted(energy)
    assert 0 <= energy[0] < energy[-1] <= 1


def test_more_strokes_give_more_energy(play: Play) -> None:
    def strokes(every: int) -> Audio:
        loop = play(
            alone("standard kit", "drums", "groove", *(Note(at, 0.5, 38, 100) for at in range(0, 32, every)))
        )
        return loop / np.float32(np.sqrt(np.square(loop).mean()) * 10)

    energy = [heard(strokes(every)).energy for every in (16, 8, 4, 2)]
    assert energy == sorted(energy)
    assert energy[-1] > energy[0] + 0.1


@pytest.mark.parametrize(
    ("sound", "sentence"),
    [
        (np.zeros((44_100, 2), np.float32), "There is only silence in this sound."),
        (noise(0.3), "0.30 seconds are too short to hear anything in: 0.5 seconds is the least."),
        (noise(2) * np.float32("nan"), "This sound is damaged: some of its samples are not numbers."),
        (noise(2)[:, 0], "This is no stereo sound: its shape is (88200,), not (samples, 2)."),
    ],
)
def test_what_cannot_be_heard_is_refused(sound: Audio, sentence: str) -> None:
    for listen in (embed_audio, heard):
        with pytest.raises(UnreadableAudio) as refusal:
            listen(sound)
        assert str(refusal.value) == sentence


def test_a_song_of_minutes_is_heard() -> None:
    assert heard(np.tile(noise(10), (18, 1))).energy > 0


def test_missing_weights_are_said(tmp_path) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ModelUnavailable, match="cannot be read"):
        Network.load(tmp_path / "ear.npz")
    (tmp_path / "torn.npz").write_bytes(WEIGHTS.read_bytes()[:1000])
    with pytest.raises(ModelUnavailable, match="cannot be read"):
        Network.load(tmp_path / "torn.npz")


def test_no_torch_is_needed() -> None:
    program = (
        "import sys, numpy as np\n"
        "from generation.embedding import embed_text, heard\n"
        "from generation.embedding.originality import originality\n"
        "sound = np.sin(np.arange(88200)[:, None] / [9, 11]).astype(np.float32)\n"
        "embed_text('rain'), heard(sound), originality(sound, 120, '4/4', 1)\n"
        "print(sorted(name for name in ('torch', 'transformers', 'diffusers') if name in sys.modules))"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_what_ships_is_small() -> None:
    assert sum(path.stat().st_size for path in WEIGHTS.parent.iterdir()) <= 650_000
