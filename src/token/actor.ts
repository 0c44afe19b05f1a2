// Who acts: the holder of a token and, inside, those who delegated to it (RFC 8693 section 4.1). It decides the shape of
// that chain; who may delegate is policy.
import { onlyMembers } from "./claims.ts"
import { isId } from "./id.ts"
import { isJsonObject, type JsonValue } from "./json.ts"
import { formatHolder, type Holder, isHolder, parseHolder } from "./name.ts"

const MAX_ACTORS = 6
const ACT_MEMBERS = new Set(["sub", "act"])

/** The claim `act`: the holder, with its delegator inside; undefined for nobody. */
export function nestActors(actors: readonly Holder[]): object | undefined {
  return actors.reduceRight<object | undefined>(
    (act, holder) => ({ sub: formatHolder(holder), ...(act !== undefined && { act }) }),
    undefined,
  )
}

/** Whether `nestActors` makes of them what `parseActors` reads. */
export const isActors = (actors: readonly Holder[]): boolean =>
  actors.length > 0 && actors.length <= MAX_ACTORS && actors.every(isHolder)

/** Reads `act`: the holder first, at most 6; undefined where a member is unknown or a `sub` is no holder. */
export function parseActors(value: JsonValue | undefined): Holder[] | undefined {
  const actors: Holder[] = []
  for (let act = value; act !== undefined; act = act.act) {
    if (!isJsonObject(act) || onlyMembers(act, ACT_MEMBERS) !== undefined) return undefined
    const holder = parseHolder(act.sub)
    if (!holder || actors.length === MAX_ACTORS) return undefined
    actors.push(holder)
  }
  return actors.length > 0 ? actors : undefined
}

/** One delegation for each actor behind the first; absent, not empty, where there is none. */
export function parseLineage(value: JsonValue | undefined, actors: number): readonly string[] | undefined {
  if (value === undefined) return actors === 1 ? [] : undefined
  if (!Array.isArray(value) || value.length !== actors - 1 || value.length === 0) return undefined
  const ids = value.filter((one) => isId("del", one))
  return new Set(ids).size === value.length ? ids : undefined
}
