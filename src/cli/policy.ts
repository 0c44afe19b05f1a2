// `policy`: look at policy files before they decide, as the issuer would read them. Each command is a file of its own, `policy-*.ts`.
import type { Command } from "commander"
import type { Context } from "./context.ts"
import { addNamed, type Loaders } from "./loading.ts"

const COMMANDS: Loaders = {
  check: async () => (await import("./policy-check.ts")).addCheck,
  inventory: async () => (await import("./policy-inventory.ts")).addInventory,
  test: async () => (await import("./policy-test.ts")).addTest,
  explain: async () => (await import("./policy-explain.ts")).addExplain,
  diff: async () => (await import("./policy-diff.ts")).addPolicyDiff,
  narrow: async () => (await import("./policy-narrow.ts")).addPolicyNarrow,
  replay: async () => (await import("./policy-replay.ts")).addPolicyReplay,
  use: async () => (await import("./policy-use.ts")).addPolicyUse,
}

export async function addPolicy(program: Command, context: Context, words: readonly string[]): Promise<void> {
  const policy = program
    .command("policy")
    .description("policy files: find mistakes, test what is expected of them, explain decisions")
  await addNamed(policy, context, COMMANDS, words)
}
