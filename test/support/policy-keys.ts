// The keys that the shipped policies name are examples, refused outside --dev: tests put pairs of their own in their place.
import { readdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import {
  generatePrivateJwk,
  importSigningKey,
  type PrivateJwk,
  type SigningKey,
} from "../../src/token/signature.ts"

interface Pair {
  readonly jwk: PrivateJwk
  readonly key: SigningKey
}

/** A caller has the same pair in every folder of a test's process: making one takes longer than most of what it is for. */
const pairs = new Map<string, Pair>()

function pairOf(name: string): Pair {
  const known = pairs.get(name)
  if (known) return known
  const jwk = generatePrivateJwk("ES256")
  const pair = { jwk, key: importSigningKey(jwk) }
  pairs.set(name, pair)
  return pair
}

/** Writes a caller's key where the shipped policies name it. */
export function placeKey(policies: string, name: string): Pair {
  const pair = pairOf(name)
  writeFileSync(join(policies, "keys", `${name}.jwks.json`), JSON.stringify({ keys: [pair.key.publicJwk] }))
  return pair
}

/** The private keys by caller. Every caller of the folder has a pair of its own. */
export const replaceKeys = (policies: string): Map<string, PrivateJwk> =>
  new Map(
    readdirSync(join(policies, "keys"))
      .map((file) => file.replace(".jwks.json", ""))
      .map((name) => [name, placeKey(policies, name).jwk]),
  )
