// The keys that the shipped policies name are examples, refused outside --dev: tests put pairs of their own in their place.
import { readdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { generatePrivateJwk, importSigningKey, type PrivateJwk } from "../../src/token/signature.ts"

/** The private keys by caller. Every caller of the folder gets a pair of its own. */
export function replaceKeys(policies: string): Map<string, PrivateJwk> {
  const folder = join(policies, "keys")
  return new Map(
    readdirSync(folder).map((file) => {
      const jwk = generatePrivateJwk("ES256")
      writeFileSync(join(folder, file), JSON.stringify({ keys: [importSigningKey(jwk).publicJwk] }))
      return [file.replace(".jwks.json", ""), jwk]
    }),
  )
}
