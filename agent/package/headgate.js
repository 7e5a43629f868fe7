#!/usr/bin/env node
// The command, before and after it is built: npm links only what is there when it installs.
import { existsSync } from 'node:fs'

const built = new URL('./dist/headgate.js', import.meta.url)
if (existsSync(built)) {
  await import(built.href)
} else {
  process.stderr.write('headgate is not built yet: run `npm run build` first\n')
  process.exitCode = 1
}
