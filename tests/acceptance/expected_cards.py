"""The full cards that each sample infant gets, as they are in its expected.json.

``python tests/acceptance/expected_cards.py`` writes them again from what the service answers, and
changes nothing else in those files. What it changed is then read, story by story, and accepted or
not: the rest of expected.json is calculated by hand and is never written from the code.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[2] / "fhir_samples" / "b12_under_two"
STORIES = sorted(folder.name for folder in FOLDER.iterdir())
#: Where orders are being written: called by their hook, as test_stories_are_sound.py holds.
ORDER_STORIES = [name for name in STORIES if name.startswith(("order-select-", "order-sign-"))]

#: Of an action; what is to be deleted is named, not shown.
ACTION = ("type", "description", "resource", "resourceId")

Json = dict[str, Any]


def shown(cards: Iterable[Json]) -> list[Json]:
    """What a clinician sees of the cards, and what accepting would save.

    The detail is a list of lines, so that a changed word is one changed line. What follows from
    the call alone, uuids and the identifiers of what is created, is left out.
    """
    return [
        {
            "summary": card["summary"],
            "indicator": card["indicator"],
            "detail": card["detail"].split("\n"),
            **({"selectionBehavior": card["selectionBehavior"]} if "suggestions" in card else {}),
            "suggestions": [
                {
                    "label": suggestion["label"],
                    "isRecommended": suggestion.get("isRecommended", False),
                    "actions": [
                        {name: _unnamed(action[name]) for name in ACTION if name in action}
                        for action in suggestion["actions"]
                    ],
                }
                for suggestion in card.get("suggestions", ())
            ],
        }
        for card in cards
    ]


def _unnamed(member: Any) -> Any:
    """A resource to be created without the identifier by which a client files it once."""
    if not isinstance(member, dict) or "id" in member:
        return member
    return {name: value for name, value in member.items() if name != "identifier"}


def written(expected: Json) -> str:
    return json.dumps(expected, indent=2, ensure_ascii=False) + "\n"


def rewrite() -> list[str]:
    """The stories whose cards were written again."""
    from cds_service.app import create_app
    from cds_service.consultation import load_services
    from cds_service.settings import Settings

    services = load_services()
    paths = {service.hook: f"/cds-services/{service.id}" for service in services}
    #: One for each date, since a start takes longer than a call.
    clients = {}
    changed = []
    for story in STORIES:
        path = FOLDER / story / "expected.json"
        before = path.read_text(encoding="utf-8")
        expected = json.loads(before)
        if expected["asOf"] not in clients:
            settings = Settings(demo=True, as_of=date.fromisoformat(expected["asOf"]))
            clients[expected["asOf"]] = create_app(settings, services).test_client()
        request = path.with_name("request.json").read_bytes()
        answer = clients[expected["asOf"]].post(
            paths[json.loads(request)["hook"]], data=request, content_type="application/json"
        )
        if answer.status_code != 200:
            sys.exit(f"{story}: answered with {answer.status_code}, nothing written for it")
        expected["cards"] = shown(answer.json["cards"])
        after = written(expected)
        if after != before:
            path.write_text(after, encoding="utf-8")
            changed.append(story)
    return changed


if __name__ == "__main__":
    rewritten = rewrite()
    sys.stdout.write("".join(f"{story}\n" for story in rewritten))
    sys.stdout.write(f"{len(rewritten)} of {len(STORIES)} stories changed: read them.\n")
