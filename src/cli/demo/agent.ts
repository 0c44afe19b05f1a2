// A process of the demo: the agent. It has the tokens that it was handed, and tries what it is told to.
import { setTimeout as sleep } from "node:timers/promises"
import type { ApprovalQuestion } from "../../client/approval.ts"
import { createSession, createSessionKey } from "../../client/client.ts"
import { ClientError } from "../../client/error.ts"
import type { Session } from "../../client/session.ts"
import type { Handover } from "../../client/task.ts"
import { answerCues } from "./cues.ts"

export interface Attempt {
  readonly task: string
  readonly method: string
  readonly url: string
  /** Sends the token of this URL's API to `url`, where it does not belong: what an agent gone wrong would do. */
  readonly tokenOf?: string
}

export interface Outcome {
  readonly status: number
  readonly code: string
}

const sessions = new Map<string, Session>()
const PATIENCE_MILLISECONDS = 8000
const key = createSessionKey()

answerCues({
  /** What a task's tokens are bound to where they shall be of use to this agent alone. */
  key: () => key.thumbprint,
  async take(handover: Handover) {
    sessions.set(handover.task, await createSession({ tokens: handover.tokens, waitSeconds: 0 }))
  },
  /** Of a task whose tokens are bound: the agent may then ask a person by itself, here once. */
  async takeBound({ question, ...handover }: Handover & { readonly question: ApprovalQuestion }) {
    const questions = [question]
    const approval = () => questions.shift()
    sessions.set(handover.task, await createSession({ ...handover, key, approval, waitSeconds: 0 }))
  },
  attempt,
  /** Asks again and again until it is refused. */
  async untilRefused({ everyMilliseconds, ...given }: Attempt & { readonly everyMilliseconds: number }) {
    const began = performance.now()
    for (;;) {
      const outcome = await attempt(given)
      if (outcome.status >= 300 || performance.now() - began > PATIENCE_MILLISECONDS) return outcome
      await sleep(everyMilliseconds)
    }
  },
})

async function attempt({ task, method, url, tokenOf }: Attempt): Promise<Outcome> {
  const session = sessions.get(task)
  if (!session) throw new Error("no such task was handed over")
  if (tokenOf === undefined) return outcomeOf(session.fetch(url, { method }))
  const headers = await session.headers(method, tokenOf)
  const response = await fetch(url, { method, headers, redirect: "manual" })
  const text = await response.text()
  return { status: response.status, code: response.ok ? "" : codeOf(text) }
}

/** What the session could not help: the refusal, with its code. */
async function outcomeOf(call: Promise<Response>): Promise<Outcome> {
  try {
    return { status: (await call).status, code: "" }
  } catch (error) {
    if (error instanceof ClientError) return { status: error.status ?? 0, code: error.code }
    throw error
  }
}

function codeOf(text: string): string {
  const problem: unknown = JSON.parse(text)
  return typeof problem === "object" && problem !== null && "code" in problem ? String(problem.code) : ""
}
