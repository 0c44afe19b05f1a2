// The public keys that taskmint ships as examples: nobody may be let in by one, except with --dev. Their private halves
// were thrown away when they were made.

/** RFC 7638 thumbprints of policies/keys/*.jwks.json. */
export const EXAMPLE_THUMBPRINTS: ReadonlySet<string> = new Set([
  "a8W9FYKxjvKfpWCi-KDylgXZi-zhDNBIG8LerxC9oZo", // support-orchestrator
  "2_NyP0GtRmSp_sqnR8ncAlS2LnPHZYmw11wq3N3bjSs", // release-orchestrator
  "xWNPgq_BttuIKikLXOi743RcFXvmUK52QKGL5oOc6b4", // tickets
  "JtXf3hBNn0_l5MOFnaaWXy3g4-uhtFuqhwU03I11GTw", // deployments
  "2gogF1o5MXxJZ3YRnEgZ04kUPb4V5jGhhc-CHodZKR4", // audit-team
  "Oe8_ZCoEhj5XACyVzdKiMee6RHQIC1Fhq14MFtCeFxs", // operations-team
])
