// What entries add to the roll-ups: which rights a task was given, and which were used or refused. It decides by which rule a
// use counts, and reads nothing by itself but what it is handed.
import { textOf } from "../ledger/entry.ts"
import { isJsonObject, parseJson } from "../token/json.ts"
import { matchesResource, parseResource } from "../token/resource.ts"
import { type Granted, grantsIn } from "./question.ts"
import type { CountedRow } from "./rollup-statements.ts"

/** One right of one agent in tasks of one type on one day. */
export interface Privilege {
  readonly day: number
  readonly type: string
  readonly agent: string
  readonly api: string
  readonly operation: string
  /** Empty: none of the token's rules grants it. */
  readonly rule: string
}

export interface Count {
  granted: number
  used: number
  refused: number
  /** Epoch milliseconds. */
  lastUsed: number | null
}

export interface Tally {
  readonly privileges: ReadonlyMap<string, Privilege & Count>
  readonly entries: ReadonlyMap<number, number>
}

/** What only the ledger knows beside the entries at hand. */
export interface Before {
  /** Bodies of `token.delegated` of the same holder in the same task, before this entry. */
  delegated(row: CountedRow): Promise<readonly (Uint8Array | string)[]>
  /** The entry of the mint of the used token; undefined where it is not there. */
  minted(row: CountedRow): Promise<Uint8Array | undefined>
}

const DAY_MILLISECONDS = 86_400_000
export const dayOf = (at: number): number => Math.floor(at / DAY_MILLISECONDS)

export async function tally(rows: readonly CountedRow[], before: Before): Promise<Tally> {
  const privileges = new Map<string, Privilege & Count>()
  const entries = new Map<number, number>()
  const rules = new Map<number | null, readonly SignedGrant[]>()
  const count = (row: CountedRow, operation: string, rule: string): Count => {
    const { type, agent } = row
    const day = dayOf(row.at)
    // No name has a space.
    const key = `${day} ${type} ${agent} ${operation} ${rule}`
    const known = privileges.get(key)
    if (known) return known
    const of = { day, type: type ?? "", agent: agent ?? "", api: apiOf(operation), operation, rule }
    const begun = { ...of, granted: 0, used: 0, refused: 0, lastUsed: null }
    privileges.set(key, begun)
    return begun
  }
  for (const row of rows) {
    entries.set(dayOf(row.at), (entries.get(dayOf(row.at)) ?? 0) + 1)
    if (row.type === null || row.agent === null) continue
    // Only what has to ask waits: most entries are starts and mints.
    const granted = row.kind === "token.delegated" ? await newlyDelegated(row, before) : startedWith(row)
    for (const { operation, rule } of granted) count(row, operation, rule).granted += 1
    if (row.operation === null || (row.kind !== "use.allowed" && row.kind !== "use.refused")) continue
    const counted = count(row, row.operation, await ruleOf(row, rules, before))
    if (row.kind === "use.refused") counted.refused += timesOf(row)
    else {
      counted.used += 1
      counted.lastUsed = Math.max(counted.lastUsed ?? 0, row.at)
    }
  }
  return { privileges, entries }
}

const apiOf = (operation: string): string => operation.split(":")[0] ?? ""

interface Right {
  readonly operation: string
  readonly rule: string
}

const startedWith = ({ kind, bytes }: CountedRow): readonly Right[] =>
  kind === "task.started" && bytes !== null ? distinct(rightsIn(bytes)) : []

/** A sub-agent that is delegated to again is given only what it was not given before in that task. */
async function newlyDelegated(row: CountedRow, before: Before): Promise<readonly Right[]> {
  const rights = row.bytes === null ? [] : distinct(rightsIn(row.bytes))
  if (rights.length === 0) return rights // of the sub-agent's own token, for one
  const had = new Set((await before.delegated(row)).flatMap(rightsIn).map(keyOf))
  return rights.filter((right) => !had.has(keyOf(right)))
}

const keyOf = ({ operation, rule }: Right): string => `${operation} ${rule}`

const distinct = (rights: readonly Right[]): Right[] => [
  ...new Map(rights.map((right) => [keyOf(right), right])).values(),
]

function rightsIn(bytes: Uint8Array | string): Right[] {
  const { grants, approvals } = bodyOf(bytes)
  return [...grantsIn(grants), ...grantsIn(approvals)].flatMap(({ operations, rule }) =>
    operations.map((operation) => ({ operation, rule })),
  )
}

const bodyOf = (bytes: Uint8Array | string): Readonly<Record<string, unknown>> =>
  JSON.parse(textOf(bytes)).body ?? {}

/** Refusals that came too fast are one entry with their number. */
export function timesOf({ kind, bytes }: CountedRow): number {
  const count = bytes === null || kind !== "use.refused" ? undefined : bodyOf(bytes).count
  return typeof count === "number" ? count : 1
}

interface SignedGrant extends Granted {
  /** Absent where the claims were erased. */
  readonly resources?: readonly string[]
}

/** The rule of the token that grants operation and resource; of several, or where the resource was erased, the first. */
async function ruleOf(
  row: CountedRow,
  known: Map<number | null, readonly SignedGrant[]>,
  before: Before,
): Promise<string> {
  const grants = known.get(row.token) ?? (await grantsOf(row, before))
  known.set(row.token, grants)
  const granting = grants.filter(({ operations }) => operations.includes(row.operation ?? ""))
  const fitting = granting.find(({ resources }) => resources?.some((one) => fits(one, row.resource)))
  return (fitting ?? granting[0])?.rule ?? ""
}

async function grantsOf(row: CountedRow, before: Before): Promise<readonly SignedGrant[]> {
  if (row.claims === null) {
    const minted = await before.minted(row)
    return minted ? grantsIn(bodyOf(minted).grants) : []
  }
  const claims = parseJson(row.claims)
  const details = isJsonObject(claims) ? claims.authorization_details : undefined
  return (Array.isArray(details) ? details : []).filter(isJsonObject).map(({ actions, resources, rule }) => ({
    operations: textsIn(actions),
    resources: textsIn(resources),
    rule: String(rule),
  }))
}

const textsIn = (value: unknown): string[] => (Array.isArray(value) ? value.map(String) : [])

function fits(granted: string, resource: string | null): boolean {
  const pattern = parseResource(granted)
  return resource !== null && pattern !== undefined && matchesResource(pattern, resource.split("/"))
}
