/** How a process ended, for people: `killed by SIGKILL`, `exit code 1`. */
export const wordsForEnd = ({ code, signal }: { code: number | null; signal: string | null }): string => {
  if (signal !== null) return `killed by ${signal}`
  return code === null ? 'nobody can say how' : `exit code ${code}`
}
