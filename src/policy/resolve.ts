// APIs, agents, orchestrators and staff of merged files into the policy's own: every name they use leads somewhere, every
// key set is whole. Tasks are resolve-task.ts's.
import { type JsonWebKeySet, KeyFault, readKeySet } from "../token/signature.ts"
import { EXAMPLE_THUMBPRINTS } from "./example-keys.ts"
import type { PolicyFault } from "./fault.ts"
import type { Declared, Section, Sections } from "./merge.ts"
import { suggest } from "./nearest.ts"
import type { Agent, Api, IdentityProvider, Orchestrator, Place, PrivateKeyJwt, Staff } from "./policy.ts"
import { quote } from "./quote.ts"
import { resolveOpenIds, resolveWorkloads } from "./resolve-identity.ts"
import { resourceIdentity, resourceUrlFault } from "./resource-url.ts"
import type { ApiRule, KeySetRule } from "./schema.ts"

export interface LoadOptions {
  /** For one machine: example keys, group-writable files and approvers with a key are let through. Default false. */
  readonly dev?: boolean
  /** Resource URLs may be plain http beyond loopback. Default false. */
  readonly allowPlainHttp?: boolean
}

/** What resolving needs besides the sections. Faults are gathered, so that one load tells them all. */
export interface Resolving {
  readonly options: LoadOptions
  readonly faults: PolicyFault[]
  /** What stands in the files that `jwks` paths name. */
  readonly keyFiles: ReadonlyMap<string, KeyFile>
  readonly providers: ReadonlyMap<string, IdentityProvider>
}

/** A key file as read: its JSON, or what was expected of it. */
export type KeyFile = { readonly content: unknown } | { readonly fault: string }

type AuthenticateRule =
  | readonly { readonly private_key_jwt?: { readonly jwks: KeySetRule } | undefined }[]
  | undefined

export function resolveApis(apis: Section<ApiRule>, to: Resolving): ReadonlyMap<string, Api> {
  const resources = new Map<string, string>()
  return mapSection(apis, (declared): Api => {
    const { name, rule, place } = declared
    checkResource(declared, resources, to)
    checkOperations(declared, to)
    if (rule.openid && !rule.foreign) {
      const message = "expected foreign: true beside openid: true"
      const hint = "taskmint's own verifier is told whom a task runs for"
      to.faults.push({ place: declared.at("openid"), message, hint })
    }
    const operations = new Map(Object.entries(rule.operations))
    const authenticate = resolveKeys(declared, to)
    return {
      name,
      resource: rule.resource,
      owner: rule.owner,
      authenticate,
      workloads: resolveWorkloads(declared, to),
      operations,
      foreign: rule.foreign,
      openid: rule.openid,
      enabled: rule.enabled,
      place,
    }
  })
}

function checkResource(declared: Declared<ApiRule>, resources: Map<string, string>, to: Resolving): void {
  const { resource } = declared.rule
  const place = declared.at("resource")
  const fault = resourceUrlFault(resource, to.options.allowPlainHttp ?? false)
  if (fault !== undefined) {
    to.faults.push({ place, message: `${fault}, found ${quote(resource)}` })
    return
  }
  const other = resources.get(resourceIdentity(resource))
  resources.set(resourceIdentity(resource), declared.name)
  if (other !== undefined) {
    to.faults.push({ place, message: `expected a resource of its own, found that of the API "${other}"` })
  }
}

function checkOperations(declared: Declared<ApiRule>, to: Resolving): void {
  const spelled = new Map<string, string>()
  for (const operation of Object.keys(declared.rule.operations)) {
    const place = declared.keyAt("operations", operation)
    const word = operation.slice(operation.indexOf(":") + 1)
    if (operation !== `${declared.name}:${word}`) {
      const message = `expected the operation to begin with "${declared.name}:", found "${operation}"`
      to.faults.push({ place, message, hint: `write ${declared.name}:${word}` })
    }
    const other = spelled.get(operation.toLowerCase())
    spelled.set(operation.toLowerCase(), operation)
    if (other !== undefined) {
      to.faults.push({
        place,
        message: `expected operations that differ by more than case, found "${other}" and "${operation}"`,
      })
    }
  }
}

