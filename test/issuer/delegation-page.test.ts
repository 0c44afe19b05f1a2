// docs/delegation.md against the code: its policy loads and does what the page says, its parameters and codes are there.
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { expect, test } from "vitest"
import { REFUSALS } from "../../src/errors.ts"
import { ExchangeForm } from "../../src/issuer/exchange-form.ts"
import { REVOCATION_KINDS } from "../../src/token/revocation.ts"
import { claimsOf, openCrew } from "../support/crew.ts"
import { ROOT } from "../support/source.ts"

const page = readFileSync(join(ROOT, "docs/delegation.md"), "utf8")
const block = (name: string): string =>
  new RegExp(`^\`\`\`\\w+ ${name}\\n([\\s\\S]*?)^\`\`\``, "m").exec(page)?.[1] ?? ""
const section = (title: string): string => page.split(`## ${title}\n`)[1]?.split("\n## ")[0] ?? ""
/** What stands in the first column of a section's table. */
const named = (text: string): string[] =>
  [...text.matchAll(/^\| (`[^|]*) \|/gm)].flatMap(([, cell = ""]) =>
    [...cell.matchAll(/`(\w+)`/g)].map(([, name = ""]) => name),
  )

test("the policy of the page is one under which an agent renews and delegates", async () => {
  const members = block("policy")
    .split("\n")
    .map((line) => line.trim())
  const crew = await openCrew({ delegation: "", members: members.filter((line) => line !== "") })
  try {
    const agent = await crew.start()
    expect((await crew.renew(agent)).status).toBe(200)
    const child = await crew.delegate(agent, "summarizer/pod-1")
    expect(child.body).toMatchObject({ scope: "tickets:read", delegation_id: expect.stringMatching(/^del_/) })
    expect(claimsOf(child.own).scope).toBe("task:renew")
  } finally {
    await crew.remove()
  }
})

test("every parameter and every code that it names is there", () => {
  const parameters = named(section("An exchange")).filter((name) => name !== "code")
  expect(parameters).toContain("requested_actor")
  expect(parameters.filter((name) => !(name in ExchangeForm.shape))).toEqual([])
  const codes = named(section("Refusals")).filter((name) => name !== "code")
  expect(codes.length).toBeGreaterThan(10)
  expect(codes.filter((code) => !(code in REFUSALS))).toEqual([])
  expect(REVOCATION_KINDS).toContain(/taskmint revoke (\w+)/.exec(block("revoke"))?.[1])
})
