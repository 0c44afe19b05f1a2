// Leaks, over real HTTP with real verifiers: a canary that somebody uses, a log in which live tokens are found and ended, and
// the drill.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, expect, test, vi } from "vitest"
import { addCanary } from "../../src/cli/canary.ts"
import { addDrill } from "../../src/cli/drill.ts"
import { addScan } from "../../src/cli/scan.ts"
import { runHere } from "../support/in-process.ts"
import { ROOT } from "../support/source.ts"
import { buildTown, type Town } from "../support/town.ts"

vi.setConfig({ testTimeout: 30_000, hookTimeout: 30_000 })

let town: Town
beforeAll(async () => {
  town = await buildTown({
    prepare(policies) {
      const file = join(policies, "staff.yaml")
      writeFileSync(file, readFileSync(file, "utf8").replace("[operator]", "[operator, auditor]"))
    },
  })
  writeFileSync(at("key.json"), JSON.stringify(town.privateJwkOf("operations-team")), { mode: 0o600 })
})
afterAll(() => town.close())
const at = (name: string) => join(town.folder, name)

const page = readFileSync(join(ROOT, "docs/exposure.md"), "utf8")
/** The commands of a block of the page, as words, with what is this test's in the place of what the page says. */
function said(block: string, replaced: Readonly<Record<string, string>> = {}): string[][] {
  const text = new RegExp(`^\`\`\`sh ${block}\\n([\\s\\S]*?)^\`\`\``, "m").exec(page)?.[1]
  if (text === undefined) throw new Error(`the page has no block ${block}`)
  const words = (line: string) => [...line.matchAll(/"([^"]*)"|\S+/g)].map(([word, quoted]) => quoted ?? word)
  const commands = text.trim().split("\n").map(words)
  return commands.map(([, ...args]) => args.map((word) => replaced[word] ?? word))
}

type Add = Parameters<typeof runHere>[0]
const run = (add: Add, ...args: string[]) =>
  runHere(add, args, {
    TASKMINT_ISSUER: town.issuerUrl,
    TASKMINT_CLIENT_ID: "operations-team",
    TASKMINT_CLIENT_KEY_FILE: at("key.json"),
  })
const LIKE = ["triage-ticket", "--agent", "triage-bot/pod-1", "--input", "ticket=SUP-1"]

async function entries(query: string) {
  const answer = await town.ask("operations-team", "GET", `/ledger/entries?${query}`)
  return answer.entries as { kind: string; code?: string; body: Record<string, unknown> }[]
}

const read = async (token: string) =>
  (await fetch(`${town.tickets}/tickets/SUP-1`, { headers: { authorization: `Bearer ${token}` } })).status

test("a canary opens nothing, and whoever uses it is an alarm", async () => {
  const [canary = []] = said("canary")
  const minted = await run(addCanary, ...canary, "--json")
  expect(minted.code).toBe(0)
  const { access_token, jti } = JSON.parse(minted.stdout)
  expect(await read(access_token)).toBe(401)
  await town.flush()
  expect((await entries(`jti=${jti}`)).map(({ kind, code }) => code ?? kind)).toEqual([
    "canary.issued",
    "token_expired",
    "canary_used",
  ])
  const written = await run(addCanary, "canary", ...LIKE, "--reason", "in a file", "--out", at("canary.txt"))
  expect([written.code, written.stdout]).toEqual([0, ""])
  const scanned = await run(addScan, "scan", at("canary.txt"))
  expect([scanned.code, scanned.stdout]).toEqual([
    1,
    expect.stringMatching(/^expired, a canary +genuine +tok_/m),
  ])
})

