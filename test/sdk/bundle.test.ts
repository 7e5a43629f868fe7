import { build } from 'esbuild'
import { expect, test } from 'vitest'

test('the SDK is made of itself and core, and of node alone', async () => {
  const { metafile } = await build({
    entryPoints: [new URL('../../sdk/index.ts', import.meta.url).pathname],
    bundle: true,
    platform: 'node',
    format: 'esm',
    write: false,
    metafile: true,
    logLevel: 'silent',
  })
  const inputs = Object.keys(metafile.inputs)
  expect(inputs).toContain('sdk/flow.ts')
  expect(inputs.filter((path) => !/^sdk\/|^core\/[^/]+$/.test(path))).toEqual([])
  const [output] = Object.values(metafile.outputs)
  expect(output?.imports.filter(({ path }) => !path.startsWith('node:'))).toEqual([])
  expect(output?.bytes).toBeLessThan(150_000)
})
