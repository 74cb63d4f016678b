"""The same with a bucket: a licensee's download from end to end."""

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from generation import credentials
from market.settings import Settings
from tests.market import s3
from tests.market.downloads.conftest import Market, Person


@pytest.fixture
def settings(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    with s3.bucket(monkeypatch) as url:
        yield settings.model_copy(update={"storage_url": url})


async def test_a_licensee_downloads_from_a_bucket(
    market: Market, http: httpx.AsyncClient, settings: Settings, tmp_path: Path
) -> None:
    await market.grant()

    async def link(format_: str, by: Person) -> httpx.Response:
        return await http.post(
            f"/v1/loops/{market.loop.id}/downloads", json={"format": format_}, headers=by.headers
        )

    url = (await link("wav", market.ada)).json()["url"]
    whole = await http.get(url)
    assert whole.status_code == 200
    path = tmp_path / "loop.wav"
    path.write_bytes(whole.content)
    found = credentials.read(path)
    assert found is not None
    assert found.unchanged
    part = await http.get(url, headers={"Range": "bytes=1000-1999", "If-Range": whole.headers["etag"]})
    assert (part.status_code, part.content) == (206, whole.content[1000:2000])
    packed = await http.get((await link("zip", market.ada)).json()["url"])
    assert zipfile.ZipFile(io.BytesIO(packed.content)).testzip() is None
    preview = await http.get(f"/v1/loops/{market.loop.id}/preview")
    assert preview.status_code == 200
    assert (await link("wav", market.eve)).status_code == 403
    assert not (settings.data_dir / "assets").exists()
