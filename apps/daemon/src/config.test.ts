import { SondeError } from '@sonde/contracts'
import { expect, test } from 'vitest'
import { readConfig } from './config.ts'
import { IMPACT_DEFAULTS } from './guard/impact.ts'

const ENROLL = `sonde_e_${'a'.repeat(43)}`
const ENV = { SONDE_URL: 'http://127.0.0.1:7373', SONDE_TOKEN: 'sonde_n_secret' }

const refusal = (argv: string[], env: NodeJS.ProcessEnv = ENV): string => {
  try {
    readConfig(argv, env)
  } catch (error) {
    expect(error).toBeInstanceOf(SondeError)
    return (error as SondeError).message
  }
  throw new Error('it was accepted')
}

test('arguments come before the environment, and several targets are taken in turn', () => {
  const argv = [
    '--url',
    'https://sonde.example.org',
    '--target',
    'redis://user:p%40ss@db:7000',
    '--target',
    'synthetic:',
  ]
  const config = readConfig([...argv, '--cluster', 'rediss://[::1]', '--state-dir', '/tmp/x', '--name', 'web 1'], {
    ...ENV,
    SONDE_STATE_DIR: '/tmp/y',
    SONDE_LOG_LEVEL: 'warn',
  })
  expect(config).toEqual({
    url: 'https://sonde.example.org',
    token: 'sonde_n_secret',
    targets: [
      { kind: 'server', address: { host: 'db', port: 7000, tls: false, username: 'user', password: 'p@ss' } },
      { kind: 'synthetic' },
      { kind: 'cluster', address: { host: '::1', port: 6379, tls: true } },
    ],
    name: 'web 1',
    stateDir: '/tmp/x',
    spoolBytes: 2 ** 30,
    impact: IMPACT_DEFAULTS,
    logLevel: 'warn',
  })
})

test('a unix socket is a path, with or without a user', () => {
  const targets = (text: string) => readConfig(['--target', text], ENV).targets
  expect(targets('unix:///run/redis/r.sock')).toEqual([
    { kind: 'server', address: { host: '/run/redis/r.sock', port: 0, path: '/run/redis/r.sock', tls: false } },
  ])
  expect(targets('unix://me:secret@/r.sock')).toMatchObject([{ address: { username: 'me', password: 'secret' } }])
  expect(targets('unix://:secret@/r.sock')[0]).not.toHaveProperty('address.username')
})

test('servers come from the environment too, where no list of processes shows their passwords', () => {
  const env = {
    ...ENV,
    SONDE_TARGETS: ' redis://:s3@db:7000  synthetic: ',
    SONDE_CLUSTERS: 'redis://c1\nredis://c2:7001',
  }
  const of = (...argv: string[]) =>
    readConfig(argv, env).targets.map((each) => [each.kind, each.kind === 'synthetic' ? '' : each.address.host])
  expect(of()).toEqual([
    ['server', 'db'],
    ['synthetic', ''],
    ['cluster', 'c1'],
    ['cluster', 'c2'],
  ])
  expect(of('--target', 'redis://other')).toEqual([
    ['server', 'other'],
    ['cluster', 'c1'],
    ['cluster', 'c2'],
  ])
  expect(readConfig([], env).targets[0]).toHaveProperty('address.password', 's3')
})

test.for([
  [[], {}, '--url or SONDE_URL'],
  [['--target', 'synthetic:'], { SONDE_URL: 'ftp://x', SONDE_TOKEN: 't' }, '--url or SONDE_URL'],
  [['--target', 'synthetic:', '--name', 'n'], { SONDE_URL: 'http://x', SONDE_ENROLL: 'x' }, '--enroll or SONDE_ENROLL'],
  [['--target', 'synthetic:', '--name', 'n'], { ...ENV, SONDE_ENROLL: ENROLL }, '--enroll and --token'],
  [['--target', 'synthetic:'], { SONDE_URL: 'http://x', SONDE_ENROLL: ENROLL }, '--name is missing'],
  [['--target', 'synthetic:', '--session', 'x'], ENV, '--session or SONDE_SESSION'],
  [['--target', 'synthetic:'], { ...ENV, SONDE_LOG_LEVEL: 'loud' }, 'SONDE_LOG_LEVEL'],
  [['--target', 'synthetic:'], { ...ENV, SONDE_SPOOL_BYTES: '1G' }, 'SONDE_SPOOL_BYTES'],
  [['--target', 'synthetic:'], { ...ENV, SONDE_SPOOL_BYTES: '1000' }, 'SONDE_SPOOL_BYTES'],
  [[], ENV, '--target or --cluster'],
  [['--target', 'synthetic:', '--target', 'http://x'], ENV, '--target number 2'],
  [['--cluster', 'synthetic:'], ENV, '--cluster number 1'],
  [['--target', 'redis://h:6379/3'], ENV, '--target number 1'],
  [[], { ...ENV, SONDE_TARGETS: 'synthetic: http://x' }, 'SONDE_TARGETS number 2'],
  [[], { ...ENV, SONDE_CLUSTERS: 'redis://h/1' }, 'SONDE_CLUSTERS number 1'],
  [[], { ...ENV, SONDE_TARGETS: ' ' }, '--target or --cluster'],
  [['--wrong'], ENV, "Unknown option '--wrong'"],
  [['--target'], ENV, "'--target <value>' argument missing"],
  [['redis://h'], ENV, '--target or --cluster'],
] as const)('%j is refused with the name of the setting', ([argv, env, name]) => {
  expect(refusal([...argv], env)).toContain(name)
})

test('neither the token nor a password is in what a bad setting says', () => {
  for (const target of [
    'redis://u:hunter2@h:99999',
    'redis://u:hunter2@h/1',
    'unix://u:hunter2@x',
    'redis://u:%hunter2@h',
  ]) {
    const message = refusal(['--target', target])
    expect(message).toContain('--target number 1')
    expect(message).not.toMatch(/hunter2|sonde_n_secret/)
  }
  for (const argv of [['redis://u:hunter2@h'], ['--tokn=hunter2'], ['--tokn', 'hunter2']]) {
    expect(refusal(argv)).not.toContain('hunter2')
  }
})
