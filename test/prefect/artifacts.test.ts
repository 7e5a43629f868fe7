import { describe, expect, it } from 'vitest'
import type { ArtifactCollection } from '../../core/wire/artifact.ts'
import { aPrefect, SINCE_3_6 } from '../support/node/prefect.ts'

const prefect = aPrefect()

const PUBLISH = `
from prefect import flow, task
from prefect.artifacts import (
    Artifact, create_image_artifact, create_link_artifact, create_markdown_artifact, create_progress_artifact,
    create_table_artifact, update_progress_artifact,
)

@task
def publish():
    create_markdown_artifact("# Part", key="part")

@flow
def publishes():
    create_markdown_artifact("# One", key="report", description="first")
    create_markdown_artifact("# Two", key="report")
    create_table_artifact([{"a": 1, "b": [1.5, None]}], key="table")
    create_link_artifact("https://example.com", key="link", link_text="here")
    create_image_artifact("https://example.com/a.png", key="image")
    progress = create_progress_artifact(0.0, key="progress")
    update_progress_artifact(progress, 62.5)
    publish()
    latest = Artifact.get("report")
    assert latest.data == "# Two" and latest.description is None, latest
    found, created = Artifact.get_or_create(key="table", data="x")
    assert not created and found.type == "table"
    assert Artifact.get("nothing") is None

publishes()
print("right")
`

describe('what a flow publishes', () => {
  it('is kept by key, with the run and the task run that made it', async () => {
    const { code, stdout, stderr } = await prefect.python(PUBLISH, [], {
      env: await prefect.insideRun(),
    })
    expect([code, stdout], stderr).toEqual([0, expect.stringContaining('right')])
    const { client } = prefect
    const latest = await client.filterLatestArtifacts({ sort: 'KEY_ASC' })
    expect(latest.map(({ key }) => key)).toEqual([
      'image',
      'link',
      'part',
      'progress',
      'report',
      'table',
    ])
    expect(latest.find(({ key }) => key === 'progress')).toMatchObject({ data: 62.5 })
    const part = latest.find(({ key }) => key === 'part')
    expect(part?.task_run_id).not.toBeNull()
    const [run] = await client.filterFlowRuns()
    expect(await client.countArtifacts({ flow_runs: { id: { any_: [run?.id ?? ''] } } })).toBe(7)
    const graph = await client.readFlowRunGraph(run?.id ?? '')
    expect(graph.artifacts.filter(({ is_latest }) => !is_latest)).toHaveLength(1)
  })

  it.runIf(SINCE_3_6)('is listed, inspected and deleted by prefect artifact', async () => {
    const { client } = prefect
    const newest = await client.readLatestArtifact('report')
    const [ofReport] = await client.filterLatestArtifacts({
      artifacts: { key: { any_: ['report'] } },
    })
    expect(ofReport?.id).toBe(newest.id)
    const [listed, inspected] = await Promise.all([
      prefect.json<ArtifactCollection[]>(['artifact', 'ls', '--output', 'json']),
      prefect.json<{ data: string }[]>(['artifact', 'inspect', 'report', '--output', 'json']),
    ])
    expect(listed.map(({ key }) => key)).toContain('report')
    expect(inspected.map(({ data }) => data).toSorted()).toEqual(['# One', '# Two'])
    await prefect.succeeds(['artifact', 'delete', '--id', ofReport?.latest_id ?? ''])
    expect((await client.readLatestArtifact('report')).data).toBe('# One')
    await prefect.succeeds(['artifact', 'delete', 'report'])
    const [missing, all] = await Promise.all([
      prefect.fails(['artifact', 'inspect', 'report']),
      prefect.succeeds(['artifact', 'ls', '--all']),
    ])
    expect(missing).toContain("'report' not found")
    expect(all).not.toContain('report')
  })
})
