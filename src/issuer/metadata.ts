// What anyone may read: who this issuer is (RFC 8414, and enough of OpenID discovery for clouds to trust our tokens) and
// its public keys. It decides how long they may be kept.
import { z } from "@hono/zod-openapi"
import { KEY_SET_SECONDS } from "../keys/due.ts"
import { STATUS_LISTS_PATH } from "../token/status.ts"
import type { Endpoint } from "./endpoint.ts"
import { JSON_TYPE, open } from "./endpoint.ts"
import { etagOf, hasAlready } from "./etag.ts"
import { EXCHANGE_GRANT } from "./exchange-form.ts"
import { INERT } from "./inert.ts"
import { INTROSPECTION_PATH, REVOCATION_PATH } from "./introspection.ts"
import type { Rooms } from "./rooms.ts"

const Metadata = z
  .strictObject({
    issuer: z.string(),
    token_endpoint: z.string(),
    introspection_endpoint: z.string(),
    introspection_endpoint_auth_methods_supported: z.array(z.string()),
    revocation_endpoint: z.string(),
    jwks_uri: z.string(),
    grant_types_supported: z.array(z.string()),
    response_types_supported: z.array(z.string()),
    scopes_supported: z.array(z.string()),
    token_endpoint_auth_methods_supported: z.array(z.string()),
    token_endpoint_auth_signing_alg_values_supported: z.array(z.string()),
    dpop_signing_alg_values_supported: z.array(z.string()),
    authorization_details_types_supported: z.array(z.string()),
    status_list_aggregation_endpoint: z.string(),
    ledger_key: z
      .string()
      .openapi({ description: "The key of the ledger's checkpoints, a vkey (C2SP signed-note)" }),
    service_documentation: z.string().optional(),
    subject_types_supported: z.array(z.string()).optional(),
    id_token_signing_alg_values_supported: z.array(z.string()).optional(),
    claims_supported: z.array(z.string()).optional(),
  })
  .openapi("Metadata")

const Jwk = z.strictObject({
  kty: z.enum(["EC", "OKP"]),
  crv: z.enum(["P-256", "Ed25519"]),
  x: z.string(),
  y: z.string().optional(),
  kid: z.string(),
  alg: z.enum(["ES256", "EdDSA"]),
  use: z.literal("sig"),
})

const KeySet = z.strictObject({ keys: z.array(Jwk) }).openapi("JsonWebKeySet")

export function metadataEndpoints(rooms: Rooms): Endpoint[] {
  const authorizationServer = () => serverMetadata(rooms.issuer, rooms.ledgerKeys.current())
  const discovery = () => ({
    ...authorizationServer(),
    // Asked for by every cloud, as Kubernetes answers it; there is no authorization endpoint.
    response_types_supported: ["id_token"],
    subject_types_supported: ["public"],
    id_token_signing_alg_values_supported: ["ES256", "EdDSA"],
    claims_supported: ["iss", "aud", "sub", "iat", "exp", "jti", "act", "txn", "authorization_details"],
  })
  const fixed = (path: string, summary: string, schema: z.ZodType, body: () => string): Endpoint =>
    open({
      method: "get",
      path,
      summary,
      group: "metadata",
      answers: { 200: { description: summary, schema }, 304: { description: "Unchanged" } },
      run: cached(body),
    })
  return [
    fixed("/.well-known/oauth-authorization-server", "Metadata (RFC 8414)", Metadata, () =>
      JSON.stringify(authorizationServer()),
    ),
    fixed("/.well-known/openid-configuration", "Metadata for federating clouds", Metadata, () =>
      JSON.stringify(discovery()),
    ),
    fixed("/.well-known/jwks.json", "Public keys", KeySet, () => JSON.stringify(rooms.keyring.jwks())),
  ]
}

const serverMetadata = (issuer: string, ledgerKey: string) => ({
  issuer,
  token_endpoint: `${issuer}/token`,
  introspection_endpoint: `${issuer}${INTROSPECTION_PATH}`,
  // Access token types (RFC 8414 section 2): a service token is the one credential there.
  introspection_endpoint_auth_methods_supported: ["Bearer", "DPoP"],
  revocation_endpoint: `${issuer}${REVOCATION_PATH}`,
  jwks_uri: `${issuer}/.well-known/jwks.json`,
  grant_types_supported: ["client_credentials", EXCHANGE_GRANT],
  response_types_supported: [],
  scopes_supported: ["orchestrator", "api", "auditor", "approver", "operator"],
  token_endpoint_auth_methods_supported: ["private_key_jwt"],
  token_endpoint_auth_signing_alg_values_supported: ["ES256", "EdDSA"],
  dpop_signing_alg_values_supported: ["ES256", "EdDSA"],
  authorization_details_types_supported: ["task_grant"],
  status_list_aggregation_endpoint: `${issuer}${STATUS_LISTS_PATH}`,
  ledger_key: ledgerKey,
})

/** Bytes and ETag are made once for each text; the text changes only when a key does. */
function cached(body: () => string): (request: Request) => Response {
  let text = ""
  let tag = ""
  return (request) => {
    const now = body()
    if (now !== text) {
      text = now
      tag = etagOf(now)
    }
    const headers = { etag: tag, "cache-control": `public, max-age=${KEY_SET_SECONDS}` }
    if (hasAlready(request, tag)) return new Response(null, { status: 304, headers })
    return new Response(text, { headers: { ...headers, ...INERT, "content-type": JSON_TYPE } })
  }
}
