// A peer: @node-oauth/oauth2-server answering client_credentials with an ES256 JWT, one durable SQLite row each.
import { generateKeyPairSync, randomUUID } from "node:crypto"
import { mkdtempSync } from "node:fs"
import { createServer } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import OAuth2Server from "@node-oauth/oauth2-server"
import Database from "better-sqlite3"
import { SignJWT } from "jose"
import { announce } from "./listen.ts"

const db = new Database(join(mkdtempSync(join(tmpdir(), "bench-oauth2-")), "tokens.db"))
db.pragma("journal_mode = WAL")
db.pragma("synchronous = FULL")
db.exec("CREATE TABLE token (token TEXT PRIMARY KEY, client TEXT, scope TEXT, exp INTEGER)")
const insert = db.prepare("INSERT INTO token VALUES (?, ?, ?, ?)")

const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" })
const CLIENT = { id: "support-orchestrator", grants: ["client_credentials"] }
const server = new OAuth2Server({
  accessTokenLifetime: 600,
  model: {
    getClient: async () => CLIENT,
    getUserFromClient: async () => ({ id: CLIENT.id }),
    validateScope: async (_user, _client, scope) => scope ?? [],
    getAccessToken: async () => undefined,
    generateAccessToken: (client, _user, scope) =>
      new SignJWT({ scope: scope?.join(" ") ?? "", client_id: client.id })
        .setProtectedHeader({ alg: "ES256", typ: "at+jwt", kid: "bench" })
        .setIssuer("https://taskmint.internal")
        .setAudience("https://tickets.internal.example")
        .setSubject(client.id)
        .setJti(randomUUID())
        .setIssuedAt()
        .setExpirationTime("10m")
        .sign(privateKey),
    saveToken: async (token, client, user) => {
      insert.run(
        token.accessToken,
        client.id,
        token.scope?.join(" ") ?? "",
        token.accessTokenExpiresAt?.getTime() ?? 0,
      )
      return { ...token, client, user }
    },
  },
})

const http = createServer((request, response) => {
  const chunks: Buffer[] = []
  request.on("data", (chunk: Buffer) => chunks.push(chunk))
  request.on("end", async () => {
    const body = Object.fromEntries(new URLSearchParams(Buffer.concat(chunks).toString("utf8")))
    const answer = new OAuth2Server.Response({ headers: {} })
    const type = "application/x-www-form-urlencoded"
    const headers = {
      authorization: request.headers.authorization ?? "",
      "content-type": type,
      "content-length": "1",
    }
    await server.token(new OAuth2Server.Request({ method: "POST", headers, query: {}, body }), answer)
    response
      .writeHead(answer.status ?? 200, { "content-type": "application/json" })
      .end(JSON.stringify(answer.body))
  })
})

announce(http, (origin) => ({
  url: `${origin}/token`,
  method: "POST",
  headers: {
    "content-type": "application/x-www-form-urlencoded",
    authorization: `Basic ${Buffer.from("support-orchestrator:bench").toString("base64")}`,
  },
  body: "grant_type=client_credentials&scope=tickets:read%20tickets:comment",
}))
