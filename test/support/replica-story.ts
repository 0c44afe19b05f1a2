// Several issuers on one PostgreSQL database behind a plain load balancer, each a process of its own, killed by SIGKILL one
// after the other while tasks are started. What callers received and what the ledger holds is compared by whoever runs it.
import { type ChildProcess, fork } from "node:child_process"
import { randomBytes } from "node:crypto"
import { readFileSync, writeFileSync } from "node:fs"
import { connect, createServer, type Socket } from "node:net"
import { join } from "node:path"
import { setTimeout as pause } from "node:timers/promises"
import { decodeJwt } from "jose"
import { createOrchestrator } from "../../src/client/client.ts"
import { statement } from "../../src/database/database.ts"
import { sql } from "../../src/database/drizzle.ts"
import { openPostgres } from "../../src/database/postgres.ts"
import type { PrivateJwk } from "../../src/token/signature.ts"
import { replaceKeys } from "./policy-keys.ts"
import { ROOT } from "./source.ts"
import { writePolicies } from "./world.ts"

const ISSUER = "https://taskmint.internal"
const REPLICAS = 3
const AT_ONCE = 16

export interface ReplicaStory {
  /** What callers received: by reference the task, by `jti` the task. */
  readonly tasks: ReadonlyMap<string, string>
  readonly tokens: ReadonlyMap<string, string>
  /** What the ledger tells: every started task's reference, and the task of every issued token. */
  readonly started: readonly { readonly reference: string; readonly task: string }[]
  readonly issued: ReadonlyMap<string, string>
  readonly entries: { readonly count: number; readonly last: number; readonly bytes: number }
  /** The longest that any start took, from a kill or not, in milliseconds. */
  readonly slowest: number
}

/** `told` hears of every kill. What is started is ended, also when it throws. */
export async function runReplicaStory(
  place: { readonly folder: string; readonly address: string },
  starts: number,
  kills: number,
  told: (kill: number) => void = () => undefined,
): Promise<ReplicaStory> {
  const { folder, address } = place
  writePolicies(join(folder, "policies"))
  allowManyStarts(join(folder, "policies", "support.yaml"))
  const jwk = replaceKeys(join(folder, "policies")).get("support-orchestrator")
  writeFileSync(join(folder, "kek"), randomBytes(32), { mode: 0o600 })
  const replicas: Replica[] = []
  const balancer = await balance(() => replicas)
  try {
    replicas.push(
      ...(await Promise.all(Array.from({ length: REPLICAS }, () => startReplica(folder, address)))),
    )
    const seen = { done: 0, slowest: 0, tasks: new Map<string, string>(), tokens: new Map<string, string>() }
    const killing = killInTurn(replicas, () => startReplica(folder, address), {
      kills,
      due: (kill) => seen.done >= (starts * (kill + 1)) / (kills + 1),
      told,
    })
    await Promise.all(
      Array.from({ length: AT_ONCE }, (_, worker) =>
        work(balancer.port, jwk, worker, starts / AT_ONCE, seen),
      ),
    )
    await killing
    return { ...seen, ...(await readLedger(address)) }
  } finally {
    balancer.close()
    for (const replica of replicas) replica.child.kill("SIGKILL")
  }
}

function allowManyStarts(path: string): void {
  const text = readFileSync(path, "utf8")
  writeFileSync(path, text.replace(/(active_tasks|starts_per_hour): \d+/g, "$1: 1000000"))
}

interface Replica {
  readonly child: ChildProcess
  readonly port: number
}

async function startReplica(folder: string, address: string): Promise<Replica> {
  const child = fork(join(ROOT, "test/support/issuer-child.ts"), [folder, ISSUER, "0", address], {
    execArgv: [],
  })
  const origin = await new Promise<string>((resolve, reject) => {
    child.once("message", (text) => resolve(String(text)))
    child.once("exit", (code) => reject(new Error(`the issuer ended with ${code} before it listened`)))
  })
  child.removeAllListeners("exit")
  return { child, port: Number(new URL(origin).port) }
}

