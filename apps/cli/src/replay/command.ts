import type { Command } from 'commander'
import { UsageError } from '../core/failure.ts'
import { filterValue, idValue, integerValue, segmentsValue, withExamples } from '../core/options.ts'
import type { ReplayFlags } from './replay.ts'

/** Adds `sonde replay`. */
export const addReplayCommand = (program: Command): void => {
  withExamples(
    program
      .command('replay')
      .description(
        'send the commands of a capture to a server or a cluster; without --yes only tell what would be sent',
      )
      .argument('<capture>', 'id of the capture', idValue)
      .option(
        '--to <url>',
        'redis://[user:password@]host[:port] (SONDE_REPLAY_TO keeps a password out of process lists)',
      )
      .option('--commands <names>', 'only these commands and categories: get,mget,@write', '@read')
      .option('--speed <factor>', 'how much faster than captured: 0.5, 2, or max for as fast as it goes', speedValue, 1)
      .option('--filter <filter>', 'only the lines that match, such as "key:cart:*" (docs/filters.md)', filterValue)
      .option('--segments <numbers>', 'only these segments: 0,2', segmentsValue)
      .option(
        '--allow-redacted',
        'replay a redacted capture, with made-up arguments of the same length for those that are masked',
      )
      .option('--show <count>', 'without --yes: how many of the first commands to show', integerValue(0, 10_000), 10)
      .option('--yes', 'send them; what writes, too, if --commands has it')
      .option('--url <url>', 'control plane to call (SONDE_URL)')
      .option('--token <token>', 'token to call with; SONDE_TOKEN keeps it out of process lists')
      .option('--json', 'print the report as JSON')
      .action(async (captureId: string, flags: ReplayFlags) => (await import('./replay.ts')).replay(captureId, flags)),
    'sonde replay 01930f2e-7c1a-7a00-8000-0123456789ab --to redis://staging:6379',
    'sonde replay 01930f2e-7c1a-7a00-8000-0123456789ab --to redis://staging:6379 --speed 2 --yes',
    'sonde replay 01930f2e-7c1a-7a00-8000-0123456789ab --to redis://staging:6379 --commands @read,set,del --speed max --yes',
  )
}

const speedValue = (text: string): number => {
  if (text === 'max') return Infinity
  const speed = /^\d{1,6}(\.\d{1,6})?$/.test(text) ? Number(text) : 0
  if (speed > 0) return speed
  throw new UsageError('--speed is a factor such as 0.5 or 2, or max.')
}
