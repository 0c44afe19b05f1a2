// When a long-running command ends: at SIGTERM or SIGINT, or at a fault that nobody caught. What ending means is the
// command's to say.

/**
 * `ended` resolves with the error at such a fault. Watched from before the start, so that a signal at any moment lets what
 * began be finished.
 */
export function watchEnd() {
  const ending = Promise.withResolvers<Error | undefined>()
  const end = () => ending.resolve(undefined)
  const fault = (error: unknown) =>
    ending.resolve(error instanceof Error ? error : new Error("unknown fault"))
  process.on("SIGTERM", end).on("SIGINT", end).on("SIGUSR1", noDebugger)
  process.on("uncaughtException", fault).on("unhandledRejection", fault)
  return {
    ended: ending.promise,
    forget() {
      process.off("SIGTERM", end).off("SIGINT", end).off("SIGUSR1", noDebugger)
      process.off("uncaughtException", fault).off("unhandledRejection", fault)
    },
  }
}

/** At this signal Node would open its debugger, a port at which whoever reaches loopback reads every key. */
const noDebugger = () => undefined
