import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { chromium, type Browser } from 'playwright-core'

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
