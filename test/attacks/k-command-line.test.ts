// Secrets at the edge where people and logs are: what is printed, what is logged, which files are read and written, and
// what the environment keeps.
import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Writable } from "node:stream"
import { inspect } from "node:util"
import { afterAll, describe, expect, test } from "vitest"
import { createCredential } from "../../src/cli/credential.ts"
import { writeExampleFolder } from "../../src/cli/example-folder.ts"
import { Stop } from "../../src/cli/exit.ts"
import { createLog } from "../../src/cli/log.ts"
import { readSecret, writeNew } from "../../src/cli/secret-file.ts"
import { createSettings } from "../../src/cli/settings.ts"
import { HeldToken } from "../../src/client/held-token.ts"
import { runCli, startCli } from "../support/command-line.ts"
import { everythingAt, testPlace } from "../support/engine.ts"

const folder = mkdtempSync(join(tmpdir(), "taskmint-k-"))
const at = await testPlace(folder)
afterAll(async () => {
  await at.remove()
  rmSync(folder, { recursive: true, force: true })
})

/** A secret in the spellings in which it could come out. */
const spellings = (secret: string): string[] => [
  secret,
  Buffer.from(secret).toString("base64"),
  Buffer.from(secret).toString("base64url"),
  encodeURIComponent(secret),
]
const found = (text: string, secrets: readonly string[]): string[] =>
  secrets.filter((secret) => spellings(secret).some((one) => text.includes(one.replace(/=+$/, ""))))

test("K01 a process that serves writes no secret to its output or its folder", {
  timeout: 60_000,
}, async () => {
  const house = writeExampleFolder(join(folder, "house"))
  const keyFile = house.keyFileOf("support-orchestrator")
  const serving = startCli(["serve", "--dev", "--port", "0", "--log-level", "debug"], {
    env: {
      TASKMINT_POLICIES: house.policies,
      ...at.settings,
      TASKMINT_KEY_ENCRYPTION_KEY: readFileSync(house.keyEncryptionKeyFile, "utf8").trim(),
    },
  })
  const [, issuer = ""] = await serving.said(/"address":"([^"]+)".*"msg":"listening"/)
  const env = {
    TASKMINT_ISSUER: issuer,
    TASKMINT_CLIENT_ID: "support-orchestrator",
    TASKMINT_CLIENT_KEY_FILE: keyFile,
  }
  const start = [
    "task",
    "start",
    "triage-ticket",
    "--agent",
    "triage-bot/p",
    "--input",
    "ticket=SUP-1",
    "--purpose",
    "x",
  ]
  const started = await runCli([...start, "--json"], { env })
  const token = (await runCli(["token", "get", JSON.parse(started.stdout).task_id], { env })).stdout.trim()
  const service = (await runCli(["token", "get"], { env })).stdout.trim()
  for (const path of ["/tasks", `/tasks/${token}`, "/revocations", "/nowhere"])
    await fetch(`${issuer}${path}?token=${token}`, {
      headers: { authorization: `Bearer ${token}`, dpop: service },
    })
  const secrets = [
    token.split(".")[2] ?? "",
    service.split(".")[2] ?? "",
    JSON.parse(readFileSync(keyFile, "utf8")).d,
    readFileSync(house.keyEncryptionKeyFile, "utf8").trim(),
  ]
  const atRest = async () =>
    (await everythingAt(at.place)).map(([, bytes]) => bytes.toString("latin1")).join("\n")
  const whileRunning = await atRest()
  serving.child.kill("SIGTERM")
  const ended = await serving.ended
  expect(secrets.map((one) => one.length > 20)).toEqual([true, true, true, true])
  for (const text of [
    ended.stdout,
    ended.stderr,
    started.stdout,
    started.stderr,
    whileRunning,
    await atRest(),
  ])
    expect(found(text, secrets)).toEqual([])
  expect(whileRunning).toContain(JSON.parse(started.stdout).task_id)
  expect(found(`x${encodeURIComponent(secrets[2] ?? "")}y`, secrets)).toHaveLength(1)
})

test("K02 an exception that carries a request, a configuration or a token is logged without them", () => {
  let text = ""
  const sink = new Writable({
    write(part, _encoding, done) {
      text += String(part)
      done()
    },
  })
  const token = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJ0In0.Y2FuYXJ5LWNhbmFyeQ"
  const request = new Request("https://x.example", { headers: { authorization: `Bearer ${token}` } })
  const config = { keyEncryptionKey: "canary-key", credential: { privateJwk: { d: "canary-d" } } }
  const error = Object.assign(new Error(`refused ${token}`), {
    request,
    config,
    held: new HeldToken("https://a", token),
  })
  const log = createLog(sink)
  log.error({ err: new Error("outer", { cause: error }), config }, "fault")
  log.error({ err: error, headers: { authorization: token }, body: { client_assertion: "canary-a" } }, token)
  expect(text).not.toMatch(/canary|eyJ|Y2FuYXJ5/)
  expect(inspect(new HeldToken("https://a", token), { showHidden: true, depth: 9 })).not.toMatch(
    /eyJ|Y2FuYXJ5/,
  )
})

describe("K03 key files", () => {
  const path = (name: string) => join(folder, name)

  for (const mode of [0o644, 0o640, 0o604, 0o660, 0o666])
    test(`K03 open to others (${mode.toString(8)}), also through a link, they are not read`, () => {
      const file = path(`open-${mode.toString(8)}`)
      writeFileSync(file, "secret")
      chmodSync(file, mode)
      symlinkSync(file, `${file}-link`)
      for (const one of [file, `${file}-link`]) expect(() => readSecret(one, "X_FILE")).toThrow(Stop)
    })

  test("K03 they are made 0600 under any umask, whole or not at all, and never over another", () => {
    const before = process.umask(0)
    try {
      const made = createCredential("tickets", { privateTo: path("made"), publicTo: path("made") })
      expect(statSync(made.privateFile).mode & 0o777).toBe(0o600)
      symlinkSync(path("victim"), path("trap"))
      expect(() => writeNew(path("trap"), "secret")).toThrow(Stop)
      expect(readdirSync(folder)).not.toContain("victim")
      expect(readdirSync(path("made")).sort()).toEqual(["tickets.jwks.json", "tickets.private.json"])
    } finally {
      process.umask(before)
    }
  })
})

describe("K04 keys in the environment", () => {
  test("K04 the key is taken out of it once read, so that no child inherits it", () => {
    const environment: Record<string, string | undefined> = {
      TASKMINT_KEY_ENCRYPTION_KEY: "secret",
      OTHER: "stays",
    }
    const settings = createSettings(environment, undefined)
    expect(settings.get("keyEncryptionKey")).toBe("secret")
    expect(environment).toEqual({ OTHER: "stays" })
  })

  test("K04 no private key of a caller is taken from the environment: a file names it", async () => {
    const env = {
      TASKMINT_ISSUER: "https://x.example",
      TASKMINT_CLIENT_ID: "a",
      TASKMINT_CLIENT_KEY: '{"d":"canary"}',
    }
    const { code, stderr } = await runCli(["task", "list"], { env })
    expect([code, stderr]).toEqual([2, expect.stringContaining("TASKMINT_CLIENT_KEY_FILE is not set")])
  })
})
