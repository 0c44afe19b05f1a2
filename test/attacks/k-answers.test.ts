// Catalogue K07, K17, K21 and K22: what answers are to a browser that is led to them, what they tell about the issuer, and
// that nothing in a request makes the issuer call anybody. Every endpoint of the issuer's own document is asked.
import { createServer, type Server } from "node:net"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import type { Call } from "../support/issuer-house.ts"
import { START } from "../support/issuer-house.ts"
import { type Asked, emptyBody, lineWith, surfaceOf } from "../support/surface.ts"
import { openUsers, type Users } from "../support/users.ts"

const HOSTILE = `<script>alert(1)</script><img src=x onerror=alert(1)>"'=HYPERLINK("http://evil.example")`
let users: Users
let house: Users["house"]
let surface: Asked[]
let taskId: string

beforeAll(async () => {
  users = await openUsers()
  house = users.house
  surface = await surfaceOf(house)
  const { body } = await users.startFor({ email: HOSTILE }, { purpose: HOSTILE, reference: `@${HOSTILE}` })
  taskId = String(body.task_id)
  expect(taskId).toMatch(/^task_/)
})
afterAll(() => house.remove())

/** Each endpoint as nobody, then as one of those who may ask; with the task that is there. */
async function* everyAnswer(headers: Record<string, string> = {}): AsyncGenerator<[what: string, Response]> {
  for (const asked of surface) {
    const [given] = asked.parameters
    const line = given ? lineWith(asked, given, given.place === "path" ? taskId : HOSTILE) : asked.path
    for (const as of new Set([undefined, asked.callers[0]]))
      for (const path of new Set([line, asked.path])) {
        const call: Call = { ...(as && { as }), ...emptyBody(asked) }
        const answer = await house.call(asked.method, path, {
          ...call,
          headers: { ...call.headers, ...headers },
        })
        yield [`${asked.method} ${path} as ${as}`, answer]
      }
  }
}

describe("K07 text of others in what browsers and spreadsheets open", () => {
  test("K07 no answer is a page unless it is one of ours, and none is guessed to be", async () => {
    let bodies = 0
    for await (const [what, answer] of everyAnswer({
      accept: "*/*",
      "user-agent": HOSTILE,
      referer: HOSTILE,
    })) {
      if (answer.body === null) continue
      bodies += 1
      const type = answer.headers.get("content-type") ?? ""
      if (!what.includes("/console")) expect(type, what).not.toMatch(/html|xml|svg|javascript|css/)
      expect(answer.headers.get("x-content-type-options"), what).toBe("nosniff")
      if (type.includes("event-stream")) await answer.body.cancel()
      else if (answer.status >= 400) expect(await answer.text(), what).not.toContain("<script>")
    }
    expect(bodies).toBeGreaterThan(100)
  })

  test("K07 an export is saved under a name of ours, whatever was looked for", async () => {
    for (const format of ["csv", "ndjson"]) {
      const query = new URLSearchParams({ format, agent: `x";filename=evil.html` })
      const answer = await house.call("GET", `/ledger/export?${query}`, { as: "audit-team" })
      expect(answer.headers.get("content-disposition")).toMatch(
        /^attachment; filename="entries-up-to-\d+\.(csv|ndjson)"$/,
      )
      await answer.text()
    }
  })

  test("K07 CSV has no cell that runs, of a purpose, a reference or a person's name", async () => {
    const answer = await house.call("GET", `/ledger/export?format=csv&task=${taskId}`, { as: "audit-team" })
    const cells = readCsv(await answer.text()).flat()
    expect(cells.filter((cell) => /^[=+\-@\t\r\n]/.test(cell))).toEqual([])
    expect(cells).toContain(`'@${HOSTILE}`)
    expect(cells).toContain(`people/${HOSTILE}`)
  })

  test("K07 JSON holds it as it came, once parsed, and nothing of the browser that asked", async () => {
    const agent = { "user-agent": "user-agent-canary", referer: "https://referer-canary.example/" }
    const shown = await house.ask("GET", `/tasks/${taskId}`, { as: "audit-team", headers: agent })
    expect(shown.body).toMatchObject({ sub: `people/${HOSTILE}`, reference: `@${HOSTILE}` })
    const answer = await house.call("GET", "/ledger/entries?limit=1000", { as: "audit-team", headers: agent })
    expect(await answer.text()).not.toMatch(/canary/)
  })
})

/** RFC 4180. */
const readCsv = (text: string): string[][] =>
  text
    .split("\r\n")
    .filter((line) => line !== "")
    .map((line) =>
      [...line.matchAll(/("(?:[^"]|"")*"|[^,]*)(,|$)/g)].map(([, cell = ""]) =>
        cell.startsWith('"') ? cell.slice(1, -1).replaceAll('""', '"') : cell,
      ),
    )

