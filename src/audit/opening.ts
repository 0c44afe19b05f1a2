// Values beside a statement: how they are put in place of its commitments, and how a reader checks that they are what was
// committed to. Pure.
import { type Commitment, commit, KEY_BYTES } from "../ledger/commitment.ts"
import type { Statement } from "./statement.ts"

/** A value that a statement commits to, beside what is signed. */
export interface Opened {
  /** The member that it is committed to as: `sub`, `resource`, `purpose`, `reference`, `reason`. */
  readonly name: string
  readonly value: string
  readonly hmac: string
}

/** A part of a statement with values in place of commitments, where they are known. */
export type Clear<T> = T extends Commitment
  ? string | Commitment
  : T extends readonly (infer Item)[]
    ? readonly Clear<Item>[]
    : T extends object
      ? { readonly [Name in keyof T]: Clear<T[Name]> }
      : T

/** For people to read, never to be signed. */
export function inClear(statement: Statement, opened: readonly Opened[]): Clear<Statement> {
  const values = new Map(opened.map(({ hmac, value }) => [hmac, value]))
  return JSON.parse(JSON.stringify(statement), (_, value: unknown) =>
    isCommitment(value) ? (values.get(value.hmac) ?? value) : value,
  )
}

/** All that it commits to. */
export function commitmentsIn(statement: object): ReadonlySet<string> {
  const found = new Set<string>()
  JSON.stringify(statement, (_, value: unknown) => {
    if (isCommitment(value)) found.add(value.hmac)
    return value
  })
  return found
}

/** Those that are not what the statement commits to; all of them where the key is none. */
export function wrongValues(statement: object, key: Uint8Array, opened: readonly Opened[]): Opened[] {
  if (key.length !== KEY_BYTES) return [...opened]
  const committed = commitmentsIn(statement)
  return opened.filter(
    ({ name, value, hmac }) => !committed.has(hmac) || commit(key, name, value).hmac !== hmac,
  )
}

const isCommitment = (value: unknown): value is Commitment =>
  typeof value === "object" && value !== null && "hmac" in value && typeof value.hmac === "string"
