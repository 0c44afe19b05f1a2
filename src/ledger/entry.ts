// What one entry is: the canonical bytes that are hashed, with commitments where personal values stand, and the reading of
// it back with the values beside it. It decides the shape and the size limit; where entries rest, ledger.ts does.
import { toInstant } from "../time.ts"
import { canonicalJson } from "../token/canonical.ts"
import { takeRandom } from "../token/random.ts"
import { type Commitment, commit, KEY_BYTES } from "./commitment.ts"
import { type Event, type Json, type Kind, type OutcomeOfEvent, PERSONAL_IN_BODY } from "./event.ts"
import { leafHash } from "./merkle.ts"

/** Bytes of one entry at most: tlog-tiles counts an entry's bytes in 16 bits. */
export const MAX_ENTRY_BYTES = 60 * 1024

/** The key of a task's commitments; erased with the task's values, and then of what comes later no value rests either. */
export type TaskKey = Uint8Array | "erased"

/** An event as it will rest. */
export interface Sealed {
  readonly bytes: Buffer
  readonly leaf: Buffer
  /** JSON of the body's personal members; null where there are none. */
  readonly personal: string | null
  /** The key of its commitments, where it is the entry's own. */
  readonly key: Uint8Array | null
}

/** A personal member: its value, or after erasure the commitment that is left of it. */
type Personal = string | Commitment

type Body = NonNullable<Event["body"]>

/** An entry as auditors read it: wire spelling, absent members left out. */
export interface Entry {
  /** Place in the ledger, from 1. */
  readonly seq: number
  /** RFC 3339. */
  readonly at: string
  readonly kind: Kind
  readonly task_id?: string
  readonly jti?: string
  readonly agent?: string
  readonly instance?: string
  readonly orchestrator?: string
  readonly sub?: Personal
  readonly api?: string
  readonly operation?: string
  readonly resource?: Personal
  readonly reference?: Personal
  readonly outcome?: OutcomeOfEvent
  readonly code?: string
  readonly body?: { readonly [member: string]: Json }
}

/** An entry as it rests, with its values in clear where they are not erased. */
export interface Resting {
  readonly seq: number
  readonly bytes: Uint8Array
  readonly personal: string | null
  readonly sub: string | null
  readonly resource: string | null
  readonly reference: string | null
}

/** The same as its row has it: once archived without the bytes (resting.ts has them). */
export type RestingRow = Omit<Resting, "bytes"> & { readonly bytes: Uint8Array | null }

/**
 * The bytes, the leaf and what lies beside them. Commitments are made with the task's key, else with a fresh one that
 * goes into the result. Throws TypeError when the bytes exceed 60 KiB or a value is not JSON; what can't be recorded
 * must not happen. It does NOT check that names, times or ids are well formed.
 */
export function seal(event: Event, taskKey?: Uint8Array): Sealed {
  const key = taskKey ?? takeRandom(KEY_BYTES)
  const { body, sub, resource, reference } = event
  const bytes = Buffer.from(writeEntry(event, key))
  if (bytes.length > MAX_ENTRY_BYTES) throw new TypeError(`a ${event.kind} entry would exceed 60 KiB`)
  const personal = body && personalOf(body)
  const committed = sub !== undefined || resource !== undefined || reference !== undefined || personal
  return {
    bytes,
    leaf: leafHash(bytes),
    personal: personal ? JSON.stringify(personal) : null,
    key: taskKey === undefined && committed ? key : null,
  }
}

/** RFC 8785 of the whole entry, its members written down in their order: nothing is sorted. */
const writeEntry = (event: Event, key: Uint8Array): string =>
  canonicalJson({
    agent: event.agent,
    api: event.api,
    at: toInstant(event.at),
    body: event.body && concealedIn(event.body, key),
    code: event.code,
    instance: event.instance,
    jti: event.jti,
    kind: event.kind,
    operation: event.operation,
    orchestrator: event.orchestrator,
    outcome: event.outcome,
    reference: concealed("reference", event.reference, key),
    resource: concealed("resource", event.resource, key),
    sub: concealed("sub", event.sub, key),
    task_id: event.task,
  })

const concealed = (name: string, value: Json | undefined, key: Uint8Array): Commitment | undefined =>
  value === undefined ? undefined : commit(key, name, value)

/** The body with commitments where personal values stand; itself where there are none. */
function concealedIn(body: Body, key: Uint8Array): Body {
  let concealing: Record<string, Json | undefined> | undefined
  for (const name of PERSONAL_IN_BODY) {
    const value = body[name]
    if (value === undefined) continue
    concealing ??= { ...body }
    concealing[name] = commit(key, name, value)
  }
  return concealing ?? body
}

/** The body's personal members; undefined where there are none. */
function personalOf(body: Body): Record<string, Json> | undefined {
  let found: Record<string, Json> | undefined
  for (const name of PERSONAL_IN_BODY) {
    const value = body[name]
    if (value === undefined) continue
    found ??= {}
    found[name] = value
  }
  return found
}

/** Order in which members are shown; the hashed bytes have RFC 8785's. */
export const SHOWN = [
  "at",
  "kind",
  "task_id",
  "jti",
  "agent",
  "instance",
  "orchestrator",
  "sub",
  "api",
  "operation",
  "resource",
  "reference",
  "outcome",
  "code",
  "body",
] as const

/** Reads an entry back from its hashed bytes, each commitment replaced by its value where that is not erased. */
export function show(resting: Resting): Entry {
  const hashed = JSON.parse(Buffer.from(resting.bytes).toString("utf8"))
  const inClear: Record<string, Json | null> = { ...resting, bytes: null }
  const personal: Record<string, Json> = JSON.parse(resting.personal ?? "{}")
  const members = SHOWN.filter((name) => name in hashed).map((name) => {
    if (name === "body") return [name, { ...hashed.body, ...personal }]
    const isPersonal = name === "sub" || name === "resource" || name === "reference"
    return [name, isPersonal ? (inClear[name] ?? hashed[name]) : hashed[name]]
  })
  return { seq: resting.seq, ...Object.fromEntries(members) }
}

/** What was hashed, as drivers answer it: text, or bytes of UTF-8. */
export const textOf = (bytes: Uint8Array | string): string =>
  typeof bytes === "string"
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8")
