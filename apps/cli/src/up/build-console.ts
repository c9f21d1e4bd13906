import { spawn } from 'node:child_process'
import { readdirSync, statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { join } from 'node:path'

const CONSOLE = fileURLToPath(new URL('../../../console', import.meta.url))
const VITE = fileURLToPath(new URL('../../../../node_modules/vite/bin/vite.js', import.meta.url))
const SOURCES = ['src', 'public', 'index.html', 'vite.config.ts', 'package.json']

/**
 * Builds the console when it is missing or older than its sources (about a second). Answers what to say when that fails:
 * the rest works without a console.
 */
export const buildConsole = async (): Promise<string | undefined> => {
  if (isCurrent()) return undefined
  const child = spawn(process.execPath, [VITE, 'build', CONSOLE, '--logLevel', 'error'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let words = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (words += text))
  const code = await new Promise<number | null>((resolve) => {
    child.once('error', () => resolve(null))
    child.once('close', resolve)
  })
  return code === 0
    ? undefined
    : `could not be built: ${words.trim().split('\n')[0] ?? 'unknown'}. Try "npm run build".`
}

const isCurrent = (): boolean => {
  try {
    const built = statSync(join(CONSOLE, 'dist', 'index.html')).mtimeMs
    return SOURCES.every((source) => newest(join(CONSOLE, source)) <= built)
  } catch {
    return false
  }
}

const newest = (path: string): number => {
  const stat = statSync(path)
  if (!stat.isDirectory()) return stat.mtimeMs
  return Math.max(stat.mtimeMs, ...readdirSync(path).map((name) => newest(join(path, name))))
}
