// When a verifier tells the issuer what it serves, and what it makes of each answer.
import { expect, test } from "vitest"
import type { IssuerCall } from "../../src/remote/issuer-calls.ts"
import { createDeclaration } from "../../src/verifier/declaration.ts"
import { prepareTarget } from "../../src/verifier/target.ts"
import { createFakeClock } from "../support/fake-clock.ts"

const HOUR = 3_600_000

function open() {
  const clock = createFakeClock()
  const sent: IssuerCall[] = []
  const answers: number[] = []
  const calls = async (call: IssuerCall) => {
    sent.push(call)
    return { status: answers.shift() ?? 200, text: "", headers: new Headers() }
  }
  const declaration = createDeclaration({ calls, instance: "i", clock })
  const operations = () => JSON.parse(String(sent.at(-1)?.body)).operations
  return { clock, sent, answers, declaration, operations }
}

test("nothing is sent while nothing is guarded, everything together, and again only when the set grows or an hour passed", async () => {
  const { clock, sent, declaration, operations } = open()
  await declaration.send()
  clock.advance(2 * HOUR)
  await declaration.send()
  expect(sent).toEqual([])
  declaration.add("tickets:read", "tickets/{id}")
  declaration.add("tickets:close", "tickets/{id}")
  await declaration.send()
  expect(sent).toMatchObject([{ method: "POST", path: "/catalogue" }])
  expect(JSON.parse(String(sent[0]?.body))).toEqual({
    instance: "i",
    operations: [
      { operation: "tickets:close", resources: ["tickets/{id}"] },
      { operation: "tickets:read", resources: ["tickets/{id}"] },
    ],
  })
  declaration.add("tickets:read", "tickets/{id}")
  await declaration.send()
  expect(sent).toHaveLength(1)
  declaration.add("tickets:read", "tickets/{id}/comments")
  await declaration.send()
  expect(operations()[1].resources).toEqual(["tickets/{id}", "tickets/{id}/comments"])
  clock.advance(HOUR - 1)
  await declaration.send()
  expect(sent).toHaveLength(2)
  clock.advance(1)
  await declaration.send()
  expect(sent).toHaveLength(3)
})

test("an issuer that does not know the instance yet is asked again, without a word", async () => {
  const { sent, answers, declaration } = open()
  answers.push(404, 404)
  declaration.add("tickets:read", "tickets/{id}")
  for (let round = 0; round < 5; round++) await declaration.send()
  expect(sent).toHaveLength(3)
})

test("an issuer that takes no declarations is left in peace", async () => {
  const { sent, answers, declaration } = open()
  answers.push(405)
  declaration.add("tickets:read", "tickets/{id}")
  for (let round = 0; round < 5; round++) await declaration.send()
  expect(sent).toHaveLength(1)
})

test("what is refused is told, and sent again", async () => {
  const { sent, answers, declaration } = open()
  answers.push(400)
  declaration.add("tickets:read", "tickets/{id}")
  await expect(declaration.send()).rejects.toThrow("the issuer answered 400")
  await declaration.send()
  await declaration.send()
  expect(sent).toHaveLength(2)
})

test("what is guarded while it is told is told next", async () => {
  const { sent, declaration, operations } = open()
  declaration.add("tickets:read", "tickets/{id}")
  const telling = declaration.send()
  declaration.add("tickets:close", "tickets/{id}")
  await telling
  await declaration.send()
  expect(sent).toHaveLength(2)
  expect(operations()).toHaveLength(2)
})

test("a guard declares when it is made, and one that is misuse does not", () => {
  const told: string[][] = []
  const servedBy = { declare: (...what: [string, string]) => void told.push(what) }
  prepareTarget("tickets:read", "tickets/{id}", servedBy)
  expect(() => prepareTarget("tickets:read", "tickets/**", servedBy)).toThrow(TypeError)
  expect(() => prepareTarget("nonsense", "tickets/{id}", servedBy)).toThrow(TypeError)
  expect(told).toEqual([["tickets:read", "tickets/{id}"]])
})
