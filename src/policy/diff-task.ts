// What else differs in one task type that both policies have: how long, how often, with which proof, who renews, to whom it
// delegates. Rows of data where more is wider; who may do what is diff-access.ts's.
import { type Direction, type Finding, formatSeconds, type Subject, sides } from "./finding.ts"
import type { Policy, TaskType } from "./policy.ts"

/** One number of a task type: the larger, the wider. */
interface Measure {
  readonly subject: Subject
  readonly words: string
  readonly of: (type: TaskType) => number
  readonly say: (value: number) => string
}

const RENEWERS = ["none", "orchestrator", "agent"]
const PROOFS = ["required", "optional"]

const MEASURES: readonly Measure[] = [
  { subject: "time", words: "may run for", of: (type) => type.deadlineSeconds, say: formatSeconds },
  {
    subject: "time",
    words: "has tokens that live for",
    of: (type) => type.tokenLifetimeSeconds,
    say: formatSeconds,
  },
  {
    subject: "time",
    words: "has a renewal grace of",
    of: (type) => type.renewalGraceSeconds,
    say: formatSeconds,
  },
  {
    subject: "renewal",
    words: "is renewed by",
    of: (type) => RENEWERS.indexOf(type.renew),
    say: (value) => RENEWERS[value] ?? "",
  },
  {
    subject: "proof",
    words: "has proof of possession",
    of: (type) => PROOFS.indexOf(type.proofOfPossession),
    say: (value) => PROOFS[value] ?? "",
  },
]

export function diffTask(old: TaskType, now: TaskType, policies: readonly [Policy, Policy]): Finding[] {
  const to = reporter(old, now)
  return [
    ...MEASURES.flatMap(({ subject, words, of, say }) => {
      const [before, after] = [of(old), of(now)]
      return to(subject, directionOf(before, after), `${words} ${say(after)}; before: ${say(before)}`)
    }),
    ...diffLimits(old, now, to),
    ...diffDelegation(old, now, policies, to),
    ...to("text", old.description === now.description ? undefined : "neutral", "is described differently"),
  ]
}

type Report = (subject: Subject, direction: Direction | undefined, words: string) => Finding[]

const reporter =
  (old: TaskType, now: TaskType): Report =>
  (subject, direction, words) =>
    direction === undefined
      ? []
      : [
          {
            direction,
            subject,
            text: `${now.name} ${words}`,
            concerns: { task: now.name },
            ...sides(old.place, now.place),
          },
        ]

/** Where more is wider; undefined where nothing changed. */
const directionOf = (before: number, after: number): Direction | undefined =>
  before === after ? undefined : after > before ? "widening" : "narrowing"

/** Every limit there is, each by its name: an absent number is none at all, so the widest. */
function diffLimits(old: TaskType, now: TaskType, to: Report): Finding[] {
  const [before, after] = [flat(old.limits), flat(now.limits)]
  const names = [...new Set([...before.keys(), ...after.keys()])]
  return names.flatMap((name) => {
    const [was, is] = [before.get(name), after.get(name)]
    const words = `has the limit ${name} ${is ?? "no more"}; before: ${was ?? "none"}`
    if (was === is) return []
    if (typeof (was ?? is) === "string") return to("limits", "unknown", words)
    return to("limits", directionOf(Number(was ?? Infinity), Number(is ?? Infinity)), words)
  })
}

type Limit = string | number

function flat(limits: object, within = ""): ReadonlyMap<string, Limit> {
  const members: [string, unknown][] = limits instanceof Map ? [...limits] : Object.entries(limits)
  return new Map(
    members.flatMap(([name, value]): [string, Limit][] => {
      if (typeof value === "object" && value !== null) return [...flat(value, `${within}${name} `)]
      return typeof value === "string" || typeof value === "number" ? [[within + name, value]] : []
    }),
  )
}

const NOTHING: ReadonlySet<string> = new Set()

function diffDelegation(
  old: TaskType,
  now: TaskType,
  policies: readonly [Policy, Policy],
  to: Report,
): Finding[] {
  const [before, after] = [delegable(policies[0], old), delegable(policies[1], now)]
  const agents = [...new Set([...before.keys(), ...after.keys()])]
  const handed = agents.flatMap((agent) => {
    const [was, is] = [before.get(agent) ?? NOTHING, after.get(agent) ?? NOTHING]
    const more = [...is].filter((one) => !was.has(one))
    const less = [...was].filter((one) => !is.has(one))
    return [
      ...to(
        "delegation",
        more.length > 0 ? "widening" : undefined,
        `may now be delegated to ${agent} for ${more.join(", ")}`,
      ),
      ...to(
        "delegation",
        less.length > 0 ? "narrowing" : undefined,
        `may no longer be delegated to ${agent} for ${less.join(", ")}`,
      ),
    ]
  })
  const [one, other] = [old.delegation, now.delegation]
  if (!one || !other) return handed
  const depth = `delegates ${other.maxDepth} deep; before: ${one.maxDepth}`
  const children = `has ${other.maxChildren} sub-agents for each holder at most; before: ${one.maxChildren}`
  return [
    ...handed,
    ...to("delegation", directionOf(one.maxDepth, other.maxDepth), depth),
    ...to("delegation", directionOf(one.maxChildren, other.maxChildren), children),
  ]
}

/** What each agent can be given at most, with its own `at_most`; nothing, where it is disabled. */
function delegable(policy: Policy, type: TaskType): ReadonlyMap<string, ReadonlySet<string>> {
  const links = [...(type.delegation?.to ?? [])].flatMap(
    ([agent, operations]): [string, ReadonlySet<string>][] => {
      const { enabled = false, atMost } = policy.agents.get(agent) ?? {}
      return enabled ? [[agent, new Set([...operations].filter((one) => !atMost || atMost.has(one)))]] : []
    },
  )
  return new Map(links)
}
