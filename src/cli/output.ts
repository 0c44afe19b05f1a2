// Standard output as commands write to it. What goes wrong there, the stream tells later: a command ends at its next line, and
// one whose result did not arrive is not done. It decides nothing about what is written.
import type { Screen } from "./terminal.ts"

/** What was printed did not arrive. */
export class OutputLost extends Error {
  override readonly name = "OutputLost"
  /** Whoever read it has seen enough, as `head` has: there is nobody to be told. */
  readonly unwanted: boolean

  constructor(error: Error) {
    const code = "code" in error ? String(error.code) : error.name
    super(`standard output can't be written (${code})`)
    this.unwanted = code === "EPIPE"
  }
}

export interface Output extends Screen {
  /** Throws OutputLost where something before it did not arrive. */
  write(text: string): boolean
  /** Resolves when what was written has arrived. Throws OutputLost. */
  finish(): Promise<void>
}

/** From now on a stream that breaks ends no process by itself: a server's log may lose its reader. */
export function openOutput(stream: NodeJS.WriteStream): Output {
  let lost: OutputLost | undefined
  let written = false
  stream.on("error", (error) => {
    lost ??= new OutputLost(error)
  })
  const check = () => {
    if (lost) throw lost
  }
  return {
    isTTY: stream.isTTY,
    get columns() {
      return stream.columns // a window changes
    },
    write(text) {
      check()
      written = true
      return stream.write(text)
    },
    async finish() {
      if (!written) return
      await new Promise<void>((resolve) => stream.write("", () => resolve()))
      check()
    },
  }
}
