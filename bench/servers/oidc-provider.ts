// A peer: oidc-provider answering client_credentials with an ES256 JWT, one durable SQLite row each.
import { generateKeyPairSync } from "node:crypto"
import { mkdtempSync } from "node:fs"
import { createServer } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import Database from "better-sqlite3"
import Provider from "oidc-provider"
import { announce } from "./listen.ts"

const db = new Database(join(mkdtempSync(join(tmpdir(), "bench-oidc-")), "tokens.db"))
db.pragma("journal_mode = WAL")
db.pragma("synchronous = FULL")
db.exec("CREATE TABLE token (jti TEXT PRIMARY KEY, client TEXT, payload TEXT, exp INTEGER)")
const insert = db.prepare("INSERT INTO token VALUES (?, ?, ?, ?)")

const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" })
const audience = "https://tickets.internal.example"
const provider = new Provider("http://127.0.0.1", {
  clients: [
    {
      client_id: "support-orchestrator",
      client_secret: "bench",
      grant_types: ["client_credentials"],
      redirect_uris: [],
      response_types: [],
      token_endpoint_auth_method: "client_secret_basic",
      id_token_signed_response_alg: "ES256",
    },
  ],
  jwks: { keys: [{ ...privateKey.export({ format: "jwk" }), kid: "bench", alg: "ES256", use: "sig" }] },
  scopes: ["tickets:read", "tickets:comment"],
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => audience,
      useGrantedResource: () => true,
      getResourceServerInfo: () => ({
        scope: "tickets:read tickets:comment",
        audience,
        accessTokenTTL: 600,
        accessTokenFormat: "jwt",
        jwt: { sign: { alg: "ES256" } },
      }),
    },
  },
  formats: {
    customizers: {
      jwt: (_ctx, token, jwt) => {
        insert.run(token.jti, token.clientId ?? "", JSON.stringify(jwt.payload), Number(jwt.payload.exp))
      },
    },
  },
})

announce(createServer(provider.callback()), (origin) => ({
  url: `${origin}/token`,
  method: "POST",
  headers: {
    "content-type": "application/x-www-form-urlencoded",
    authorization: `Basic ${Buffer.from("support-orchestrator:bench").toString("base64")}`,
  },
  body: "grant_type=client_credentials&scope=tickets:read%20tickets:comment",
}))
