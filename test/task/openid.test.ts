// Clouds that trust our tokens look at `iss`, `sub` and `aud`: what they see of a task.
import { afterEach, beforeEach, expect, test } from "vitest"
import { parseTaskToken } from "../../src/token/token.ts"
import { allowed } from "../support/genuine.ts"
import { createWorld, ISSUER, type World } from "../support/world.ts"

const POLICY = `version: 1
apis:
  aws: { resource: https://sts.amazonaws.com, owner: a, foreign: true, openid: true, operations: { aws:assume: { risk: high } } }
  crm: { resource: https://crm.example, owner: a, foreign: true, operations: { crm:read: { risk: low } } }
agents: { bot: { owner: a } }
orchestrators: { runner: { owner: a } }
tasks:
  look:
    orchestrators: [runner]
    agents: [bot]
    deadline: 2h
    grants:
      - { api: aws, operations: [aws:assume], resources: ["roles/reader"] }
      - { api: crm, operations: [crm:read], resources: ["**"] }
`
let world: World
beforeEach(async () => {
  world = await createWorld({ files: { "p.yaml": POLICY } })
})
afterEach(async () => {
  await world.leave()
})

const start = async () =>
  allowed(
    await world.tasks.start("runner", {
      type: "look",
      agent: { id: "bot", instance: "pod-1" },
      purpose: "Look",
      inputs: {},
    }),
  )

test("sub names task type and agent where the policy says so, and the principal elsewhere", async () => {
  const { tokens } = await start()
  const claims = tokens.map(({ accessToken }) =>
    JSON.parse(Buffer.from(accessToken.split(".")[1] ?? "", "base64url").toString()),
  )
  expect(claims.map(({ iss, aud, sub, act }) => [iss, aud, sub, act.sub])).toEqual([
    [ISSUER, "https://sts.amazonaws.com", "look/bot", "bot/pod-1"],
    [ISSUER, "https://crm.example", "runner", "bot/pod-1"],
  ])
  expect(claims.map((one) => parseTaskToken(one))).toMatchObject([
    { txn: claims[0].txn },
    { txn: claims[0].txn },
  ])
})

test("the ledger tells of the principal all the same", async () => {
  const { taskId } = await start()
  const { entries } = await world.ledger.read({ task: taskId })
  expect(entries.map(({ kind, sub }) => [kind, sub])).toEqual([
    ["task.started", "runner"],
    ["token.issued", "runner"],
    ["token.issued", "runner"],
  ])
})
