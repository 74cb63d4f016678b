import pytest
from hypothesis import given
from hypothesis import strategies as st

from generation.errors import InvalidRequest
from generation.fields import MAX_SEED
from generation.request import BARS, BPM, METRES, SAMPLE_RATE, TONICS, Key, RiffRequest


def test_what_is_not_given_is_filled_in() -> None:
    request = RiffRequest.parse(prompt="  church   bells ", seed="7")
    assert request == RiffRequest(
        prompt="church bells",
        seed=7,
        bars=4,
        bpm=120.0,
        metre="4/4",
        key=None,
        takes=1,
        steps=8,
        strength=1.0,
    )


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
    ("prompt", "metre"),
    [
        ("a slow waltz", "3/4"),
        ("Mazurka for piano", "3/4"),
        ("strings in 3/4", "3/4"),
        ("irish JIG", "6/8"),
        ("a sea shanty", "6/8"),
        ("ballad in 6/8", "6/8"),
        ("a waltz in 4/4", "4/4"),
        ("jigsaw blues", "4/4"),
        ("13/4 nonsense", "4/4"),
        ("a piano", "4/4"),
    ],
)
def test_the_metre_is_read_from_the_prompt(prompt: str, metre: str) -> None:
    assert RiffRequest.parse(prompt=prompt).metre == metre
    assert RiffRequest.parse(prompt=prompt, metre="").metre == metre
    assert RiffRequest.parse(prompt=prompt, metre=" 6 / 8 ").metre == "6/8"


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
        ("metre", "5/4", "“5/4” is not a metre that can be played: choose 4/4, 3/4 or 6/8."),
        ("metre", 3, "“3” is not a metre that can be played: choose 4/4, 3/4 or 6/8."),
        ("key", "H", "“H” is not a key: write it like Am, F#, Bb minor or C major."),
        ("key", "A" * 500, f"“{'A' * 40}…” is not a key: write it like Am, F#, Bb minor or C major."),
        ("seed", -1, "seed has to be from 0 to 4294967295, not “-1”."),
        ("seed", 2**32, "seed has to be from 0 to 4294967295, not “4294967296”."),
        ("seed", 10**400, f"seed has to be a number from 0 to 4294967295, not “1{39 * '0'}…”."),
        ("takes", 5, "takes has to be from 1 to 4, not “5”."),
        ("steps", 0, "steps has to be from 1 to 100, not “0”."),
        ("guidance_scale", 0.5, "guidance scale has to be from 1 to 15, not “0.5”."),
        ("variation", 1.1, "variation has to be from 0 to 1, not “1.1”."),
        ("morph_to", "\t", "The prompt to morph to contains control characters: use plain text on one line."),
        ("morph", -0.1, "morph has to be from 0 to 1, not “-0.1”."),
        ("strength", 0, "strength has to be from 0.05 to 1, not “0”."),
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


@given(st.integers(*BARS), st.floats(*BPM), st.sampled_from(list(METRES)), st.integers(0, MAX_SEED))
def test_a_loop_has_exactly_its_bars(bars: int, bpm: float, metre: str, seed: int) -> None:
    """A bar of 3/4 and one of 6/8 are three quarter notes long."""
    request = RiffRequest.parse(prompt="x", bars=bars, bpm=bpm, metre=metre, seed=seed)
    quarters = bars * (4 if metre == "4/4" else 3)
    assert request.sixteenths == quarters * 4
    assert abs(request.samples - quarters * 60 / bpm * SAMPLE_RATE) <= 0.5
    assert RiffRequest.from_dict(request.to_dict()) == request


def test_a_record_from_before_metres_is_in_four() -> None:
    request = RiffRequest.parse(prompt="a waltz", seed=1, metre="4/4", steps=16)
    old = {
        field: value
        for field, value in request.to_dict().items()
        if field not in ("metre", "morph_to", "morph", "strength")
    }
    assert RiffRequest.from_dict(old) == request


def test_takes_are_requests_of_their_own() -> None:
    request = RiffRequest.parse(prompt="x", seed=MAX_SEED, takes=2)
    assert [request.take(index).seed for index in range(2)] == [MAX_SEED, 0]
    assert request.take(1).takes == 1


def test_again_and_vary_keep_the_wish() -> None:
    request = RiffRequest.parse(prompt="x", seed=1, key="Am", bars=2, metre="3/4")
    again, varied = request.again(), request.vary()
    assert (again.prompt, again.bars, again.key, again.variation) == ("x", 2, request.key, 0.0)
    assert again.metre == varied.metre == "3/4"
    assert again.seed != request.seed
    assert (varied.seed, varied.variation) == (1, 0.35)
    assert varied.variation_seed is not None
    assert varied.again().variation_seed is None


def test_file_names_are_plain() -> None:
    request = RiffRequest.parse(prompt="Café ../../etc: “bells”", seed=3, bpm=87.5, key="F#m")
    assert request.name == "cafe-etc-bells-87.5bpm-Fsm-3"
    assert RiffRequest.parse(prompt="雨", seed=3).name == "riff-120bpm-3"


@pytest.mark.parametrize(
    ("prompt", "key"),
    [
        ("funk in E minor", "Em"),
        ("Bb major brass", "Bb"),
        ("C# min techno, 130 bpm", "C#m"),
        ("piano in F sharp minor", "F#m"),
        ("strings, B-flat major", "Bb"),
        ("a minor key melody", None),
        ("harp in a minor key", None),
        ("A minor key waltz", None),
        ("D major", "D"),
        ("drums for E", None),
    ],
)
def test_a_key_that_the_prompt_names_is_the_key(prompt: str, key: str | None) -> None:
    request = RiffRequest.parse(prompt=prompt, seed=1)
    assert (None if request.key is None else str(request.key)) == key
    assert str(RiffRequest.parse(prompt=prompt, seed=1, key="G").key) == "G"
