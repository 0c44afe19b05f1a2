// How far the issuer's clock is ahead of ours, by what its answers say (Date, RFC 9110 section 6.6.1). It decides nothing:
// what skew a token may have is token/'s.
import type { Clock } from "../time.ts"

export interface Skew {
  /** To be told of every answer as it comes. */
  heard(headers: Headers): void
  /** To about a second, by the newest answer; negative where ours is ahead. Undefined before one told the time. */
  seconds(): number | undefined
}

/** An answer says whole seconds, cut off. */
const CUT_OFF_MILLISECONDS = 500

export function createSkew(clock: Clock): Skew {
  let milliseconds: number | undefined
  return {
    heard(headers) {
      const said = Date.parse(headers.get("date") ?? "")
      if (Number.isFinite(said)) milliseconds = said + CUT_OFF_MILLISECONDS - clock.now()
    },
    seconds: () => milliseconds && milliseconds / 1000,
  }
}
