// Identity providers, and the ways in which callers of a policy prove who they are, into the policy's own: every provider
// that a rule names is known, every key set is whole, and no rule would let in a stranger.
import { isIP } from "node:net"
import { mayBeAsked } from "../remote/outward.ts"
import { readForeignKeySet } from "../token/foreign-key.ts"
import { KeyFault } from "../token/signature.ts"
import type { PolicyFault } from "./fault.ts"
import type { OpenIdDeclaration, WorkloadDeclaration } from "./identity-schema.ts"
import type { Declared, Sections } from "./merge.ts"
import { suggest } from "./nearest.ts"
import type { IdentityProvider, OpenIdRule, Place, WorkloadRule } from "./policy.ts"
import { quote } from "./quote.ts"
import { resourceIdentity, resourceUrlFault } from "./resource-url.ts"
import type { IdentityProviderRule } from "./schema.ts"
import { strangerFaults } from "./stranger.ts"

type KeyFile = { readonly content: unknown } | { readonly fault: string }

/** What resolve.ts resolves with, as far as it is needed here. */
interface Resolving {
  readonly options: { readonly allowPlainHttp?: boolean }
  readonly faults: PolicyFault[]
  readonly keyFiles: ReadonlyMap<string, KeyFile>
}

export function resolveProviders(
  { identityProviders }: Sections,
  to: Resolving,
): ReadonlyMap<string, IdentityProvider> {
  const issuers = new Map<string, string>()
  const resolved = [...identityProviders].map(([name, declared]): [string, IdentityProvider] => {
    const { rule, place } = declared
    checkIssuer(declared, issuers, to)
    checkKeysAt(declared, to)
    const jwks = resolveProviderKeys(declared, to)
    const provider: IdentityProvider = {
      name,
      issuer: rule.issuer,
      ...(jwks !== undefined && { jwks }),
      ...(rule.jwks_uri !== undefined && { jwksUri: rule.jwks_uri }),
      privateAddresses: rule.private_addresses,
      audience: rule.audience,
      nameClaim: rule.name_claim,
      enabled: rule.enabled,
      place,
    }
    return [name, provider]
  })
  return new Map(resolved)
}

type Provider = Declared<IdentityProviderRule>

function checkIssuer(declared: Provider, issuers: Map<string, string>, to: Resolving): void {
  const { issuer } = declared.rule
  const place = declared.at("issuer")
  const fault = resourceUrlFault(issuer, to.options.allowPlainHttp ?? false)
  if (fault !== undefined) {
    to.faults.push({ place, message: `${fault}, found ${quote(issuer)}` })
    return
  }
  const identity = resourceIdentity(issuer).toLowerCase()
  const other = issuers.get(identity)
  issuers.set(identity, declared.name)
  if (other === undefined) return
  const message = `expected each issuer once, found that of "${other}"`
  to.faults.push({ place, message, hint: "callers, users and staff can name the same provider" })
}

/** Where keys are asked for, as far as that can be told without asking. */
function checkKeysAt(declared: Provider, to: Resolving): void {
  const { issuer, jwks, jwks_uri: address, private_addresses: isPrivate } = declared.rule
  if (jwks !== undefined && address !== undefined) {
    const message = "expected jwks or jwks_uri, found both"
    to.faults.push({ place: declared.keyAt("jwks_uri"), message, hint: "keys in jwks are never asked for" })
    return
  }
  if (jwks !== undefined) return
  const place = declared.at(address === undefined ? "issuer" : "jwks_uri")
  const text = address ?? issuer
  if (address !== undefined) {
    const fault = resourceUrlFault(address, to.options.allowPlainHttp ?? false)
    if (fault !== undefined) {
      to.faults.push({ place, message: `${fault}, found ${quote(address)}` })
      return
    }
  }
  const host = URL.canParse(text) ? new URL(text).hostname.replace(/^\[|\]$/g, "") : ""
  const literal = host === "localhost" ? "127.0.0.1" : host
  if (isIP(literal) === 0 || mayBeAsked(literal, isPrivate)) return
  const hint = mayBeAsked(literal, true) ? "private_addresses: true allows it" : "give its keys as jwks"
  to.faults.push({ place, message: `expected a public address, found ${host}`, hint })
}

