// L18 One list of requests at every framework, behind the sidecar and as calls of an MCP server's tool: the same decisions,
// in the same words, with the same records. Where routers differ, before the guard, is in test/guard/router.contract.ts.
import { expect, test } from "vitest"
import { newId } from "../../src/token/id.ts"
import { signProof } from "../../src/token/proof.ts"
import { generatePrivateJwk, importSigningKey } from "../../src/token/signature.ts"
import { bearer, grantsFor, type HostedApi, openHost } from "../support/hosted-api.ts"
import { HOSTS } from "../support/hosts.ts"
import { API } from "../support/issuer-stub.ts"
import { asHosted, openMcp } from "../support/mcp-host.ts"
import { sidecar } from "../support/sidecar-host.ts"

const key = importSigningKey(generatePrivateJwk("ES256"))
const stranger = importSigningKey(generatePrivateJwk("ES256"))
const OTHER = "https://other.example"

type Mint = HostedApi["mint"]
/** What a proof is for, at that host. */
interface Place {
  readonly method: string
  readonly url: string
}
interface Case {
  readonly line?: string
  /** `mint` knows the host's issuer and clock; all its tokens are of one task. */
  readonly headers: (mint: Mint, now: number, place: Place) => readonly string[]
}
const tokenOf = (changes: (now: number) => Parameters<Mint>[0], by?: Parameters<Mint>[1]): Case => ({
  headers: (mint, now) => [bearer(mint(changes(now), by))],
})
const edited = (edit: (token: string) => string): Case => ({
  headers: (mint) => [bearer(edit(mint()))],
})
const headers = (...given: string[]): Case => ({ headers: () => given })
const proven = (changes: (now: number) => object, scheme = "DPoP", by = key): Case => ({
  headers: (mint, now, place) => {
    const token = mint({ jkt: key.thumbprint })
    const input = { ...place, accessToken: token, now, ...changes(now) }
    return [`Authorization: ${scheme} ${token}`, `DPoP: ${signProof(input, by)}`]
  },
})

const CASES: Readonly<Record<string, Case>> = {
  "a good token": tokenOf(() => ({})),
  "a good token, with a query": { ...tokenOf(() => ({})), line: "GET /tickets/42?x=1" },
  "another ticket": { ...tokenOf(() => ({})), line: "GET /tickets/43" },
  "every ticket": tokenOf(() => ({ grants: [{ ...grantOf(API), resources: [["tickets", "*"]] }] })),
  "every ticket, and what is no data": {
    ...tokenOf(() => ({ grants: [{ ...grantOf(API), resources: [["tickets", "*"]] }] })),
    line: "GET /tickets/42%20",
  },
  "another operation": tokenOf(() => ({ grants: grantsFor(API, ["tickets:close"]) })),
  "another API's": tokenOf(() => ({ aud: OTHER, grants: grantsFor(OTHER, ["other:read"]) })),
  "another issuer's": tokenOf(() => ({ iss: "https://login.example" })),
  "one that ended": tokenOf((now) => ({ iat: now - 600, exp: now - 6 })),
  "one that ends now": tokenOf((now) => ({ iat: now - 600, exp: now - 5 })),
  "one of the future": tokenOf((now) => ({ iat: now + 6, exp: now + 60 })),
  "one of the allowed skew": tokenOf((now) => ({ iat: now + 5, exp: now + 60 })),
  "another key's": tokenOf(() => ({}), stranger),
  "without its last character": edited((token) => token.slice(0, -1)),
  "with one more": edited((token) => `${token}A`),
  padded: edited((token) => `${token}=`),
  "without signature": edited((token) => token.replace(/[^.]*$/, "")),
  "of two parts": edited((token) => token.replace(/\.[^.]*$/, "")),
  "with another header": edited((token) => `eyJhbGciOiJub25lIn0${token.slice(token.indexOf("."))}`),
  "in lower case": edited((token) => token.toLowerCase()),
  "too long": edited((token) => token + "A".repeat(6145)),
  nothing: headers(),
  junk: headers(bearer("junk")),
  Basic: headers("Authorization: Basic dGhlaXJz"),
  "an empty one": headers("Authorization: Bearer "),
  "no token behind the scheme": headers("Authorization: Bearer"),
  "another scheme": headers("Authorization: Negotiate x"),
  "two of them": { headers: (mint) => [bearer(mint()), bearer(mint())] },
  "one and another of another kind": { headers: (mint) => [bearer(mint()), "Authorization: Basic x"] },
  "a list": { headers: (mint) => [`${bearer(mint())}, Bearer x`] },
  "one in the query": { ...tokenOf(() => ({})), line: "GET /tickets/42?access_token=x" },
  "one in a cookie": { headers: (mint) => [`Cookie: access_token=${mint()}`] },
  "the scheme in capitals": { headers: (mint) => [`AUTHORIZATION: BEARER ${mint()}`] },
  "DPoP for an unbound one": { headers: (mint) => [`Authorization: DPoP ${mint()}`] },
  "a proof": proven(() => ({})),
  "a proof as Bearer": proven(() => ({}), "Bearer"),
  "another key's proof": proven(() => ({}), "DPoP", stranger),
  "a proof of another method": proven(() => ({ method: "PUT" })),
  "a proof of another address": proven(() => ({ url: `${OTHER}/tickets/42` })),
  "an old proof": proven((now) => ({ now: now - 61 })),
  "a proof ahead": proven((now) => ({ now: now + 11 })),
  "a proof of another token": proven(() => ({ accessToken: "x" })),
  "no proof": { headers: (mint) => [`Authorization: DPoP ${mint({ jkt: key.thumbprint })}`] },
  "two proofs": {
    headers: (mint) => [`Authorization: DPoP ${mint({ jkt: key.thumbprint })}`, "DPoP: x", "DPoP: y"],
  },
}

