// What a candidate's conditions would have said to mints of the ledger, as of then.
import { describe, expect, test } from "vitest"
import { createReplay } from "../../src/audit/replay.ts"
import type { Entry } from "../../src/ledger/entry.ts"
import type { Policy } from "../../src/policy/policy.ts"
import { policyOf } from "../support/policies.ts"

const BEGAN = Date.UTC(2026, 0, 1, 9)
const MINUTE = 60_000
const ALWAYS = "1970-01-01T00:00:00.000Z"

/** One task type: on it one condition, on its second grant another. */
const candidate = (when: string, grant = "true"): Promise<Policy> =>
  policyOf({
    "a.yaml": `version: 1
apis: { tickets: { resource: https://tickets.example, owner: a, operations: { tickets:read: { risk: low }, tickets:comment: { risk: low } } } }
agents: { bot: { owner: a }, helper: { owner: a } }
orchestrators: { jobs: { owner: a } }
tasks:
  triage:
    orchestrators: [jobs]
    agents: [bot]
    deadline: 3h
    inputs: { ticket: { pattern: "[A-Z]+-[0-9]+" } }
    when: ${JSON.stringify(when)}
    delegation: { to: { helper: [tickets:read] } }
    grants:
      - { api: tickets, operations: [tickets:read], resources: ["tickets/{ticket}"] }
      - { api: tickets, operations: [tickets:comment], resources: ["tickets/{ticket}"], when: ${JSON.stringify(grant)} }
`,
  })

const BOTH = [
  { operations: ["tickets:read"], rule: "a.yaml#/tasks/triage/grants/0" },
  { operations: ["tickets:comment"], rule: "a.yaml#/tasks/triage/grants/1" },
]

type Told = Partial<Entry> & Pick<Entry, "kind"> & { readonly minute: number }

const start = (minute: number, task = "task_1", body: Entry["body"] = {}): Told => ({
  kind: "task.started",
  minute,
  task_id: task,
  instance: "pod-1",
  body: { type: "triage", inputs: { ticket: "SUP-1" }, grants: BOTH, purpose: "Triage", ...body },
})
const token = (minute: number, jti: string, more: Partial<Entry> = {}, task = "task_1"): Told => ({
  kind: minute === 0 ? "token.issued" : "token.renewed",
  minute,
  task_id: task,
  jti,
  instance: "pod-1",
  api: "tickets",
  body: { jkt: "k" },
  ...more,
})
const use = (minute: number, jti: string, operation: string, task = "task_1"): Told => ({
  kind: "use.allowed",
  minute,
  task_id: task,
  jti,
  api: "tickets",
  operation,
  resource: "tickets/SUP-1",
})

/** Started at nine; renewed at ten by another instance; three uses of each token, one of which is a comment. */
const STORY: readonly Told[] = [
  start(0),
  token(0, "tok_1"),
  use(1, "tok_1", "tickets:read"),
  use(2, "tok_1", "tickets:comment"),
  use(3, "tok_1", "tickets:read"),
  token(60, "tok_2", { instance: "pod-2" }),
  use(61, "tok_2", "tickets:read"),
  use(62, "tok_2", "tickets:comment"),
  use(63, "tok_2", "tickets:read"),
]

const entriesOf = (told: readonly Told[]): readonly Entry[] =>
  told.map(({ minute, ...entry }, index) => ({
    seq: index + 1,
    at: new Date(BEGAN + minute * MINUTE).toISOString(),
    agent: "bot",
    orchestrator: "jobs",
    ...entry,
  }))

function replay(policy: Policy, entries: readonly Entry[]) {
  const run = createReplay({ candidate: policy, from: ALWAYS })
  for (const entry of entries) run.take(entry)
  return run.report()
}

const NONE = { permitted: 0, less: 0, refused: 0, cannot_tell: 0 }
const STARTED = { ...NONE, total: 1 }
const USED = { ...NONE, total: 6 }

/** Conditions on the task and on the grant for comments, and what becomes of the start and of the six uses. */
const CASES = [
  ["true", "true", { permitted: 1 }, { permitted: 6 }],
  ['task.purpose == "Triage"', "true", { permitted: 1 }, { permitted: 6 }],
  ['task.purpose == "Else"', "true", { refused: 1 }, { refused: 6 }],
  ['inputs.ticket.startsWith("SUP-")', "true", { permitted: 1 }, { permitted: 6 }],
  ["has(task.reference)", "true", { refused: 1 }, { refused: 6 }],
  // The second token was minted at ten, and to another instance.
  ['now.getHours("UTC") < 10', "true", { permitted: 1 }, { permitted: 3, refused: 3 }],
  ['now.getHours("UTC") >= 10', "true", { refused: 1 }, { refused: 6 }],
  ['agent.instance == "pod-1"', "true", { permitted: 1 }, { permitted: 3, refused: 3 }],
  ["true", 'task.purpose == "Else"', { less: 1 }, { permitted: 4, refused: 2 }],
  ["true", 'now.getHours("UTC") < 10', { permitted: 1 }, { permitted: 5, refused: 1 }],
  // A grant that was left out at the start stays out.
  ["true", 'now.getHours("UTC") >= 10', { less: 1 }, { permitted: 4, refused: 2 }],
  ["usage.starts == 0", "true", { permitted: 1 }, { permitted: 3, refused: 3 }],
  ["usage.uses < 3", "true", { permitted: 1 }, { permitted: 3, refused: 3 }],
  ["usage.uses < 4 && usage.refusals == 0", "true", { permitted: 1 }, { permitted: 6 }],
] as const

