// The page of integrity: what was signed, who reports not all, and that the commands it names are there.
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { Command } from "commander"
import { afterAll, beforeAll, expect, test } from "vitest"
import { addLedger } from "../../src/cli/ledger.ts"
import { createSettings } from "../../src/cli/settings.ts"
import { createTerminal } from "../../src/cli/terminal.ts"
import { commandsFor, type IntegrityShown, integrityPage } from "../../src/console/integrity-page.ts"
import { NoCheckpoint, openCheckpoint, readVkey } from "../../src/ledger/checkpoint.ts"
import { openPage } from "../support/console-form.ts"
import { type House, ISSUER, openHouse } from "../support/issuer-house.ts"
import { createReporter } from "../support/reporter.ts"
import { ROOT } from "../support/source.ts"

let house: House
beforeAll(async () => {
  house = await openHouse()
})
afterAll(() => house.remove())

const open = (query = "") => openPage(house, `/console/integrity${query}`, "audit-team")
const textIn = (text: string): string => text.replaceAll("&quot;", '"').replaceAll("&#39;", "'")

test("before anything is reported it says so", async () => {
  const text = await open()
  expect(text).toContain("The ledger goes on")
  expect(text).toContain("Every verifier reports")
  expect(await open("?shows=all")).toContain("No verifier has reported yet.")
})

test("shows the newest checkpoint as it was signed, and the key that opens it", async () => {
  const [whole] = [createReporter(house)]
  await whole.report()
  const text = textIn(await open())
  const note = /<pre tabindex="0">(taskmint\.internal\n[\s\S]*?)<\/pre>/.exec(text)?.[1] ?? ""
  const vkey = /<li><code>([^<]+)<\/code> <span class="tag good">signs now/.exec(text)?.[1] ?? ""
  const key = readVkey(vkey)
  const checkpoint = openCheckpoint(note, "taskmint.internal", key ? [key] : [])
  expect(checkpoint).not.toBeInstanceOf(NoCheckpoint)
})

test("names who left something out, what, and who has gone silent; and who is whole only where all are shown", async () => {
  const vanished = createReporter(house)
  await vanished.report()
  house.clock.advance(100_000)
  const [whole, gap, silent] = [createReporter(house), createReporter(house), createReporter(house)]
  for (const one of [whole, gap, silent]) await one.report()
  house.clock.advance(100_000)
  await gap.report([], { sequence: 4 })
  await whole.report()
  const stateIn = (text: string, { instance }: { instance: string }) =>
    new RegExp(
      `${instance}</code></td><td[^>]*>tickets</td><td[^>]*><span class="tag[^>]*>([^<]+)<.*?</td><td[^>]*>(.*?)</td>`,
      "s",
    )
      .exec(text)
      ?.slice(1)
      .map((cell) => cell.replaceAll(/<[^>]*>/g, ""))
  const incomplete = await open()
  expect(stateIn(incomplete, gap)).toEqual(["gap", "2 to 3"])
  expect(stateIn(incomplete, silent)).toEqual(["silent", "none"])
  expect(stateIn(incomplete, vanished)).toEqual(["gap", "its last words"])
  expect(stateIn(incomplete, whole)).toBeUndefined()
  expect(stateIn(await open("?shows=all"), whole)).toEqual(["reports", "none"])
})

test("says loudly that the ledger was stopped, and shows both sides", () => {
  const stopped = JSON.stringify({ why: "fork", theirs: "a note <b>", ours: "another" })
  const shown: IntegrityShown = {
    ...{ issuer: ISSUER, origin: "taskmint.internal", checkpoint: undefined, unsigned: 3, keys: [], stopped },
    broken: [
      {
        seq: 9,
        at: "2026-03-01T09:00:00.000Z",
        kind: "alarm.raised",
        body: { why: "fork", verifier: "v-1" },
      },
    ],
    ...{
      verifiers: { verifiers: [], next: undefined },
      shows: "all",
      before: undefined,
      now: 0,
      audits: true,
    },
  }
  const text = textIn(String(integrityPage(shown).body))
  expect(text).toContain("The ledger was stopped.")
  expect(text).toContain("a note &lt;b&gt;")
  expect(text).not.toContain("The ledger goes on")
  expect(text).toContain('href="/console/ledger/9"')
  const unread = String(integrityPage({ ...shown, audits: false }).body)
  expect(unread).toContain("v-1")
  expect(unread).not.toContain("/console/ledger")
})

test("its commands are commands, with options that are there, and those of the documentation", async () => {
  const program = new Command("taskmint")
  addLedger(program, {
    terminal: createTerminal(process.stdout, process.stderr),
    settings: createSettings({}, ""),
  })
  const docs = readFileSync(join(ROOT, "docs/auditor.md"), "utf8")
  const page = textIn(await open())
  const commands = commandsFor(ISSUER)
  for (const command of commands) {
    expect(page).toContain(command)
    const [, noun, verb, ...rest] = command.split(" ")
    const found = program.commands
      .find((one) => one.name() === noun)
      ?.commands.find((one) => one.name() === verb)
    const known = found?.options.map(({ long }) => long)
    for (const option of rest.filter((word) => word.startsWith("--"))) expect(known).toContain(option)
  }
  for (const command of commands.slice(0, 2)) expect(docs).toContain(command)
})

test("is told of in the ledger", async () => {
  await open()
  const { body } = await house.ask("GET", "/ledger/entries?kind=access.read", { as: "audit-team" })
  expect(body.entries).toContainEqual(
    expect.objectContaining({ body: { by: "audit-team", report: "completeness" } }),
  )
})

test.each(["?shows=none", "?before=0", "?x=1"])("refuses %s", async (query) => {
  const answer = await house.call("GET", `/console/integrity${query}`, { as: "audit-team" })
  expect(answer.status).toBe(400)
})
