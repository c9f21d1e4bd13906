/** A node's name: 1 to 64 printable characters. */
export const NODE_NAME_PATTERN = /^[^\p{C}]{1,64}$/u

/** The line that starts the node's daemon on its host. The token goes by the environment: arguments show in the list of processes. */
export const enrollCommand = (url: string, { token, name }: { token: string; name: string }): string =>
  `SONDE_URL=${shellWord(url)} SONDE_ENROLL=${token} sonde daemon --name ${shellWord(name)} --target redis://127.0.0.1:6379`

/** A word as a POSIX shell takes it. */
const shellWord = (text: string): string =>
  /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
