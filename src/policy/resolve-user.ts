// Users of merged files into the policy's own: whom tasks may run for, by which provider's word, and what they may. Whether
// a person fits a rule is behalf.ts's.
import { parseDuration } from "../time.ts"
import { MOST_USER_SECONDS } from "./behalf.ts"
import type { Declared, Sections } from "./merge.ts"
import type { BehalfRule, UserRule } from "./policy.ts"
import { checkKnown, type Resolving } from "./resolve.ts"
import { resolvePeople } from "./resolve-identity.ts"
import type { TaskRule } from "./schema.ts"

export function resolveUsers(sections: Sections, to: Resolving): ReadonlyMap<string, UserRule> {
  const known = new Set([...sections.apis.values()].flatMap((api) => Object.keys(api.rule.operations)))
  const resolved = [...sections.users].map(([name, declared]): [string, UserRule] => {
    const { provider, claims, at_most, enabled } = declared.rule
    resolvePeople({ provider, claims }, (...path) => declared.at(...path), to)
    for (const [index, operation] of (at_most ?? []).entries())
      checkKnown(operation, known, "operation", declared.at("at_most", index), to)
    const atMost = at_most && new Set(at_most)
    return [name, { name, provider, claims, atMost, enabled, place: declared.place }]
  })
  return new Map(resolved)
}

/** Whom a task type may run for; undefined: for nobody but its orchestrator. */
export function resolveBehalf(
  declared: Declared<TaskRule>,
  sections: Sections,
  to: Resolving,
): BehalfRule | undefined {
  const rule = declared.rule.on_behalf_of
  if (rule === undefined) return undefined
  const { users, required, path } = Array.isArray(rule)
    ? { users: rule, required: false, path: ["on_behalf_of"] }
    : { ...rule, path: ["on_behalf_of", "users"] }
  for (const [index, user] of users.entries())
    checkKnown(user, sections.users, "user rule", declared.at(...path, index), to)
  const deadline = parseDuration(declared.rule.deadline) ?? 0
  if (required && deadline > MOST_USER_SECONDS) {
    const message = "expected at most 8h, for a task that always runs for a user"
    to.faults.push({ place: declared.at("deadline"), message })
  }
  return { users, required }
}
