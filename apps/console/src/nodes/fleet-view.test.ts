import type { RosterNode, Target } from '@sonde/contracts'
import { expect, test } from 'vitest'
import { countWork, readFleetSearch, selectNodes, targetsByNode, type FleetSearch } from './fleet-view.ts'

const node = (name: string, fields: Partial<RosterNode> = {}): RosterNode => ({
  nodeId: `node-${name}`,
  participantId: 'p',
  attachmentId: name,
  state: 'online',
  healthState: 'online',
  liveness: 'online',
  livenessHeld: false,
  lastHeartbeatAt: '2026-01-01T00:00:00.000Z',
  readOnly: false,
  versionMalformed: false,
  capabilities: { monitor: { name } },
  clientVersion: '1.0',
  attachedAt: '2026-01-01T00:00:00.000Z',
  lastAttachedAt: '2026-01-01T00:00:00.000Z',
  endedAt: null,
  epoch: 1,
  host: null,
  cloneAlarm: null,
  cordonedAt: null,
  drain: null,
  access: 'ok',
  schedulable: true,
  blockers: [],
  ...fields,
})

const NODES = [
  node('rack-10', { clientVersion: '1.10', blockers: ['stale', 'cordoned'], liveness: 'offline' }),
  node('rack-2', { clientVersion: '1.9', host: 'Berlin', lastHeartbeatAt: '2026-01-02T00:00:00.000Z' }),
  node('rack-1', { state: 'offline', blockers: ['not_online'], liveness: null, lastHeartbeatAt: null }),
]
const target = (host: string, nodeIds: string[]) => ({ host, port: 6379, nodeIds }) as Target
const TARGETS = targetsByNode([target('10.0.0.1', ['node-rack-2', 'node-rack-1']), target('10.0.0.2', ['node-rack-2'])])

const shown = (search: FleetSearch) =>
  selectNodes({ nodes: NODES, targets: TARGETS, search }).map(({ attachmentId }) => attachmentId)

test('nodes are in the order of the asked column, numbers by their value', () => {
  expect(shown({})).toEqual(['rack-1', 'rack-2', 'rack-10'])
  expect(shown({ desc: true })).toEqual(['rack-10', 'rack-2', 'rack-1'])
  expect(shown({ sort: 'version' })).toEqual(['rack-1', 'rack-2', 'rack-10'])
  expect(shown({ sort: 'version', desc: true })).toEqual(['rack-10', 'rack-2', 'rack-1'])
  expect(shown({ sort: 'beat' })).toEqual(['rack-2', 'rack-10', 'rack-1'])
  expect(shown({ sort: 'targets', desc: true })).toEqual(['rack-2', 'rack-1', 'rack-10'])
  expect(shown({ sort: 'liveness', desc: true })).toEqual(['rack-1', 'rack-10', 'rack-2'])
  expect(shown({ sort: 'work' })).toEqual(['rack-2', 'rack-1', 'rack-10'])
})

test('all words have to be found, in the name, id, host, version or a target', () => {
  expect(shown({ q: 'RACK-1' })).toEqual(['rack-1', 'rack-10'])
  expect(shown({ q: 'berlin 10.0.0.2' })).toEqual(['rack-2'])
  expect(shown({ q: '10.0.0.1:6379' })).toEqual(['rack-1', 'rack-2'])
  expect(shown({ q: 'berlin rack-1' })).toEqual([])
})

test('nodes are asked for by state and by what keeps them from new work', () => {
  expect(shown({ state: 'offline' })).toEqual(['rack-1'])
  expect(shown({ work: 'ready' })).toEqual(['rack-2'])
  expect(shown({ work: 'blocked' })).toEqual(['rack-1', 'rack-10'])
  expect(shown({ work: 'cordoned' })).toEqual(['rack-10'])
  expect(Object.fromEntries(countWork(NODES))).toEqual({ ready: 1, blocked: 2, stale: 1, cordoned: 1, not_online: 1 })
})

test('an address is read as far as it is known', () => {
  const search = { q: 'edge', state: 'online', work: 'stale', sort: 'beat', desc: true, ended: true, node: 'node-1' }
  expect(readFleetSearch(search)).toEqual(search)
  expect(readFleetSearch({ q: 17, state: 'gone', work: 'no', sort: 'colour', desc: 'yes', other: 1 })).toEqual({
    q: '17',
  })
  expect(readFleetSearch({ q: { a: 1 }, node: 'x'.repeat(300) })).toEqual({ node: 'x'.repeat(256) })
})
