// How the demo's processes talk with their stage: cues over Node's own channel between parent and child. What is played
// goes over HTTP; a cue only says when. It decides nothing.

export interface Cue {
  readonly id: number
  readonly cue: string
  readonly given: unknown
}

export type Answered =
  | { readonly id: number; readonly answer: unknown }
  | { readonly id: number; readonly failed: string }

type Parts = Readonly<Record<string, (given: never) => unknown>>

/** Answers the stage's cues until it goes away; then ends, so that nothing is ever left behind. */
export function answerCues(parts: Parts, end: () => Promise<void> = async () => undefined): void {
  const send = (answered: Answered) => void process.send?.(answered)
  process.on("message", async ({ id, cue, given }: Cue) => {
    try {
      const part: ((given: never) => unknown) | undefined = parts[cue]
      if (!part) throw new Error(`there is no cue ${cue}`)
      send({ id, answer: await part(given as never) })
    } catch (error) {
      send({ id, failed: error instanceof Error ? error.message : "unknown" })
    }
  })
  const leave = () => void end().finally(() => process.exit())
  process.once("SIGTERM", leave).once("disconnect", leave)
  process.on("SIGINT", () => undefined) // Ctrl-C reaches everyone at once; the stage says in which order they end
}
