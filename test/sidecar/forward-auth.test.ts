// The sidecar as the one who is asked: where each proxy says what the request was, and that nothing else is believed.
import { readFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { parse } from "yaml"
import { createForwardAuth, FRONTS, type Front } from "../../src/sidecar/forward-auth.ts"
import { newId } from "../../src/token/id.ts"
import { signProof } from "../../src/token/proof.ts"
import { generatePrivateJwk, importSigningKey } from "../../src/token/signature.ts"
import { closeServer, sendRaw } from "../support/guarded-api.ts"
import { bearer } from "../support/hosted-api.ts"
import { listen } from "../support/hosts.ts"
import { API } from "../support/issuer-stub.ts"
import { CLOSE, openProxied, type Proxied } from "../support/proxied.ts"
import { ROUTES } from "../support/sidecar-host.ts"

let api: Proxied
let servers: Record<Front, Awaited<ReturnType<typeof listen>>>
beforeAll(async () => {
  api = await openProxied()
  const open = (front: Front) => {
    const check = createForwardAuth({ verifier: api.verifier, resource: API, routes: ROUTES, front })
    const server = createServer(check)
    server.maxHeadersCount = 0 // as the guard's has
    return listen(server)
  }
  servers = { nginx: await open("nginx"), traefik: await open("traefik"), envoy: await open("envoy") }
})
afterAll(async () => {
  for (const server of Object.values(servers)) await closeServer(server)
  await api.close()
})

const raw = (front: Front, line: string, ...headers: string[]) => {
  const { port } = servers[front].address() as AddressInfo
  return sendRaw(String(port), [`${line} HTTP/1.1`, "Host: x", CLOSE, ...headers, "", ""].join("\r\n"))
}
interface EnvoyFilter {
  readonly typed_config: {
    readonly http_service: {
      readonly authorization_request: {
        readonly allowed_headers: { readonly patterns: { exact?: string; safe_regex?: { regex: string } }[] }
      }
    }
  }
}

const MANY = Array.from({ length: 1000 }, () => "a:")
/** As that proxy asks. */
const ask = (front: Front, method: string, target: string, ...headers: string[]) =>
  ({
    nginx: () =>
      raw(front, "GET /check", `X-Original-Method: ${method}`, `X-Original-URI: ${target}`, ...headers),
    traefik: () =>
      raw(front, "GET /check", `X-Forwarded-Method: ${method}`, `X-Forwarded-Uri: ${target}`, ...headers),
    envoy: () => raw(front, `${method} /check${target}`, ...headers),
  })[front]()

describe.each(FRONTS)("asked by %s", (front) => {
  test("it says who may, and whose request it is", async () => {
    const task = newId("task")
    const answer = await ask(
      front,
      "POST",
      "/tickets/42/close?a=b",
      bearer(api.mint(task)),
      "Taskmint-Task: x",
    )
    expect(answer.status).toBe(200)
    expect(answer.text).toMatch(new RegExp(`^Taskmint-Task: ${task}\r$`, "m"))
    expect(answer.text).toMatch(/^Taskmint-Agent: triage-bot\/pod-7f3c\r$/m)
    expect(answer.text).toMatch(/^Taskmint-Resource: tickets\/42\r$/m)
    const [use, ...more] = await api.usesOf(task)
    expect(more).toEqual([])
    expect(use).toMatchObject({ method: "POST", route: "/tickets/{id}/close", operation: "tickets:close" })
    expect(use).not.toHaveProperty("status")
  })

  test.each([
    ["GET", "/tickets/42", 401, () => []],
    ["GET", "/tickets/43", 403, () => [bearer(api.mint())]],
    ["DELETE", "/tickets/42", 403, () => [bearer(api.mint())]],
    ["GET", "/nowhere", 403, () => [bearer(api.mint())]],
    ["GET", "/tickets/43/../42", 400, () => [bearer(api.mint())]],
    ["GET", "/tickets/4%32", 400, () => [bearer(api.mint())]],
    ["GET", "/tickets/42", 400, () => [bearer(api.mint()), bearer(api.mint())]],
    ["GET", "/tickets/42", 400, () => [bearer(api.mint()), "X-HTTP-Method-Override: DELETE"]],
  ])("%s %s is %i", async (method, target, status, headers) => {
    expect((await ask(front, method, target, ...headers())).status).toBe(status)
  })

  test("a proof is for the original request", async () => {
    const key = importSigningKey(generatePrivateJwk("ES256"))
    const token = api.mint(undefined, "42", key.thumbprint)
    const prove = (path: string, method = "GET") =>
      signProof({ method, url: `${API}${path}`, accessToken: token, now: api.seconds() }, key)
    const headers = (proof: string) => [`Authorization: DPoP ${token}`, `DPoP: ${proof}`]
    expect((await ask(front, "GET", "/tickets/42", ...headers(prove("/check")))).status).toBe(401)
    expect((await ask(front, "GET", "/tickets/42", ...headers(prove("/tickets/42", "POST")))).status).toBe(
      401,
    )
    expect((await ask(front, "GET", "/tickets/42?x", ...headers(prove("/tickets/42")))).status).toBe(200)
  })
})

test.each([
  ["nginx", "GET /check", []],
  ["nginx", "GET /check", ["X-Original-Method: GET"]],
  ["nginx", "GET /check", ["X-Original-URI: /tickets/42"]],
  ["nginx", "GET /check", ["X-Forwarded-Method: GET", "X-Forwarded-Uri: /tickets/42"]],
  [
    "nginx",
    "GET /check",
    ["X-Original-Method: GET", "X-Original-URI: /tickets/42", "X-Original-URI: /tickets/42"],
  ],
  [
    "nginx",
    "GET /check",
    ["X-Original-Method: GET", "x-original-method: GET", "X-Original-URI: /tickets/42"],
  ],
  ["traefik", "GET /check", ["X-Original-Method: GET", "X-Original-URI: /tickets/42"]],
  ["traefik", "GET /check/tickets/42", []],
  ["envoy", "GET /check", ["X-Original-Method: GET", "X-Original-URI: /tickets/42"]],
] as const)("C33 %s, %s with %j: not known what was asked", async (front, line, headers) => {
  expect((await raw(front, line, bearer(api.mint()), ...headers)).status).toBe(400)
})

test("C34 a question with so many headers that some may be dropped is not known whole", async () => {
  for (const front of FRONTS)
    expect((await ask(front, "GET", "/tickets/42", bearer(api.mint()), ...MANY)).status).toBe(400)
})

test("C27 the example for Envoy hands over every header that is looked at", async () => {
  const [, example = ""] =
    /^```yaml\n(- name: envoy[\s\S]*?)^```/m.exec(readFileSync("docs/sidecar.md", "utf8")) ?? []
  const [filter]: EnvoyFilter[] = parse(example)
  const { patterns = [] } = filter?.typed_config.http_service.authorization_request.allowed_headers ?? {}
  const exact = patterns.map((one) => one.exact)
  const whole = patterns.flatMap((one) =>
    one.safe_regex ? [new RegExp(`^(?:${one.safe_regex.regex})$`)] : [],
  )
  const isGiven = (name: string) => exact.includes(name) || whole.some((one) => one.test(name))
  expect(["authorization", "dpop"].every(isGiven)).toBe(true)
  expect(["cookie", "x-methods", "x-request-id"].some(isGiven)).toBe(false)
  for (const name of [
    "x-http-method-override",
    "x-method-override",
    "x-http-method",
    "x-method",
    "x_http_method_override",
    "x.http-method_override",
  ]) {
    expect([name, isGiven(name)]).toEqual([name, true])
    expect((await ask("envoy", "GET", "/tickets/42", bearer(api.mint()), `${name}: DELETE`)).status).toBe(400)
  }
})

test("it serves nothing but the question and its metadata", async () => {
  const headers = [bearer(api.mint()), "X-Original-Method: GET", "X-Original-URI: /tickets/42"]
  for (const line of ["GET /", "GET /checks", "GET /tickets/42", "GET http://x/check", "GET /check%2f"])
    expect([line, (await raw("nginx", line, ...headers)).status]).toEqual([line, 404])
  expect((await raw("nginx", `GET ${api.verifier.metadata.path}`)).text).toContain(`"resource":"${API}"`)
})
