"""What running code does with concurrency limits; each way prints one line of JSON at its end."""

import asyncio
import json
import sys
import time

from prefect import flow, get_client, task
from prefect.concurrency.asyncio import concurrency as async_concurrency
from prefect.concurrency.asyncio import rate_limit as async_rate_limit
from prefect.concurrency.sync import concurrency, rate_limit


def in_use(name: str) -> int:
    with get_client(sync_client=True) as client:
        return client.read_global_concurrency_limit_by_name(name).active_slots


def held() -> dict:
    seen = {}
    with concurrency(["three", "nobody"], occupy=2):
        seen["inside"] = in_use("three")
        try:
            with concurrency("three", occupy=2, timeout_seconds=2):
                seen["second"] = "got in"
        except TimeoutError:
            seen["second"] = "timed out"
    seen["after"] = in_use("three")

    async def in_a_loop() -> None:
        async with async_concurrency("three", occupy=3):
            seen["async"] = in_use("three")
        await async_rate_limit("rate")

    asyncio.run(in_a_loop())
    return seen


def refused() -> dict:
    seen = {}
    for name, ask in {
        "too many": lambda: concurrency("three", occupy=9).__enter__(),
        "no decay": lambda: rate_limit("three"),
        "strict": lambda: concurrency("nobody", strict=True).__enter__(),
    }.items():
        try:
            ask()
        except Exception as error:
            seen[name] = str(error)
    return seen


def rate() -> dict:
    begin = time.time()
    for _ in range(4):
        rate_limit("rate")
    return {"seconds": time.time() - begin}


@task(tags=["narrow"])
def narrow() -> list[float]:
    begin = time.time()
    time.sleep(0.5)
    return [begin, time.time()]


@task(tags=["wide"])
def wide() -> list[float]:
    begin = time.time()
    time.sleep(0.5)
    return [begin, time.time()]


@flow
def tagged() -> dict:
    futures = {
        "narrow": [narrow.submit() for _ in range(3)],
        "wide": [wide.submit() for _ in range(3)],
    }
    return {name: [future.result() for future in of] for name, of in futures.items()}


def hold() -> dict:
    with concurrency("held", lease_duration=60):
        print("holding", flush=True)
        time.sleep(600)
    return {}


def wait() -> dict:
    begin = time.time()
    while True:
        try:
            with concurrency("held", timeout_seconds=0.5):
                return {"seconds": time.time() - begin}
        except TimeoutError:
            time.sleep(1)


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]]()))
