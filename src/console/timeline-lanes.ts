// The lanes of a task's time line: its states, the tokens of each holder at each API, delegations, approvals, uses and
// refusals. It decides what is drawn as one where there is too much to draw: a task with a thousand tokens has a page of the
// size of one with ten.
import type { Course } from "../audit/course.ts"
import type { Approval } from "../task/approval-view.ts"
import type { TaskToken, TaskView } from "../task/show.ts"
import type { Bar, Ink, Lane, Mark, TimeLine } from "./timeline.ts"
import { countOf, numberOf } from "./values.ts"

/** Into how many steps uses are counted. */
export const STEPS = 48
/** Above it, what touches is one bar. */
const MOST_BARS = 16
const CELLS = 32
const MOST_MARKS = 20
const MOST_TOKEN_LANES = 8
const LEAST_MILLISECONDS = 60_000
/** As `api` of an agent's own token. */
const OWN_API = "@issuer"

/** From its start to its end, or to when its last token runs out. */
export function rangeOf(task: TaskView, now: number): { readonly from: number; readonly to: number } {
  const from = task.startedAt
  const ends = task.tokens.map(endOf)
  return { from, to: Math.max(from + LEAST_MILLISECONDS, task.endedAt ?? now, ...ends) }
}

const endOf = ({ endedAt, expiresAt }: TaskToken): number => Math.min(endedAt ?? expiresAt, expiresAt)

export function timeLineOf(task: TaskView, course: Course, now: number): TimeLine {
  const { from, to } = rangeOf(task, now)
  const lanes = [
    stateLane(task, course, now),
    ...tokenLanes(task, { from, to }),
    delegationLane(task),
    approvalLane(task),
    useLane(course, { from, to }),
    refusalLane(course),
  ]
  return {
    from,
    to,
    ...(task.endedAt === undefined && now < to && { line: now }),
    lanes: lanes.filter((lane) => lane !== undefined),
  }
}

function stateLane(task: TaskView, { changes, earlier }: Course, now: number): Lane {
  const begin = { state: earlier ? "active or paused" : "active", at: task.startedAt }
  const bars = [begin, ...changes].flatMap(({ state, at }, place): Bar[] => {
    if (state !== "active" && state !== "paused" && place > 0) return []
    const to = changes[place]?.at ?? task.endedAt ?? now
    return [{ from: at, to, ink: state === "paused" ? "observed" : "allowed", what: state }]
  })
  const marks: Mark[] =
    task.endedAt === undefined
      ? []
      : [{ at: task.endedAt, ink: task.state === "completed" ? "agreed" : "refused", what: task.state }]
  return { name: "Task", summary: task.state, bars, marks }
}

interface Range {
  readonly from: number
  readonly to: number
}

function tokenLanes(task: TaskView, range: Range): Lane[] {
  const holders = new Map(task.lineage.map(({ id, agent }) => [id, agent.id]))
  const holderOf = ({ delegation }: TaskToken): string =>
    (delegation === undefined ? undefined : holders.get(delegation)) ?? task.agent.id
  const laneOf = (token: TaskToken): string =>
    token.api === OWN_API ? `${holderOf(token)}, its own` : `${holderOf(token)} at ${token.api}`
  const lanes = [...Map.groupBy(task.tokens, laneOf)]
  const shown = lanes.slice(0, MOST_TOKEN_LANES)
  const rest = lanes.slice(MOST_TOKEN_LANES)
  const drawn = shown.map(([name, tokens]) => tokenLane(name, tokens, range))
  return rest.length === 0
    ? drawn
    : [
        ...drawn,
        tokenLane(
          `${rest.length} more holders`,
          rest.flatMap(([, tokens]) => tokens),
          range,
        ),
      ]
}

const INKS: Readonly<Record<TaskToken["state"], Ink>> = { live: "allowed", expired: "quiet", ended: "quiet" }

const tokenLane = (name: string, tokens: readonly TaskToken[], range: Range): Lane => ({
  name,
  summary: countOf(tokens.length, "token"),
  bars: joined(
    tokens.map((token) => ({
      from: token.issuedAt,
      to: endOf(token),
      ink: INKS[token.state],
      what: `token, ${token.state}`,
    })),
    range,
  ),
})

/** Where there are many, those that touch are one. */
function joined(bars: readonly Bar[], { from, to }: Range): readonly Bar[] {
  if (bars.length <= MOST_BARS) return bars
  const width = (to - from) / CELLS
  const cellOf = (instant: number) => Math.min(CELLS - 1, Math.floor((instant - from) / width))
  const cells = Array.from({ length: CELLS }, (): { began: number; live: boolean } | undefined => undefined)
  for (const bar of bars)
    for (let cell = cellOf(bar.from); cell <= cellOf(bar.to); cell++) {
      const known = cells[cell] ?? { began: 0, live: false }
      const began = known.began + (cell === cellOf(bar.from) ? 1 : 0)
      cells[cell] = { began, live: known.live || bar.ink === "allowed" }
    }
  return runsOf(cells, { from, width })
}

