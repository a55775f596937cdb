#!/bin/sh
# With a month among them, fhirdatetime's dates are sorted as they came, and the latest result is
# whichever was first.
#
# 12 August, August and 1 August are compared by what both sides have: August equals both days, and
# the days differ. So equality is not handed on, sorted() leaves 12 August before 1 August, and
# max() takes August, or a day, by the order of the list. No comparison raises or warns. Its
# sort_key() is what sorts.
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"


python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check fhirdatetime==1.1.0

cat >seen <<'END'
fhirdatetime 1.1.0
2025-08 == 2025-08-12 True | 2025-08 == 2025-08-01 True | 2025-08-12 == 2025-08-01 False
sorted 2025-08-12, 2025-08, 2025-08-01 -> 2025-08-12, 2025-08, 2025-08-01
sorted 2025-08-12, 2025-08-01 -> 2025-08-01, 2025-08-12
the latest of 2025-08-01, 2025-08, 2025-08-12 -> 2025-08-12
the latest of 2025-08, 2025-08-01, 2025-08-12 -> 2025-08
the latest of 2025-07-31, 2025, 2025-08-01 -> 2025-08-01
the latest of 2025, 2025-07-31, 2025-08-01 -> 2025
END

venv/bin/python - >now <<'END'
from importlib.metadata import version

from fhirdatetime import FhirDate

print("fhirdatetime", version("fhirdatetime"))
month, late, early = map(FhirDate.fromisoformat, ("2025-08", "2025-08-12", "2025-08-01"))
pairs = ((month, late), (month, early), (late, early))
print(" | ".join(f"{a.isoformat()} == {b.isoformat()} {a == b}" for a, b in pairs))


def named(dates):
    return ", ".join(one.isoformat() for one in dates)


for dates in ([late, month, early], [late, early]):
    print("sorted", named(dates), "->", named(sorted(dates)))
for dates in (
    ["2025-08-01", "2025-08", "2025-08-12"],
    ["2025-08", "2025-08-01", "2025-08-12"],
    ["2025-07-31", "2025", "2025-08-01"],
    ["2025", "2025-07-31", "2025-08-01"],
):
    found = max(map(FhirDate.fromisoformat, dates))
    print("the latest of", ", ".join(dates), "->", found.isoformat())
END

cat now
if diff seen now; then
    echo 'As written down.'
else
    echo 'No longer as written down: < was seen then, > is seen now.' >&2
    exit 1
fi
