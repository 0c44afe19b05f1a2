// A service token ends with the key that signed it, also one that was verified before and is known by heart.
import { decodeProtectedHeader } from "jose"
import { afterEach, beforeEach, expect, test } from "vitest"
import { listen } from "../support/event-stream.ts"
import { type House, openHouse } from "../support/issuer-house.ts"

let house: House
let stolen: string
beforeEach(async () => {
  house = await openHouse()
  stolen = await house.serviceToken("support-orchestrator")
})
afterEach(() => house.remove())

const tasks = () => house.call("GET", "/tasks", { token: stolen })
async function revokeKey(): Promise<void> {
  const value = decodeProtectedHeader(stolen).kid
  const json = { kind: "key", value, reason: "It leaked" }
  const { status } = await house.ask("POST", "/revocations", { as: "operations-team", json })
  expect(status).toBe(201)
}

test("G08 one that was used before is refused once its key was revoked", async () => {
  expect((await tasks()).status).toBe(200)
  expect((await tasks()).status).toBe(200)
  await revokeKey()
  expect((await tasks()).status).toBe(401)
  stolen = await house.serviceToken("support-orchestrator")
  expect((await tasks()).status).toBe(200)
})

test("G08 a stream that it opened ends", async () => {
  const headers = { accept: "text/event-stream" }
  const stream = listen(await house.call("GET", "/revocations", { as: "tickets", headers }))
  await stream.until(/: head/)
  await revokeKey()
  await stream.ended()
})
