"""Makes automations, serves a flow that runs when another fails, fails."""

import sys
from datetime import timedelta

from prefect import flow
from prefect.automations import Automation, EventTrigger
from prefect.events import DeploymentEventTrigger
from prefect.events.actions import DoNothing


@flow(log_prints=True)
def repair(failed: str, state: dict, number: int):
    print(f"repairs {failed}: {state} {number}")


@flow
def fails():
    raise ValueError("as it should")


def serve_repair():
    repair.serve(
        name="repairer",
        triggers=[
            DeploymentEventTrigger(
                name="repair what fails",
                expect={"prefect.flow-run.Failed"},
                match_related={"prefect.resource.role": "flow", "prefect.resource.name": "fails"},
                parameters={
                    "failed": "{{ flow_run.name }} of {{ flow.name }}",
                    "state": {"message": "{{ flow_run.state.message }}"},
                    "number": "{{ event.resource['prefect.run-count'] | int }}",
                },
            )
        ],
    )


def use_sdk():
    trigger = EventTrigger(
        expect={"thing.happened"},
        match={"prefect.resource.id": "thing.*"},
        posture="Reactive",
        threshold=3,
        within=timedelta(minutes=1),
    )
    made = Automation(name="by the SDK", trigger=trigger, actions=[DoNothing()]).create()
    read = Automation.read(name="by the SDK")
    assert read.id == made.id and read.trigger.within == timedelta(minutes=1), read
    read.description = "changed"
    read.update()
    assert Automation.read(id=made.id).description == "changed"
    read.disable()
    assert not Automation.read(id=made.id).enabled
    read.enable()
    assert Automation.read(id=made.id).enabled
    read.delete()
    try:
        Automation.read(id=made.id)
    except ValueError as error:
        print(error)


if __name__ == "__main__":
    {"serve": serve_repair, "fail": fails, "sdk": use_sdk}[sys.argv[1]]()
