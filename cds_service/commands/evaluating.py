"""Looking at one case without a server: ``evaluate``."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cds_service.commands import BadInput, known_guidelines
from cds_service.errors import ServiceError
from cds_service.language import Message, house, say

if TYPE_CHECKING:
    from cds_service.consultation.cases import Case
    from cds_service.consultation.services import Service
    from cds_service.settings import Settings


@click.command()
@click.argument("file")
@click.option("--hook", default="", help="Instead of the request's own; patient-view for a Bundle.")
@click.option(
    "--patient", default="", metavar="ID", help="Which patient, if the Bundle has several."
)
@click.option("--guideline", default="", metavar="ID", help="Instead of the first one.")
@click.option("--language", default="", metavar="TAG", help="Instead of CDS_LANGUAGE.")
@click.option("--as-of", type=click.DateTime(["%Y-%m-%d"]), help="Evaluate on this date.")
@click.option(
    "--explain", is_flag=True, help="Print what is known, and every rule with its reason."
)
@click.option("--json", "as_json", is_flag=True, help="Print the exact response.")
@click.option("--validate", is_flag=True, help="Also list what is not valid FHIR (R4B models).")
def evaluate(
    file: str,
    hook: str,
    patient: str,
    guideline: str,
    language: str,
    as_of: datetime | None,
    explain: bool,
    as_json: bool,
    validate: bool,
) -> None:
    """Print the cards for FILE ("-" for standard input).

    FILE is a CDS Hooks request, or a FHIR Bundle with the whole record of a patient: what is not
    in it is known to be absent. No FHIR server is asked. A Bundle is evaluated on the date of
    its timestamp if it has one, anything else today, unless --as-of or CDS_AS_OF says otherwise.
    """
    from cds_service.cdshooks.response import encode
    from cds_service.consultation import Occasion, consult, load_services
    from cds_service.consultation.cases import NO_SERVER, in_words, read_case
    from cds_service.settings import read_settings

    settings, today = read_settings(os.environ), date.today()
    services = load_services(
        settings.guideline_overrides,
        known_guidelines(),
        settings.code_map,
        (language or settings.language,),
    )
    services = _by(guideline, services) if guideline else services
    try:
        case = read_case(_content(file), services, hook, patient)
        on, evaluated = _date_of(case, as_of.date() if as_of else None, settings, today)
        occasion = Occasion(on, on != today, NO_SERVER, one_action=bool(settings.one_action))
        response = consult(case.service, case.asked, None, occasion).response
    except ServiceError as error:
        raise BadInput(f"{file}: {error.text}") from None
    problems = list(_validation(case)) if validate else []
    if as_json:
        click.echo(encode(response))
        for problem in problems:
            click.echo(problem, err=True)
        return
    about, words = case.service.guideline.wording.about, case.service.language
    edition = say(
        house.Case.guideline, id=about.id, edition=about.edition, status=about.review_status
    )
    click.echo(words.fill(evaluated))
    click.echo(f"{words.fill(edition)}\n")
    click.echo(in_words(response, words))
    if explain:
        click.echo(f"\n{_explained(case, on)}")
    if validate:
        count = len(case.resources)
        click.echo(f"\n{words.fill(say(house.Case.validation, count=count))}")
        for problem in problems or [words.fill(say(house.Case.valid))]:
            click.echo(f"  {problem}")


def _by(guideline: str, services: Sequence[Service]) -> tuple[Service, ...]:
    """Those of ``services`` that belong to this guideline."""
    own = tuple([one for one in services if one.guideline.wording.about.id == guideline])
    if not own:
        known = ", ".join(dict.fromkeys(one.guideline.wording.about.id for one in services))
        raise BadInput(f"--guideline {guideline}: there is {known}.")
    return own


def _content(file: str) -> bytes:
    if file == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise BadInput(f"{file}: cannot be read ({error.strerror}).") from None


def _date_of(
    case: Case, as_of: date | None, settings: Settings, today: date
) -> tuple[date, Message]:
    """The date of evaluation, and the message that states it and why it is not ``today``."""
    origin = case.origin
    on = as_of or settings.as_of or case.written or today
    if on == today:
        return on, say(house.Case.evaluated, origin=origin, date=on)
    if as_of is not None:
        return on, say(house.Case.evaluated_as_asked, origin=origin, date=on)
    if settings.as_of is not None:
        return on, say(house.Case.evaluated_as_set, origin=origin, date=on)
    return on, say(house.Case.evaluated_as_written, origin=origin, date=on)


def _explained(case: Case, on: date) -> str:
    from cds_service.consultation import Occasion, examine

    examined = examine(case.service, case.asked, None, Occasion(on))
    service = case.service
    original = service.language.original
    return service.guideline.explain(examined.evaluation, examined.record, original)


def _validation(case: Case) -> Iterator[str]:
    """What the R4B models refuse, a line each; the values that were sent are not repeated."""
    import json

    from fhir.resources.R4B import get_fhir_model_class
    from pydantic import ValidationError

    for raw in case.resources:
        resource = json.loads(bytes(raw))
        kind = resource.get("resourceType") if isinstance(resource, dict) else None
        name = f"{kind}/{resource.get('id', '(no id)')}" if kind else "a resource without a type"
        try:
            model = get_fhir_model_class(str(kind))
        except (KeyError, LookupError):
            yield f"{name}: is not a FHIR resource"
            continue
        try:
            model.model_validate_json(bytes(raw))
        except ValidationError as error:
            for one in error.errors(include_input=False, include_url=False):
                where = ".".join(map(str, one["loc"])) or "the resource"
                yield f"{name}: {where}: {one['msg']}"
