"""Orders that were sent in part: no card offers to change them.

A suggestion that changes or stops an order carries it whole, and a client saves it over the old
one. Of a resource tagged SUBSETTED, whatever the server left out would be lost with that. So what
would be changed is stated in words instead, and what hangs on it is not offered either: a new
order next to one that could not be stopped would be a second order of the same drug. What harms
no one stays: tests, tasks, stopping other orders, and taking a draft out of the basket by its id.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from msgspec import structs

from cds_service.clinical import (
    Plan,
    PlannedDrug,
    PlannedTask,
    PlannedTest,
    RemovedDraft,
    RevisedDrug,
    StoppedDrug,
)
from cds_service.consultation.cards import changes_of, described, plain
from cds_service.fhir.revisions import is_partial
from cds_service.guidelines.engine import Choice, Note, Outcome, Recommend
from cds_service.guidelines.guideline import Evaluation
from cds_service.language import house, say


def kept_whole(evaluation: Evaluation[Any]) -> Evaluation[Any]:
    """The same advice without changes of orders that were sent in part."""
    outcomes = tuple([_held_back(one) for one in evaluation.outcomes])
    return structs.replace(evaluation, outcomes=outcomes)


def _is_of_a_part(plan: Plan) -> bool:
    if isinstance(plan, StoppedDrug):
        return is_partial(plan.resource)
    return isinstance(plan, RevisedDrug) and is_partial(plan.draft.resource)


def _has_a_part(outcome: Recommend) -> bool:
    changes = [
        plan
        for choice in outcome.choices
        for plan in choice.plans
        if isinstance(plan, StoppedDrug | RevisedDrug)
    ]
    return any(map(_is_of_a_part, changes))


def _held_back(outcome: Outcome) -> Outcome:
    if not isinstance(outcome, Recommend) or not _has_a_part(outcome):
        return outcome
    choices = tuple([_beside_an_empty_draft(one) for one in outcome.choices])
    held = [one for one in choices if any(map(_is_of_a_part, one.plans))]
    if not held:
        return structs.replace(outcome, choices=choices)
    left = [*(one for one in choices if one not in held), *_once(held, _removals)]
    selection = outcome.selection
    if not left:
        left, selection = _once(held, _harmless), "any"
    told = next((one for one in held if one.recommended), held[0])
    notes = (*_in_words(told.plans), *outcome.notes)
    return structs.replace(outcome, choices=tuple(left), notes=notes, selection=selection)


def _once(held: Sequence[Choice], instead: Callable[[Choice], list[Choice]]) -> list[Choice]:
    """What ``instead`` makes of the choices that are held back, the same thing once."""
    return list({one.plans: one for choice in held for one in instead(choice)}.values())


def _beside_an_empty_draft(choice: Choice) -> Choice:
    """An order that is only just begun holds no drug yet: the new one is created next to it."""
    plans = tuple(
        plan.drug
        if isinstance(plan, RevisedDrug) and not plan.draft.begun and _is_of_a_part(plan)
        else plan
        for plan in choice.plans
    )
    return choice if plans == choice.plans else structs.replace(choice, plans=plans)


def _removals(choice: Choice) -> list[Choice]:
    """A draft that may not be changed can still be taken out, by its id alone."""
    return [
        Choice(
            choice.rule,
            say(house.Part.remove, name=plan.draft.text)
            if plan.draft.text
            else say(house.Part.remove_unnamed),
            (RemovedDraft(plan.draft.source, plan.draft.text),),
        )
        for plan in choice.plans
        if isinstance(plan, RevisedDrug) and _is_of_a_part(plan)
    ]


def _harmless(choice: Choice) -> list[Choice]:
    """What can be done without the change, each on its own."""
    begins = any(isinstance(plan, PlannedDrug | RevisedDrug) for plan in choice.plans)
    kinds = (PlannedTest, PlannedTask) if begins else (PlannedTest, PlannedTask, StoppedDrug)
    return [
        Choice(choice.rule, described(plan), (plan,), recommended=True)
        for plan in choice.plans
        if isinstance(plan, kinds) and not _is_of_a_part(plan)
    ]


def _in_words(plans: Sequence[Plan]) -> list[Note]:
    """What to do by hand, the changes first."""
    notes, then = [], []
    for plan in plans:
        if isinstance(plan, StoppedDrug):
            name = plain(plan.name)
            partly = _is_of_a_part(plan)
            text = say(house.Part.stop if partly else house.Part.stop_too, name=name)
            notes.append(Note("give", text))
        elif isinstance(plan, RevisedDrug):
            named = plan.draft.text or say(house.Part.order)
            text = say(house.Part.change, name=named, changes=changes_of(plan))
            notes.append(Note("give", text))
        elif isinstance(plan, PlannedDrug):
            then.append(Note("give", say(house.Part.then, what=described(plan))))
    return notes + then
