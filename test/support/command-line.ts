// Runs our command line as a person would: a process of its own, with an environment that we chose.
import { type ChildProcess, spawn } from "node:child_process"
import { join } from "node:path"
import { ROOT } from "./source.ts"

const MAIN = join(ROOT, "src/cli/main.ts")
/** Of our own environment: where programs are, and what they were compiled to. */
const KEPT = { PATH: process.env.PATH ?? "", NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? "" }

export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface Surroundings {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
  readonly stdin?: string
}

export interface Running {
  readonly child: ChildProcess
  stdout(): string
  stderr(): string
  /** Resolves when standard output matches; rejects when the process ends first. */
  said(pattern: RegExp): Promise<RegExpExecArray>
  readonly ended: Promise<Ended>
}

export const startCli = (args: readonly string[], surroundings: Surroundings = {}): Running =>
  start(process.execPath, [MAIN, ...args], surroundings)

/** The same under another program, such as strace, that leaves its process id and its output to ours. */
export const startCliUnder = (
  [program = "", ...before]: readonly string[],
  args: readonly string[],
  surroundings: Surroundings = {},
): Running => start(program, [...before, process.execPath, MAIN, ...args], surroundings)

/** A line as it was printed, by the shell; it must `exec` what is to get signals. */
export const startShell = (line: string, surroundings: Surroundings = {}): Running =>
  start("/bin/sh", ["-c", line], surroundings)

function start(
  command: string,
  args: readonly string[],
  { cwd, env = {}, stdin = "" }: Surroundings,
): Running {
  const child = spawn(command, args, {
    cwd,
    env: { ...KEPT, ...env },
    stdio: ["pipe", "pipe", "pipe"],
  })
  let [stdout, stderr] = ["", ""]
  child.stdout.on("data", (part: Buffer) => {
    stdout += part.toString("utf8")
  })
  child.stderr.on("data", (part: Buffer) => {
    stderr += part.toString("utf8")
  })
  child.stdin.on("error", () => undefined) // it may end without reading
  child.stdin.end(stdin)
  const ended = new Promise<Ended>((resolve) =>
    child.once("close", (code) => resolve({ code, stdout, stderr })),
  )
  const said = async (pattern: RegExp): Promise<RegExpExecArray> => {
    for (;;) {
      const found = pattern.exec(stdout)
      if (found) return found
      const more = new Promise((resolve) => child.stdout.once("data", resolve))
      const last = await Promise.race([more, ended.then((end) => ({ end }))])
      if (typeof last === "object" && last !== null && "end" in last && !pattern.test(stdout))
        throw new Error(`ended before it said ${pattern}: ${stderr}`)
    }
  }
  return { child, stdout: () => stdout, stderr: () => stderr, said, ended }
}

export const runCli = (args: readonly string[], surroundings: Surroundings = {}): Promise<Ended> =>
  startCli(args, surroundings).ended
