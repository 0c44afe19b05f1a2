// Whether the inputs of a request fit what a task type declares: data always, and the declared rule. It decides nothing
// about what they are bound into.
import { type FieldError, type Refusal, refuse } from "../errors.ts"
import { isSegment } from "../token/resource.ts"
import type { InputRule, TaskType } from "./policy.ts"

/** Most field errors that one answer lists. */
const MAX_ERRORS = 20

/**
 * The inputs of a request, all of them and none besides, each a JSON string that is data (one resource segment) and fits
 * its rule. A missing input is an error, never a wildcard.
 */
export function readInputs(
  type: TaskType,
  given: Readonly<Record<string, unknown>>,
): ReadonlyMap<string, string> | Refusal {
  const inputs = new Map<string, string>()
  const errors: FieldError[] = []
  for (const name of Object.keys(given)) {
    if (!type.inputs.has(name)) errors.push({ pointer: pointerTo(name), expected: "no input of this name" })
  }
  for (const [name, rule] of type.inputs) {
    const value: unknown = Object.hasOwn(given, name) ? given[name] : undefined
    const expected = typeof value === "string" ? inputFault(rule, value) : "a JSON string"
    if (expected === undefined && typeof value === "string") inputs.set(name, value)
    else errors.push({ pointer: pointerTo(name), expected: expected ?? "a JSON string" })
  }
  if (errors.length === 0) return inputs
  return refuse("inputs_invalid", "the inputs do not fit the task type", {
    errors: errors.slice(0, MAX_ERRORS),
  })
}

/** Whether a value is data and fits the rule. */
export const acceptsInput = (rule: InputRule, value: string): boolean => inputFault(rule, value) === undefined

/** What was expected of a value that does not fit; undefined where it fits. */
function inputFault(rule: InputRule, value: string): string | undefined {
  if (!isSegment(value)) return "1 to 256 characters of plain data: no / \\ % * { } ? # ; and no spaces"
  return fits(rule, value) ? undefined : describeRule(rule)
}

function fits(rule: InputRule, value: string): boolean {
  if (rule.kind === "pattern") return rule.pattern.matches(value)
  if (rule.kind === "enum") return rule.values.has(value)
  if (!/^(0|-?[1-9][0-9]{0,15})$/.test(value)) return false
  const number = Number(value)
  return Number.isSafeInteger(number) && number >= rule.min && number <= rule.max
}

/** What a rule asks for, in words. */
export function describeRule(rule: InputRule): string {
  if (rule.kind === "pattern") return `a text that fits ${rule.source}`
  if (rule.kind === "enum") return `one of ${[...rule.values].join(", ")}`
  return `a whole number from ${rule.min} to ${rule.max}, in canonical decimal`
}

/** RFC 6901, cut short: names come from the caller. */
const pointerTo = (name: string): string =>
  `/inputs/${name.slice(0, 63).replaceAll("~", "~0").replaceAll("/", "~1")}`
