// Who approved: each question that was put to people, the person who decided it, and what came of it. It tells what the
// ledger has; whether that person might decide was judged when they did.
import type { Engine } from "../database/database.ts"
import type { Entry } from "../ledger/entry.ts"
import type { EntryFilter } from "../ledger/search.ts"
import { toInstant } from "../time.ts"
import { type AnswerTo, entriesOf, Lines, type Row, shown } from "./question.ts"

interface Asked {
  row: Row
  /** Token ids that were minted for it. */
  readonly tokens: Set<string>
}

/** Of a task, or of whatever meets the filter. */
export async function whoApproved(engine: Engine, filter: EntryFilter): Promise<AnswerTo> {
  const lines = new Lines<Asked>()
  const uses = new Map<string, string>()
  for await (const entry of entriesOf(engine, filter)) {
    const id = entry.body?.approval
    if (entry.kind === "use.allowed" && entry.jti !== undefined && !uses.has(entry.jti))
      uses.set(entry.jti, entry.at)
    if (typeof id !== "string") continue
    const line = lines.at([id], () => ({ row: { approval: id }, tokens: new Set() }))
    if (!line) continue
    if (entry.jti !== undefined) line.tokens.add(entry.jti)
    line.row = { ...line.row, ...toldBy(entry) }
  }
  const rows = lines.all().map(({ row, tokens }) => {
    const used = [...tokens].flatMap((jti) => uses.get(jti) ?? [])
    return { ...row, token: [...tokens][0], used_at: used[0] }
  })
  return { rows, more: lines.more }
}

function toldBy({ kind, at, task_id, operation, resource, body = {} }: Entry): Row {
  const what = { task_id, operation, resource: shown(resource) }
  const { by, as, reason, requested_by, until } = body
  if (kind === "approval.requested")
    return { ...what, requested_by: textOf(requested_by), requested_at: at, asked_for: textOf(reason) }
  if (kind === "approval.granted" || kind === "approval.denied")
    return {
      ...what,
      decision: kind.slice("approval.".length),
      by: textOf(by),
      as: textOf(as),
      decided_at: at,
      reason: textOf(reason),
      until: typeof until === "number" ? toInstant(until) : undefined,
    }
  return kind === "approval.expired" ? { ...what, decision: "expired", decided_at: at } : {}
}

const textOf = (value: unknown): string | undefined =>
  value === undefined ? undefined : typeof value === "string" ? value : JSON.stringify(value)
