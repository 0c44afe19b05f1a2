// A guarded API in a process of its own, to be killed: it writes a line for every handler that runs, then answers. The
// last argument is where the issuer is reached, when that is not its name.
import { openSync, writeSync } from "node:fs"
import { Hono } from "hono"
import { guard } from "../../src/guard/hono.ts"
import { createVerifier } from "../../src/verifier/verifier.ts"
import { optionsOf, serveApp } from "./guarded-api.ts"

const [issuer = "", privateJwk = "", spool = "", log = "", issuerAddress = issuer] = process.argv.slice(2)
const credential = { clientId: "tickets", privateJwk: JSON.parse(privateJwk) }
const verifier = await createVerifier(optionsOf(issuer, spool, { credential, issuerAddress }))
while (!verifier.ready().ready) await new Promise((resolve) => setTimeout(resolve, 20))

const file = openSync(log, "a")
const app = new Hono()
app.get("/tickets/:id", guard(verifier, "tickets:read", "tickets/{id}"), (c) => {
  writeSync(file, `${c.get("task").useId}\n`)
  return c.json({})
})
const { address } = await serveApp(app)
process.send?.(address)
