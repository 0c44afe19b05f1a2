// What somebody with a database at hand does to a ledger, as SQL; and any number of such edits, each looked for.
import type { LedgerFile } from "./ledger-file.ts"

/** A whole number below this one. */
type Pick = (below: number) => number

/** Both tables of an entry, whole. */
export const both = (sql: (table: string) => string) => ["entry_bytes", "entry"].map(sql)
export const swap = (a: number, b: number) => [
  ...both((table) => `UPDATE ${table} SET seq = 100000 WHERE seq = ${a}`),
  ...both((table) => `UPDATE ${table} SET seq = ${a} WHERE seq = ${b}`),
  ...both((table) => `UPDATE ${table} SET seq = ${b} WHERE seq = 100000`),
]
export const shift = (from: number, by: 1 | -1) =>
  both((table) => `UPDATE ${table} SET seq = -(seq + ${by}) WHERE seq >= ${from}`).concat(
    both((table) => `UPDATE ${table} SET seq = -seq WHERE seq < 0`),
  )
export const remove = (seq: number) => both((table) => `DELETE FROM ${table} WHERE seq = ${seq}`)
export const copyTo = (from: number, to: number) => [
  `INSERT INTO entry SELECT ${to}, at, kind, task, token, agent, instance, orchestrator, api, operation, outcome, code,
    subject, resource, reference FROM entry WHERE seq = ${from}`,
  `INSERT INTO entry_bytes SELECT ${to}, bytes, leaf, personal, key FROM entry_bytes WHERE seq = ${from}`,
]

/** Tables and columns that say what happened, or prove it. What `at` a checkpoint was made proves nothing. */
export const COLUMNS: readonly [string, string][] = [
  ...["at", "kind", "task", "token", "agent", "instance", "orchestrator", "api", "operation"].map(
    of("entry"),
  ),
  ...["outcome", "code", "subject", "resource", "reference", "seq"].map(of("entry")),
  ...["bytes", "leaf", "personal", "key", "seq"].map(of("entry_bytes")),
  ...["level", "place", "hash"].map(of("ledger_node")),
  ...["origin", "first", "size", "frontier"].map(of("ledger_tree")),
  ...["size", "note"].map(of("ledger_checkpoint")),
  ...["vkey"].map(of("ledger_key")),
  ...["task_id", "key", "reference"].map(of("task")),
  ...["jti"].map(of("token")),
  ...["text"].map(of("subject")),
]
function of(table: string) {
  return (column: string): [string, string] => [table, column]
}

/** One bit of the value, another number, another character. */
export function flipped(value: unknown, pick: Pick): unknown {
  if (typeof value === "number") return value + (pick(2) === 0 ? 1 : 1000 + pick(1000))
  if (typeof value === "string") {
    const at = pick(value.length)
    return value.slice(0, at) + (value[at] === "x" ? "y" : "x") + value.slice(at + 1)
  }
  const bytes = Buffer.from(value as Uint8Array)
  const at = pick(bytes.length)
  bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << pick(8)), at)
  return bytes
}

export interface Edits {
  /** Of hashed bytes, of other values of rows, and of whole rows. */
  readonly bytes: number
  readonly values: number
  readonly rows: number
  /** Not found, or named at a later place than the first that was changed. */
  readonly missed: readonly object[]
  readonly seed: number
}

/** So many edits, each undone before the next. A fault of the schema that forbids one (a place that is taken) counts as found. */
export async function runEdits(ledger: LedgerFile, runs: number, seed: number): Promise<Edits> {
  const pick = pickFrom(seed)
  const counts = { bytes: 0, values: 0, rows: 0 }
  const missed: object[] = []
  for (let run = 0; run < runs; run++) {
    const kind = (["bytes", "values", "values", "rows"] as const)[pick(4)] ?? "bytes"
    counts[kind]++
    const edit = { bytes: byteEdit, values: valueEdit, rows: rowEdit }[kind](ledger, pick)
    const found = await ledger.changed(edit.apply).catch((error: unknown) => {
      if (error instanceof Error && /constraint/i.test(error.message)) return undefined
      throw error
    })
    if (!found) continue
    const isNamed =
      found.verdict === "broken" &&
      (edit.first === undefined || found.seq === undefined || found.seq <= edit.first) &&
      (kind !== "bytes" || (found.how === "leaf_differs" && found.seq === edit.first))
    if (!isNamed) missed.push({ run, edit: edit.told, first: edit.first, found })
  }
  return { ...counts, missed, seed }
}

interface Edit {
  readonly told: string
  /** The first place that is another; undefined where the edit is of no entry. */
  readonly first: number | undefined
  readonly apply: readonly string[] | (() => void)
}

function byteEdit({ database, entries }: LedgerFile, pick: Pick): Edit {
  const seq = 1 + pick(entries)
  const bytes = database.prepare("SELECT bytes FROM entry_bytes WHERE seq = ?").pluck().get(seq)
  const to = flipped(bytes, pick)
  const update = database.prepare("UPDATE entry_bytes SET bytes = ? WHERE seq = ?")
  return { told: `bytes of ${seq}`, first: seq, apply: () => void update.run(to, seq) }
}

function valueEdit({ database }: LedgerFile, pick: Pick): Edit {
  const [table, column] = COLUMNS[pick(COLUMNS.length)] ?? ["entry", "at"]
  const rows = database
    .prepare(`SELECT rowid AS id, ${column} AS value FROM ${table} WHERE ${column} IS NOT NULL`)
    .all() as { id: number; value: unknown }[]
  const { id, value } = rows[pick(rows.length)] ?? { id: 0, value: 0 }
  const to = flipped(value, pick)
  const update = database.prepare(`UPDATE ${table} SET ${column} = ? WHERE rowid = ?`)
  const first = table === "entry" || table === "entry_bytes" ? id : undefined
  return { told: `${table}.${column} of ${id}`, first, apply: () => void update.run(to, id) }
}

function rowEdit({ entries }: LedgerFile, pick: Pick): Edit {
  const [a, b] = [1 + pick(entries - 1), 1 + pick(entries - 1)]
  const [low, high] = a < b ? [a, b] : [b, a === b ? b + 1 : a]
  const edits: readonly (readonly [string, readonly string[]])[] = [
    ["is deleted", remove(low)],
    ["is deleted and the rest moves up", [...remove(low), ...shift(low + 1, -1)]],
    [`changes places with ${high}`, swap(low, high)],
    [`is put in again before ${high}`, [...shift(high, 1), ...copyTo(low, high)]],
    [`takes the place of ${high}`, [...remove(high), ...copyTo(low, high)]],
    ["and all after it are deleted", both((table) => `DELETE FROM ${table} WHERE seq >= ${low}`)],
  ]
  const [told, apply] = edits[pick(edits.length)] ?? ["is deleted", remove(low)]
  const first = /^(is put|takes)/.test(told) ? high : low
  return { told: `${low} ${told}`, first, apply }
}

/** Always the same for a seed (mulberry32). */
function pickFrom(seed: number): Pick {
  let state = seed >>> 0
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below)
  }
}
