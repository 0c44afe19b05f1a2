// The identity providers of the policy in force, at this issuer: what was discovered of them rests in the database, so that
// it stays over restarts and for all replicas, and a provider whose keys have moved is an alarm. Whose word counts for what
// is the policy's; what a JWT is worth is remote/identity-providers.ts's.
import { Duplicate, type Engine } from "../database/database.ts"
import { insertSetting, readSetting } from "../database/setting.ts"
import type { Ledger } from "../ledger/ledger.ts"
import type { Admit } from "../policy/admission.ts"
import type { PolicyFault } from "../policy/fault.ts"
import type { IdentityProvider, Policy } from "../policy/policy.ts"
import {
  createIdentityProviders,
  type IdentityProviders,
  type IdentityProvidersOptions,
} from "../remote/identity-providers.ts"
import type { Clock } from "../time.ts"

export interface IdentitiesOptions {
  /** Our own name, which no provider may have. */
  readonly issuer: string
  readonly engine: Engine
  readonly ledger: Ledger
  readonly clock: Clock
  readonly plainHttp: boolean
  readonly onFault: (error: unknown) => void
}

export interface Identities extends Pick<IdentityProviders, "verify"> {
  /** What is wrong with the providers of a policy that is not in force yet. */
  readonly admit: Admit
  /** Whether the policy names a provider by whose keys nobody can be judged now. */
  away(policy: Policy): boolean
}

export function createIdentities(options: IdentitiesOptions): Identities {
  const { issuer, engine, ledger, clock, plainHttp, onFault } = options
  const moved = (of: string) => {
    const body = { alarm: "identity_provider_moved", issuer: of }
    ledger.append([{ kind: "alarm.raised", at: ledger.at(), body }]).catch(onFault)
  }
  const providers = createIdentityProviders({ clock, pins: pinsIn(engine), moved, onFault, plainHttp })
  const faultOf = async (provider: IdentityProvider): Promise<PolicyFault[]> => {
    const { place } = provider
    if (provider.issuer === issuer) return [{ place, message: "expected another issuer than this one" }]
    // It may be disabled because it is gone.
    if (!provider.enabled) return []
    const wrong = await providers.admit(provider)
    if (wrong === undefined) return []
    const hint = "jwks or jwks_uri say where its keys are; private_addresses allows a private network"
    return [{ place, message: `expected an identity provider whose keys can be found: ${wrong}`, hint }]
  }
  return {
    verify: providers.verify,
    away: ({ identityProviders }) =>
      [...identityProviders.values()].some((one) => one.enabled && providers.isAway(one)),
    admit: async ({ identityProviders }) =>
      (await Promise.all([...identityProviders.values()].map(faultOf))).flat(),
  }
}

/** One row for each issuer, written once: of two replicas that find it out, one is first. */
function pinsIn(engine: Engine): IdentityProvidersOptions["pins"] {
  const keyOf = (issuer: string) => `identity_provider:${issuer}`
  const read = async (issuer: string) => (await engine.query(readSetting, { key: keyOf(issuer) }))[0]?.value
  return {
    read,
    async keep(issuer, jwksUri) {
      const standing = await read(issuer)
      if (standing !== undefined) return standing
      try {
        await engine.atomically([
          { statement: insertSetting, values: { key: keyOf(issuer), value: jwksUri }, rows: 1 },
        ])
        return jwksUri
      } catch (error) {
        if (!(error instanceof Duplicate)) throw error
        return (await read(issuer)) ?? jwksUri
      }
    },
  }
}
