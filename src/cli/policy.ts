// `policy`: look at policy files before they decide, as the issuer would read them. Each command is a file of its own, `policy-*.ts`.
import type { Command } from "commander"
import type { Context } from "./context.ts"
import { addCheck } from "./policy-check.ts"
import { addPolicyDiff } from "./policy-diff.ts"
import { addExplain } from "./policy-explain.ts"
import { addInventory } from "./policy-inventory.ts"
import { addPolicyNarrow } from "./policy-narrow.ts"
import { addPolicyReplay } from "./policy-replay.ts"
import { addTest } from "./policy-test.ts"
import { addPolicyUse } from "./policy-use.ts"

export function addPolicy(program: Command, context: Context): void {
  const policy = program
    .command("policy")
    .description("policy files: find mistakes, test what is expected of them, explain decisions")
  addCheck(policy, context)
  addInventory(policy, context)
  addTest(policy, context)
  addExplain(policy, context)
  addPolicyDiff(policy, context)
  addPolicyNarrow(policy, context)
  addPolicyReplay(policy, context)
  addPolicyUse(policy, context)
}
