// How fast a candidate is asked about a ledger: the entries of a file, one a line, as `policy replay --entries` reads them.
// Tasks of every kind of type, thirteen entries each, spread over thirty days. One thread, and so one core.
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createReplay, type ReplayReport } from "../src/audit/replay.ts"
import { readEntries } from "../src/cli/entry-source.ts"
import type { Entry } from "../src/ledger/entry.ts"
import type { Policy } from "../src/policy/policy.ts"
import { toInstant } from "../src/time.ts"
import { newId } from "../src/token/id.ts"
import { median } from "./machine.ts"
import { startOf } from "./many-policies.ts"
import { perSecond, printMeasures, type Settings } from "./table.ts"

const MOST_ENTRIES = 1_000_000
const MILLISECONDS_AT_MOST = 60_000
const USES = 10
/** A start's two, and its completion. */
const ENTRIES_OF_A_TASK = USES + 3
const TO = Date.UTC(2026, 1, 1)
const FROM = TO - 30 * 86_400_000

export async function benchReplay(settings: Settings, candidate: Policy, types: number): Promise<boolean> {
  const entries = Math.min(settings.entries, MOST_ENTRIES)
  const folder = mkdtempSync(join(tmpdir(), "bench-replay-"))
  try {
    const path = join(folder, "entries.jsonl")
    const tasks = Math.ceil(entries / ENTRIES_OF_A_TASK)
    writeEntries(path, candidate.digest, tasks, types)
    const times: number[] = []
    for (let round = 0; round < settings.rounds; round++) {
      const began = performance.now()
      const report = await replay(path, candidate)
      times.push(performance.now() - began)
      if (report.uses.permitted !== tasks * USES)
        throw new Error(JSON.stringify([report.starts, report.uses, report.hits[0]]))
    }
    const told = tasks * ENTRIES_OF_A_TASK
    const milliseconds = median(times)
    const atMost = Math.round((MILLISECONDS_AT_MOST * told) / MOST_ENTRIES)
    return printMeasures(`policy replay, ${told.toLocaleString("en")} entries, ${settings.rounds} rounds`, [
      {
        what: "replayed in",
        figure: `${(milliseconds / 1000).toFixed(1)} s`,
        time: { milliseconds, atMost },
      },
      { what: "  entries", figure: perSecond((told * 1000) / milliseconds) },
    ])
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function replay(path: string, candidate: Policy): Promise<ReplayReport> {
  const window = { from: toInstant(FROM), to: toInstant(TO) }
  const run = createReplay({ candidate, from: window.from })
  for await (const part of readEntries(path, window)) for (const entry of part) run.take(entry)
  return run.report()
}

function writeEntries(path: string, policy: string, tasks: number, types: number): void {
  const file = openSync(path, "w")
  try {
    for (let task = 0; task < tasks; task++) {
      const entries = taskEntries(task, FROM + Math.floor(((TO - FROM) * task) / tasks), policy, types)
      writeSync(file, entries.map((entry) => `${JSON.stringify(entry)}\n`).join(""))
    }
  } finally {
    closeSync(file)
  }
}

/** What the ledger tells of one task, in its order. */
function taskEntries(task: number, began: number, policy: string, types: number): Entry[] {
  const { type, orchestrator, agent, inputs } = startOf(task % types, `SUP-${task + 1}`)
  const ticket = String(inputs.ticket)
  const who = { agent, instance: `pod-${task % 50}`, orchestrator, sub: orchestrator }
  const [taskId, jti] = [newId("task", began), newId("tok", began)]
  const rule = (index: number) => `tasks.yaml#/tasks/${type}/grants/${index}`
  const grants = [
    { operations: ["tickets:read"], rule: rule(0) },
    { operations: ["tickets:comment"], rule: rule(1) },
  ]
  const entry = (at: number, more: Pick<Entry, "kind"> & Partial<Entry>): Entry => ({
    seq: task * ENTRIES_OF_A_TASK + at + 1,
    at: toInstant(began + at),
    task_id: taskId,
    ...who,
    outcome: "allowed",
    ...more,
  })
  const use = (at: number) =>
    entry(2 + at, {
      kind: "use.allowed",
      jti,
      api: "tickets",
      operation: at % 2 === 0 ? "tickets:read" : "tickets:comment",
      resource: `tickets/${ticket}/comments`,
      body: { id: newId("use", began + at), served_at: toInstant(began + at), status: 200, duration_ms: 12 },
    })
  return [
    entry(0, {
      kind: "task.started",
      body: { deadline: began, grants, inputs: { ticket }, policy, purpose: "Triage what came in", type },
    }),
    entry(1, { kind: "token.issued", jti, api: "tickets", body: { exp: began, grants, policy } }),
    ...Array.from({ length: USES }, (_, at) => use(at)),
    entry(2 + USES, { kind: "task.completed" }),
  ]
}
