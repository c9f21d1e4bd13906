/** How a state is to be taken. Each tone has a shape of its own, so that colour is never the only sign. */
export type Tone = 'good' | 'busy' | 'warn' | 'bad' | 'off'

const SHAPES: Record<Tone, string> = { good: '●', busy: '◉', warn: '◆', bad: '✕', off: '○' }

/** A state: shape, colour and word. */
export const Mark = ({ tone, text, title }: { tone: Tone; text: string; title?: string | undefined }) => (
  <span className={`mark mark-${tone}`} title={title}>
    <i aria-hidden="true">{SHAPES[tone]}</i> <span>{text}</span>
  </span>
)

/** Traffic that no real server made. */
export const SyntheticTag = () => (
  <span className="tag" title="Made by the daemon's built-in traffic source, not by a server">
    synthetic
  </span>
)
