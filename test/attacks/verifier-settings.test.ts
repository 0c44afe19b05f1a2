// L21, L23 Ways to turn a guard off, or wider, that there are not: the environment, and what is changed behind it when it
// runs.
import { type ChildProcess, fork } from "node:child_process"
import { readFileSync } from "node:fs"
import type { IncomingMessage, ServerResponse } from "node:http"
import { join } from "node:path"
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest"
import { guard } from "../../src/guard/node.ts"
import { guarded, type Route } from "../../src/guard/node-mount.ts"
import { createRoutes, type RouteRule } from "../../src/sidecar/routes.ts"
import { systemClock } from "../../src/time.ts"
import { createVerifier, type Verifier } from "../../src/verifier/verifier.ts"
import { newFolder, optionsOf, removeFolder, startVerifier } from "../support/guarded-api.ts"
import { statusesOf } from "../support/hosted-api.ts"
import { API_PRIVATE_JWK, type IssuerStub, startIssuerStub } from "../support/issuer-stub.ts"
import { listSources, ROOT, readSource } from "../support/source.ts"

const PATH = "/tickets/SUP-1042"

describe("the environment", () => {
  const SWITCHES = {
    NODE_ENV: "development",
    ENV: "test",
    DEBUG: "*",
    CI: "true",
    ...Object.fromEntries(
      ["SKIP", "DISABLE", "NO", "BYPASS", "INSECURE_SKIP"].flatMap((verb) =>
        ["AUTH", "VERIFY", "GUARD", "CHECK"].flatMap((what) => [
          [`${verb}_${what}`, "1"],
          [`TASKMINT_${verb}_${what}`, "true"],
        ]),
      ),
    ),
    TASKMINT_ENABLED: "false",
    TASKMINT_DEV: "1",
    TASKMINT_MODE: "observe",
    TASKMINT_OBSERVE: "2099-01-01T00:00:00Z",
    TASKMINT_OTHERS: "next",
    TASKMINT_RECORDING: "none",
    TASKMINT_ISSUER: "http://127.0.0.1:1",
    TASKMINT_RESOURCE: "https://evil.example",
    TASKMINT_DANGEROUSLY_ALLOW_PLAIN_HTTP: "1",
  }
  let stub: IssuerStub
  let child: ChildProcess | undefined
  const folder = newFolder()
  beforeAll(async () => {
    stub = await startIssuerStub(systemClock)
  })
  afterEach(() => void child?.kill("SIGKILL"))
  afterAll(async () => {
    await stub.close()
    removeFolder(folder)
  })

  test("L23 has no switch: a guard with every one of them set refuses as ever", async () => {
    const args = [stub.issuer, JSON.stringify(API_PRIVATE_JWK), join(folder, "uses.db"), join(folder, "log")]
    const env = { PATH: process.env.PATH, ...SWITCHES }
    const started = fork(join(ROOT, "test/support/guarded-child.ts"), args, { env })
    child = started
    const address = await new Promise<string>((resolve, reject) => {
      started.once("message", (message) => resolve(String(message)))
      started.once("exit", (code) => reject(new Error(`the child ended with ${code}`)))
    })
    const ask = async (token?: string, path = PATH) => {
      const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
      const answer = await fetch(`${address}${path}`, { headers })
      return [answer.status, answer.headers.get("taskmint-observed")]
    }
    expect(await ask()).toEqual([401, null])
    expect(await ask("junk")).toEqual([401, null])
    expect(await ask(`${stub.mint()}x`)).toEqual([401, null])
    expect(await ask(stub.mint(), "/tickets/SUP-1043")).toEqual([403, null])
    expect(readFileSync(join(folder, "log"), "utf8")).toBe("")
    expect(await ask(stub.mint())).toEqual([200, null])
  })

  test("L23 is not read by anything that a verifier loads", () => {
    const rooms = /^src\/(errors|time|token|remote|spool|verifier|guard|ledger|database)(\/|\.ts$)/
    const sources = listSources("src")
      .filter((path) => rooms.test(path))
      .map(readSource)
    expect(sources.length).toBeGreaterThan(80)
    const reads =
      /process\s*(\.|\[\s*["'])env|import\.meta\.env|\bNODE_ENV\b|\bTASKMINT_(?!(OBSERVE|LEDGER_FORKED)")[A-Z]/
    expect(sources.filter(({ text }) => reads.test(text)).map(({ path }) => path)).toEqual([])
    const imported = /import\s*(?:process|\*|\{[^}]*\b(?:env|default)\b[^}]*\})[^"]*from "node:process"/
    expect(sources.filter(({ text }) => imported.test(text)).map(({ path }) => path)).toEqual([])
  })
})

describe("what is changed when the guard runs", () => {
  let started: Awaited<ReturnType<typeof startVerifier>>
  beforeAll(async () => {
    started = await startVerifier()
  })
  afterAll(() => started.close())

  test("L21 the sidecar's rules, in their list and each by itself, change nothing", () => {
    const rule = { method: "GET", path: "/tickets/{id}", operation: "tickets:read", resource: "tickets/{id}" }
    const rules: RouteRule[] = [rule]
    const find = createRoutes(rules)
    Object.assign(rule, { method: "DELETE", path: "/{id}", operation: "tickets:close", resource: "{id}" })
    rules.push({ ...rule, path: "/all/{id}" })
    expect(find("DELETE", "/x")).toBe("unmapped")
    expect(find("DELETE", "/all/x")).toBe("unmapped")
    const found = find("GET", PATH)
    if (typeof found === "string") throw new Error(found)
    expect(found.route.rule).toEqual({
      method: "GET",
      path: "/tickets/{id}",
      operation: "tickets:read",
      resource: "tickets/{id}",
    })
    expect(found.route.target.bind(found.parameters)?.resource).toEqual(["tickets", "SUP-1042"])
    expect(Object.isFrozen(found.route.rule)).toBe(true)
  })

  test("L21 a route that joins a mounted table, or loses its guard there, is served by nothing new", async () => {
    const ran: string[] = []
    const handler = (_: IncomingMessage, res: ServerResponse) => {
      ran.push("ran")
      res.end()
    }
    const one: Route = {
      method: "GET",
      path: "/tickets/:id",
      guard: guard(started.verifier, "tickets:read", "tickets/{id}"),
      handler,
    }
    const routes = [one]
    const serve = guarded(started.verifier, routes)
    const { guard: _, ...bare } = one
    const late: Route = { ...bare, path: "/late/:id" }
    routes.push(late)
    Reflect.deleteProperty(one, "guard")
    const parameters = { id: "SUP-1043" }
    const asked = (route: Route) =>
      statusesOf(started.stub.mint(), (req, res) => void serve(req, res, route, parameters), "/")
    expect([await asked(one), await asked(late)]).toEqual([[403], [403]])
    expect(ran).toEqual([])
  })

  test("L21 options are read once", async () => {
    const folder = newFolder()
    const options = optionsOf(started.stub.issuer, join(folder, "uses.db"), { clock: started.clock })
    const verifier: Verifier = await createVerifier(options)
    Object.assign(options, {
      others: "next",
      mode: { observe: { until: "2026-03-02T00:00:00Z" } },
      resource: "https://other.example",
      issuer: "https://other.example",
      recording: "batched",
    })
    const view = { method: "GET", target: PATH, rawHeaders: [] }
    expect(await verifier.check(view, "tickets:read", ["tickets", "SUP-1042"])).toMatchObject({
      outcome: "refused",
      code: "token_missing",
    })
    expect(verifier.metadata.answer.body).not.toContain("other.example")
    expect(Object.isFrozen(verifier.metadata.answer)).toBe(true)
    await verifier.close()
    removeFolder(folder)
  })
})
