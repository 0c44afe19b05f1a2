// Whether a rule about a workload would let in somebody whom nobody meant: each platform has names that anyone can take,
// and ids that nobody can. It decides on the rule's text alone, at load, and never asks the network.
import type { ClaimRules, IdentityRule } from "../token/identity.ts"

/** What is wrong with a rule: where below it, what was expected, and what to do. */
export interface StrangerFault {
  readonly path: readonly string[]
  readonly message: string
  readonly hint: string
}

/** Everything that would let strangers in; empty where the rule names one workload. */
export function strangerFaults(issuer: string, rule: IdentityRule): readonly StrangerFault[] {
  const open = [...openTexts(rule), ...reservedClaims(rule.claims ?? {})]
  if (open.length > 0) return open
  const platform = PLATFORMS.find((one) => one.is(issuer, rule))
  return platform ? platform.faults(rule) : anyIssuer(rule)
}

const NO_PATTERNS = "values are compared exactly, there are no patterns"

function openTexts({ subject, claims = {} }: IdentityRule): StrangerFault[] {
  const named = subject === undefined ? [] : [{ path: ["subject"], text: subject }]
  return [...named, ...textsOf(claims, ["claims"])]
    .filter(({ text }) => text.includes("*"))
    .map(({ path, text }) => ({
      path,
      message: `expected an exact value, found "${text}"`,
      hint: NO_PATTERNS,
    }))
}

const textsOf = (claims: ClaimRules, path: readonly string[]): { path: string[]; text: string }[] =>
  Object.entries(claims).flatMap(([name, value]) => {
    if (typeof value === "object") return textsOf(value, [...path, name])
    return typeof value === "string" ? [{ path: [...path, name], text: value }] : []
  })

/** What is checked of every JWT anyway, or written elsewhere. */
const RESERVED: ReadonlyMap<string, string> = new Map([
  ["sub", "write it as subject"],
  ["iss", "the provider says it"],
  ["aud", "it is always this issuer"],
  ["exp", "it is always checked"],
  ["iat", "it is always checked"],
  ["nbf", "it is always checked"],
  ["jti", "no two have the same"],
])

const reservedClaims = (claims: ClaimRules): StrangerFault[] =>
  Object.keys(claims).flatMap((name) => {
    const hint = RESERVED.get(name)
    return hint === undefined
      ? []
      : [{ path: ["claims", name], message: `expected no rule about "${name}"`, hint }]
  })

interface Platform {
  readonly is: (issuer: string, rule: IdentityRule) => boolean
  readonly faults: (rule: IdentityRule) => readonly StrangerFault[]
}

const hostOf = (issuer: string): string => (URL.canParse(issuer) ? new URL(issuer).hostname : "")
const starts = ({ subject }: IdentityRule, text: string) => subject?.startsWith(text) ?? false

const GITHUB_HOST = /^token\.actions\.(githubusercontent|[a-z0-9-]+\.ghe)\.com$/
const CLUSTER_HOST =
  /^(kubernetes\.default(\.svc.*)?|oidc(-eks)?\.eks\..*|container\.googleapis\.com|.*\.oic\.(prod-)?aks\.azure\.com)$/
/** Its own hosts may have any name: then it is known by claims that no other issuer has. */
const GITLAB_CLAIMS = ["project_path", "namespace_id", "namespace_path", "ci_config_ref_uri", "ref_protected"]

const PLATFORMS: readonly Platform[] = [
  { is: (issuer) => GITHUB_HOST.test(hostOf(issuer)) || /\/_services\/token$/.test(issuer), faults: github },
  { is: (_issuer, rule) => starts(rule, "spiffe:"), faults: spiffe },
  {
    is: (issuer, rule) => CLUSTER_HOST.test(hostOf(issuer)) || starts(rule, "system:serviceaccount"),
    faults: kubernetes,
  },
  { is: (issuer) => /\.tokens\.sts\.global\.api\.aws$/.test(hostOf(issuer)), faults: aws },
  { is: (issuer) => hostOf(issuer) === "accounts.google.com", faults: google },
  {
    is: (issuer, { claims = {}, ...rule }) =>
      /(^|\.)gitlab[.-]/.test(hostOf(issuer)) ||
      starts(rule, "project_path:") ||
      GITLAB_CLAIMS.some((name) => name in claims),
    faults: gitlab,
  },
]

