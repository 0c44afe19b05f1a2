// Which key signs and which keys verify, as this process knows them. Private keys rest in the database, encrypted
// (wrapping.ts), or elsewhere (signer.ts); this file opens them and keeps up with what was committed. When one follows
// another, rotation.ts decides; signing is token/'s, serving the key set issuer/'s.
import { type Engine, Unexpected } from "../database/database.ts"
import type { Ledger } from "../ledger/ledger.ts"
import type { Clock } from "../time.ts"
import type { Algorithm, IssuingKey, JsonWebKeySet, VerificationKey } from "../token/signature.ts"
import { oneAtATime } from "../turn.ts"
import {
  KeysLocked,
  makeOwn,
  type NewKey,
  openRow,
  rewrapped,
  type Signers,
  type StandingKey,
  standingOf,
  takeElsewhere,
} from "./held.ts"
import { rewrapLedgerKeySteps } from "./ledger-key.ts"
import { ledgerKeys } from "./ledger-key-statements.ts"
import { openSigner, type Signer } from "./signer.ts"
import { countKeys, insertKey, keyById, noKeys, readKeys, rewrapKey } from "./statements.ts"
import { createWrapping, type Wrapping } from "./wrapping.ts"

export interface KeyringOptions {
  readonly engine: Engine
  readonly ledger: Ledger
  /** 32 bytes. It encrypts private keys at rest and is needed at every start. */
  readonly keyEncryptionKey: Uint8Array
  /** Of keys that are made from now on. Default ES256. */
  readonly algorithm?: Algorithm
  /** Keys that rest elsewhere, in the order in which they are to sign. Where there are any, none is made here. */
  readonly signers?: readonly Signer[]
  readonly clock: Clock
}

export interface Keyring {
  /** The one key that signs now. */
  current(): IssuingKey
  /** A key that signed and still may sign what was recorded under it; undefined once it was retired or revoked. */
  signing(kid: string): IssuingKey | undefined
  keyOf(kid: string): VerificationKey | undefined
  /** The public halves, as /.well-known/jwks.json serves them: the same object until one comes or goes. */
  jwks(): JsonWebKeySet
  /** What is published, in the order in which it was made. */
  standing(): readonly StandingKey[]
  /** Looks at what was committed, also by other processes. Throws Unavailable, or KeysLocked; what was known stays. */
  refresh(): Promise<void>
  /** Whether the last look met keys that don't open here: another process has gone on with another key-encryption key. */
  isLocked(): boolean
  /** For other secrets that rest beside the keys: it follows `rewrap`. */
  readonly wrapping: Wrapping
  /** A key that could sign next, not stored yet. Undefined: every signer that was given has had its turn. */
  make(): Promise<NewKey | undefined>
  /**
   * Encrypts every stored key anew, the ledger's too, in one transaction with its entry, and goes on with the second key-encryption key.
   * Answers how many; undefined when they don't open with the first. Throws TypeError when either is not 32 bytes,
   * Unexpected when keys changed meanwhile.
   */
  rewrap(by: string, from: Uint8Array, to: Uint8Array): Promise<number | undefined>
}

/**
 * Opens the stored keys, or makes the first one (`key.created`, `key.activated`) when there has never been any.
 * Throws KeysLocked when stored keys don't open: new ones are never made beside them. TypeError when the key-encryption
 * key is not 32 bytes or a signer's JWK can't be read, SignerFailed when a signer does not sign.
 */
