import { spawnSync } from 'node:child_process'
import { expect, it } from 'vitest'

it('types.ts is what openapi.json says', () => {
  const run = spawnSync(process.execPath, ['scripts/types.mjs', '--check'], { encoding: 'utf8' })
  expect(run.stderr).toBe('')
  expect(run.status).toBe(0)
})
