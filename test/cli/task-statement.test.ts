// `task statement` as a process: what it shows of an issuer's answer, and what it says of a file without asking anybody.
import { readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest"
import { generatePrivateJwk, importSigningKey } from "../../src/token/signature.ts"
import { signStatement, statementClaims } from "../../src/token/task-statement.ts"
import { runCli } from "../support/command-line.ts"
import { createFolders } from "../support/folder.ts"
import { type ScriptedServer, startScripted } from "../support/scripted-server.ts"
import { KEY, OPENED, STATEMENT } from "../support/statement.ts"

// Every command is a process of its own.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

const folder = createFolders()()
const fileOf = (name: string, text: string, mode = 0o644): string => {
  const path = join(folder, name)
  writeFileSync(path, text, { mode })
  return path
}

const key = importSigningKey(generatePrivateJwk("ES256"))
const { text } = statementClaims({
  issuer: "https://taskmint.internal",
  at: 1_772_355_600,
  task: STATEMENT.task.id,
  statement: STATEMENT,
})
const jws = String(signStatement(text, key))
const personal = { key: Buffer.from(KEY).toString("base64url"), values: OPENED }
const answer = { state: "final", number: 1, jws, statement: STATEMENT, personal }

const jwks = fileOf("jwks.json", JSON.stringify({ keys: [key.publicJwk] }))
const otherJwks = fileOf(
  "other.json",
  JSON.stringify({ keys: [importSigningKey(generatePrivateJwk("ES256")).publicJwk] }),
)
const clientKey = fileOf("private.json", JSON.stringify(generatePrivateJwk("ES256")), 0o600)

let server: ScriptedServer
beforeAll(async () => {
  server = await startScripted(({ path }) =>
    path === "/token"
      ? { body: { access_token: "service", token_type: "Bearer", expires_in: 300 } }
      : { body: answer },
  )
})
afterAll(() => server.close())

const statement = (...args: string[]) =>
  runCli(["task", "statement", ...args], {
    env: {
      TASKMINT_ISSUER: server.origin,
      TASKMINT_CLIENT_ID: "audit-team",
      TASKMINT_CLIENT_KEY_FILE: clientKey,
    },
  })

describe.concurrent("task statement", () => {
  test("shows who, what was granted against used, what never was, and who reported", async () => {
    const { code, stdout } = await statement(STATEMENT.task.id)
    expect(code).toBe(0)
    for (const line of [
      /final, number 1/,
      /purpose +Triage the ticket/,
      /tickets:read +support.yaml#\S+ +1400 \+ 12 only watched/,
      /tickets:close \(each needs a person\) .* never/,
      /NEVER USED/,
      /issuer +operation_not_allowed +operations beyond the grant were asked for +2/,
      /tickets:close +tickets\/SUP-1042 +granted +people\/lin@example.com/,
      /01a2214f-0363-7142-8b77-e9aa8adc4f3e .* behind/,
      /deployments +0 +2/,
    ])
      expect(stdout).toMatch(line)
    expect(server.asked.find((one) => one.path === `/tasks/${STATEMENT.task.id}/statement`)).toBeDefined()
  })

  test("prints what is signed, for a file that --verify takes", async () => {
    const { stdout } = await statement(STATEMENT.task.id, "--jws")
    expect(stdout).toBe(`${jws}\n`)
    const { code, stdout: told } = await statement(
      "--verify",
      fileOf("a.jws", stdout),
      "--jwks",
      jwks,
      "--json",
    )
    expect(code).toBe(0)
    expect(JSON.parse(told)).toMatchObject({ task: STATEMENT.task.id, state: "final", values_checked: 0 })
  })

  test("writes the page into a new file that only its owner reads", async () => {
    const path = join(folder, "page.html")
    expect((await statement(STATEMENT.task.id, "--html", path)).code).toBe(0)
    expect(readFileSync(path, "utf8")).toMatch(/^<!doctype html>[\s\S]*Triage the ticket/)
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect((await statement(STATEMENT.task.id, "--html", path)).code).not.toBe(0)
  })

  const lied = { ...STATEMENT, refusals: [] }
  const values = OPENED.map((one) => ({ ...one, value: `${one.value}x` }))
  test.each<[string, string, string, number, RegExp]>([
    ["an answer with its values is genuine", JSON.stringify(answer), jwks, 0, /genuine/],
    [
      "another signature is not",
      `${jws.slice(0, -8)}AAAAAAAA`,
      jwks,
      1,
      /no genuine statement \(signature\)/,
    ],
    [
      "nor an account beside it that says otherwise",
      JSON.stringify({ ...answer, statement: lied }),
      jwks,
      1,
      /not the same/,
    ],
    [
      "nor values that were not signed",
      JSON.stringify({ ...answer, personal: { ...personal, values } }),
      jwks,
      1,
      /not what was signed: resource/,
    ],
    ["under a key that is not known it can't be told", jws, otherJwks, 3, /not in the key set/],
    ["a key set that is none is wrong use", jws, clientKey, 2, /no key set/],
  ])("%s", async (what, content, keys, expected, said) => {
    const file = fileOf(`${what.replaceAll(/\W/g, "-")}.txt`, content)
    const { code, stdout, stderr } = await statement("--verify", file, "--jwks", keys)
    expect([code, `${stdout}${stderr}`]).toEqual([expected, expect.stringMatching(said)])
  })

  test.each([
    [["--verify", "statement.jws"], 2, /needs --jwks/],
    [["--verify", "/none", "--jwks", "/none"], 3, /can't be read \(ENOENT\)/],
    [[], 2, /Which task/],
  ])("%j is told what is missing", async (args, expected, said) => {
    const { code, stderr } = await statement(...args)
    expect([code, stderr]).toEqual([expected, expect.stringMatching(said)])
  })
})
