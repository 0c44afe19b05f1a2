// Which templates say no more than what was touched by way of one with wildcards: an input where every resource had its
// value there, a few values where each was touched by enough tasks, else the wildcard again. It never says more than the
// template did, and never less than what was touched.
import type { ResourceTemplate, TemplateSegment } from "../token/resource.ts"
import type { TaskType } from "./policy.ts"
import { MOST_SHAPES, type TouchedSegment, type TouchedSegments, type TouchedTemplate } from "./touched.ts"

/** One to eight templates, as policies write them; the template itself where nothing can be said. */
export function shapesOf(
  type: TaskType,
  template: ResourceTemplate,
  seen: TouchedTemplate,
  minTasks: number,
): readonly string[] {
  const isOpen = template.at(-1) === "**"
  const fixed = isOpen ? template.slice(0, -1) : template
  const told = (segments: ResourceTemplate, touched: TouchedSegments) =>
    textsOf(segments, touched, (segment) => choicesAt(type, segment, minTasks))
  const whole = told(fixed, seen.all).map((text) => (isOpen ? `${text}${text && "/"}**` : text))
  if (!isOpen || !seen.lengths || [...seen.lengths.values()].some(({ tasks }) => tasks < minTasks))
    return whole
  const each = [...seen.lengths].flatMap(([length, touched]) => {
    const rest = Array.from({ length: length - fixed.length }, (): TemplateSegment => "*")
    return told([...fixed, ...rest], touched)
  })
  return each.length > 0 && each.length <= MOST_SHAPES ? each : whole
}

/** Every text that the choices give; a wildcard where there would be too many. */
function textsOf(
  template: ResourceTemplate,
  { segments }: TouchedSegments,
  choices: (segment: TouchedSegment) => readonly string[],
): readonly string[] {
  let paths: readonly (readonly string[])[] = [[]]
  for (const [at, one] of template.entries()) {
    const segment = segments[at]
    const some = one === "*" ? (segment ? choices(segment) : ["*"]) : [textOf(one)]
    const few = paths.length * some.length <= MOST_SHAPES ? some : ["*"]
    paths = paths.flatMap((path) => few.map((text) => [...path, text]))
  }
  return paths.map((path) => path.join("/"))
}

/** As a policy writes it. */
export const textOf = (segment: TemplateSegment): string =>
  typeof segment === "string" ? segment : "literal" in segment ? segment.literal : `{${segment.input}}`

function choicesAt(type: TaskType, { inputs, values }: TouchedSegment, minTasks: number): readonly string[] {
  const input = [...type.inputs.keys()].find((name) => inputs.has(name))
  if (input !== undefined) return [`{${input}}`]
  if (!values || values.size === 0 || [...values.values()].some((tasks) => tasks < minTasks)) return ["*"]
  return [...values.keys()].sort()
}