describe("K17 addresses in requests", () => {
  let canary: Server
  let address: string
  let connections = 0
  beforeAll(async () => {
    canary = createServer((socket) => {
      connections += 1
      socket.destroy()
    })
    await new Promise<void>((resolve) => canary.listen(0, "127.0.0.1", resolve))
    const bound = canary.address()
    address = `http://127.0.0.1:${typeof bound === "object" ? bound?.port : 0}/x`
  })
  afterAll(() => new Promise((resolve) => canary.close(resolve)))

  test("K17 are not called, in whatever parameter, header or body they stand", async () => {
    const headers = {
      host: address.slice(7, -2),
      origin: address,
      referer: address,
      "x-forwarded-host": address,
      forwarded: `host=${address}`,
      "last-event-id": address,
    }
    for (const asked of surface)
      for (const given of asked.parameters) {
        const [as] = asked.callers
        const call = { ...(as && { as }), ...emptyBody(asked) }
        const line = lineWith(asked, given, address)
        await (
          await house.call(asked.method, line, { ...call, headers: { ...call.headers, ...headers } })
        ).body?.cancel()
      }
    const as = "support-orchestrator"
    const bodies = [
      { ...START, purpose: address, reference: address },
      { ...START, resources: [address] },
      { ...START, type: "triage-for-user", subject_token: users.token({ iss: address }) },
      { ...START, type: "triage-for-user", subject_token: users.token({}, { jku: address, x5u: address }) },
      {
        ...START,
        type: "triage-for-user",
        subject_token: users.token({ picture: address, jwks_uri: address }),
      },
    ]
    for (const json of bodies) await house.call("POST", "/tasks", { as, json })
    const order = { kind: "agent", value: "summarizer", reason: address }
    await house.call("POST", "/revocations", { as: "operations-team", json: order })
    for (const resource of [address, `${address}/api`])
      await house.form({
        grant_type: "client_credentials",
        client_assertion: "x.y.z",
        resource,
        redirect_uri: address,
      })
    expect(connections).toBe(0)
  })

  test("K17 and the canary would have noticed", async () => {
    await fetch(address).catch(() => undefined)
    expect(connections).toBe(1)
  })
})

describe("K21 what is told about the issuer itself", () => {
  test("K21 health says one word, and warnings of a closed list", async () => {
    expect(await (await house.call("GET", "/livez")).text()).toBe('{"status":"ok"}')
    expect(await (await house.call("GET", "/readyz")).text()).toBe('{"status":"ready","warnings":[]}')
  })

  test("K21 no answer to nobody tells a version, a path, a product or a name in a policy", async () => {
    const told = new Set<string>()
    // The document is the product's, the same for everybody, with examples of its own.
    for (const asked of surface.filter(({ path }) => path !== "/openapi.json")) {
      const answer = await house.call(asked.method, asked.path, emptyBody(asked))
      for (const name of answer.headers.keys()) told.add(name)
      const text = `${JSON.stringify([...answer.headers])} ${await answer.text()}`
      expect(text, asked.path).not.toMatch(
        /node[ /]?v?\d|hono|sqlite|postgres|\/tmp\/|\/src\/|0\.1\.0|triage-bot|audit-team/i,
      )
      expect(text, asked.path).not.toContain(house.folder)
    }
    expect([...told].filter((name) => /server|powered|via|version|runtime/.test(name))).toEqual([])
  })

  test("K21 nor does an issuer that is about to end", async () => {
    house.issuer.drain()
    const answer = await house.call("GET", "/readyz")
    expect([answer.status, await answer.text()]).toEqual([503, '{"status":"unready","warnings":[]}'])
    await house.restart()
  })
})

describe("K22 other sites' scripts", () => {
  test.each(["https://evil.example", "null"])(
    "K22 from %s nothing is opened to them but the public status lists, and credentials never",
    async (origin) => {
      for await (const [what, answer] of everyAnswer({ origin })) {
        await answer.body?.cancel()
        const opened = [...answer.headers].filter(([name]) => name.startsWith("access-control-"))
        const expected =
          what.includes("/status-lists") && answer.ok ? [["access-control-allow-origin", "*"]] : []
        expect(opened, what).toEqual(expected)
      }
    },
  )

  test("K22 a preflight is refused everywhere", async () => {
    for (const { path } of surface) {
      const headers = {
        origin: "https://evil.example",
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization",
      }
      const answer = await house.call("OPTIONS", path, { headers })
      expect([404, 405], path).toContain(answer.status) // 404: there in development alone
      expect(answer.headers.get("access-control-allow-origin"), path).toBeNull()
    }
  })
})
