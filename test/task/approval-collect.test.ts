import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { decodeJwt } from "jose"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { type Engine, Unavailable } from "../../src/database/database.ts"
import { Refusal } from "../../src/errors.ts"
import { createApprovals } from "../../src/task/approvals.ts"
import type { Renewed } from "../../src/task/renew.ts"
import { newId } from "../../src/token/id.ts"
import { canonicalParameters } from "../../src/token/parameters.ts"
import {
  approvalDesk,
  approvalTexts,
  createApprovalWorld,
  LEAD,
  mustBe,
  ORCHESTRATOR,
  PARAMETERS,
  question,
} from "../support/approvals.ts"
import { createFolders } from "../support/folder.ts"
import { TICKETS, type World } from "../support/world.ts"

const newFolder = createFolders()
let world: World
const { start, ask, grant, collect, kindsOf, approved } = approvalDesk(() => world)

beforeEach(async () => {
  world = await createApprovalWorld(newFolder())
})
afterEach(async () => {
  await world.leave()
})

const claimsOf = ({ tokens }: Renewed) => decodeJwt(tokens[0]?.accessToken ?? "")

describe("collecting", () => {
  test("gives that operation, that resource, those parameters, for one use, until the approval ends", async () => {
    const { taskId, id } = await approved()
    world.clock.advance(10 * 60_000)
    const claims = claimsOf(mustBe(await collect(taskId, id)))
    expect(claims).toMatchObject({ aud: TICKETS, scope: "tickets:close", txn: taskId })
    expect(claims.authorization_details).toEqual([
      {
        type: "task_grant",
        actions: ["tickets:close"],
        resources: ["tickets/SUP-1042"],
        rule: "support.yaml#/tasks/triage-ticket/grants/1",
        parameters: canonicalParameters(PARAMETERS)?.digest,
        once: true,
      },
    ])
    expect(Number(claims.exp) - Number(claims.iat)).toBe(300)
  })

  test("C13 reused: 100 racing collections, one token", async () => {
    const { taskId, id } = await approved()
    const collected = await Promise.all(Array.from({ length: 100 }, () => collect(taskId, id)))
    expect(collected.filter((one) => !(one instanceof Refusal))).toHaveLength(1)
    const codes = collected.flatMap((one) => (one instanceof Refusal ? [one.code] : []))
    expect(new Set([...codes, "approval_invalid", "task_conflict"]).size).toBe(2)
    const issued = (await kindsOf(taskId)).filter((kind) => kind === "token.issued")
    expect(issued).toHaveLength(2)
  })

  test("C13 of another task: refused", async () => {
    const { id } = await approved()
    const other = await start({ inputs: { ticket: "SUP-1" } })
    expect(await collect(other.taskId, id)).toMatchObject({ code: "approval_invalid" })
  })

  test("C13 expired: refused, asked again, and written down", async () => {
    const { taskId, id } = await approved()
    world.clock.advance(15 * 60_000)
    expect(await collect(taskId, id)).toMatchObject({ code: "approval_invalid" })
    expect(await world.approvals.sweep()).toBe(1)
    expect(await world.approvals.sweep()).toBe(0)
    expect((await kindsOf(taskId)).filter((kind) => kind === "approval.expired")).toHaveLength(1)
    expect((await ask(taskId)).created).toBe(true)
  })

  test("C13 parameters changed after approval: another question, and another digest", async () => {
    const { taskId, id } = await approved()
    const other = await ask(taskId, { parameters: { ...PARAMETERS, resolution: "deleted" } })
    expect(other.created).toBe(true)
    expect(await collect(taskId, other.approval.approvalId)).toMatchObject({ code: "approval_pending" })
    const details = claimsOf(mustBe(await collect(taskId, id))).authorization_details
    expect(details).toMatchObject([{ parameters: canonicalParameters(PARAMETERS)?.digest }])
  })

  test("C13 not burned when the commit fails", async () => {
    const { taskId, id } = await approved()
    const failing: Engine = {
      ...world.engine,
      query: (statement, values) => world.engine.query(statement, values),
      atomically: () => Promise.reject(new Unavailable("the disk is full")),
    }
    await expect(collect(taskId, id, createApprovals({ ...world, engine: failing }))).rejects.toThrow(
      Unavailable,
    )
    expect(mustBe(await collect(taskId, id)).tokens).toHaveLength(1)
  })

  test("a waiting question outlives the tokens and any pause: 45 minutes later it is granted and collected", async () => {
    const { taskId } = await start()
    const { approval } = await ask(taskId)
    world.clock.advance(45 * 60_000)
    await grant(approval.approvalId)
    expect(mustBe(await collect(taskId, approval.approvalId)).tokens[0]?.expiresIn).toBe(600)
  })

  test("an approval for many uses is collected until it ends", async () => {
    await world.close()
    world = await createApprovalWorld(newFolder(), "{ by: [operations-team], valid: 20m, once: false }")
    const { taskId, id } = await approved({ parameters: undefined })
    const first = claimsOf(mustBe(await collect(taskId, id)))
    expect(first.authorization_details).toMatchObject([
      { parameters: canonicalParameters(undefined)?.digest },
    ])
    expect(JSON.stringify(first)).not.toContain("once")
    world.clock.advance(11 * 60_000)
    expect(mustBe(await collect(taskId, id)).tokens[0]?.expiresIn).toBe(540)
    world.clock.advance(9 * 60_000)
    expect(await collect(taskId, id)).toMatchObject({ code: "approval_invalid" })
    await world.approvals.sweep()
    expect(await kindsOf(taskId)).not.toContain("approval.expired")
  })
})

