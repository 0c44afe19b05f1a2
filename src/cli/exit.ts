// What a command ends with: 0 done, 1 the answer is no, 2 wrong use, 3 could not tell. It decides which errors are which;
// the words are said where the error is made.
import { ClientError } from "../client/error.ts"
import { Unavailable } from "../database/database.ts"
import { forTerminal, withoutTokens } from "./escape.ts"
import { Misnamed } from "./issuer-name.ts"

export const EXIT = { done: 0, no: 1, wrongUse: 2, cannotTell: 3 } as const
export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

/** A command ends here, with a message and the next step. Neither holds a secret. */
export class Stop extends Error {
  override readonly name = "Stop"
  readonly exitCode: ExitCode
  /** What to do next, in a line or two. */
  readonly hint: string | undefined

  constructor(exitCode: ExitCode, message: string, hint?: string) {
    super(message)
    this.exitCode = exitCode
    this.hint = hint
  }
}

/** A command of somebody else's has ended, and ours ends as it did: nothing is said about it. */
export class CommandEnded extends Error {
  override readonly name = "CommandEnded"
  readonly exitCode: number

  constructor(exitCode: number) {
    super(`the command ended with ${exitCode}`)
    this.exitCode = exitCode
  }
}

export const wrongUse = (message: string, hint?: string): Stop => new Stop(EXIT.wrongUse, message, hint)
export const answerIsNo = (message: string, hint?: string): Stop => new Stop(EXIT.no, message, hint)
export const cannotTell = (message: string, hint?: string): Stop => new Stop(EXIT.cannotTell, message, hint)

/** How a failed command ends: its exit code, and the lines for standard error (escaped, without colour). */
export function endOf(error: unknown): { readonly exitCode: ExitCode; readonly lines: readonly string[] } {
  if (error instanceof Stop) return { exitCode: error.exitCode, lines: linesOf(error.message, error.hint) }
  if (error instanceof ClientError) return endOfCall(error)
  if (error instanceof TypeError) return { exitCode: EXIT.wrongUse, lines: linesOf(error.message) }
  const message = error instanceof Error ? error.message : "Something failed that is not an error"
  const hint =
    error instanceof Unavailable
      ? "Look at the database (its server, or the disk and the file's owner), then try again"
      : undefined
  return { exitCode: EXIT.cannotTell, lines: linesOf(message, hint) }
}

const EXPLAINED = "`policy explain` shows the decision step by step"
const NEXT_STEP: Readonly<Record<string, string>> = {
  issuer_unreachable:
    "Is it running? Start it with `serve`, or name another with --issuer or TASKMINT_ISSUER",
  temporarily_unavailable:
    "It runs, and is starting, stopping or out of room: its log says which. Try again in a minute",
  too_many_requests:
    "Wait as long as it says, a minute for tokens; programs keep a service token for its five minutes",
  invalid_client:
    "Check TASKMINT_CLIENT_ID, and its key file, its platform's JWT (has it run out?) or who signed in, against `authenticate` in the policy",
  key_encryption_key_wrong: "Give the one that `serve` was started with, or that the last `keys rewrap` gave",
  role_missing: "Use the credential of such a caller: an `orchestrators` or `staff` entry of the policy",
  not_found: "Check the id, and that this caller may see it (orchestrators see their own tasks)",
  task_paused: "`task resume` lets it go on, as its orchestrator",
  task_ended: "An ended task stays ended; start another",
  task_conflict: "Try again in a second",
  person_required: "Sign in: --sign-in-issuer and --sign-in-client-id",
  limit_reached: "Wait, finish running tasks, or raise `limits` in the policy",
  locked: "`lock list` shows the locks; an operator lifts one with `lock lift`",
  access_denied: EXPLAINED,
  operation_not_allowed: EXPLAINED,
  api_not_allowed: EXPLAINED,
  condition_not_met: EXPLAINED,
  inputs_invalid: EXPLAINED,
  key_required: "Give --dpop-jkt, or run the agent by `session`, which has a key of its own",
  uses_exhausted: "Raise `limits` in the policy, or start another task",
  reference_conflict: "Give another run a --reference of its own",
  ledger_broken:
    "Put the right database back; where it is lost, `serve --accept-rollback` goes on without it. `ledger verify` tells more",
}

function endOfCall(error: ClientError) {
  const unknown = error.status === undefined || error.status >= 500 || error.code === "answer_invalid"
  const fields = error.errors.map(({ pointer, expected }) =>
    pointer === "" ? `expected ${expected}` : `${pointer}: expected ${expected}`,
  )
  const status = error.status === undefined ? "" : `, ${error.status}`
  const request = error.requestId === undefined ? [] : [`request ${error.requestId}`]
  return {
    exitCode: unknown ? EXIT.cannotTell : EXIT.no,
    lines: [
      ...linesOf(`${error.message} (${error.code}${status})`),
      ...[...fields, ...request].map((line) => forTerminal(line)),
      ...linesOf(error instanceof Misnamed ? error.hint : (NEXT_STEP[error.code] ?? "")).filter(
        (line) => line !== "",
      ),
    ],
  }
}

const linesOf = (message: string, hint?: string): string[] =>
  [message, hint ?? ""]
    .filter((text) => text !== "")
    .flatMap((text) => withoutTokens(text).split("\n").map(forTerminal))
