import { spawn } from 'node:child_process'
import { globSync } from 'node:fs'
import { constants } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Command } from 'commander'
import { LocalFailure, UsageError } from './core/failure.ts'
import { withExamples } from './core/options.ts'
import { print, printJson } from './print/output.ts'

/** A benchmark says how fast something is, a drill whether it holds in a disaster. Each lies beside what it is about. */
type Kind = 'bench' | 'drill'

interface Found {
  name: string
  /** From the checkout. */
  file: string
}

const CHECKOUT = fileURLToPath(new URL('../../..', import.meta.url))

/** The benchmarks or drills of a checkout, by name. */
export const findMeasurements = (kind: Kind, checkout: string): Found[] =>
  globSync([`apps/*/src/*/*.${kind}.ts`, `packages/*/src/*.${kind}.ts`], { cwd: checkout })
    .map((file) => ({ name: basename(file, `.${kind}.ts`), file }))
    .toSorted((a, b) => a.name.localeCompare(b.name))

/** Adds `sonde bench`. */
export const addBenchCommand = (program: Command): void =>
  addMeasurement(program, 'bench', {
    description: 'measure one part beside the usual way of doing it; without a name, list what can be measured',
    examples: ['sonde bench', 'sonde bench heartbeat --json', 'sonde bench heartbeat --rounds 1 --nodes 10000'],
  })

/** Adds `sonde drill`. */
export const addDrillCommand = (program: Command): void =>
  addMeasurement(program, 'drill', {
    description: 'rehearse a disaster and check what must hold; without a name, list the drills',
    examples: ['sonde drill', 'sonde drill nodes --json', 'sonde drill nodes --seed 7'],
  })

const addMeasurement = (program: Command, kind: Kind, words: { description: string; examples: string[] }): void => {
  withExamples(
    program
      .command(kind)
      .description(words.description)
      .argument('[name]', `which ${kind}`)
      .argument('[options...]', 'its own options')
      .option('--json', 'print JSON, the outcome on the last line')
      .allowUnknownOption()
      .action((name: string | undefined, options: string[], flags: { json?: boolean }) =>
        run(kind, { name, args: [...options, ...(flags.json === true ? ['--json'] : [])], json: flags.json === true }),
      ),
    ...words.examples,
  )
}

const run = async (kind: Kind, asked: { name: string | undefined; args: string[]; json: boolean }): Promise<void> => {
  const all = findMeasurements(kind, CHECKOUT)
  if (all.length === 0) {
    throw new LocalFailure(
      `This installation has no sources. "sonde ${kind}" runs from a checkout of Sonde, where its dependencies are installed too.`,
    )
  }
  if (asked.name === undefined) {
    if (asked.json) return printJson(all)
    const width = Math.max(...all.map(({ name }) => name.length))
    for (const { name, file } of all) await print(`${name.padEnd(width)}  ${file}`)
    return
  }
  const chosen = all.find(({ name }) => name === asked.name)
  if (chosen === undefined) {
    throw new UsageError(`There is no ${kind} ${asked.name}. There are: ${all.map(({ name }) => name).join(', ')}.`)
  }
  process.exitCode = await runHere(join(CHECKOUT, chosen.file), asked.args)
}

/** Runs a file in a process group of its own and ends as it ended; signals are passed on, and it does not outlive this process. */
const runHere = async (file: string, args: readonly string[]): Promise<number> => {
  const { guardProcess } = await import('@sonde/testing')
  const child = spawn(process.execPath, [file, ...args], { detached: true, stdio: 'inherit' })
  const forget = child.pid === undefined ? () => undefined : guardProcess(child.pid)
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal))
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  child.once('error', reject)
  child.once('exit', (code, signal) => resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])))
  return promise.finally(forget)
}
