import { createStore } from './store.ts'

/** `system` follows what the operating system asks for. */
export const Theme = { system: 'system', light: 'light', dark: 'dark' } as const
export type Theme = (typeof Theme)[keyof typeof Theme]

const KEY = 'sonde.theme'

/** What `text` names; `system` for anything else. */
export const readTheme = (text: string | null): Theme =>
  Object.values(Theme).find((theme) => theme === text) ?? 'system'

const remembered = (): Theme => {
  try {
    return readTheme(localStorage.getItem(KEY))
  } catch {
    return Theme.system
  }
}

/** The theme of this browser. */
export const theme = createStore<Theme>(remembered())

const show = (): void => {
  document.documentElement.dataset['theme'] = theme.get()
}

/** Puts the theme on the page, before its first drawing and after each change, and remembers it. */
export const followTheme = (): void => {
  show()
  theme.subscribe(() => {
    show()
    try {
      localStorage.setItem(KEY, theme.get())
    } catch {
      // It then lasts as long as the page.
    }
  })
}
