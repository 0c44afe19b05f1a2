// A policy that takes force ends what it covers no more: those tokens, at once and once each, and no others.
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { Unavailable } from "../../src/database/database.ts"
import { createTasks } from "../../src/task/task.ts"
import { approvalDesk, createApprovalWorld, mustBe } from "../support/approvals.ts"
import { claimsOf, openCrew } from "../support/crew.ts"
import { createFolders } from "../support/folder.ts"
import { openUsers } from "../support/users.ts"
import type { World } from "../support/world.ts"

const newFolder = createFolders()
let world: World
const desk = approvalDesk(() => world)

beforeEach(async () => {
  world = await createApprovalWorld(newFolder())
})
afterEach(async () => {
  await world.leave()
})

type Edit = (text: string) => string

/** Puts an edited policy in force and does what the issuer does next. */
async function change(edit: Edit, folder = world.policyFolder): Promise<void> {
  const path = join(folder, "support.yaml")
  const text = readFileSync(path, "utf8")
  const edited = edit(text)
  if (edited === text) throw new Error("the edit changes nothing")
  writeFileSync(path, edited)
}

async function takeForce(edit: Edit): Promise<void> {
  await change(edit)
  expect(await world.policies.reload()).toBe("loaded")
  await world.tasks.review()
}

const replace =
  (from: string | RegExp, to: string): Edit =>
  (text) =>
    text.replace(from, to)
const disable = (name: string): Edit =>
  replace(new RegExp(`^  ${name}:\n`, "m"), `  ${name}:\n    enabled: false\n`)

/** One task with a token for reading and commenting, and one that a person approved, for closing. */
async function twoTokens() {
  const started = await desk.start()
  const { approval } = await desk.ask(started.taskId)
  await desk.grant(approval.approvalId)
  const collected = mustBe(await desk.collect(started.taskId, approval.approvalId))
  const jtiOf = (token: string | undefined) => String(claimsOf(token).jti)
  const [free, approved] = [started.tokens[0]?.accessToken, collected.tokens[0]?.accessToken]
  return { taskId: started.taskId, free: jtiOf(free), approved: jtiOf(approved) }
}

const entriesOf = async (task: string) =>
  (await world.ledger.read({ task, kind: "token.revoked" })).entries.map(({ jti, api, body }) => ({
    jti,
    api,
    by: body?.by,
    policy: body?.policy,
  }))

const fed = async () =>
  (await world.revocations.feed("tickets", 0, 100)).items.map(({ kind, value, code }) => ({
    kind,
    value,
    code,
  }))

describe("what a new policy covers no more ends", () => {
  test.each<[string, Edit, ("free" | "approved")[]]>([
    ["the agent is disabled", disable("triage-bot"), ["free", "approved"]],
    ["the orchestrator is disabled", disable("support-orchestrator"), ["free", "approved"]],
    ["the task type is disabled", disable("triage-ticket"), ["free", "approved"]],
    ["the API is disabled", disable("tickets"), ["free", "approved"]],
    [
      "the agent may do less at most",
      replace(
        "at_most: [tickets:read, tickets:comment, tickets:close]",
        "at_most: [tickets:read, tickets:close]",
      ),
      ["free"],
    ],
    [
      "an operation is granted no more",
      replace("operations: [tickets:read, tickets:comment]", "operations: [tickets:read]"),
      ["free"],
    ],
    [
      "an operation is disabled",
      replace("tickets:comment: { risk: moderate }", "tickets:comment: { risk: moderate, enabled: false }"),
      ["free"],
    ],
    [
      "an operation that a person agreed to is disabled",
      replace("tickets:close: { risk: high }", "tickets:close: { risk: high, enabled: false }"),
      ["approved"],
    ],
    [
      "its condition does not hold now",
      replace("deadline: 2h", "deadline: 2h\n    when: 'false'"),
      ["free", "approved"],
    ],
    [
      "its condition holds for this task",
      replace(
        "deadline: 2h",
        `deadline: 2h\n    when: 'task.purpose == "Triage the ticket" && agent.instance == "pod-1" && usage.starts == 1'`,
      ),
      [],
    ],
    ["a resource is granted no more", replace(', "tickets/{ticket}/comments"', ""), ["free"]],
    [
      "a person has to agree first",
      replace(
        '"tickets/{ticket}/comments"]\n',
        '"tickets/{ticket}/comments"]\n        approval: { by: [operations-team], valid: 15m, once: true }\n',
      ),
      ["free"],
    ],
    [
      "what was approved is granted no more",
      replace("operations: [tickets:close]", "operations: [tickets:comment]"),
      ["approved"],
    ],
    [
      "the input must look otherwise",
      replace("[A-Z]{2,5}-[0-9]{1,9}", "OPS-[0-9]{1,9}"),
      ["free", "approved"],
    ],
  ])("%s", async (_, edit, ended) => {
    const tokens = await twoTokens()
    await takeForce(edit)
    const { digest } = world.policies.inForce()
    const wanted = ended.map((one) => ({ jti: tokens[one], api: "tickets", by: "policy", policy: digest }))
    expect((await entriesOf(tokens.taskId)).sort(byJti)).toEqual(wanted.sort(byJti))
    const told = ended.map((one) => ({ kind: "token", value: tokens[one], code: "token_revoked" }))
    expect(await fed()).toEqual(expect.arrayContaining(told))
    expect(await fed()).toHaveLength(ended.length)
  })

  test.each<[string, Edit]>([
    ["a comment", replace("version: 1", "version: 1 # the first")],
    ["limits", replace("active_tasks: 50", "active_tasks: 1")],
    [
      "a shorter deadline and lifetime",
      replace("token_lifetime: 10m\n    deadline: 2h", "token_lifetime: 5m\n    deadline: 10m"),
    ],
    [
      "a key that is asked for from now on",
      replace("    deadline: 2h", "    deadline: 2h\n    proof_of_possession: required"),
    ],
    [
      "more than before",
      replace(
        "operations: [tickets:read, tickets:comment]",
        "operations: [tickets:read, tickets:comment, tickets:close]",
      ),
    ],
    ["another task type", disable("summarize-ticket")],
  ])("and nothing else: %s", async (_, edit) => {
    const tokens = await twoTokens()
    await takeForce(edit)
    expect(await entriesOf(tokens.taskId)).toEqual([])
    expect(await fed()).toEqual([])
  })
})

