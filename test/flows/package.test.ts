// The package as others get it: packed, unpacked beside its dependencies and nothing else, and used from both module
// systems. It packs what `npm run build` made last; `npm test` builds first.
import { execFileSync, spawnSync } from "node:child_process"
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest"
import { startShell } from "../support/command-line.ts"
import { ROOT } from "../support/source.ts"

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

const described: { exports: Record<string, unknown>; dependencies: Record<string, string> } = JSON.parse(
  readFileSync(join(ROOT, "package.json"), "utf8"),
)
/** `taskmint`, `taskmint/client`, ... */
const specifiers = Object.keys(described.exports).map((path) => path.replace(".", "taskmint"))

const folder = mkdtempSync(join(tmpdir(), "taskmint-package-"))
const modules = join(folder, "node_modules")
const MAIN = join(modules, "taskmint/dist/cli/main.js")
afterAll(() => rmSync(folder, { recursive: true, force: true }))

beforeAll(() => {
  if (!readdirSync(ROOT).includes("dist")) throw new Error("there is no dist: run `npm run build` first")
  const pack = ["pack", "--ignore-scripts", "--silent", "--pack-destination", folder]
  const archive = execFileSync("npm", pack, { cwd: ROOT, encoding: "utf8", timeout: 30_000 }).trim()
  mkdirSync(join(modules, "taskmint"), { recursive: true })
  const unpack = ["-xzf", join(folder, archive), "-C", join(modules, "taskmint"), "--strip-components=1"]
  execFileSync("tar", unpack, { timeout: 30_000 })
  for (const name of Object.keys(described.dependencies)) {
    mkdirSync(dirname(join(modules, name)), { recursive: true })
    symlinkSync(join(ROOT, "node_modules", name), join(modules, name))
  }
})

/** Runs a consumer's script; what it printed last, as JSON. */
function consume(name: string, text: string): unknown {
  writeFileSync(join(folder, name), text)
  const { status, stdout, stderr } = spawnSync(process.execPath, [name], {
    cwd: folder,
    encoding: "utf8",
    timeout: 20_000,
  })
  expect([status, stderr]).toEqual([0, ""])
  return JSON.parse(stdout)
}

test("without the package pg, an issuer on PostgreSQL says what to install", () => {
  const options = `{ issuer: "https://a.example", database: "postgres://127.0.0.1:1/x", policies: ".", keyEncryptionKey: new Uint8Array(32) }`
  const told = consume(
    "no-pg.mjs",
    `import { createIssuer } from "taskmint/issuer"
    createIssuer(${options}).catch((error) => console.log(JSON.stringify(String(error))))`,
  )
  expect(told).toBe("TypeError: PostgreSQL needs the package pg: npm install pg")
})

const isJson = (specifier: string) => specifier.endsWith(".json")
const names = (value: string) => `Object.keys(${value}).sort()`

describe("every export of package.json is there", () => {
  const expected = {
    taskmint: [
      "ClientError",
      "REFUSALS",
      "createOrchestrator",
      "createSession",
      "createSessionKey",
      "createVerifier",
    ],
    "taskmint/issuer": ["NotStarted", "createIssuer"],
    "taskmint/verifier": ["createVerifier"],
    "taskmint/verifier/hono": ["guard"],
    "taskmint/verifier/hono/mount": ["guarded", "metadata"],
    "taskmint/verifier/express": ["guard"],
    "taskmint/verifier/express/mount": ["guarded", "metadata"],
    "taskmint/verifier/fastify": ["guard"],
    "taskmint/verifier/fastify/mount": ["guarded", "metadata"],
    "taskmint/verifier/node": ["guard"],
    "taskmint/verifier/node/mount": ["guarded", "metadata"],
    "taskmint/verifier/mcp": ["describeCaller", "guard", "taskOf"],
    "taskmint/verifier/mcp/mount": ["guarded"],
    "taskmint/redact": ["redact", "redactSpans", "redactText"],
    "taskmint/client": ["createOrchestrator", "createSession", "createSessionKey"],
    "taskmint/policy.schema.json": expect.arrayContaining(["$schema", "title", "properties"]),
    "taskmint/scenario.schema.json": expect.arrayContaining(["$schema", "title", "properties"]),
    "taskmint/package.json": expect.arrayContaining(["name", "version"]),
  }

  test("by import", () => {
    const read = (specifier: string) =>
      isJson(specifier)
        ? names(`(await import("${specifier}", { with: { type: "json" } })).default`)
        : names(`await import("${specifier}")`)
    const members = specifiers.map((specifier) => `"${specifier}": ${read(specifier)}`)
    expect(consume("consumer.mjs", `console.log(JSON.stringify({ ${members} }))`)).toEqual(expected)
  })

  test("by require", () => {
    const members = specifiers.map((specifier) => `"${specifier}": ${names(`require("${specifier}")`)}`)
    expect(consume("consumer.cjs", `console.log(JSON.stringify({ ${members} }))`)).toEqual(expected)
  })
})

test("what taskmint/client throws is the ClientError of taskmint", () => {
  const text = `
    import { generateKeyPairSync } from "node:crypto"
    import { ClientError } from "taskmint"
    import { createOrchestrator } from "taskmint/client"
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" })
    const credential = { clientId: "a", privateJwk: privateKey.export({ format: "jwk" }) }
    const error = await createOrchestrator({ issuer: "http://127.0.0.1:9", credential }).list().catch((thrown) => thrown)
    console.log(JSON.stringify([error instanceof ClientError, error.code]))`
  expect(consume("catch.mjs", text)).toEqual([true, "issuer_unreachable"])
})

describe("the command line", () => {
  test("explains itself", () => {
    const { status, stdout } = spawnSync(process.execPath, [MAIN, "--help"], {
      encoding: "utf8",
      timeout: 20_000,
    })
    expect([status, stdout]).toEqual([0, expect.stringContaining("Usage: taskmint")])
  })

  test("serves with the migrations, policies and threads of the package", async () => {
    const serving = startShell(`exec "${process.execPath}" "${MAIN}" serve --dev --port 0`, { cwd: folder })
    const [, address] = await serving.said(/"address":"([^"]+)".*"msg":"listening"/)
    expect((await fetch(`${address}/readyz`)).status).toBe(200)
    serving.child.kill("SIGTERM")
    expect((await serving.ended).code).toBe(0)
  })
})