const ID = /^[0-9]{1,20}$/
const WORKFLOW =
  /^[\w.-]+\/[\w.-]+\/\.github\/workflows\/[^@\s]+@(refs\/(heads|tags)\/[^\s]+|[0-9a-f]{40}|[0-9a-f]{64})$/
const NAMES_CHANGE_HANDS = "a name can be given to somebody else, an id can't"

function github({ claims = {} }: IdentityRule): StrangerFault[] {
  const workflows = ["workflow_ref", "job_workflow_ref"].filter((name) => name in claims)
  const missing =
    workflows.length > 0
      ? []
      : [
          {
            path: ["claims"],
            message: 'expected "workflow_ref" or "job_workflow_ref" in claims, found neither',
            hint: "whoever may push to any branch can run a workflow of their own",
          },
        ]
  const form = "owner/repository/.github/workflows/file.yml@refs/heads/branch (or refs/tags, or a commit)"
  return [
    ...ids(claims, ["repository_id", "repository_owner_id"]),
    ...missing,
    ...workflows.flatMap((name) =>
      WORKFLOW.test(String(claims[name]))
        ? []
        : [
            {
              path: ["claims", name],
              message: `expected ${form}`,
              hint: "whoever opens a pull request chooses what runs",
            },
          ],
    ),
  ]
}

const ids = (claims: ClaimRules, names: readonly string[]): StrangerFault[] =>
  names
    .filter((name) => !ID.test(String(claims[name] ?? "")) || typeof claims[name] !== "string")
    .map((name) => ({
      path: name in claims ? ["claims", name] : ["claims"],
      message:
        name in claims
          ? `expected "${name}" to be a number in quotes`
          : `expected "${name}" in claims, found none`,
      hint: NAMES_CHANGE_HANDS,
    }))

function gitlab({ claims = {} }: IdentityRule): StrangerFault[] {
  const refs = ["ref_protected", "ci_config_ref_uri", "environment", "ref_path"]
  const missing = {
    path: ["claims"],
    message: `expected one of ${refs.join(", ")} in claims, found none`,
    hint: "whoever may push to any branch can run a job of their own",
  }
  const pinned = refs.some((name) => name in claims && claims[name] !== "false" && claims[name] !== false)
  return [...ids(claims, ["project_id", "namespace_id"]), ...(pinned ? [] : [missing])]
}

const LABEL = "[a-z0-9]([a-z0-9.-]*[a-z0-9])?"
const ACCOUNT = new RegExp(`^system:serviceaccount:${LABEL}:${LABEL}$`)
function kubernetes(rule: IdentityRule): StrangerFault[] {
  return subjectLike(
    rule,
    ACCOUNT,
    "system:serviceaccount:namespace:name",
    "every workload of a cluster has a token of it",
  )
}

const SPIFFE = /^spiffe:\/\/[a-z0-9._-]{1,255}(\/(?!\.{1,2}(\/|$))[A-Za-z0-9._-]+)+$/
function spiffe(rule: IdentityRule): StrangerFault[] {
  return subjectLike(
    rule,
    SPIFFE,
    "spiffe://trust-domain/path, whole",
    "every workload of a trust domain has an SVID",
  )
}

const ROLE = /^arn:aws[a-z-]*:iam::[0-9]{12}:(role|user)\/[\w+=,.@/-]+$/
function aws(rule: IdentityRule): StrangerFault[] {
  return subjectLike(
    rule,
    ROLE,
    "arn:aws:iam::123456789012:role/name",
    "every role of an account has tokens of its issuer",
  )
}

function google(rule: IdentityRule): StrangerFault[] {
  return subjectLike(
    rule,
    /^[0-9]{6,30}$/,
    "the account's unique id, in digits",
    `anyone has tokens of Google; ${NAMES_CHANGE_HANDS}`,
  )
}

function subjectLike(
  { subject }: IdentityRule,
  form: RegExp,
  spelled: string,
  hint: string,
): StrangerFault[] {
  if (subject === undefined) return [{ path: [], message: `expected a subject: ${spelled}`, hint }]
  if (form.test(subject)) return []
  return [{ path: ["subject"], message: `expected ${spelled}, found "${subject}"`, hint }]
}

/** Of an issuer that is not known here: something that names somebody, not only something that is true of many. */
function anyIssuer({ subject, claims = {} }: IdentityRule): StrangerFault[] {
  if (subject !== undefined || textsOf(claims, []).length > 0) return []
  const hint = "give its subject, or a claim that is an id"
  return [{ path: ["claims"], message: "expected a rule that names somebody", hint }]
}
