import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { chromium, type Browser, type Page } from 'playwright-core'

const NAMES = ['chromium', 'chromium-browser', 'chromium-headless-shell', 'google-chrome', 'google-chrome-stable']

const isProgram = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** The system's Chromium: `$CHROMIUM`, else one on PATH; undefined when there is none. */
export const findChromium = (env: NodeJS.ProcessEnv): string | undefined =>
  [
    env['CHROMIUM'] ?? '',
    ...(env['PATH'] ?? '').split(delimiter).flatMap((dir) => NAMES.map((name) => join(dir, name))),
  ].find((path) => path !== '' && isProgram(path))

/** Starts it without a window; nothing of it leaves the machine. */
export const launchChromium = (executablePath: string): Promise<Browser> =>
  chromium.launch({
    executablePath,
    headless: true,
    args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking'],
  })

/** What the page's console complains about: a violated policy, an unhandled failure. */
export const complaintsOf = (page: Page): string[] => {
  const complaints: string[] = []
  page.on('pageerror', (error) => complaints.push(error.message))
  page.on('console', (message) => {
    // A refused call is told here too, and on the page.
    const isAnswer = message.text().startsWith('Failed to load resource')
    if (message.type() === 'error' && !isAnswer) complaints.push(message.text())
  })
  return complaints
}

/** Writes `docs/images/<name>.png` where `SONDE_SCREENSHOTS=1` asks for it. */
export const screenshot = async (page: Page, name: string): Promise<void> => {
  if (process.env['SONDE_SCREENSHOTS'] !== '1') return
  const path = fileURLToPath(new URL(`../../../docs/images/${name}.png`, import.meta.url))
  await page.mouse.move(0, 0)
  await page.screenshot({ path })
}
