#!/bin/sh
# HealthChain's models of CDS Hooks refuse cards that the specification allows, and lose parts of
# others.
#
# CDS Hooks 2.0 makes a suggestion's isRecommended and (from 2.0.1) a link's autolaunchable
# optional, and allows an extension on a card. HealthChain demands both (the second under another
# spelling, so that the specified one is lost), and keeps no extension of a response.
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check healthchain==0.16.1 \
    pydantic==2.14.4

cat >seen <<'END'
healthchain 0.16.1
the least card -> {}
a suggestion without isRecommended -> refused: cards.0.suggestions.0.isRecommended missing
a link without autolaunchable -> refused: cards.0.links.0.autoLaunchable missing
a link with autolaunchable -> refused: cards.0.links.0.autoLaunchable missing
both spellings -> {'links': [{'label': 'More', 'url': 'https://example.org/more', 'type': 'absolute', 'autoLaunchable': False}]}
an extension -> {'extension': None}
END

venv/bin/python - >now <<'END'
import copy
from importlib.metadata import version

from healthchain.models.responses.cdsresponse import CDSResponse
from pydantic import ValidationError

print("healthchain", version("healthchain"))
CARD = {"summary": "Weigh the infant", "indicator": "info", "source": {"label": "Invented guideline"}}


def show(title, **more):
    answer = {"cards": [{**copy.deepcopy(CARD), **more}]}
    try:
        kept = CDSResponse.model_validate(answer).model_dump(mode="json", exclude_none=True)
        print(title, "->", {key: kept["cards"][0].get(key) for key in more})
    except ValidationError as error:
        for one in error.errors():
            print(title, "-> refused:", ".".join(map(str, one["loc"])), one["type"])


show("the least card")
show("a suggestion without isRecommended", selectionBehavior="any", suggestions=[{"label": "Weigh"}])
link = {"label": "More", "url": "https://example.org/more", "type": "absolute"}
show("a link without autolaunchable", links=[link])
show("a link with autolaunchable", links=[{**link, "autolaunchable": True}])
show("both spellings", links=[{**link, "autolaunchable": True, "autoLaunchable": False}])
show("an extension", extension={"org.example.rule": "W-1"})
END

cat now
if diff seen now; then
    echo 'As written down.'
else
    echo 'No longer as written down: < was seen then, > is seen now.' >&2
    exit 1
fi
