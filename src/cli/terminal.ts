// Where a command writes: results to standard output, everything else to standard error; colour and progress only where
// a person looks on. It decides layout; escaping what others wrote is escape.ts's, and is done again where a terminal shows it.
import Table from "cli-table3"
import pc from "picocolors"
import { forJson, forScreen, forTerminal } from "./escape.ts"

type Colors = ReturnType<typeof pc.createColors>

export interface Terminal {
  readonly colors: Colors
  /** The same for standard error. */
  readonly errorColors: Colors
  /** Whether a person sees standard output. */
  readonly interactive: boolean
  /** How wide standard output is, where a person sees it. */
  columns(): number | undefined
  /** A line of the result. The caller escapes what others wrote. */
  print(line?: string): void
  /** A line beside the result: what happens, what to do next. */
  note(line?: string): void
  /** The result for programs. */
  json(value: unknown): void
  /** Rows under headings; every cell is escaped. */
  table(headings: readonly string[], rows: readonly (readonly string[])[]): void
  /** Waits for the work and says so on standard error when it takes longer than a second and a person looks on. */
  progress<T>(text: string | (() => string), work: Promise<T>): Promise<T>
}

/** A stream, and whether a person sees it. */
export interface Screen extends Pick<NodeJS.WritableStream, "write"> {
  readonly isTTY?: boolean
  readonly columns?: number
}

export function createTerminal(out: Screen, err: Screen): Terminal {
  const interactive = out.isTTY === true
  const colors = pc.createColors(interactive && pc.isColorSupported)
  const write = (stream: Screen, line: string) =>
    void stream.write(`${stream.isTTY === true ? forScreen(line) : line}\n`)
  const print = (line = "") => write(out, line)
  return {
    colors,
    errorColors: pc.createColors(err.isTTY === true && pc.isColorSupported),
    interactive,
    columns: () => (interactive ? out.columns : undefined),
    print,
    note: (line = "") => write(err, line),
    json: (value) => print(forJson(value)),
    table: (headings, rows) => print(layOut(headings, rows, colors)),
    progress: (text, work) => (err.isTTY ? watched(text, work, err) : work),
  }
}

const NO_LINES = {
  top: "",
  "top-mid": "",
  "top-left": "",
  "top-right": "",
  bottom: "",
  "bottom-mid": "",
  "bottom-left": "",
  "bottom-right": "",
  left: "",
  "left-mid": "",
  mid: "",
  "mid-mid": "",
  right: "",
  "right-mid": "",
  middle: "  ",
}

/** Columns without lines. Trailing spaces are cut, so that the text can be compared and copied. */
export function layOut(
  headings: readonly string[],
  rows: readonly (readonly string[])[],
  colors: Colors,
): string {
  const table = new Table({
    chars: NO_LINES,
    style: { "padding-left": 0, "padding-right": 0, head: [], border: [] },
  })
  table.push(headings.map((heading) => colors.bold(heading)))
  for (const row of rows) table.push(row.map(forTerminal))
  return table
    .toString()
    .split("\n")
    .map((line) => line.trimEnd())
    .join("\n")
}

const FRAMES = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"]

async function watched<T>(text: string | (() => string), work: Promise<T>, err: Screen): Promise<T> {
  const began = performance.now()
  let frame = 0
  const timer = setInterval(() => {
    const seconds = Math.floor((performance.now() - began) / 1000)
    const now = typeof text === "string" ? text : text()
    if (seconds >= 1) err.write(`\r\u001b[K${FRAMES[frame++ % FRAMES.length]} ${now} ${seconds} s`)
  }, 100)
  try {
    return await work
  } finally {
    clearInterval(timer)
    if (frame > 0) err.write("\r\u001b[K")
  }
}