function grantOf(api: string) {
  const [grant] = grantsFor(api, ["tickets:read"])
  if (!grant) throw new Error("one grant")
  return grant
}

const LINE = "GET /tickets/42"
const mcp = {
  name: "mcp",
  place: { method: "POST", url: `${API}/mcp` },
  open: async () => asHosted(await openMcp()),
}
const PLACES = [
  ...[...HOSTS, sidecar].map((host) => ({
    name: host.name,
    place: { method: "GET", url: `${API}/tickets/42` },
    open: () => openHost(host),
  })),
  mcp,
]

/** What a host makes of each case: its answer, and what its verifier has told the issuer. */
async function decideAll({ open, place }: (typeof PLACES)[number]) {
  const api = await open()
  const answers = new Map<string, { task: string; said: readonly unknown[] }>()
  for (const [name, { line = LINE, headers: headersOf }] of Object.entries(CASES)) {
    const task = newId("task")
    const mint: Mint = (changes, by) => api.mint({ txn: task, ...changes }, by)
    const { status, header, json } = await api.send(line, ...headersOf(mint, api.seconds(), place))
    const named = ["content-type", "www-authenticate", "cache-control", "vary", "retry-after"].map(header)
    const { code } = json() as { code?: string }
    answers.set(name, { task, said: status < 300 ? ["passed", ...named.slice(2)] : [status, code, ...named] })
  }
  await api.verifier.flush()
  const uses = api.stub.uses()
  const handled = api.seen.handled.map(({ use }) => use.task)
  await api.close()
  return Object.fromEntries(
    [...answers].map(([name, { task, said }]) => {
      const records = uses
        .filter((use) => use.task === task)
        .map(({ decision, code, operation, resource, actor, client, api: at, status, count }) => ({
          ...{ decision, code, operation, resource, actor, client, at, count },
          status: decision === "refused" ? status : undefined,
        }))
      return [name, { said, records, ran: handled.filter((one) => one === task).length }]
    }),
  )
}

test("L18 every host says and records the same of each, and runs its handler for the same", async () => {
  const [first, ...others] = PLACES
  if (!first) throw new Error("no host")
  const expected = await decideAll(first)
  const passed = Object.entries(expected).flatMap(([name, { said }]) => (said[0] === "passed" ? [name] : []))
  expect(passed).toEqual([
    "a good token",
    "a good token, with a query",
    "every ticket",
    "one that ends now",
    "one of the allowed skew",
    "the scheme in capitals",
    "a proof",
  ])
  for (const [name, { records, ran }] of Object.entries(expected))
    expect([name, ran, records.filter(({ decision }) => decision === "allowed").length]).toEqual([
      name,
      passed.includes(name) ? 1 : 0,
      passed.includes(name) ? 1 : 0,
    ])
  for (const one of others) expect({ [one.name]: await decideAll(one) }).toEqual({ [one.name]: expected })
}, 120_000)
