"""Flows that a worker runs: they say when they begin and last until told otherwise."""

import os
import time
from pathlib import Path

from prefect import flow


def leave_note(what: str):
    def hook(flow, flow_run, state):
        Path(os.environ["HOME"], f"{what}-{flow_run.id}").write_text(state.name)

    return hook


@flow(log_prints=True, on_cancellation=[leave_note("cancelled")], on_crashed=[leave_note("crashed")])
def long(seconds: float = 120) -> str:
    print(f"process {os.getpid()}", flush=True)
    end = time.time() + seconds
    while time.time() < end:
        time.sleep(0.1)
    print("done")
    return "done"


@flow(on_crashed=[leave_note("crashed")])
def dying(code: int = 3) -> None:
    os._exit(code)


@flow(log_prints=True)
def chatty(lines: int = 100) -> None:
    for line in range(lines):
        print(f"line {line}")
