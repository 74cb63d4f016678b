import json
from typing import Any

import pytest

from generation.arrangement import Extend, Layers, Morph, Repaint, Song
from generation.errors import InvalidRequest
from generation.request import RiffRequest

DIGEST = "ab" * 32


def parse(**values: Any) -> RiffRequest:
    return RiffRequest.parse(**{"prompt": "bells", "seed": 3, **values})


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"kind": "morph", "prompts": "drums"}, Morph(("drums",))),
        (
            {
                "kind": "morph",
                "prompts": ["a", "b"],
                "loops": "7",
                "over": "time",
                "curve": "ease",
                "to_seed": 9,
            },
            Morph(("a", "b"), 7, "time", "ease", 9),
        ),
        ({"kind": "morph", "to_seed": 1}, Morph((), to_seed=1)),
        ({"kind": "song"}, Song(120.0, "")),
        ({"kind": "song", "seconds": 45, "form": "intro A B"}, Song(45.0, "intro A B")),
        (
            {"kind": "layers"},
            Layers((("drums", ""), ("bass", ""), ("harmony", ""), ("lead", ""))),
        ),
        ({"kind": "layers", "lead": "flute", "bass": ""}, Layers((("bass", ""), ("lead", "flute")))),
    ],
)
def test_an_arrangement_is_read_and_comes_back_from_its_record(
    given: dict[str, Any], expected: object
) -> None:
    request = parse(arrangement=given)
    assert request.arrangement == expected
    assert RiffRequest.from_dict(json.loads(json.dumps(request.to_dict()))) == request


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"kind": "repaint", "bars": "2-3"}, Repaint(2, 3)),
        ({"kind": "repaint", "bars": 4}, Repaint(4, 4)),
        ({"kind": "repaint", "low_hz": 200, "high_hz": "2000"}, Repaint(1, 4, 200.0, 2000.0)),
        ({"kind": "extend"}, Extend(2, "after")),
        ({"kind": "extend", "bars": 1, "side": "before"}, Extend(1, "before")),
    ],
)
def test_what_starts_from_a_sound_carries_its_digest(given: dict[str, Any], expected: object) -> None:
    request = parse(arrangement=given, source=DIGEST)
    assert (request.arrangement, request.source, request.strength) == (expected, DIGEST, 1.0)
    assert RiffRequest.from_dict(json.loads(json.dumps(request.to_dict()))) == request
    with pytest.raises(
        InvalidRequest, match=r"^There is nothing to start from: arrangement needs a source\.$"
    ):
        parse(arrangement=given)


def test_a_source_by_itself_is_remixed_and_one_that_is_kept_is_not() -> None:
    assert parse(source=DIGEST).strength == 0.6
    assert parse(source=DIGEST, strength=0.3).strength == 0.3
    assert parse(source=DIGEST, keep="groove").strength == 1.0
    assert parse().strength == 1.0


