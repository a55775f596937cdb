#!/bin/sh
# Spark, asked for days, makes a month its first day and a year its first of January.
#
# FHIR allows 2025-08 and 2025 as a date. Read with a schema of type date or timestamp, cast to a
# date, or inferred with inferTimestamp, they come out as 2025-08-01 and 2025-01-01, in ANSI mode
# too, which is the default of Spark 4 and refuses a cast of 2025-02-30. A child born in 2025 has an
# age to the day. And 23:30 of 12 August on the other side of the world is 13 August.
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"


# Java 17 or 21 runs it.

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check setuptools==82.0.1
venv/bin/pip install --quiet --disable-pip-version-check --no-build-isolation pyspark==4.3.0

cat >seen <<'END'
pyspark 4.3.0, ANSI mode true
read as date: 2025-08 -> 2025-08-01, 2025 -> 2025-01-01, 2025-08-12 -> 2025-08-12
inferred with inferTimestamp: 2025-08 -> 2025-08-01 00:00:00, 2025 -> 2025-01-01 00:00:00, 2025-08-12T23:30:00-08:00 -> 2025-08-13 07:30:00
cast to date: 2025-08 -> 2025-08-01, 2025 -> 2025-01-01, 2025-02-30 -> refused
months from a birth in 2025 to 2026-11-30: 22.93548387
END

cat >run.py <<'END'
import json
from pathlib import Path

import pyspark
from pyspark.errors import DateTimeException
from pyspark.sql import SparkSession
from pyspark.sql.functions import expr

spark = (
    SparkSession.builder.master("local[1]")
    .config("spark.ui.enabled", "false")
    .config("spark.driver.host", "127.0.0.1")
    .config("spark.driver.bindAddress", "127.0.0.1")
    .config("spark.sql.session.timeZone", "UTC")
    .getOrCreate()
)
spark.sparkContext.setLogLevel("OFF")
print(f"pyspark {pyspark.__version__}, ANSI mode", spark.conf.get("spark.sql.ansi.enabled"))


def written(days):
    lines = [json.dumps({"resourceType": "Condition", "onsetDateTime": day}) for day in days]
    Path("bulk.ndjson").write_text("\n".join(lines) + "\n")


def told(days, frame):
    read = [row[0] for row in frame.selectExpr("cast(onsetDateTime as string)").collect()]
    return ", ".join(f"{day} -> {one}" for day, one in zip(days, read, strict=True))


days = ["2025-08", "2025", "2025-08-12"]
written(days)
print("read as date:", told(days, spark.read.schema("onsetDateTime date").json("bulk.ndjson")))
days = ["2025-08", "2025", "2025-08-12T23:30:00-08:00"]
written(days)
inferred = spark.read.option("inferTimestamp", "true").json("bulk.ndjson")
print("inferred with inferTimestamp:", told(days, inferred))
cast = []
for day in ("2025-08", "2025", "2025-02-30"):
    try:
        cast.append(f"{day} -> {spark.range(1).select(expr(f'cast({day!r} as date)')).first()[0]}")
    except DateTimeException:
        cast.append(f"{day} -> refused")
print("cast to date:", ", ".join(cast))
age = expr("months_between(date'2026-11-30', cast('2025' as date))")
print("months from a birth in 2025 to 2026-11-30:", spark.range(1).select(age).first()[0])
END
SPARK_LOCAL_IP=127.0.0.1 venv/bin/python run.py >now 2>log || { cat log >&2; exit 1; }

cat now
if diff seen now; then
    echo 'As written down.'
else
    echo 'No longer as written down: < was seen then, > is seen now.' >&2
    exit 1
fi
