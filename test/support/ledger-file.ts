// A ledger of some hundred entries of every usual kind, signed now and then, in a file that a test may change: by SQL, as
// somebody would who owns the disk. Every change is undone after it was looked at.
import { randomBytes, randomInt } from "node:crypto"
import { join } from "node:path"
import Sqlite from "better-sqlite3"
import { createCompiler } from "../../src/database/compiled.ts"
import type { Statement } from "../../src/database/database.ts"
import { SQLITE_SPELLING } from "../../src/database/drizzle.ts"
import { Refusal } from "../../src/errors.ts"
import { type Broken, type Examined, type Verified, verifyLedger } from "../../src/ledger/verify.ts"
import { databaseSource } from "../../src/ledger/verify-database.ts"
import { batchDigest } from "../../src/token/batch.ts"
import { newId, newUuid } from "../../src/token/id.ts"
import { generatePrivateJwk, importSigningKey, publicHalf } from "../../src/token/signature.ts"
import { openTaskToken } from "../../src/token/verify.ts"
import { archiveAll, closeAll } from "./archive.ts"
import { signBatch, useBatch, useRecord } from "./batch.ts"
import { createWorld, SUPPORT_START, type World } from "./world.ts"

export interface LedgerFile {
  readonly path: string
  readonly vkey: string
  /** Every checkpoint, the oldest first. */
  readonly notes: readonly string[]
  readonly entries: number
  readonly database: InstanceType<typeof Sqlite>
  /** Every entry, as verifying sees it. */
  read(): Promise<readonly Examined[]>
  verify(options?: { readonly key?: string; readonly earlier?: string }): Promise<Verified | Broken>
  /** Verifies what these statements make of it, and undoes them. */
  changed(
    sql: string | readonly string[] | (() => void),
    options?: { readonly key?: string; readonly earlier?: string },
  ): Promise<Verified | Broken>
  /** Goes on from the file as it is: a world of its own on it. */
  remove(): Promise<void>
}

export async function makeLedgerFile(padding = 230, isArchived = false): Promise<LedgerFile> {
  const world = await createWorld({ alone: true })
  await fill(world, padding)
  if (isArchived) {
    await closeAll(world)
    await archiveAll(world)
  }
  const [key] = await world.ledgerKeys.verifiers()
  await world.close()
  const path = join(world.folder, "issuer.db")
  const database = new Sqlite(path)
  database.pragma("foreign_keys = OFF")
  const engine = readerOf(database)
  const verify: LedgerFile["verify"] = async (options = {}) =>
    verifyLedger({ source: await databaseSource(engine), ...options })
  const notes = database.prepare("SELECT note FROM ledger_checkpoint ORDER BY size").pluck().all() as string[]
  return {
    path,
    vkey: key?.vkey ?? "",
    notes,
    entries: database.prepare("SELECT max(seq) FROM entry").pluck().get() as number,
    database,
    async read() {
      const source = await databaseSource(engine)
      return source.read(0, source.entries)
    },
    verify,
    async changed(change, options) {
      database.exec("BEGIN")
      try {
        if (typeof change === "function") change()
        else for (const sql of typeof change === "string" ? [change] : change) database.exec(sql)
        return await verify(options)
      } finally {
        database.exec("ROLLBACK")
      }
    },
    async remove() {
      database.close()
      await world.remove()
    },
  }
}

const USES_OF_A_TASK = 100
/** Between starts: the policy bounds how many there are in an hour. */
const SPACE_MILLISECONDS = 20_000

/** What guards tell of a request beside who, what and when. */
const asServed = () => ({
  method: "GET",
  route: "/tickets/:id",
  status: 200,
  duration_ms: randomInt(3, 90),
  trace_id: randomBytes(16).toString("hex"),
})

/** Uses in a world, as verifiers report them, a hundred for each task, with all that a guard tells; signed. */
export async function makeUseWorld(uses: number): Promise<World> {
  const world = await createWorld({ alone: true })
  const api = createReporter(world, asServed)
  for (let told = 0; told < uses; told += USES_OF_A_TASK) {
    const { taskId, jti } = await startTask(world)
    await api.report(taskId, jti, USES_OF_A_TASK)
    await world.tasks.change("support-orchestrator", taskId, "complete")
    world.clock.advance(20_000) // a type starts so many an hour
  }
  await world.sequence.advance()
  return world
}

