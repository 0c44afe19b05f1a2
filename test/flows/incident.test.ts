// An auditor's walk through one incident, with the commands of docs/auditor.md as they stand there: a token leaked; what did it
// touch, end it, and prove that nothing succeeded after it was ended.
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { decodeJwt } from "jose"
import { afterAll, beforeAll, expect, test, vi } from "vitest"
import { type Ended, startShell } from "../support/command-line.ts"
import { ROOT } from "../support/source.ts"
import { buildTown, type Town } from "../support/town.ts"

// Every command is a process of its own.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 })

const page = readFileSync(join(ROOT, "docs/auditor.md"), "utf8")
/** The commands of one block of the page. */
const block = (name: string): string => {
  const found = new RegExp(`^\`\`\`sh ${name}\\n([\\s\\S]*?)^\`\`\``, "m").exec(page)?.[1]
  if (found === undefined) throw new Error(`the page has no block ${name}`)
  return found
}

let town: Town
beforeAll(async () => {
  town = await buildTown()
  for (const name of ["audit-team", "operations-team"])
    writeFileSync(at(`${name}.json`), JSON.stringify(town.privateJwkOf(name)), { mode: 0o600 })
  const metadata = await fetch(`${town.issuerUrl}/.well-known/oauth-authorization-server`)
  writeFileSync(at("taskmint.vkey"), String(((await metadata.json()) as { ledger_key: string }).ledger_key))
})
afterAll(() => town.close())
const at = (name: string) => join(town.folder, name)

/** What the page says at "14:20" and "14:21", and the token's id, are this incident's. */
function run(name: string, as: string, replaced: Readonly<Record<string, string>>): Promise<Ended> {
  const said = block(name)
  const lines = Object.entries(replaced).reduce((text, [from, to]) => {
    if (!said.includes(from)) throw new Error(`block ${name} does not say ${from}`)
    return text.replaceAll(from, to)
  }, said)
  const main = join(ROOT, "src/cli/main.ts")
  const env = {
    TASKMINT_ISSUER: town.issuerUrl,
    TASKMINT_CLIENT_ID: as,
    TASKMINT_CLIENT_KEY_FILE: at(`${as}.json`),
  }
  const taskmint = `set -e; cd '${town.folder}'; taskmint() { '${process.execPath}' '${main}' "$@"; }`
  return startShell(`${taskmint}\n${lines}`, { env }).ended
}

const JTI = "tok_01a2015d-9a60-7bc1-8d89-654aa2e41021"
const instant = () => new Date().toISOString()

async function tokenOf(ticket: string): Promise<string> {
  const { tokens } = await town.ask("support-orchestrator", "POST", "/tasks", {
    type: "triage-ticket",
    agent: { id: "triage-bot", instance: `pod-${ticket}` },
    purpose: `Triage ${ticket}`,
    inputs: { ticket },
  })
  return String((tokens as { access_token: string }[])[0]?.access_token)
}

async function read(ticket: string, token: string): Promise<number> {
  const headers = { authorization: `Bearer ${token}` }
  return (await fetch(`${town.tickets}/tickets/${ticket}`, { headers })).status
}

test("a token leaked: what it touched, its end, and that nothing succeeded after it", async () => {
  const [leaked, other] = [await tokenOf("SUP-1042"), await tokenOf("SUP-7")]
  const jti = String(decodeJwt(leaked).jti)
  const stolen = (ticket = "SUP-1042") => read(ticket, leaked)
  expect(await stolen()).toBe(200)
  expect([await stolen(), await stolen("SUP-7")]).toEqual([200, 403])
  await town.flush()

  const touched = await run("touched", "audit-team", { [JTI]: jti })
  expect(touched).toMatchObject({ code: 0 })
  expect(touched.stdout).toMatch(/tickets:read +tickets\/SUP-1042 +allowed .*2/)
  expect(touched.stdout).toMatch(/tickets:read +tickets\/SUP-7 +refused +resource_not_granted/)

  const ended = await run("end", "operations-team", { [JTI]: jti })
  expect(ended).toMatchObject({ code: 0 })
  const since = instant()
  expect(await stolen()).toBe(401)
  expect(await read("SUP-7", other)).toBe(200) // another token of the same agent goes on
  await town.flush()
  await town.sweep()

  const after = await run("after", "audit-team", { [JTI]: jti, "2026-03-01T14:21:00Z": since })
  expect([after.code, after.stderr]).toEqual([0, expect.any(String)])
  expect(after.stdout).toMatch(/use\.refused/)
  expect(after.stdout).toContain("token_revoked")
  expect(after.stdout).not.toContain("use.allowed")
  expect(JSON.parse(after.stdout.slice(after.stdout.indexOf("{")))).toEqual({ entries: [], next: null })

  const proved = await run("prove", "audit-team", {})
  expect(proved).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^followed[\s\S]*verified {2}\d+ entries/m),
  })
  expect(proved.stderr).not.toContain("alarm")
  expect(proved.stderr.match(/^No entries\.$/gm)).toHaveLength(2)
})