describe("the one use", () => {
  const collected = async () => {
    const { taskId, id } = await approved()
    const { jti, exp } = claimsOf(mustBe(await collect(taskId, id)))
    return { taskId, jti: String(jti), exp: Number(exp) }
  }

  test("B22 is given to one of 100 that ask at once, and to that one again", async () => {
    const { jti } = await collected()
    const uses = Array.from({ length: 100 }, () => newId("use"))
    const codes = await Promise.all(uses.map((use) => world.approvals.claim("tickets", { jti, use })))
    expect(codes.filter((code) => code === undefined)).toHaveLength(1)
    expect(new Set(codes)).toEqual(new Set([undefined, "token_used"]))
    const winner = uses[codes.indexOf(undefined)] ?? ""
    expect(await world.approvals.claim("tickets", { jti, use: winner })).toBeUndefined()
  })

  test("is given to its own API alone, and for tokens that there are", async () => {
    const { jti } = await collected()
    const claim = { jti, use: newId("use") }
    expect(await world.approvals.claim("deployments", claim)).toBe("token_used")
    expect(await world.approvals.claim("tickets", { ...claim, jti: newId("tok") })).toBe("token_used")
    expect(await world.approvals.claim("tickets", claim)).toBeUndefined()
  })

  test.each([
    ["pause", "task_paused"],
    ["cancel", "task_ended"],
  ] as const)("is not given after %s, whether or not the verifier has heard of it", async (change, code) => {
    const { taskId, jti } = await collected()
    await world.tasks.change("support-orchestrator", taskId, change)
    const claim = { jti, use: newId("use") }
    expect(await world.approvals.claim("tickets", claim)).toBe(code)
    expect(await world.approvals.claim("deployments", claim)).toBe("token_used") // of another's it hears nothing
  })

  test.each([
    ["five seconds behind its token's time, as verifiers take it", 4999, false, undefined],
    ["no longer", 5000, false, "token_used"],
    ["and of a task that ended within them to nobody", 4999, true, "task_ended"],
  ] as const)("is given until %s", async (_how, behind, cancel, code) => {
    const { taskId, jti, exp } = await collected()
    world.clock.advance(exp * 1000 + behind - world.clock.now())
    if (cancel) mustBe(await world.tasks.change("support-orchestrator", taskId, "cancel"))
    expect(await world.approvals.claim("tickets", { jti, use: newId("use") })).toBe(code)
  })
})

