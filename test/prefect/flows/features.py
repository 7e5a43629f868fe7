"""
What flows can do, several things to a process: `python features.py name…` runs flows one after another and prints one line of
JSON for each, with the run's id and how it ended.
"""

import asyncio
import json
import sys
import time
from datetime import timedelta

from prefect import flow, get_run_logger, tags, task
from prefect.cache_policies import INPUTS
from prefect.context import FlowRunContext
from prefect.futures import wait
from prefect.runtime import flow_run as this_run
from prefect.states import Completed, Failed
from prefect.transactions import transaction

notes: list[str] = []
ids: list[str] = []


def note(what: str):
    def hook(*arguments):
        notes.append(f"{what}:{arguments[-1].name}")

    return hook


def started() -> None:
    ids.append(str(FlowRunContext.get().flow_run.id))


# Tasks


@task
def double(number: int) -> int:
    return number * 2


@task(tags=["sum", "late"], task_run_name="sum-of-{count}")
def total(numbers: list[int], count: int) -> int:
    return sum(numbers)


@task
async def adouble(number: int) -> int:
    await asyncio.sleep(0.01)
    return number * 2


@flow(log_prints=True, flow_run_name="tasks-{size}")
def tasks(size: int = 20) -> int:
    started()
    first = double.submit(1)
    mapped = double.map(range(size))
    wait([first, *mapped])
    for number in range(5):
        print(f"line {number}")
    direct = double(5)
    return total(mapped.result() + [direct], size, wait_for=[first])


@flow
async def atasks() -> int:
    started()
    return sum(await asyncio.gather(*[adouble(number) for number in range(10)]))


# Retries

attempts = {"task": 0, "flow": 0}


@task(retries=2, retry_delay_seconds=[0.2, 0.5], on_failure=[note("task failure")])
def third_time() -> int:
    attempts["task"] += 1
    if attempts["task"] < 3:
        raise ValueError(f"attempt {attempts['task']}")
    return attempts["task"]


@flow(retries=1, retry_delay_seconds=1, on_completion=[note("completion")])
def retrying() -> int:
    started()
    done = third_time()
    attempts["flow"] += 1
    if attempts["flow"] < 2:
        raise RuntimeError("not yet")
    return done


# Subflows


@flow
def child(number: int) -> int:
    return double(number) + 1


@flow
async def achild(number: int) -> int:
    await asyncio.sleep(0.2)
    return number + 1


@flow
def failing_child() -> None:
    raise ValueError("a child fails")


@flow
def parent() -> int:
    started()
    state = failing_child(return_state=True)
    assert state.is_failed()
    return child(1) + child(2)


@flow
async def aparent() -> int:
    started()
    return sum(await asyncio.gather(*[achild(number) for number in range(4)]))


# Time


@task(timeout_seconds=0.3)
def slow_task() -> None:
    time.sleep(5)


@flow(timeout_seconds=0.5, on_failure=[note("failure")])
def slow() -> None:
    started()
    for _ in range(50):
        time.sleep(0.1)


@flow
def slow_inside() -> None:
    started()
    slow_task()


# Results, caches and transactions


@task(cache_policy=INPUTS, persist_result=True, cache_expiration=timedelta(hours=1))
def once(number: int) -> float:
    notes.append("once")
    return number / 3


@flow(persist_result=True)
def caching() -> float:
    started()
    return once(7) + once(7)


written: list[str] = []


@task
def write(name: str) -> None:
    written.append(name)


@write.on_rollback
def unwrite(transaction) -> None:
    written.clear()
    notes.append("rolled back")


@flow
def transacting() -> None:
    started()
    with transaction():
        write("a")
        write("b")
        raise ValueError("not after all")


# States


@flow
def given_state():
    started()
    return Completed(message="By hand", name="Satisfied")


@task
def given_failure():
    return Failed(message="By a task")


@flow(on_failure=[note("failure")])
def given_failed_task():
    started()
    return given_failure(return_state=True)


@flow(on_crashed=[note("crash")])
def interrupted() -> None:
    started()
    raise KeyboardInterrupt("stop")


@flow
def runtime() -> dict:
    started()
    get_run_logger().warning("careful")
    return {
        "name": this_run.get_name(),
        "count": this_run.get_run_count(),
        "tags": this_run.get_tags(),
    }


def run(name: str) -> None:
    notes.clear()
    ids.clear()
    chosen = globals()[name]
    result, error = None, None
    try:
        with tags("features"):
            result = asyncio.run(chosen()) if chosen.isasync else chosen()
    except BaseException as raised:
        error = type(raised).__name__
    line = {"flow": name, "runs": ids, "result": result, "error": error, "notes": notes}
    print(json.dumps(line, default=str), flush=True)


if __name__ == "__main__":
    for given in sys.argv[1:]:
        run(given)
