import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe, expect, onTestFinished, test } from "vitest"
import { createCredential } from "../../src/cli/credential.ts"
import { patient } from "../../src/cli/patience.ts"
import { listen } from "../../src/cli/server.ts"
import { ClientError } from "../../src/client/error.ts"
import { NotNow } from "../../src/remote/service-token.ts"
import { startCli } from "../support/command-line.ts"

const error = (status: number | undefined, retryAfterSeconds?: number, cause?: Error) =>
  new ClientError("no", { code: "temporarily_unavailable", status, next: "wait", retryAfterSeconds, cause })

/** Calls that fail one after the other, and what a command then waited, noted and got. */
async function ask(failures: readonly ClientError[], method: "GET" | "POST" = "GET") {
  const left = [...failures]
  const waited: number[] = []
  const notes: string[] = []
  const attempt = async () => {
    const failure = left.shift()
    if (failure) throw failure
    return { status: 200, body: "answered" }
  }
  const issuer = patient(
    {
      issuer: "https://issuer.example",
      call: attempt,
      headers: async () => ({ authorization: String((await attempt()).body) }),
      serviceToken: async () => String((await attempt()).body),
    },
    { note: (line = "") => void notes.push(line) },
    async (milliseconds) => void waited.push(milliseconds),
  )
  const got = await issuer.call(method, "/tasks").then(
    ({ body }) => body,
    (thrown: unknown) => thrown,
  )
  return { got, waited, notes: notes.length }
}

const busy = error(503, 2)
const refused = error(403)
const silent = error(503)
const gone = error(undefined)

test.each([
  ["an answer at once", [], "answered", []],
  ["busy twice", [busy, busy], "answered", [2000, 2000]],
  ["busy for ten seconds", Array(5).fill(busy), "answered", Array(5).fill(2000)],
  ["busy for longer", Array(6).fill(busy), busy, Array(5).fill(2000)],
  ["no time at all", [error(503, 0)], "answered", [1000]],
  ["half a minute at once", [error(503, 30)], "thrown", []],
  ["no word of when", [silent], silent, []],
  ["a refusal", [refused], refused, []],
  ["nobody there", [gone], gone, []],
] as const)("%s", async (_what, failures, expected, waits) => {
  const { got, waited, notes } = await ask(failures)
  expect(got).toBe(expected === "thrown" ? failures[0] : expected)
  expect(waited).toEqual(waits)
  expect(notes).toBe(waits.length > 0 ? 1 : 0)
})

test("a start that may not be done twice is sent again only when it was never sent", async () => {
  const answer = { status: 503, headers: new Headers({ "retry-after": "2" }), text: "" }
  const unsent = error(503, 2, new NotNow(answer))
  expect(await ask([unsent], "POST")).toMatchObject({ got: "answered", waited: [2000] })
  expect(await ask([busy], "POST")).toMatchObject({ got: busy, waited: [], notes: 0 })
})

describe("as a process", () => {
  const folder = mkdtempSync(join(tmpdir(), "taskmint-patience-"))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  const { privateFile } = createCredential("audit-team", { privateTo: folder, publicTo: folder })

  /** An issuer that is still starting, and a command that asks it. */
  async function listTasks() {
    const server = await listen("127.0.0.1", 0)
    onTestFinished(() => server.drain(0))
    const env = {
      TASKMINT_ISSUER: `http://127.0.0.1:${server.port}`,
      TASKMINT_CLIENT_ID: "audit-team",
      TASKMINT_CLIENT_KEY_FILE: privateFile,
    }
    return { server, running: startCli(["task", "list"], { env }) }
  }

  test("a command waits for an issuer that is still starting, and says so", { timeout: 60_000 }, async () => {
    const { server, running } = await listTasks()
    const noted = new Promise((resolve) => running.child.stderr?.once("data", resolve))
    expect(String(await noted)).toContain("can't answer yet; asking again")
    server.serve(() => Response.json({ error: "invalid_client" }, { status: 401 }))
    const { code, stderr } = await running.ended
    expect([code, stderr]).toEqual([1, expect.stringContaining("(invalid_client, 401)")])
  })

  test("one that is asked to wait for too long ends: it could not tell", { timeout: 60_000 }, async () => {
    const { server, running } = await listTasks()
    server.serve(() => new Response("", { status: 503, headers: { "retry-after": "3600" } }))
    const { code, stderr } = await running.ended
    expect([code, stderr]).toEqual([3, expect.stringContaining("(temporarily_unavailable, 503)")])
    expect(stderr).toContain("Try again")
    expect(stderr).not.toContain("Is it running?")
  })
})
