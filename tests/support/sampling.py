"""How much of a long proof is run: a part chosen by chance, always the same one, in `make test`;
so many times as much where ``CDS_TEST_SAMPLE`` says so (``.ci/run``); all of it in `make prove`,
which sets it to ``all``.

A test over many parameters is marked ``@pytest.mark.sampled(60)``: of its parameters that many are
run. One that goes through its cases itself asks `sample_of`. A file whose tests start processes, or
wait, is marked ``pytestmark = pytest.mark.sampled_file(4)``: that many of its tests are run.
"""

from __future__ import annotations

import os
import sys
from collections import defaultdict
from collections.abc import Iterable
from random import Random
from typing import TypeVar

import pytest

Case = TypeVar("Case")

_TIMES = os.environ.get("CDS_TEST_SAMPLE", "1")


def sample_of(usual: int) -> int:
    """How many cases to take where `make test` takes ``usual``."""
    return sys.maxsize if _TIMES == "all" else usual * int(_TIMES)


def chosen(cases: Iterable[Case], usual: int, seed: str) -> list[Case]:
    """A sample of ``cases``, in their order."""
    every = list(cases)
    most = sample_of(usual)
    if len(every) <= most:
        return every
    kept = sorted(Random(seed).sample(range(len(every)), most))
    return [every[place] for place in kept]


def left_out(items: Iterable[pytest.Item]) -> set[pytest.Item]:
    """Those that are not in the samples of the tests marked ``sampled``, nor in those of the files
    marked ``sampled_file``."""
    groups: dict[tuple[str, int], list[pytest.Item]] = defaultdict(list)
    for item in items:
        of_test = item.get_closest_marker("sampled")
        of_file = item.get_closest_marker("sampled_file")
        if of_test is not None:
            groups[item.nodeid.partition("[")[0], of_test.args[0]].append(item)
        elif of_file is not None:
            groups[item.nodeid.partition("::")[0], of_file.args[0]].append(item)
    out: set[pytest.Item] = set()
    for (about, most), group in groups.items():
        out.update(set(group).difference(chosen(group, most, about)))
    return out
