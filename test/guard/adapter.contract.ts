// What every adapter promises, held against one framework at a time: real sockets, bytes as an attacker would write them,
// real tokens. Where frameworks differ is in the tables of adapters.test.ts.
import { connect } from "node:net"
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest"
import { newId } from "../../src/token/id.ts"
import { signProof } from "../../src/token/proof.ts"
import { generatePrivateJwk, importSigningKey } from "../../src/token/signature.ts"
import { bearer, type HostedApi, METADATA, openHost } from "../support/hosted-api.ts"
import type { Host } from "../support/hosts.ts"
import { API } from "../support/issuer-stub.ts"
import { describeObserving } from "./observe.contract.ts"
import { describeRefusals } from "./refusal.contract.ts"
import { describeRouter } from "./router.contract.ts"

export interface Differences {
  /** The status that a use keeps whose client left before the answer. */
  readonly away: number | undefined
  /** What is listed at the start: what the host has and no guard covers. */
  readonly unmapped: readonly string[]
  /** How the host writes a route. */
  readonly route?: (path: string) => string
  /** Of a request for what is outside of the guarded mount; a host may have no outside. */
  readonly health?: number
}

export function describeAdapter(host: Host, differences: Differences) {
  const { route = (path) => path, health = 200 } = differences
  let api: HostedApi
  beforeAll(async () => {
    api = await openHost(host)
  })
  afterEach(() => {
    api.seen.handled.length = 0
    api.seen.act = () => undefined
    expect(api.seen.unguarded).toEqual([])
  })
  afterAll(() => api.close())
  const LINE = "GET /tickets/42"
  const key = importSigningKey(generatePrivateJwk("ES256"))
  const prove = (token: string, path: string, method = "GET") =>
    signProof({ method, url: `${API}${path}`, accessToken: token, now: api.seconds() }, key)

  describe("an allowed request", () => {
    test("reaches its handler with the checked values, and its use has route, status and duration", async () => {
      const task = newId("task")
      api.seen.act = () => api.clock.advance(1500)
      const answer = await api.send(`${LINE}?id=43&status=x`, bearer(api.mint({ txn: task })))
      expect([answer.status, answer.json()]).toEqual([201, { id: "42" }])
      const [handled] = api.seen.handled
      expect(handled?.use).toEqual({
        task,
        agent: "triage-bot",
        instance: "pod-7f3c",
        sub: "support-orchestrator",
        orchestrator: "support-orchestrator",
        operation: "tickets:read",
        resource: ["tickets", "42"],
        parameters: { id: "42" },
        useId: expect.stringMatching(/^use_/),
      })
      const [use, ...more] = await api.usesOf(task)
      expect(more).toEqual([])
      expect(use).toMatchObject({
        id: handled?.use.useId,
        actor: "triage-bot/pod-7f3c",
        client: "support-orchestrator",
        api: API,
        operation: "tickets:read",
        resource: ["tickets", "42"],
        method: "GET",
        route: route("/tickets/:id"),
        decision: "allowed",
        status: 201,
        duration_ms: 1500,
      })
      expect(JSON.stringify(use)).not.toContain("?")
    })

    test("has no credential left on it, in any header that the handler can look at, read before or not", async () => {
      const headers = [bearer(api.mint()), "DPoP: proof", "X-Kept: yes"]
      expect((await api.send(LINE, ...headers)).status).toBe(201)
      expect(api.seen.handled[0]?.headers).toMatch(/x-kept.*yes/i)
      expect(api.seen.handled[0]?.headers).not.toMatch(/authorization|dpop|bearer|eyJ/i)
    })

    test("proves its key on the path as it was sent, also in a router of its own", async () => {
      const token = api.mint({ jkt: key.thumbprint })
      for (const path of ["/tickets/42", "/nested/42"]) {
        const headers = [`Authorization: DPoP ${token}`, `DPoP: ${prove(token, path)}`]
        expect((await api.send(`GET ${path}?x=1`, ...headers)).status).toBe(201)
        const again = await api.send(`GET ${path}`, ...headers)
        expect([again.status, again.json()]).toMatchObject([401, { code: "proof_invalid" }])
      }
      const elsewhere = [`Authorization: DPoP ${token}`, `DPoP: ${prove(token, "/42")}`]
      expect((await api.send("GET /nested/42", ...elsewhere)).status).toBe(401)
      expect(api.seen.handled.map(({ use }) => use.parameters.id)).toEqual(["42", "42"])
    })

    test("C26 by HEAD is a use of the GET route, with its own method; by another method it finds no route", async () => {
      const task = newId("task")
      const answer = await api.send("HEAD /reports/42", bearer(api.mint({ txn: task })))
      expect([answer.status, answer.text.split("\r\n\r\n")[1]]).toEqual([201, ""])
      expect(await api.usesOf(task)).toMatchObject([
        { method: "HEAD", route: route("/reports/:id"), status: 201 },
      ])
      for (const method of ["POST", "OPTIONS", "DELETE", "PUT"])
        expect((await api.send(`${method} /reports/42`, bearer(api.mint()))).status).toBe(403)
      expect((await api.send("HEAD /reports/43", bearer(api.mint()))).status).toBe(403)
    })
  })

  describeRefusals(() => api, host)
  describeRouter(() => api, host)

  describe("the outcome", () => {
    test("of a handler that throws is a use with the status that went out", async () => {
      const task = newId("task")
      api.seen.act = () => Promise.reject(new Error("broken"))
      expect((await api.send(LINE, bearer(api.mint({ txn: task })))).status).toBe(500)
      expect(await api.usesOf(task)).toMatchObject([{ decision: "allowed", status: 500 }])
    })

    test("of a client that goes away is one use, and the handler runs to its end", async () => {
      const task = newId("task")
      const [entered, gone, held] = [0, 1, 2].map(() => Promise.withResolvers<void>())
      if (!entered || !gone || !held) throw new Error("three promises")
      let ended = false
      api.seen.act = async () => {
        entered.resolve()
        await held.promise
        ended = true
      }
      api.server.once("connection", (socket) => socket.once("close", () => gone.resolve()))
      const text = `${LINE} HTTP/1.1\r\nHost: x\r\n${bearer(api.mint({ txn: task }))}\r\n\r\n`
      const socket = connect(api.port, "127.0.0.1", () => socket.write(text))
      await entered.promise
      socket.destroy()
      await gone.promise
      held.resolve()
      const uses = await api.usesOf(task)
      expect(uses.map(({ decision, status }) => [decision, status])).toEqual([["allowed", differences.away]])
      expect(uses[0]?.duration_ms).toBe(0)
      await vi.waitFor(() => expect(ended).toBe(true))
    })
  })

  test("what can't be told is 503 with Retry-After, never invalid, and reaches no handler", async () => {
    const other = await openHost(host, { spool: { limitBytes: 128 * 1024 } })
    const expectUnknown = async (line: string, code: string, token: string) => {
      const answer = await other.send(line, bearer(token))
      expect([answer.status, answer.header("retry-after")]).toEqual([503, "2"])
      expect(answer.header("www-authenticate")).toBeUndefined()
      expect(answer.json()).toMatchObject({ code, next: "wait" })
    }
    other.stub.setDown(true)
    const txn = newId("task")
    let served = 0
    while ((await other.send(LINE, bearer(other.mint({ txn })))).status === 201) served += 1
    await expectUnknown(LINE, "recording_unavailable", other.mint({ txn }))
    other.clock.advance(40_000) // also until keys are asked for again
    await expectUnknown(LINE, "keys_unavailable", other.mint({}, key))
    await expectUnknown("POST /tickets/42/close", "revocations_stale", other.mint())
    expect(served).toBeGreaterThan(0)
    expect(other.seen.handled.length).toBe(served)
    await other.close()
  })

  if (host.name !== "sidecar")
    test('others: "next" leaves what is not ours to the host, untouched, and nothing that names our issuer', async () => {
      const other = await openHost(host, { others: "next" })
      const foreign = `x.${Buffer.from('{"iss":"https://login.example"}').toString("base64url")}.x`
      const theirs = "Authorization: Basic dGhlaXJz"
      expect((await other.send(LINE, theirs)).json()).toEqual({ theirs: true })
      for (const headers of [[], [bearer("opaque")], [bearer(foreign)]])
        expect(await other.send(LINE, ...headers)).toMatchObject({
          status: 401,
          text: expect.stringContaining("theirs"),
        })
      const ours = bearer(other.mint())
      for (const headers of [[bearer(`${other.mint()}x`)], [theirs, ours], [ours, theirs]])
        expect((await other.send(LINE, ...headers)).text).not.toContain("theirs")
      for (const name of ["access_token", "%61ccess_token", "access_toke%6E"])
        for (const headers of [[], [theirs]]) {
          const answer = await other.send(`${LINE}?${name}=${other.mint()}`, ...headers)
          expect([name, answer.status]).toEqual([name, 400])
        }
      expect((await other.send("GET /open", theirs)).status).toBe(403)
      expect(other.seen.handled).toEqual([])
      expect((await other.send(LINE, ours)).status).toBe(201)
      await other.close()
    })

  describeObserving(host)

  test("F10 where nonces are wanted, an answer names the next one, and a proof without is asked for again", async () => {
    const other = await openHost(host, { dpopNonces: true })
    const token = other.mint({ jkt: key.thumbprint })
    const send = (nonce?: string) => {
      const input = { method: "GET", url: `${API}/tickets/42`, accessToken: token, now: other.seconds() }
      return other.send(LINE, `Authorization: DPoP ${token}`, `DPoP: ${signProof({ ...input, nonce }, key)}`)
    }
    const first = await send()
    expect([first.status, first.json()]).toMatchObject([401, { code: "proof_nonce_wanted", next: "renew" }])
    expect(first.header("www-authenticate")).toMatch(/^DPoP error="use_dpop_nonce", algs=/)
    const nonce = first.header("dpop-nonce") ?? ""
    expect(nonce).toMatch(/^[\w-]{43}$/)
    const second = await send(nonce)
    expect([second.status, second.header("dpop-nonce")]).toEqual([201, nonce])
    expect((await other.send(LINE, bearer(other.mint()))).header("dpop-nonce")).toBeUndefined()
    await other.close()
  })

  describe("C28 what no guard covers", () => {
    test("is listed at the start", () => {
      expect(api.unmapped).toEqual(differences.unmapped)
    })

    test("is refused, with a token and without, and recorded nowhere", async () => {
      const task = newId("task")
      for (const headers of [[], [bearer(api.mint({ txn: task }))]])
        for (const line of [
          "GET /open",
          "HEAD /open",
          "POST /open",
          "OPTIONS /open",
          "GET /",
          "GET /nowhere",
          "GET /nested",
          "GET /tickets",
        ]) {
          const answer = await api.send(line, ...headers)
          expect([line, answer.status]).toEqual([line, 403])
          expect(answer.header("www-authenticate")).toBe(`Bearer error="insufficient_scope", ${METADATA}`)
          if (!line.startsWith("HEAD"))
            expect(answer.json()).toMatchObject({ code: "route_unmapped", next: "stop" })
        }
      expect(await api.usesOf(task)).toEqual([])
      expect((await api.send("GET /health")).status).toBe(health)
    })

    if (differences.unmapped.length > 0)
      test.each([{ strict: true, onUnmapped: () => undefined }, { strict: true }, {}])(
        "stops the start with %o",
        async (options) => {
          const start = host.start(api.verifier, api.seen, options)
          await expect(start).rejects.toThrow(TypeError)
          await expect(start).rejects.toThrow(/GET \/open/)
        },
      )
  })

  test("the resource's metadata is served where every challenge says it is", async () => {
    const address = /resource_metadata="([^"]+)"/.exec(
      (await api.send(LINE)).header("www-authenticate") ?? "",
    )?.[1]
    const answer = await api.send(`GET ${new URL(address ?? "").pathname}`)
    expect([answer.status, answer.header("content-type")]).toEqual([200, "application/json"])
    expect(answer.json()).toEqual({
      resource: API,
      authorization_servers: [api.stub.issuer],
      bearer_methods_supported: ["header"],
      authorization_details_types_supported: ["task_grant"],
      dpop_signing_alg_values_supported: ["ES256", "EdDSA"],
    })
  })
}
