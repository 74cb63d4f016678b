"""The requests in docs/verbs.md, section REST, are sent as they stand there."""

import json
import re

import httpx

from market.db import Database
from market.storage import Storage
from tests.conftest import ROOT
from tests.market.conftest import beat, finished, wav

REQUEST = re.compile(r"```http\n(POST|GET) (\S+)\n(?:\n(.+)\n)?```")


async def test_every_request_of_the_documentation_is_taken(
    http: httpx.AsyncClient, database: Database, storage: Storage
) -> None:
    text = (ROOT / "docs/verbs.md").read_text()
    requests = REQUEST.findall(text.partition("\n## REST\n")[2])
    assert len(requests) == text.count("```http") == 13
    made = (await finished(database, storage)).id
    upload = (await http.post("/v1/uploads", content=wav(beat()))).json()["id"]
    for method, path, body in requests:
        address, body = (part.replace("LOOP", made).replace("UPLOAD", upload) for part in (path, body))
        content = wav(beat()) if body.startswith("@") else body.encode()
        answer = await http.request(
            method, address, content=content, headers={"content-type": "application/json"}
        )
        assert answer.status_code == (200 if method == "GET" else 202 if "riffs" in path else 200), (
            answer.text
        )
        if method == "POST" and "riffs" in path:
            assert json.loads(body).get("source") in (None, made, upload)
            assert (await http.delete(answer.json()["links"]["self"])).status_code == 200
