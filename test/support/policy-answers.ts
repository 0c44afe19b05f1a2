// What is answered of policies and said of their difference, for pairs of policies (policy-pairs.ts): single uses and single
// approvals, each as a text in a set. It knows nothing of how a difference is found.
import { Refusal } from "../../src/errors.ts"
import { userRuleOf } from "../../src/policy/behalf.ts"
import { decide, type TaskRequest } from "../../src/policy/decide.ts"
import type { Finding } from "../../src/policy/finding.ts"
import type { Policy } from "../../src/policy/policy.ts"
import { matchesResource } from "../../src/token/resource.ts"

const PATHS = ["t/a", "t/b", "t/1", "t/0", "t/z", "q/a", "q/1", "t/a/c", "t/b/c", "t/a/c/d"].map((path) =>
  path.split("/"),
)

/** Every single use that the answer allows, and every one that may be asked for, by whom, for how long and how often. */
export function answerOf(policy: Policy, asked: TaskRequest): ReadonlySet<string> {
  const decision = decide(policy, asked)
  if (decision instanceof Refusal) return new Set()
  const uses = (grants: typeof decision.authority) =>
    grants.flatMap((one) =>
      one.operations.flatMap((operation) =>
        PATHS.filter((path) => one.resources.some((resource) => matchesResource(resource, path))).map(
          (path) => `${one.api} ${operation} ${path.join("/")}`,
        ),
      ),
    )
  const asks = decision.approvable.flatMap((one) => {
    const { by, validSeconds, once } = one.approval
    const times = [60, 900].filter((seconds) => seconds <= validSeconds)
    const often = once ? ["once"] : ["once", "often"]
    const ways = by.flatMap((name) =>
      times.flatMap((seconds) => often.map((how) => `${name} ${seconds} ${how}`)),
    )
    return uses([one]).flatMap((use) => ways.map((way) => `${use} asking ${way}`))
  })
  return new Set([...uses(decision.authority), ...asks])
}

export const isIn = (one: string, all: ReadonlySet<string>) =>
  all.has(one) || all.has(one.split(" asking ")[0] ?? "")

function pickedBy(policy: Policy, { type: name, user: whom }: TaskRequest): readonly (string | null)[] {
  const found = policy.tasks.get(name)
  if (!whom || !found) return [null]
  const rule = userRuleOf(policy, found, whom)
  return rule === undefined || rule instanceof Refusal ? [] : [rule.name]
}

/** Which of the findings are about a request. */
export function concerning(
  findings: readonly Finding[],
  asked: TaskRequest,
  policies: readonly Policy[],
): Finding[] {
  const users = policies.flatMap((policy) => pickedBy(policy, asked))
  return findings.filter(({ concerns }) => {
    if (concerns.task !== asked.type) return false
    if (concerns.orchestrators && !concerns.orchestrators.includes(asked.orchestrator)) return false
    if (concerns.agents && !concerns.agents.includes(asked.agent)) return false
    return !concerns.users || concerns.users.some((one) => users.includes(one))
  })
}
