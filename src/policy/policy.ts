// What a policy is once its files are read and found whole: plain data, looked up by name in maps. It decides nothing;
// decide.ts does. Everything here is checked: names resolve, durations are in range, patterns compile.

import type { ProviderSettings } from "../remote/identity-providers.ts"
import type { ClaimRules, IdentityRule } from "../token/identity.ts"
import type { ResourceTemplate } from "../token/resource.ts"
import type { JsonWebKeySet } from "../token/signature.ts"
import type { ConditionFacts, Verdict } from "./condition.ts"
import type { InputPattern } from "./pattern.ts"

/** Where in the policy files something stands: lines and columns count from 1. */
export interface Place {
  readonly file: string
  readonly line: number
  readonly column: number
}

export type Risk = "low" | "moderate" | "high"
export type StaffRole = "auditor" | "approver" | "operator"

/** How a caller proves who it is: by an assertion signed with one of these keys (RFC 7523). */
export interface PrivateKeyJwt {
  readonly jwks: JsonWebKeySet
}

/** Another issuer whose word is taken for who somebody is. */
export interface IdentityProvider extends ProviderSettings {
  /** The `aud` of its tokens for people; workloads' tokens are always for this issuer. */
  readonly audience: string | undefined
  /** Undefined: `sub` names a person. */
  readonly nameClaim: string | undefined
  /** False: it vouches for nobody. */
  readonly enabled: boolean
  readonly place: Place
}

/** A workload that may be a caller: the JWT of a provider that fits all of this. */
export interface WorkloadRule extends IdentityRule {
  /** A name in `identityProviders`. */
  readonly provider: string
}

/** People who may be a caller, once they have signed in at the provider. */
export interface OpenIdRule {
  /** A name in `identityProviders`; it has an audience. */
  readonly provider: string
  readonly claims: ClaimRules
}

export interface Operation {
  readonly risk: Risk
  /** False: it is granted to nobody; its API goes on telling its risk. */
  readonly enabled: boolean
}

export interface Api {
  readonly name: string
  /** RFC 8707 resource: the `aud` of its tokens, compared byte for byte. */
  readonly resource: string
  readonly owner: string
  readonly authenticate: readonly PrivateKeyJwt[]
  readonly workloads: readonly WorkloadRule[]
  readonly operations: ReadonlyMap<string, Operation>
  /** Its verifier is not ours: its tokens name their place in a status list. */
  readonly foreign: boolean
  /** It tells tokens apart by `sub` and `aud` alone: theirs names task type and agent. Only where it is foreign. */
  readonly openid: boolean
  readonly enabled: boolean
  readonly place: Place
}

export interface Agent {
  readonly name: string
  readonly owner: string
  /** Undefined: whatever the task grants. */
  readonly atMost: ReadonlySet<string> | undefined
  readonly authenticate: readonly PrivateKeyJwt[]
  readonly workloads: readonly WorkloadRule[]
  readonly enabled: boolean
  readonly place: Place
}

export interface Orchestrator {
  readonly name: string
  readonly owner: string
  readonly authenticate: readonly PrivateKeyJwt[]
  readonly workloads: readonly WorkloadRule[]
  readonly enabled: boolean
  readonly place: Place
}

/** People for whom tasks may run. */
export interface UserRule {
  readonly name: string
  /** A name in `identityProviders`; it has an audience. */
  readonly provider: string
  readonly claims: ClaimRules
  /** Undefined: whatever the task grants. */
  readonly atMost: ReadonlySet<string> | undefined
  readonly enabled: boolean
  readonly place: Place
}

/** Whom a task type may run for. */
export interface BehalfRule {
  /** Names in `users`: the first that fits a person decides. */
  readonly users: readonly string[]
  /** Never without a user. */
  readonly required: boolean
}

export interface Staff {
  readonly name: string
  readonly roles: readonly StaffRole[]
  readonly authenticate: readonly PrivateKeyJwt[]
  readonly workloads: readonly WorkloadRule[]
  readonly openid: readonly OpenIdRule[]
  readonly enabled: boolean
  readonly place: Place
}

export type InputRule =
  | { readonly kind: "pattern"; readonly source: string; readonly pattern: InputPattern }
  | { readonly kind: "enum"; readonly values: ReadonlySet<string> }
  | { readonly kind: "integer"; readonly min: number; readonly max: number }

