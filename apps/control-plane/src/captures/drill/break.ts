import { setTimeout as sleep } from 'node:timers/promises'
import { childrenOf } from '@sonde/testing'
import type { Fault } from './fault-plan.ts'
import type { World } from './world.ts'

const endMonitors = async (world: World, shard: number): Promise<void> => {
  const server = world.shards[shard]?.primary.process
  const clients = String(await server?.command('CLIENT', 'LIST')).split('\n')
  for (const client of clients.filter((each) => each.includes(' flags=O '))) {
    await server?.command('CLIENT', 'KILL', 'ID', /^id=(\d+)/.exec(client)?.[1] ?? '').catch(() => undefined)
  }
}

const stop = async (pids: readonly number[], forMs: number): Promise<void> => {
  const signal = (name: NodeJS.Signals, each: readonly number[]) => {
    for (const pid of each) {
      try {
        process.kill(pid, name)
      } catch {
        // A backend that has ended meanwhile.
      }
    }
  }
  signal('SIGSTOP', pids)
  try {
    await sleep(forMs)
  } finally {
    signal('SIGCONT', pids.toReversed())
  }
}

/** Breaks one thing, for as long as the plan says, and mends it. */
export const breakAndMend = async (world: World, { kind, forMs, shard: at }: Fault): Promise<void> => {
  const { stage, proxy } = world
  const shard = world.shards[at]
  if (!shard) throw new Error(`There is no shard ${at}`)
  const primary = shard.primary.process
  switch (kind) {
    case 'daemon killed':
      await shard.daemon.kill('SIGKILL')
      await sleep(forMs)
      return shard.restartDaemon()
    case 'daemon stopped':
      return stop([shard.daemon.pid], forMs)
    case 'control plane killed':
      await stage.server.kill('SIGKILL')
      await sleep(forMs)
      return stage.server.restart()
    case 'control plane stopped':
      return stop([stage.server.pid], forMs)
    case 'PostgreSQL killed': {
      const { postgres } = world
      process.kill(postgres.pid, 'SIGKILL')
      await postgres.exited
      await sleep(forMs)
      return world.restartPostgres()
    }
    case 'PostgreSQL stopped':
      // The postmaster first, so that it starts nothing new.
      return stop([world.postgres.pid, ...childrenOf(world.postgres.pid)], forMs)
    case 'primary killed':
      shard.primary = shard.servers[1]
      return primary.kill('SIGKILL')
    case 'primary stopped':
      primary.kill('SIGSTOP')
      await sleep(forMs)
      return primary.kill('SIGCONT')
    case 'connections cut':
      return proxy.cut()
    case 'connections stalled':
      proxy.pause()
      await sleep(forMs)
      return proxy.resume()
    case 'monitor cut':
      return endMonitors(world, at).catch(() => undefined)
  }
}
