import pytest
from hypothesis import given
from hypothesis import strategies as st

from generation.errors import InvalidRequest
from generation.prompt import Prompt, parse_prompt


def weights(text: str) -> dict[str, float]:
    prompt = parse_prompt(text)
    return {prompt.text[start:end].strip(): round(weight, 4) for start, end, weight in prompt.spans}


def test_words_without_brackets_are_left_alone() -> None:
    assert parse_prompt("church bells: 90 bpm, 3/4") == Prompt("church bells: 90 bpm, 3/4")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(bells:1.3) and drums", {"bells": 1.3}),
        ("(bells)", {"bells": 1.1}),
        ("[bells] and (drums)", {"bells": 0.9091, "drums": 1.1}),
        ("((bells))", {"bells": 1.21}),
        ("(warm (bells:2):0.5)", {"warm": 0.5}),
        ("(bells:99)", {"bells": 4.0}),
        ("(bells : 1.5 )", {"bells": 1.5}),
    ],
)
def test_brackets_weigh_words(text: str, expected: dict[str, float]) -> None:
    assert weights(text) == expected
    assert not set(parse_prompt(text).text) & set("()[]:")


@pytest.mark.parametrize("text", ["(bells", "bells)", "bells]", "(bells]", r"\(bells\)", "[(bells]"])
def test_brackets_without_a_partner_are_text(text: str) -> None:
    prompt = parse_prompt(text)
    assert prompt.spans == ()
    assert prompt.text == text.replace("\\", "")


def test_styles_are_taken_out_with_their_weights() -> None:
    prompt = parse_prompt("style:dusty bells, (style:Tape_2:0.5 drums:1.2) style:a")
    assert prompt.styles == (("dusty", 1.0), ("tape_2", 0.5), ("a", 1.0))
    assert prompt.text == "bells, drums"
    assert weights("style:dusty bells, (style:Tape_2:0.5 drums:1.2)") == {"drums": 1.2}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "style:../../etc",
            "“../../etc” is no name of a style: letters, digits, - and _, at most 32 of them.",
        ),
        ("style:a:3", "The weight of style a has to be from 0 to 2, not 3."),
        ("style:a:-1", "The weight of style a has to be from 0 to 2, not -1."),
    ],
)
def test_a_style_that_cannot_be_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        parse_prompt(text)
    assert (refusal.value.field, str(refusal.value)) == ("prompt", sentence)


@given(st.text(alphabet="ab ()[]:1.3\\", max_size=40))
def test_whatever_is_typed_is_taken_apart(text: str) -> None:
    prompt = parse_prompt(text)
    ends = 0
    for start, end, weight in prompt.spans:
        assert ends <= start < end <= len(prompt.text)
        assert 0 < weight < 1e6
        ends = end
    letters = [letter for letter in text if letter in "ab"]
    assert [letter for letter in prompt.text if letter in "ab"] == letters
