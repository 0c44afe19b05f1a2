// The console's pages on a large ledger, as a browser asks for them: how long each takes, its record in the ledger included, and
// how many bytes it is. One task with uses and refusals is told again until there are so many entries, over thirty days.
import { mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { PLACES } from "../src/console/page.ts"
import { jtiOf, report, useOf } from "../test/support/incident.ts"
import { type House, openHouse, START } from "../test/support/issuer-house.ts"
import { fillLedger, taskIdOf } from "../test/support/large-ledger.ts"
import { startPostgres } from "../test/support/postgres-server.ts"
import { median } from "./machine.ts"
import { createDatabase } from "./postgres-place.ts"
import { type Measure, printMeasures, type Settings } from "./table.ts"

const USES = 9
/** A start's two, a refusal, and its completion. */
const ENTRIES_OF_A_TASK = USES + 4
const SPREAD_MILLISECONDS = 30 * 86_400_000
const LIVE_TASKS = 40
const ASKED = 100
const PAGE_MILLISECONDS = 200
const OVERVIEW_MILLISECONDS = 100
const BYTES_AT_MOST = 100 * 1024

export async function benchConsole(settings: Settings): Promise<boolean> {
  const folder = mkdtempSync(join(tmpdir(), "bench-console-"))
  const postgres = await startPostgres()
  try {
    mkdirSync(join(folder, "file"))
    const onFile = await benchPages("SQLite", settings, join(folder, "file", "issuer.db"))
    const onServer = await benchPages(
      "PostgreSQL",
      settings,
      await createDatabase(postgres.address, "console"),
    )
    return onFile && onServer
  } finally {
    await postgres.remove()
    rmSync(folder, { recursive: true, force: true })
  }
}

async function benchPages(name: string, { entries }: Settings, place: string): Promise<boolean> {
  const house = await openHouse({ database: place })
  try {
    await makeTask(house)
    await house.issuer.close()
    const tasks = Math.ceil(entries / ENTRIES_OF_A_TASK)
    const filled = await fillLedger(place, tasks, {
      apartMilliseconds: Math.floor(SPREAD_MILLISECONDS / tasks),
    })
    house.clock.advance(SPREAD_MILLISECONDS)
    await house.restart()
    for (let n = 0; n < LIVE_TASKS; n++)
      await house.ask("POST", "/tasks", { as: "support-orchestrator", json: START })
    await countAll(house, filled.entries)
    const measures: Measure[] = []
    for (const path of PAGES) measures.push(...(await measure(house, path)))
    return printMeasures(`${name}, the console on ${filled.entries.toLocaleString("en")} entries`, measures)
  } finally {
    await house.remove()
  }
}

async function makeTask(house: House): Promise<void> {
  const { body } = await house.ask("POST", "/tasks", { as: "support-orchestrator", json: START })
  const task = String(body.task_id)
  const jti = jtiOf(body as unknown as Parameters<typeof jtiOf>[0])
  const use = useOf(house, task, jti)
  const refused = { ...use, decision: "refused", code: "resource_not_granted" } as const
  await report(house, [...Array.from({ length: USES }, () => useOf(house, task, jti)), refused])
  await house.ask("POST", `/tasks/${task}/complete`, { as: "support-orchestrator" })
}

/** Until the roll-ups have come to the end, as they have where the ledger grew by itself. */
async function countAll(house: House, entries: number): Promise<void> {
  for (let upTo = 0; upTo < entries; ) {
    await house.issuer.sweep()
    const { body } = await house.ask("GET", "/reports/least-privilege?limit=1", { as: "audit-team" })
    upTo = Number(body.up_to)
  }
}

/** Where one can go, and what is behind it. */
const PAGES: readonly string[] = [
  ...PLACES.map(({ path }) => path),
  "/console/alarms",
  `/console/agents/${START.agent.id}`,
  `/console/tasks/${taskIdOf(1)}`,
]

async function open(house: House, path: string) {
  const answer = await house.call("GET", path, { as: "audit-team" })
  const bytes = (await answer.arrayBuffer()).byteLength
  const isPage = answer.status === 200 && (answer.headers.get("content-type") ?? "").startsWith("text/html")
  return { bytes, isPage }
}

async function measure(house: House, path: string): Promise<Measure[]> {
  const atMost = path === "/console" ? OVERVIEW_MILLISECONDS : PAGE_MILLISECONDS
  if (!(await open(house, path)).isPage)
    return [{ what: path, figure: "no page", ratio: 1, against: "that there should be", atMost: 0 }]
  const times: number[] = []
  let bytes = 0
  for (let n = 0; n < ASKED; n++) {
    const began = performance.now()
    const opened = await open(house, path)
    times.push(performance.now() - began)
    if (!opened.isPage) throw new Error(`${path} is no page any more`)
    bytes = Math.max(bytes, opened.bytes)
  }
  const p99 = times.sort((a, b) => a - b)[Math.floor(times.length * 0.99)] ?? Number.NaN
  const timed = (milliseconds: number) => ({
    figure: `${milliseconds.toFixed(1)} ms`,
    time: { milliseconds, atMost },
  })
  return [
    { what: `${path}, p50`, ...timed(median(times)) },
    { what: "  p99", ...timed(p99) },
    {
      what: "  bytes",
      figure: bytes.toLocaleString("en"),
      ratio: bytes / BYTES_AT_MOST,
      against: `of ${BYTES_AT_MOST.toLocaleString("en")}`,
      atMost: 1,
    },
  ]
}
