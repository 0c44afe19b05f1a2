// Somebody else's issuer on loopback: discovery, keys and JWTs as a cluster, a forge or a cloud makes them. What it answers
// can be changed by the test at any time.
import { constants, createPrivateKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto"
import { createServer, type ServerResponse } from "node:http"

export interface ForeignSigner {
  readonly kid: string
  readonly alg: string
  readonly jwk: Record<string, unknown>
  readonly key: KeyObject
}

/** A key pair of theirs. RSA takes a moment: make one for a file. */
export function foreignSigner(kid: string, alg = "RS256", bits = 2048): ForeignSigner {
  const pair =
    alg === "ES256"
      ? generateKeyPairSync("ec", { namedCurve: "P-256" })
      : alg === "EdDSA"
        ? generateKeyPairSync("ed25519")
        : generateKeyPairSync("rsa", { modulusLength: bits })
  const key = createPrivateKey(pair.privateKey.export({ type: "pkcs8", format: "pem" }))
  return { kid, alg, jwk: { ...pair.publicKey.export({ format: "jwk" }), kid, alg, use: "sig" }, key }
}

const encode = (value: unknown) =>
  Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url")

function signatureOf({ alg, key }: ForeignSigner, input: Buffer): Buffer {
  if (alg === "ES256") return sign("sha256", input, { key, dsaEncoding: "ieee-p1363" })
  if (alg === "EdDSA") return sign(null, input, key)
  const pss = { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 }
  return sign("sha256", input, alg === "PS256" ? pss : key)
}

/** A JWT in compact form. A payload that is a text is signed as it is. */
export function foreignJwt(
  signer: ForeignSigner,
  payload: object | string,
  header: Readonly<Record<string, unknown>> = {},
): string {
  const head = { typ: "JWT", alg: signer.alg, kid: signer.kid, ...header }
  const input = `${encode(head)}.${encode(payload)}`
  return `${input}.${signatureOf(signer, Buffer.from(input)).toString("base64url")}`
}

type Answering = (response: ServerResponse) => void

export interface ForeignIssuer {
  readonly issuer: string
  /** Paths asked, in order. */
  readonly asked: string[]
  /** What is answered at a path from now on: JSON, or by a function. */
  answer(path: string, how: object | string | Answering): void
  /** Publishes these keys, and discovery that names them. */
  publish(...signers: readonly ForeignSigner[]): void
  /** Cuts every connection from now on, or no longer. */
  cut(away: boolean): void
  close(): Promise<void>
}

export const DISCOVERY = "/.well-known/openid-configuration"
export const KEYS = "/keys"

export async function startForeignIssuer(): Promise<ForeignIssuer> {
  const answers = new Map<string, object | string | Answering>()
  const asked: string[] = []
  let away = false
  const server = createServer((request, response) => {
    if (away) return void request.socket.destroy()
    asked.push(request.url ?? "")
    const how = answers.get(request.url ?? "")
    if (typeof how === "function") return void how(response)
    response.writeHead(how === undefined ? 404 : 200, { "content-type": "application/json" })
    response.end(typeof how === "string" ? how : JSON.stringify(how ?? {}))
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const address = server.address()
  const issuer = `http://127.0.0.1:${typeof address === "object" && address ? address.port : 0}`
  return {
    issuer,
    asked,
    answer: (path, how) => void answers.set(path, how),
    publish(...signers) {
      answers.set(DISCOVERY, { issuer, jwks_uri: `${issuer}${KEYS}` })
      answers.set(KEYS, { keys: signers.map((signer) => signer.jwk) })
    },
    cut: (now) => {
      away = now
    },
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}