export interface ApprovalRule {
  /** Names of staff with the role approver. */
  readonly by: readonly string[]
  readonly validSeconds: number
  readonly once: boolean
}

/** A condition as its file has it. */
export interface ConditionRule {
  readonly source: string
  /** It asks what the agent has done in the last hour. */
  readonly asksUsage: boolean
  readonly place: Place
}

export interface Condition extends ConditionRule {
  /** As of what it is told. */
  holds(facts: ConditionFacts): Verdict
}

export interface TaskGrant {
  /** The API's name in the policy. */
  readonly api: string
  readonly operations: readonly string[]
  readonly resources: readonly ResourceTemplate[]
  /** Set: a person decides first. */
  readonly approval?: ApprovalRule
  /** Where it does not hold, a mint leaves this grant out. */
  readonly when?: Condition
  /** `support.yaml#/tasks/triage-ticket/grants/0`: an RFC 6901 pointer into the file that says so. */
  readonly rule: string
  readonly place: Place
}

/** To whom holders of a task may delegate, how deep, and how many each at a time. */
export interface DelegationRule {
  readonly maxDepth: number
  readonly maxChildren: number
  /** What each agent may be given at most; nobody else may be delegated to. */
  readonly to: ReadonlyMap<string, ReadonlySet<string>>
}

/** How many uses one task may have, those of its sub-agents too. */
export interface UseLimits {
  /** Of all operations together; undefined: only those of `of` are counted. */
  readonly most: number | undefined
  /** By operation. */
  readonly of: ReadonlyMap<string, number>
  readonly atLimit: "pause" | "revoke"
}

export interface TaskType {
  readonly name: string
  readonly description: string | undefined
  readonly orchestrators: ReadonlySet<string>
  readonly agents: ReadonlySet<string>
  /** Undefined: for nobody but its orchestrator. */
  readonly onBehalfOf: BehalfRule | undefined
  readonly tokenLifetimeSeconds: number
  readonly deadlineSeconds: number
  readonly inputs: ReadonlyMap<string, InputRule>
  readonly grants: readonly TaskGrant[]
  /** Where it does not hold, nothing is minted. */
  readonly when?: Condition
  readonly proofOfPossession: "optional" | "required"
  /** Undefined: nobody delegates. */
  readonly delegation: DelegationRule | undefined
  /** `agent`: the agent too. */
  readonly renew: "orchestrator" | "agent" | "none"
  /** For how long the agent's own token still renews after it has run out. */
  readonly renewalGraceSeconds: number
  readonly limits: {
    readonly activeTasks: number
    readonly startsPerHour: number
    /** Undefined: as many as they are. */
    readonly uses?: UseLimits
  }
  readonly enabled: boolean
  readonly place: Place
}

/** What a policy says of one rule for unusual work. */
export interface AnomalyRule {
  readonly enabled: boolean
  /** Before that nothing is unusual. */
  readonly learn: { readonly tasks: number; readonly days: number }
  /** Of rules that count: fewer are never unusual. */
  readonly atLeast: number
  readonly deviations: number
  /** Undefined: it is told and nothing else. */
  readonly action: "pause" | "revoke" | undefined
  /** The task types that `action` is for; undefined: every one. */
  readonly tasks: ReadonlySet<string> | undefined
  /** Absent where nothing is said of it. */
  readonly place?: Place
}

export interface Policy {
  /** `sha-256:` + base64url, as the contract says, over every file read. */
  readonly digest: string
  /** Every file read, by its path in the folder (key files too): what the digest is over. */
  readonly files: ReadonlyMap<string, string>
  readonly identityProviders: ReadonlyMap<string, IdentityProvider>
  readonly apis: ReadonlyMap<string, Api>
  readonly agents: ReadonlyMap<string, Agent>
  readonly orchestrators: ReadonlyMap<string, Orchestrator>
  readonly users: ReadonlyMap<string, UserRule>
  readonly staff: ReadonlyMap<string, Staff>
  readonly tasks: ReadonlyMap<string, TaskType>
  /** By the names of rules; those of which nothing is said are not in it (`anomalyRuleOf`). */
  readonly anomalies: ReadonlyMap<string, AnomalyRule>
}
