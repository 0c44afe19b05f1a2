// What goes past the sidecar beside a decision: what its own answers say to caches, what a caller may not tell the upstream,
// and credentials of somebody else.
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { createForwardAuth } from "../../src/sidecar/forward-auth.ts"
import { newId } from "../../src/token/id.ts"
import { signProof } from "../../src/token/proof.ts"
import { generatePrivateJwk, importSigningKey } from "../../src/token/signature.ts"
import type { VerifierOptions } from "../../src/verifier/options.ts"
import { closeServer, sendRaw } from "../support/guarded-api.ts"
import { bearer, partsOf } from "../support/hosted-api.ts"
import { listen } from "../support/hosts.ts"
import { API } from "../support/issuer-stub.ts"
import { CLOSE, openProxied, type Proxied, pairsOf } from "../support/proxied.ts"
import { ROUTES } from "../support/sidecar-host.ts"

const closing: (() => Promise<unknown>)[] = []
let api: Proxied
const open = async (options: Partial<VerifierOptions> = {}) => {
  api = await openProxied(options)
  closing.push(() => api.close())
}
afterEach(async () => {
  api.endProxies()
  for (const close of closing.splice(0).reverse()) await close()
})

/** As a proxy in front asks about a GET of ticket 42. */
async function ask(...headers: string[]) {
  const { verifier } = api
  const options = { verifier, resource: API, routes: ROUTES, front: "envoy" } as const
  const server = await listen(createServer(createForwardAuth(options)))
  closing.push(() => closeServer(server))
  const { port } = server.address() as AddressInfo
  const lines = ["GET /check/tickets/42 HTTP/1.1", "Host: x", CLOSE, ...headers, "", ""]
  const { status, text } = await sendRaw(String(port), lines.join("\r\n"))
  const { header } = partsOf(text)
  return { status, told: ["cache-control", "vary", "dpop-nonce"].map(header) }
}

describe("asked whether a request may pass, a yes says", () => {
  const NOT_SHARED = ["no-store", "Authorization, DPoP"]

  test("that no cache may give it to others", async () => {
    await open()
    expect(await ask(bearer(api.mint()))).toEqual({ status: 200, told: [...NOT_SHARED, undefined] })
  })

  test("the nonce of the next proof to who proves a key", async () => {
    await open({ dpopNonces: true })
    const key = importSigningKey(generatePrivateJwk("ES256"))
    const accessToken = api.mint(newId("task"), "42", key.thumbprint)
    const prove = (nonce?: string) => {
      const proof = { method: "GET", url: `${API}/tickets/42`, accessToken, now: api.seconds(), nonce }
      return [`Authorization: DPoP ${accessToken}`, `DPoP: ${signProof(proof, key)}`]
    }
    const nonce = (await ask(...prove())).told[2]
    expect(await ask(...prove(nonce))).toEqual({ status: 200, told: [...NOT_SHARED, nonce] })
    expect(nonce).toMatch(/^[\w-]{43}$/)
  })
})

describe("an upstream", () => {
  test.each([
    "X-Rewrite-URL: /tickets/43",
    "x_rewrite_url: /tickets/43",
    "X-Original-URL: /tickets/43",
    "X-Forwarded-Uri: /tickets/43",
    "X-Real-IP: 127.0.0.1",
  ])("C33 is not told %s", async (lie) => {
    await open()
    const { send, got } = await api.beforeWitness()
    expect((await send("GET /tickets/42", bearer(api.mint()), CLOSE, lie, "X-Kept: 1")).status).toBe(200)
    expect(got.flatMap(pairsOf).join("\n")).toMatch(/X-Kept: 1/)
    expect(got.flatMap(pairsOf).join("\n")).not.toContain(lie.split(": ")[0])
  })

  describe("of a verifier that leaves others' credentials to the host", () => {
    beforeEach(() => open({ others: "next" }))

    test.each([
      ["another's bearer token", "Authorization: Bearer opaque-of-somebody-else"],
      ["a password", "Authorization: Basic YTpi"],
    ])("sees nothing that came with %s", async (_what, credential) => {
      const { send, got } = await api.beforeWitness()
      const { status, text } = await send("GET /tickets/42", credential, CLOSE)
      expect([status, got]).toEqual([401, []])
      expect(text).toContain('"code":"token_missing"')
    })
  })
})
