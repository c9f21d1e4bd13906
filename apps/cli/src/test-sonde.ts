import { spawn, type ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { poll } from '@sonde/testing'

const MAIN = fileURLToPath(new URL('main.ts', import.meta.url))

/** A run of the real program, for tests. Dispose to end it. */
export interface SondeRun extends AsyncDisposable {
  readonly child: ChildProcess
  readonly pid: number
  readonly exited: Promise<number | null>
  readonly stdout: string
  readonly stderr: string
  /** Waits until standard output matches. Throws with all output when the run ends before. */
  says(pattern: RegExp, timeoutMs?: number): Promise<RegExpExecArray>
}

/** An environment without settings of the machine that the tests run on. */
const cleanEnv = (env: Record<string, string> = {}): NodeJS.ProcessEnv => {
  const own = Object.entries(process.env).filter(
    ([name]) => !/^(SONDE_|DATABASE_URL|TEST_|REDIS_SERVER|NO_COLOR|FORCE_COLOR|NODE_|VITEST|npm_)/.test(name),
  )
  return { ...Object.fromEntries(own), SONDE_DATA_DIR: '/nonexistent', ...env }
}

/** Starts `sonde` with these arguments. */
export const startSonde = (args: readonly string[], env: Record<string, string> = {}): SondeRun => {
  const child = spawn(process.execPath, [MAIN, ...args], { env: cleanEnv(env), stdio: ['ignore', 'pipe', 'pipe'] })
  const output = { stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output.stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output.stderr += text))
  const exited = new Promise<number | null>((resolve) => child.once('close', (code) => resolve(code)))
  return {
    child,
    pid: child.pid ?? -1,
    exited,
    get stdout() {
      return output.stdout
    },
    get stderr() {
      return output.stderr
    },
    says: (pattern, timeoutMs = 60_000) =>
      poll(
        () => {
          const match = pattern.exec(output.stdout)
          if (match !== null) return match
          if (child.exitCode !== null || child.signalCode !== null) return 'ended' as const
          return undefined
        },
        { what: `sonde ${args[0]} to say ${pattern}`, timeoutMs },
      ).then((found) => {
        if (found !== 'ended') return found
        throw new Error(`sonde ${args.join(' ')} ended first. It said:\n${output.stdout}${output.stderr}`)
      }),
    [Symbol.asyncDispose]: async () => {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGTERM')
        const impatient = setTimeout(() => child.kill('SIGKILL'), 20_000)
        await exited
        clearTimeout(impatient)
      }
    },
  }
}

/** Runs `sonde` to its end. */
export const sonde = async (
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<{ code: number | null; stdout: string; stderr: string }> => {
  await using run = startSonde(args, env)
  const code = await run.exited
  return { code, stdout: run.stdout, stderr: run.stderr }
}
