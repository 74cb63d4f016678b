import pytest
from hypothesis import given
from hypothesis import strategies as st

from generation.errors import InvalidRequest
from generation.request import BARS, BPM, MAX_SEED, SAMPLE_RATE, TONICS, Key, RiffRequest


def test_what_is_not_given_is_filled_in() -> None:
    request = RiffRequest.parse(prompt="  church   bells ", seed="7")
    assert request == RiffRequest(prompt="church bells", seed=7, bars=4, bpm=120.0, key=None, takes=1)


@pytest.mark.parametrize(
    ("prompt", "bpm"),
    [
        ("techno at 133 bpm", 133),
        ("liquid drum and bass", 174),
        ("Lofi piano", 78),
        ("a piano", 120),
        ("900 bpm nonsense", 120),
        ("warehouse party", 120),
    ],
)
def test_tempo_is_read_from_the_prompt(prompt: str, bpm: float) -> None:
    assert RiffRequest.parse(prompt=prompt).bpm == bpm
    assert RiffRequest.parse(prompt=prompt, bpm="99.5").bpm == 99.5


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("prompt", "", "The prompt is empty: say what you want to hear."),
        ("prompt", " \u3000 ", "The prompt is empty: say what you want to hear."),
        ("prompt", None, "The prompt is empty: say what you want to hear."),
        ("prompt", 7, "The prompt has to be text."),
        ("prompt", "x" * 301, "The prompt has 301 characters: at most 300 are possible."),
        ("prompt", "a\x00b", "The prompt contains control characters: use plain text on one line."),
        ("prompt", "a\nb", "The prompt contains control characters: use plain text on one line."),
        ("prompt", "\ud800", "The prompt contains control characters: use plain text on one line."),
        ("negative_prompt", "\x1b[2J", "The negative prompt contains control characters: use plain text on one line."),
        ("bars", 0, "bars has to be from 1 to 16, not “0”."),
        ("bars", 17, "bars has to be from 1 to 16, not “17”."),
        ("bars", "2.5", "bars has to be a whole number, not “2.5”."),
        ("bars", "many", "bars has to be a number from 1 to 16, not “many”."),
        ("bars", True, "bars has to be a number from 1 to 16, not “True”."),
        ("bars", [4], "bars has to be a number from 1 to 16, not “[4]”."),
        ("bpm", 39.9, "bpm has to be from 40 to 240, not “39.9”."),
        ("bpm", 241, "bpm has to be from 40 to 240, not “241”."),
        ("bpm", "nan", "bpm has to be from 40 to 240, not “nan”."),
        ("bpm", "inf", "bpm has to be from 40 to 240, not “inf”."),
        ("key", "H", "“H” is not a key: write it like Am, F#, Bb minor or C major."),
        ("key", "A" * 500, f"“{'A' * 40}…” is not a key: write it like Am, F#, Bb minor or C major."),
        ("seed", -1, "seed has to be from 0 to 4294967295, not “-1”."),
        ("seed", 2**32, "seed has to be from 0 to 4294967295, not “4294967296”."),
        ("seed", 10**400, f"seed has to be a number from 0 to 4294967295, not “1{39 * '0'}…”."),
        ("takes", 5, "takes has to be from 1 to 4, not “5”."),
        ("steps", 0, "steps has to be from 1 to 100, not “0”."),
        ("guidance_scale", 0.5, "guidance scale has to be from 1 to 15, not “0.5”."),
        ("variation", 1.1, "variation has to be from 0 to 1, not “1.1”."),
    ],
)  # fmt: skip
def test_bad_input_is_refused_in_a_sentence(field: str, value: object, sentence: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        RiffRequest.parse(**{"prompt": "bells", field: value})
    assert (refusal.value.field, str(refusal.value)) == (field, sentence)


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("Am", Key(9, True)),
        ("a minor", Key(9, True)),
        ("F#", Key(6, False)),
        ("f sharp min", Key(6, True)),
        ("Bb minor", Key(10, True)),
        ("Cb", Key(11, False)),
        ("CM", Key(0, False)),
        ("Cm", Key(0, True)),
        ("E♭ major", Key(3, False)),
    ],
)
def test_keys_are_read_as_people_write_them(written: str, key: Key) -> None:
    assert Key.parse(written) == key


@given(st.integers(0, 11), st.booleans())
def test_a_written_key_reads_back(tonic: int, minor: bool) -> None:
    key = Key(tonic, minor)
    assert Key.parse(str(key)) == key
    assert str(key).removesuffix("m") in TONICS


@given(st.integers(*BARS), st.floats(*BPM), st.integers(0, MAX_SEED))
def test_a_loop_has_exactly_its_bars(bars: int, bpm: float, seed: int) -> None:
    request = RiffRequest.parse(prompt="x", bars=bars, bpm=bpm, seed=seed)
    assert abs(request.samples - bars * 4 * 60 / bpm * SAMPLE_RATE) <= 0.5
    assert RiffRequest.from_dict(request.to_dict()) == request


def test_takes_are_requests_of_their_own() -> None:
    request = RiffRequest.parse(prompt="x", seed=MAX_SEED, takes=2)
    assert [request.take(index).seed for index in range(2)] == [MAX_SEED, 0]
    assert request.take(1).takes == 1


def test_again_and_vary_keep_the_wish() -> None:
    request = RiffRequest.parse(prompt="x", seed=1, key="Am", bars=2)
    again, varied = request.again(), request.vary()
    assert (again.prompt, again.bars, again.key, again.variation) == ("x", 2, request.key, 0.0)
    assert again.seed != request.seed
    assert (varied.seed, varied.variation) == (1, 0.35)
    assert varied.variation_seed is not None
    assert varied.again().variation_seed is None


def test_file_names_are_plain() -> None:
    request = RiffRequest.parse(prompt="Café ../../etc: “bells”", seed=3, bpm=87.5, key="F#m")
    assert request.name == "cafe-etc-bells-87.5bpm-Fsm-3"
    assert RiffRequest.parse(prompt="雨", seed=3).name == "riff-120bpm-3"
