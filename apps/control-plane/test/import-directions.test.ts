import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { dirname, relative, resolve, sep } from 'node:path'
import { expect, test } from 'vitest'

/** What a feature of the control plane may import of another one, through that one's `index.ts`. */
const EDGES: Record<string, string[]> = {
  sessions: [],
  tokens: ['sessions'],
  'sign-in': ['tokens'],
  nodes: ['sessions', 'tokens'],
  targets: ['nodes', 'sessions'],
  policies: ['sessions'],
  captures: ['nodes', 'policies', 'sessions', 'targets'],
  analysis: ['captures'],
  ops: ['captures', 'sessions'],
}

const SRC = fileURLToPath(new URL('../src', import.meta.url))

interface Import {
  file: string
  folder: string
  target: string
  toFolder: string
}

const imports = (): Import[] =>
  readdirSync(SRC, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'))
    .flatMap((file) => {
      const text = readFileSync(resolve(SRC, file), 'utf8')
      return [...text.matchAll(/from '(\.[^']+)'/g)].map((match) => {
        const target = relative(SRC, resolve(SRC, dirname(file), match[1]!))
        return { file, folder: folderOf(file), target, toFolder: folderOf(target) }
      })
    })

const folderOf = (path: string): string => (path.includes(sep) ? path.split(sep)[0]! : '')

test('every folder of the control plane is the core or a feature with its edges in the table', () => {
  const folders = new Set(imports().map((each) => each.folder))
  expect([...folders].filter((folder) => folder !== '' && folder !== 'core').toSorted()).toEqual(
    Object.keys(EDGES).toSorted(),
  )
})

test('the core imports no feature, apart from the type of the router', () => {
  const wrong = imports().filter(
    ({ folder, target, toFolder }) =>
      folder === 'core' && toFolder !== 'core' && target !== 'router.ts' && target !== 'config.ts',
  )
  expect(wrong).toEqual([])
})

test('a feature imports another one only along the table, and only its index', () => {
  const wrong = imports().filter(
    ({ folder, target, toFolder }) =>
      folder in EDGES &&
      toFolder in EDGES &&
      toFolder !== folder &&
      !(EDGES[folder]!.includes(toFolder) && target.endsWith('index.ts')),
  )
  expect(wrong).toEqual([])
})

test('routers hold no SQL and stores are imported by nobody outside their feature', () => {
  const stores = imports().filter(
    ({ folder, target, toFolder }) => /(^|-)store\.ts$/.test(target) && toFolder !== folder,
  )
  expect(stores).toEqual([])
  const routers = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('router.ts'))
  for (const router of routers)
    expect(readFileSync(resolve(SRC, router), 'utf8')).not.toMatch(/sql`|selectFrom|updateTable/)
})
