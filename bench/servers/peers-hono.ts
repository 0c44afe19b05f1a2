// Peers on Hono, both of which record nothing: its own jwk middleware with static keys, and jose's jwtVerify by hand.
import { readFileSync } from "node:fs"
import { createServer } from "node:http"
import { getRequestListener } from "@hono/node-server"
import { Hono } from "hono"
import { jwk } from "hono/jwk"
import { createLocalJWKSet, jwtVerify } from "jose"
import { announce } from "./listen.ts"

const given = JSON.parse(readFileSync(process.argv[2] ?? "", "utf8"))
const { issuer, resource: audience } = given
const keys = createLocalJWKSet(given.jwks)
const ticket = (id: string) => ({ id, subject: "Printer on fire", state: "open" })

const checked = jwk({
  keys: given.jwks.keys,
  alg: ["ES256"],
  verification: { iss: issuer, aud: audience, typ: "at+jwt" },
})
const app = new Hono()
  .get("/jwk/:id", checked, (c) => c.json(ticket(c.req.param("id"))))
  .get("/jose/:id", async (c) => {
    const token = c.req.header("authorization")?.slice("Bearer ".length) ?? ""
    const { payload } = await jwtVerify(token, keys, {
      issuer,
      audience,
      typ: "at+jwt",
      algorithms: ["ES256"],
    })
    if (!String(payload.scope).split(" ").includes("tickets:read")) return c.body(null, 403)
    return c.json(ticket(c.req.param("id")))
  })

announce(createServer(getRequestListener(app.fetch)), (origin) => ({
  url: `${origin}/jose/SUP-1042`,
  method: "GET",
  headers: { authorization: `Bearer ${given.token}` },
}))
