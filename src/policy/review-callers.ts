// What a reviewer says about callers: whom to write to, keys that two of them hold, workload rules that fit more than one
// workload. Rules that let strangers in are refused at load (stranger.ts).
import { KeyFault, readKeySet } from "../token/signature.ts"
import { caller, canAuthenticate } from "./callers.ts"
import type { Place, Policy, PrivateKeyJwt, WorkloadRule } from "./policy.ts"
import type { Reviewed, ReviewRule, Spot } from "./review-rule.ts"

interface Caller {
  readonly section: "apis" | "agents" | "orchestrators" | "staff"
  readonly name: string
  readonly owner?: string
  readonly authenticate: readonly PrivateKeyJwt[]
  readonly workloads: readonly WorkloadRule[]
  readonly enabled: boolean
  readonly place: Place
}

const callersOf = ({ apis, agents, orchestrators, staff }: Policy): Caller[] => [
  ...[...apis.values()].map((one) => ({ ...one, section: "apis" }) as const),
  ...[...agents.values()].map((one) => ({ ...one, section: "agents" }) as const),
  ...[...orchestrators.values()].map((one) => ({ ...one, section: "orchestrators" }) as const),
  ...[...staff.values()].map((one) => ({ ...one, section: "staff" }) as const),
]

/** An address, a link or a channel: something that a person can be reached at. */
const CONTACT = /^\S+@\S+\.\S+$|^https:\/\/\S+$|^[#@]\S+$/

function* unreachable({ policy, at }: Reviewed): Iterable<Spot> {
  for (const { section, name, owner, place } of callersOf(policy))
    if (owner !== undefined && !CONTACT.test(owner))
      yield {
        place: at(section, place.file, name, "owner"),
        message: `the owner of "${name}" is nobody to write to: ${JSON.stringify(owner)}`,
      }
}

function thumbprintsOf(caller: Caller): Set<string> {
  const sets = caller.authenticate.map(({ jwks }) => readKeySet(jwks))
  return new Set(
    sets.flatMap((set) => (set instanceof KeyFault ? [] : [...set.values()].map((key) => key.thumbprint))),
  )
}

function* sharedKeys({ policy, at }: Reviewed): Iterable<Spot> {
  const holders = new Map<string, string>()
  for (const caller of callersOf(policy)) {
    const shared = [...thumbprintsOf(caller)].map((one) => {
      const holder = holders.get(one)
      holders.set(one, holder ?? caller.name)
      return holder
    })
    const holder = shared.find((one) => one !== undefined)
    if (holder === undefined) continue
    const place = at(caller.section, caller.place.file, caller.name, "authenticate")
    yield { place, message: `"${caller.name}" and "${holder}" hold one key: each can call as the other` }
  }
}

/** Which of a workload rule's words fit more than one workload; undefined where none do. */
function breadthOf({ subject, claims = {} }: WorkloadRule): string | undefined {
  if (/^system:serviceaccount:[^:]+:default$/.test(subject ?? ""))
    return "every pod of the namespace without a service account of its own has this one"
  if (claims.ref_protected !== undefined && claims.ci_config_ref_uri === undefined)
    return "every job of every protected branch fits"
  if (claims.job_workflow_ref !== undefined && claims.workflow_ref === undefined)
    return "every workflow of the repository that calls this one fits"
  if (subject === undefined && claims.repository_id === undefined && claims.project_id === undefined)
    return "it names no subject: everybody with these claims fits"
  return undefined
}

function* broadWorkloads({ policy, at }: Reviewed): Iterable<Spot> {
  for (const { section, name, workloads, place } of callersOf(policy))
    for (const rule of workloads) {
      const breadth = breadthOf(rule)
      if (breadth === undefined) continue
      yield {
        place: at(section, place.file, name, "authenticate"),
        message: `the workload rule of "${name}" about "${rule.provider}" is broad: ${breadth}`,
      }
    }
}

export const CALLER_RULES: readonly ReviewRule[] = [
  {
    id: "shared-key",
    severity: "error",
    summary: "Two callers with one key, whom nobody can tell apart",
    fix: "make one for each with `taskmint credential new`",
    find: sharedKeys,
  },
  {
    id: "broad-workload",
    severity: "warning",
    summary: "A workload rule that names somebody, and more than one workload",
    fix: "name the subject, or the claim that only this workload has (docs/federation.md)",
    find: broadWorkloads,
  },
  {
    id: "caller-without-credential",
    severity: "warning",
    summary: "An orchestrator that no task can be started by, because it can't authenticate",
    fix: "give it `authenticate`, with a key or a workload rule",
    *find({ policy }) {
      for (const { name, place } of policy.orchestrators.values()) {
        const known = caller(policy, name)
        if (known && !canAuthenticate(known))
          yield { place, message: `the orchestrator "${name}" has no way to authenticate` }
      }
    },
  },
  {
    id: "owner-unreachable",
    severity: "note",
    summary: "An owner without an address, a link or a channel",
    fix: "write a mailing list, an https link or a #channel",
    find: unreachable,
  },
]