export function resolveAgents(sections: Sections, to: Resolving): ReadonlyMap<string, Agent> {
  const known = new Set([...sections.apis.values()].flatMap((api) => Object.keys(api.rule.operations)))
  return mapSection(sections.agents, (declared): Agent => {
    const { name, rule, place } = declared
    for (const [index, operation] of (rule.at_most ?? []).entries()) {
      checkKnown(operation, known, "operation", declared.at("at_most", index), to)
    }
    const atMost = rule.at_most && new Set(rule.at_most)
    const ways = { authenticate: resolveKeys(declared, to), workloads: resolveWorkloads(declared, to) }
    return { name, owner: rule.owner, atMost, ...ways, enabled: rule.enabled, place }
  })
}

export function resolveOrchestrators(sections: Sections, to: Resolving): ReadonlyMap<string, Orchestrator> {
  return mapSection(sections.orchestrators, (declared): Orchestrator => {
    const { name, rule, place } = declared
    const ways = { authenticate: resolveKeys(declared, to), workloads: resolveWorkloads(declared, to) }
    return { name, owner: rule.owner, ...ways, enabled: rule.enabled, place }
  })
}

export function resolveStaff(sections: Sections, to: Resolving): ReadonlyMap<string, Staff> {
  return mapSection(sections.staff, (declared): Staff => {
    const { name, rule, place } = declared
    const approver = rule.roles.indexOf("approver")
    const machine = rule.authenticate?.find((one) => one.openid === undefined)
    if (approver >= 0 && machine && !to.options.dev) {
      const what = machine.workload ? "workload" : "key"
      to.faults.push({
        place: declared.at("roles", approver),
        message: `expected no ${what} for an approver: approving needs a person`,
        hint: `only --dev lets a ${what} approve`,
      })
    }
    const ways = { authenticate: resolveKeys(declared, to), workloads: resolveWorkloads(declared, to) }
    const openid = resolveOpenIds(declared, to)
    return { name, roles: rule.roles, ...ways, openid, enabled: rule.enabled, place }
  })
}

/** Reports a name that leads nowhere, with the nearest that leads somewhere. */
export function checkKnown(
  name: string,
  known: ReadonlySet<string> | ReadonlyMap<string, unknown>,
  what: string,
  place: Place,
  to: Resolving,
): boolean {
  if (known.has(name)) return true
  const hint = suggest(name, known.keys())
  to.faults.push({
    place,
    message: `expected a known ${what}, found "${name}"`,
    ...(hint !== undefined && { hint }),
  })
  return false
}

function resolveKeys(
  declared: Declared<{ readonly authenticate?: AuthenticateRule }>,
  to: Resolving,
): readonly PrivateKeyJwt[] {
  return (declared.rule.authenticate ?? []).flatMap((one, index) => {
    if (!one.private_key_jwt) return []
    const { jwks } = one.private_key_jwt
    const place = declared.at("authenticate", index, "private_key_jwt", "jwks")
    const file: KeyFile | undefined = typeof jwks === "string" ? to.keyFiles.get(jwks) : { content: jwks }
    if (file && "content" in file) return readKeys(file.content, place, to)
    to.faults.push({
      place,
      message: `${file?.fault ?? "expected a key file, found none"} (${String(jwks)})`,
    })
    return []
  })
}

function readKeys(content: unknown, place: Place, to: Resolving): readonly PrivateKeyJwt[] {
  const set = readKeySet(content)
  if (set instanceof KeyFault) {
    to.faults.push({
      place,
      message: `expected a key set of public ES256 or Ed25519 keys: ${KEY_FAULTS[set.tag]}`,
    })
    return []
  }
  if (set.size === 0) to.faults.push({ place, message: "expected at least one key in the key set" })
  const keys = [...set.values()]
  if (!to.options.dev && keys.some((key) => EXAMPLE_THUMBPRINTS.has(key.thumbprint))) {
    const hint = "make one with `taskmint credential new`; only --dev lets it through"
    to.faults.push({
      place,
      message: "expected a key of your own, found an example key that taskmint ships",
      hint,
    })
  }
  const jwks: JsonWebKeySet = { keys: keys.map((key) => key.jwk) }
  return [{ jwks }]
}

const KEY_FAULTS: Readonly<Record<KeyFault["tag"], string>> = {
  format: "it is not a JWK set",
  private: "it holds a private key",
  algorithm: "a key has another algorithm",
  use: "a key is not for signatures",
  point: "a key's point is not on its curve",
  kid: "a kid is not 1 to 64 characters of A-Z, a-z, 0-9, _ and -",
  kid_duplicate: "a kid is used twice",
  size: "it holds more than 16 keys",
}

function mapSection<Rule, To>(
  section: Section<Rule>,
  resolve: (one: Declared<Rule>) => To,
): ReadonlyMap<string, To> {
  return new Map([...section].map(([name, declared]) => [name, resolve(declared)]))
}
