import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest"
import { type ExampleFolder, writeExampleFolder } from "../../src/cli/example-folder.ts"
import { addServe } from "../../src/cli/serve.ts"
import { createServiceTokens } from "../../src/remote/service-token.ts"
import { systemClock } from "../../src/time.ts"
import { generatePrivateJwk, importSigningKey } from "../../src/token/signature.ts"
import { type Running, runCli, startCli, startShell } from "../support/command-line.ts"
import { runHere } from "../support/in-process.ts"
import { serveSettings } from "../support/serve-settings.ts"

// Every step is a process of its own.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 })

const folder = mkdtempSync(join(tmpdir(), "taskmint-serve-"))
const running: Running[] = []
afterEach(async () => {
  for (const one of running) one.child.kill("SIGKILL")
  await Promise.all(running.splice(0).map((one) => one.ended))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const LISTENING = /"address":"([^"]+)".*"msg":"listening"/

let serial = 0
function makeHouse(): ExampleFolder {
  serial += 1
  return writeExampleFolder(join(folder, `house-${serial}`))
}

function serve(house: ExampleFolder, args: readonly string[] = []): Running {
  const one = startCli(["serve", ...args], { env: serveSettings(house), cwd: folder })
  running.push(one)
  return one
}

describe("it ends as it was told to", () => {
  for (const signal of ["SIGTERM", "SIGINT"] as const)
    test(`${signal}: everything is on disk, exit code 0`, async () => {
      const house = makeHouse()
      const one = serve(house)
      await one.said(LISTENING)
      one.child.kill(signal)
      const { code, stdout } = await one.ended
      expect(code).toBe(0)
      expect(stdout).toContain('"msg":"stopped"')
      expect(existsSync(`${house.database}-wal`)).toBe(false)
    })

  test("a stream of revocations that is open does not hold it up", async () => {
    const house = makeHouse()
    const one = serve(house)
    const [, address = ""] = await one.said(LISTENING)
    const tokens = createServiceTokens({
      issuer: "https://taskmint.example",
      issuerAddress: address,
      credential: { clientId: "tickets", privateJwkFile: house.keyFileOf("tickets") },
      proofKey: importSigningKey(generatePrivateJwk("ES256")),
      clock: systemClock,
    })
    const headers = await tokens.headers("GET", "https://taskmint.example/revocations")
    const answer = await fetch(`${address}/revocations`, {
      headers: { ...headers, accept: "text/event-stream" },
    })
    const reader = answer.body?.getReader()
    expect(new TextDecoder().decode((await reader?.read())?.value)).toMatch(
      /^: head 0 at \d+\n\n: clock \d+ at \d+\n\n$/,
    )
    const told = performance.now()
    one.child.kill("SIGTERM")
    expect((await one.ended).code).toBe(0)
    expect(performance.now() - told).toBeLessThan(8000) // the grace is ten seconds
    while (!(await reader?.read())?.done);
  })

  test("the next start has the same keys", async () => {
    const house = makeHouse()
    const kids: string[] = []
    for (let start = 0; start < 2; start++) {
      const one = serve(house)
      const [, address] = await one.said(LISTENING)
      kids.push(await (await fetch(`${address}/.well-known/jwks.json`)).text())
      one.child.kill("SIGTERM")
      await one.ended
    }
    expect(kids[0]).toMatch(/"kid"/)
    expect(kids[0]).toBe(kids[1])
  })
})

