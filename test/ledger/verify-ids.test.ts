// `ledger verify` and ids that a row does not point to: an entry may name what nobody knows, and what is known as something
// else. Only a task that there is, named as a task, or a token, named as a token, belongs to the row.
import { afterEach, beforeEach, expect, test } from "vitest"
import { statement } from "../../src/database/database.ts"
import { sql } from "../../src/database/drizzle.ts"
import { Refusal } from "../../src/errors.ts"
import { verifyLedger } from "../../src/ledger/verify.ts"
import { databaseSource } from "../../src/ledger/verify-database.ts"
import { openTaskToken } from "../../src/token/verify.ts"
import { createWorld, SUPPORT_START, type World } from "../support/world.ts"

let world: World
let task: string
let jti: string
beforeEach(async () => {
  world = await createWorld()
  const started = await world.tasks.start("support-orchestrator", SUPPORT_START)
  if (started instanceof Refusal) throw new Error(started.reason)
  const opened = openTaskToken(started.tokens[0]?.accessToken ?? "", (kid) => world.keyring.keyOf(kid))
  task = started.taskId
  jti = "token" in opened ? opened.token.jti : ""
})
afterEach(async () => {
  await world.leave()
})

async function verified() {
  await world.sequence.advance()
  return verifyLedger({ source: await databaseSource(world.engine) })
}

test.each([
  ["a token by the id of a task", () => ({ jti: task })],
  ["a task by the id of a token", () => ({ task: jti })],
  ["either by the id of the other", () => ({ task: jti, jti: task })],
])("names %s: nobody's row lacks anything", async (_what, ids) => {
  await world.ledger.append([{ kind: "token.revoked", at: world.ledger.at(), ...ids() }])
  expect(await verified()).toMatchObject({ verdict: "verified" })
})

const forget = {
  task: statement(
    "test.forget_task",
    sql`UPDATE entry SET task = NULL WHERE seq = (SELECT max(seq) FROM entry)`,
  ),
  token: statement(
    "test.forget_token",
    sql`UPDATE entry SET token = NULL WHERE seq = (SELECT max(seq) FROM entry)`,
  ),
}

test.each([
  ["task", "task_id"],
  ["token", "jti"],
] as const)("H01: a row that points to its %s no more is found", async (column, member) => {
  await world.ledger.append([{ kind: "use.allowed", at: world.ledger.at(), task, jti }])
  await world.engine.atomically([{ statement: forget[column], values: {}, rows: 1 }])
  expect(await verified()).toMatchObject({ verdict: "broken", how: `row_differs: ${member}` })
})
