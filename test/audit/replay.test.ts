import { createPrivateKey, sign } from "node:crypto"
import { beforeAll, describe, expect, test, vi } from "vitest"
import { createReplay } from "../../src/audit/replay.ts"
import { type ReplayClaims, readReplay, signReplay, statementOf } from "../../src/audit/replay-certificate.ts"
import type { Entry } from "../../src/ledger/entry.ts"
import type { Policy } from "../../src/policy/policy.ts"
import { signJwt } from "../../src/token/jwt.ts"
import { generatePrivateJwk, importSigningKey } from "../../src/token/signature.ts"
import { crewPolicy } from "../support/crew.ts"
import { policyOf, shippedTexts } from "../support/policies.ts"
import { happen } from "../support/replayed.ts"
import { PEOPLE, USER_POLICY } from "../support/users.ts"

// Each policy is read by a thread of its own.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 })

const ALWAYS = "1970-01-01T00:00:00.000Z"
const NONE = { permitted: 0, less: 0, refused: 0, cannot_tell: 0 }
let entries: readonly Entry[]
beforeAll(async () => {
  entries = await happen(async (happened) => happened.entries)
})

const candidate = (...changes: readonly (readonly [string, string])[]): Promise<Policy> => {
  const support = changes.reduce((text, [from, to]) => {
    if (!text.includes(from)) throw new Error(`nothing to change: ${from}`)
    return text.replace(from, to)
  }, crewPolicy())
  return policyOf({ ...shippedTexts(), "support.yaml": support })
}

function replay(policy: Policy, from: readonly Entry[] = entries, since = ALWAYS) {
  const run = createReplay({ candidate: policy, from: since })
  for (const entry of from) run.take(entry)
  return run.report()
}

test("the policy that decided would decide so again: all starts, delegations and uses", async () => {
  const report = replay(await candidate())
  expect([report.starts, report.delegations, report.uses]).toEqual([
    { ...NONE, total: 2, permitted: 2 },
    { ...NONE, total: 1, permitted: 1 },
    { ...NONE, total: 4, permitted: 4 },
  ])
  expect([report.hits, report.entries, statementOf(report)]).toEqual([
    [],
    entries.length,
    "4 of 4 uses in the window permitted",
  ])
})

/** A change, what becomes of starts, delegations and uses in words, and whom it hits first. */
const CHANGES = [
  [
    "at_most: [tickets:read, tickets:comment, tickets:close]",
    "at_most: [tickets:read, tickets:close]",
    { starts: { less: 2 }, uses: { refused: 1 } },
    {
      what: "uses",
      operation: "tickets:comment",
      why: "insufficient_scope: the operation would not be granted",
    },
  ],
  [
    'resources: ["tickets/{ticket}", "tickets/{ticket}/comments"]',
    'resources: ["tickets/{ticket}/comments"]',
    { uses: { refused: 3 } },
    { what: "uses", operation: "tickets:read", why: "insufficient_scope: the resource would not be granted" },
  ],
  [
    'pattern: "[A-Z]{2,5}-[0-9]{1,9}"',
    'pattern: "SUP-[0-9]{1,9}"',
    { starts: { refused: 1 }, uses: { refused: 1 } },
    { what: "starts", why: "inputs_invalid: the inputs do not fit the task type" },
  ],
  [
    "agents: [triage-bot]",
    "agents: [checker]",
    { starts: { refused: 2 }, delegations: { refused: 1 }, uses: { refused: 4 } },
    { what: "uses", agent: "triage-bot" },
  ],
  [
    "summarizer: [tickets:read], checker",
    "checker",
    { delegations: { refused: 1 }, uses: { refused: 1 } },
    {
      what: "delegations",
      agent: "summarizer",
      why: "delegation_not_allowed: [to] the task type does not delegate to this agent",
    },
  ],
  [
    "    limits: { active_tasks: 50",
    "    proof_of_possession: required\n    limits: { active_tasks: 50",
    { starts: { refused: 1 }, uses: { refused: 1 } },
    { what: "starts", why: "key_required: it had no key, and proof of possession is required" },
  ],
  ["    deadline: 2h\n", "    deadline: 1s\n", { uses: { permitted: 4 } }, undefined],
  [
    "operations: [tickets:read, tickets:comment]\n",
    "operations: [tickets:read, tickets:comment]\n        approval: { by: [leads], valid: 15m }\n",
    { uses: { refused: 4 } },
    { what: "uses" },
  ],
] as const