/** Connections in turn, to whoever takes them: what any balancer of connections does. */
async function balance(replicas: () => readonly Replica[]) {
  let turn = 0
  const open = new Set<Socket>()
  const server = createServer({ pauseOnConnect: true }, (inward) => {
    open.add(inward.on("error", () => undefined).on("close", () => open.delete(inward)))
    const attempt = (left: number) => {
      const all = replicas()
      const port = all[turn++ % all.length]?.port
      if (port === undefined || left === 0) {
        inward.destroy()
        return
      }
      const outward = connect(port, "127.0.0.1", () => {
        outward.removeAllListeners("error")
        outward.on("error", () => inward.destroy()).on("close", () => inward.destroy())
        inward.on("close", () => outward.destroy())
        inward.pipe(outward).pipe(inward)
        inward.resume()
      })
      outward.on("error", () => attempt(left - 1))
    }
    attempt(REPLICAS * 2)
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const listening = server.address()
  if (typeof listening !== "object" || !listening) throw new Error("the balancer does not listen")
  return {
    port: listening.port,
    close() {
      server.close()
      for (const socket of open) socket.destroy()
    },
  }
}

async function killInTurn(
  replicas: Replica[],
  start: () => Promise<Replica>,
  plan: { kills: number; due: (kill: number) => boolean; told: (kill: number) => void },
): Promise<void> {
  for (let kill = 0; kill < plan.kills; kill++) {
    while (!plan.due(kill)) await pause(5)
    const victim = replicas.shift()
    const ended = new Promise((resolve) => victim?.child.once("exit", resolve))
    victim?.child.kill("SIGKILL")
    await ended
    plan.told(kill)
    replicas.push(await start())
  }
}

interface Told {
  done: number
  slowest: number
  readonly tasks: Map<string, string>
  readonly tokens: Map<string, string>
}

/** Starts its share of tasks one after the other; what fails is asked again with the same reference. */
async function work(
  port: number,
  jwk: PrivateJwk | undefined,
  worker: number,
  share: number,
  told: Told,
): Promise<void> {
  const credential = { clientId: "support-orchestrator", privateJwk: { ...jwk } }
  const orchestrator = createOrchestrator({
    issuer: ISSUER,
    issuerAddress: `http://127.0.0.1:${port}`,
    credential,
  })
  for (let count = 0; count < share; count++) {
    const reference = `${worker}-${count}`
    const began = performance.now()
    for (;;) {
      try {
        const task = await orchestrator.start({
          type: "triage-ticket",
          agent: { id: "triage-bot", instance: `pod-${worker}` },
          purpose: "Survive",
          inputs: { ticket: "SUP-1" },
          reference,
        })
        for (const token of task.handover().tokens)
          told.tokens.set(String(decodeJwt(token.accessToken).jti), task.id)
        told.tasks.set(reference, task.id)
        break
      } catch (error) {
        if (performance.now() - began > 20_000) throw error
        await pause(20)
      }
    }
    told.slowest = Math.max(told.slowest, performance.now() - began)
    told.done++
  }
}

const startedTasks = statement<{ reference: string; task: string }>(
  "started",
  sql`SELECT t.reference AS reference, t.task_id AS task FROM entry e JOIN name k ON k.id = e.kind
    JOIN task t ON t.id = e.task WHERE k.text = 'task.started'`,
)
const issuedTokens = statement<{ jti: string; task: string }>(
  "issued",
  sql`SELECT o.jti AS jti, t.task_id AS task FROM entry e JOIN name k ON k.id = e.kind
    JOIN token o ON o.id = e.token JOIN task t ON t.id = e.task WHERE k.text = 'token.issued'`,
)
const entryCount = statement<{ count: number; last: number; bytes: number }>(
  "count",
  sql`SELECT count(*) AS count, max(seq) AS last, (SELECT count(*) FROM entry_bytes) AS bytes FROM entry`,
)

async function readLedger(address: string): Promise<Pick<ReplicaStory, "started" | "issued" | "entries">> {
  const engine = await openPostgres({ address })
  try {
    const issued = await engine.query(issuedTokens)
    const [entries = { count: 0, last: 0, bytes: 0 }] = await engine.query(entryCount)
    return {
      started: await engine.query(startedTasks),
      issued: new Map(issued.map(({ jti, task }) => [jti, task])),
      entries,
    }
  } finally {
    await engine.close()
  }
}
