// A cluster of guarded APIs, as a test holds it: who serves where, and ends.
import { type ChildProcess, fork } from "node:child_process"
import { join } from "node:path"
import { ROOT } from "./source.ts"

export interface ClusterWorker {
  readonly pid: number
  /** Of all workers. */
  readonly address: string
  /** Of this one alone. */
  readonly own: string
}

type Told = Partial<ClusterWorker> & { readonly pid: number; readonly ended?: boolean }

export type Cluster = Awaited<ReturnType<typeof startCluster>>

/** Resolves when all of them serve. `args`: issuer, private key, spool, log, and the issuer's address. */
export async function startCluster(count: number, args: readonly string[]) {
  const child = fork(join(ROOT, "test/support/clustered-child.ts"), [String(count), ...args], {
    execArgv: [],
  })
  const workers = new Map<number, ClusterWorker>()
  const waiting = new Set<{ holds(): boolean; resolve(): void; reject(fault: Error): void }>()
  const until = (holds: () => boolean) =>
    new Promise<void>((resolve, reject) => {
      const one = { holds, resolve, reject }
      if (holds()) resolve()
      else waiting.add(one)
    })
  let forked = count
  child.on("message", (told: Told) => {
    const { pid, address = "", own = "", ended } = told
    if (ended && workers.delete(pid)) forked--
    else if (ended) fail(new Error(`worker ${pid} ended before it served`))
    else workers.set(pid, { pid, address, own })
    for (const one of waiting) {
      if (!one.holds()) continue
      waiting.delete(one)
      one.resolve()
    }
  })
  const fail = (fault: Error) => {
    for (const one of waiting) one.reject(fault)
    waiting.clear()
  }
  child.once("exit", () => fail(new Error("the cluster ended")))
  await until(() => workers.size === forked)
  const gone = exitOf(child)
  return {
    workers: () => [...workers.values()],
    /** Resolves when its process is gone. */
    async kill({ pid }: Pick<ClusterWorker, "pid">) {
      process.kill(pid, "SIGKILL")
      await until(() => !workers.has(pid))
    },
    /** Resolves when one more serves. */
    async fork() {
      forked++
      child.send("fork")
      await until(() => workers.size === forked)
    },
    /** All workers close, then all is gone. */
    async close() {
      child.send("close")
      await until(() => workers.size === 0)
      child.kill("SIGKILL")
      await gone
    },
    /** Whatever is left. */
    async end() {
      for (const pid of workers.keys()) process.kill(pid, "SIGKILL")
      child.kill("SIGKILL")
      await gone
    },
  }
}

const exitOf = (child: ChildProcess) => new Promise<void>((resolve) => child.once("exit", () => resolve()))
