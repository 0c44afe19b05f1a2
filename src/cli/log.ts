// The log of a long-running command: one JSON object a line on standard output. It decides what never enters a log:
// credentials by the name of their member, tokens by their look, of errors everything but what they say, and no character that a
// terminal or another reader would obey.
import { type Logger, pino } from "pino"
import { forLog, withoutTokens } from "./escape.ts"

const SECRET_MEMBERS = [
  "authorization",
  "dpop",
  "cookie",
  "access_token",
  "accessToken",
  "client_assertion",
  "subject_token",
  "privateJwk",
  "keyEncryptionKey",
  "d",
]

export type Log = Logger

export function createLog(destination: NodeJS.WritableStream, level = "info"): Log {
  const paths = SECRET_MEMBERS.flatMap((name) => [name, `*.${name}`, `*.*.${name}`])
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: describe },
      redact: { paths, censor: "[redacted]" },
      hooks: { streamWrite: (line) => forLog(withoutTokens(line)) },
    },
    destination,
  )
}

/** Name, message, code and where it was thrown, down to the cause; no other member: it could hold a request. */
function describe(error: unknown, depth = 0): object {
  if (!(error instanceof Error)) return { message: `thrown: ${typeof error}` }
  return {
    type: error.name,
    message: error.message,
    ...("code" in error && { code: String(error.code) }),
    stack: error.stack,
    ...(error.cause !== undefined && depth < 4 && { cause: describe(error.cause, depth + 1) }),
  }
}
