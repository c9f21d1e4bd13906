import { CommanderError } from 'commander'
import { ExitCode, failureOf, formatFailure } from './core/failure.ts'
import { daemonArguments, runDaemon } from './daemon.ts'
import { endOnClosedPipe, flushed } from './print/output.ts'
import { paint, wantsColor } from './print/tone.ts'
import { createProgram, helpNameOf } from './program.ts'

endOnClosedPipe()
const args = process.argv.slice(2)

const report = (thrown: unknown): void => {
  const failure = failureOf(thrown)
  process.exitCode = failure.exitCode
  const json = args.includes('--json')
  // Whoever pressed Ctrl-C knows it.
  if (failure.code === 'interrupted' && !json) return
  const text = formatFailure(failure, { json, help: helpNameOf(program, args) })
  const color = !json && wantsColor(process.stderr, process.env)
  process.stderr.write(`${color ? text.replace(/^error:/, (word) => paint(word, 'bad')) : text}\n`)
}

const program = createProgram()
// A fault of our own is told like any failure, never with a stack.
process.on('uncaughtException', (thrown) => {
  report(thrown)
  process.exit()
})
try {
  const ofDaemon = daemonArguments(args)
  if (ofDaemon !== undefined) process.exitCode = await runDaemon(ofDaemon)
  else await program.parseAsync(args, { from: 'user' })
} catch (thrown) {
  if (thrown instanceof CommanderError && thrown.exitCode === 0) process.exitCode = ExitCode.ok
  else report(thrown)
}
await flushed()
process.exit()
