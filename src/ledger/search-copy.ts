// Looking for entries in an auditor's copy, without the issuer: the same filters but those of personal values, of which a copy
// has commitments alone. It decides what meets them by the hashed bytes; whether those were signed, verify.ts tells.
import { setImmediate } from "node:timers/promises"
import { Unavailable } from "../database/database.ts"
import { parseInstant } from "../time.ts"
import { canonicalJson } from "../token/canonical.ts"
import type { AuditCopy } from "./audit-copy.ts"
import { show } from "./entry.ts"
import { cursorOf, type EntryFilter, type EntryPage, MOST_ENTRIES, placeOf } from "./search.ts"
import { type Hashed, readHashed } from "./verify-entry.ts"

/** Filters that a copy can't tell of. */
export const HIDDEN_IN_COPY = ["sub", "resource", "reference"] as const

export type CopyFilter = Omit<EntryFilter, (typeof HIDDEN_IN_COPY)[number]>

/** What an entry has under the filter's own name. */
const OWN = ["jti", "agent", "instance", "orchestrator", "api", "operation", "kind", "outcome"] as const

const WINDOW = 2048
const DEFAULT_ENTRIES = 100

/**
 * As a query of the issuer answers, of what a checkpoint holds: places are the log's own, from 1, and personal values stand as
 * their commitments. Every entry is looked at. Throws TypeError on a cursor or a limit, Unavailable where the copy can't be read or is not whole.
 */
export async function findInCopy(
  copy: AuditCopy,
  filter: CopyFilter,
  progress?: (done: number, total: number) => void,
): Promise<EntryPage> {
  const { after, limit = DEFAULT_ENTRIES } = filter
  const start = after === undefined ? 0 : placeOf(after)
  if (start === undefined) throw new TypeError("after is not a cursor of this ledger")
  if (!Number.isInteger(limit) || limit < 1 || limit > MOST_ENTRIES)
    throw new TypeError("limit must be 1 to 1,000")
  const { size } = copy.state().signed
  const meets = createTest(filter)
  const found: EntryPage["entries"] = []
  for (let from = 0; from < size && found.length <= limit; from += WINDOW) {
    const to = Math.min(from + WINDOW, size)
    const all = copy.entries(from, to)
    if (all.length < to - from)
      throw new Unavailable(`the copy has no entry ${from + all.length + 1}: verify it`)
    for (const [at, bytes] of all.entries()) {
      const seq = from + at + 1
      if (!meets(bytes, seq) || seq <= start || found.length > limit) continue
      found.push(show({ seq, bytes, personal: null, sub: null, resource: null, reference: null }))
    }
    progress?.(to, size)
    await setImmediate() // others get their turn: who shows the progress, for one
  }
  const entries = found.slice(0, limit)
  const last = entries.at(-1)
  return { entries, next: found.length > limit && last ? cursorOf(last.seq) : null }
}

/** Must be asked of every entry, in order: an entry may name a token alone, whose task an earlier one told. */
function createTest(filter: CopyFilter): (bytes: Uint8Array, seq: number) => boolean {
  const { task, from, to } = filter
  const given = OWN.filter((name) => filter[name] !== undefined)
  // Of most entries these bytes tell that they don't meet it, without being read.
  const needles = given.map((name) => `${canonicalJson(name)}:${canonicalJson(filter[name] ?? "")}`)
  const tokens = new Set<unknown>()
  const isOfTask = ({ task_id, jti }: Hashed) => {
    if (task_id === task && jti !== undefined) tokens.add(jti)
    return task_id === task || (task_id === undefined && tokens.has(jti))
  }
  return (bytes, seq) => {
    const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    if (task === undefined && !needles.every((needle) => view.includes(needle))) return false
    const hashed = readHashed(bytes)
    if (!hashed) throw new Unavailable(`entry ${seq} of the copy is none: verify it`)
    if (task !== undefined && !isOfTask(hashed)) return false
    if (!given.every((name) => hashed[name] === filter[name])) return false
    const at = parseInstant(String(hashed.at)) ?? Number.NaN
    return (from === undefined || at >= from) && (to === undefined || at < to)
  }
}
