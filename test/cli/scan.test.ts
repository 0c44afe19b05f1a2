// `scan` without an issuer: what it says, how it ends, and that no token is in any of it. With one it is in
// test/flows/exposure.test.ts.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { gzipSync } from "node:zlib"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { addScan } from "../../src/cli/scan.ts"
import { newId } from "../../src/token/id.ts"
import { serviceTokenClaims, signServiceToken } from "../../src/token/service-token.ts"
import { generatePrivateJwk } from "../../src/token/signature.ts"
import { signTaskToken, taskTokenClaims } from "../../src/token/token.ts"
import { runCli } from "../support/command-line.ts"
import { es256, ID, ISSUER, input, stranger } from "../support/forge.ts"
import { runHere } from "../support/in-process.ts"

const folder = mkdtempSync(join(tmpdir(), "taskmint-scan-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const at = (name: string) => join(folder, name)

const AWAY = "http://127.0.0.1:9"
const now = Math.floor(Date.now() / 1000)
const fresh = newId("tok")
const live = signTaskToken(taskTokenClaims(input({ jti: fresh, iat: now, exp: now + 600 })), es256)
const old = signTaskToken(taskTokenClaims(input({ iat: 1_700_000_000, exp: 1_700_000_600 })), es256)
const service = signServiceToken(
  serviceTokenClaims({
    iss: ISSUER,
    clientId: "audit-team",
    jti: newId("tok"),
    iat: now,
    scope: ["auditor"],
  }),
  es256,
)
const forged = signTaskToken(taskTokenClaims(input({ jti: newId("tok") })), { ...stranger, kid: es256.kid })

beforeAll(() => {
  mkdirSync(at("logs"))
  mkdirSync(at("clean"))
  writeFileSync(at("clean/a.log"), "nothing here\n")
  writeFileSync(at("logs/app.log"), `one\ntwo ${live}\n${live}\n`)
  writeFileSync(at("logs/old.log.gz"), gzipSync(`first\n${old}\n${forged}`))
  writeFileSync(at("logs/\u001b[31mred"), service)
  writeFileSync(at("keys.json"), JSON.stringify({ keys: [es256.publicJwk] }))
})

const scan = (...args: string[]) => runHere(addScan, ["scan", ...args], { TASKMINT_ISSUER: ISSUER })
const offline = (...args: string[]) => scan("--offline", "--jwks", at("keys.json"), ...args)

test("nothing found ends with 0, something with 1", async () => {
  expect(await offline(at("clean"))).toEqual({
    code: 0,
    stdout: "",
    stderr: "\nNo token of ours; 1 file(s), 0.0 MB\n",
  })
  expect((await offline(at("logs/app.log"))).code).toBe(1)
})

test("each token is a line: its state, its task and its places; and nobody sees a token", async () => {
  const { stdout, stderr } = await offline(at("logs"))
  expect(stdout).toMatch(
    new RegExp(
      `^not asked +genuine +${fresh} +${ID.task} +triage-bot/pod-7f3c +.*app\\.log:2 and 1 more$`,
      "m",
    ),
  )
  expect(stdout).toMatch(new RegExp(`^expired +genuine +${ID.tok} +${ID.task} .*old\\.log\\.gz:2$`, "m"))
  expect(stdout).toMatch(/^forged +forged +tok_/m)
  expect(stdout).toMatch(/^live +genuine +tok_\S+ +a service token +audit-team +.*\\u\{1b\}\[31mred:1$/m)
  expect(stderr).toContain("The issuer was not asked (--offline)")
  expect(`${stdout}${stderr}`).not.toMatch(/eyJ|\u001b/)
})

test("--json says the same for programs", async () => {
  const { stdout, code } = await offline("--json", at("logs/app.log"))
  expect(code).toBe(1)
  expect(stdout).not.toMatch(/eyJ/)
  expect(JSON.parse(stdout)).toMatchObject({
    asked: false,
    sources: 1,
    of_other_issuers: 0,
    unread: [],
    findings: [
      {
        state: "not asked",
        standing: "genuine",
        jti: fresh,
        task_id: ID.task,
        holder: "triage-bot/pod-7f3c",
        orchestrator: "support-orchestrator",
        recorded: false,
        found: 2,
        places: [2, 3].map((line) => ({ file: at("logs/app.log"), line })),
        ended: [],
      },
    ],
  })
})

describe("what could not be told", () => {
  test("a file that nothing unpacks ends with 3 where nothing else was found, and is named", async () => {
    writeFileSync(at("a.zip"), Buffer.from("504b030414000000", "hex"))
    const { code, stderr } = await offline(at("a.zip"), at("clean"))
    expect([code, stderr]).toEqual([
      3,
      expect.stringContaining(`not read to its end: ${at("a.zip")} (packed with zip)`),
    ])
    expect((await offline(at("a.zip"), at("logs"))).code).toBe(1)
    expect((await offline(at("nowhere"))).code).toBe(3)
  })

  test("without keys no signature is checked, and it says so of each", async () => {
    const { stdout, stderr } = await runHere(addScan, ["scan", at("logs/app.log")])
    expect(stdout).toMatch(/^not asked +unchecked/m)
    expect(stderr).toContain("TASKMINT_ISSUER or TASKMINT_CLIENT_ID is not set")
  })

  test("with an issuer that is away it reads the claims, and ends with 3 where it was to end them", async () => {
    const key = at("caller.json")
    writeFileSync(key, JSON.stringify(generatePrivateJwk("ES256")), { mode: 0o600 })
    const env = {
      TASKMINT_ISSUER: AWAY,
      TASKMINT_CLIENT_ID: "audit-team",
      TASKMINT_CLIENT_KEY_FILE: key,
    }
    const away = (...args: string[]) => runHere(addScan, ["scan", ...args], env)
    writeFileSync(
      at("away.log"),
      signTaskToken(taskTokenClaims(input({ iss: AWAY, jti: fresh, iat: now, exp: now + 600 })), es256),
    )
    const { code, stdout, stderr } = await away(at("away.log"))
    expect([code, stdout]).toEqual([1, expect.stringMatching(/^not asked +unchecked/m)])
    expect(stderr).toMatch(/keys can't be had[\s\S]*The issuer was not asked/)
    expect(await away("--revoke", at("away.log"))).toMatchObject({
      code: 3,
      stderr: expect.stringContaining("Not everything was ended"),
    })
  })

  test.each([
    ["--revoke with --offline", ["--offline", "--revoke", "x"]],
    ["keys that are none", ["--jwks", "nowhere.json", "x"]],
    ["--revoke without a caller", ["--revoke", "x"]],
  ])("%s is wrong use", async (_, args) => expect((await scan(...args)).code).toBe(2))
})

test("standard input is looked through, as a process", async () => {
  const { code, stdout } = await runCli(["scan", "--offline"], { stdin: `x\n${live}` })
  expect([code, stdout]).toEqual([1, expect.stringMatching(new RegExp(`${fresh} .* -:2$`, "m"))])
}, 30_000)
