// Two issuers on one PostgreSQL database that both tell: of each event one of them does, and where one stops half-way the
// other goes on.
import { randomBytes } from "node:crypto"
import { afterAll, beforeAll, expect, test } from "vitest"
import { openPostgres } from "../../src/database/postgres.ts"
import { createIssuer, type Issuer } from "../../src/issuer/issuer.ts"
import { approvalTexts } from "../support/approvals.ts"
import { type House, ISSUER, openHouse, START } from "../support/issuer-house.ts"
import { POLICIES } from "../support/policies.ts"
import { createDatabase, type TestDatabase } from "../support/postgres.ts"
import { type Receiver, startReceiver } from "../support/receiver.ts"

const QUESTIONS = 15
let database: TestDatabase
let receiver: Receiver
let house: House
let second: Issuer

beforeAll(async () => {
  database = await createDatabase()
  receiver = await startReceiver()
  const open = () => openPostgres({ address: database.address })
  const webhooks = { addresses: [receiver.url], privateHosts: ["127.0.0.1"] }
  const shared = { dev: true, keyEncryptionKey: randomBytes(32), webhooks }
  house = await openHouse({ database: await open(), files: approvalTexts(POLICIES), ...shared })
  const { policyFolder: policies, clock } = house
  second = await createIssuer({ issuer: ISSUER, database: await open(), policies, clock, ...shared })
})
afterAll(async () => {
  await second.close()
  await house.remove()
  await receiver.close()
  await database.remove()
})

const ask = async (number: number) => {
  const { body } = await house.ask("POST", "/tasks", { as: "support-orchestrator", json: START })
  const question = { operation: "tickets:close", resource: "tickets/SUP-1042", reason: `${number}` }
  const json = { task_id: body.task_id, ...question }
  const asked = await house.ask("POST", "/approvals", { as: "support-orchestrator", json })
  expect(asked.status).toBe(201)
  await house.ask("POST", `/tasks/${body.task_id}/complete`, { as: "support-orchestrator", json: {} })
}
const requested = () => receiver.told().filter(({ kind }) => kind === "approval.requested")

test("each event is told once, by whichever is first", async () => {
  for (let number = 0; number < QUESTIONS; number++) await ask(number)
  await Promise.all([house.issuer, second, house.issuer, second].map((issuer) => issuer.sweep()))
  await house.issuer.sweep()
  expect(new Set(requested().map(({ jti }) => jti)).size).toBe(QUESTIONS)
  expect(requested()).toHaveLength(QUESTIONS)
})

test("what one had claimed when it ended is told by the other, under the same id", async () => {
  receiver.got.length = 0
  receiver.answer(503)
  await ask(QUESTIONS)
  await house.issuer.sweep()
  await second.sweep()
  const claimed = requested()
  expect(claimed, "not due for the other while the first may still be telling it").toHaveLength(1)
  await house.issuer.close()
  receiver.answer(202)
  house.clock.advance(60_000)
  await second.sweep()
  expect(requested().map(({ jti }) => jti)).toEqual([claimed[0]?.jti, claimed[0]?.jti])
})
