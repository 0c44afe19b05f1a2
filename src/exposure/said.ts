// What a token that was found says of itself: which token of which task it would be. It decides what can be read, of one that
// was cut short too; whether it is true, the signature says where there is one and a key is to be had.

import type { JwtForm } from "../token/form.ts"
import { isId } from "../token/id.ts"
import { isJsonObject, type JsonValue } from "../token/json.ts"
import { decodePart, readJwt, readObject, Unreadable } from "../token/jwt.ts"
import { verifySignature } from "../token/signature.ts"
import type { KeyOf } from "../token/signed.ts"
import { MAX_TOKEN_BYTES, TASK_TOKEN_TYP } from "../token/token.ts"

/**
 * `genuine`: our signature. `forged`: another's, or what was signed was changed. `unchecked`: its key was not to be had.
 * `cut`: it is not whole, so it opens nothing and can't be checked.
 */
export type Standing = "genuine" | "forged" | "unchecked" | "cut"

/** Shapes are checked, so that all of it may be shown; nothing of it is the token. */
export interface Said {
  readonly standing: Standing
  readonly issuer?: string
  readonly jti?: string
  /** A caller's service token has none. */
  readonly task?: string
  readonly orchestrator?: string
  /** `triage-bot/pod-7f3c` */
  readonly holder?: string
  readonly audience?: string
  /** Epoch seconds. */
  readonly expires?: number
}

const SIGNATURE_LENGTH = 86
const RULES = { typ: [TASK_TOKEN_TYP], header: ["typ", "alg", "kid"], maxLength: MAX_TOKEN_BYTES } as const

/** `keyOf` undefined: there are no keys to check with. */
export function readSaid({ header, payload = "", signature = "" }: JwtForm, keyOf?: KeyOf): Said {
  // Behind its signature may stand other text without a space.
  const jwt =
    signature.length < SIGNATURE_LENGTH
      ? undefined
      : readJwt(`${header}.${payload}.${signature.slice(0, SIGNATURE_LENGTH)}`, RULES)
  const said = membersOf(payload)
  if (jwt === undefined) return { standing: "cut", ...said }
  if (jwt instanceof Unreadable) return { standing: "forged", ...said }
  const key = jwt.header.kid === undefined ? undefined : keyOf?.(jwt.header.kid)
  if (!key) return { standing: "unchecked", ...said }
  const ours = key.alg === jwt.header.alg && verifySignature(key, jwt.signingInput, jwt.signature)
  return { standing: ours ? "genuine" : "forged", ...said }
}

function membersOf(payload: string): Omit<Said, "standing"> {
  const bytes = decodePart(payload)
  const whole = bytes && readObject(bytes, MAX_TOKEN_BYTES)
  const of = whole && !(whole instanceof Unreadable) ? whole : membersBefore(payload)
  const { iss, jti, txn, client_id: client, aud, exp, act } = of
  const holder = isJsonObject(act) ? textOf(act.sub, 200) : undefined
  return {
    ...optional("issuer", textOf(iss, 512)),
    ...optional("jti", isId("tok", jti) ? jti : undefined),
    ...optional("task", isId("task", txn) ? txn : undefined),
    ...optional("orchestrator", textOf(client, 63)),
    ...optional("holder", holder),
    ...optional("audience", textOf(aud, 512)),
    ...optional("expires", typeof exp === "number" && Math.abs(exp) < 8e12 ? exp : undefined),
  }
}

const optional = <N extends string, V>(name: N, value: V | undefined) =>
  (value === undefined ? {} : { [name]: value }) as { readonly [K in N]?: V }

const textOf = (value: JsonValue | undefined, most: number): string | undefined =>
  typeof value === "string" && value.length <= most ? value : undefined

/** Of a payload that was cut: its members as we write them, as far as they are whole. */
function membersBefore(payload: string): Readonly<Record<string, JsonValue>> {
  const text = Buffer.from(payload, "base64url").toString("utf8").slice(0, MAX_TOKEN_BYTES)
  const [, holder] = /"act":\{"sub":"([^"\\]{1,200})"/.exec(text) ?? []
  const texts = [...text.matchAll(/"(iss|aud|jti|client_id|txn)":"([^"\\]{1,512})"/g)]
  const [, exp] = /"exp":(\d{1,12}),/.exec(text) ?? []
  return {
    ...Object.fromEntries(texts.map(([, name = "", value = ""]) => [name, value])),
    ...(holder !== undefined && { act: { sub: holder } }),
    ...(exp !== undefined && { exp: Number(exp) }),
  }
}
