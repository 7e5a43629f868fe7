"""Flows that wait: for a resume, for another run, for a second try. Their tasks leave a line in a file each time they run."""

import os
import time
from pathlib import Path

from prefect import flow, pause_flow_run, suspend_flow_run, task
from prefect.context import FlowRunContext
from prefect.deployments import run_deployment


def journal() -> Path:
    return Path(os.environ["HOME"], f"journal-{FlowRunContext.get().flow_run.id}")


@task(persist_result=True)
def step(number: int) -> int:
    with journal().open("a") as file:
        file.write(f"step {number}\n")
    return number


@flow
def pausing(timeout: int = 120) -> int:
    step(1)
    pause_flow_run(timeout=timeout, poll_interval=1)
    return step(2)


@flow(persist_result=True)
def suspending() -> int:
    first = step(1)
    suspend_flow_run(timeout=300)
    return first + step(2)


@flow
def touring() -> None:
    for number in range(300):
        step(number)
        time.sleep(0.2)


@flow
def second_try() -> None:
    first = not journal().exists()
    step(1)
    if first:
        raise ValueError("the first try fails")


@flow
def quick(number: int = 1) -> int:
    return number


@flow(log_prints=True)
def caller() -> None:
    done = run_deployment("quick/d", parameters={"number": 2}, poll_interval=1)
    assert done.state.is_completed(), done.state
    later = run_deployment("quick/d", timeout=0, as_subflow=False, tags=["later"])
    assert later.state.is_scheduled(), later.state
    print("both are called")
