// `policy use`: bring back a policy that was in force before, as an operator. What was in force, and that the files in the
// folder do not come back by themselves, the issuer knows.
import type { Command } from "commander"
import { asRecord } from "../client/issuer-call.ts"
import type { Context } from "./context.ts"
import { wrongUse } from "./exit.ts"
import { asCaller, type CallerFlags, issuerOf } from "./options.ts"

const DIGEST = /^sha-256:[A-Za-z0-9_-]{43}$/

export function addPolicyUse(policy: Command, context: Context): void {
  asCaller(policy.command("use"))
    .description("bring back a policy that was in force before; live tokens that it does not cover end")
    .argument("<digest>", "as `ledger query --kind policy.loaded` shows it: sha-256:...")
    .action((digest: string, flags: CallerFlags) => use(context, digest, flags))
}

async function use(context: Context, digest: string, flags: CallerFlags): Promise<void> {
  const { terminal } = context
  if (!DIGEST.test(digest))
    throw wrongUse(
      "That is no digest of a policy",
      "It looks like sha-256: and 43 characters; `taskmint ledger query --kind policy.loaded` lists those that there were",
    )
  const asked = issuerOf(context, flags).call("POST", "/policy/use", { digest })
  const { body } = await terminal.progress("asking", asked)
  if (flags.json) return terminal.json(body)
  const { result } = asRecord(body)
  const said = result === "unchanged" ? "was in force already" : "in force"
  terminal.print(`${digest}  ${terminal.colors.bold(said)}`)
  if (result !== "unchanged")
    terminal.note("The files in the policy folder take force again once they say something new.")
}
