import { accessSync, chmodSync, constants, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { LocalFailure } from '../core/failure.ts'

/**
 * Makes the data directory. It can be entered by others, because PostgreSQL runs as another user when this one is root; what is
 * secret in it is readable by its owner alone.
 */
export const prepareDataDir = (dataDir: string): void => {
  try {
    mkdirSync(join(dataDir, 'logs'), { recursive: true, mode: 0o755 })
    chmodSync(join(dataDir, 'logs'), 0o700)
    accessSync(dataDir, constants.R_OK | constants.W_OK | constants.X_OK)
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    const why = code === 'ENOSPC' ? 'the disk is full' : code === 'EROFS' ? 'the disk can only be read' : (code ?? '?')
    throw new LocalFailure(
      `The data folder ${dataDir} cannot be written (${why}). Make it writable, or name another with --data-dir.`,
      { cause },
    )
  }
}
