from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from cds_service.cdshooks.response import (
    Action,
    Card,
    Coding,
    Link,
    Response,
    Source,
    Suggestion,
    encode,
    encode_outcome,
)
from cds_service.errors import BadRequest, DataUnavailable, NotFound, ServiceError


def written(response: Response) -> Any:
    return json.loads(encode(response), parse_float=Decimal)


def test_no_cards_are_an_empty_array() -> None:
    assert encode(Response(cards=())) == b'{"cards":[]}'


def test_a_card_without_optional_attributes_has_none_of_them() -> None:
    card = Card("u1", "Low B12", "warning", Source("Guideline"))
    assert written(Response(cards=(card,))) == {
        "cards": [
            {
                "uuid": "u1",
                "summary": "Low B12",
                "indicator": "warning",
                "source": {"label": "Guideline"},
            }
        ]
    }


def test_everything_is_written_under_the_standards_names() -> None:
    card = Card(
        uuid="u1",
        summary="Low B12",
        indicator="critical",
        source=Source(
            "Guideline", "https://g.example", "https://g.example/i.png", Coding("s", "c")
        ),
        detail="**142 pg/mL**",
        suggestions=(
            Suggestion(
                "Give",
                "u2",
                True,
                (
                    Action("create", "Order", {"resourceType": "MedicationRequest"}),
                    Action("delete", "Stop", resource_id="MedicationRequest/1"),
                ),
            ),
        ),
        selection_behavior="at-most-one",
        override_reasons=(Coding("s", "no", "No"),),
        links=(Link("Why", "https://g.example/why", "smart", app_context="a"),),
        extension={"org.example.x": {"a": 1}},
    )
    assert written(Response((card,), {"org.example.y": {"b": 2}})) == {
        "cards": [
            {
                "uuid": "u1",
                "summary": "Low B12",
                "indicator": "critical",
                "source": {
                    "label": "Guideline",
                    "url": "https://g.example",
                    "icon": "https://g.example/i.png",
                    "topic": {"system": "s", "code": "c"},
                },
                "detail": "**142 pg/mL**",
                "suggestions": [
                    {
                        "label": "Give",
                        "uuid": "u2",
                        "isRecommended": True,
                        "actions": [
                            {
                                "type": "create",
                                "description": "Order",
                                "resource": {"resourceType": "MedicationRequest"},
                            },
                            {
                                "type": "delete",
                                "description": "Stop",
                                "resourceId": "MedicationRequest/1",
                            },
                        ],
                    }
                ],
                "selectionBehavior": "at-most-one",
                "overrideReasons": [{"system": "s", "code": "no", "display": "No"}],
                "links": [
                    {
                        "label": "Why",
                        "url": "https://g.example/why",
                        "type": "smart",
                        "appContext": "a",
                    }
                ],
                "extension": {"org.example.x": {"a": 1}},
            }
        ],
        "extension": {"org.example.y": {"b": 2}},
    }


def test_a_dose_keeps_its_digits_and_is_a_number() -> None:
    resource = {"resourceType": "MedicationRequest", "dose": Decimal("1000.10")}
    suggestion = Suggestion("Give", "u2", False, (Action("create", "Order", resource),))
    card = Card("u1", "s", "info", Source("l"), suggestions=(suggestion,))
    assert b'"dose":1000.10' in encode(Response((card,)))


@pytest.mark.parametrize(
    ("error", "issue"),
    [
        (
            BadRequest("context.userId is required.", "context.userId", "required"),
            {
                "severity": "error",
                "code": "required",
                "details": {"text": "context.userId is required."},
                "diagnostics": "at context.userId",
                "expression": ["context.userId"],
            },
        ),
        (
            NotFound("Nothing here."),
            {"severity": "error", "code": "not-found", "details": {"text": "Nothing here."}},
        ),
        (
            DataUnavailable("The patient could not be obtained in time.", "patient", "timeout"),
            {
                "severity": "error",
                "code": "timeout",
                "details": {"text": "The patient could not be obtained in time."},
                "diagnostics": "at patient",
                "expression": ["patient"],
            },
        ),
    ],
)
def test_an_error_is_an_operation_outcome(error: ServiceError, issue: dict[str, Any]) -> None:
    assert json.loads(encode_outcome(error)) == {
        "resourceType": "OperationOutcome",
        "issue": [issue],
    }


@pytest.mark.parametrize("recommended", [True, False])
def test_whether_a_suggestion_is_recommended_is_always_said(recommended: bool) -> None:
    card = Card("u1", "s", "info", Source("l"), suggestions=(Suggestion("a", "u2", recommended),))
    (sent,) = written(Response((card,)))["cards"][0]["suggestions"]
    assert sent["isRecommended"] is recommended
