// What every benchmark needs of the machine: servers on one core, the load on the other, medians of interleaved rounds.
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { generateKeyPairSync, sign, verify } from "node:crypto"
import { closeSync, fsyncSync, openSync, writeSync } from "node:fs"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"

const SERVER_CORE = 0
export const LOAD_CORE = 1

const pinned = spawnSync("taskset", ["-V"]).status === 0

/** What a server under test prints, as one line of JSON, once it listens: the one request to repeat. */
export interface Target {
  readonly url: string
  readonly method: "GET" | "POST"
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
  /** What a server of another kind needs to work with this one. */
  readonly given?: Readonly<Record<string, unknown>>
}

export interface Server {
  readonly pid: number
  readonly target: Target
  stop(): Promise<void>
}

const children = new Set<ChildProcess>()
process.on("exit", () => {
  for (const child of children) child.kill("SIGKILL")
})

/**
 * Starts bench/servers/<name>.ts on the server's core and waits for its target. `yielding`: whoever else wants the core has it
 * first.
 */
export async function startServer(
  name: string,
  args: readonly string[] = [],
  core = SERVER_CORE,
  yielding = false,
): Promise<Server> {
  const file = fileURLToPath(new URL(`./servers/${name}.ts`, import.meta.url))
  const command = [process.execPath, "--disable-warning=ExperimentalWarning", file, ...args]
  const nice = pinned && yielding ? ["nice", "-n", "15"] : []
  const [first = "", ...rest] = pinned ? [...nice, "taskset", "-c", String(core), ...command] : command
  const child = spawn(first, rest, { stdio: ["pipe", "pipe", "inherit"] })
  children.add(child)
  const target = await firstLine(child, name)
  return {
    pid: child.pid ?? 0,
    target,
    stop: () =>
      new Promise((resolve) => {
        child.once("exit", () => resolve(void children.delete(child)))
        child.kill("SIGTERM")
      }),
  }
}

function firstLine(child: ChildProcess, name: string): Promise<Target> {
  return new Promise((resolve, reject) => {
    child.once("exit", (code) => reject(new Error(`${name} ended with ${code} before it listened`)))
    if (!child.stdout) return reject(new Error(`${name} has no output`))
    createInterface({ input: child.stdout }).once("line", (line) => resolve(JSON.parse(line)))
  })
}

/** Puts this process, which makes the load, on the other core. */
export function pinLoad(): void {
  if (pinned) spawnSync("taskset", ["-cp", String(LOAD_CORE), String(process.pid)])
  else console.log("taskset is not installed: servers and load share the cores, the ratios say less")
}

export const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  const [low = Number.NaN, high = Number.NaN] = [sorted[(sorted.length - 1) >> 1], sorted[middle]]
  return (low + high) / 2
}

const FSYNCS = 200

/** How long one page takes to the disk that the folder is on, median. */
export function fsyncMilliseconds(folder: string): number {
  const file = openSync(join(folder, "fsync"), "w")
  const times = Array.from({ length: FSYNCS }, () => {
    const start = performance.now()
    writeSync(file, Buffer.alloc(4096))
    fsyncSync(file)
    return performance.now() - start
  })
  closeSync(file)
  return median(times)
}

const CHECKS = 2000

/** How long one ES256 signature takes to be checked with node's own crypto, median. */
export function signatureMicroseconds(): number {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" })
  const input = Buffer.alloc(800, "a") // about a task token
  const signature = sign("sha256", input, privateKey)
  const times = Array.from({ length: CHECKS }, () => {
    const start = performance.now()
    verify("sha256", input, publicKey, signature)
    return (performance.now() - start) * 1000
  })
  return median(times)
}
