/** What a colour says; colours themselves are chosen here alone. */
export type Tone = 'good' | 'warning' | 'bad' | 'dim' | 'strong'

const CODES: Record<Tone, number> = { good: 32, warning: 33, bad: 31, dim: 2, strong: 1 }

/** A plain text in the colour of a tone. */
export const paint = (text: string, tone: Tone | undefined): string =>
  tone === undefined || text === '' ? text : `\u001b[${CODES[tone]}m${text}\u001b[0m`

/** Whether a stream gets colour: terminals only, and never with NO_COLOR (https://no-color.org). */
export const wantsColor = (stream: { isTTY?: boolean }, env: NodeJS.ProcessEnv): boolean =>
  stream.isTTY === true && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb'
