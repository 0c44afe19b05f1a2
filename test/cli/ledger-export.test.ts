// `ledger export` as an auditor runs it, against a server that answers as the issuer does: what is left on the disk, and
// that it is all or nothing.
import { createHash } from "node:crypto"
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs"
import { createServer, type Server } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, expect, test } from "vitest"
import { generatePrivateJwk } from "../../src/token/signature.ts"
import { runCli } from "../support/command-line.ts"

const folder = mkdtempSync(join(tmpdir(), "taskmint-export-"))
const at = (name: string) => join(folder, name)
const NOTE = "taskmint.internal\n9\nroot=\n\n\u2014 taskmint.internal sig=\n"
const LINES = [4, 7, 9].map((seq) => `${JSON.stringify({ seq, at: "now", kind: "use.allowed" })}\n`).join("")
let server: Server
let issuer = ""
let breaksOff = false
let status = 200
const asked: string[] = []

beforeAll(async () => {
  writeFileSync(at("key.jwk"), JSON.stringify(generatePrivateJwk("ES256")), { mode: 0o600 })
  server = createServer((request, response) => {
    if (request.url === "/token") {
      response.setHeader("content-type", "application/json")
      response.end(JSON.stringify({ access_token: "t", token_type: "Bearer", expires_in: 300 }))
      return
    }
    asked.push(request.url ?? "")
    const headers = { "taskmint-up-to": "9", "taskmint-checkpoint": Buffer.from(NOTE).toString("base64") }
    response.writeHead(status, status === 200 ? headers : { "content-type": "application/problem+json" })
    if (status !== 200) response.end(JSON.stringify({ title: "Not yours", code: "role_missing" }))
    else if (breaksOff) response.write(LINES, () => response.destroy())
    else response.end(LINES)
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const address = server.address()
  issuer = `http://127.0.0.1:${typeof address === "object" && address ? address.port : 0}`
})
afterAll(() => {
  server.close()
  rmSync(folder, { recursive: true, force: true })
})

const run = (...args: string[]) =>
  runCli(["ledger", "export", ...args], {
    env: {
      TASKMINT_ISSUER: issuer,
      TASKMINT_CLIENT_ID: "audit-team",
      TASKMINT_CLIENT_KEY_FILE: at("key.jwk"),
    },
  })

test("H18: leaves the file and a manifest that tells what it holds, for its owner alone", async () => {
  const { code, stdout } = await run(
    "--to",
    folder,
    "--agent",
    "triage-bot",
    "--until",
    "2026-03-01T10:00:00Z",
    "--json",
  )
  expect(code).toBe(0)
  expect(asked.at(-1)).toBe("/ledger/export?agent=triage-bot&to=2026-03-01T10%3A00%3A00Z&format=ndjson")
  const path = at("entries-up-to-9.ndjson")
  expect(readFileSync(path, "utf8")).toBe(LINES)
  const manifest = JSON.parse(readFileSync(`${path}.manifest.json`, "utf8"))
  expect(manifest).toMatchObject({
    issuer,
    file: "entries-up-to-9.ndjson",
    format: "ndjson",
    filters: { agent: "triage-bot", to: "2026-03-01T10:00:00Z" },
    up_to: 9,
    first: 4,
    last: 9,
    entries: 3,
    bytes: LINES.length,
    sha256: createHash("sha256").update(LINES).digest("hex"),
    checkpoint: NOTE,
  })
  expect(JSON.parse(stdout)).toEqual({ ...manifest, path })
  for (const one of [path, `${path}.manifest.json`]) expect(statSync(one).mode & 0o777).toBe(0o600)
})

test("writes over nothing", async () => {
  writeFileSync(at("mine.csv"), "mine")
  const { code, stderr } = await run("--to", at("mine.csv"))
  expect([code, stderr]).toEqual([2, expect.stringContaining("is there already")])
  expect(readFileSync(at("mine.csv"), "utf8")).toBe("mine")
})

test("nor over an export that went into the same folder, nor over a manifest", async () => {
  const into = at("twice")
  mkdirSync(into)
  expect((await run("--to", into)).code).toBe(0)
  const before = readdirSync(into).map((name) => [name, readFileSync(join(into, name), "utf8")])
  writeFileSync(join(into, "other.ndjson.manifest.json"), "mine")
  for (const path of [into, join(into, "other.ndjson")]) {
    const { code, stderr } = await run("--to", path)
    expect([code, stderr]).toEqual([2, expect.stringContaining("is there already")])
  }
  expect(readFileSync(join(into, "other.ndjson.manifest.json"), "utf8")).toBe("mine")
  expect(readdirSync(into)).toHaveLength(before.length + 1)
  for (const [name = "", text] of before) expect(readFileSync(join(into, name), "utf8")).toBe(text)
})

test("asks for nothing where its folder is not there, and names that", async () => {
  const before = asked.length
  const { code, stderr } = await run("--to", at("nowhere/mine.csv"))
  expect([code, stderr]).toEqual([2, expect.stringContaining(`${at("nowhere")} is no folder`)])
  expect(asked.slice(before)).toEqual([])
})

test("H18: an export that broke off leaves nothing behind, and could not tell", async () => {
  breaksOff = true
  const { code, stderr } = await run("--to", at("broken.ndjson"))
  breaksOff = false
  expect([code, stderr]).toEqual([3, expect.stringContaining("broke off")])
  expect(readdirSync(folder).filter((name) => name.startsWith("broken"))).toEqual([])
})

test("a refusal is said as every other is", async () => {
  status = 403
  const { code, stderr } = await run("--to", at("refused.ndjson"))
  status = 200
  expect([code, stderr]).toEqual([1, expect.stringContaining("role_missing, 403")])
  expect(existsSync(at("refused.ndjson"))).toBe(false)
})
