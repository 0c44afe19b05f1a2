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
  process.on("SIGTERM", end).on("SIGINT", end)
  process.on("uncaughtException", fault).on("unhandledRejection", fault)
  return {
    ended: ending.promise,
    forget() {
      process.off("SIGTERM", end).off("SIGINT", end)
      process.off("uncaughtException", fault).off("unhandledRejection", fault)
    },
  }
}
