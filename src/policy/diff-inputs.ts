// Whether a task type's inputs take more values than before, or fewer. Lists and ranges can be compared; a pattern can only
// be asked about single values, so of two patterns it says that nobody can tell.
import { type Direction, type Finding, sides } from "./finding.ts"
import { acceptsInput, describeRule } from "./inputs.ts"
import type { InputRule, TaskType } from "./policy.ts"

/** More whole numbers than this are not looked at one by one. */
const MOST_LISTED = 1000

/** Patterns that every value fits: a value is one segment, and has a character at least. */
const EVERYTHING = new Set([".*", ".+", "[^/]+", "[^/]*", "(?s).*", "(?s).+"])

export function diffInputs(old: TaskType, now: TaskType): Finding[] {
  const names = [...new Set([...old.inputs.keys(), ...now.inputs.keys()])]
  return names.flatMap((name): Finding[] => {
    const [before, after] = [old.inputs.get(name), now.inputs.get(name)]
    const found = (direction: Direction, words: string): Finding => ({
      direction,
      subject: "inputs",
      text: `the input "${name}" of ${now.name} ${words}`,
      concerns: { task: now.name },
      ...sides(old.place, now.place),
    })
    if (!before && after)
      return [
        found(
          "unknown",
          `is new (${describeRule(after)}): starts without it are refused, and it may widen what those with it get`,
        ),
      ]
    if (before && !after)
      return [found("unknown", "is gone: starts with it are refused, and those without it may get more")]
    if (!before || !after || equal(before, after)) return []
    const words = `takes ${describeRule(after)}; before: ${describeRule(before)}`
    const [wider, narrower] = [!isInside(after, before), !isInside(before, after)]
    if (isInside(before, after) === undefined || isInside(after, before) === undefined)
      return [
        found(
          isInside(before, after) ? "widening" : isInside(after, before) ? "narrowing" : "unknown",
          words,
        ),
      ]
    return [
      ...(wider ? [found("widening", `takes values that it did not: ${words}`)] : []),
      ...(narrower ? [found("narrowing", `does not take values that it did: ${words}`)] : []),
    ]
  })
}

function equal(one: InputRule, other: InputRule): boolean {
  return one.kind === "pattern" && other.kind === "pattern" && one.source === other.source
}

/** Whether `outer` takes every value that `inner` takes; undefined: that can't be told. */
function isInside(inner: InputRule, outer: InputRule): boolean | undefined {
  if (equal(inner, outer) || (outer.kind === "pattern" && EVERYTHING.has(outer.source))) return true
  const values = valuesOf(inner)
  if (values) return values.every((value) => acceptsInput(outer, value))
  if (inner.kind === "integer" && outer.kind === "integer")
    return inner.min >= outer.min && inner.max <= outer.max
  return undefined
}

/** Every value, where they can be listed. */
function valuesOf(rule: InputRule): readonly string[] | undefined {
  if (rule.kind === "enum") return [...rule.values]
  if (rule.kind === "pattern" || rule.max - rule.min >= MOST_LISTED) return undefined
  return Array.from({ length: rule.max - rule.min + 1 }, (_, index) => String(rule.min + index))
}
