// What a grant has to give, before anybody's `at_most`: nothing of an API that is disabled, and no operation that is.
import type { Policy, TaskGrant } from "./policy.ts"

/** The operations of the grant that are enabled, as their API is; in the grant's order. */
export function operationsGranted(
  { apis }: Policy,
  { api: name, operations }: Pick<TaskGrant, "api" | "operations">,
): readonly string[] {
  const api = apis.get(name)
  return api?.enabled ? operations.filter((one) => api.operations.get(one)?.enabled) : []
}
