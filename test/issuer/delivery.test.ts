// One look at what waits to be told to an address: how much of it is sent, and what is too late.
import { afterEach, beforeEach, expect, test } from "vitest"
import { createDeliveries } from "../../src/issuer/delivery.ts"
import { readWebhooks } from "../../src/issuer/webhook.ts"
import { insertDelivery } from "../../src/issuer/webhook-statements.ts"
import { type Receiver, startReceiver } from "../support/receiver.ts"
import { createWorld, type World } from "../support/world.ts"

const DAY = 86_400_000
let world: World
let receiver: Receiver
let look: () => Promise<void>
beforeEach(async () => {
  world = await createWorld()
  receiver = await startReceiver()
  const webhooks = readWebhooks({ addresses: [receiver.url], privateHosts: ["127.0.0.1"] })
  const onFault = (fault: unknown) => {
    throw fault
  }
  const { looks } = createDeliveries({ ...world, webhooks, onFault })
  look = async () => looks[0]?.()
})
afterEach(async () => {
  await receiver.close()
  await world.leave()
})

const put = async (count: number, until = world.ledger.at() + DAY) => {
  for (let at = 0; at < count; at++) {
    const values = { jti: `evt_${at}`, address: `${receiver.url}/`, claims: "{}", due: 0, until }
    await world.engine.atomically([{ statement: insertDelivery, values, rows: 1 }])
  }
}

test("it goes on while all is taken, and ends with the first eight where nothing is", async () => {
  await put(20)
  receiver.answer(503)
  await look()
  expect(receiver.got).toHaveLength(8)
  receiver.answer(202)
  await look()
  expect(receiver.got).toHaveLength(8 + 12)
})

test("what was to be told for a day is not told after it", async () => {
  const now = world.ledger.at()
  await put(1, now + 1000)
  world.clock.advance(1000)
  await look()
  expect(receiver.got).toHaveLength(0)
})
