// Compares shapes of the ledger's rows: how many entries a second one writer appends in groups of 100, and how many
// bytes a row takes. `node bench/rows.ts [rows]`. The shape in src/database/tables.ts was chosen by these figures.
import { hash, randomUUID } from "node:crypto"
import { mkdtempSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import Database from "better-sqlite3"

const ROWS = Number(process.argv[2] ?? 50_000)
const GROUP = 100

interface Shape {
  readonly name: string
  readonly schema: string
  readonly inserts: readonly string[]
  readonly values: (row: number) => readonly (readonly (string | number | Buffer | null)[])[]
  readonly scan: string
}

const agents = Array.from({ length: 20 }, (_, index) => `agent-${index}`)
const tasks = Array.from({ length: ROWS / 10 }, () => `task_${randomUUID()}`)
const pick = <T>(list: readonly T[], row: number): T => list[row % list.length] as T

const bytesOf = (row: number) =>
  Buffer.from(
    JSON.stringify({
      agent: pick(agents, row),
      api: "https://tickets.internal.example",
      at: new Date(1_700_000_000_000 + row).toISOString(),
      body: { decision: "allowed", method: "GET", route: "/tickets/:id", status: 200, duration_ms: 12 },
      instance: "pod-7f3c",
      jti: `tok_${randomUUID()}`,
      kind: "use.allowed",
      operation: "tickets:read",
      orchestrator: "support-orchestrator",
      outcome: "allowed",
      resource: { hmac: "kJ2pM1eXQ0b4Lk7a3Vx9cTt8yR5uW2nZ6oSdFgHjKlQ" },
      sub: { hmac: "aJ2pM1eXQ0b4Lk7a3Vx9cTt8yR5uW2nZ6oSdFgHjKlQ" },
      task_id: pick(tasks, row),
    }),
  )
const leafOf = (bytes: Buffer) => hash("sha256", bytes, "buffer")
const integers = (row: number) => [
  1_700_000_000_000 + row,
  3,
  row % tasks.length,
  row % 5000,
  row % 20,
  7,
  8,
  9,
  10,
  1,
  null,
  1,
]
const NARROW =
  "at integer not null, kind integer not null, task integer, token integer, agent integer, instance integer, " +
  "orchestrator integer, api integer, operation integer, outcome integer, code integer, subject integer, resource text"
const marks = (count: number) => Array.from({ length: count }, () => "?").join(",")

const shapes: readonly Shape[] = [
  {
    name: "two tables, integers (chosen)",
    schema: `CREATE TABLE e (seq integer primary key, ${NARROW});
      CREATE INDEX e_task ON e (task); CREATE INDEX e_agent ON e (agent);
      CREATE TABLE b (seq integer primary key, bytes blob not null, leaf blob not null, personal text, key blob);`,
    inserts: [
      `INSERT INTO e (at, kind, task, token, agent, instance, orchestrator, api, operation, outcome, code, subject, resource) VALUES (${marks(13)})`,
      "INSERT INTO b (seq, bytes, leaf) VALUES (last_insert_rowid(), ?, ?)",
    ],
    values: (row) => {
      const bytes = bytesOf(row)
      return [
        [...integers(row), `tickets/SUP-${row}`],
        [bytes, leafOf(bytes)],
      ]
    },
    scan: "SELECT count(*) FROM e WHERE operation = 11",
  },
  {
    name: "one table, integers",
    schema: `CREATE TABLE e (seq integer primary key, ${NARROW}, personal text, key blob, bytes blob not null, leaf blob not null);
      CREATE INDEX e_task ON e (task); CREATE INDEX e_agent ON e (agent);`,
    inserts: [
      `INSERT INTO e (at, kind, task, token, agent, instance, orchestrator, api, operation, outcome, code, subject, resource, bytes, leaf) VALUES (${marks(15)})`,
    ],
    values: (row) => {
      const bytes = bytesOf(row)
      return [[...integers(row), `tickets/SUP-${row}`, bytes, leafOf(bytes)]]
    },
    scan: "SELECT count(*) FROM e WHERE operation = 11",
  },
  {
    name: "one table, text keys",
    schema: `CREATE TABLE e (id text primary key, at integer not null, kind text, task text, token text, agent text, instance text,
      orchestrator text, api text, operation text, outcome text, subject text, resource text, bytes blob not null, leaf blob not null);
      CREATE INDEX e_task ON e (task); CREATE INDEX e_agent ON e (agent);`,
    inserts: [`INSERT INTO e VALUES (${marks(15)})`],
    values: (row) => {
      const bytes = bytesOf(row)
      const names = [
        "support-orchestrator",
        "https://tickets.internal.example",
        "tickets:read",
        "allowed",
        "people/ana",
      ]
      return [
        [
          `use_${randomUUID()}`,
          1_700_000_000_000 + row,
          "use.allowed",
          pick(tasks, row),
          `tok_${randomUUID()}`,
          pick(agents, row),
          "pod-7f3c",
          ...names,
          `tickets/SUP-${row}`,
          bytes,
          leafOf(bytes),
        ],
      ]
    },
    scan: "SELECT count(*) FROM e WHERE operation = 'x'",
  },
]

function measure(shape: Shape) {
  const folder = mkdtempSync(join(tmpdir(), "rows-"))
  try {
    const database = new Database(join(folder, "rows.db"))
    database.pragma("journal_mode = WAL")
    database.pragma("synchronous = FULL")
    database.exec(shape.schema)
    const inserts = shape.inserts.map((text) => database.prepare(text))
    const rows = Array.from({ length: ROWS }, (_, row) => shape.values(row))
    const started = performance.now()
    for (let from = 0; from < ROWS; from += GROUP) {
      database.exec("BEGIN IMMEDIATE")
      for (const row of rows.slice(from, from + GROUP))
        for (const [at, values] of row.entries()) inserts[at]?.run(values)
      database.exec("COMMIT")
    }
    const seconds = (performance.now() - started) / 1000
    database.pragma("wal_checkpoint(TRUNCATE)")
    const scanStarted = performance.now()
    database.prepare(shape.scan).get()
    const scanned = performance.now() - scanStarted
    database.close()
    return {
      shape: shape.name,
      "rows/s": Math.round(ROWS / seconds),
      "bytes/row": Math.round(statSync(join(folder, "rows.db")).size / ROWS),
      "scan, ns/row": Math.round((scanned * 1e6) / ROWS),
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

console.table(shapes.map(measure))
