import { connect } from 'node:net'

/** The least that a reader can do: takes MONITOR's bytes and counts the newlines. */
const { hostname, port } = new URL(process.env['REDIS_URL'] ?? '')
let lines = 0
const socket = connect(Number(port), hostname)
socket.on('data', (bytes) => {
  for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, at + 1)) lines += 1
})
socket.once('connect', () => {
  socket.write('MONITOR\r\n')
  process.send?.({ kind: 'reading' })
})
setInterval(() => process.send?.({ kind: 'lines', lines }), 100)
process.on('SIGTERM', () => process.exit())
process.on('disconnect', () => process.exit())
