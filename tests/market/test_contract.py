"""The REST door against its own OpenAPI document, with requests that Schemathesis makes up."""

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given
from hypothesis import settings as search
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from market.accounts import service as accounts
from market.accounts import tokens
from market.settings import Settings
from tests.market.catalog.conftest import Shop, shop

__all__ = ["shop"]
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
# Whoever has asked for this is nobody afterwards.
LAST = "DELETE /v1/me"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """More requests than one address may send in a minute."""
    return settings.model_copy(update={"rate_address": 0, "rate_account": 0, "token_quota": 0})


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
async def test_every_answer_is_as_documented(server: str, shop: Shop, mode: GenerationMode) -> None:
    """To a passer-by, and to an admin who asks for what is there."""
    assert (await shop.publish()).status_code == 200
    granted = await shop.http.post(
        "/v1/licences",
        json={"loop_id": shop.loop.id, "tier": "free", "licensee": "Eve", "project": "A film"},
        headers=shop.eve.headers,
    )
    async with shop.database.write() as session:
        admin = await accounts.create(session, "local:admin", "Admin", accounts.ROLES)
        _, secret = await tokens.issue(
            session, admin, name="tests", scopes=list(tokens.SCOPES), days=None, daily_quota=100_000
        )
    there = {
        "loop_id": shop.loop.id,
        "riff_id": shop.loop.riff_id,
        "code": granted.json()["code"],
        "handle": shop.ada.account.handle,
        "account_id": shop.eve.account.id,
        "tier": "free",
        "role": "drums",
    }
    await asyncio.to_thread(_ask, server, mode, {}, {}, 4)
    tried = await asyncio.to_thread(_ask, server, mode, {"Authorization": f"Bearer {secret}"}, there, 12)
    assert tried >= {"POST /v1/riffs", "GET /v1/loops", "POST /v1/uploads", "POST /v1/licences", LAST}


def _ask(
    server: str, mode: GenerationMode, headers: Mapping[str, str], there: Mapping[str, Any], examples: int
) -> set[str]:
    """Ask everything of the document; `there` are ids that exist, each put in place of every other made-up one."""
    document = schemathesis.openapi.from_url(f"{server}/openapi.json")
    operations = sorted(
        (found.ok() for found in document.get_all_operations()), key=lambda it: it.label == LAST
    )
    tried: set[str] = set()
    for operation in operations:
        asked = 0

        @given(case=operation.as_strategy(generation_mode=mode))
        @search(
            max_examples=examples,
            derandomize=True,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )
        def answers_as_documented(case: Case) -> None:
            nonlocal asked
            asked += 1
            if asked % 2 and case.path_parameters:
                for name in case.path_parameters.keys() & there.keys():
                    case.path_parameters[name] = there[name]
            case.call_and_validate(checks=CHECKS, headers=dict(headers))
            tried.add(case.operation.label)

        # An operation that takes nothing cannot be asked wrongly.
        with contextlib.suppress(Unsatisfiable):
            answers_as_documented()
    return tried
