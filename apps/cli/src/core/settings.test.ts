import { describe, expect, test } from 'vitest'
import { UsageError } from './failure.ts'
import { DEFAULT_URL, parseCliFile, resolveSettings } from './settings.ts'

const file = { url: 'http://127.0.0.1:7000', token: 'sonde_p_file', sessionId: 'session-of-file' }

describe('settings', () => {
  test('flags win over the environment, and that over the file', () => {
    const env = { SONDE_URL: 'http://env:1', SONDE_TOKEN: 'sonde_p_env', SONDE_SESSION: 'of-env' }
    const flags = { url: 'http://flag:1', token: 'sonde_p_flag', session: 'of-flag' }
    expect(resolveSettings(flags, env, file)).toEqual(flags)
    expect(resolveSettings({}, env, file)).toEqual({ url: 'http://env:1', token: 'sonde_p_env', session: 'of-env' })
    expect(resolveSettings({}, {}, file)).toEqual({ url: file.url, token: file.token, session: file.sessionId })
  })

  test('without anything the local control plane is called, without a token', () => {
    expect(resolveSettings({}, {}, undefined)).toEqual({ url: DEFAULT_URL, token: undefined, session: undefined })
  })

  test("the file's token and session are never sent to another control plane than the file's", () => {
    expect(resolveSettings({ url: 'http://elsewhere:7000' }, {}, file)).toMatchObject({
      token: undefined,
      session: undefined,
    })
    expect(resolveSettings({}, { SONDE_URL: 'http://elsewhere:7000' }, file).token).toBeUndefined()
  })

  test('a slash at the end does not make it another control plane', () => {
    expect(resolveSettings({ url: 'http://127.0.0.1:7000/' }, {}, file).token).toBe(file.token)
  })

  test('empty variables count as absent', () => {
    expect(resolveSettings({}, { SONDE_URL: '', SONDE_TOKEN: '', SONDE_SESSION: '' }, file).token).toBe(file.token)
  })

  test('an empty flag is a usage error: it was meant to say something', () => {
    for (const flags of [{ url: '' }, { token: '' }, { session: '' }]) {
      expect(() => resolveSettings(flags, {}, file)).toThrow(/^--\w+ is empty/)
    }
  })

  test('a token is one word; space around it is not of it, and what is none is not repeated', () => {
    expect(resolveSettings({}, { SONDE_TOKEN: ' sonde_p_env\n' }, file).token).toBe('sonde_p_env')
    expect(() => resolveSettings({ token: 'two words' }, {}, file)).toThrow(/^--token is no token/)
    expect(() => resolveSettings({}, { SONDE_TOKEN: 'a\nb' }, file)).toThrow(/^SONDE_TOKEN is no token/)
  })

  test.each(['127.0.0.1:7373', 'ftp://host', 'not a url'])(
    '%j as URL is a usage error that names its origin',
    (url) => {
      expect(() => resolveSettings({ url }, {}, undefined)).toThrow(/^--url must be/)
      expect(() => resolveSettings({}, { SONDE_URL: url }, undefined)).toThrow(UsageError)
    },
  )
})

test('a cli.json that is damaged or of another form counts as absent', () => {
  expect(parseCliFile(JSON.stringify(file))).toEqual(file)
  expect(parseCliFile('{"url":"http://a"}')).toBeUndefined()
  expect(parseCliFile('{"url":')).toBeUndefined()
  expect(parseCliFile('null')).toBeUndefined()
})
