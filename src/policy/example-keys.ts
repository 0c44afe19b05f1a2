// The public keys that taskmint ships as examples: nobody may be let in by one, except with --dev.
/** RFC 7638 thumbprints of policies/keys/*.jwks.json. */
export const EXAMPLE_THUMBPRINTS: ReadonlySet<string> = new Set([])
