"""
Flows that wait for what people or other flows send them: `python asking.py paused`, `python asking.py receiver`, or with
`serve` serves the one that is suspended.
"""

import sys

from prefect import flow, pause_flow_run, suspend_flow_run
from prefect.input import RunInput, receive_input, send_input
from prefect.runtime import flow_run


class Order(RunInput):
    number: int
    price: float = 1.5


class Greeting(RunInput):
    name: str


@flow
def paused() -> None:
    asked = Order.with_initial_data(description="How many?", number=5)
    order = pause_flow_run(wait_for_input=asked, timeout=600, poll_interval=1)
    print(f"got {order.number} for {order.price}")


@flow
def suspended() -> str:
    order = suspend_flow_run(wait_for_input=Order, timeout=600)
    return f"suspended for {order.number}"


@flow
def receiver() -> None:
    print(f"receives as {flow_run.id}", flush=True)
    for greeting in receive_input(Greeting, timeout=300, poll_interval=1):
        print(f"hello {greeting.name}", flush=True)
        if greeting.name == "last":
            return
        greeting.respond(f"thanks {greeting.name}")


@flow
def sender(to: str) -> None:
    send_input(Greeting(name="first"), flow_run_id=to)
    for answer in receive_input(str, timeout=300, poll_interval=1):
        print(answer)
        break
    send_input(Greeting(name="last"), flow_run_id=to)


if __name__ == "__main__":
    words = sys.argv[1:]
    if words == ["serve"]:
        suspended.serve("asking")
    else:
        {"paused": paused, "receiver": receiver, "sender": sender}[words[0]](*words[1:])
