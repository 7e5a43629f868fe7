"""Fills a Prefect server with one of everything that `headgate import` copies."""

import asyncio
from datetime import timedelta

from prefect import flow, get_client
from prefect.automations import Automation
from prefect.blocks.core import Block
from prefect.blocks.notifications import CustomWebhookNotificationBlock, SlackWebhook
from prefect.blocks.system import Secret
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate, WorkPoolCreate, WorkPoolUpdate
from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule, RRuleSchedule
from prefect.events.actions import PauseWorkPool, RunDeployment, SendNotification
from prefect.events.schemas.automations import EventTrigger, Posture
from prefect.variables import Variable
from pydantic import SecretStr


class Inner(Block):
    _block_type_slug = "import-inner"
    token: SecretStr
    level: float = 1.0


class Outer(Block):
    _block_type_slug = "import-outer"
    inner: Inner
    label: str


@flow(name="etl")
def etl(table: str = "t", rows: int = 3):
    return table


def main():
    Variable.set("where", {"city": "Rome", "n": [1, 2.5]}, tags=["a"], overwrite=True)
    Variable.set("plain", "text", overwrite=True)
    Secret(value="s3cret").save("db-password", overwrite=True)
    hook = CustomWebhookNotificationBlock(name="hook", url="https://example.com/x", json_data={"text": "{{body}}"})
    hook_id = hook.save("tell", overwrite=True)
    SlackWebhook(url="https://hooks.slack.com/services/A/B/C").save("chat", overwrite=True)
    inner = Inner(token="t0ken")
    inner.save("inner", overwrite=True)
    Outer(inner=Inner.load("inner"), label="l").save("outer", overwrite=True)
    deployment_id, pool_id = asyncio.run(make_deployments())
    make_automations(deployment_id, pool_id, hook_id)


async def make_deployments():
    async with get_client() as client:
        await client.create_work_pool(WorkPoolCreate(name="procs", type="process", description="d"), overwrite=True)
        await client.update_work_pool("procs", WorkPoolUpdate(concurrency_limit=7))
        pool = await client.read_work_pool("procs")
        await client.create_work_queue(name="fast", work_pool_name="procs", priority=1, concurrency_limit=2)
        await client.create_global_concurrency_limit(GlobalConcurrencyLimitCreate(name="db", limit=5, slot_decay_per_second=0.5))
        await client.create_concurrency_limit(tag="heavy", concurrency_limit=2)
        flow_id = await client.create_flow(etl)
        deployment_id = await client.create_deployment(
            flow_id=flow_id,
            name="daily",
            work_pool_name="procs",
            work_queue_name="fast",
            tags=["x", "y"],
            parameters={"rows": 5},
            job_variables={"env": {"A": "1"}},
            description="Every day",
            path="/srv",
            entrypoint="etl.py:etl",
            concurrency_limit=3,
            parameter_openapi_schema={"type": "object", "properties": {"rows": {"type": "integer"}, "table": {"type": "string"}}},
            enforce_parameter_schema=True,
            schedules=[
                {"schedule": CronSchedule(cron="0 6 * * *", timezone="Europe/Berlin"), "active": True, "slug": "dawn"},
                {"schedule": IntervalSchedule(interval=timedelta(hours=2)), "active": False},
                {"schedule": RRuleSchedule(rrule="FREQ=WEEKLY;BYDAY=MO"), "active": True, "parameters": {"rows": 9}},
            ],
        )
        await client.create_deployment(flow_id=flow_id, name="bare", paused=True)
        return deployment_id, pool.id


def make_automations(deployment_id, pool_id, hook_id):
    trigger = EventTrigger(
        match={"prefect.resource.id": "prefect.flow-run.*"},
        match_related={"prefect.resource.id": f"prefect.deployment.{deployment_id}"},
        expect={"prefect.flow-run.Failed"},
        posture=Posture.Reactive,
        threshold=2,
        within=timedelta(minutes=5),
    )
    automations = {
        "react": [
            RunDeployment(source="selected", deployment_id=deployment_id, parameters={"table": "{{ event.id }}"}),
            PauseWorkPool(source="selected", work_pool_id=pool_id),
        ],
        "tell": [SendNotification(block_document_id=hook_id, subject="s", body="{{ flow_run.name }}")],
    }
    for name, actions in automations.items():
        Automation(name=name, description="d", trigger=trigger, actions=actions).create()


if __name__ == "__main__":
    main()
