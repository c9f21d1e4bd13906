import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { freePort } from '@sonde/testing'
import { createTestDatabase, dbTest } from '@sonde/testing/db-test'
import type { Command } from 'commander'
import { describe, expect, test } from 'vitest'
import { createProgram } from './program.ts'
import { serve } from './test-served.ts'
import { sonde } from './test-sonde.ts'

const pathsOf = (command: Command, path: string[] = []): string[][] => [
  path,
  ...command.commands.flatMap((each) => pathsOf(each, [...path, each.name()])),
]
const ID = '01930f2e-7c1a-7a00-8000-0123456789ab'
const served = dbTest.extend('served', { scope: 'file' }, serve)

describe('help', () => {
  test.concurrent.each(pathsOf(createProgram()).map((path) => [path.join(' '), path] as const))(
    'sonde %s --help ends with 0 and shows an example',
    async (_name, path) => {
      const { code, stdout, stderr } = await sonde([...path, '--help'])
      expect(code).toBe(0)
      expect(stderr).toBe('')
      expect(stdout).toMatch(/Examples:\n {2}\$ .*sonde /)
    },
  )

  test('the help of the whole program documents every exit code', async () => {
    const { stdout } = await sonde(['--help'])
    for (const code of [0, 1, 2, 3, 4, 5, 130]) expect(stdout).toMatch(new RegExp(`^ {2}${code} +\\S`, 'm'))
  })
})

