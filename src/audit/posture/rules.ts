// The rules by which a policy and what is served differ: how grave each is, and what to do. It finds nothing.
import type { Severity } from "../../policy/review-rule.ts"

/** Stable: pipelines know a rule by it. */
export type PostureRule =
  | "api-without-verifier"
  | "api-silent"
  | "api-undeclared"
  | "operation-served-nowhere"
  | "operation-unserved"
  | "operation-unknown"
  | "resource-served-nowhere"
  | "verifiers-differ"

export const POSTURE_RULES: Readonly<
  Record<PostureRule, { readonly severity: Severity; readonly fix: string }>
> = {
  "api-without-verifier": {
    severity: "warning",
    fix: "put a verifier in front of it, or `enabled: false` while there is none",
  },
  "api-silent": {
    severity: "warning",
    fix: "look at the API's verifiers and their way to the issuer; write off what is gone with `verifier forget`",
  },
  "api-undeclared": {
    severity: "note",
    fix: "update the verifier; one in another language tells it by POST /catalogue",
  },
  "operation-served-nowhere": {
    severity: "warning",
    fix: "guard the route that does it, or take it out of the grants",
  },
  "operation-unserved": {
    severity: "note",
    fix: "take it out of the API's operations, or guard the route that does it",
  },
  "operation-unknown": {
    severity: "warning",
    fix: "no token can hold it and every request is refused: name it under the API's operations, or correct the guard",
  },
  "resource-served-nowhere": {
    severity: "warning",
    fix: "write the grant's resource as the guards do, or guard the route that serves it",
  },
  "verifiers-differ": {
    severity: "note",
    fix: "wait for the deployment to end; else bring all instances to one version",
  },
}
