import { join } from "node:path"
import { expect, test, vi } from "vitest"
import { writeExampleFolder } from "../../src/cli/example-folder.ts"
import { runCli } from "../support/command-line.ts"
import { createFolders } from "../support/folder.ts"

vi.setConfig({ testTimeout: 120_000 })
const { policies } = writeExampleFolder(join(createFolders()(), "house"), (text) =>
  text
    .replace("owner: ml-platform@example.com", 'owner: "=cmd(),\\"x\\""')
    .replace("by: [leads], valid: 15m, once: true }", "$&\n        when: has(task.reference)"),
)
const inventory = (...args: string[]) => runCli(["policy", "inventory", policies, ...args])

test.concurrent("a table has a line for each agent, task type and grant", async () => {
  const { code, stdout } = await inventory()
  expect([code, stdout.split("\n")[0]]).toEqual([0, expect.stringMatching(/^AGENT +OWNER +RISK +API/)])
  expect(stdout).toMatch(
    /^triage-bot +support-platform@example\.com +high +tickets +tickets:close +triage-ticket +- +support-orchestrator +- +leads +yes$/m,
  )
})

test.concurrent("--csv is quoted, and nothing in it is a formula", async () => {
  const { stdout } = await inventory("--csv")
  expect(stdout).toContain(
    '\r\nsummarizer,"\'=cmd(),""x""",low,tickets,tickets:read,summarize-ticket,,support-orchestrator,,,',
  )
})

test.concurrent("--json names the policy that it is about", async () => {
  const { agents, digest } = JSON.parse((await inventory("--json")).stdout)
  expect([digest, agents.length]).toEqual([expect.stringMatching(/^sha-256:/), 3])
  expect(agents[0]).toMatchObject({ agent: "deploy-bot", tier: "high", enabled: true })
  const when = agents.flatMap(({ reaches }: { reaches: { conditions: string[] }[] }) =>
    reaches.flatMap(({ conditions }) => conditions),
  )
  expect(when).toEqual(["has(task.reference)"])
})
