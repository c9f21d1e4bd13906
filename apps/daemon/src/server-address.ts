import { SondeError } from '@sonde/contracts'

/** Where a server is and how to sign in there. Credentials are in no log and no error. */
export interface ServerAddress {
  host: string
  port: number
  /** Path of a unix socket; host and port are then the path and 0. */
  path?: string
  tls: boolean
  username?: string
  password?: string
}

const bad = (setting: string, what: string): SondeError =>
  new SondeError('request.invalid', {
    message: `${setting}: ${what}. Write redis://[user:password@]host:port, rediss:// for TLS, or unix:///path/to.sock`,
  })

const credentialsOf = (username: string, password: string): Pick<ServerAddress, 'username' | 'password'> => ({
  ...(username !== '' && { username: decodeURIComponent(username) }),
  ...(password !== '' && { password: decodeURIComponent(password) }),
})

const parseUnix = (text: string, setting: string): ServerAddress => {
  // The URL class takes no user before an empty host, which is what a socket has.
  const match = /^unix:\/\/(?:([^:@/]*)(?::([^@/]*))?@)?(\/[^?#]+)$/.exec(text)
  if (match === null) throw bad(setting, 'not the path of a unix socket')
  const [, username = '', password = '', path = ''] = match
  return { host: path, port: 0, path, tls: false, ...credentialsOf(username, password) }
}

/**
 * Reads the address of a server. The port is 6379 by default. Throws `request.invalid`, naming `setting` and what is wrong
 * without repeating the text, which may hold a password.
 */
export const parseServerAddress = (text: string, setting: string): ServerAddress => {
  try {
    if (text.startsWith('unix:')) return parseUnix(text, setting)
    if (!URL.canParse(text)) throw bad(setting, 'not a URL')
    const url = new URL(text)
    if (url.protocol !== 'redis:' && url.protocol !== 'rediss:') throw bad(setting, `unknown scheme ${url.protocol}//`)
    if (url.hostname === '') throw bad(setting, 'the host is missing')
    if (!/^(\/0?)?$/.test(url.pathname) || url.search !== '' || url.hash !== '') {
      throw bad(setting, 'MONITOR shows all databases, so nothing may follow the port')
    }
    return {
      host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
      port: url.port === '' ? 6379 : Number(url.port),
      tls: url.protocol === 'rediss:',
      ...credentialsOf(url.username, url.password),
    }
  } catch (error) {
    if (error instanceof URIError) throw bad(setting, 'the user or password is not percent-encoded')
    throw error
  }
}

/** The address as a person reads it: host and port, or the path. */
export const describeAddress = ({ host, port, path }: Pick<ServerAddress, 'host' | 'port' | 'path'>): string =>
  path ?? (host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`)
