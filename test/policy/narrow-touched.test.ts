// What entries take out of resources and of users' `at_most`, and what they can't tell.
import fc from "fast-check"
import { expect, test, vi } from "vitest"
import { createReplay } from "../../src/audit/replay.ts"
import { createTouching } from "../../src/audit/touching.ts"
import type { Entry } from "../../src/ledger/entry.ts"
import { diffPolicies } from "../../src/policy/diff.ts"
import { loadStoredPolicy } from "../../src/policy/load.ts"
import { narrowTouched } from "../../src/policy/narrow-touched.ts"
import type { Policy } from "../../src/policy/policy.ts"
import { replaceItem } from "../../src/policy/replace.ts"
import { missingUses } from "../../src/policy/touched.ts"
import { evidenceOf, itemOf } from "../support/crowded-policy.ts"
import { policyOf } from "../support/policies.ts"
import { entriesOf, type Ran, read, TOUCHED, type Touch, tasks } from "../support/touched-policy.ts"

// Each policy is read by a thread of its own.
vi.setConfig({ testTimeout: 120_000 })

const FROM = "2026-01-02T00:00:00.000Z"
const policy = await policyOf({ "p.yaml": TOUCHED })

function narrowedBy(entries: readonly Entry[], minTasks = 20) {
  const touching = createTouching(policy, { from: FROM, most: minTasks })
  for (const entry of entries) touching.take(entry)
  return narrowTouched(policy, touching.report(), { minTasks })
}
const narrowed = (ran: readonly Ran[], minTasks = 20) => narrowedBy(entriesOf(policy, ran), minTasks)

const known = new Map<string, Policy>()
async function loaded(texts: ReadonlyMap<string, string>): Promise<Policy> {
  const text = texts.get("p.yaml") ?? ""
  const found = known.get(text)
  if (found) return found
  const loading = await loadStoredPolicy(texts, { dev: true })
  if ("faults" in loading) throw new Error(loading.toString())
  known.set(text, loading)
  return loading
}

/** The property: contained in the old one, and every start and use of the window permitted. */
async function holds(texts: ReadonlyMap<string, string>, entries: readonly Entry[]): Promise<void> {
  const narrower = await loaded(texts)
  const wider = diffPolicies(policy, narrower).filter(({ direction }) => direction !== "narrowing")
  expect(wider).toEqual([])
  const [was, is] = [policy, narrower].map((candidate) => {
    const run = createReplay({ candidate, earlier: [policy], from: FROM })
    for (const entry of entries) run.take(entry)
    return run.report()
  })
  expect([is?.uses, is?.starts.refused, is?.starts.cannot_tell]).toEqual([
    was?.uses,
    was?.starts.refused,
    was?.starts.cannot_tell,
  ])
}

const own = (ticket: string) => [read(`tickets/${ticket}`)]
/** What happened, what stands there then (in lines of the file), and what is gone. */
const CASES: readonly (readonly [string, readonly Ran[], readonly string[], readonly string[]])[] = [
  [
    "a segment that always was the task's input becomes it, and what nobody touched goes",
    tasks(20, own),
    ['          - "tickets/{ticket}" # any'],
    ["          - 'archive/**'", '          - "{place}/*/daily"'],
  ],
  [
    "few values become their list, each with enough tasks",
    tasks(40, (ticket, index) => [...own(ticket), read(index % 2 ? "archive/new" : "archive/old")]),
    ["          - 'archive/new'", "          - 'archive/old'"],
    ["          - 'archive/**'"],
  ],
  [
    "** becomes as many segments as there were, with what each always was",
    tasks(20, (ticket) => [...own(ticket), read(`archive/${ticket}/notes`)]),
    ["          - 'archive/{ticket}/notes'"],
    ["          - 'archive/**'"],
  ],
  [
    "what is beside a named input is named itself",
    tasks(20, (ticket, index) => [...own(ticket), read(`${index % 2 ? "here" : "there"}/all/daily`)]),
    ['          - "{place}/all/daily"'],
    ['          - "{place}/*/daily"'],
  ],
  [
    "what stands there already is not said twice",
    tasks(20, (ticket) => [read(`tickets/${ticket}`, "tickets:close")]),
    ['      - { api: tickets, operations: [tickets:close], resources: ["tickets/{ticket}"] } # closing'],
    [],
  ],
  [
    "values that differ stay, and so does what fewer tasks touched",
    tasks(30, (_, index) => [read(`tickets/X-${index}`), ...(index < 19 ? [read("archive/a")] : [])]),
    ["          - tickets/* # any", "          - 'archive/**'"],
    [],
  ],
  [
    "a value of too few tasks keeps the wildcard",
    tasks(40, (_, index) => [read(index === 0 ? "tickets/A-1" : "tickets/B-1")]),
    ["          - tickets/* # any"],
    [],
  ],
  [
    "what was tried and refused counts, and so does what was asked for",
    tasks(20, (ticket, index) => [
      ...own(ticket),
      { ...read(`tickets/T-${index}`), kind: index % 2 ? "use.refused" : "approval.requested" } as Touch,
    ]),
    ["          - tickets/* # any"],
    [],
  ],
]

