/** Listeners by event name; each event has one payload. */
export interface Emitter<Events> {
  /** Calls `listener` on every such event from now on; the returned function ends that. */
  on<Name extends keyof Events>(name: Name, listener: (event: Events[Name]) => void): () => void
  emit<Name extends keyof Events>(name: Name, event: Events[Name]): void
}

/** A typed emitter. What a listener throws goes to `onError`; it never reaches the emitting code or other listeners. */
export const createEmitter = <Events>(onError: (error: unknown) => void): Emitter<Events> => {
  const listeners: { [Name in keyof Events]?: Set<(event: Events[Name]) => void> } = {}
  return {
    on: (name, listener) => {
      const all = (listeners[name] ??= new Set())
      all.add(listener)
      return () => all.delete(listener)
    },
    emit: (name, event) => {
      // A copy: a listener may add another one, which hears the next event first.
      const current = [...(listeners[name] ?? [])]
      for (const listener of current) {
        try {
          listener(event)
        } catch (error) {
          onError(error)
        }
      }
    },
  }
}
