// The shipped policies, but closing a ticket needs a person, who decides with a key as --dev lets them: operations-team,
// and audit-team that may not decide this.
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Refusal } from "../../src/errors.ts"
import { type Asked, asOrchestrator } from "../../src/task/approval.ts"
import type { Started } from "../../src/task/start.ts"
import { createWorld, SUPPORT_START, type World, type WorldOptions, writePolicies } from "./world.ts"

const APPROVAL = "{ by: [operations-team], valid: 15m, once: true }"

/** The texts of a folder of shipped policies, so changed. */
export function approvalTexts(folder: string, approval = APPROVAL): Record<string, string> {
  const read = (name: string) => readFileSync(join(folder, name), "utf8")
  const close = '        operations: [tickets:close]\n        resources: ["tickets/{ticket}"]\n'
  const support = read("support.yaml").replace(/ {8}approval: .*\n/g, "")
  if (!support.includes(close)) throw new Error("the shipped policy closes tickets otherwise")
  const staff = read("staff.yaml")
    .replace("[operator]", "[operator, approver]")
    .replace("[auditor]", "[auditor, approver]")
  return {
    "support.yaml": support.replace(close, `${close}        approval: ${approval}\n`),
    "staff.yaml": staff,
  }
}

export async function createApprovalWorld(
  folder: string,
  approval = APPROVAL,
  options: Omit<WorldOptions, "folder" | "files"> = {},
): Promise<World> {
  const policies = join(folder, "policies")
  writePolicies(policies)
  for (const [name, text] of Object.entries(approvalTexts(policies, approval)))
    writeFileSync(join(policies, name), text, { mode: 0o644 })
  return createWorld({ ...options, folder })
}

export const ORCHESTRATOR = asOrchestrator("support-orchestrator")
export const LEAD = { name: "operations-team", person: "people/lin@example.com" }
export const PARAMETERS = { resolution: "fixed", notify: ["ana"] }

export const mustBe = <T>(answer: T | Refusal): T => {
  if (answer instanceof Refusal) throw new Error(`${answer.code}: ${answer.reason}`)
  return answer
}

export const question = (taskId: string, changes: object = {}) => ({
  taskId,
  operation: "tickets:close",
  resource: ["tickets", "SUP-1042"],
  reason: "It is solved",
  parameters: PARAMETERS,
  ...changes,
})

/** What orchestrators and leads do, in the world that there is when they do it. */
export function approvalDesk(worldOf: () => World) {
  const start = async (changes: object = {}): Promise<Started> =>
    mustBe(await worldOf().tasks.start("support-orchestrator", { ...SUPPORT_START, ...changes }))
  const ask = async (taskId: string, changes: object = {}): Promise<Asked> =>
    mustBe(await worldOf().approvals.request(ORCHESTRATOR, question(taskId, changes)))
  const grant = async (id: string) => mustBe(await worldOf().approvals.decide(LEAD, id, "grant"))
  return {
    start,
    ask,
    grant,
    collect: (taskId: string, id: string, at = worldOf().approvals) => at.collect(ORCHESTRATOR, taskId, id),
    kindsOf: async (taskId: string) =>
      (await worldOf().ledger.read({ task: taskId, limit: 1000 })).entries.map(({ kind }) => kind),
    async approved(changes: object = {}) {
      const { taskId } = await start()
      const { approval } = await ask(taskId, changes)
      await grant(approval.approvalId)
      return { taskId, id: approval.approvalId }
    },
  }
}