const byJti = (one: { readonly jti?: string | undefined }, other: { readonly jti?: string | undefined }) =>
  String(one.jti).localeCompare(String(other.jti))

test("a task whose token ended so goes on with what is left of it", async () => {
  const { taskId } = await twoTokens()
  await takeForce(replace("operations: [tickets:read, tickets:comment]", "operations: [tickets:read]"))
  world.clock.advance(1000)
  const renewed = mustBe(await world.tasks.renew("support-orchestrator", taskId, {}))
  expect(claimsOf(renewed.tokens[0]?.accessToken).scope).toBe("tickets:read")
})

test("several issuers that see it at once end each token once", async () => {
  const { taskId } = await twoTokens()
  await change(disable("triage-bot"))
  await world.policies.reload()
  const others = [createTasks(world), createTasks(world), world.tasks]
  await Promise.all(others.map((tasks) => tasks.review()))
  expect(await entriesOf(taskId)).toHaveLength(2)
  expect(await fed()).toHaveLength(2)
})

test("what a failing database left undone is done at the next look, by whoever comes", async () => {
  const { taskId } = await twoTokens()
  await change(disable("triage-bot"))
  await world.policies.reload()
  let commits = 0
  const failing = createTasks({
    ...world,
    engine: {
      ...world.engine,
      query: (...asked) => world.engine.query(...asked),
      atomically: async (steps) => {
        commits += 1
        if (commits > 1) throw new Unavailable("the disk is gone")
        await world.engine.atomically(steps)
      },
    },
  })
  await expect(failing.review()).rejects.toBeInstanceOf(Unavailable)
  await expect.poll(() => entriesOf(taskId)).toHaveLength(1)
  await createTasks(world).review()
  expect(await entriesOf(taskId)).toHaveLength(2)
})

test("under the same policy nothing is read again", async () => {
  await world.tasks.review()
  const reads: string[] = []
  const watched = createTasks({
    ...world,
    engine: {
      ...world.engine,
      atomically: (steps) => world.engine.atomically(steps),
      query: (statement, values) => {
        reads.push(statement.name)
        return world.engine.query(statement, values)
      },
    },
  })
  await watched.review()
  await watched.review()
  expect(reads).toEqual(["readSetting"])
})

test("a sub-agent that may be delegated to no more loses its token, who delegated keeps its own", async () => {
  const crew = await openCrew()
  const { house } = crew
  const holder = await crew.start()
  const child = await crew.delegate(holder, "checker/pod-1")
  await change(replace(/, checker: \[[^\]]*\]/, ""), house.policyFolder)
  await house.ask("POST", "/policy/reload", { as: "operations-team" })
  await house.issuer.sweep()
  const query = `/ledger/entries?task=${holder.taskId}&kind=token.revoked`
  const { body } = await house.ask("GET", query, { as: "audit-team" })
  expect(body.entries).toMatchObject([{ jti: claimsOf(child.tickets).jti }])
  await crew.remove()
})

test.each([
  [
    "the rule about the user is disabled",
    "claims: { groups: support },",
    "enabled: false, claims: { groups: support },",
  ],
  ["the provider is disabled", "name_claim: email", "name_claim: email, enabled: false"],
  ["it names others", "{ groups: support }", "{ groups: nobody }"],
  [
    "its users may do less at most",
    "at_most: [tickets:read, tickets:comment]",
    "at_most: [tickets:comment, tickets:close]",
  ],
  ["the task type runs for them no more", "[leads, support-staff]", "[leads]"],
])("a task for a user loses its token where %s, and that of nobody stays", async (_, from, to) => {
  const { house, startFor, start } = await openUsers()
  const started = await startFor()
  const other = await start()
  const path = join(house.policyFolder, "users.yaml")
  writeFileSync(path, readFileSync(path, "utf8").replace(from, to))
  const reloaded = await house.ask("POST", "/policy/reload", { as: "operations-team" })
  await house.issuer.sweep()
  const { body } = await house.ask("GET", "/ledger/entries?kind=token.revoked", { as: "audit-team" })
  await house.remove()
  expect([started.status, other.status, reloaded.status]).toEqual([201, 201, 200])
  expect(body.entries).toMatchObject([{ task_id: started.body.task_id, body: { by: "policy" } }])
})
