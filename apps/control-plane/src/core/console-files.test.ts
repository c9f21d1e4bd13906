import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { startControlPlane } from '@sonde/testing'
import { dbTest } from '@sonde/testing/db-test'
import { expect } from 'vitest'

const SCRIPT = `console.log('${'a'.repeat(2000)}')`
const SECRET = randomBytes(16).toString('hex')

const consoleTest = dbTest
  .extend('home', { scope: 'file' }, async ({ databaseUrl }, { onCleanup }) => {
    const home = await mkdtemp(join(tmpdir(), `sonde-console-${basename(databaseUrl)}-`))
    onCleanup(() => rm(home, { recursive: true }))
    await writeFile(join(home, 'secret.js'), SECRET)
    return home
  })
  .extend('server', { scope: 'file' }, async ({ databaseUrl, home }, { onCleanup }) => {
    const env = { SONDE_CONSOLE_DIR: join(home, 'dist'), SONDE_SWEEP_MS: 'off' }
    const server = await startControlPlane({ databaseUrl, env })
    onCleanup(() => server[Symbol.asyncDispose]())
    return server
  })

const build = async (home: string, page: string): Promise<void> => {
  const dist = join(home, 'dist')
  await mkdir(join(dist, 'assets'), { recursive: true })
  await writeFile(join(dist, 'index.html'), page)
  await writeFile(join(dist, 'assets', 'index-Ab12.js'), SCRIPT)
  await writeFile(join(dist, 'notes.secret'), SECRET)
}

/** A path as it is, where `fetch` would tidy it up. */
const rawGet = (url: string, path: string, headers = {}): Promise<{ status: number; text: string }> =>
  new Promise((resolve, reject) => {
    const { hostname, port } = new URL(url)
    request({ hostname, port, path, headers }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (piece: string) => {
        text += piece
      })
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }))
    })
      .on('error', reject)
      .end()
  })

consoleTest('a console that is not built says how to build it, and then is served', async ({ home, server }) => {
  const before = await fetch(`${server.url}/`)
  expect(before.status).toBe(404)
  expect(before.headers.get('content-type')).toBe('text/plain; charset=utf-8')
  expect(await before.text()).toContain('npm run build')
  await build(home, '<title>one</title>')
  expect(await (await fetch(`${server.url}/`)).text()).toBe('<title>one</title>')
  await build(home, '<title>two</title>')
  await utimes(join(home, 'dist', 'index.html'), 1e9, 1e9)
  expect(await (await fetch(`${server.url}/`)).text()).toBe('<title>two</title>')
})

consoleTest(
  'pages of the console are its index, which is asked for each time under a strict policy',
  async ({ home, server }) => {
    await build(home, '<title>page</title>')
    await utimes(join(home, 'dist', 'index.html'), 2e9, 2e9)
    for (const path of ['/', '/sessions/0193/fleet', '/sessions/0193/captures/new', '/anything', '/?a=1']) {
      const response = await fetch(`${server.url}${path}`)
      expect(response.status, path).toBe(200)
      expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8')
      expect(response.headers.get('cache-control')).toBe('no-cache')
      expect(response.headers.get('x-content-type-options')).toBe('nosniff')
      const policy = response.headers.get('content-security-policy') ?? ''
      expect(policy).toContain("default-src 'self'")
      expect(policy).toContain("frame-ancestors 'none'")
      expect(policy).not.toContain('unsafe')
      expect(await response.text()).toBe('<title>page</title>')
    }
    const head = await fetch(`${server.url}/`, { method: 'HEAD' })
    expect([head.status, await head.text()]).toEqual([200, ''])
  },
)

consoleTest('files named after their content may be kept, and are sent compressed', async ({ home, server }) => {
  await build(home, '<title>page</title>')
  await utimes(join(home, 'dist', 'index.html'), 3e9, 3e9)
  const response = await fetch(`${server.url}/assets/index-Ab12.js`)
  expect(response.headers.get('cache-control')).toBe('public, max-age=31536000, immutable')
  expect(response.headers.get('content-type')).toBe('text/javascript; charset=utf-8')
  expect(response.headers.get('content-encoding')).toBe('gzip')
  expect(Number(response.headers.get('content-length'))).toBeLessThan(200)
  expect(await response.text()).toBe(SCRIPT)
  const plain = await rawGet(server.url, '/assets/index-Ab12.js')
  expect(plain).toEqual({ status: 200, text: SCRIPT })
})

consoleTest('no path leads out of the built folder', async ({ home, server }) => {
  await build(home, '<title>page</title>')
  await symlink(join(home, 'secret.js'), join(home, 'dist', 'assets', 'link.js')).catch(() => undefined)
  await utimes(join(home, 'dist', 'index.html'), 4e9, 4e9)
  for (const path of [
    '/../secret.js',
    '/..%2fsecret.js',
    '/%2e%2e/secret.js',
    '/%2e%2e%2fsecret.js',
    '/assets/../../secret.js',
    '/assets/..%2f..%2fsecret.js',
    '/assets/..%5c..%5csecret.js',
    '/assets/%252e%252e/secret.js',
    '/assets/link.js',
    '//secret.js',
    `/${encodeURIComponent(join(home, 'secret.js'))}`,
    join(home, 'secret.js'),
    '/notes.secret',
    '/assets/index-Ab12.js%00.html',
    '/assets',
    '/assets/',
  ]) {
    const { status, text } = await rawGet(server.url, path)
    expect(text, path).not.toContain(SECRET)
    if (/[.%]/.test(path)) expect(status, path).toBe(404)
  }
})

consoleTest('what programs speak stays JSON, also when it is not found', async ({ home, server }) => {
  await build(home, '<title>page</title>')
  const codeOf = async (path: string, init: RequestInit = {}) => {
    const response = await fetch(`${server.url}${path}`, init)
    const body = (await response.json()) as { error: { code?: string; data?: { sondeError: { code: string } } } }
    return [response.status, body.error.data?.sondeError.code ?? body.error.code]
  }
  const json = { headers: { accept: 'application/json' } }
  expect(await codeOf('/trpc/nothing')).toEqual([404, 'request.not_found'])
  expect(await codeOf('/trpc')).toEqual([404, 'request.not_found'])
  expect(await codeOf('/data/nothing')).toEqual([404, 'request.not_found'])
  expect(await codeOf('/export/nothing')).toEqual([404, 'request.not_found'])
  expect(await codeOf('/nothing', json)).toEqual([404, 'request.not_found'])
  expect(await codeOf('/', { method: 'POST' })).toEqual([404, 'request.not_found'])
  expect(await codeOf('/data/chunks')).toEqual([405, 'request.method_not_allowed'])
})
