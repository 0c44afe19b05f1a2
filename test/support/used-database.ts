// A database that an issuer has used, stopped, with a row in every table: what a copy is made of.
import { readFileSync } from "node:fs"
import { join } from "node:path"
import Sqlite from "better-sqlite3"
import { copyDatabase } from "../../src/database/backup.ts"
import { createIssuer } from "../../src/issuer/issuer.ts"
import { packBundle } from "../../src/ledger/bundle.ts"
import { ISSUER, openHouse, START } from "./issuer-house.ts"
import { fillLedger } from "./large-ledger.ts"
import { ROOT } from "./source.ts"

const SUPPORT = readFileSync(join(ROOT, "policies/support.yaml"), "utf8")
const keyEncryptionKey = new Uint8Array(32).fill(7)

/** Makes the file in this folder; answers its path. */
export async function makeUsed(folder: string, tasks: number): Promise<string> {
  const path = join(folder, "issuer.db")
  const files = { "support.yaml": SUPPORT.replace("    resource:", "    foreign: true\n    resource:") }
  const house = await openHouse({ files, database: path, keyEncryptionKey })
  const start = (instance: string) =>
    house.ask("POST", "/tasks", {
      as: "support-orchestrator",
      json: { ...START, agent: { id: "triage-bot", instance } },
    })
  await start("pod-1")
  const order = { kind: "instance", value: "triage-bot/pod-1", reason: "Zürich \u{1f512}" }
  await house.ask("POST", "/revocations", { as: "operations-team", json: order })
  const { status } = await start("pod-2")
  if (status !== 201) throw new Error(`no task to tell again: ${status}`)
  await house.issuer.close()
  fillEmptyTables(path)
  await fillLedger(path, tasks)
  await archiveFirst(path)
  await house.remove()
  return path
}

/** One row each, of any values that the schema takes. */
function fillEmptyTables(path: string): void {
  const database = new Sqlite(path)
  database.pragma("foreign_keys = OFF")
  const empty = database
    .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'")
    .pluck()
    .all()
    .map(String)
    .filter((name) => name !== "ledger_bundle")
    .filter((name) => database.prepare(`SELECT 1 FROM "${name}"`).get() === undefined)
  for (const name of referredFirst(database, empty)) {
    const columns = database
      .prepare<[string], { name: string; type: string }>(
        "SELECT name, lower(type) AS type FROM pragma_table_info(?)",
      )
      .all(name)
    const refers = new Map(
      database
        .prepare<[string], { from: string; table: string; to: string }>(
          'SELECT "from", "table", "to" FROM pragma_foreign_key_list(?)',
        )
        .all(name)
        .map((one) => [one.from, `(SELECT "${one.to}" FROM "${one.table}" LIMIT 1)`]),
    )
    const values = columns.map(
      (column) =>
        refers.get(column.name) ?? { integer: "1", blob: "x'00ff5c'" }[column.type] ?? `'${column.name}'`,
    )
    database.exec(`INSERT INTO "${name}" VALUES (${values.join(", ")})`)
  }
  // Cursors of what is gone are never given again.
  database.exec("UPDATE sqlite_sequence SET seq = 4711 WHERE name = 'feed'")
  const wrong = database.prepare("SELECT count(*) FROM pragma_foreign_key_check").pluck().get()
  if (wrong !== 0) throw new Error("a row refers to nothing")
  database.close()
}

/** The first 256 entries, as the issuer does it once they are under a checkpoint. */
async function archiveFirst(path: string): Promise<void> {
  const database = new Sqlite(path)
  const rows = database
    .prepare("SELECT bytes, leaf FROM entry_bytes WHERE seq <= 256 ORDER BY seq")
    .all() as {
    readonly bytes: Buffer
    readonly leaf: Buffer
  }[]
  const { packed, digest } = await packBundle(rows.map(({ bytes }) => bytes))
  const leaves = Buffer.concat(rows.map(({ leaf }) => leaf))
  database
    .prepare("INSERT INTO ledger_bundle (first, leaves, packed, digest) VALUES (1, ?, ?, ?)")
    .run(leaves, packed, digest)
  database.exec("UPDATE entry_bytes SET bytes = x'', leaf = x'' WHERE seq <= 256")
  database.exec("DELETE FROM entry_bytes WHERE seq <= 256 AND personal IS NULL AND key IS NULL")
  database.close()
}

function referredFirst(database: InstanceType<typeof Sqlite>, names: readonly string[]): string[] {
  const refers = database.prepare('SELECT "table" FROM pragma_foreign_key_list(?)').pluck()
  const ordered: string[] = []
  const visit = (name: string) => {
    if (ordered.includes(name) || !names.includes(name)) return
    for (const other of refers.all(name).map(String)) if (other !== name) visit(other)
    ordered.push(name)
  }
  names.forEach(visit)
  return ordered
}

/** The same file again, to be spoilt. */
export async function copyOf(source: string, folder: string): Promise<string> {
  const path = join(folder, "source.db")
  await copyDatabase({ from: source, to: path })
  change(path, "PRAGMA journal_mode = WAL")
  return path
}

/** Writes to a file by hand, as nobody should. */
export function change(path: string, text: string): void {
  const database = new Sqlite(path)
  database.exec(text)
  database.close()
}

/** An issuer on this database, with the shipped policies: a new ledger begins, then it refuses their example keys. */
export const startIssuer = (database: string) =>
  createIssuer({ issuer: ISSUER, keyEncryptionKey, database, policies: join(ROOT, "policies") })