test("tokens in a log are told, ended where they live and are genuine, and their holders locked", async () => {
  const start = async (instance: string) => {
    const { tokens } = await town.ask("support-orchestrator", "POST", "/tasks", {
      type: "triage-ticket",
      agent: { id: "triage-bot", instance },
      purpose: "Triage",
      inputs: { ticket: "SUP-1" },
    })
    return String((tokens as { access_token: string }[])[0]?.access_token)
  }
  const [leaked, cut, forged] = [await start("pod-leaky"), await start("pod-cut"), await start("pod-forged")]
  const log = [leaked, cut.slice(0, -20), `${forged.slice(0, -20)}${"A".repeat(20)}`, leaked].join("\n")
  writeFileSync(at("app.log"), log)
  mkdirSync(at("archive"))
  const files = { "app.log": at("app.log"), archive: at("archive") }
  for (const command of said("scan", files)) expect((await run(addScan, ...command)).code).toBe(1)
  const [revoke = []] = said("revoke", files)
  const { code, stdout } = await run(addScan, ...revoke, "--json")
  expect(code).toBe(1)
  const { findings } = JSON.parse(stdout)
  const ids = (ended: { kind: string; value: string }[]) => ended.map(({ kind, value }) => `${kind} ${value}`)
  const [first, second, third] = findings
  expect([first.state, first.standing, first.recorded, first.task_state]).toEqual([
    "live",
    "genuine",
    false,
    "active",
  ])
  expect(ids(first.ended)).toEqual([`token ${first.jti}`, "instance triage-bot/pod-leaky"])
  expect(first.ended[0].instances).toMatchObject([{ api: "tickets", applied_at: expect.any(String) }])
  expect([second.state, second.standing, second.ended]).toEqual(["live", "cut", []])
  expect([third.state, third.standing, third.ended]).toEqual(["forged", "forged", []])
  expect([await read(leaked), await read(cut), await read(forged)]).toEqual([401, 200, 200])
  expect(await entries(`jti=${first.jti}&kind=token.exposed`)).toMatchObject([
    { code: "live", body: { found: 2, places: [1, 4].map((line) => ({ file: at("app.log"), line })) } },
  ])
  expect(await entries(`jti=${third.jti}&kind=token.exposed`)).toEqual([])
  const { locks } = await town.ask("operations-team", "GET", "/locks")
  expect(locks).toMatchObject([{ kind: "instance", value: "triage-bot/pod-leaky" }])
})

test("a drill holds from the leak to the proof, times each step and leaves nothing alive", async () => {
  const address = "https://tickets.internal.example/tickets/SUP-1042"
  const [drill = []] = said("drill", { [address]: `${town.tickets}/tickets/SUP-1` })
  const { code, stdout } = await run(addDrill, ...drill, "--yes", "--json")
  const { steps, jti, checkpoint } = JSON.parse(stdout)
  expect(steps.filter(({ result }: { result: string }) => result !== "held")).toEqual([])
  expect(code).toBe(0)
  const told = steps.map(({ what }: { what: string }) => what.replace(/^verifier .*/, "a verifier"))
  expect(told).toEqual([
    "a token was minted that grants nothing",
    "it leaked into a log",
    "the thief used it",
    "it was found in the log",
    "that it was found stands in the ledger",
    "it was revoked",
    "the first refusal was seen",
    "a verifier",
    "nothing of it is alive",
    "the ledger tells it",
    "nothing was allowed with it",
    "the ledger is signed up to that",
  ])
  const times = steps.map(({ at_ms }: { at_ms: number }) => at_ms)
  expect(times).toEqual([...times].sort((a, b) => a - b))
  expect(checkpoint).toContain(new URL(town.issuerUrl).host)
  expect(await entries(`jti=${jti}&outcome=allowed`)).toEqual([])
})

test("a drill that no guard answers says that it can't tell, and still ends its token", async () => {
  const nowhere = `${town.tickets}/nowhere`
  const { code, stdout } = await run(addDrill, "drill", "leak", ...LIKE, "--url", nowhere, "--yes", "--json")
  expect(code).toBe(3)
  const { steps, jti } = JSON.parse(stdout)
  expect(steps[2]).toMatchObject({ result: "unknown", detail: expect.stringContaining("--url") })
  expect(await entries(`jti=${jti}&kind=token.revoked`)).toHaveLength(1)
})

test("a drill goes nowhere but to the API, begins for nobody who did not agree, and ends what it minted", async () => {
  const elsewhere = ["drill", "leak", ...LIKE, "--url", "https://elsewhere.example/"]
  expect(await run(addDrill, ...elsewhere)).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("--yes"),
  })
  const before = (await entries("kind=token.revoked")).length
  expect(await run(addDrill, ...elsewhere, "--yes")).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("--url is not at"),
  })
  expect(await entries("kind=token.revoked")).toHaveLength(before + 1)
})
