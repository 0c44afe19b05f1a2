// A batch between its signature and its row, where another process seals one at the same moment.
import { expect, onTestFinished, test } from "vitest"
import { createSealer } from "../../src/spool/seal.ts"
import { createSharedSpool } from "../support/shared-spool.ts"

test("a batch that another came before is signed anew behind that one", async () => {
  const shared = createSharedSpool()
  onTestFinished(() => shared.remove())
  const [one, other] = [await shared.join(), await shared.join()]
  await one.shipper.ship()
  const ids = [await one.use({}, 201)]
  let met = false
  const storeBatch: typeof one.spool.storeBatch = async (...batch) => {
    if (!met) {
      met = true
      ids.unshift(await other.use({}, 202))
      await other.shipper.ship()
    }
    return one.spool.storeBatch(...batch)
  }
  const { recorder, sharing, witness, instance } = one
  const { applied } = sharing
  const spoken = { issuer: "https://taskmint.internal", clientId: "tickets", instance, applied }
  const held = { recorder, checkpoint: witness.held, clock: shared.clock }
  const sealer = createSealer({ ...spoken, ...held, spool: { ...one.spool, storeBatch } })
  expect(await sealer.sealReady(0)).toMatchObject({ sequence: 3 })
  await one.shipper.ship()
  expect(shared.broken()).toEqual([])
  const uses = shared.batches.flatMap((batch) => batch.uses)
  expect(uses.map(({ id, status }) => [id, status])).toEqual([
    [ids[0], 202],
    [ids[1], 201],
  ])
})
