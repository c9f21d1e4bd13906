import { parseArgs } from 'node:util'
import { printDrill } from '@sonde/testing'
import { runCaptureDrill } from './drill/run-capture-drill.ts'

/**
 * What a capture promises while daemons, control plane, PostgreSQL, a primary and their connections are killed, stopped and cut,
 * in an order that follows from the seed. Run by `sonde drill capture`.
 */
const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    seed: { type: 'string', default: '1' },
    minutes: { type: 'string', default: '10' },
  },
})
const seed = Number(values.seed)
const ms = Number(values.minutes) * 60_000
const note = (line: string): void => void process.stderr.write(`${line}\n`)
if (!Number.isSafeInteger(seed) || !(ms > 0)) {
  note('--seed is a whole number, and --minutes a number above 0.')
  process.exit(2)
}
const checks = await runCaptureDrill({ seed, ms, note })
const ok = checks.every((check) => check.ok)
printDrill({ name: 'capture', seed, checks, ok }, values.json)
if (!ok) process.exitCode = 1
