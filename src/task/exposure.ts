// Tokens that were found where they should not be: told by id, never by their text. It decides what is known of each and that
// the same place is written down once; ending them is the revocations'.

import { committed } from "../database/database.ts"
import type { Entry } from "../ledger/entry.ts"
import { CANARY_TYPE } from "../token/name.ts"
import { type SubjectRow, taskOfToken } from "./delegation-statements.ts"
import { assembleParts, type Parts, type TaskOptions } from "./parts.ts"

/** A token that somebody found. NOT checked: that it was really there, nor that what was found is genuine. */
export interface ExposureTold {
  readonly jti: string
  readonly places: readonly { readonly file: string; readonly line: number }[]
  /** How often it was found in all. */
  readonly found: number
  /** `cut`: not whole, so what was found opens nothing. */
  readonly standing: "genuine" | "unchecked" | "cut"
}

export interface Exposed {
  readonly jti: string
  /** Undefined: this issuer has minted no token of a task with this id. */
  readonly token?: {
    readonly state: "live" | "expired" | "ended"
    /** Epoch seconds. */
    readonly exp: number
    readonly taskId: string
    readonly taskState: string
    readonly agent: { readonly id: string; readonly instance: string }
    /** Of the task; who minted it, of a canary. */
    readonly orchestrator: string
    readonly canary: boolean
  }
  /** Written down now; false: it was before, or is not known. */
  readonly recorded: boolean
}

export interface Exposures {
  /** Says of each what it is, and writes down that it was found. Throws Unavailable. */
  record(by: string, told: readonly ExposureTold[]): Promise<readonly Exposed[]>
}

export function createExposures(options: TaskOptions): Exposures {
  const parts = assembleParts(options)
  return {
    async record(by, told) {
      const exposed: Exposed[] = []
      for (const one of told) exposed.push(await recordOne(parts, by, one))
      return exposed
    },
  }
}

async function recordOne(parts: Parts, by: string, told: ExposureTold): Promise<Exposed> {
  const { jti } = told
  const [row] = await parts.engine.query(taskOfToken, { jti })
  if (!row) return { jti, recorded: false }
  const token = stateOf(row, parts.ledger.at())
  const { entries } = await parts.ledger.read({ jti, kind: "token.exposed", limit: 1000 })
  if (entries.some((entry) => tellsTheSame(entry, told))) return { jti, token, recorded: false }
  const { places, found, standing } = told
  const event = {
    kind: "token.exposed",
    at: parts.ledger.at(),
    task: row.task_id,
    jti,
    agent: row.agent,
    instance: row.instance,
    orchestrator: row.orchestrator,
    code: token.state,
    body: { by, canary: token.canary, found, places: places.map((place) => ({ ...place })), standing },
  } as const
  const written = await committed(parts.engine, parts.ledger.steps(event, row.key ?? "erased"))
  if (!written) return recordOne(parts, by, told) // erased meanwhile
  return { jti, token, recorded: true }
}

function stateOf(row: SubjectRow, now: number): NonNullable<Exposed["token"]> {
  const ran = row.token_exp * 1000 <= now
  return {
    state: row.token_ended_at !== null ? "ended" : ran ? "expired" : "live",
    exp: row.token_exp,
    taskId: row.task_id,
    taskState: row.state,
    agent: { id: row.agent, instance: row.instance },
    orchestrator: row.orchestrator,
    canary: row.type === CANARY_TYPE,
  }
}

/** After an erasure a place is not known any more, and is told again. */
function tellsTheSame({ body = {} }: Entry, { places, found }: ExposureTold): boolean {
  const known = JSON.stringify(body.places)
  return body.found === found && known === JSON.stringify(places.map(({ file, line }) => ({ file, line })))
}