test.each(CASES)("when %s, and on a grant when %s", async (task, grant, starts, uses) => {
  // In the first minute of the hour before ten: it counts.
  const entries = entriesOf(STORY.map((one) => ({ ...one, minute: one.minute === 0 ? 1 : one.minute })))
  const report = replay(await candidate(task, grant), entries)
  expect(report).toMatchObject({ starts: { ...STARTED, ...starts }, uses: { ...USED, ...uses } })
})

test("what happened more than an hour before, or to another agent, is no usage", async () => {
  const policy = await candidate("usage.starts == 0 && usage.uses == 0")
  const later = STORY.map((one) => (one.minute < 60 ? one : { ...one, minute: one.minute + 10 }))
  expect(replay(policy, entriesOf(later)).uses.refused).toBe(0)
  const others = [{ ...start(55, "task_2"), agent: "helper" }, ...later.slice(5)]
  expect(replay(policy, entriesOf([...later.slice(0, 5), ...others])).uses.refused).toBe(0)
  const own = [start(55, "task_2"), ...later.slice(5)]
  expect(replay(policy, entriesOf([...later.slice(0, 5), ...own])).uses.refused).toBe(3)
})

describe("what can't be told is counted by itself", () => {
  const why = (told: readonly Entry[], policy: Policy) => {
    const { starts, uses, hits } = replay(policy, told)
    return [starts.cannot_tell, uses.cannot_tell, hits.find((hit) => hit.verdict === "cannot_tell")?.why]
  }

  test("usage, where entries of the hour before were not read", async () => {
    const policy = await candidate("usage.uses < 100")
    const unread = "not all entries of the hour before were read, and a condition asks for them"
    expect(why(entriesOf(STORY), policy)).toEqual([0, 0, undefined])
    const begins = entriesOf(STORY).map((entry) => ({ ...entry, seq: entry.seq + 7 }))
    expect(why(begins, policy)).toEqual([1, 6, unread])
    const gap = entriesOf(STORY).map((entry) => (entry.seq > 4 ? { ...entry, seq: entry.seq + 1 } : entry))
    expect(why(gap, policy)).toEqual([0, 3, unread])
    // No condition asks for it.
    expect(why(gap, await candidate('task.purpose == "Triage"'))).toEqual([0, 0, undefined])
  })

  test("usage, where it depends on what was being committed", async () => {
    const policy = await candidate("usage.starts == 0")
    const two = [start(0, "task_0"), ...STORY.slice(0, 5)]
    const onItsWay = "it depends on entries that were on their way just then"
    expect(why(entriesOf(two), policy)).toEqual([1, 3, onItsWay])
    expect(why(entriesOf(two), await candidate("usage.starts < 2"))).toEqual([0, 0, undefined])
  })

  test("erased purposes and references", async () => {
    const hmac = "A".repeat(43)
    const erased = "what conditions ask of the task is erased"
    const purpose = entriesOf([start(0, "task_1", { purpose: { hmac } }), ...STORY.slice(1)])
    const policy = await candidate('task.purpose != ""')
    expect(why(purpose, policy)).toEqual([1, 6, erased])
    const reference = entriesOf([{ ...start(0), reference: { hmac } }, ...STORY.slice(1)])
    expect(why(reference, policy)).toEqual([1, 6, erased])
    const subject = entriesOf([{ ...start(0), sub: { hmac } }, ...STORY.slice(1)])
    expect(why(subject, policy)).toEqual([1, 6, erased])
  })

  test("uses of tokens whose mint was not read", async () => {
    const without = STORY.filter((one) => one.jti !== "tok_2" || one.kind === "use.allowed")
    expect(why(entriesOf(without), await candidate('task.purpose != ""'))).toEqual([
      0,
      3,
      "the mint of its token was not read",
    ])
  })
})

test("a sub-agent is asked about as the task's own agent is", async () => {
  const below = { agent: "helper", instance: "pod-9", body: { lineage: ["del_1"], grants: BOTH.slice(0, 1) } }
  const told: Told[] = [
    ...STORY.slice(0, 2),
    { ...token(30, "tok_3", below), kind: "token.delegated" },
    { ...use(31, "tok_3", "tickets:read"), agent: "helper" },
    { ...token(90, "tok_4", below), kind: "token.renewed" },
    { ...use(91, "tok_4", "tickets:read"), agent: "helper" },
  ]
  const counts = async (when: string) => {
    const { delegations, uses } = replay(await candidate(when), entriesOf(told))
    return [delegations.permitted, delegations.refused, uses.permitted, uses.refused]
  }
  expect(await counts('agent.name == "bot" && agent.instance == "pod-1"')).toEqual([1, 0, 2, 0])
  expect(await counts('now.getHours("UTC") < 10')).toEqual([1, 0, 1, 1])
  expect(await counts('agent.name == "helper"')).toEqual([0, 1, 0, 2])
})
