import json
import re
from pathlib import Path

import numpy as np
import pytest

from generation.engine import Engine
from generation.errors import RiffError
from generation.judge.evaluation import QUICK, Evaluation
from generation.judge.figures import Figure, Goal
from generation.judge.listening import SEEDS, request_of, write_listening_page
from generation.judge.loops import Facts, Specimen
from generation.judge.page import write_report
from generation.judge.prompts import PROMPTS
from generation.judge.statistics import Estimate
from generation.request import METRES


def _evaluation() -> Evaluation:
    facts = Facts("<b>bells</b> & bass", "house", ("piano",), ("lead",), 120, 1, "4/4", 0, 0)
    loop = Specimen(facts, np.full((128, 160), 90, np.uint8), {})
    return Evaluation(
        model="tiny@0",
        plan=QUICK,
        machine="a machine",
        judge="a judge",
        figures=[
            Figure(
                "adherence",
                "genre",
                Estimate(0.7, 0.6, 0.8, 50),
                Estimate(0.8, 0.7, 0.9, 50),
                "%",
                Goal(0.9, 0.97, "share"),
            ),
            Figure("sound", "width", Estimate(-9.0, -9.5, -8.5, 50), Estimate(-8.0, -9, -7, 50), "dB"),
            Figure("pairs", "none", Estimate(float("nan"), float("nan"), float("nan"), 0), unit="%"),
        ],
        confusion={"riffs": np.array([[3.0, 2.0], [0.0, 4.0]]), "real": np.array([[5.0, 0.0], [0.0, 4.0]])},
        per_sound=[("piano", 0.5, 1.0), ("rain", float("nan"), 1.0)],
        seams={"riffs": [1.0, 1.2], "real": [0.9]},
        pairs=[(loop, loop)],
        genres=("house", "jazz"),
        lines={"morph": [0, 0.3, 0.5, 0.8, 1], "remix": [0, 0.2, 0.1, 0.6, 0.8, 1]},
    )


def test_the_report_stands_by_itself_and_escapes_captions(tmp_path: Path) -> None:
    paths = write_report(_evaluation(), tmp_path / "new")
    assert [path.name for path in paths] == ["figures.json", "index.html"]
    record = json.loads(paths[0].read_text())
    assert record["model"] == "tiny@0"
    assert [figure["verdict"] for figure in record["figures"]] == ["short", "", ""]
    page = paths[1].read_text()
    assert "&lt;b&gt;bells&lt;/b&gt; &amp; bass" in page
    assert "<b>bells" not in page
    assert "house for jazz 2 (0)" in page
    assert not re.search(r'(src|href)="(?!data:)', page)
    assert "http" not in page


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RiffError, match="cannot be written"):
        write_report(_evaluation(), tmp_path / "file")


def test_48_prompts_that_can_all_be_asked_for() -> None:
    assert len(PROMPTS) == 48
    assert len({listening.prompt for listening in PROMPTS}) == 48
    requests = [request_of(listening, SEEDS[0]) for listening in PROMPTS]
    assert {request.metre for request in requests} == set(METRES)
    # What the page may weigh: 80 kbit/s and 15 kB of picture for each of 96 loops.
    assert sum(request.seconds * 10_000 + 15_000 for request in requests) * len(SEEDS) < 9 * 2**20


def test_the_listening_page_plays_what_it_wrote_and_nothing_older(tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "99-0.ogg").write_bytes(b"old")
    path = write_listening_page(Engine.load(tiny_model), tmp_path, limit=1)
    page = path.read_text()
    linked = set(re.findall(r'src="([^"]+)"', page))
    assert linked == {"01-0.ogg", "01-1.ogg", "01-0.jpg", "01-1.jpg"}
    assert linked | {"index.html"} == {file.name for file in tmp_path.iterdir()}
    assert (tmp_path / "01-0.ogg").read_bytes()[:4] == b"OggS"
    assert (tmp_path / "01-0.ogg").stat().st_size < 45_000
    assert PROMPTS[0].prompt in page
    assert "<audio controls loop" in page
