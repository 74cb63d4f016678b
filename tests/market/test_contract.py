"""The REST door against its own OpenAPI document, with requests that Schemathesis makes up."""

import contextlib

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

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_every_answer_is_as_documented(server: str, mode: GenerationMode) -> None:
    document = schemathesis.openapi.from_url(f"{server}/openapi.json")
    tried: set[str] = set()
    for operation in (found.ok() for found in document.get_all_operations()):

        @given(case=operation.as_strategy(generation_mode=mode))
        @search(
            max_examples=15,
            derandomize=True,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )
        def answers_as_documented(case: Case) -> None:
            case.call_and_validate(checks=CHECKS)
            tried.add(case.operation.label)

        # An operation that takes nothing cannot be asked wrongly.
        with contextlib.suppress(Unsatisfiable):
            answers_as_documented()
    assert tried >= {"POST /v1/riffs", "GET /v1/loops", "POST /v1/uploads"}
