// The entries of a window as the roll-ups count them: read without their names, which are the same few again and again and
// are put beside them here. What they count as is decided by who counts.
import type { Engine } from "../database/database.ts"
import { createNameReader } from "../database/names.ts"
import { withBytes } from "../ledger/resting.ts"
import { type CountedRow, entriesToCount, type RowToCount, TELLING } from "./rollup-statements.ts"

/** Places in the ledger: behind one, up to another. */
export type Between = { readonly after: number; readonly upTo: number }

/** Kinds whose code counts: what stopped a task, and which alarm it is. */
const CODED: ReadonlySet<string> = new Set(["task.paused", "task.revoked", "alarm.raised", "alarm.cleared"])

/** Answers the entries of a window, in order, with what was hashed of those that count by it. Throws Unavailable. */
export function createCountedRows(engine: Engine): (between: Between) => Promise<CountedRow[]> {
  const readNames = createNameReader(engine)
  return async (between) => {
    const rows = await engine.query(entriesToCount, { ...between })
    const text = await readNames(namesIn(rows))
    return whole(
      engine,
      rows.map((row) => named(row, text)),
    )
  }
}

function* namesIn(rows: readonly RowToCount[]): Generator<number | null> {
  for (const { kind_id, type_id, agent_id, api_id, operation_id, code_id } of rows) {
    yield kind_id
    yield type_id
    yield agent_id
    yield api_id
    yield operation_id
    yield code_id
  }
}

function named(row: RowToCount, text: (id: number | null) => string | null): CountedRow {
  const kind = text(row.kind_id) ?? ""
  return {
    seq: row.seq,
    at: row.at,
    kind,
    task: row.task,
    token: row.token,
    type: text(row.type_id),
    agent: text(row.agent_id),
    api: text(row.api_id),
    operation: text(row.operation_id),
    type_id: row.type_id,
    agent_id: row.agent_id,
    operation_id: row.operation_id,
    code: CODED.has(kind) ? text(row.code_id) : null,
    resource: row.resource,
    bytes: row.bytes,
    claims: row.claims,
    exp: row.exp,
  }
}

const isElsewhere = ({ kind, bytes }: CountedRow): boolean =>
  TELLING.has(kind) && (bytes === null || bytes.length === 0)

/** With the bytes of those that are archived: seldom any, for what is archived was counted long ago. */
async function whole(engine: Engine, rows: readonly CountedRow[]): Promise<CountedRow[]> {
  const elsewhere = rows.filter(isElsewhere).map(({ seq }) => ({ seq, bytes: null }))
  const archived = await withBytes(engine, elsewhere)
  if (archived.length === 0) return [...rows]
  const bytes = new Map(archived.map((row) => [row.seq, row.bytes]))
  return rows.map((row) => ({ ...row, bytes: bytes.get(row.seq) ?? row.bytes }))
}
