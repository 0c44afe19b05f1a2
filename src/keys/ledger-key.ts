// The ledger's own key (Ed25519), which signs checkpoints and nothing else. It rests as signing keys do, encrypted
// (wrapping.ts). It decides who signs: the current key, and once more the one before it, so that a checkpoint of both hands
// the log over. When checkpoints are made ledger/sequence.ts decides.
import { type Engine, type Step, Unexpected } from "../database/database.ts"
import { type NoteSigner, type NoteVerifier, noteVerifier, readVkey } from "../ledger/checkpoint.ts"
import type { Ledger } from "../ledger/ledger.ts"
import type { Signing } from "../ledger/sequence.ts"
import type { Clock } from "../time.ts"
import { generatePrivateJwk, importSigningKey, publicHalf } from "../token/signature.ts"
import { KeysLocked } from "./held.ts"
import {
  countLedgerKeys,
  insertLedgerKey,
  type LedgerKeyRow,
  ledgerKeyStands,
  ledgerKeys,
  noLedgerKeys,
  retireLedgerKey,
  retireLedgerKeys,
  rewrapLedgerKey,
  supersedeLedgerKey,
} from "./ledger-key-statements.ts"
import type { Wrapping } from "./wrapping.ts"

const PURPOSE = "ledger-key"

export interface LedgerKeysOptions {
  readonly engine: Engine
  readonly ledger: Ledger
  readonly wrapping: Wrapping
  readonly clock: Clock
  /** What keys that are made are called: the log's origin. */
  readonly name: string
}

export interface LedgerKeys {
  /** What they are called: the log's origin. */
  readonly name: string
  /** The key that signed last, or signs next, as far as this process knows: a vkey. */
  current(): string
  /** Who signs the next checkpoint. Throws Unavailable, KeysLocked where a stored key does not open. */
  signing(): Promise<Signing>
  /** Every key that has ever signed, the newest first. Throws Unavailable. */
  verifiers(): Promise<readonly NoteVerifier[]>
  /**
   * Makes a new key; the one that signs now signs once more, beside it. Answers the new one; undefined while the last
   * rotation is not finished. Throws Unavailable.
   */
  rotate(by: string): Promise<NoteVerifier | undefined>
}

/** Makes the first key where there has never been one (`key.created`). Throws KeysLocked where the stored ones don't open. */
export async function openLedgerKeys(options: LedgerKeysOptions): Promise<LedgerKeys> {
  const { engine, ledger, wrapping, clock, name } = options
  const opened = new Map<string, NoteSigner>()
  let known = ""
  const signerOf = (row: LedgerKeyRow): NoteSigner => {
    const signer = opened.get(row.vkey) ?? open(row, wrapping)
    opened.set(row.vkey, signer)
    return signer
  }
  const signing = async (): Promise<Signing> => {
    const rows = await engine.query(ledgerKeys)
    const current = rows.find(({ state }) => state === "current")
    const leaving = rows.find(({ state }) => state === "leaving")
    if (!current) throw new KeysLocked("None of the ledger's keys is the current one.")
    known = current.vkey
    const stands = { vkey: current.vkey, leaving: leaving?.vkey ?? "" }
    const retired = leaving && { vkey: leaving.vkey, now: clock.now(), nothing: new Uint8Array() }
    return {
      signers: [current, leaving].filter((row) => row !== undefined).map(signerOf),
      steps: [
        { statement: ledgerKeyStands, values: stands, rows: 1 },
        ...(retired ? [{ statement: retireLedgerKey, values: retired, rows: 1 }] : []),
      ],
    }
  }
  const insert = (first: Step, body: { readonly by?: string }) => {
    const { vkey, wrapped } = make(name, wrapping)
    const now = ledger.at()
    return engine
      .atomically([
        first,
        { statement: insertLedgerKey, values: { vkey, wrapped, now }, rows: 1 },
        ...ledger.steps({ kind: "key.created", at: now, body: { use: "ledger", vkey, ...body } }),
      ])
      .then(() => readVkey(vkey))
      .catch((error) => {
        // Another issuer was first.
        if (error instanceof Unexpected) return undefined
        throw error
      })
  }
  const rows = await engine.query(ledgerKeys)
  if (rows.length === 0) await insert({ statement: noLedgerKeys, values: {}, rows: 1 }, {})
  await signing()
  return {
    name,
    current: () => known,
    signing,
    verifiers: async () =>
      (await engine.query(ledgerKeys)).map(({ vkey }) => readVkey(vkey)).filter((one) => one !== undefined),
    async rotate(by) {
      const [current, ...others] = (await engine.query(ledgerKeys)).filter(({ state }) => state !== "retired")
      if (!current || others.length > 0) return undefined
      // Opened anew: another process may have changed the key-encryption key.
      const { vkey } = open(current, wrapping)
      const first = { statement: supersedeLedgerKey, values: { vkey }, rows: 1 }
      return insert(first, { by })
    },
  }
}

/** Of a log that begins anew: a key of its own, and no other signs any more. */
export function newLedgerKeySteps(ledger: Ledger, wrapping: Wrapping, name: string, by: string): Step[] {
  const { vkey, wrapped } = make(name, wrapping)
  const now = ledger.at()
  return [
    { statement: retireLedgerKeys, values: { now, nothing: new Uint8Array() } },
    { statement: insertLedgerKey, values: { vkey, wrapped, now }, rows: 1 },
    ...ledger.steps({ kind: "key.created", at: now, body: { use: "ledger", vkey, by } }),
  ]
}

function make(name: string, wrapping: Wrapping) {
  const jwk = generatePrivateJwk("EdDSA")
  const { vkey } = noteVerifier(name, publicHalf(importSigningKey(jwk)))
  return { vkey, wrapped: wrapping.seal(Buffer.from(JSON.stringify(jwk)), vkey, PURPOSE) }
}

function open({ vkey, wrapped }: LedgerKeyRow, wrapping: Wrapping): NoteSigner {
  const secret = wrapping.open(wrapped, vkey, PURPOSE)
  const verifier = readVkey(vkey)
  if (!secret || !verifier)
    throw new KeysLocked(
      `The ledger's key ${vkey.slice(0, vkey.lastIndexOf("+"))} does not open with this key-encryption key.`,
    )
  const key = importSigningKey(JSON.parse(Buffer.from(secret).toString("utf8")))
  if (key.publicJwk.x !== verifier.key.jwk.x)
    throw new KeysLocked("A stored key of the ledger is not the one that its row names.")
  return { ...verifier, sign: (bytes) => key.sign(bytes) }
}

/** Every key that still signs, under another key-encryption key. Throws KeysLocked where one does not open. */
export function rewrapLedgerKeySteps(all: readonly LedgerKeyRow[], from: Wrapping, to: Wrapping): Step[] {
  const rows = all.filter(({ state }) => state !== "retired")
  const steps = rows.map(({ vkey, wrapped }): Step => {
    const secret = from.open(wrapped, vkey, PURPOSE)
    if (!secret) throw new KeysLocked("The ledger's key does not open with this key-encryption key.")
    const values = { vkey, from: wrapped, to: to.seal(secret, vkey, PURPOSE) }
    return { statement: rewrapLedgerKey, values, rows: 1 }
  })
  return [{ statement: countLedgerKeys, values: { count: rows.length }, rows: 1 }, ...steps]
}
