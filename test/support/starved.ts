// Runs the appender in a process of its own, where the test wants it under strace, and judges what it left behind.
import { spawn, spawnSync } from "node:child_process"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { sql } from "drizzle-orm"
import { expect } from "vitest"
import { statement } from "../../src/database/database.ts"
import { createNames } from "../../src/database/names.ts"
import { openSqlite } from "../../src/database/sqlite.ts"
import { createLedger } from "../../src/ledger/ledger.ts"
import { leafHash } from "../../src/ledger/merkle.ts"
import { systemClock } from "../../src/time.ts"
import type { Report, Task } from "./appender.ts"
import { createFolders } from "./folder.ts"
import { ROOT } from "./source.ts"

/** What the processes load is compiled once, because starting them is most of what these tests cost. */
const compileCache = createFolders()()

/** Whether system calls can be made to fail here. Where not, the tests that need it say so and check what else they can. */
export const HAS_STRACE =
  spawnSync("strace", ["-f", "-qq", "--seccomp-bpf", "-o", "/dev/null", "true"]).status === 0

export function sayWithoutStrace(what: string): void {
  console.warn(`NOT TESTED HERE: ${what} (strace is missing or may not trace). Run it where strace works.`)
}

/** Injections of strace: `fsync:error=EIO:when=6`. Counts are of each thread; only calls on `onlyPath` where given. */
export interface Injection {
  readonly inject: string
  readonly onlyPath?: string
}

/** Starts a process and answers what it printed and the calls that strace saw, one a line. */
export async function traceCalls(calls: string, command: readonly string[], log: string): Promise<string[]> {
  await runProcess(["strace", "-f", "-qq", "--seccomp-bpf", "-o", log, "-e", `trace=${calls}`, ...command])
  return readFileSync(log, "utf8").split("\n").slice(0, -1)
}

export interface Ending {
  readonly reports: readonly Report[]
  readonly code: number | null
  readonly signal: string | null
}

/** What a test may do to the process while it runs. */
export interface Running {
  kill(): void
  /** Lets its files grow again. */
  liftLimit(): void
}

type OnReport = (report: Report, running: Running) => void

/** Runs the appender until it ends. `fileSizeLimit`: bytes that none of its files may exceed (prlimit). */
export function runAppender(
  task: Task,
  options: { injection?: Injection; fileSizeLimit?: number; onReport?: OnReport } = {},
): Promise<Ending> {
  const command = [process.execPath, join(ROOT, "test/support/appender.ts"), JSON.stringify(task)]
  const limit =
    options.fileSizeLimit === undefined ? [] : ["prlimit", `--fsize=${options.fileSizeLimit}:unlimited`]
  return runProcess([...limit, ...straceFor(options.injection), ...command], options.onReport)
}

function straceFor(injection: Injection | undefined): string[] {
  if (!injection) return []
  const call = injection.inject.split(":")[0] ?? ""
  const path = injection.onlyPath === undefined ? [] : ["-P", injection.onlyPath]
  const trace = ["-e", `trace=${call}`, "-e", `inject=${injection.inject}`]
  // Stopping at the traced calls alone is much cheaper, but signals are not injected then.
  const cheap = injection.inject.includes(":error=") ? ["--seccomp-bpf"] : []
  return ["strace", "-f", "-qq", ...cheap, "-o", "/dev/null", ...path, ...trace]
}

function runProcess(command: readonly string[], onReport: OnReport = () => undefined): Promise<Ending> {
  const [program = "", ...args] = command
  const env = { ...process.env, NODE_COMPILE_CACHE: compileCache }
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"], env })
  const running: Running = {
    kill: () => void child.kill("SIGKILL"),
    liftLimit: () => void spawnSync("prlimit", ["--pid", String(child.pid), "--fsize=unlimited"]),
  }
  const reports: Report[] = []
  let rest = ""
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    const lines = (rest + text).split("\n")
    rest = lines.pop() ?? ""
    for (const line of lines) {
      const report: Report = JSON.parse(line)
      reports.push(report)
      onReport(report, running)
    }
  })
  return new Promise((resolve, reject) => {
    child.on("error", reject)
    child.on("close", (code, signal) => resolve({ reports, code, signal }))
  })
}

const resting = statement<{
  seq: number
  resource: string
  bytes: Uint8Array | null
  leaf: Uint8Array | null
}>(
  "resting",
  sql`SELECT e.seq AS seq, e.resource AS resource, b.bytes AS bytes, b.leaf AS leaf
    FROM entry e LEFT JOIN entry_bytes b ON b.seq = e.seq ORDER BY e.seq`,
)
const pairs = statement<{ key: string }>("pairs", sql`SELECT key FROM setting ORDER BY key`)

/**
 * Opens what a process left, as the next start does, and checks that everything acknowledged is there, that nothing is
 * half there, that places have no gap, and that recording goes on.
 */
export async function checkWhatIsLeft(task: Pick<Task, "path" | "acknowledged">): Promise<number> {
  const engine = await openSqlite({ path: task.path })
  try {
    const rows = await engine.query(resting)
    expect(rows.map((row) => row.seq)).toEqual(rows.map((_, index) => index + 1))
    expect(rows.filter((row) => !row.bytes || !row.leaf || !leafHash(row.bytes).equals(row.leaf))).toEqual([])
    const recorded = rows.map((row) => row.resource).filter((name) => name !== CHECKED)
    expect(recorded.toSorted()).toEqual((await engine.query(pairs)).map((row) => row.key).toSorted())
    const acknowledged = existsSync(task.acknowledged)
      ? readFileSync(task.acknowledged, "utf8").split("\n")
      : [""]
    const known = new Set(recorded)
    expect(acknowledged.slice(0, -1).filter((name) => !known.has(name))).toEqual([])
    const ledger = await createLedger({ engine, names: createNames(engine), clock: systemClock })
    await ledger.append([{ kind: "use.allowed", at: ledger.at(), resource: CHECKED }])
    return acknowledged.length - 1
  } finally {
    await engine.close()
  }
}

const CHECKED = "checked"