test.each(CASES)("%s", async (_, ran, lines, gone) => {
  const { texts, rewritten } = narrowed(ran)
  expect(rewritten.filter(({ resource, becomes }) => becomes.includes(resource))).toEqual([])
  const text = (texts.get("p.yaml") ?? "").split("\n")
  for (const line of lines) expect(text).toContain(line)
  for (const line of gone) expect(text).not.toContain(line)
  expect(text).toContain("          # one ticket")
  await holds(texts, entriesOf(policy, ran))
})

const hmac = "A".repeat(43)
test.each([
  [
    "a resource",
    "triage",
    (entry: Entry) => (entry.kind === "use.allowed" ? { ...entry, resource: { hmac } } : entry),
    "a resource that was touched is erased",
  ],
  [
    "inputs",
    "triage",
    (entry: Entry) =>
      entry.kind === "task.started" ? { ...entry, body: { ...entry.body, inputs: { hmac } } } : entry,
    "the inputs of a task that touched it are erased",
  ],
  [
    "a start",
    "",
    (entry: Entry) => (entry.task_id === "task_3" && entry.kind === "task.started" ? [] : entry),
    "a task was used whose start was not read",
  ],
  [
    "single refusals",
    "triage",
    (entry: Entry) =>
      entry.seq === 2 ? { ...entry, kind: "use.refused" as const, body: { count: 3 } } : entry,
    "refusals that came too fast name one resource for many",
  ],
] as const)("without %s nobody can tell, and nothing is rewritten", (_, type, change, why) => {
  const entries = entriesOf(policy, tasks(20, own)).flatMap((entry) => change(entry))
  const { rewritten, left, texts } = narrowedBy(entries)
  expect([rewritten, texts.get("p.yaml")]).toEqual([[], TOUCHED])
  expect(left).toContainEqual({
    rule: "p.yaml#/tasks/triage/grants/0/resources/0",
    resource: "tickets/*",
    why,
  })
  const untold = left.filter((one) => one.rule.includes("/users/") && one.why === why)
  expect(untold.length > 0).toBe(type === "")
})

test("without entries everything is left, and said", () => {
  const { left, texts } = narrowTouched(policy, undefined, { minTasks: 20 })
  expect(texts.get("p.yaml")).toBe(TOUCHED)
  expect([...new Set(left.map(({ why }) => why))]).toEqual([
    "the report does not tell of it: give the entries, too (--entries)",
  ])
  expect(left.map(({ resource, operation }) => resource ?? operation)).toEqual([
    ...["tickets/*", "archive/**", "{place}/*/daily", "tickets/*"],
    ...["tickets:read", "tickets:comment", "tickets:close"],
  ])
})

const AT_MOST = "p.yaml#/users/team/at_most"
const forTeam = (ran: readonly Ran[], given?: readonly string[]) =>
  ran.map((one) => ({ ...one, user: "team", ...(given && { given }) }))

