import { expect, test } from 'vitest'
import { parseInfo, readServerFacts } from './server-facts.ts'
import { parseClusterAddress, parseClusterNodes } from './topology.ts'

test.for([
  ['127.0.0.1:7001@17001', { host: '127.0.0.1', port: 7001 }],
  ['127.0.0.1:7001', { host: '127.0.0.1', port: 7001 }],
  ['127.0.0.1:7001@17001,redis-1.example.org', { host: '127.0.0.1', port: 7001 }],
  ['127.0.0.1:7001@17001,,shard-id=69bc', { host: '127.0.0.1', port: 7001 }],
  [':7001@17001', { host: 'dialled', port: 7001 }],
  [':7001@17001,redis-1.example.org', { host: 'redis-1.example.org', port: 7001 }],
  ['?:7001@17001,redis-1', { host: 'redis-1', port: 7001 }],
  ['2001:db8::1:7001@17001', { host: '2001:db8::1', port: 7001 }],
  ['[2001:db8::1]:7001@17001', { host: '2001:db8::1', port: 7001 }],
  ['::1:7001@17001,localhost', { host: '::1', port: 7001 }],
  ['redis-1.example.org:7001@17001', { host: 'redis-1.example.org', port: 7001 }],
  ['nonsense', null],
  ['host:port@1', null],
  ['host:99999', null],
] as const)('the address %s is read', ([text, wanted]) => {
  expect(parseClusterAddress(text, 'dialled')).toEqual(wanted)
})

const NODES = [
  'aaa 10.0.0.1:7001@17001,redis-1 myself,master - 0 0 3 connected 0-5460 [5461->-bbb]',
  'bbb 10.0.0.2:7002@17002 master - 0 1700000000000 2 connected 5461 5463-10922 [5462-<-aaa]',
  'ccc 10.0.0.3:7003@17003 master,fail? - 1 1700000000000 1 connected 10923-16383',
  'ddd 10.0.0.4:7004@17004 slave aaa 0 1700000000000 3 connected',
  'eee 10.0.0.5:7005@17005 slave,fail bbb 1 1700000000000 2 disconnected',
  'fff 10.0.0.6:7006@17006 master - 0 1700000000000 7 disconnected',
  'ggg :0@0 slave,noaddr aaa 1 1700000000000 3 disconnected',
  'hhh 10.0.0.8:7008@17008 handshake - 0 0 0 connected',
  '',
].join('\n')

test('members of a cluster are read with role, health, shard, slots and epoch', () => {
  const members = parseClusterNodes(NODES, 'dialled')
  expect(
    members.map(({ nodeId, role, health, shard, configEpoch }) => [nodeId, role, health, shard, configEpoch]),
  ).toEqual([
    ['aaa', 'primary', 'healthy', 'aaa', 3],
    ['bbb', 'primary', 'healthy', 'bbb', 2],
    ['ccc', 'primary', 'suspect', 'ccc', 1],
    ['ddd', 'replica', 'healthy', 'aaa', 3],
    ['eee', 'replica', 'unhealthy', 'bbb', 2],
    ['fff', 'primary', 'unhealthy', 'fff', 7],
  ])
  expect(members.map(({ slots }) => slots)).toEqual([
    [[0, 5460]],
    [
      [5461, 5461],
      [5463, 10922],
    ],
    [[10923, 16383]],
    [],
    [],
    [],
  ])
  expect(members.filter(({ isMyself }) => isMyself).map(({ nodeId }) => nodeId)).toEqual(['aaa'])
})

test('a server that does not know its own address is where it was dialled', () => {
  expect(parseClusterNodes('aaa :6379@16379 myself,master - 0 0 0 connected', 'db.example.org')).toMatchObject([
    { host: 'db.example.org', port: 6379, health: 'healthy' },
  ])
})

test('garbage is no member', () => {
  expect(parseClusterNodes('ERR this is no cluster\n\n \naaa b c', 'dialled')).toEqual([])
})

test('INFO is read over its sections, values with colons whole', () => {
  const info = parseInfo('# Server\r\nredis_version:7.0.15\r\nexecutable:/a:b\r\n\r\n# Replication\r\nrole:master\r\n')
  expect([...info]).toEqual([
    ['redis_version', '7.0.15'],
    ['executable', '/a:b'],
    ['role', 'master'],
  ])
})

test.for([
  [
    'redis_version:7.0.15\r\nrun_id:ab\r\nredis_mode:standalone\r\nrole:master',
    ['7.0.15', 'primary', 'ab', false, 'bracket'],
  ],
  [
    'redis_version:7.2.4\r\nvalkey_version:8.0.1\r\nrole:slave\r\ncluster_enabled:1',
    ['8.0.1', 'replica', null, true, 'bracket'],
  ],
  ['redis_version:2.4.18\r\nrole:master', ['2.4.18', 'primary', null, false, 'paren']],
  ['redis_version:2.6.17\r\nrole:master', ['2.6.17', 'primary', null, false, 'bracket']],
  ['', [null, 'primary', null, false, 'bracket']],
] as const)('the facts of %j are told', ([info, [serverVersion, role, runId, isCluster, dialect]]) => {
  expect(readServerFacts(info)).toEqual({ serverVersion, role, runId, isCluster, dialect, monitorCpuShare: null })
})
