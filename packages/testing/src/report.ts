import { rounded, type Machine } from './measure.ts'

/** What a benchmark prints with `--json`. Ratios compare ways that were measured in the same run. */
export interface BenchReport {
  name: string
  machine: Machine
  figures: Record<string, number>
  ratios: Record<string, number>
  /** Which goals were met. */
  meets: Record<string, boolean>
}

/** One claim that a drill has put to the test. */
export interface Check {
  name: string
  ok: boolean
  detail: string
}

/** What a drill prints with `--json`. */
export interface DrillReport {
  name: string
  seed: number
  checks: Check[]
  ok: boolean
}

/** Prints a report to standard output: one line of JSON, or what a person reads. */
export const printBench = (report: BenchReport, json: boolean): void => {
  const numbers = (values: Record<string, number>) =>
    Object.fromEntries(Object.entries(values).map(([name, value]) => [name, rounded(value)]))
  const shown = { ...report, figures: numbers(report.figures), ratios: numbers(report.ratios) }
  if (json) return console.log(JSON.stringify(shown))
  const { machine, figures, ratios, meets } = shown
  console.log(
    `${report.name} on ${machine.cores} x ${machine.cpu}, Node ${machine.node}, PostgreSQL ${machine.postgres}`,
  )
  printPairs(Object.entries(figures).map(([name, value]) => [name, value.toLocaleString('en-US')]))
  printPairs(Object.entries(ratios).map(([name, value]) => [name, `${value}x`]))
  printPairs(Object.entries(meets).map(([name, met]) => [name, met ? 'met' : 'MISSED']))
}

/** Prints a drill's outcome to standard output: one line of JSON, or a line a check. */
export const printDrill = (report: DrillReport, json: boolean): void => {
  if (json) return console.log(JSON.stringify(report))
  for (const { name, ok, detail } of report.checks) console.log(`${ok ? 'ok    ' : 'FAILED'}  ${name}: ${detail}`)
  console.log(`${report.name} with seed ${report.seed}: ${report.ok ? 'passed' : 'FAILED'}`)
}

const printPairs = (pairs: [string, string][]): void => {
  const width = Math.max(...pairs.map(([name]) => name.length))
  for (const [name, value] of pairs) console.log(`  ${name.padEnd(width)}  ${value}`)
}
