// Which key signs and which keys verify. Private keys rest in the database, encrypted (wrapping.ts); this file decides
// when one is made and which one is current, and leaves signing to token/ and serving the key set to issuer/.
import type { JWK } from "jose"
import { type Engine, Unexpected } from "../database/database.ts"
import type { Ledger } from "../ledger/ledger.ts"
import type { Clock } from "../time.ts"
import {
  type Algorithm,
  importSigningKey,
  type JsonWebKeySet,
  KeyFault,
  readPublicJwk,
  type SigningKey,
  type VerificationKey,
} from "../token/signature.ts"
import { insertKey, noKeys, readKeys } from "./statements.ts"
import { createWrapping, type Wrapping } from "./wrapping.ts"

const PURPOSE = "signing-key"

export interface KeyringOptions {
  readonly engine: Engine
  readonly ledger: Ledger
  /** 32 bytes. It encrypts private keys at rest and is needed at every start. */
  readonly keyEncryptionKey: Uint8Array
  /** Of the key that is made when there is none. Default ES256. */
  readonly algorithm?: Algorithm
  readonly clock: Clock
}

export interface Keyring {
  /** The one key that signs now. */
  current(): SigningKey
  keyOf(kid: string): VerificationKey | undefined
  /** The public halves, as /.well-known/jwks.json serves them. */
  jwks(): JsonWebKeySet
}

/** The stored keys can't be used with this key-encryption key: the process must not start. */
export class KeysLocked extends Error {
  override readonly name = "KeysLocked"
}

interface Opened {
  readonly signing: SigningKey
  readonly verification: VerificationKey
  readonly state: string
}

/**
 * Opens the stored keys, or makes the first one (`key.created`, `key.activated`) when there has never been any.
 * Throws KeysLocked when stored keys don't open: new ones are never made beside them. TypeError when the
 * key-encryption key is not 32 bytes. What is published is derived from what was opened, never read from the rows: a
 * row changed by hand can't put a foreign key into the key set.
 */
export async function openKeyring(options: KeyringOptions): Promise<Keyring> {
  const wrapping = createWrapping(options.keyEncryptionKey)
  const keys = await openStored(options.engine, wrapping)
  return toKeyring(keys.length > 0 ? keys : await makeFirst(options, wrapping))
}

async function openStored(engine: Engine, wrapping: Wrapping): Promise<Opened[]> {
  const rows = await engine.query(readKeys)
  return rows.map((row) => {
    const secret = wrapping.open(row.wrapped, row.kid, PURPOSE)
    if (!secret) throw new KeysLocked(lockedMessage(row.kid))
    return { ...readPair(secret, row.kid), state: row.state }
  })
}

const lockedMessage = (kid: string): string =>
  `The stored signing key ${kid} does not open with this key-encryption key. Start with the key that this database was made with; new signing keys are never made beside old ones.`

function readPair(secret: Uint8Array, kid: string): Omit<Opened, "state"> {
  const signing = importSigningKey(JSON.parse(Buffer.from(secret).toString("utf8")))
  const verification = readPublicJwk(signing.publicJwk)
  if (verification instanceof KeyFault || signing.kid !== kid || verification.kid !== kid)
    throw new KeysLocked(`The stored signing key ${kid} is not the key that its id names.`)
  return { signing, verification }
}

/** A fresh key pair, its `kid` the RFC 7638 thumbprint. */
async function generatePrivateJwk(alg: Algorithm): Promise<JWK> {
  // Loaded here: only the first start of a database makes a key, and every start would pay 5 MB for it.
  const { calculateJwkThumbprint, exportJWK, generateKeyPair } = await import("jose")
  const { privateKey } = await generateKeyPair(alg, { extractable: true })
  const jwk = await exportJWK(privateKey)
  return { ...jwk, alg, use: "sig", kid: await calculateJwkThumbprint(jwk) }
}

async function makeFirst(options: KeyringOptions, wrapping: Wrapping): Promise<Opened[]> {
  const jwk = await generatePrivateJwk(options.algorithm ?? "ES256")
  const secret = Buffer.from(JSON.stringify(jwk))
  const signing = importSigningKey(jwk)
  const at = options.ledger.at()
  const body = { kid: signing.kid, alg: signing.alg }
  try {
    await options.engine.atomically([
      { statement: noKeys, values: {}, rows: 1 },
      {
        statement: insertKey,
        values: {
          ...body,
          publicJwk: JSON.stringify(signing.publicJwk),
          wrapped: wrapping.seal(secret, signing.kid, PURPOSE),
          now: at,
        },
        rows: 1,
      },
      ...options.ledger.steps({ kind: "key.created", at, body }),
      ...options.ledger.steps({ kind: "key.activated", at, body }),
    ])
    return [{ ...readPair(secret, signing.kid), state: "active" }]
  } catch (error) {
    // Another process made the first key in the meantime: theirs is the one.
    if (error instanceof Unexpected && error.statement === noKeys.name)
      return openStored(options.engine, wrapping)
    throw error
  }
}

function toKeyring(keys: readonly Opened[]): Keyring {
  const active = keys.findLast((key) => key.state === "active")
  if (!active) throw new KeysLocked("None of the stored signing keys is active.")
  const byKid = new Map(keys.map((key) => [key.verification.kid, key.verification]))
  const published: JsonWebKeySet = { keys: keys.map((key) => key.signing.publicJwk) }
  return {
    current: () => active.signing,
    keyOf: (kid) => byKid.get(kid),
    jwks: () => published,
  }
}
