// What a start can at best cost: no policy, no ledger, no caller. A hono server that reads the same request, signs an ES256
// JWT of about the same size and answers once its claims are one durable row, by the same writer.
import { mkdtempSync } from "node:fs"
import { createServer } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { getRequestListener } from "@hono/node-server"
import { Hono } from "hono"
import { openFile } from "../../src/database/file.ts"
import { openWriter } from "../../src/database/writer.ts"
import { newId } from "../../src/token/id.ts"
import { signText } from "../../src/token/jwt.ts"
import { generatePrivateJwk, importSigningKey } from "../../src/token/signature.ts"
import { announce } from "./listen.ts"

const path = join(mkdtempSync(join(tmpdir(), "bench-signing-")), "tokens.db")
const file = openFile(path)
file.exec("CREATE TABLE token (jti TEXT PRIMARY KEY, claims TEXT)")
file.close()
const writer = await openWriter({ path })
const sql = "INSERT INTO token VALUES (?, ?)"

const key = importSigningKey(generatePrivateJwk("ES256"))
const header = { typ: "at+jwt", kid: key.kid }
const resource = "https://tickets.internal.example"
const scope = "tickets:read tickets:comment"

const app = new Hono().post("/tasks", async (c) => {
  const { type, agent, inputs } = await c.req.json()
  const [jti, task] = [newId("tok"), newId("task")]
  const iat = Math.floor(Date.now() / 1000)
  const details = [{ type: "task_grant", actions: scope.split(" "), resources: [`tickets/${inputs.ticket}`] }]
  const claims = JSON.stringify({
    iss: "http://127.0.0.1:1",
    aud: resource,
    iat,
    nbf: iat,
    exp: iat + 600,
    jti,
    client_id: "support-orchestrator",
    sub: "support-orchestrator",
    act: { sub: `${agent.id}/${agent.instance}` },
    txn: task,
    scope,
    authorization_details: details,
    policy: `sha-256:${"a".repeat(43)}`,
    type,
  })
  await writer.commit([{ sql, values: [jti, claims], rows: 1 }])
  const access_token = signText(header, claims, key)
  return c.json(
    { task_id: task, tokens: [{ resource, access_token, scope, authorization_details: details }] },
    201,
  )
})

announce(createServer(getRequestListener(app.fetch)), (origin) => ({
  url: `${origin}/tasks`,
  method: "POST",
  headers: { "content-type": "application/json", authorization: `Bearer ${"a".repeat(400)}` },
  body: JSON.stringify({
    type: "triage-ticket",
    agent: { id: "triage-bot", instance: "pod-7f3c" },
    purpose: "Triage the ticket",
    inputs: { ticket: "SUP-1042" },
  }),
}))
