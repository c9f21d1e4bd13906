import { describe, expect, test } from 'vitest'
import { UsageError } from '../core/failure.ts'
import {
  chooseSource,
  findServerProgram,
  primaryDaemons,
  sourceEnvironment,
  syntheticDaemons,
  urlsOf,
} from './sources.ts'

describe('the source of traffic', () => {
  test('servers that were named win over a server program, up to three a daemon, a cluster one of its own', () => {
    const targets = ['redis://a', 'redis://b', 'redis://c', 'redis://d']
    expect(chooseSource({ targets, clusters: ['redis://seed'] }, '/usr/bin/redis-server')).toEqual({
      kind: 'given',
      daemons: [
        { targets: ['redis://a', 'redis://b', 'redis://c'], clusters: [] },
        { targets: ['redis://d'], clusters: [] },
        { targets: [], clusters: ['redis://seed'] },
      ],
    })
  })

  test('a server program is used, and without one the traffic is synthetic', () => {
    const none = { targets: [], clusters: [] }
    expect(chooseSource(none, '/usr/bin/valkey-server')).toEqual({
      kind: 'own cluster',
      server: '/usr/bin/valkey-server',
    })
    expect(chooseSource(none, undefined)).toEqual({ kind: 'synthetic' })
  })

  test('there are three daemons, each with one source', () => {
    expect(syntheticDaemons()).toEqual(Array.from({ length: 3 }, () => ({ targets: ['synthetic:'], clusters: [] })))
    expect(primaryDaemons([7000, 7001])[1]).toEqual({ targets: ['redis://127.0.0.1:7001'], clusters: [] })
  })

  test('URLs go to a daemon as words of its environment, and one with a space stays one', () => {
    const environment = sourceEnvironment({ targets: ['redis://:a b@h', 'synthetic:'], clusters: [] })
    expect(environment).toEqual({ SONDE_TARGETS: 'redis://:a%20b@h synthetic:', SONDE_CLUSTERS: '' })
    expect(urlsOf(environment['SONDE_TARGETS'])).toEqual(['redis://:a%20b@h', 'synthetic:'])
    expect(urlsOf(' \n')).toEqual([])
    expect(urlsOf(undefined)).toEqual([])
  })
})

describe('the server program', () => {
  test('REDIS_SERVER wins, and one that cannot be run is a usage error', () => {
    expect(findServerProgram({ REDIS_SERVER: process.execPath, PATH: '' })).toBe(process.execPath)
    expect(() => findServerProgram({ REDIS_SERVER: '/nowhere/redis-server' })).toThrow(UsageError)
  })

  test('nothing on PATH is nothing', () => {
    expect(findServerProgram({ PATH: '/nowhere' })).toBeUndefined()
    expect(findServerProgram({})).toBeUndefined()
  })
})
