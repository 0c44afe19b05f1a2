// The filters of entries as options, and as the query that the issuer reads. It decides spelling, never meaning.
import { type Command, Option } from "commander"
import { KINDS } from "../ledger/event.ts"
import { parseHolder } from "../token/name.ts"
import { wrongUse } from "./exit.ts"
import { suggesting } from "./suggestions.ts"

const FILTERS = [
  ["task", "task id, task_..."],
  ["reference", "the orchestrator's own execution id"],
  ["jti", "token id, tok_..."],
  ["agent", "agent, as in triage-bot"],
  ["instance", "instance of an agent: pod-7f3c, or triage-bot/pod-7f3c"],
  ["orchestrator", "orchestrator"],
  ["sub", "the principal, as in people/ana@example.com"],
  ["api", "the API's name in the policy"],
  ["operation", "operation, as in tickets:read"],
  ["resource", "resource, or how it begins"],
  ["kind", "kind of entry, as in use.refused"],
  ["outcome", "allowed or refused"],
  ["from", "RFC 3339 time, as in 2026-01-31T12:00:00Z"],
  ["to", "the same, until when"],
] as const

export type FilterName = (typeof FILTERS)[number][0]
export type FilterFlags = { readonly [Name in FilterName]?: string | undefined }

/** What a shell may suggest; an issuer of another version has others. */
const VALUES: { readonly [Name in FilterName]?: readonly string[] } = {
  kind: KINDS,
  outcome: ["allowed", "refused"],
}

/** Adds all of them but these. */
export function withFilters(command: Command, but: readonly FilterName[] = []): Command {
  for (const [name, description] of FILTERS)
    if (!but.includes(name))
      command.addOption(suggesting(new Option(`--${name} <value>`, description), VALUES[name] ?? []))
  return command
}

/** Adds these alone. */
export const withSome = (command: Command, names: readonly FilterName[]): Command =>
  withFilters(
    command,
    FILTERS.flatMap(([name]) => (names.includes(name) ? [] : [name])),
  )

/** Those that were given. Stop (wrong use) at an instance that can't be one: it would find nothing. */
export function filtersIn(flags: FilterFlags): Record<string, string> {
  const given = { ...flags, ...holderIn(flags) }
  return Object.fromEntries(
    FILTERS.flatMap(([name]) => (given[name] === undefined ? [] : [[name, given[name]] as const])),
  )
}

/** An instance that stands behind its agent, as tables have it and `revoke` takes it. */
function holderIn({ agent, instance }: FilterFlags): FilterFlags {
  if (!instance?.includes("/")) return {}
  const holder = parseHolder(instance)
  if (!holder)
    throw wrongUse(`--instance ${instance} is no instance`, "Write it as in pod-7f3c, or triage-bot/pod-7f3c")
  if (agent !== undefined && agent !== holder.agent)
    throw wrongUse(`--instance ${instance} is none of --agent ${agent}`, "Leave --agent out")
  return holder
}
