import { note, print, printTable } from '../print/output.ts'
import { counted } from '../print/units.ts'
import type { Report, ReportColumn } from './report.ts'

const moreOf = (more: number): string => `(and ${counted(more, 'more row')}; --limit shows more)`

/** Prints a report as tables; the remarks go to standard error. */
export const printReport = async ({ remarks, tables }: Report): Promise<void> => {
  for (const [index, { columns, rows, more }] of tables.entries()) {
    if (index > 0) await print('')
    await printTable(
      columns.map(({ title, align, isCode }) => ({ title, ...(align && { align }), ...(isCode && { shrinks: true }) })),
      rows,
    )
    if (more > 0) await print(moreOf(more))
  }
  for (const remark of remarks) note(remark)
}

/** A report as Markdown, to be pasted into the notes of an incident. */
export const markdownOf = ({ title, remarks, tables }: Report): string => {
  const parts = [
    `## ${title}`,
    ...(remarks.length > 0 ? [remarks.map((remark) => `- ${escaped(remark)}`).join('\n')] : []),
  ]
  for (const { title: name, columns, rows, more } of tables) {
    const lines = [
      columns.map((column) => column.title),
      columns.map(({ align }) => (align === 'right' ? '---:' : '---')),
      ...rows.map((row) => row.map((cell, index) => markdownCell(cell, columns[index]!))),
    ]
    parts.push(`### ${name}`, lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n'))
    if (more > 0) parts.push(escaped(moreOf(more)))
  }
  return `${parts.join('\n\n')}\n`
}

const escaped = (text: string): string => text.replaceAll(/[\\`*_[\]<>|#]/g, '\\$&')

/** Code within as many backticks as it needs; a bar ends a cell even there. */
const markdownCell = (text: string, { isCode }: ReportColumn): string => {
  if (!isCode) return escaped(text)
  const longest = Math.max(0, ...Array.from(text.matchAll(/`+/g), ([run]) => run.length))
  const fence = '`'.repeat(longest + 1)
  const padding = longest > 0 ? ' ' : ''
  return `${fence}${padding}${text.replaceAll('|', '\\|')}${padding}${fence}`
}