function resolveProviderKeys(declared: Provider, to: Resolving): object | undefined {
  const { jwks } = declared.rule
  if (jwks === undefined) return undefined
  const place = declared.at("jwks")
  const file: KeyFile | undefined = typeof jwks === "string" ? to.keyFiles.get(jwks) : { content: jwks }
  if (!file || "fault" in file) {
    const message = `${file?.fault ?? "expected a key file, found none"} (${String(jwks)})`
    to.faults.push({ place, message })
    return undefined
  }
  const { content } = file
  const set = readForeignKeySet(content)
  if (!(set instanceof KeyFault)) return typeof content === "object" && content !== null ? content : undefined
  const expected = "expected a key set with at least one public key for RS256, PS256, ES256 or EdDSA"
  to.faults.push({ place, message: `${expected}: ${KEY_FAULTS[set.tag] ?? "it can't be read"}` })
  return undefined
}

const KEY_FAULTS: Readonly<Partial<Record<KeyFault["tag"], string>>> = {
  format: "it is not a JWK set",
  private: "it holds a private or symmetric key",
  algorithm: "it holds none that can be used (RSA needs 2048 bits, and every key a kid)",
  kid_duplicate: "a kid is used twice",
  size: "it holds more than 64 keys",
}

interface Ways {
  readonly workload?: WorkloadDeclaration | undefined
  readonly openid?: OpenIdDeclaration | undefined
}
type Named = Declared<{ readonly authenticate?: readonly Ways[] | undefined }>
type Providers = ReadonlyMap<string, IdentityProvider>

/** The workloads that may be this caller. */
export function resolveWorkloads(
  declared: Named,
  to: Resolving & { readonly providers: Providers },
): readonly WorkloadRule[] {
  return (declared.rule.authenticate ?? []).flatMap(({ workload }, index) => {
    if (!workload) return []
    const at = (...path: string[]) => declared.at("authenticate", index, "workload", ...path)
    const provider = knownProvider(workload.provider, at("provider"), to)
    if (!provider) return []
    const { subject, claims } = workload
    const rule = { ...(subject !== undefined && { subject }), ...(claims && { claims }) }
    for (const { path, message, hint } of strangerFaults(provider.issuer, rule))
      to.faults.push({ place: at(...path), message, hint })
    return [{ provider: provider.name, ...rule }]
  })
}

/** The people who may be this caller. */
export function resolveOpenIds(
  declared: Named,
  to: Resolving & { readonly providers: Providers },
): readonly OpenIdRule[] {
  return (declared.rule.authenticate ?? []).flatMap(({ openid }, index) => {
    if (!openid) return []
    const at = (...path: string[]) => declared.at("authenticate", index, "openid", ...path)
    return resolvePeople(openid, at, to)
  })
}

/** A rule about people of a provider, wherever it stands. */
export function resolvePeople(
  { provider: name, claims }: OpenIdDeclaration,
  at: (...path: string[]) => Place,
  to: Resolving & { readonly providers: Providers },
): readonly OpenIdRule[] {
  const provider = knownProvider(name, at("provider"), to)
  if (!provider) return []
  if (provider.audience === undefined) {
    const hint = `give "${provider.name}" the client id that it knows taskmint by, as audience`
    to.faults.push({ place: at("provider"), message: "expected a provider with an audience", hint })
  }
  const open = strangerFaults("", { claims })
  for (const { path, message, hint } of open) to.faults.push({ place: at(...path), message, hint })
  return [{ provider: provider.name, claims }]
}

function knownProvider(
  name: string,
  place: Place,
  to: Resolving & { readonly providers: Providers },
): IdentityProvider | undefined {
  const provider = to.providers.get(name)
  if (provider) return provider
  const hint = suggest(name, to.providers.keys())
  const message = `expected a known identity provider, found "${name}"`
  to.faults.push({ place, message, ...(hint !== undefined && { hint }) })
  return undefined
}
