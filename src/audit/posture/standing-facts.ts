// What is known of how an installation stands, as plain data, and the words that its findings share. It decides nothing.

import type { KeyView } from "../../keys/rotation.ts"
import type { PolicyState } from "../../policy/in-force.ts"
import type { Place } from "../../policy/policy.ts"
import type { LiveRow } from "../living-statements.ts"
import type { StandingRule } from "./standing-rules.ts"
import type { AskedRow, CanaryRow, GivenRow, HeardRow, StartedRow } from "./statements.ts"

/** What was read. Times are epoch milliseconds. */
export interface StandingFacts {
  readonly now: number
  /** Whether entries are counted for the whole window: who did nothing in less is not called dormant. */
  readonly wholeWindow: boolean
  readonly given: readonly GivenRow[]
  readonly started: readonly StartedRow[]
  readonly asked: readonly AskedRow[]
  readonly heard: readonly HeardRow[]
  readonly live: readonly LiveRow[]
  /** Tasks that live for longer than a day. */
  readonly longLived: number
  readonly locks: readonly { readonly kind: string; readonly value: string; readonly revocation: string }[]
  /** That are not retired. */
  readonly keys: readonly KeyView[]
  /** Those that are, the one that went last at the end. */
  readonly retired: readonly KeyView[]
  /** By the key that signed them, those that were minted to be planted. */
  readonly canaries: readonly CanaryRow[]
  /** When the next key ought to be published; undefined while one is. */
  readonly nextKeyAt: number | undefined
  readonly signerMissing: boolean
  readonly ledgerKeyAt: number | undefined
  readonly policyState: PolicyState
}

/** Days of what was given and used; of what APIs were heard to do. */
export const GIVEN_DAYS = 30
export const HEARD_DAYS = 7

/** Where a rule does not hold. */
export interface StandingSpot {
  readonly rule: StandingRule
  readonly message: string
  readonly api?: string
  readonly agent?: string
  readonly type?: string
  readonly operation?: string
  readonly place?: Place
}

export const placeOf = (named: { readonly place: Place } | undefined): { readonly place?: Place } =>
  named ? { place: named.place } : {}

export const times = (count: number): string => (count === 1 ? "once" : `${count} times`)

export const counted = (count: number, one: string, many: string): string =>
  `${count} ${count === 1 ? one : many}`
