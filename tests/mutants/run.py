"""Mutation testing of the arithmetic of the medicine: doses, units, age, schedules, grading.

``make mutants`` makes small changes in the modules of `MODULES`, one at a time and each in a copy
of the project, and runs the tests listed for the module. A mutant that no test notices survives.
Mutants are drawn at random, always in the same order for a seed, until the time is up; the share
that was killed comes with its 95 % interval (Wilson). What survived is printed as a diff, to be
judged by a person: a mistake that needs a test, or a change that changes nothing.

The rows of the decision tables and their limits have mutants of their own, all of them, in
`tests/guidelines/test_row_mutants.py`.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Queue
from random import Random
from typing import Any

ROOT = Path(__file__).parents[2]
GUIDELINE = "cds_service/guidelines/b12_under_two"
TABLES = "tests/guidelines/test_table_"
STORIES = "tests/acceptance/test_stories.py::test_the_cards_are_the_accepted_ones_to_the_letter"

#: Tests of the whole medicine, each file some seconds long, for what the module's own let pass.
MEDICINE = [
    *(f"tests/guidelines/test_{one}.py" for one in (
        "dosing", "order_words", "dosage_elsewhere", "suspected", "prohibitions", "limits",
        "found_by_readers", "properties", "order_grid", "table_cases",
    )),
    *(f"{TABLES}{one}.py" for one in (
        "orders", "doses", "route", "safety", "follow_up", "monitoring", "status",
    )),
    "tests/unit/test_drafts.py", "tests/unit/test_orders.py", "tests/unit/test_reading.py",
]  # fmt: skip
#: Each module with the tests that are to notice a mistake in it first; `MEDICINE` and `STORIES`
#: come after them for every module.
MODULES = {
    "cds_service/fhir/units.py": ["tests/unit/test_units.py"],
    "cds_service/guidelines/tables.py": ["tests/guidelines/test_tables.py",
                                         "tests/guidelines/test_table_cases.py"],
    **{
        f"{GUIDELINE}/dosing/{one}.py": ["tests/guidelines/test_dosing.py", f"{TABLES}orders.py"]
        for one in ("__init__", "amounts", "lines", "phases", "said", "ways")
    },
    f"{GUIDELINE}/age.py": [f"{TABLES}age.py", f"{TABLES}doses.py",
                            "tests/guidelines/test_limits.py"],
    f"{GUIDELINE}/results.py": [f"{TABLES}b12.py", f"{TABLES}weight.py", f"{TABLES}status.py"],
    f"{GUIDELINE}/assessment.py": [f"{TABLES}severity.py", f"{TABLES}status.py",
                                   f"{TABLES}cause.py", f"{TABLES}signs.py", f"{TABLES}urgency.py",
                                   "tests/guidelines/test_suspected.py"],
    f"{GUIDELINE}/prescribing.py": [f"{TABLES}doses.py", f"{TABLES}safety.py", f"{TABLES}route.py"],
    f"{GUIDELINE}/order_checks/course.py": [f"{TABLES}orders.py"],
}  # fmt: skip

#: What is changed is arithmetic, comparison and logic. Types are checked by mypy, not by tests.
_SKIPPED = ("core/ReplaceBinaryOperator_BitOr",)
#: Left out too, since no one makes such a mistake and most of them change nothing: names compared
#: by their order in the alphabet or by identity, and a struct that is not frozen.
_OF_NAMES = re.compile(r"""[=!]= (?:"|')|(?:"|') [=!]=""")
_OF_ORDER = re.compile(r"_(?:Lt|LtE|Gt|GtE|Is|IsNot)$")
#: In a copy: makes one mutant, runs the tests, says what came of it as JSON.
_ONE = """
import json, sys
from cosmic_ray.mutating import mutate_and_test
from cosmic_ray.work_item import MutationSpec
spec, command = json.loads(sys.argv[1]), sys.argv[2]
done = mutate_and_test([MutationSpec(**spec)], command, 120.0)
tested = done.test_outcome and done.test_outcome.value
print(json.dumps([done.worker_outcome.value, str(tested), done.diff]))
"""
_LIST = """
import json, sys
from pathlib import Path
from cosmic_ray.ast import ast_nodes
from cosmic_ray.plugins import operator_names, get_operator
path = Path(sys.argv[1])
source = path.read_text(encoding="utf-8")
import parso
tree = parso.parse(source)
found = []
for name in sorted(operator_names()):
    kind, occurrence = get_operator(name), 0
    if kind.arguments():
        continue  # made for one project's own names
    operator = kind()
    for node in ast_nodes(tree):
        for start, end in operator.mutation_positions(node):
            found.append({"module_path": str(path), "operator_name": name, "occurrence": occurrence,
                          "start_pos": start, "end_pos": end})
            occurrence += 1
print(json.dumps(found))
"""


def specs() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for module in MODULES:
        listed = subprocess.run(
            [sys.executable, "-c", _LIST, module],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        lines = (ROOT / module).read_text().splitlines()
        found += [one for one in json.loads(listed.stdout) if _is_a_mistake(one, lines)]
    return found


def _is_a_mistake(spec: dict[str, Any], lines: list[str]) -> bool:
    name, line = spec["operator_name"], lines[spec["start_pos"][0] - 1]
    if name.startswith(_SKIPPED) or "frozen=True" in line:
        return False
    return not (_OF_ORDER.search(name) and _OF_NAMES.search(line))


def wilson(part: int, whole: int) -> tuple[float, float]:
    """The 95 % interval of a share."""
    if not whole:
        return 0.0, 1.0
    z, share = 1.96, part / whole
    middle = share + z * z / (2 * whole)
    spread = z * math.sqrt(share * (1 - share) / whole + z * z / (4 * whole * whole))
    return (middle - spread) / (1 + z * z / whole), (middle + spread) / (1 + z * z / whole)


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--minutes", type=float, default=60)
    asked.add_argument("--seed", type=int, default=1)
    asked.add_argument("--python", default=sys.executable, help="of the environment with pytest")
    asked.add_argument("--module", default="", help="part of the path of those to change")
    asked.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = asked.parse_args()
    pytest = f"{options.python} -m pytest -x -q -p no:cacheprovider"
    own = dict.fromkeys(test for tests in MODULES.values() for test in tests)
    every = " ".join(dict.fromkeys([*own, *MEDICINE]))
    # A test that fails without any mistake would kill every mutant.
    subprocess.run([*pytest.split(), *every.split(), STORIES], cwd=ROOT, check=True)
    ends = time.monotonic() + options.minutes * 60
    drawn = [one for one in specs() if options.module in one["module_path"]]
    Random(options.seed).shuffle(drawn)
    print(
        f"{len(drawn)} mutants of {len(MODULES)} modules; {options.minutes:g} minutes.", flush=True
    )
    with tempfile.TemporaryDirectory() as folder:
        copies: Queue[Path] = Queue()
        for number in range(options.jobs):
            copy = Path(folder, str(number))
            shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".git", ".venv", ".*_cache"))
            copies.put(copy)

        def judged(spec: dict[str, Any]) -> tuple[str, str] | None:
            if time.monotonic() >= ends:
                return None
            copy = copies.get()
            tests = dict.fromkeys([*MODULES[spec["module_path"]], *MEDICINE])
            command = f"{pytest} {' '.join(tests)} {STORIES}"
            try:
                done = subprocess.run(
                    [sys.executable, "-c", _ONE, json.dumps(spec), command],
                    cwd=copy, capture_output=True, text=True, check=True,
                    env={**os.environ, "PYTHONPATH": str(copy)},
                )  # fmt: skip
                outcome, tested, diff = json.loads(done.stdout)
            finally:
                copies.put(copy)
            verdict = tested if outcome == "normal" else outcome
            if verdict == "survived":
                print(diff, flush=True)
            return spec["module_path"], verdict

        with ThreadPoolExecutor(copies.qsize()) as pool:
            found = [one for one in pool.map(judged, drawn) if one is not None]
    report(found)


def report(found: list[tuple[str, str]]) -> None:
    for module in MODULES:
        counted = Counter(outcome for path, outcome in found if path == module)
        tried = counted["killed"] + counted["survived"]
        print(f"{module}: {counted['killed']} of {tried} killed")
    killed = sum(outcome == "killed" for _, outcome in found)
    tried = killed + sum(outcome == "survived" for _, outcome in found)
    low, high = wilson(killed, tried)
    share = killed / tried if tried else 0
    print(f"Killed: {killed} of {tried}, {share:.0%} (95 % interval {low:.0%} to {high:.0%}).")


if __name__ == "__main__":
    main()
