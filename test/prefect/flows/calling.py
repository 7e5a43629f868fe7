"""A flow that starts others, and one that uses what the API keeps for flows."""

import asyncio

from prefect import flow, task
from prefect.artifacts import create_markdown_artifact
from prefect.blocks.system import Secret
from prefect.concurrency.sync import concurrency
from prefect.deployments import run_deployment
from prefect.events import emit_event
from prefect.variables import Variable


@task(tags=["tagged"])
def add(a: int, b: int) -> int:
    return a + b


@flow
def child(n: int) -> int:
    return add(n, 1)


@flow
async def achild(n: int) -> int:
    await asyncio.sleep(0.1)
    return n + 1


@flow
def parent() -> int:
    triggered = run_deployment("chatty/d", parameters={"lines": 2}, timeout=0)
    assert triggered.state.is_scheduled()
    return child(1) + child(2) + asyncio.run(pair())


@flow
async def pair() -> int:
    return sum(await asyncio.gather(achild(1), achild(2)))


@flow
def reading() -> None:
    Variable.set("colour", "red", overwrite=True)
    assert Variable.get("colour") == "red"
    assert Variable.get("hidden") == {"deep": 1}
    Secret(value="hush").save("own", overwrite=True)
    assert Secret.load("own").get() == "hush"
    create_markdown_artifact("# Done", key="report")
    emit_event("shop.opened", resource={"prefect.resource.id": "shop.1"})
    with concurrency("nothing", occupy=1):
        pass
