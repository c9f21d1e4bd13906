// Brings a fresh checkout to a runnable state with nothing but Node >= 20 and npm: plain JavaScript without dependencies,
// because it is what installs them. Does nothing when the lockfile has not changed since the last install.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { accessSync, constants, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const PNPM = 'pnpm@12.18.0'
const root = new URL('.', import.meta.url)
const stamp = new URL('node_modules/.bootstrap', root)
const wanted = createHash('sha256')
  .update(readFileSync(new URL('pnpm-lock.yaml', root)))
  .update(PNPM)
  .digest('hex')

const [major] = process.versions.node.split('.').map(Number)
if (major < 20) {
  console.error(`Sonde needs Node 20 or later to install; this is ${process.version}. Get one from https://nodejs.org`)
  process.exit(1)
}
if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) process.exit(0)

try {
  accessSync(root, constants.W_OK)
} catch ({ code }) {
  const why = code === 'EROFS' ? 'the disk can only be read' : 'this user may not write there'
  console.error(
    `Sonde cannot be installed in ${fileURLToPath(root)}: ${why}. Copy the checkout to a folder of yours, or start it once as its owner.`,
  )
  process.exit(1)
}

console.log('Installing what Sonde needs (about half a minute the first time)')
const install = spawnSync('npx', ['--yes', PNPM, 'install', '--frozen-lockfile', '--reporter=silent'], {
  cwd: root,
  stdio: ['ignore', 'pipe', 'pipe'],
  encoding: 'utf8',
  shell: process.platform === 'win32',
})
if (install.status !== 0) {
  console.error(install.stdout, install.stderr, install.error?.message ?? '')
  console.error('The installation failed; the lines above say why. Nothing was started. Try the same command again.')
  process.exit(install.status ?? 1)
}
writeFileSync(stamp, wanted)
