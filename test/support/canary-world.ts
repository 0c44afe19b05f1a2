// A world in which a person's values have been everywhere where they can rest, each of them unmistakable, beside those of a
// bystander that must stay.
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { statement } from "../../src/database/database.ts"
import { sql } from "../../src/database/drizzle.ts"
import type { Folder } from "../../src/database/folder.ts"
import { Refusal } from "../../src/errors.ts"
import { unpackBatch } from "../../src/token/batch-text.ts"
import { generatePrivateJwk, importSigningKey, publicHalf } from "../../src/token/signature.ts"
import { openTaskToken } from "../../src/token/verify.ts"
import { approvalTexts, mustBe, ORCHESTRATOR } from "./approvals.ts"
import { signBatch, useBatch, useRecord } from "./batch.ts"
import { everythingAt } from "./engine.ts"
import { PEOPLE, USER_POLICY } from "./users.ts"
import { createWorld, TICKETS, type World, writePolicies } from "./world.ts"

const POLICY = `${USER_POLICY}  visit-for-user:
    orchestrators: [support-orchestrator]
    agents: [triage-bot]
    on_behalf_of: [support-staff]
    deadline: 2h
    inputs: { ticket: { pattern: "[A-Z]{2,9}-[0-9]{1,9}" } }
    grants:
      - { api: tickets, operations: [tickets:read], resources: ["tickets/{ticket}"] }
      - { api: tickets, operations: [tickets:comment], resources: ["tickets/{ticket}"], approval: { by: [operations-team], valid: 15m } }
`
export const VERA = "people/vera.canary@example.com"
export const OTTO = "people/otto.bystander@example.com"

/** What must be gone afterwards: VERA's name, and every value of her tasks. */
export const CANARIES = [
  "vera.canary",
  "canary-purpose",
  "CANARY-771177",
  "canary-reference",
  "canary-ask",
  "canary-parameter",
  "canary-cancel",
  "canary-order",
  "canary-file",
] as const
const KEPT = ["otto.bystander", "bystander-purpose", "bystander-reference"] as const
export const BYSTANDERS: readonly string[] = KEPT

const nothing = statement("canary.nothing", sql`DELETE FROM spent WHERE until < 0`)
const addDelegation = statement(
  "canary.delegation",
  sql`INSERT INTO delegation (delegation_id, task, parent, agent, instance, authority, started_at, ended_at)
    SELECT 'del_canary', t.id, 0, t.agent, t.instance, ${sql.placeholder("authority")}, 0, 1
    FROM task t WHERE t.task_id = ${sql.placeholder("task_id")}`,
)

export async function createCanaryWorld(folder: string, archive?: Folder): Promise<World> {
  const policies = join(folder, "policies")
  writePolicies(policies)
  for (const [name, text] of Object.entries({ ...approvalTexts(policies), "users.yaml": POLICY }))
    writeFileSync(join(policies, name), text, { mode: 0o644 })
  return createWorld({ folder, alone: true, ...(archive && { archive }) })
}

const userOf = (sub: string, groups = ["support"]) => ({
  sub,
  provider: "people",
  issuer: PEOPLE,
  claims: { groups },
  once: { statement: nothing, values: {} },
})

/** Starts one task, and answers what a verifier would report of it. */
export async function startVisit(world: World, sub: string, ticket: string, name: string) {
  const started = mustBe(
    await world.tasks.start("support-orchestrator", {
      type: "visit-for-user",
      agent: { id: "triage-bot", instance: "pod-1" },
      purpose: `${name}-purpose`,
      inputs: { ticket },
      reference: `${name}-reference`,
      user: userOf(sub),
    }),
  )
  const text = started.tokens[0]?.accessToken ?? ""
  const opened = openTaskToken(text, (kid) => world.keyring.keyOf(kid))
  return { task: started.taskId, jti: "token" in opened ? opened.token.jti : "", ticket, text }
}

export type Visit = Awaited<ReturnType<typeof startVisit>>

