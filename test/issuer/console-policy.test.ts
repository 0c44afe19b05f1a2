// The page of the policy in force: who put it there, who may do what by it, and what was in force before.
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { accessOf, accessPairs } from "../../src/policy/access-table.ts"
import { openPage } from "../support/console-form.ts"
import { type House, openHouse } from "../support/issuer-house.ts"
import { manyTasks, policyOf, shippedTexts } from "../support/policies.ts"

let house: House
beforeAll(async () => {
  house = await openHouse()
})
afterAll(() => house.remove())

const open = (query = "") => openPage(house, `/console/policy${query}`, "audit-team")
const edit = (from: string, to: string) => {
  const path = join(house.policyFolder, "support.yaml")
  writeFileSync(path, readFileSync(path, "utf8").replace(from, to))
}

describe("the page of the policy", () => {
  test("shows each agent's operations, and those for which a person has to agree", async () => {
    const text = await open("?agent=triage-bot")
    const cells = /triage-bot<\/a><\/td><td[^>]*>triage-ticket<\/td><td[^>]*>(.*?)<\/td><td[^>]*>(.*?)<\/td>/s
      .exec(text)
      ?.slice(1)
    expect(
      cells?.map((cell) =>
        cell
          .replaceAll(/<[^>]*>/g, " ")
          .split(/\s+/)
          .filter(Boolean),
      ),
    ).toEqual([
      ["tickets:read", "tickets:comment"],
      ["tickets:close", "of", "leads"],
    ])
    expect(text).not.toContain("summarizer</a>")
    expect(text).toMatch(/leads<\/td><td[^>]*>approver<\/td><td[^>]*>nothing: nobody can be it yet/)
    expect(await open("?type=deploy-service")).toContain("deploy-bot</a>")
    expect(await open("?type=no-such-type")).toContain("The policy lets no agent do that.")
  })

  test("names who put it in force, and keeps the one before", async () => {
    const first = /<dt>Digest<\/dt><dd><code class="hash">([^<]+)</.exec(await open())?.[1] ?? ""
    expect(await open()).toContain("the issuer, which found the files in its folder")
    house.clock.advance(60_000)
    edit("token_lifetime: 10m", "token_lifetime: 11m")
    await house.ask("POST", "/policy/reload", { as: "operations-team", json: {} })
    const loaded = await open()
    expect(loaded).toContain("<dt>By</dt><dd>operations-team</dd>")
    expect(loaded.split("<h2>Earlier policies")[1]).toContain(first)
    house.clock.advance(60_000)
    await house.ask("POST", "/policy/use", { as: "operations-team", json: { digest: first } })
    const used = await open()
    expect(used).toContain(`<dt>Digest</dt><dd><code class="hash">${first}`)
    expect(used).toContain("<dt>By</dt><dd>operations-team</dd>")
    expect(used).toContain("were in force before, and another policy took their place")
  })

  test("says where files that are not valid are wrong", async () => {
    edit("deadline: 2h", "deadline: soon")
    await house.ask("POST", "/policy/reload", { as: "operations-team", json: {} })
    const text = await open()
    expect(text).toContain("The files in the folder are not valid.")
    expect(text).toMatch(/<code>support\.yaml:\d+:\d+<\/code>/)
  })

  test.each(["?agent=%3Cb%3E", "?from=-1", "?limit=3"])("refuses %s", async (query) => {
    expect((await house.call("GET", `/console/policy${query}`, { as: "audit-team" })).status).toBe(400)
  })
})

describe("the lines of who may do what", () => {
  test("hold no operation that the agent's own limit or a disabled name takes away", async () => {
    const texts = shippedTexts()
    const limited = texts["support.yaml"]?.replace(
      "at_most: [tickets:read, tickets:comment, tickets:close]",
      "at_most: [tickets:read]",
    )
    const policy = await policyOf({ ...texts, "support.yaml": limited ?? "" })
    const line = accessOf(policy, { agent: "triage-bot", type: "triage-ticket" })
    expect([line.operations, line.approved]).toEqual([["tickets:read"], []])
    const disabled = limited?.replace(
      "at_most: [tickets:read]",
      "at_most: [tickets:read]\n    enabled: false",
    )
    const without = await policyOf({ ...texts, "support.yaml": disabled ?? "" })
    expect(accessPairs(without).map(({ agent }) => agent)).not.toContain("triage-bot")
  })

  test("of hundreds of task types are a page at a time", async () => {
    const policy = await policyOf({ "many.yaml": manyTasks(300) })
    expect(accessPairs(policy)).toHaveLength(300)
    expect(accessPairs(policy, { type: "task-7" })).toEqual([{ agent: "agent", type: "task-7" }])
  })
})
