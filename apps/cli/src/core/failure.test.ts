import { ERRORS, isErrorCode, SondeError } from '@sonde/contracts'
import { describe, expect, test } from 'vitest'
import { ExitCode, failureOf, formatFailure, Interrupted, LocalFailure, UsageError } from './failure.ts'

describe('exit codes', () => {
  test.each([
    ['capture.not_found', ExitCode.failed],
    ['request.invalid', ExitCode.usage],
    ['control_plane.unreachable', ExitCode.unreachable],
    ['control_plane.error', ExitCode.failed],
    ['auth.token_expired', ExitCode.notAuthorized],
    ['auth.role_required', ExitCode.notAuthorized],
    ['runtimenode.permission_denied', ExitCode.notAuthorized],
    ['session.not_found', ExitCode.notAuthorized],
    ['database.disk_full', ExitCode.failed],
  ] as const)('%s ends with %d', (code, exitCode) => {
    expect(failureOf(new SondeError(code)).exitCode).toBe(exitCode)
  })

  test('every code of the table ends with one of the documented codes', () => {
    for (const code of Object.keys(ERRORS).filter(isErrorCode)) {
      expect([1, 2, 3, 4], code).toContain(failureOf(new SondeError(code)).exitCode)
    }
  })

  test('usage ends with 2, Ctrl-C with 130, anything else with 1', () => {
    expect(failureOf(new UsageError('x')).exitCode).toBe(2)
    expect(failureOf(new Interrupted()).exitCode).toBe(130)
    expect(failureOf(new TypeError('x')).exitCode).toBe(1)
    expect(failureOf('thrown text')).toMatchObject({ message: 'thrown text', exitCode: 1 })
  })
})

describe('messages', () => {
  test('a failure of the server is two lines with code and request, and hostile text in it is inert', () => {
    const error = new SondeError('capture.not_found', {
      message: 'gone\u001b[2J\nerror: fake',
      details: { requestId: 'r-1', captureId: 'c' },
    })
    expect(formatFailure(failureOf(error), { json: false })).toBe(
      'error: gone\\x1b[2J\\nerror: fake\ncode: capture.not_found  request: r-1',
    )
  })

  test('a busy target names the capture that holds it, and how to end that', () => {
    const held = (port: number, heldBy: string | null) => ({ targetId: `t-${port}`, host: 'h', port, heldBy })
    const linesOf = (targets: unknown) =>
      formatFailure(failureOf(new SondeError('capture.target_busy', { details: { targets } })), { json: false })
        .split('\n')
        .slice(1, -1)
    expect(linesOf([held(1, 'c-1')])).toEqual(['  To end it: sonde capture stop c-1'])
    expect(linesOf([held(1, 'c-1'), held(2, null), held(3, 'c-1')])).toEqual([
      '  h:1 is held by capture c-1',
      '  h:3 is held by capture c-1',
      '  To end it: sonde capture stop c-1',
    ])
    expect(failureOf(new SondeError('capture.target_busy')).lines).toEqual([])
  })

  test('as JSON it is one object with code, message, request and details', () => {
    const error = new SondeError('capture.not_found', { details: { requestId: 'r-1', captureId: 'c' } })
    expect(JSON.parse(formatFailure(failureOf(error), { json: true }))).toEqual({
      error: {
        code: 'capture.not_found',
        message: ERRORS['capture.not_found'].message,
        requestId: 'r-1',
        details: { captureId: 'c' },
      },
    })
  })

  test('a usage error names the help that shows the right way', () => {
    const text = formatFailure(failureOf(new UsageError('Bad.')), { json: false, help: 'sonde capture start' })
    expect(text).toBe('error: Bad.\nSee: sonde capture start --help')
  })

  test('a full disk is told in words, with the file and without a stack', () => {
    const full = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC', path: '/d/f' })
    const text = formatFailure(failureOf(full), { json: false })
    expect(text).toBe('error: There is no space left on the disk. Free some, then try again: /d/f\ncode: ENOSPC')
  })

  test('the last words of a program that failed stand below the message', () => {
    const failure = failureOf(new LocalFailure('It ended.', { lines: ['one', 'two'] }))
    expect(formatFailure(failure, { json: false })).toBe('error: It ended.\n  one\n  two')
  })
})