function runsOf(
  cells: readonly ({ readonly began: number; readonly live: boolean } | undefined)[],
  { from, width }: { readonly from: number; readonly width: number },
): Bar[] {
  const runs: Bar[] = []
  for (let cell = 0; cell < cells.length; cell++) {
    if (!cells[cell]) continue
    const first = cell
    let [began, live] = [0, false]
    for (let found = cells[cell]; found; found = cells[++cell]) {
      began += found.began
      live = found.live
    }
    const [begin, end] = [from + first * width, from + cell * width]
    runs.push({ from: begin, to: end, ink: live ? "allowed" : "quiet", what: countOf(began, "token") })
  }
  return runs
}

function delegationLane({ lineage, agent }: TaskView): Lane | undefined {
  if (lineage.length === 0) return undefined
  const marks = lineage.flatMap(({ agent: to, startedAt, endedAt, parent }): Mark[] => {
    const by = parent === undefined ? agent.id : "a sub-agent"
    const begun: Mark = { at: startedAt, ink: "allowed", what: `${by} delegated to ${to.id}` }
    return endedAt === undefined
      ? [begun]
      : [begun, { at: endedAt, ink: "quiet", what: `delegation to ${to.id} ended` }]
  })
  return {
    name: "Delegations",
    summary: countOf(lineage.length, "delegation"),
    marks: gathered(marks, "changes of delegations"),
  }
}

const OUTCOMES: Readonly<Record<Approval["state"], Ink>> = {
  requested: "observed",
  granted: "agreed",
  collected: "agreed",
  denied: "refused",
  expired: "quiet",
}

function approvalLane({ approvals }: TaskView): Lane | undefined {
  if (approvals.length === 0) return undefined
  const marks = approvals.flatMap(({ operation, requestedAt, decidedAt, state, decidedBy }): Mark[] => [
    { at: requestedAt, ink: "observed", what: `asked for ${operation}` },
    ...(decidedAt === undefined
      ? []
      : [
          {
            at: decidedAt,
            ink: OUTCOMES[state],
            what: `${operation} ${state === "denied" ? "denied" : "granted"} by ${decidedBy ?? "nobody"}`,
          },
        ]),
  ])
  return {
    name: "Approvals",
    summary: answersOf(approvals),
    marks: gathered(marks, "questions and answers"),
  }
}

/** `3 asked, 2 granted, 1 waiting`; those that nobody answered in time are what is left. */
function answersOf(approvals: TaskView["approvals"]): string {
  const counted = (word: string, ...states: readonly Approval["state"][]): string[] => {
    const count = approvals.filter(({ state }) => states.includes(state)).length
    return count === 0 ? [] : [`${numberOf(count)} ${word}`]
  }
  const asked = `${numberOf(approvals.length)} asked`
  const answers = [
    ...counted("granted", "granted", "collected"),
    ...counted("denied", "denied"),
    ...counted("waiting", "requested"),
  ]
  return [asked, ...answers].join(", ")
}

/** Where there are many, so many neighbours are one. */
function gathered(marks: readonly Mark[], what: string): readonly Mark[] {
  const sorted = [...marks].sort((one, other) => one.at - other.at)
  if (sorted.length <= MOST_MARKS) return sorted
  const size = Math.ceil(sorted.length / MOST_MARKS)
  return Array.from({ length: Math.ceil(sorted.length / size) }, (_each, place) => {
    const part = sorted.slice(place * size, (place + 1) * size)
    return {
      at: part[0]?.at ?? 0,
      ink: "observed" as const,
      what: `${numberOf(part.length)} ${what}`,
      count: part.length,
    }
  })
}

function useLane({ steps }: Course, { from, to }: Range): Lane | undefined {
  const used = steps.filter(({ allowed, observed }) => allowed + observed > 0)
  if (used.length === 0) return undefined
  const width = Math.ceil((to - from) / STEPS)
  return {
    name: "Uses",
    summary: countOf(
      used.reduce((sum, { allowed, observed }) => sum + allowed + observed, 0),
      "use",
    ),
    steps: used.map(({ first, allowed, observed }) => {
      const begin = from + Math.floor((first - from) / width) * width
      return {
        from: begin,
        to: begin + width,
        shares: [
          { ink: "allowed" as const, count: allowed },
          { ink: "observed" as const, count: observed },
        ],
        what: `${countOf(allowed, "use")}${observed > 0 ? `, ${numberOf(observed)} only watched` : ""}`,
      }
    }),
  }
}

function refusalLane({ steps }: Course): Lane | undefined {
  const refused = steps.filter((step) => step.refused > 0)
  if (refused.length === 0) return undefined
  return {
    name: "Refusals",
    summary: countOf(
      refused.reduce((sum, step) => sum + step.refused, 0),
      "refusal",
    ),
    marks: refused.map(({ first, refused: count }) => ({
      at: first,
      ink: "refused" as const,
      what: countOf(count, "refusal"),
      count,
    })),
  }
}
