import { analysisDiffInput, BaselineWindow, crossReferenceInput } from '@sonde/contracts'
import type { Command } from 'commander'
import { checkInput } from '../core/check-input.ts'
import { connect } from '../core/connect.ts'
import { UsageError } from '../core/failure.ts'
import {
  connectedAnywhere,
  durationValue,
  idValue,
  integerValue,
  withExamples,
  type CommonFlags,
} from '../core/options.ts'
import { printJson, write } from '../print/output.ts'
import { markdownOf, printReport } from './print-report.ts'
import { crossReferenceReport, diffReport, type Report } from './report.ts'

interface AnalysisFlags extends CommonFlags {
  markdown?: boolean
  limit: number
  wait: number
}

const CAPTURE = '01930f2e-7c1a-7a00-8000-0123456789ab'

/** Adds `sonde diff` and `sonde xref`. */
export const addAnalysisCommands = (program: Command): void => {
  withExamples(
    withReport(program.command('diff'))
      .description('tell what differs between two captures')
      .argument('<a>', 'id of a capture', idValue)
      .argument('<b>', 'id of the other one', idValue)
      .action(diff),
    `sonde diff ${CAPTURE} 01930f31-0b52-7a00-8000-0123456789ab`,
    `sonde diff ${CAPTURE} 01930f31-0b52-7a00-8000-0123456789ab --markdown > incident.md`,
  )
  withExamples(
    withReport(program.command('xref'))
      .description('tell what is new in a capture against earlier ones of its servers')
      .argument('<capture>', 'id of the capture', idValue)
      .option(
        '--against <baseline>',
        '6h, 24h, 7d, sameHour (a week before), or the id of a capture',
        baselineValue,
        '24h',
      )
      .action(crossReference),
    `sonde xref ${CAPTURE}`,
    `sonde xref ${CAPTURE} --against sameHour`,
  )
}

const withReport = (command: Command): Command =>
  connectedAnywhere(command)
    .option('--markdown', 'print Markdown')
    .option('--limit <count>', 'print so many rows of each table', integerValue(1, 1000), 20)
    .option('--wait <duration>', 'how long lines that are not counted yet may be counted', durationValue, 10_000)

const baselineValue = (text: string): string => (text in BaselineWindow ? text : idValue(text))

const show = async (found: unknown, report: Report, { json, markdown }: AnalysisFlags): Promise<void> => {
  if (json === true && markdown === true) throw new UsageError('--json and --markdown do not go together: choose one.')
  if (json === true) return printJson(found)
  return markdown === true ? write(markdownOf(report)) : printReport(report)
}

const diff = async (a: string, b: string, flags: AnalysisFlags): Promise<void> => {
  const input = checkInput(analysisDiffInput, { a, b, limit: flags.limit, waitMs: flags.wait })
  await using connection = await connect(flags)
  const found = await connection.call((rpc) => rpc.analysis.diff.query(input))
  await show(found, diffReport(found), flags)
}

const crossReference = async (captureId: string, flags: AnalysisFlags & { against: string }): Promise<void> => {
  const { against: baseline, limit, wait: waitMs } = flags
  const input = checkInput(crossReferenceInput, { captureId, baseline, limit, waitMs })
  await using connection = await connect(flags)
  const found = await connection.call((rpc) => rpc.analysis.crossReference.query(input))
  await show(found, crossReferenceReport(found), flags)
}
