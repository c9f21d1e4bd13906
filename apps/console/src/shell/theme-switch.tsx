import { useStore } from '../ui/store.ts'
import { readTheme, theme, Theme } from '../ui/theme.ts'

const WORDS: Record<Theme, string> = { system: 'System', light: 'Light', dark: 'Dark' }

/** Dark, light, or as the system has it. */
export const ThemeSwitch = () => (
  <select
    className="theme"
    aria-label="Theme"
    value={useStore(theme)}
    onChange={({ target }) => theme.set(readTheme(target.value))}
  >
    {Object.values(Theme).map((each) => (
      <option key={each} value={each}>
        {WORDS[each]}
      </option>
    ))}
  </select>
)
