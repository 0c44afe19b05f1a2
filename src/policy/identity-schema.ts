// What rules about identities of other issuers look like: whom a workload or a person has to be. It checks each rule by
// itself; whether a provider is known is resolve-identity.ts's, and whether a rule would admit a stranger is stranger.ts's.
import { z } from "zod"
import { isText } from "../token/claims.ts"
import { NAME } from "../token/name.ts"

const EXACT = "expected a text of 1 to 512 characters, compared exactly"
const exact = z.string().refine((value) => isText(value, 512) && value.trim() === value, EXACT)

const CLAIM = "expected a text (quote numbers), true, false, or members of the claim"
const leaf = z.union([exact, z.boolean()], CLAIM)
const claimName = z.string().regex(/^[\x21-\x7e]{1,128}$/, "expected the name of a claim")
const members = <Value extends z.ZodType>(value: Value) =>
  z.record(claimName, value).refine((object) => Object.keys(object).length > 0, "expected at least 1 member")
const claims = members(
  z.union([exact, z.boolean(), members(z.union([exact, z.boolean(), members(leaf)], CLAIM))], CLAIM),
).describe("Claims of its JWT and what they must be, compared exactly; members within members for objects")

const provider = z
  .string()
  .regex(NAME, "expected the name of an identity provider")
  .describe("A name in identity_providers")

export const workload = z
  .strictObject({ provider, subject: exact.describe("Its sub").optional(), claims: claims.optional() })
  .refine((rule) => rule.subject !== undefined || rule.claims !== undefined, "expected subject or claims")
  .describe("Authenticates with its platform's token, whose aud is this issuer")

export const openid = z.strictObject({ provider, claims }).describe("A person who signs in at the provider")

export type WorkloadDeclaration = z.output<typeof workload>
export type OpenIdDeclaration = z.output<typeof openid>
