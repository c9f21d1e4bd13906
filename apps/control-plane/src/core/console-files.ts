import { readdir, readFile, stat } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { extname, join, relative, sep } from 'node:path'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'

/** Serves the console's built files. */
export interface ConsoleFiles {
  /** Answers a GET or HEAD for a page or a file; false when the request is not for the console. */
  serve(request: IncomingMessage, response: ServerResponse): Promise<boolean>
}

interface BuiltFile {
  body: Buffer
  /** Absent where it saves nothing. */
  gzipped: Buffer | undefined
  type: string
  cacheControl: string
}

const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.woff2': 'font/woff2',
  '.json': 'application/json',
}

/** Scripts, styles and calls of this origin only, no inline script, and no page may frame the console. */
const POLICY = [
  "default-src 'self'",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join('; ')

const HEADERS = {
  'content-security-policy': POLICY,
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
}

/** What is spoken by programs stays JSON, also when it is not found. */
const FOR_PROGRAMS = /^\/(trpc|data|export)(\/|$)/
/** A path of the console's own router: no dots, no escapes. */
const PAGE = /^\/[A-Za-z0-9_\-/]*$/

const NOT_BUILT = `The console is not built yet.

Build it in the checkout with "npm run build", then load this page again. The API and the command line work without it.
`

const compress = promisify(gzip)

/**
 * Serves from memory what lies in `dir`, read again when its `index.html` changes. Only names that were listed are ever
 * looked up, so no request path reaches the file system.
 */
export const createConsoleFiles = (dir: string): ConsoleFiles => {
  let builtAt = -1
  let files: Promise<Map<string, BuiltFile>> | undefined
  const current = async (): Promise<Map<string, BuiltFile> | undefined> => {
    const changedAt = await stat(join(dir, 'index.html')).then(
      ({ mtimeMs }) => mtimeMs,
      () => undefined,
    )
    if (changedAt === undefined) return undefined
    if (changedAt !== builtAt || !files) {
      builtAt = changedAt
      files = readFiles(dir)
      // Else a failed read would be remembered until the next build.
      files.catch(() => {
        builtAt = -1
      })
    }
    return files
  }
  return {
    async serve(request, response) {
      if (request.method !== 'GET' && request.method !== 'HEAD') return false
      const path = request.url?.split('?', 1)[0] ?? ''
      const { accept = '' } = request.headers
      if (FOR_PROGRAMS.test(path) || /\bapplication\/json\b/.test(accept)) return false
      const built = await current()
      const file = built?.get(path) ?? (PAGE.test(path) ? built?.get('/index.html') : undefined)
      if (file) send(request, response, file)
      else if (!built && PAGE.test(path)) sendNotBuilt(response)
      else return false
      return true
    },
  }
}

const readFiles = async (dir: string): Promise<Map<string, BuiltFile>> => {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile() && TYPES[extname(entry.name)] !== undefined)
  return new Map(
    await Promise.all(
      files.map(async ({ parentPath, name }): Promise<[string, BuiltFile]> => {
        const body = await readFile(join(parentPath, name))
        const gzipped = await compress(body)
        const path = `/${relative(dir, join(parentPath, name)).split(sep).join('/')}`
        return [
          path,
          {
            body,
            gzipped: gzipped.length < body.length ? gzipped : undefined,
            type: TYPES[extname(name)] ?? '',
            // Vite names what lies in assets/ after its content.
            cacheControl: path.startsWith('/assets/') ? 'public, max-age=31536000, immutable' : 'no-cache',
          },
        ]
      }),
    ),
  )
}

const send = (request: IncomingMessage, response: ServerResponse, file: BuiltFile): void => {
  const zipped = /\bgzip\b/.test(request.headers['accept-encoding'] ?? '') ? file.gzipped : undefined
  const body = zipped ?? file.body
  response.writeHead(200, {
    ...HEADERS,
    'content-type': file.type,
    'content-length': body.length,
    'cache-control': file.cacheControl,
    vary: 'accept-encoding',
    ...(zipped && { 'content-encoding': 'gzip' }),
  })
  response.end(request.method === 'HEAD' ? undefined : body)
}

const sendNotBuilt = (response: ServerResponse): void => {
  response.writeHead(404, { ...HEADERS, 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store' })
  response.end(NOT_BUILT)
}
