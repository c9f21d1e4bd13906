import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { guardProcess, poll } from '@sonde/testing'
import { dbTest } from '@sonde/testing/db-test'
import { expect } from 'vitest'
import { serve, type Served } from './test-served.ts'
import { sonde } from './test-sonde.ts'

/** Several runs of the program, on a machine that may be busy. */
const TIMEOUT_MS = 120_000

const test = dbTest.extend('served', { scope: 'file' }, serve).extend('stateDir', ({ task: _task }, { onCleanup }) => {
  const dir = mkdtempSync(join(tmpdir(), 'sonde-enroll-'))
  onCleanup(() => rmSync(dir, { recursive: true, force: true }))
  return dir
})

const MAIN = new URL('main.ts', import.meta.url).pathname

/** Runs the printed line as a person does, in a shell, with a source that needs no server. */
const runLine = (line: string, stateDir: string) => {
  const command = line
    .replace(' sonde daemon ', ` exec '${process.execPath}' '${MAIN}' daemon `)
    .replace(/--target \S+/, '--target synthetic')
  const env = { PATH: process.env['PATH'] ?? '', SONDE_STATE_DIR: stateDir }
  const child = spawn('sh', ['-c', command], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  const forget = guardProcess(child.pid!)
  const output = { stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output.stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output.stderr += text))
  const exited = once(child, 'close').then(() => {
    forget()
    return child.exitCode
  })
  return {
    child,
    output,
    exited,
    says: (word: string) => poll(() => output.stdout.includes(`"msg":"${word}"`), { what: word, timeoutMs: 60_000 }),
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGTERM')
      await exited
    },
  }
}

const enroll = async ({ env }: Served, name: string): Promise<string> => {
  const { code, stdout, stderr } = await sonde(['node', 'enroll', '--name', name], env)
  expect(code).toBe(0)
  expect(stderr).toMatch(/works once, until .*\n$/)
  return stdout
}

test(
  'the printed line takes a host in once; its key is enough from then on; revoked, it stops for good',
  { timeout: TIMEOUT_MS },
  async ({ served, stateDir }) => {
    const line = await enroll(served, "rack 7's")
    expect(line).toMatch(
      /^SONDE_URL=http:\S+ SONDE_ENROLL=sonde_e_[\w-]{43} sonde daemon --name 'rack 7'\\''s' --target \S+\n$/,
    )
    const token = /sonde_e_[\w-]{43}/.exec(line)![0]
    {
      await using daemon = runLine(line, stateDir)
      await daemon.says('online')
      expect(readFileSync(`/proc/${daemon.child.pid}/cmdline`, 'utf8')).not.toContain(token)
      expect(daemon.output.stdout + daemon.output.stderr).not.toMatch(/sonde_[en]_[\w-]{43}/)
      expect((await sonde(['nodes'], served.env)).stdout).toContain("rack 7's")
    }
    const other = mkdtempSync(join(stateDir, 'other-'))
    await using second = runLine(line, other)
    expect(await second.exited).toBe(1)
    expect(second.output.stderr).toContain('enrollment.used')

    await using again = runLine(line.replace(/SONDE_ENROLL=\S+ /, ''), stateDir)
    await again.says('online')
    const nodeId = readFileSync(join(stateDir, 'node-id'), 'utf8').trim()
    expect((await sonde(['nodes', 'revoke', nodeId, '--yes'], served.env)).code).toBe(0)
    expect(await again.exited).toBe(1)
    expect(again.output.stderr).toContain('runtimenode.attach_revoked')
  },
)

test(
  'a daemon with neither a token nor a key says what to do',
  { timeout: TIMEOUT_MS },
  async ({ served, stateDir }) => {
    const { code, stderr } = await sonde(['daemon', '--target', 'synthetic'], {
      SONDE_URL: served.env.SONDE_URL,
      SONDE_STATE_DIR: stateDir,
    })
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining('SONDE_ENROLL') })
  },
)

test('a node has a name that its daemon can have', { timeout: TIMEOUT_MS }, async ({ served }) => {
  const missing = await sonde(['nodes', 'enroll'], served.env)
  expect(missing).toMatchObject({ code: 2, stderr: expect.stringContaining('--name') })
  const long = await sonde(['nodes', 'enroll', '--name', 'x'.repeat(65)], served.env)
  expect(long).toMatchObject({ code: 2, stderr: expect.stringContaining('name: must be 1 to 64') })
})