/** As a verifier instance of its own reports it. */
export async function reportUse(world: World, { task, jti, ticket }: Visit): Promise<void> {
  const key = importSigningKey(generatePrivateJwk("ES256"))
  const now = world.clock.now()
  const use = useRecord(now, { task, jti, resource: ["tickets", ticket] })
  const batch = signBatch(useBatch(now, { uses: [use] }), key)
  mustBe(await world.uses.take({ api: "tickets", key: publicHalf(key) }, batch))
}

/** Two tasks of VERA, ended, with everything that can be told of them; one of OTTO. */
export async function play(
  world: World,
): Promise<{ readonly vera: Visit; readonly second: Visit; readonly otto: Visit }> {
  const vera = await startVisit(world, VERA, "CANARY-771177", "canary")
  const second = await startVisit(world, VERA, "CANARY-771177", "canary-second")
  const otto = await startVisit(world, OTTO, "SUP-1042", "bystander")
  for (const visit of [vera, otto]) await reportUse(world, visit)
  const authority = JSON.stringify([
    { api: TICKETS, operations: ["tickets:read"], resources: [["tickets", "CANARY-771177"]], rule: "r" },
  ])
  await world.engine.atomically([{ statement: addDelegation, values: { task_id: vera.task, authority } }])
  const asked = { taskId: vera.task, operation: "tickets:comment", resource: ["tickets", "CANARY-771177"] }
  mustBe(
    await world.approvals.request(ORCHESTRATOR, {
      ...asked,
      reason: "canary-ask",
      parameters: { note: "canary-parameter" },
    }),
  )
  const refused = await world.tasks.start("support-orchestrator", {
    type: "visit-for-user",
    agent: { id: "triage-bot", instance: "pod-1" },
    purpose: "canary-purpose",
    inputs: { ticket: "CANARY-771177" },
    user: userOf(VERA, []),
  })
  if (!(refused instanceof Refusal)) throw new Error("nobody in no group is let in")
  await order(world, "token", vera.jti)
  await world.tasks.change("support-orchestrator", vera.task, "cancel", "canary-cancel")
  const places = [{ file: "/home/canary-file.log", line: 7 }]
  await world.exposures.record("audit-team", [{ jti: vera.jti, places, found: 1, standing: "genuine" }])
  const { id } = await order(world, "subject", VERA)
  const named = { kind: "agent", value: "summarizer", reason: `it named ${VERA}` } as const
  const { id: other } = mustBe(await world.revocations.revoke("operations-team", named))
  world.clock.advance(3_000)
  for (const one of [id, other]) mustBe(await world.revocations.lift("operations-team", one))
  const at = world.ledger.at()
  await world.ledger.append([
    { kind: "access.read", at, body: { by: "audit-team", parameters: { sub: VERA } } },
  ])
  const body = { by: "audit-team", parameters: { reference: "canary-reference" } }
  await world.ledger.append([{ kind: "access.read", at, body }])
  await world.sequence.advance()
  return { vera, second, otto }
}

const order = async (world: World, kind: "subject" | "token", value: string) =>
  mustBe(await world.revocations.revoke("operations-team", { kind, value, reason: "canary-order" }))

/** Which of these texts rest somewhere, byte for byte. */
export async function restingIn(world: World, texts: readonly string[]): Promise<string[]> {
  const everything = (await everythingAt(world.place)).map(([, bytes]) => bytes.toString("latin1"))
  return texts.filter((text) => everything.some((bytes) => bytes.includes(text)))
}

const signedBatches = statement<{ signed: Uint8Array }>(
  "test.signed",
  sql`SELECT signed FROM use_batch WHERE signed IS NOT NULL`,
)
/** What verifiers signed: it rests packed, so that its bytes don't show it. */
export async function signedTexts(world: World): Promise<string[]> {
  const rows = await world.engine.query(signedBatches)
  return rows.map(({ signed }) => unpackBatch(signed)?.payload ?? "")
}