export async function openKeyring(options: KeyringOptions): Promise<Keyring> {
  const { engine, ledger, clock, algorithm = "ES256" } = options
  let wrappings: readonly Wrapping[] = [createWrapping(options.keyEncryptionKey)]
  const wrapping: Wrapping = {
    seal: (...secret) => sealing(wrappings).seal(...secret),
    open: (...sealed) => firstOf(wrappings, (one) => one.open(...sealed)),
  }
  const signers = await openSigners(options.signers ?? [])
  const make = async (): Promise<NewKey | undefined> => {
    if (signers.size === 0) return makeOwn(algorithm, wrapping)
    for (const [kid, held] of signers)
      if ((await engine.query(keyById, { kid })).length === 0) return takeElsewhere(held, wrapping)
    return undefined
  }
  const read = async (before: readonly StandingKey[]) =>
    (await engine.query(readKeys)).map((row): StandingKey => {
      const known = before.find((key) => key.kid === row.kid)
      if (known && Buffer.compare(known.wrapped, row.wrapped) === 0) return { ...known, ...standingOf(row) }
      const opened = openRow(row, wrapping, signers, clock.monotonic())
      return known ? { ...opened, publishedSince: known.publishedSince } : opened
    })

  let keys = await read([])
  if (keys.length === 0) {
    await makeFirst(engine, ledger, await make())
    keys = await read([])
  }
  let view = viewOf(keys)
  const looking = noticingLocks(async () => {
    keys = await read(keys)
    view = viewOf(keys, view)
  })
  const { now: refresh } = oneAtATime(looking.look)
  return {
    current: () => view.signs,
    signing: (kid) => keys.find((key) => key.kid === kid && key.state !== "next")?.issuing,
    keyOf: (kid) => view.byKid.get(kid),
    jwks: () => view.published,
    standing: () => keys,
    ...{ refresh, isLocked: looking.isLocked, wrapping, make },
    async rewrap(by, from, to) {
      const [old, fresh] = [createWrapping(from), createWrapping(to)]
      await refresh()
      const before = keys
      if (!opens(old, before)) return undefined
      wrappings = [old, fresh] // until it is known which of them it is
      try {
        const ofLedger = rewrapLedgerKeySteps(await engine.query(ledgerKeys), old, fresh)
        await engine.atomically([...ofLedger, ...rewrapSteps(ledger, by, before, old, fresh)])
      } finally {
        await refresh()
        wrappings = opens(fresh, keys) ? [fresh] : [old]
      }
      return before.length
    },
  }
}

/** Remembers whether the last look met keys that don't open. */
function noticingLocks(look: () => Promise<void>) {
  let locked = false
  return {
    isLocked: () => locked,
    async look() {
      try {
        await look()
        locked = false
      } catch (error) {
        locked ||= error instanceof KeysLocked
        throw error
      }
    },
  }
}

function rewrapSteps(
  ledger: Ledger,
  by: string,
  keys: readonly StandingKey[],
  old: Wrapping,
  fresh: Wrapping,
) {
  const body = { by, keys: keys.map(({ kid }) => kid) }
  return [
    { statement: countKeys, values: { count: keys.length }, rows: 1 },
    ...keys.map((key) => {
      const values = { kid: key.kid, from: key.wrapped, to: rewrapped(key, old, fresh) }
      return { statement: rewrapKey, values, rows: 1 }
    }),
    ...ledger.steps({ kind: "key.rewrapped", at: ledger.at(), body }),
  ]
}

const sealing = ([first]: readonly Wrapping[]): Wrapping => {
  if (!first) throw new TypeError("no key-encryption key")
  return first
}

function firstOf<T, R>(all: readonly T[], look: (one: T) => R | undefined): R | undefined {
  for (const one of all) {
    const found = look(one)
    if (found !== undefined) return found
  }
  return undefined
}

function opens(wrapping: Wrapping, keys: readonly StandingKey[]): boolean {
  try {
    for (const key of keys) rewrapped(key, wrapping, wrapping)
    return true
  } catch (error) {
    if (error instanceof KeysLocked) return false
    throw error
  }
}

async function openSigners(given: readonly Signer[]): Promise<Signers> {
  const opened = await Promise.all(given.map(openSigner))
  return new Map(opened.map((one) => [one.verification.kid, one]))
}

async function makeFirst(engine: Engine, ledger: Ledger, key: NewKey | undefined): Promise<void> {
  if (!key) return
  const { kid, alg } = key
  const now = ledger.at()
  const event = { at: now, body: { kid, alg } }
  try {
    await engine.atomically([
      { statement: noKeys, values: {}, rows: 1 },
      { statement: insertKey, values: { ...key, state: "current", now, activatedAt: now }, rows: 1 },
      ...ledger.steps({ kind: "key.created", ...event }),
      ...ledger.steps({ kind: "key.activated", ...event }),
    ])
  } catch (error) {
    // Another process made the first key in the meantime: theirs is the one.
    if (!(error instanceof Unexpected && error.statement === noKeys.name)) throw error
  }
}

interface View {
  readonly signs: IssuingKey
  readonly byKid: ReadonlyMap<string, VerificationKey>
  readonly published: JsonWebKeySet
}

function viewOf(keys: readonly StandingKey[], before?: View): View {
  const current = keys.find((key) => key.state === "current")
  if (!current) throw new KeysLocked("None of the stored signing keys is the current one.")
  if (!current.issuing)
    throw new KeysLocked(
      `The current signing key ${current.kid} rests elsewhere, and its signer was not given.`,
    )
  const byKid = new Map(keys.map((key) => [key.kid, key.verification]))
  const same = before?.byKid.size === byKid.size && keys.every(({ kid }) => before.byKid.has(kid))
  if (before && same) return { ...before, signs: current.issuing }
  return { signs: current.issuing, byKid, published: { keys: keys.map((key) => key.verification.jwk) } }
}
