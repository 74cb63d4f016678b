import pytest
from hypothesis import given
from hypothesis import strategies as st

from generation.errors import InvalidRequest
from generation.form import MAX_SECTIONS, Section, plan, read
from generation.request import RiffRequest

SENTENCE = (
    "{} is no section: there are A, B, C, D (and with ' a variation), intro, verse, chorus, bridge, break, drop and "
    "outro, each with its bars (A:8) or repeats (A x2) if you like."
)


def request(**values: object) -> RiffRequest:
    return RiffRequest.parse(**{"prompt": "church bells", "seed": 3, "bpm": 120, **values})


def bars_of(sections: tuple[Section, ...]) -> list[tuple[str, int]]:
    return [(section.name, section.bars) for section in sections]


tempi = st.floats(40, 240)
metres = st.sampled_from(["4/4", "3/4", "6/8"])
names = st.sampled_from(
    ["intro", "A", "A'", "B", "B''", "C", "D", "verse", "chorus", "bridge", "break", "drop", "outro"]
)


@given(seconds=st.floats(30, 360), bpm=tempi, metre=metres, seed=st.integers(0, 2**32 - 1))
def test_a_chosen_form_lasts_as_long_as_asked(seconds: float, bpm: float, metre: str, seed: int) -> None:
    asked = request(bpm=bpm, metre=metre, seed=seed)
    sections = plan(asked, seconds, "")
    bar = asked.seconds / asked.bars
    assert abs(sections[-1].start * bar + sections[-1].bars * bar - seconds) <= 2.5 * bar
    assert [section.name for section in (sections[0], *sections[-2:])] == ["intro", "outro", "end"]
    assert {"A"} <= {section.letter for section in sections}
    assert plan(asked, seconds, "") == sections


@given(
    form=st.lists(names, min_size=1, max_size=12),
    seconds=st.floats(30, 360),
    bpm=tempi,
    metre=metres,
)
def test_a_given_form_is_stretched_to_its_length(
    form: list[str], seconds: float, bpm: float, metre: str
) -> None:
    asked = request(bpm=bpm, metre=metre)
    sections = plan(asked, seconds, " ".join(form))
    assert [section.name for section in sections] == [*form, "end"]
    assert all(section.bars >= 1 for section in sections)
    starts = [sum(section.bars for section in sections[:index]) for index in range(len(sections))]
    assert [section.start for section in sections] == starts
    bar = asked.seconds / asked.bars
    longest = max(section.bars for section in sections) * bar
    wanted = max(seconds, (len(form) + sections[-1].bars) * bar)
    assert abs((starts[-1] + sections[-1].bars) * bar - wanted) <= longest


def test_a_long_form_is_in_phrases_of_four_bars() -> None:
    sections = plan(request(), 120, "intro A A' B break A outro")
    assert bars_of(sections) == [
        *(("intro", 4), ("A", 12), ("A'", 12), ("B", 12), ("break", 4), ("A", 8), ("outro", 6), ("end", 2)),
    ]
    assert [section.letter for section in sections] == ["A", "A", "A", "B", "A", "A", "A", "A"]
    assert [section.variation for section in sections] == [0, 0, 1, 0, 0, 0, 0, 0]
    assert [section.is_thin for section in sections] == [True, False, False, False, True, False, True, False]
    # What leads on is a fill or a build-up, and nothing leads on to the end.
    assert [section.ending for section in sections] == ["build", *["fill"] * 3, "build", "fill", "", ""]
    loudest = max(section.level_db for section in sections)
    assert [section.name for section in sections if section.level_db == loudest] == ["B"]


def test_given_bars_are_kept_and_the_rest_shares_what_is_left() -> None:
    assert bars_of(plan(request(), 60, "intro:2 A:8 B outro:2")) == [
        *(("intro", 2), ("A", 8), ("B", 16), ("outro", 2), ("end", 2)),
    ]
    assert sum(bars for _, bars in bars_of(plan(request(), 60, "A:3 B:5"))) == 3 + 5 + 2


def test_forms_are_read_as_people_write_them() -> None:
    assert [
        (one.name, one.kind, one.variation, one.bars) for one in read("Verse, A′:8 | b’’ x2 - DROPx2")
    ] == [
        *(("verse", "A", 0, None), ("A'", "A", 1, 8), ("B''", "B", 2, None), ("B''", "B", 2, None)),
        *(("drop", "B", 0, None), ("drop", "B", 0, None)),
    ]
    assert read("") == ()


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        ("intro solo outro", SENTENCE.format("“solo”")),
        ("A E", SENTENCE.format("“E”")),
        ("x2", SENTENCE.format("“x2”")),
        ("A:", SENTENCE.format("“A:”")),
        ("A:0", "“A:0”: a section has from 1 to 64 bars."),
        ("A:65", "“A:65”: a section has from 1 to 64 bars."),
        ("A x0", "A section is played at least once: write x2 to play it twice."),
        ("A x33", f"The form has 33 sections: at most {MAX_SECTIONS} are possible."),
    ],
)
def test_what_is_no_form_is_refused_at_the_door(form: str, sentence: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        request(arrangement={"kind": "song", "form": form})
    assert (refused.value.field, str(refused.value)) == ("arrangement.form", sentence)


def test_a_form_of_more_than_six_minutes_is_refused() -> None:
    with pytest.raises(InvalidRequest) as refused:
        plan(request(), 60, "A:64 B:64 A:64 B:64")
    assert str(refused.value) == (
        "This form lasts 8 min 36 s at 120 bpm: a song is at most 6 minutes long, so take fewer bars or sections."
    )