@pytest.mark.parametrize(
    ("values", "field", "sentence"),
    [
        (
            {"arrangement": "song"},
            "arrangement",
            "An arrangement is an object whose kind is morph, repaint, extend, song or layers.",
        ),
        (
            {"arrangement": {"kind": "opera"}},
            "arrangement",
            "An arrangement is an object whose kind is morph, repaint, extend, song or layers.",
        ),
        (
            {"arrangement": {"kind": "song", "tempo": 3}},
            "arrangement.tempo",
            "“tempo” is not a part of a song: it has seconds and form.",
        ),
        (
            {"arrangement": {"kind": "song", "seconds": 5}},
            "arrangement.seconds",
            "seconds has to be from 30 to 360, not “5”.",
        ),
        (
            {"arrangement": {"kind": "morph"}},
            "arrangement.prompts",
            "The prompt to morph to is empty: say where the morph goes.",
        ),
        (
            {"arrangement": {"kind": "morph", "prompts": ["a", " "]}},
            "arrangement.prompts",
            "The prompt to morph to is empty: say where the morph goes.",
        ),
        (
            {"arrangement": {"kind": "morph", "prompts": {"a": 1}}},
            "arrangement.prompts",
            "A morph goes to one prompt, or through a list of up to 4.",
        ),
        (
            {"arrangement": {"kind": "morph", "prompts": ["a", "b"], "loops": 2}},
            "arrangement.loops",
            "A morph through 3 prompts takes at least 3 loops.",
        ),
        (
            {"arrangement": {"kind": "morph", "prompts": "a", "loops": 16, "over": "time"}, "bars": 8},
            "arrangement.loops",
            "A morph over time has at most 64 bars, not 16 times 8: take fewer.",
        ),
        (
            {"arrangement": {"kind": "morph", "prompts": "a", "curve": "wild"}},
            "arrangement.curve",
            "curve has to be linear, ease or step, not “wild”.",
        ),
        (
            {"arrangement": {"kind": "repaint", "bars": "3-2"}, "source": DIGEST},
            "arrangement.bars",
            "The loop has bars 1 to 4: “3-2” is not among them.",
        ),
        (
            {"arrangement": {"kind": "repaint", "bars": "all"}, "source": DIGEST},
            "arrangement.bars",
            "“all” is no stretch of bars: write it like 2-3, or 4.",
        ),
        (
            {"arrangement": {"kind": "repaint", "low_hz": 900, "high_hz": 300}, "source": DIGEST},
            "arrangement.low_hz",
            "The band's low end has to be below its high end.",
        ),
        (
            {"arrangement": {"kind": "extend", "bars": 4}, "source": DIGEST},
            "arrangement.bars",
            "bars has to be from 1 to 3, not “4”.",
        ),
        (
            {"arrangement": {"kind": "layers", "lead": "flute"}},
            "arrangement",
            "Layers are two or more of drums, bass, harmony and lead.",
        ),
        (
            {"arrangement": {"kind": "song"}, "source": DIGEST},
            "source",
            "A song starts from prompts only, without a source.",
        ),
        (
            {"arrangement": {"kind": "song"}, "takes": 2},
            "takes",
            "A song is made once: leave takes at 1.",
        ),
        ({"source": "x"}, "source", "“x” is not the SHA-256 of a sound."),
        ({"keep": "groove"}, "source", "There is nothing to start from: keep needs a source."),
        (
            {"keep": "all", "source": DIGEST},
            "keep",
            "keep has to be groove or harmony, not “all”.",
        ),
        (
            {"preset": "loud"},
            "preset",
            "preset has to be sketch, balanced, fine, literal, free, choice, short, long, study, stream, trailer or "
            "game, not “loud”.",
        ),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(values: dict[str, Any], field: str, sentence: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        parse(**values)
    assert (refusal.value.field, str(refusal.value)) == (field, sentence)


def test_a_preset_fills_in_what_was_not_said() -> None:
    study = parse(preset="study")
    assert (study.bars, study.bpm, study.negative_prompt) == (8, 74.0, "vocals, lead")
    said = parse(preset="study", bars=2, bpm="", negative_prompt="drums")
    assert (said.bars, said.bpm, said.negative_prompt) == (2, 74.0, "drums")


def test_names_of_files_tell_relatives_apart() -> None:
    requests = [
        parse(),
        parse(morph_to="electronic beats", morph=0.5),
        parse(variation_seed=8, variation=0.35),
        parse(source=DIGEST),
        parse(source=DIGEST, keep="groove"),
        parse(source=DIGEST, arrangement={"kind": "repaint", "bars": "2-3"}),
        parse(source=DIGEST, arrangement={"kind": "repaint", "bars": "2-3", "low_hz": 300}),
        parse(source=DIGEST, arrangement={"kind": "extend", "bars": 2}),
        parse(arrangement={"kind": "morph", "prompts": ["rain", "drums"], "over": "time"}),
        parse(arrangement={"kind": "song"}),
        parse(arrangement={"kind": "song", "form": "A B", "seconds": 40}),
        parse(arrangement={"kind": "layers"}),
        parse(arrangement={"kind": "layers", "bass": "", "lead": "solo flute"}),
    ]
    assert [request.name for request in requests] == [
        "bells-120bpm-3",
        "bells-120bpm-3-to-electronic-beats-50",
        "bells-120bpm-3-near-8-35",
        "bells-120bpm-3-from-ababab-60",
        "bells-120bpm-3-from-ababab-groove",
        "bells-120bpm-3-from-ababab-bars2-3",
        "bells-120bpm-3-from-ababab-bars2-3-above-300hz",
        "bells-120bpm-3-from-ababab-2-after",
        "bells-120bpm-3-morph-rain-drums-5-time",
        "bells-120bpm-3-song-120s",
        "bells-120bpm-3-song-40s-a-b",
        "bells-120bpm-3-layers",
        "bells-120bpm-3-layers-solo-flute",
    ]
