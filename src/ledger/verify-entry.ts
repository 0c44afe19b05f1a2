// One entry held against its hash, and everything that stands beside its bytes against what they say: the row that is
// searched, the values that are committed to. It decides what does not fit; whether the bytes are the ones that were signed,
// verify.ts tells from the tree.
import { toInstant } from "../time.ts"
import { commit, KEY_BYTES } from "./commitment.ts"
import { textOf } from "./entry.ts"
import { type Json, KINDS, PERSONAL_IN_BODY } from "./event.ts"
import { isLeafOf } from "./merkle.ts"
import { outcomeNumber } from "./search.ts"
import type { RestingEntry, RestingTask, RestingToken } from "./verify-statements.ts"

/** What does not fit, and which member of the entry shows it. */
export interface Misfit {
  readonly how:
    | "bytes_missing"
    | "file_differs"
    | "leaf_differs"
    | "not_an_entry"
    | "row_differs"
    | "value_differs"
  readonly member?: string
}

export type Hashed = { readonly [member: string]: Json | undefined }

const KNOWN: ReadonlySet<Json | undefined> = new Set(KINDS)

/** The entry's bytes as they are read; undefined where they are not an entry's. */
export function readHashed(bytes: Uint8Array | string): Hashed | undefined {
  try {
    const value: unknown = JSON.parse(textOf(bytes))
    if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined
    const hashed = value as Hashed
    return KNOWN.has(hashed.kind) ? hashed : undefined
  } catch {
    return undefined // not JSON at all
  }
}

/** What a row's ids stand for: undefined where nobody has that id. */
export interface Known {
  readonly nameOf: (id: number) => string | undefined
  readonly taskOf: (id: number) => RestingTask | undefined
  readonly tokenOf: (id: number) => RestingToken | undefined
}

/** `leaf`: the entry's own, as bytes. `hashed`: its bytes as readHashed has them. The one order of checks: what was hashed, then what stands beside it. `erased` is told of values that are gone. */
export function findMisfit(
  entry: RestingEntry,
  leaf: Uint8Array,
  hashed: Hashed | undefined,
  known: Known,
  erased: (member: string) => void,
): Misfit | undefined {
  const { bytes } = entry
  if (entry.damaged !== undefined) return { how: "file_differs", member: entry.damaged }
  if (!bytes || entry.leaf === null) return { how: "bytes_missing" }
  if (!isLeafOf(leaf, bytes)) return { how: "leaf_differs" }
  if (!hashed) return { how: "not_an_entry" }
  const member = differingColumn(entry, hashed, known)
  if (member !== undefined) return { how: "row_differs", member }
  const value = differingValue(entry, hashed, known, erased)
  return value === undefined ? undefined : { how: "value_differs", member: value }
}

/** Members whose row has the id of a name. */
export const SAME = ["kind", "agent", "instance", "orchestrator", "api", "operation", "code"] as const

function differingColumn(entry: RestingEntry, hashed: Hashed, known: Known): string | undefined {
  if (instantOf(entry.at) !== hashed.at) return "at"
  const outcome = entry.outcome === null ? undefined : entry.outcome
  const told =
    hashed.outcome === "allowed" || hashed.outcome === "refused" ? outcomeNumber(hashed.outcome) : undefined
  if (outcome !== told) return "outcome"
  for (const name of SAME) {
    const id = entry[name]
    if ((id === null ? undefined : (known.nameOf(id) ?? null)) !== hashed[name]) return name
  }
  // An id that nobody knows stands in the bytes alone; a row that points to one says what the bytes say.
  const { task, token } = entry
  const ofToken = token === null ? undefined : known.tokenOf(token)
  if (token !== null && (ofToken?.jti ?? null) !== hashed.jti) return "jti"
  if (task === null) return undefined
  const isOwn =
    hashed.task_id === undefined ? ofToken?.task === task : known.taskOf(task)?.task_id === hashed.task_id
  return isOwn ? undefined : "task_id"
}

const instantOf = (at: number): string | undefined =>
  Number.isSafeInteger(at) && Math.abs(at) <= 8.64e15 ? toInstant(at) : undefined

/** Ids that the bytes name and the row does not point to, by their member: nobody may know them. */
export function unknownIds(entry: RestingEntry, hashed: Hashed): ["task_id" | "jti", string][] {
  const ids: ["task_id" | "jti", string][] = []
  if (entry.task === null && typeof hashed.task_id === "string") ids.push(["task_id", hashed.task_id])
  if (entry.token === null && typeof hashed.jti === "string") ids.push(["jti", hashed.jti])
  return ids
}

const IN_BODY: ReadonlySet<string> = new Set(PERSONAL_IN_BODY)

/** The first member whose value beside the bytes is not the one that they commit to. */
function differingValue(
  entry: RestingEntry,
  hashed: Hashed,
  known: Known,
  erased: (member: string) => void,
): string | undefined {
  const personal = membersOf(entry.personal)
  if (!personal) return "personal"
  const task = entry.task === null ? undefined : known.taskOf(entry.task)
  const key = entry.key ?? task?.key ?? null
  const differs = (name: string, stands: Json | undefined, value: Json | undefined): boolean => {
    if (stands === undefined && value === undefined) return false
    const hmac = hmacIn(stands)
    if (hmac === undefined) return true
    if (value !== undefined) return !opens(key, name, value, hmac)
    if (key === null) erased(name)
    return key !== null
  }
  // A task's own reference stands beside all its entries, also those that don't name it.
  const reference = hashed.reference === undefined ? entry.reference : (entry.reference ?? task?.reference)
  if (differs("sub", hashed.sub, entry.sub ?? undefined)) return "sub"
  if (differs("resource", hashed.resource, entry.resource ?? undefined)) return "resource"
  if (differs("reference", hashed.reference, reference ?? undefined)) return "reference"
  const body = hashed.body as Hashed | undefined
  const differsInBody = (name: string) => differs(name, body?.[name], personal[name])
  const named = PERSONAL_IN_BODY.find(differsInBody)
  return named ?? Object.keys(personal).find((name) => !IN_BODY.has(name) && differsInBody(name))
}

const opens = (key: Uint8Array | null, name: string, value: Json, hmac: string): boolean =>
  key?.length === KEY_BYTES && commit(key, name, value).hmac === hmac

function hmacIn(value: Json | undefined): string | undefined {
  if (typeof value !== "object" || value === null || !("hmac" in value)) return undefined
  return typeof value.hmac === "string" ? value.hmac : undefined
}

const NOTHING: Hashed = {}

function membersOf(personal: string | null): Hashed | undefined {
  if (personal === null) return NOTHING
  try {
    const value: unknown = JSON.parse(personal)
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Hashed)
      : undefined
  } catch {
    return undefined // changed by hand
  }
}
