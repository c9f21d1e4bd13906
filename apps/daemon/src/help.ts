/** What `sonde daemon --help` prints. */
export const HELP = `Usage: sonde daemon [options]

Run the capture daemon here, beside the servers that it reads, until SIGTERM or Ctrl-C.

Options:
  --target <url>      read this server; may be repeated (SONDE_TARGETS: URLs with spaces between)
  --cluster <url>     read the cluster that this server is a member of; may be repeated (SONDE_CLUSTERS, likewise)
  --url <url>         control plane to attach to (SONDE_URL)
  --enroll <token>    join as a new node, once: \`sonde nodes enroll\` makes the token (SONDE_ENROLL; needs --name)
  --token <token>     token of a node that does not enroll (SONDE_TOKEN)
  --session <id>      session to attach to (SONDE_SESSION; default: the one that the token is for)
  --name <name>       name of this node beside its id
  --state-dir <dir>   where the node's id, its key and the spool are kept; one folder a daemon (SONDE_STATE_DIR; default: ~/.sonde)
  -h, --help          print help

A URL is redis://[user:password@]host[:port], rediss:// for TLS, or unix:///path/to.sock; the target "synthetic" makes traffic up.
Arguments show in the list of processes: give tokens and URLs with a password by the environment.
An enrolled node needs no token: it proves the key in its state directory for a credential of an hour, which beats renew.
SONDE_SPOOL_BYTES is what chunks that are not stored yet may take on disk (default: 1073741824).
SONDE_REDACTION_KEY_FILE holds 64 hex digits, the same on all nodes: the key that masked values are hashed with (default: made in
the state folder; then values of different nodes cannot be compared).
SONDE_LOG_LEVEL is debug, info (the default), warn, error or silent. The log is JSON on standard output.

Exit codes:
  0  it was asked to stop, or drained
  1  the control plane refused the node, or it could not start
  2  bad arguments or settings

Examples:
  $ SONDE_URL=http://127.0.0.1:7373 SONDE_ENROLL=sonde_e_... sonde daemon --name rack-7 --target redis://127.0.0.1:6379
  $ SONDE_URL=http://127.0.0.1:7373 SONDE_TOKEN=sonde_n_... sonde daemon --target redis://127.0.0.1:6379
  $ SONDE_TARGETS="redis://:secret@10.0.0.5:6379 redis://:secret@10.0.0.6:6379" sonde daemon
  $ sonde daemon --cluster redis://10.0.0.5:7000 --state-dir /var/lib/sonde/rack-7
`
