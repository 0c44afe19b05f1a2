// Telling the issuer what this verifier serves: the operations of its guards and the shapes of their resources, so that an
// auditor sees where policy and APIs differ. It decides when to tell; no request waits for it, and none is decided by it.
import type { IssuerCalls } from "../remote/issuer-calls.ts"
import type { Clock } from "../time.ts"
import { orderDeclared } from "../token/declaration.ts"

export interface Declaration {
  /** Remembers what one guard serves. Told with all others by the next `send`. */
  add(operation: string, resource: string): void
  /**
   * Tells everything where something is new, and every hour, for an issuer may have been restored from a copy. Throws
   * Unreachable or NotDeclared. An issuer that does not know this instance yet is asked again; one that takes no declarations
   * is left in peace.
   */
  send(): Promise<void>
}

/** The issuer will not take it. */
class NotDeclared extends Error {
  override readonly name = "NotDeclared"
}

const LIMITS = { maxBytes: 64 * 1024, timeoutMilliseconds: 5000 }
const AGAIN_MILLISECONDS = 3_600_000
const NOT_KNOWN = 404
const NOT_OFFERED = 405

export function createDeclaration(options: {
  readonly calls: IssuerCalls
  /** Of the spool. */
  readonly instance: string
  readonly clock: Clock
}): Declaration {
  const { calls, instance, clock } = options
  const shapes = new Map<string, Set<string>>()
  let changes = 0
  let told = 0
  let toldAt = 0
  return {
    add(operation, resource) {
      const known = shapes.get(operation) ?? new Set()
      if (known.has(resource)) return
      shapes.set(operation, known.add(resource))
      changes += 1
    },
    async send() {
      if (changes === told && (told === 0 || clock.monotonic() - toldAt < AGAIN_MILLISECONDS)) return
      const telling = changes
      const said = [...shapes].map(([operation, resources]) => ({ operation, resources: [...resources] }))
      const body = JSON.stringify({ instance, operations: orderDeclared(said) })
      const headers = { "content-type": "application/json" }
      const { status } = await calls({ method: "POST", path: "/catalogue", headers, body }, LIMITS)
      if (status === NOT_KNOWN) return
      if (status !== 200 && status !== NOT_OFFERED)
        throw new NotDeclared(`the issuer answered ${status} to what this verifier serves`)
      told = telling
      toldAt = clock.monotonic()
    },
  }
}
