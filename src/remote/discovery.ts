// Where another issuer publishes its keys, asked of itself (OpenID Connect Discovery 1.0 section 4). It decides which
// answers are taken: about that very issuer, with keys on that very host. What is done when the answer changes is
// identity-providers.ts's.
import { isJsonObject, JsonFault, parseJson } from "../token/json.ts"
import { fetchDocument, NotAllowed, type Outward } from "./outward.ts"

const MAX_URL = 2048

/** The `jwks_uri` of an issuer. Throws NotAllowed for an answer that may not be taken, Unreachable for none. */
export async function discoverKeys(issuer: string, outward: Outward): Promise<string> {
  const text = await fetchDocument(`${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`, outward)
  const document = parseJson(text, { maxDepth: 16, allowFractions: true })
  const { host } = new URL(issuer)
  if (document instanceof JsonFault || !isJsonObject(document))
    throw new NotAllowed(`${host} answered something that is no OpenID configuration`)
  if (document.issuer !== issuer) throw new NotAllowed(`${host} answered for another issuer`)
  const { jwks_uri: address } = document
  if (typeof address !== "string" || address.length > MAX_URL || !URL.canParse(address))
    throw new NotAllowed(`${host} does not say where its keys are`)
  const at = new URL(address)
  if (at.protocol !== new URL(issuer).protocol || at.host !== host || at.username || at.password)
    throw new NotAllowed(`${host} keeps its keys elsewhere, at ${at.protocol}//${at.host}`)
  return address
}