describe("as of now", () => {
  const rewrite = async (file: string, change: (text: string) => string) => {
    const path = join(world.policyFolder, file)
    writeFileSync(path, change(readFileSync(path, "utf8")))
    await world.policies.reload()
  }

  test.each([
    ["named by the grant", "support.yaml", "by: [operations-team]", "by: [audit-team]"],
    [
      "enabled",
      "staff.yaml",
      "roles: [operator, approver]",
      "enabled: false\n    roles: [operator, approver]",
    ],
  ])("whoever decided must still be one who decides, %s", async (_how, file, from, to) => {
    const { taskId, id } = await approved()
    await rewrite(file, (text) => text.replace(from, to))
    expect(await collect(taskId, id)).toMatchObject({ code: "approval_invalid" })
  })

  test("whose word it was that they are somebody must still count", async () => {
    const [one, other] = [await approved(), await approved()]
    const provide = (rest: string) => {
      const people = `people: { issuer: https://login.example.com, audience: taskmint${rest} }`
      writeFileSync(
        join(world.policyFolder, "people.yaml"),
        `version: 1\nidentity_providers: { ${people} }\n`,
      )
      return world.policies.reload()
    }
    expect(await provide("")).toBe("loaded")
    expect(mustBe(await collect(one.taskId, one.id)).tokens).toHaveLength(1)
    expect(await provide(", enabled: false")).toBe("loaded")
    expect(await collect(other.taskId, other.id)).toMatchObject({ code: "approval_invalid" })
  })

  test("what the policy grants no more is not collected", async () => {
    const { taskId, id } = await approved()
    await rewrite("support.yaml", (text) =>
      text.replace(/ {6}- api: tickets\n {8}operations: \[tickets:close\]\n.*\n.*\n/, ""),
    )
    expect(await collect(taskId, id)).toMatchObject({ code: "access_denied" })
  })

  test("a lock stops asking, deciding and collecting", async () => {
    const { taskId, id } = await approved()
    const other = await ask(taskId, { parameters: 2 })
    mustBe(
      await world.revocations.revoke("operations-team", { kind: "api", value: "tickets", reason: "drill" }),
    )
    const answers = [
      await world.approvals.request(ORCHESTRATOR, question(taskId, { parameters: 3 })),
      await world.approvals.decide(LEAD, other.approval.approvalId, "grant"),
      await collect(taskId, id),
    ]
    for (const answer of answers) expect(answer).toBeInstanceOf(Refusal)
  })

  test("what policy came to put behind an approval is not renewed without one", async () => {
    await world.close()
    const folder = newFolder()
    world = await createApprovalWorld(folder)
    const file = join(world.policyFolder, "support.yaml")
    const guarded = readFileSync(file, "utf8")
    writeFileSync(file, guarded.replace(/ {8}approval: .*\n/, ""))
    await world.policies.reload()
    const { taskId, tokens } = await start()
    expect(tokens[0]?.scope).toContain("tickets:close")
    writeFileSync(file, `${guarded}\n# guarded again\n`)
    await world.policies.reload()
    expect(
      mustBe(await world.tasks.renew("support-orchestrator", taskId, {})).tokens[0]?.scope,
    ).not.toContain("close")
    expect((await ask(taskId)).created).toBe(true)
  })

  test("and what it came to grant without one stays behind it for a task that was started before", async () => {
    const { taskId } = await start()
    const texts = approvalTexts(world.policyFolder)
    expect(texts["support.yaml"]).toContain("approval:")
    await rewrite("support.yaml", (text) => text.replace(/ {8}approval: .*\n/, ""))
    expect(
      mustBe(await world.tasks.renew("support-orchestrator", taskId, {})).tokens[0]?.scope,
    ).not.toContain("close")
  })
})
