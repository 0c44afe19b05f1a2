// How one signing key follows another. It does what is due (due.ts) and what an operator asks for, and tells what each key
// waits for; of several processes that would do the same, one does. A revoked key is followed by replacement.ts.
import { committed, type Engine, type Step } from "../database/database.ts"
import { type Refusal, refuse } from "../errors.ts"
import type { Ledger } from "../ledger/ledger.ts"
import type { Clock } from "../time.ts"
import {
  type Change,
  dueChange,
  GRACE_SECONDS,
  nextChange,
  nextPublication,
  PUBLISHED_AHEAD_SECONDS,
  ROTATE_EVERY_SECONDS,
} from "./due.ts"
import type { Keyring } from "./keyring.ts"
import { type KeyState, type ListedRow, listKeys } from "./statements.ts"
import { activateSteps, publishSteps, retireSteps } from "./steps.ts"

const MILLISECONDS = 1000
/** A rotation is not over before the next one begins to be published. */
const SHORTEST_ROTATION_SECONDS = 3600
export interface RotationOptions {
  readonly engine: Engine
  readonly ledger: Ledger
  readonly keyring: Keyring
  readonly clock: Clock
  /** How long a key signs before the next one does, at least an hour. Default 30 days. */
  readonly everySeconds?: number
}

/** Times are epoch milliseconds. */
export interface KeyView {
  readonly kid: string
  readonly alg: string
  readonly state: KeyState
  readonly elsewhere: boolean
  readonly createdAt: number
  readonly activatedAt: number | undefined
  readonly firstUseAt: number | undefined
  readonly supersededAt: number | undefined
  readonly retiredAt: number | undefined
  readonly revocation: string | undefined
  readonly waitsFor: WaitsFor | undefined
}

export interface WaitsFor {
  readonly what: "publication" | "first_use" | "last_token"
  /** When that is over; a use may come whenever it comes. */
  readonly until?: number
}

export interface Rotated {
  /** A next key was published, one is published but not for long enough yet, or it signs now. */
  readonly result: "published" | "waiting" | "activated"
  readonly keys: readonly KeyView[]
}

export interface Rotation {
  /** Every key there has been, the newest first. */
  list(): Promise<readonly KeyView[]>
  /** Publishes the next key, or lets it sign when it was published for long enough. `key_signer_missing`. */
  rotate(by: string): Promise<Rotated | Refusal>
  /** Does what is due. Throws Unavailable, KeysLocked, SignerFailed; the next call tries again. */
  tick(): Promise<void>
  /** When the next key will be published by itself, epoch milliseconds; undefined while one is. */
  nextAt(): number | undefined
  /** Whether the schedule wants another key and every signer that was given has had its turn. */
  waitsForSigner(): boolean
}

/** TypeError where keys would follow each other faster than they can be published. */
export function createRotation(options: RotationOptions): Rotation {
  const { engine, ledger, keyring, clock, everySeconds = ROTATE_EVERY_SECONDS } = options
  if (!Number.isSafeInteger(everySeconds) || everySeconds < SHORTEST_ROTATION_SECONDS)
    throw new TypeError(`a key must sign for at least ${SHORTEST_ROTATION_SECONDS} seconds`)
  const now = () => ({ at: ledger.at(), monotonic: clock.monotonic(), everySeconds })
  /** Whether it was this process that did it. */
  const write = async (steps: readonly Step[]): Promise<boolean> => {
    try {
      return await committed(engine, steps)
    } finally {
      await keyring.refresh()
    }
  }
  const carryOut = async (change: Change, by: string): Promise<boolean> => {
    if (change.what === "retire") return write(retireSteps(ledger, change.key, { by }))
    if (change.what === "activate") return write(activateSteps(ledger, change, by))
    const key = await keyring.make()
    return key !== undefined && write(publishSteps(ledger, change.current, key, by))
  }
  let signerMissing = false
  const list = async () => (await engine.query(listKeys)).map((row) => view(row, keyring))
  return {
    list,
    async rotate(by) {
      await keyring.refresh()
      const change = nextChange(keyring.standing(), now(), true)
      if (!change) return { result: "waiting", keys: await list() }
      const done = await carryOut(change, by)
      if (!done && !keyring.standing().some(({ state }) => state === "next") && change.what === "publish")
        return refuse("key_signer_missing", "[signer] every signer has had its turn")
      const result = change.what === "activate" ? "activated" : "published"
      return { result: done ? result : "waiting", keys: await list() }
    },
    async tick() {
      await keyring.refresh()
      for (;;) {
        const change = dueChange(keyring.standing(), now())
        if (change && (await carryOut(change, "schedule"))) continue
        signerMissing = change?.what === "publish" && (await keyring.make()) === undefined
        return
      }
    },
    nextAt: () => nextPublication(keyring.standing(), everySeconds),
    waitsForSigner: () => signerMissing,
  }
}

const view = (row: ListedRow, keyring: Keyring): KeyView => ({
  kid: row.kid,
  alg: row.alg,
  state: row.state,
  elsewhere: keyring.standing().find(({ kid }) => kid === row.kid)?.elsewhere ?? false,
  createdAt: row.created_at,
  activatedAt: row.activated_at ?? undefined,
  firstUseAt: row.used_at ?? undefined,
  supersededAt: row.superseded_at ?? undefined,
  retiredAt: row.retired_at ?? undefined,
  revocation: row.revocation ?? undefined,
  waitsFor: waitsFor(row),
})

function waitsFor(row: ListedRow): WaitsFor | undefined {
  if (row.state === "next")
    return { what: "publication", until: row.created_at + PUBLISHED_AHEAD_SECONDS * MILLISECONDS }
  if (row.state === "current") return row.used_at === null ? { what: "first_use" } : undefined
  if (row.state === "retired") return undefined
  return { what: "last_token", until: ((row.needed_until ?? 0) + GRACE_SECONDS) * MILLISECONDS }
}