describe('usage errors end with 2 and one line of advice', () => {
  test.concurrent.each([
    [[], /A command is missing/],
    [['capture'], /A command is missing/],
    [['captures'], /unknown command 'captures'/],
    [['nodes', '--colour'], /unknown option '--colour'/],
    [['capture', 'start'], /--all-primaries, --target and --cluster/],
    [['capture', 'start', '--all-primaries', '--duration', '30'], /500ms, 30s/],
    [['capture', 'start', '--all-primaries', '--duration', '1ms'], /durationMs/],
    [['capture', 'start', '--all-primaries', '--bytes', 'lots'], /50MiB/],
    [['capture', 'start', '--all-primaries', '--filter', 'key:a foo:b'], /column 7: there is no term "foo"/],
    [['capture', 'start', '--all-primaries', '--filter', '(key:a'], /column 7: expected "\)"/],
    [['capture', 'start', '--all-primaries', '--sample', '1'], /whole number from 2 to 1000000/],
    [['capture', 'start', '--all-primaries', '--sample-by', 'db'], /Allowed choices are key, client/],
    [['capture', 'start', '--all-primaries', '--sample-by', 'key'], /--sample-by goes with --sample/],
    [['capture', 'show', '7'], /must be an id/],
    [['capture', 'delete', ID], /for good.*--yes/],
    [['capture', 'expire', ID], /--in 7d, or --never/],
    [['capture', 'expire', ID, '--in', '7d', '--never'], /--in 7d, or --never/],
    [['capture', 'expire', ID, '--in', '5m'], /afterMs/],
    [['tail', ID, '--segments', 'a'], /separated by commas/],
    [['export', ID, '--format', 'xml'], /Allowed choices are raw, jsonl/],
    [['export', ID, '--resume'], /--resume goes with --output FILE/],
    [['export', ID, '--filter', 'cmd:'], /column/],
    [['replay', ID], /--to redis:\/\/host:port/],
    [['replay', ID, '--to', 'host:6379'], /--to is redis:\/\//],
    [['replay', ID, '--to', 'redis://h', '--speed', '0'], /--speed is a factor/],
    [['replay', ID, '--to', 'redis://h', '--commands', 'multi'], /multi is never sent/],
    [['token', 'create', '--name', 'x', '--url', 'http://127.0.0.1:1'], /--role/],
    [['nodes', '--url', 'localhost'], /--url must be/],
    [['migrate', 'up'], /DATABASE_URL/],
    [['migrate', 'up', '--database-url', 'mysql://u:p@h/x'], /--database-url must be a PostgreSQL URL/],
    [['session', 'create', 'x', '--session', 'y'], /unknown option '--session'/],
    [['session', 'list', '--session', 'y'], /unknown option '--session'/],
    [['nodes', 'shw'], /unknown command 'shw'\. There are list, show/],
    [['nodes', 'revoke', 'node-1'], /for good.*--yes/],
    [['nodes', 'drain', 'node-1', '--on-deadline', 'never'], /Allowed choices are stop, wait/],
    [['export', ID, '--output', ''], /--output is the name of a file/],
    [['up', '--port', '70000'], /from 1 to 65535/],
  ])('sonde %j', async (args, message) => {
    const { code, stdout, stderr } = await sonde(args)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(message)
    expect(stderr).toMatch(/^error: .*\nSee: sonde.* --help\n$/)
    expect(stderr).not.toContain('\\n')
  })

  test('sonde daemon has its own, and ends with 2 as well', { timeout: 90_000 }, async () => {
    const { code, stdout, stderr } = await sonde(['daemon', '--wrong'])
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(/^Unknown option '--wrong' .*sonde daemon --help.*\n$/)
    const help = await sonde(['help', 'daemon'])
    expect(help.stdout).toBe((await sonde(['daemon', '--target', 'synthetic', '-h'])).stdout)
    for (const option of [
      '--target',
      'SONDE_TARGETS',
      '--cluster',
      'SONDE_CLUSTERS',
      'SONDE_STATE_DIR; default: ~/.sonde',
    ]) {
      expect(help.stdout).toContain(option)
    }
  })

  test('with --json the error is one object', async () => {
    const { code, stderr } = await sonde(['capture', 'start', '--json'])
    expect(code).toBe(2)
    expect(JSON.parse(stderr)).toMatchObject({ error: { code: 'usage' } })
  })
})

describe('without a control plane', () => {
  test('a command ends with 3 and says how to get one', async () => {
    const url = `http://127.0.0.1:${await freePort()}`
    const { code, stderr } = await sonde(['nodes'], { SONDE_URL: url, SONDE_TOKEN: 'sonde_p_x' })
    expect(code).toBe(3)
    expect(stderr).toContain(`No control plane answers at ${url}`)
    expect(stderr).toContain('code: control_plane.unreachable')
  })

  test('something else that answers there is told from it, and a path is pointed out', async () => {
    await using server = createServer((_request, response) => response.writeHead(404).end('no')).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const url = `http://127.0.0.1:${port}`
    for (const args of [['nodes'], ['export', ID]]) {
      const { code, stderr } = await sonde([...args, '--url', `${url}/console`], { SONDE_TOKEN: 'sonde_p_x' })
      expect(code).toBe(3)
      expect(stderr).toContain(`What answers at ${url}/console is no control plane (HTTP 404 to /console/livez).`)
      expect(stderr).toContain(`Leave out the path: ${url}\n`)
    }
  })

  test('an export ends with 3 too', async () => {
    const url = `http://127.0.0.1:${await freePort()}`
    expect((await sonde(['export', ID], { SONDE_URL: url, SONDE_TOKEN: 'x' })).code).toBe(3)
  })
})

describe('with a control plane', () => {
  served('no token and a bad token end with 4', async ({ served: { env } }) => {
    const none = await sonde(['nodes'], { SONDE_URL: env.SONDE_URL })
    expect(none.code).toBe(4)
    expect(none.stderr).toContain('code: auth.token_missing')
    const bad = await sonde(['nodes', '--json'], { ...env, SONDE_TOKEN: `sonde_p_${'x'.repeat(43)}` })
    expect(bad.code).toBe(4)
    expect(JSON.parse(bad.stderr)).toMatchObject({
      error: { code: 'auth.token_invalid', requestId: expect.any(String) },
    })
  })

  served('a session is made, raised and archived, and its name is found', async ({ served: { env } }) => {
    expect((await sonde(['session', 'create', 'checkout'], env)).stdout).toContain('checkout')
    const raised = await sonde(['session', 'set-floor', '0.2', '--session', 'checkout', '--json'], env)
    expect(JSON.parse(raised.stdout)).toMatchObject({ name: 'checkout', minClientVersion: '0.2' })
    const lowered = await sonde(['session', 'set-floor', '0.1', '--session', 'checkout'], env)
    expect(lowered.code).toBe(1)
    expect(lowered.stderr).toMatch(/code: session\.floor_not_raised {2}request: \S+/)
    const archived = await sonde(['session', 'archive', '--session', 'checkout'], env)
    expect(archived.stdout).toContain('archived')
    expect((await sonde(['session', 'list'], env)).stdout).not.toContain('checkout')
    expect((await sonde(['session', 'list', '--all'], env)).stdout).toContain('checkout')
  })

  served(
    'a session that is not there ends with 4, by name and by id, whatever is called',
    { timeout: 90_000 },
    async ({ served: { env } }) => {
      for (const [session, command, errorCode] of [
        ['nowhere', ['session', 'get'], 'session.not_found'],
        [ID, ['session', 'get'], 'session.not_found'],
        ['nowhere', ['nodes'], 'session.not_found'],
        [ID, ['nodes'], 'runtimenode.permission_denied'],
      ] as const) {
        const { code, stderr } = await sonde([...command, '--session', session], env)
        expect(stderr).toContain(`code: ${errorCode}`)
        expect(code).toBe(4)
      }
    },
  )

  served('a token is shown once, lets its holder in, and is refused after it was revoked', async ({ served: s }) => {
    const made = await sonde(['token', 'create', '--name', 'Bob', '--role', 'viewer', '--ttl', '1h', '--json'], s.env)
    const { token, tokenId } = JSON.parse(made.stdout) as { token: string; tokenId: string }
    expect((await sonde(['nodes'], { ...s.env, SONDE_TOKEN: token })).code).toBe(0)
    const refused = await sonde(['token', 'list'], { ...s.env, SONDE_TOKEN: token })
    expect(refused.code).toBe(4)
    expect((await sonde(['token', 'list'], s.env)).stdout).toMatch(new RegExp(`${tokenId} +person +valid`))
    expect((await sonde(['token', 'revoke', tokenId], s.env)).code).toBe(0)
    expect((await sonde(['token', 'list'], s.env)).stdout).toMatch(new RegExp(`${tokenId} +person +revoked`))
  })

  served('a hostile name is shown inertly', async ({ served: { env } }) => {
    await sonde(['session', 'create', 'x\u001b[2J\u202ey'], env)
    const { stdout } = await sonde(['session', 'list'], env)
    expect(stdout).toContain('x\\x1b[2J\\u{202e}y')
    expect(stdout).not.toMatch(/[\u001b\u202e]/)
  })

  served('what is not there ends with 1 and its code', async ({ served: { env } }) => {
    for (const args of [
      ['capture', 'show', ID],
      ['capture', 'stop', ID],
      ['capture', 'delete', ID, '--yes'],
      ['capture', 'pin', ID],
      ['capture', 'expire', ID, '--never'],
      ['tail', ID],
      ['export', ID],
    ]) {
      const { code, stderr } = await sonde(args, env)
      expect(stderr).toContain('code: capture.not_found')
      expect(code).toBe(1)
    }
  })

  served('without servers a capture has nothing to record', async ({ served: { env } }) => {
    const { code, stderr } = await sonde(['capture', 'start', '--all-primaries', '--wait'], env)
    expect(stderr).toContain('code: capture.plan_empty')
    expect(code).toBe(1)
    expect((await sonde(['capture', 'targets'], env)).code).toBe(0)
    expect((await sonde(['capture', 'list'], env)).code).toBe(0)
  })
})

describe('on the database itself', () => {
  served('a lost owner token is replaced, without a control plane', async ({ served: { env }, databaseUrl }) => {
    const { code, stdout } = await sonde(['token', 'create', '--name', 'Ada'], { DATABASE_URL: databaseUrl })
    expect(code).toBe(0)
    const token = stdout.trim()
    expect(token).toMatch(/^sonde_p_/)
    expect((await sonde(['session', 'get'], { ...env, SONDE_TOKEN: token })).stdout).toContain('your role owner')
  })

  test('migrations are applied once and then reported as applied', async () => {
    await using empty = await createTestDatabase({ empty: true })
    const env = { DATABASE_URL: empty.url }
    expect((await sonde(['migrate', 'status'], env)).stdout).toContain('pending')
    expect((await sonde(['migrate', 'up'], env)).stdout).toMatch(/^applied 0001_/)
    expect((await sonde(['migrate', 'up'], env)).stdout).toBe('The database is up to date.\n')
    expect((await sonde(['migrate', 'status'], env)).stdout).not.toContain('pending')
  })

  test('a database that cannot be reached is named without its password', async () => {
    const url = `postgres://sonde:hunter2@127.0.0.1:${await freePort()}/sonde`
    const { code, stderr } = await sonde(['migrate', 'up'], { DATABASE_URL: url })
    expect(code).toBe(1)
    expect(stderr).toContain('code: database.unavailable')
    expect(stderr).not.toContain('hunter2')
  })
})
