"""What the gate finds in a loop, each of its faults by the check that it is for."""

from typing import Any

import numpy as np
import pytest
import scipy.signal
from numpy.typing import NDArray

from generation.request import SAMPLE_RATE
from market.catalog import fingerprint
from market.catalog.gate import LIMITS, clipped
from tests.market.catalog.conftest import Shop
from tests.market.catalog.loops import tune

SQLITE = pytest.mark.parametrize("settings", ["sqlite"], indirect=True)


async def failed(shop: Shop, sound: NDArray[np.float32], **more: Any) -> dict[str, dict[str, Any]]:
    """The checks that do not pass, the offer aside, by name."""
    loop = await shop.make(sound=sound, **more)
    answer = await shop.http.get(f"/v1/loops/{loop.id}/checks", headers=shop.ada.headers)
    assert answer.status_code == 200, answer.text
    return {
        check["name"]: check
        for check in answer.json()["checks"]
        if not check["passed"] and check["name"] not in ("offer", "embedding")
    }


@SQLITE
async def test_each_fault_is_found_by_its_check(shop: Shop) -> None:
    good = tune(11)
    assert await failed(shop, good) == {}

    cut = good[: int(0.93 * len(good))]
    assert set(await failed(shop, cut)) & {"seam", "step"}
    silent = good.copy()
    silent[len(silent) // 3 :] = 0
    assert "silence" in await failed(shop, silent)
    loud = np.clip(good * 8, -1, 1)
    assert {"clipping", "true peak"} <= set(await failed(shop, loud))
    quiet = good * np.float32(0.005)
    assert "loudness" in await failed(shop, quiet)
    nothing = await failed(shop, np.zeros_like(good))
    assert {"silence", "loudness"} <= set(nothing)
    assert nothing["loudness"]["value"] is None

    # Two bars in A minor at 120 that say to be in E flat minor at 97.
    elsewhere = await failed(shop, tune(12), bpm=97, musical_key="Ebm")
    assert elsewhere["tempo"]["value"] == pytest.approx(120, abs=1)
    assert elsewhere["key"]["value"] < LIMITS["key fit"].value
    assert not elsewhere["key"]["warning"]


@SQLITE
async def test_songs_and_pieces_need_not_close(shop: Shop) -> None:
    once = tune(13, bars=16)[: int(0.93 * 16 * 2 * SAMPLE_RATE)]
    once[-SAMPLE_RATE // 2 :] = 0
    song = {"arrangement": {"kind": "song", "seconds": 30}}
    found = await failed(shop, once, bars=8, **song)
    assert not {"seam", "step"} & set(found)


@SQLITE
async def test_copies_are_found_however_they_are_disguised(shop: Shop) -> None:
    sound = tune(14)
    loop = await shop.make(sound=sound)
    assert (await shop.publish(loop)).status_code == 200
    dark = scipy.signal.sosfilt(scipy.signal.butter(1, 5000, fs=SAMPLE_RATE, output="sos"), sound, axis=0)
    noise = np.random.default_rng(0).standard_normal(sound.shape) * 0.003
    for copy in (sound * 0.5, np.roll(sound, 12_345, 0), sound[:, ::-1], sound + noise, dark):
        found = await failed(shop, np.ascontiguousarray(copy, np.float32))
        assert found["fingerprint"]["value"] >= LIMITS["fingerprint"].value
        assert loop.id in found["fingerprint"]["sentence"]
        assert "same samples" not in found
    twin = await failed(shop, sound)
    assert twin["same samples"]["value"] == loop.id
    for other in (15, 16, 17):
        assert "fingerprint" not in await failed(shop, tune(other))


def test_prints_of_a_loop_are_the_same_however_often_it_is_repeated() -> None:
    sound = tune(18, bars=1)
    once, twice = (fingerprint.fingerprint(np.tile(sound, (turns, 1))) for turns in (1, 2))
    assert fingerprint.similarity(once, twice) > 0.95
    assert set(fingerprint.subprints(once)) & set(fingerprint.subprints(twice))
    assert len(fingerprint.subprints(once)) <= fingerprint.SUBPRINTS
    assert np.array_equal(fingerprint.unpacked(fingerprint.packed(once)), once)
    assert fingerprint.similarity(once, np.zeros(0, np.uint32)) == 0
    assert fingerprint.similarity(once, ~once) < 0.6


def test_only_runs_at_full_scale_are_clipped() -> None:
    sound = np.zeros((100, 2), np.float32)
    sound[10, 0] = sound[20:23, 1] = 1
    assert clipped(sound) == 0
    sound[40:46, 0] = -1
    assert clipped(sound) == 6
