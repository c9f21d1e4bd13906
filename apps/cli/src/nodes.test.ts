import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { NodeDetail } from '@sonde/contracts'
import { startDaemon, type DaemonProcess } from '@sonde/testing'
import { dbTest } from '@sonde/testing/db-test'
import { expect } from 'vitest'
import { serve, type Served } from './test-served.ts'
import { sonde } from './test-sonde.ts'

/** A dozen runs of the program, on a machine that may be busy. */
const TIMEOUT_MS = 120_000

const servedTest = dbTest.extend('served', { scope: 'file' }, serve)

const nodeTest = servedTest.extend('daemon', async ({ served }, { onCleanup }) => {
  const stateDir = mkdtempSync(join(tmpdir(), 'sonde-nodes-'))
  const made = await sonde(['token', 'create', '--kind', 'node', '--name', 'rack-7', '--json'], served.env)
  const { token } = JSON.parse(made.stdout) as { token: string }
  const sources = ['--target', 'synthetic', '--name', 'rack-7']
  const daemon = await startDaemon({ url: served.server.url, token, stateDir, sources })
  onCleanup(async () => {
    await daemon[Symbol.asyncDispose]()
    rmSync(stateDir, { recursive: true, force: true })
  })
  return daemon
})

const run = ({ env }: Served, ...args: string[]) => sonde(['nodes', ...args], env)

const shown = async (served: Served, { nodeId }: DaemonProcess): Promise<NodeDetail> => {
  const { stdout } = await run(served, 'show', nodeId, '--json')
  return JSON.parse(stdout) as NodeDetail
}

nodeTest(
  'the list says why a node is given no new work, and show tells all of it',
  { timeout: TIMEOUT_MS },
  async ({ served, daemon }) => {
    const { nodeId } = daemon
    expect((await run(served)).stdout).toMatch(new RegExp(`^${nodeId}  rack-7 on \\S+  online  online .* yes$`, 'm'))
    const marked = await run(served, 'cordon', nodeId, '--reason', 'disk is slow')
    expect(marked.stdout).toBe(`${nodeId} is cordoned: it is given no new work, and what runs on it goes on.\n`)
    expect((await run(served)).stdout).toMatch(new RegExp(`^${nodeId} .* no: cordoned$`, 'm'))

    const { code, stdout } = await sonde(['node', 'show', nodeId], served.env)
    expect(code).toBe(0)
    expect(stdout).toMatch(/It is given no new work:\n {2}cordoned: .*uncordon/)
    for (const field of ['liveness', 'version', 'host', 'epoch 1', 'attachment', 'owner', 'can monitor']) {
      expect(stdout).toContain(field)
    }
    expect(stdout).toMatch(/^\S+ \S+ +scheduling +open +cordoned +cordon +disk is slow$/m)
    expect(stdout).toMatch(/^\S+ \S+ +slot +registering +online +capability_update/m)
    const uncordoned = await run(served, 'uncordon', nodeId, '--json')
    expect(JSON.parse(uncordoned.stdout)).toMatchObject({ nodeId, cordonedAt: null, drain: null })
    expect(await shown(served, daemon)).toMatchObject({ schedulable: true, blockers: [] })
  },
)

nodeTest(
  'the last node of a primary drains only by force, and uncordon calls it off',
  { timeout: TIMEOUT_MS },
  async ({ served, daemon }) => {
    const { nodeId } = daemon
    const refused = await run(served, 'drain', nodeId)
    expect(refused.code).toBe(1)
    expect(refused.stderr).toContain('code: node.last_of_primary')
    const drained = await run(served, 'drain', nodeId, '--force', '--within', '1m', '--on-deadline', 'wait')
    expect(drained.stdout).toMatch(new RegExp(`^${nodeId} drains until .*runs to its end`))
    // A daemon without work may have detached by now, which ends the drain and leaves the cordon.
    const node = await shown(served, daemon)
    expect(node.blockers).toContain('cordoned')
    expect(node.transitions).toContainEqual(expect.objectContaining({ to: 'draining', cause: 'drain' }))
    expect((await run(served, 'uncordon', nodeId)).stdout).toBe(`${nodeId} may be given work.\n`)
    expect(await shown(served, daemon)).toMatchObject({ drain: null, cordonedAt: null })
  },
)

nodeTest(
  'a node is removed and may come back; revoked, and only with --yes, it never does',
  { timeout: TIMEOUT_MS },
  async ({ served, daemon }) => {
    const { nodeId } = daemon
    expect((await run(served, 'remove', 'rack-7')).stdout).toMatch(
      new RegExp(`^${nodeId} is out of the session\\. .* comes back by itself`),
    )
    expect((await shown(served, daemon)).transitions).toContainEqual(expect.objectContaining({ cause: 'remove' }))
    const unsure = await run(served, 'revoke', nodeId)
    expect(unsure.code).toBe(2)
    expect(unsure.stderr).toMatch(/^error: Revoking .* is for good.*--yes\.\nSee: sonde nodes revoke --help\n$/)
    expect((await shown(served, daemon)).state).not.toBe('revoked')
    expect((await run(served, 'revoke', nodeId, '--yes', '--reason', 'stolen')).stdout).toContain('revoked for good')
    const node = await shown(served, daemon)
    expect(node.state).toBe('revoked')
    expect(node.transitions.find(({ axis }) => axis === 'slot')).toMatchObject({
      to: 'revoked',
      cause: 'revoke',
      reason: 'stolen',
    })
  },
)

servedTest(
  'an unknown node is told like one that is not permitted, and a mistyped command names the others',
  { timeout: TIMEOUT_MS },
  async ({ served }) => {
    for (const args of [['show'], ['cordon'], ['uncordon'], ['drain'], ['remove'], ['revoke', '--yes']]) {
      const { code, stderr } = await run(served, ...args, 'node-00000000000000000000000000000000')
      expect(stderr).toContain('code: runtimenode.permission_denied')
      expect(code).toBe(4)
    }
    const unnamed = await run(served, 'show', 'rack-99')
    expect(unnamed.code).toBe(2)
    expect(unnamed.stderr).toMatch(/^error: No node of the session has the id or name "rack-99"\. "sonde nodes --all"/)
    const { code, stderr } = await run(served, 'shw', 'x')
    expect(code).toBe(2)
    expect(stderr).toMatch(
      /^error: unknown command 'shw'\. There are list, show, .*revoke\.\nSee: sonde nodes --help\n$/,
    )
  },
)