describe("it refuses to start, and says what to do", () => {
  const cases: readonly (readonly [
    what: string,
    env: (house: ExampleFolder) => Record<string, string>,
    args: readonly string[],
    code: number,
    says: RegExp,
  ])[] = [
    [
      "without a key-encryption key",
      () => ({ TASKMINT_KEY_ENCRYPTION_KEY_FILE: "" }),
      [],
      2,
      /KEY_ENCRYPTION_KEY is not set/,
    ],
    [
      "with a key of 31 bytes",
      () => ({ TASKMINT_KEY_ENCRYPTION_KEY: "A".repeat(42) }),
      [],
      2,
      /not 32 bytes/,
    ],
    ["without policies", () => ({ TASKMINT_POLICIES: "" }), [], 2, /TASKMINT_POLICIES is not set/],
    ["without a database", () => ({ TASKMINT_DATABASE: "" }), [], 2, /TASKMINT_DATABASE is not set/],
    ["without a name", () => ({ TASKMINT_ISSUER: "" }), [], 2, /TASKMINT_ISSUER is not set/],
    ["with a name that is no https URL", () => ({ TASKMINT_ISSUER: "http://x.example" }), [], 2, /https/],
    [
      "with a database of another kind",
      () => ({ TASKMINT_DATABASE: "mysql://x" }),
      [],
      2,
      /Write sqlite:.*postgres:/,
    ],
    [
      "with a database server that is not there",
      () => ({ TASKMINT_DATABASE: "postgres://x:hunter2@127.0.0.1:1/x" }),
      [],
      3,
      /^(?![\s\S]*hunter2)[\s\S]*can't be used \(ECONNREFUSED\)/,
    ],
    [
      "with a password where everyone sees it",
      () => ({}),
      ["--database", "postgres://x:hunter2@127.0.0.1/x"],
      2,
      /^(?![\s\S]*hunter2)[\s\S]*TASKMINT_DATABASE_FILE/,
    ],
    ["with a path that is no address", () => ({ TASKMINT_DATABASE: "./x.db" }), [], 2, /Write sqlite:/],
    ["with a port that is none", () => ({ TASKMINT_PORT: "99999" }), [], 2, /no port/],
    [
      "A26 with the example keys",
      () => ({ TASKMINT_POLICIES: join(import.meta.dirname, "../../policies") }),
      [],
      1,
      /example key/,
    ],
    ["for development beyond loopback", () => ({}), ["--dev", "--host", "0.0.0.0"], 2, /loopback only/],
  ]
  for (const [what, env, args, code, says] of cases)
    test(what, async () => {
      const house = makeHouse()
      const ended = await runHere(addServe, ["serve", ...args], { ...serveSettings(house), ...env(house) })
      expect(ended.stderr).toMatch(says)
      expect(ended.code).toBe(code)
      expect(ended.stderr).not.toMatch(/\n\s+at /)
    })

  test("with a key file that others can read", async () => {
    const house = makeHouse()
    chmodSync(house.keyEncryptionKeyFile, 0o644)
    const ended = await runCli(["serve"], { env: serveSettings(house) })
    expect([ended.code, ended.stderr]).toEqual([2, expect.stringContaining("chmod 600")])
  })

  test("with stored keys that this key does not open; it makes none beside them", async () => {
    const [house, other] = [makeHouse(), makeHouse()]
    const one = serve(house)
    await one.said(LISTENING)
    one.child.kill("SIGTERM")
    await one.ended
    const env = { ...serveSettings(house), TASKMINT_KEY_ENCRYPTION_KEY_FILE: other.keyEncryptionKeyFile }
    const ended = await runCli(["serve"], { env })
    expect(ended.code).toBe(1)
    expect(ended.stderr).toMatch(/key/)
  })

  test("a second time on one database, or on one port", async () => {
    const house = makeHouse()
    const one = serve(house)
    const [, address = ""] = await one.said(LISTENING)
    const same = await runCli(["serve"], { env: serveSettings(house) })
    expect(same.code).not.toBe(0)
    expect(same.stderr).toMatch(/another process|in use|locked|held/i)
    const port = await runCli(["serve", "--port", new URL(address).port], { env: serveSettings(makeHouse()) })
    expect([port.code, port.stderr]).toEqual([2, expect.stringContaining("--port")])
  })
})

describe("--dev makes what is missing, and says so loudly", () => {
  test("from an empty folder, again with the same data, and never without --dev", async () => {
    const empty = mkdtempSync(join(folder, "empty-"))
    for (let start = 0; start < 2; start++) {
      const one = startCli(["serve", "--dev", "--port", "0"], { cwd: empty })
      running.push(one)
      await one.said(LISTENING)
      expect(one.stderr()).toContain("DEVELOPMENT")
      one.child.kill("SIGTERM")
      const { code, stdout, stderr } = await one.ended
      expect([code, stderr]).toEqual([
        0,
        expect.stringMatching(/^Console, as audit-team, .*\/console\/link\/[\w-]{43}$/m),
      ])
      expect(stdout).not.toContain("/console/link")
    }
    const house = { ...makeHouse(), database: join(empty, ".taskmint/taskmint.db") }
    const key = join(empty, ".taskmint/key-encryption.key")
    const ended = await runCli(["serve"], {
      env: { ...serveSettings(house), TASKMINT_KEY_ENCRYPTION_KEY_FILE: key },
    })
    expect([ended.code, ended.stderr]).toEqual([1, expect.stringMatching(/--dev|development/i)])
  })
})

describe("what init prints runs as printed", () => {
  const path = join(folder, "made by init")
  let printed = ""
  let port = 0
  beforeAll(async () => {
    port = await freePort()
    const made = await runCli(["init", path, "--port", String(port)])
    expect([made.code, made.stderr]).toEqual([0, ""])
    printed = made.stdout
  })

  const inShell = (line: string) =>
    startShell(
      `${printed
        .split("\n")
        .find((one) => one.startsWith("  . "))
        ?.trim()}; exec ${line}`,
    )

  test("serve, task start and ledger query", async () => {
    const commands = printed
      .split("\n")
      .flatMap((line) => /^ {2}((?:as-caller .*)?taskmint .*)$/.exec(line)?.[1] ?? [])
    const [serving = "", ...tries] = commands
    expect(tries).toHaveLength(2)
    const one = inShell(serving)
    running.push(one)
    await one.said(LISTENING)
    for (const command of tries) {
      const ended = await inShell(command).ended
      expect(ended.stderr).not.toContain("error:")
      expect(ended.code).toBe(0)
      expect(ended.stdout).toMatch(/task_|task\.started/)
    }
    one.child.kill("SIGTERM")
    expect((await one.ended).code).toBe(0)
  })

  test("nothing is overwritten", async () => {
    const key = readFileSync(join(path, "key-encryption.key"), "utf8")
    expect((await runCli(["init", path])).code).toBe(2)
    expect(readFileSync(join(path, "key-encryption.key"), "utf8")).toBe(key)
  })
})

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer()
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      server.close(() => resolve(typeof address === "object" && address ? address.port : 0))
    })
  })
}
