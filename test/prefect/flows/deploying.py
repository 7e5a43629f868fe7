"""Deploys `hello` by the library: once more with each word that is given."""

import sys
from pathlib import Path

from prefect.client.schemas.schedules import IntervalSchedule
from prefect.schedules import Cron, RRule

from hello import hello

here = str(Path(__file__).parent)

for word in sys.argv[1:]:
    hello.from_source(source=here, entrypoint="hello.py:hello").deploy(
        name="library",
        work_pool_name="p",
        work_queue_name="fast",
        job_variables={"env": {"COLOUR": word}},
        parameters={"name": word},
        tags=["a", word],
        description="By the library",
        version=word,
        schedules=[
            Cron("0 9 * * 1-5", timezone="Europe/Berlin", slug="mornings"),
            RRule("FREQ=MONTHLY;BYMONTHDAY=-1", timezone="UTC", slug="ends"),
            IntervalSchedule(interval=3600, anchor_date="2026-01-01T00:30:00+00:00"),
        ][: 2 if word != "first" else 3],
        concurrency_limit=3,
        ignore_warnings=True,
    )