test.each(CHANGES)("%s -> %s", async (from, to, counts, hit) => {
  const report = replay(await candidate([from, to]))
  expect(report).toMatchObject(counts)
  if (hit) expect(report.hits).toContainEqual(expect.objectContaining(hit))
  for (const what of ["starts", "delegations", "uses"] as const) {
    const { total, permitted, less, refused, cannot_tell: untold } = report[what]
    expect(permitted + less + refused + untold).toBe(total)
  }
})

test("a use past the candidate's deadline would have been refused", async () => {
  const late = entries.map((entry) =>
    entry.kind === "use.allowed"
      ? {
          ...entry,
          body: { ...entry.body, served_at: new Date(Date.parse(entry.at) + 3600_000).toISOString() },
        }
      : entry,
  )
  expect(replay(await candidate(), late).uses.refused).toBe(0)
  const report = replay(await candidate(["    deadline: 2h\n", "    deadline: 30m\n"]), late)
  expect([report.uses.refused, report.hits[0]?.why]).toEqual([
    4,
    "task_ended: the deadline would have passed",
  ])
})

describe("what can't be told is counted by itself", () => {
  const hmac = "A".repeat(43)
  const count = async (change: (entry: Entry) => Entry | []) =>
    replay(await candidate(), entries.flatMap(change))

  test("erased inputs", async () => {
    const report = await count((entry) =>
      entry.kind === "task.started" ? { ...entry, body: { ...entry.body, inputs: { hmac } } } : entry,
    )
    expect([report.starts.cannot_tell, report.delegations.cannot_tell, report.uses.cannot_tell]).toEqual([
      2, 1, 4,
    ])
    expect(report.hits[0]).toMatchObject({ verdict: "cannot_tell", why: "the inputs are erased" })
  })

  test("erased resources, unless the operation itself is gone", async () => {
    const erased = entries.map((entry) =>
      entry.kind === "use.allowed" ? { ...entry, resource: { hmac } } : entry,
    )
    expect(replay(await candidate(), erased).uses).toMatchObject({ cannot_tell: 4, permitted: 0 })
    const without = await candidate([
      "at_most: [tickets:read, tickets:comment, tickets:close]",
      "at_most: [tickets:read, tickets:close]",
    ])
    expect(replay(without, erased).uses).toMatchObject({ cannot_tell: 3, refused: 1 })
  })

  test("tasks that began before what was read", async () => {
    const report = await count((entry) => (entry.kind === "task.started" ? [] : entry))
    expect([report.delegations.cannot_tell, report.uses.cannot_tell]).toEqual([1, 4])
  })

  test("a user, where the rules are not known to be the same", async () => {
    const texts = { ...shippedTexts(), "users.yaml": USER_POLICY }
    const was = await policyOf(texts)
    const started: Entry = {
      seq: 1,
      at: "2026-01-01T00:00:00.000Z",
      kind: "task.started",
      task_id: "task_1",
      agent: "triage-bot",
      orchestrator: "support-orchestrator",
      sub: "people/ana",
      body: {
        type: "triage-for-user",
        policy: was.digest,
        user_rule: "support-staff",
        inputs: { ticket: "SUP-1" },
        grants: [{ operations: ["tickets:read"] }],
      },
    }
    const starts = (to: Policy, ...earlier: Policy[]) => {
      const run = createReplay({ candidate: to, earlier, from: ALWAYS })
      const policy = (earlier[0] ?? was).digest
      run.take({ ...started, body: { ...started.body, policy } })
      const { starts: counts, hits } = run.report()
      return [counts.permitted, counts.refused, counts.cannot_tell, hits[0]?.why]
    }
    const users = (from: string, to: string) =>
      policyOf({ ...texts, "users.yaml": USER_POLICY.replace(from, to) })
    expect(USER_POLICY).toContain(PEOPLE)
    expect(starts(was)).toEqual([1, 0, 0, undefined])
    const longer = await users("deadline: 2d", "deadline: 1d")
    expect(starts(longer)).toEqual([0, 0, 1, "the policy that let the user in is not given"])
    expect(starts(longer, was)).toEqual([1, 0, 0, undefined])
    const alone = await users("on_behalf_of: [leads, support-staff]", "on_behalf_of: [support-staff]")
    expect(starts(was, alone).slice(0, 3)).toEqual([0, 0, 1])
    const changed = "whom the rules about users name has changed"
    for (const [from, to] of [
      [PEOPLE, "https://login.elsewhere.example"],
      ["audience: taskmint", "audience: another"],
    ] as const)
      expect(starts(await users(from, to), was)).toEqual([0, 0, 1, changed])
    expect(starts(await users("groups: support }", "groups: others }"), was)).toEqual([0, 0, 1, changed])
    expect(starts(await users("groups: leads }", "groups: others }"), was)).toEqual([0, 0, 1, changed])
    const off = await users("name_claim: email", "name_claim: email, enabled: false")
    expect(starts(off, was).slice(0, 3)).toEqual([0, 1, 0])
    expect(starts(was, off).slice(0, 3)).toEqual([0, 0, 1])
    expect(starts(await users("[leads, support-staff]", "[support-staff, leads]"), was)).toEqual([
      1,
      0,
      0,
      undefined,
    ])
    expect(
      starts(await users("on_behalf_of: [leads, support-staff]", "on_behalf_of: [leads]"), was).slice(0, 3),
    ).toEqual([0, 1, 0])
  })
})