test("users keep what tasks for them used or tried; what they were given and left goes", async () => {
  const ran = forTeam(
    tasks(20, (ticket, index) =>
      index
        ? own(ticket)
        : [...own(ticket), { ...read("tickets/Q-1", "tickets:close"), kind: "use.refused" }],
    ),
  )
  const { removed, texts } = narrowed(ran)
  expect(removed).toEqual([{ rule: AT_MOST, operation: "tickets:comment", granted: 20 }])
  expect(texts.get("p.yaml")).toContain("at_most: [tickets:read, tickets:close] } # ours")
  await holds(texts, entriesOf(policy, ran))
})

test.each([
  ["tasks for nobody say nothing of users", tasks(20, own), /^0 task\(s\) were given it/],
  ["too few tasks say nothing", forTeam(tasks(19, own)), /^19 task\(s\) were given it/],
  [
    "a task type would be left with nothing",
    forTeam(
      tasks(20, () => []),
      ["tickets:comment"],
    ),
    /^tasks of triage would be left with nothing/,
  ],
])("users keep what they have where %s", (_, ran, why) => {
  const { removed, left } = narrowed(ran)
  expect(removed).toEqual([])
  const said = left.find((one) => one.rule === AT_MOST && one.operation === "tickets:comment")
  expect(said?.why).toMatch(why)
})

test("entries that lack uses of the report are no evidence", () => {
  const touching = createTouching(policy, { from: FROM, most: 20 })
  for (const entry of entriesOf(policy, tasks(20, own))) touching.take(entry)
  const touched = touching.report()
  expect(missingUses(touched, evidenceOf(itemOf(0, "tickets:read", 20, 20)))).toBe(undefined)
  expect(
    missingUses(touched, evidenceOf(itemOf(0, "tickets:read", 20, 15), itemOf(1, "tickets:read", 20, 6))),
  ).toBe("of triage, tickets:read the report counts 21 uses, the entries 20")
})

test.each([
  ["a: [x, 'y', z] # c\n", 1, ["p/{q}", "it's"], "a: [x, 'p/{q}', 'it''s', z] # c\n"],
  ["a:\n  - x # one\n  - y\n", 0, ["p", "q"], 'a:\n  - "p" # one\n  - "q"\n  - y\n'],
  ["a:\n  - x", 0, ["p", "q"], 'a:\n  - "p"\n  - "q"'],
  ["a:\n  - x\n", 1, ["p"], undefined],
  ["a:\n  - [x]\n", 0, ["p"], undefined],
  ["a: [x]\n", 0, [], undefined],
])("%j with other items at %j", (text, at, values, written) => {
  expect(replaceItem(text, ["a", at], values)).toBe(written)
})

const VALUES = ["SUP-1", "SUP-2", "here", "there", "a", "b", "daily"]
const segment = fc.constantFrom(...VALUES)
const resource = fc.oneof(
  segment.map((one) => `tickets/${one}`),
  fc.array(segment, { minLength: 1, maxLength: 3 }).map((some) => ["archive", ...some].join("/")),
  segment.map((one) => `here/${one}/daily`),
)
const ran: fc.Arbitrary<Ran> = fc.record({
  inputs: fc.record({
    ticket: fc.constantFrom("SUP-1", "SUP-2"),
    place: fc.constantFrom("here", "there"),
  }),
  touches: fc.array(
    fc.record({
      operation: fc.constantFrom("tickets:read", "tickets:comment", "tickets:close"),
      resource,
      kind: fc.constantFrom("use.allowed" as const, "use.refused" as const),
    }),
    { maxLength: 3 },
  ),
})
const people = fc.constantFrom(undefined, "team")

test("whatever happened, the narrower policy is within the old one and permits all of it", async () => {
  const happening = fc.array(fc.tuple(ran, people), { minLength: 1, maxLength: 12 })
  await fc.assert(
    fc.asyncProperty(happening, fc.integer({ min: 1, max: 4 }), async (all, minTasks) => {
      const of = all.map(([one, user]) => (user === undefined ? one : { ...one, user }))
      const entries = entriesOf(policy, of)
      await holds(narrowedBy(entries, minTasks).texts, entries)
    }),
    { numRuns: 60 },
  )
})
