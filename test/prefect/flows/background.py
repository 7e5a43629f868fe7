"""Tasks that are run in the background: `serve` runs them, `submit` delays some and says what came of them."""

import json
import os
import sys
import time

from prefect import task
from prefect.task_worker import serve


@task
def add(a: int, b: int) -> list[int]:
    return [a + b, os.getpid()]


@task(retries=1, retry_delay_seconds=0)
async def second_time(name: str) -> str:
    marker = f"{os.environ['HOME']}/tried-{name}"
    if not os.path.exists(marker):
        open(marker, "w").close()
        raise ValueError("not yet")
    return name.upper()


@task
def slow(seconds: float) -> int:
    print(f"slow in {os.getpid()}", flush=True)
    time.sleep(seconds)
    return os.getpid()


def submit(count: str) -> None:
    futures = [add.delay(number, 1) for number in range(int(count))]
    again = second_time.delay("x")
    for future in [*futures, again]:
        future.wait(timeout=60)
    sums = [future.result() for future in futures]
    print(json.dumps({"sums": [s[0] for s in sums], "pids": sorted({s[1] for s in sums}), "again": again.result()}))


def submit_and_leave(count: str) -> None:
    print(json.dumps([str(add.delay(number, 1).task_run_id) for number in range(int(count))]))


if __name__ == "__main__":
    words = sys.argv[1:]
    if words[0] == "serve":
        serve(add, second_time, slow, limit=int(words[1]) if len(words) > 1 else 10)
    else:
        globals()[words[0]](*words[1:])
