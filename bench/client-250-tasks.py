"""Runs a flow with 250 tasks by the installed `prefect`, and counts what its client sends."""

import json
import time

import httpx
import websockets.asyncio.connection
from prefect import flow, task
from prefect.task_runners import ThreadPoolTaskRunner

sent = {"requests": 0, "frames": 0}


def counting(original, name):
    async def send(self, *args, **kwargs):
        sent[name] += 1
        return await original(self, *args, **kwargs)

    return send


def counting_sync(original, name):
    def send(self, *args, **kwargs):
        sent[name] += 1
        return original(self, *args, **kwargs)

    return send


httpx.AsyncClient.send = counting(httpx.AsyncClient.send, "requests")
httpx.Client.send = counting_sync(httpx.Client.send, "requests")
Connection = websockets.asyncio.connection.Connection
Connection.send = counting(Connection.send, "frames")


@task
def double(number: int) -> int:
    return 2 * number


@flow(task_runner=ThreadPoolTaskRunner(max_workers=8))
def many_tasks() -> int:
    return sum(future.result() for future in double.map(range(250)))


began = time.monotonic()
result = many_tasks()
seconds = time.monotonic() - began
assert result == 250 * 249, result
print("RESULT " + json.dumps({"seconds": seconds, **sent}))
