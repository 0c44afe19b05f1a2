// Do the entries about verifier instances hang together? Each batch tells how many uses it brought, and they stand before
// it; numbers rise, and each batch follows the one before, unless a gap is told of: that is what a ledger that is whole says
// of reports that are not. Where what was signed is kept, it is what the entries say, signed by the key with which the
// instance joined. It decides what is broken; numbers that nobody tells of may be heartbeats, which are no entries.
import type { SignedBatch } from "../token/batch-text.ts"
import { digestOf } from "../token/jwt.ts"
import { joinSegments } from "../token/resource.ts"
import { type VerificationKey, verifySignature } from "../token/signature.ts"
import type { Json } from "./event.ts"
import type { Hashed } from "./verify-entry.ts"

/** What a database keeps of a batch. */
export interface KeptBatch {
  /** Undefined: not there, or not to be read. */
  readonly text: SignedBatch | undefined
  /** The instance's, as its row has it. */
  readonly key: VerificationKey | undefined
}

interface Beside {
  readonly resource?: string | undefined
  /** Members whose values are gone. */
  readonly erased?: readonly string[] | undefined
  readonly batch?: KeptBatch
}

interface ToldUse extends Beside {
  readonly hashed: Hashed
}

interface Told {
  readonly sequence: number
  readonly digest: Json | undefined
  readonly signed: boolean
}

interface Seen {
  /** Uses by the number of their batch, until it is told of. */
  readonly uses: Map<number, ToldUse[]>
  last: Told | undefined
  /** The gap that was told of last. */
  gap: { readonly from: number; readonly to: number; readonly why: Json | undefined } | undefined
  /** Numbers that were missing and have come. */
  readonly late: Set<number>
  /** The key with which it joined. */
  jkt: Json | undefined
}

export type ReportMisfit =
  | "uses_missing"
  | "batch_repeated"
  | "batch_chain_differs"
  | "gap_untold"
  | "join_untold"
  | "batch_unsigned"
  | "batch_missing"
  | "batch_differs"
  | "batch_key_differs"
  | "batch_signature_wrong"
  | "use_differs"

export interface Reports {
  /** What does not fit in this entry; undefined: nothing. Entries must come in order. */
  misfit(hashed: Hashed, beside: Beside): ReportMisfit | undefined
}

/** `fromTheFirst`: of a log that was begun anew, instances joined before the entries that are seen. */
export function createReports(fromTheFirst: boolean): Reports {
  const instances = new Map<string, Seen>()
  const seenOf = (verifier: string): Seen => {
    const known = instances.get(verifier)
    if (known) return known
    const seen: Seen = { uses: new Map(), last: undefined, gap: undefined, late: new Set(), jkt: undefined }
    instances.set(verifier, seen)
    return seen
  }
  return {
    misfit(hashed, { resource, erased, batch }) {
      const { kind, body } = hashed
      const told = (body ?? {}) as Hashed
      const { verifier, sequence } = told
      if (typeof verifier !== "string" || typeof sequence !== "number" || typeof kind !== "string")
        return undefined
      const seen = seenOf(verifier)
      if (kind.startsWith("use.")) noteUse(seen, sequence, { hashed, resource, erased })
      if (kind === "verifier.joined") seen.jkt = told.jkt
      if (kind === "verifier.gap") noteGap(seen, sequence, told)
      if (kind !== "verifier.reported") return undefined
      const brought = seen.uses.get(sequence) ?? []
      seen.uses.delete(sequence)
      const before = seen.last
      const misfit = misfitOfReport(seen, sequence, told, brought.length)
      if (misfit !== undefined) return misfit
      if (told.signature === undefined) return before?.signed ? "batch_unsigned" : undefined
      if (batch && seen.jkt === undefined && fromTheFirst) return "join_untold"
      return batch && misfitOf(told, batch, brought, seen.jkt ?? batch.key?.thumbprint)
    },
  }
}

function noteUse({ uses }: Seen, sequence: number, use: ToldUse): void {
  const known = uses.get(sequence)
  if (known) known.push(use)
  else uses.set(sequence, [use])
}

function noteGap(seen: Seen, sequence: number, { closed, from, to, why }: Hashed): void {
  if (closed === true) seen.late.add(sequence)
  else if (typeof from === "number" && typeof to === "number") seen.gap = { from, to, why }
}

function misfitOfReport(seen: Seen, sequence: number, told: Hashed, found: number): ReportMisfit | undefined {
  const { last, gap } = seen
  if (found !== told.uses) return "uses_missing"
  if (last && sequence <= last.sequence) return seen.late.delete(sequence) ? undefined : "batch_repeated"
  seen.last = { sequence, digest: told.digest, signed: told.signature !== undefined }
  if (typeof told.after === "number" && (gap?.from !== told.after + 1 || gap.to !== sequence - 1))
    return "gap_untold"
  if (last?.sequence !== sequence - 1 || told.previous === last.digest) return undefined
  return gap?.why === "chain_differs" && gap.to === last.sequence ? undefined : "batch_chain_differs"
}

function misfitOf(
  told: Hashed,
  { text, key }: KeptBatch,
  brought: readonly ToldUse[],
  jkt: Json | undefined,
): ReportMisfit | undefined {
  // It names what was erased, and goes with it; the signature of its digest stays in the entry.
  if (text === undefined) return brought.some(isErased) ? undefined : "batch_missing"
  const signed = Buffer.from(text.signed)
  if (digestOf(signed) !== told.digest) return "batch_differs"
  if (!key || key.thumbprint !== jkt) return "batch_key_differs"
  const signature = Buffer.from(String(told.signature), "base64url")
  if (!verifySignature(key, signed, signature)) return "batch_signature_wrong"
  const payload = JSON.parse(text.payload) as Hashed
  const { instance, sequence, previous, uses } = payload
  if (instance !== told.verifier || sequence !== told.sequence || previous !== told.previous)
    return "batch_differs"
  if (!Array.isArray(uses) || uses.length !== brought.length) return "use_differs"
  const all = uses as readonly Hashed[]
  return brought.every((use, at) => tellsOf(use, all[at] ?? {})) ? undefined : "use_differs"
}

const isErased = ({ erased = [] }: ToldUse): boolean => erased.length > 0

/** Members of a use that its entry has under the same name, in the entry and in its body. */
const IN_ENTRY = ["jti", "operation", "code"] as const
const IN_BODY = ["method", "route", "status", "duration_ms", "trace_id", "count"] as const

/** Whether the entry says of the use what its verifier said. */
function tellsOf({ hashed, resource }: ToldUse, use: Hashed): boolean {
  const body = (hashed.body ?? {}) as Hashed
  const segments = use.resource as readonly string[] | undefined
  return (
    hashed.kind === `use.${use.decision}` &&
    `${hashed.agent}/${hashed.instance}` === use.actor &&
    hashed.orchestrator === use.client &&
    (hashed.task_id === undefined || hashed.task_id === use.task) &&
    (resource === undefined || resource === joinSegments(segments ?? [])) &&
    body.use === use.id &&
    body.served_at === use.at &&
    IN_ENTRY.every((name) => hashed[name] === use[name]) &&
    IN_BODY.every((name) => body[name] === use[name])
  )
}