/** So many uses and a little more, as verifiers report them, under one checkpoint. */
export async function makeUseLedger(uses: number) {
  const world = await createWorld({ alone: true })
  const api = createReporter(world)
  for (let told = 0; told < uses; told += USES_OF_A_TASK) {
    const { taskId, jti } = await startTask(world)
    await api.report(taskId, jti, USES_OF_A_TASK)
    await world.tasks.change("support-orchestrator", taskId, "complete")
    world.clock.advance(SPACE_MILLISECONDS)
  }
  await world.sequence.advance()
  const [key] = await world.ledgerKeys.verifiers()
  await world.close()
  const path = join(world.folder, "issuer.db")
  const database = new Sqlite(path, { readonly: true })
  const bytes = database.prepare("SELECT bytes FROM entry_bytes ORDER BY seq").pluck().all() as Buffer[]
  database.close()
  return { path, vkey: key?.vkey ?? "", entries: bytes.length, bytes, remove: () => world.remove() }
}

async function startTask(world: World, reference?: string): Promise<{ taskId: string; jti: string }> {
  const request = { ...SUPPORT_START, ...(reference !== undefined && { reference }) }
  const started = await world.tasks.start("support-orchestrator", request)
  if (started instanceof Refusal) throw new Error(started.reason)
  const opened = openTaskToken(started.tokens[0]?.accessToken ?? "", (kid) => world.keyring.keyOf(kid))
  return { taskId: started.taskId, jti: "token" in opened ? opened.token.jti : "" }
}

function readerOf(database: InstanceType<typeof Sqlite>) {
  const compiler = createCompiler(SQLITE_SPELLING)
  return {
    query: async <Row>(statement: Statement<Row>, values = {}) =>
      database.prepare(compiler.compile(statement).sql).all(compiler.fill(statement, values)) as Row[],
  }
}

const refusedAt = (at: number) =>
  ({
    kind: "task.refused",
    at,
    sub: "ana",
    reference: "run-x",
    outcome: "refused",
    code: "access_denied",
    body: { reason: "drill" },
  }) as const

async function fill(world: World, padding: number): Promise<void> {
  const api = createReporter(world)
  for (let n = 0; n < 8; n++) {
    const { taskId, jti } = await startTask(world, `run-${n}`)
    await api.report(taskId, jti, n % 3)
    await api.report(newId("task", 1), newId("tok", 1), 1)
    world.clock.advance(1000)
    if (n % 2 === 0) await world.tasks.change("support-orchestrator", taskId, "cancel", "a reason")
    if (n % 3 === 0) await world.sequence.advance()
  }
  const at = world.ledger.at()
  // No two are the same: of such, nobody can tell which is gone.
  const reads = (from: number, to: number) =>
    Array.from(
      { length: to - from },
      (_each, n) => ({ kind: "access.read", at, body: { n: from + n } }) as const,
    )
  await world.ledger.append([refusedAt(at), ...reads(0, padding)])
  await world.sequence.advance()
  await world.ledger.append(reads(padding, padding + Math.min(padding, 5)))
  await world.sequence.advance()
}

/** A verifier instance of the API, batch after batch. */
function createReporter(world: World, more: () => object = () => ({})) {
  const key = importSigningKey(generatePrivateJwk("ES256"))
  const instance = newUuid()
  let sequence = 0
  let previous: string | null = null
  return {
    async report(task: string, jti: string, uses: number): Promise<void> {
      sequence += 1
      const now = world.clock.now()
      const one = () => useRecord(now, { task, jti, ...more() })
      const recorded = Array.from({ length: uses }, one)
      const text = signBatch(useBatch(now, { instance, sequence, previous, uses: recorded }), key)
      const taken = await world.uses.take({ api: "tickets", key: publicHalf(key) }, text)
      if (taken instanceof Refusal) throw new Error(taken.reason)
      previous = batchDigest(text)
    },
  }
}