test("what was before the window makes tasks known, and is not counted", async () => {
  const began = entries
    .filter((entry) => entry.kind === "task.started")
    .map((entry) => ({ ...entry, at: "2000-01-01T00:00:00.000Z" }))
  const rest = entries.filter((entry) => entry.kind !== "task.started")
  const report = replay(
    await candidate(["    deadline: 2h\n", "    deadline: 7d\n"]),
    [...began, ...rest],
    "2001-01-01T00:00:00.000Z",
  )
  expect([report.starts.total, report.uses.total, report.entries]).toEqual([0, 4, rest.length])
})

describe("the certificate", () => {
  const jwk = generatePrivateJwk("ES256")
  const key = importSigningKey(jwk)
  const keys = { keys: [key.publicJwk] }
  const claims = async (): Promise<ReplayClaims> => {
    const { hits: _hits, ...result } = replay(await candidate())
    return {
      iss: "audit-team",
      iat: 1,
      policy: "sha-256:x",
      ledger: "f",
      from: ALWAYS,
      to: ALWAYS,
      statement: "4 of 4",
      result,
    }
  }

  test("is read back by its signer's public key alone", async () => {
    const text = signReplay(await claims(), key)
    expect(readReplay(text, keys)).toEqual(await claims())
    const other = importSigningKey({ ...generatePrivateJwk("ES256"), kid: key.kid })
    expect(readReplay(text, { keys: [other.publicJwk] })).toBe("its signature does not hold")
    expect(readReplay(text, { keys: [] })).toBe("none of the keys has signed it")
    expect(readReplay(text, {})).toBe("the keys are no set of public keys")
  })

  test("is no other token of that key, nor of a header that the key is not for", async () => {
    const { hits: _hits, ...result } = replay(await candidate())
    const other = signJwt({ typ: "JWT", kid: key.kid }, { iss: "audit-team", result }, key)
    expect(readReplay(other, keys)).toMatch(/^it can't be read/)
    const [head = "", body = ""] = signReplay(await claims(), key).split(".")
    const header = { ...JSON.parse(Buffer.from(head, "base64url").toString()), alg: "EdDSA" }
    const input = `${Buffer.from(JSON.stringify(header)).toString("base64url")}.${body}`
    const signature = sign("sha256", Buffer.from(input), {
      key: createPrivateKey({ key: { ...jwk }, format: "jwk" }),
      dsaEncoding: "ieee-p1363",
    })
    expect(readReplay(`${input}.${signature.toString("base64url")}`, keys)).toBe(
      "none of the keys has signed it",
    )
  })

  test("with another content it is none", async () => {
    const [head, , signature] = signReplay(await claims(), key).split(".")
    const better = Buffer.from(JSON.stringify({ ...(await claims()), statement: "9 of 9" })).toString(
      "base64url",
    )
    expect(readReplay(`${head}.${better}.${signature}`, keys)).toBe("its signature does not hold")
    expect(readReplay("x.y.z", keys)).toMatch(/^it can't be read/)
  })
})
