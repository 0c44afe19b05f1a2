// Takes secrets out of what leaves the host in logs and spans: our tokens, proofs and other JWTs, what follows an
// Authorization scheme, private keys, and keys of well-known forms. It finds what has a form; a secret without one, such as
// a password in a sentence, it does NOT find.

import { withoutJwts } from "../token/form.ts"

/** What stands in the place of a secret. */
const REDACTED = "[redacted]"

/** Linear in the text: each begins with letters that are rare, and repeats one class of characters. */
const SECRETS: readonly RegExp[] = [
  /-----BEGIN [A-Z ]{0,32}PRIVATE KEY-----[^-]*-----END [A-Z ]{0,32}PRIVATE KEY-----/g,
  /\b(?:A3T[A-Z0-9]|AKIA|ASIA)[A-Z0-9]{16}\b/g, // AWS access key id
  /\bgh[opsur]_[A-Za-z0-9]{36,255}\b|\bgithub_pat_\w{22,255}\b/g,
  /\bglpat-[\w-]{20,64}/g,
  /\bxox[abeprs]-[A-Za-z0-9-]{10,255}/g, // Slack
  /\bsk-(?:ant-|proj-)?[\w-]{20,255}/g, // OpenAI, Anthropic
  /\bAIza[\w-]{35}/g, // Google
  /\bnpm_[A-Za-z0-9]{36}\b/g,
]
/** The scheme stays: which it was helps, and is no secret. */
const CREDENTIAL = /\b(Bearer|DPoP|Basic)([ :]{1,2})[\w.~+/=-]{8,}/gi
/** The private member of a JWK (RFC 7518). */
const JWK_PRIVATE = /("(?:d|k)"\s{0,4}:\s{0,4}")[\w-]{16,}"/g
/** Members whose values are secrets whatever they look like. */
const SECRET_NAME =
  /^(?:(?:http\.request\.header\.)?(?:proxy-)?(?:authorization|dpop|cookie|set-cookie|x-api-key)|password|passwd|secret|client_secret|client_assertion|access_token|refresh_token|id_token|subject_token|private_?(?:key|jwk))$/i

/** The text without secrets of a known form. Twice the same is the same. */
export function redactText(text: string): string {
  let clean = withoutJwts(text, REDACTED)
  for (const pattern of SECRETS) clean = clean.replace(pattern, REDACTED)
  return clean.replace(CREDENTIAL, `$1$2${REDACTED}`).replace(JWK_PRIVATE, `$1${REDACTED}"`)
}

/**
 * A copy of what a logger is given: texts without secrets, members with a secret's name emptied, whatever they hold. Errors
 * keep name, message, stack and cause. What goes in circles is left out; functions and buffers, too.
 */
export function redact(members: Readonly<Record<string, unknown>>): Record<string, unknown>
export function redact(value: unknown): unknown
export function redact(value: unknown): unknown {
  return redactWithin(value, new Set())
}

function redactWithin(value: unknown, above: Set<object>): unknown {
  if (typeof value === "string") return redactText(value)
  if (typeof value === "function" || ArrayBuffer.isView(value)) return undefined
  if (typeof value !== "object" || value === null || value instanceof Date) return value
  if (above.has(value)) return undefined
  above.add(value)
  const clean = Array.isArray(value)
    ? value.map((one) => redactWithin(one, above))
    : redactMembers(membersOf(value), above)
  above.delete(value)
  return clean
}

function membersOf(value: object): object {
  if (value instanceof Map) return Object.fromEntries(value)
  if (!(value instanceof Error)) return value
  const { name, message, stack, cause } = value
  return { ...value, name, message, stack, ...(cause !== undefined && { cause }) }
}

function redactMembers(members: object, above: Set<object>): Record<string, unknown> {
  const clean: Record<string, unknown> = {}
  for (const [name, one] of Object.entries(members)) {
    const value = SECRET_NAME.test(name) && one !== undefined ? REDACTED : redactWithin(one, above)
    Object.defineProperty(clean, name, { value, enumerable: true, writable: true, configurable: true })
  }
  return clean
}

/** What this needs of the SDK's `SpanProcessor` and of its ended spans. */
interface SpanProcessor<Started extends readonly unknown[], Span extends EndedSpan> {
  onStart(...started: Started): void
  onEnd(span: Span): void
  forceFlush(): Promise<void>
  shutdown(): Promise<void>
}

interface EndedSpan {
  readonly name: string
  readonly attributes: object
  readonly events: readonly object[]
  readonly links: readonly object[]
  readonly status: object
}

/**
 * Put around the span processor that exports: `spanProcessors: [redactSpans(new BatchSpanProcessor(exporter))]`. It gets
 * ended spans whose name, attributes, events, links and status hold no secret of a known form. The resource stays as it is.
 */
export function redactSpans<Started extends readonly unknown[], Span extends EndedSpan>(
  next: SpanProcessor<Started, Span>,
): SpanProcessor<Started, Span> {
  return {
    onStart: (...started) => next.onStart(...started),
    onEnd(span) {
      const { name, attributes, events, links, status } = span
      const clean: Span = Object.create(span) // whatever else an exporter reads of it
      for (const [member, value] of Object.entries({ name, attributes, events, links, status }))
        Object.defineProperty(clean, member, { value: redact(value), enumerable: true })
      next.onEnd(clean)
    },
    forceFlush: () => next.forceFlush(),
    shutdown: () => next.shutdown(),
  }
}
