// The rights in a token (RFC 9396): one strict reader of them and of the `scope` that repeats their operations. How many
// there may be is bounded by the token's size.
import { type Grant, operationsOf } from "./authority.ts"
import { onlyMembers } from "./claims.ts"
import { isJsonObject, type JsonObject, type JsonValue } from "./json.ts"
import { isDigest, isOperation } from "./name.ts"
import { parseResource, type Resource } from "./resource.ts"

const GRANT_MEMBERS = new Set(["type", "actions", "resources", "rule", "parameters", "once"])

/** Reads `authorization_details` of one API; undefined where anything in it is not known to this version. */
export function parseGrants(value: JsonValue | undefined, api: string): readonly Grant[] | undefined {
  if (!Array.isArray(value) || value.length === 0) return undefined
  const grants: Grant[] = []
  for (const one of value) {
    const grant = parseGrant(one, api)
    if (!grant) return undefined
    grants.push(grant)
  }
  return grants
}

function parseGrant(value: JsonValue, api: string): Grant | undefined {
  if (!isJsonObject(value) || onlyMembers(value, GRANT_MEMBERS) !== undefined) return undefined
  if (value.type !== "task_grant" || typeof value.rule !== "string") return undefined
  const operations = parseList(value.actions, (one) => (isOperation(one) ? one : undefined))
  const resources = parseList(value.resources, parseResource)
  const bounds = parseBounds(value)
  return operations && resources && bounds && { api, operations, resources, rule: value.rule, ...bounds }
}

/** What an approval adds: the digest of its parameters, and that it is for one use. Neither is ever null or false. */
function parseBounds({ parameters, once }: JsonObject): Pick<Grant, "parameters" | "once"> | undefined {
  if (parameters !== undefined && !isDigest(parameters)) return undefined
  if (once !== undefined && once !== true) return undefined
  return { ...(parameters !== undefined && { parameters }), ...(once === true && { once }) }
}

/** A list of at least one string, each of which `read` takes, none twice. */
function parseList<T extends string | Resource>(
  value: JsonValue | undefined,
  read: (one: JsonValue) => T | undefined,
): readonly T[] | undefined {
  if (!Array.isArray(value) || value.length === 0) return undefined
  if (new Set(value).size !== value.length) return undefined
  const items: T[] = []
  for (const one of value) {
    const item = read(one)
    if (item === undefined) return undefined
    items.push(item)
  }
  return items
}

/** RFC 6749 section 3.3: the operations in any order, single spaces between; the grants' own set. */
export function parseScope(
  value: JsonValue | undefined,
  grants: readonly Grant[],
): readonly string[] | undefined {
  if (typeof value !== "string") return undefined
  const scope = value.split(" ")
  const granted = new Set(operationsOf(grants))
  const exact = scope.length === granted.size && new Set(scope).size === scope.length
  return exact && scope.every((one) => granted.has(one)) ? scope : undefined
}
