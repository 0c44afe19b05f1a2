// `ledger follow` as an auditor runs it, of a real issuer: killed, ended, alone, and after the issuer's database was replaced
// by an older one, which is a rollback, and a fork as soon as it has grown.
import { readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, expect, test, vi } from "vitest"
import { copyDatabase } from "../../src/database/backup.ts"
import { runCli, startCli } from "../support/command-line.ts"
import { buildTown, type Town } from "../support/town.ts"

// Every command is a process of its own.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

let town: Town
let env: Record<string, string>
let vkey: string
const at = (name: string) => join(town.folder, name)
const audit = () => at("audit.db")
const follow = (...more: string[]) => ["ledger", "follow", "--to", audit(), "--key", vkey, ...more]
const verify = () => runCli(["ledger", "verify", "--database", `sqlite:${audit()}`, "--key", vkey])

beforeAll(async () => {
  town = await buildTown()
  const keyFile = at("audit.private.json")
  writeFileSync(keyFile, JSON.stringify(town.privateJwkOf("audit-team")), { mode: 0o600 })
  env = {
    TASKMINT_ISSUER: town.issuerUrl,
    TASKMINT_CLIENT_ID: "audit-team",
    TASKMINT_CLIENT_KEY_FILE: keyFile,
  }
  const metadata = await fetch(`${town.issuerUrl}/.well-known/oauth-authorization-server`)
  vkey = String(((await metadata.json()) as Record<string, unknown>).ledger_key)
})
afterAll(() => town.close())

async function startTasks(count: number): Promise<void> {
  for (let n = 0; n < count; n++)
    await town.orchestrator().start({
      type: "triage-ticket",
      agent: { id: "triage-bot", instance: "pod-1" },
      purpose: "Be followed",
      inputs: { ticket: "SUP-1" },
    })
  await town.sweep()
}
const placesIn = (ndjson: string): number[] =>
  ndjson
    .split("\n")
    .filter((line) => line.endsWith("}"))
    .map((line) => Number((JSON.parse(line) as { seq: number }).seq))
const upTo = (last: number): number[] => Array.from({ length: last }, (_each, n) => n + 1)

test("entries are passed on as they come; killed, it goes on, and ended by SIGTERM all is safe", async () => {
  await startTasks(3)
  const first = startCli(follow("--ndjson"), { env })
  await first.said(/"kind":"task\.started"/)
  await startTasks(1)
  await first.said(/(?:"kind":"task\.started"[\s\S]*){4}/)
  first.child.kill("SIGKILL")
  const killed = placesIn((await first.ended).stdout)
  expect(killed).toEqual(upTo(killed.length))
  await startTasks(2)
  const second = startCli(follow("--ndjson"), { env })
  await second.said(/(?:"kind":"task\.started"[\s\S]*){2}/)
  second.child.kill("SIGTERM")
  const { code, stdout } = await second.ended
  const ended = placesIn(stdout)
  expect(code).toBe(0)
  // A line may come twice, and none is left out.
  expect(ended[0]).toBeLessThanOrEqual(killed.length + 1)
  expect([...new Set([...killed, ...ended])]).toEqual(upTo(ended.at(-1) ?? 0))
})

test("without the issuer the copy is verified; following once could not tell, 3", async () => {
  await copyDatabase({ from: at("issuer.db"), to: at("older.db") })
  await startTasks(2)
  const { code, stdout } = await runCli(follow("--once"), { env })
  expect([code, stdout]).toEqual([
    0,
    expect.stringMatching(/^followed {2}\d+ entries of 127\.0\.0\.1:\d+ in /),
  ])
  await town.restartIssuer(async () => {
    expect(await runCli(follow("--once"), { env })).toMatchObject({ code: 3, stdout: "" })
    expect(await verify()).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^verified {2}\d+ entries/),
    })
    const asked = ["ledger", "query", "--database", `sqlite:${audit()}`, "--kind", "task.started"]
    const { code, stdout } = await runCli(asked)
    expect([code, stdout.match(/ task\.started /g)?.length]).toEqual([0, 8])
  })
})

test("H06, H07: an older database is found, and as a fork once it has grown; both sides are kept", async () => {
  const { stdout } = await runCli(follow("--once", "--json"), { env })
  const held: { entries: number; checkpoint: string } = JSON.parse(stdout)
  await town.restartIssuer(async () => {
    for (const name of ["issuer.db-wal", "issuer.db-shm"]) rmSync(at(name), { force: true })
    writeFileSync(at("issuer.db"), readFileSync(at("older.db")))
  })
  const found = async (hows: RegExp) => {
    const ended = await runCli(follow("--once"), { env })
    expect(ended.code).toBe(1)
    const how = hows.exec(ended.stderr)?.[1] ?? ended.stderr
    const evidence = JSON.parse(readFileSync(`${audit()}.${how}.json`, "utf8"))
    expect(statSync(`${audit()}.${how}.json`).mode & 0o777).toBe(0o600)
    expect(evidence).toMatchObject({ how, ours: held.checkpoint })
    return Number(String(evidence.theirs).split("\n")[1])
  }
  // Whoever is heard again may have made it another history before anybody looks.
  expect(await found(/alarm: (rollback|fork):/)).toBeLessThan(held.entries)
  rmSync(`${audit()}.fork.json`, { force: true })
  await startTasks(6)
  expect(await found(/alarm: (fork):/)).toBeGreaterThan(held.entries)
  expect((await verify()).code).toBe(0)
})

test.each([
  ["a key that is none", ["--to", "x.db", "--key", "a+00000000+b"], 2],
  ["another program's database", ["--to", "@", "--key", "vkey"], 3],
])("%s is told apart", async (_what, args, code) => {
  const given = args.map((one) => (one === "@" ? at("issuer.db") : one === "vkey" ? vkey : one))
  expect((await runCli(["ledger", "follow", ...given], { env, cwd: town.folder })).code).toBe(code)
})
